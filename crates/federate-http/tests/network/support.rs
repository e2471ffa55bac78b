//! Certificates, servers and clients for the tests of this folder.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use federate_core::{Env, Error, Http as _, HumanDuration, NetworkSettings, Reach, Request, Response, Secret};
use federate_http::{Answer, Client, Handler, Incoming, Limits, LoopbackServer, ServerTls};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use url::Url;

/// A throw-away CA, in a file of its own.
pub(crate) struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    directory: tempfile::TempDir,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let directory = tempfile::tempdir().unwrap();
        params.distinguished_name.push(DnType::CommonName, directory.path().display().to_string());
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        std::fs::write(directory.path().join("ca.pem"), issuer.pem()).unwrap();
        Self { issuer, directory }
    }

    pub(crate) fn file(&self) -> PathBuf {
        self.directory.path().join("ca.pem")
    }

    pub(crate) fn file_name(&self) -> String {
        self.file().display().to_string()
    }

    /// A certificate for these names, with changes.
    pub(crate) fn tls_with(&self, names: &[&str], change: impl FnOnce(&mut CertificateParams)) -> ServerTls {
        let mut params =
            CertificateParams::new(names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>()).unwrap();
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        ServerTls::from_pem(&certificate.pem(), &key.serialize_pem()).unwrap()
    }

    pub(crate) fn tls(&self, names: &[&str]) -> ServerTls {
        self.tls_with(names, |_| ())
    }
}

/// Gives prepared answers in order, the last one again and again, and remembers what it was asked.
struct Script {
    answers: Mutex<VecDeque<Answer>>,
    seen: Arc<Mutex<Vec<Incoming>>>,
}

#[async_trait]
impl Handler for Script {
    async fn handle(&self, request: Incoming) -> Answer {
        self.seen.lock().unwrap().push(request);
        let mut answers = self.answers.lock().unwrap();
        if answers.len() > 1 { answers.pop_front().unwrap() } else { answers.front().unwrap().clone() }
    }
}

/// A well-behaved server; it ends when dropped.
pub(crate) struct Server {
    pub(crate) port: u16,
    seen: Arc<Mutex<Vec<Incoming>>>,
    task: JoinHandle<()>,
}

impl Server {
    pub(crate) async fn start(tls: Option<ServerTls>, answers: Vec<Answer>) -> Self {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let script = Arc::new(Script { answers: Mutex::new(answers.into()), seen: seen.clone() });
        let mut server = Self::handled(tls, script).await;
        server.seen = seen;
        server
    }

    pub(crate) async fn handled(tls: Option<ServerTls>, handler: Arc<dyn Handler>) -> Self {
        Self::within(Limits::default(), tls, handler).await
    }

    pub(crate) async fn within(limits: Limits, tls: Option<ServerTls>, handler: Arc<dyn Handler>) -> Self {
        let server = LoopbackServer::bind(0).await.unwrap();
        let port = server.address().port();
        let task = tokio::spawn(async move {
            match tls {
                Some(tls) => server.run_tls(limits, tls, handler).await,
                None => server.run(limits, handler).await,
            }
        });
        Self { port, seen: Arc::default(), task }
    }

    pub(crate) fn seen(&self) -> Vec<Incoming> {
        self.seen.lock().unwrap().clone()
    }

    pub(crate) fn url(&self, scheme: &str, path: &str) -> String {
        format!("{scheme}://127.0.0.1:{}{path}", self.port)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// What a raw server does with each connection, once the head of a request has come.
#[derive(Clone)]
pub(crate) enum Behaviour {
    /// Sends these bytes and closes.
    Say(Vec<u8>),
    /// Sends these bytes after every request and keeps the connection.
    Keep(Vec<u8>),
    /// Closes with data unread, which the kernel turns into a reset.
    Reset,
    /// Never answers.
    Hang,
    /// As an HTTP proxy that was asked to CONNECT: leads all to this port.
    Tunnel(u16),
}

/// A server on bare TCP, for all that a real one would not do.
pub(crate) struct Raw {
    pub(crate) port: u16,
    connections: Arc<AtomicUsize>,
    heads: Arc<Mutex<Vec<String>>>,
    task: JoinHandle<()>,
}

impl Raw {
    pub(crate) async fn start(behaviour: Behaviour) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (connections, heads) = (Arc::new(AtomicUsize::new(0)), Arc::new(Mutex::new(Vec::new())));
        let (count, log) = (connections.clone(), heads.clone());
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(behave(stream, behaviour.clone(), log.clone()));
            }
        });
        Self { port, connections, heads, task }
    }

    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    pub(crate) fn heads(&self) -> Vec<String> {
        self.heads.lock().unwrap().clone()
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}/path?signature=canary-query", self.port)
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn behave(mut stream: TcpStream, behaviour: Behaviour, log: Arc<Mutex<Vec<String>>>) {
    if matches!(behaviour, Behaviour::Reset) {
        let _ = stream.readable().await;
        return;
    }
    while let Some(head) = read_head(&mut stream).await {
        log.lock().unwrap().push(head);
        match &behaviour {
            Behaviour::Say(bytes) => {
                let _ = stream.write_all(bytes).await;
                let _ = stream.shutdown().await;
                return;
            }
            Behaviour::Keep(bytes) => {
                let _ = stream.write_all(bytes).await;
            }
            Behaviour::Tunnel(port) => {
                let mut upstream = TcpStream::connect(("127.0.0.1", *port)).await.unwrap();
                let _ = stream.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await;
                let _ = tokio::io::copy_bidirectional(&mut stream, &mut upstream).await;
                return;
            }
            Behaviour::Hang | Behaviour::Reset => std::future::pending().await,
        }
    }
}

/// Everything up to the empty line; `None` at the end of the connection.
async fn read_head(stream: &mut TcpStream) -> Option<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    Some(String::from_utf8_lossy(&head).into_owned())
}

/// A client with this environment, quick time-outs and these changes.
pub(crate) fn client_with(env: &[(&str, &str)], change: impl FnOnce(&mut NetworkSettings)) -> Client {
    let mut settings = NetworkSettings { max_tries: 2, ..NetworkSettings::default() };
    change(&mut settings);
    Client::new(&settings, &env.iter().copied().collect::<Env>()).unwrap()
}

pub(crate) fn client(env: &[(&str, &str)]) -> Client {
    client_with(env, |_| ())
}

pub(crate) const fn millis(count: u64) -> HumanDuration {
    HumanDuration(Duration::from_millis(count))
}

/// A GET that carries secrets, which no error may show.
pub(crate) fn get(url: &str) -> Request {
    Request::get("GetThing", Url::parse(url).unwrap(), Reach::BuiltIn)
        .with_header("authorization", Secret::new("canary-header"))
}

/// Sends with half a minute of time; an error that shows a secret fails the test.
pub(crate) async fn send(client: &Client, request: &Request) -> Result<Response, Error> {
    send_within(client, request, Duration::from_secs(30)).await
}

pub(crate) async fn send_within(client: &Client, request: &Request, time: Duration) -> Result<Response, Error> {
    let result = client.send(request, Instant::now() + time).await;
    let shown = format!("{result:?} {client:?}");
    assert!(!shown.contains("canary"), "a secret shows: {shown}");
    if let Err(error) = &result {
        assert!(error.what().contains(request.url.host_str().unwrap()), "the host is missing: {shown}");
        assert!(!error.help().is_empty(), "help is missing: {shown}");
    }
    result
}

/// The name of the error's code.
pub(crate) fn code(result: Result<Response, Error>) -> &'static str {
    result.unwrap_err().code().name
}

/// An answer of this status without a body.
pub(crate) fn status(status: u16) -> Answer {
    Answer::text(status, "text/plain", "")
}
