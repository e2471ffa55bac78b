//! A small HTTP/1.1 server on loopback, with or without TLS.

use std::convert::Infallible;
use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use federate_core::{Error, codes};
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::body::{Body as _, Bytes, Incoming as Streaming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio_rustls::TlsAcceptor;

use crate::connections::{Connections, Limits, Use, WhenFull};

/// The server's certificate and key.
#[derive(Clone)]
pub struct ServerTls(Arc<rustls::ServerConfig>);

impl ServerTls {
    /// Reads a certificate chain and its key, both PEM.
    ///
    /// # Errors
    /// `network-tls` if they cannot be read or do not belong together.
    pub fn from_pem(chain_pem: &str, key_pem: &str) -> Result<Self, Error> {
        let failed =
            |why: String| Error::new(&codes::NETWORK_TLS, "the server's certificate cannot be used").with_cause(why);
        let chain = CertificateDer::pem_slice_iter(chain_pem.as_bytes())
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| failed(error.to_string()))?;
        let key = PrivateKeyDer::from_pem_slice(key_pem.as_bytes()).map_err(|error| failed(error.to_string()))?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, key))
            .map_err(|error| failed(error.to_string()))?;
        Ok(Self(Arc::new(config)))
    }
}

impl fmt::Debug for ServerTls {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("ServerTls")
    }
}

/// A request, whole. `Debug` shows neither headers nor body.
#[derive(Clone)]
pub struct Incoming {
    /// `GET`, `POST`, …
    pub method: String,
    /// The path, as sent.
    pub path: String,
    /// The query, decoded.
    pub query: Vec<(String, String)>,
    /// The query, as sent, without `?`.
    pub raw_query: String,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// At most 1 MiB.
    pub body: Vec<u8>,
}

impl Incoming {
    /// The first header of this name (lower case).
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The body as `application/x-www-form-urlencoded`.
    pub fn form(&self) -> Vec<(String, String)> {
        url::form_urlencoded::parse(&self.body).into_owned().collect()
    }
}

impl fmt::Debug for Incoming {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}", self.method, self.path)
    }
}

/// The answer to a request. `Debug` does not show the body.
#[derive(Clone)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// Headers besides `Content-Length` and `Date`.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Answer {
    /// A JSON answer.
    pub fn json(status: u16, value: &serde_json::Value) -> Self {
        Self::text(status, "application/json; charset=utf-8", value.to_string())
    }

    /// An answer of this content type.
    pub fn text(status: u16, content_type: &str, body: impl Into<String>) -> Self {
        Self {
            status,
            headers: vec![("content-type".to_owned(), content_type.to_owned())],
            body: body.into().into_bytes(),
        }
    }

    /// Adds a header.
    #[must_use]
    pub fn with_header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }
}

impl fmt::Debug for Answer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Answer({}, {} bytes)", self.status, self.body.len())
    }
}

/// What answers requests.
#[async_trait]
pub trait Handler: Send + Sync + 'static {
    /// Answers one request.
    async fn handle(&self, request: Incoming) -> Answer;
}

/// A bound server that does not serve yet.
#[derive(Debug)]
pub struct LoopbackServer {
    listener: TcpListener,
    address: SocketAddr,
}

impl LoopbackServer {
    /// Binds a port of 127.0.0.1; 0 takes a free one.
    ///
    /// # Errors
    /// `network-unreachable` if the port is taken.
    pub async fn bind(port: u16) -> Result<Self, Error> {
        let failed = |error: std::io::Error| {
            Error::new(&codes::NETWORK_UNREACHABLE, format!("127.0.0.1:{port} cannot be listened on"))
                .with_cause(error.to_string())
                .with_help("choose another port; 0 takes a free one")
        };
        let listener = listen(port).map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        Ok(Self { listener, address })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until the future is dropped. One bad connection never ends it.
    pub async fn run(&self, limits: Limits, handler: Arc<dyn Handler>) {
        self.run_streams(limits, |stream, used| serve(stream, limits, used, handler.clone())).await;
    }

    /// As [`LoopbackServer::run`], over TLS.
    pub async fn run_tls(&self, limits: Limits, tls: ServerTls, handler: Arc<dyn Handler>) {
        let acceptor = TlsAcceptor::from(tls.0);
        self.run_streams(limits, |stream, used| {
            let (acceptor, handler) = (acceptor.clone(), handler.clone());
            async move {
                if let Ok(Ok(stream)) = tokio::time::timeout(limits.slow, acceptor.accept(stream)).await {
                    serve(stream, limits, used, handler).await;
                }
            }
        })
        .await;
    }

    async fn run_streams<F: Future<Output = ()> + Send + 'static>(
        &self,
        limits: Limits,
        serve: impl Fn(TcpStream, Arc<Use>) -> F,
    ) {
        let mut connections = Connections::new(limits);
        loop {
            if limits.when_full == WhenFull::Wait {
                connections.room().await;
            }
            let stream = match self.listener.accept().await {
                Ok((stream, _)) => stream,
                Err(_) => {
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                }
            };
            // Only a client that is there can make another one go.
            connections.room().await;
            // An answer that waits for the client's delayed acknowledgement waits for 40 ms; failing to set it costs no more.
            let _ = stream.set_nodelay(true);
            connections.add(|used| serve(stream, used));
            // What the client sent while it waited is read before others can push it out.
            tokio::task::yield_now().await;
        }
    }
}

/// A client that finds the queue full tries again after a second only, so it is as long as the kernel lets it be.
fn listen(port: u16) -> std::io::Result<TcpListener> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.bind((Ipv4Addr::LOCALHOST, port).into())?;
    socket.listen(4096)
}

async fn serve(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send,
    limits: Limits,
    used: Arc<Use>,
    handler: Arc<dyn Handler>,
) {
    let service = service_fn(move |request| {
        let (used, handler) = (used.clone(), handler.clone());
        async move { Ok::<_, Infallible>(answer(request, limits, &used, handler.as_ref()).await) }
    });
    // What a client does wrong is the client's loss.
    let _ = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.slow)
        .max_buf_size(limits.head.max(8 * 1024))
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

async fn answer(
    request: hyper::Request<Streaming>,
    limits: Limits,
    used: &Arc<Use>,
    handler: &dyn Handler,
) -> hyper::Response<Full<Bytes>> {
    let (parts, body) = request.into_parts();
    let refuse = |status: u16, why: &str| {
        respond(Answer::text(status, "text/plain", format!("{why}\n")).with_header("connection", "close"))
    };
    // The form for proxies (RFC 9112 section 3.2.2): this is none, and the host that it names is not looked at.
    if parts.uri.authority().is_some() {
        return refuse(400, "this is not a proxy");
    }
    let too_large = || refuse(413, "the request is too large");
    if body.size_hint().lower() > limits.body as u64 {
        return too_large();
    }
    let body = match tokio::time::timeout(limits.slow, Limited::new(body, limits.body).collect()).await {
        Ok(Ok(body)) => body.to_bytes().to_vec(),
        Ok(Err(error)) if error.is::<LengthLimitError>() => return too_large(),
        Ok(Err(_)) => return refuse(400, "the request is broken"),
        Err(_) => return refuse(408, "the request is too slow"),
    };
    let _under_way = used.begin();
    let raw_query = parts.uri.query().unwrap_or_default().to_owned();
    let incoming = Incoming {
        method: parts.method.as_str().to_owned(),
        path: parts.uri.path().to_owned(),
        query: url::form_urlencoded::parse(raw_query.as_bytes()).into_owned().collect(),
        raw_query,
        headers: parts
            .headers
            .iter()
            .map(|(name, value)| (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
            .collect(),
        body,
    };
    respond(handler.handle(incoming).await)
}

fn respond(answer: Answer) -> hyper::Response<Full<Bytes>> {
    let mut builder = hyper::Response::builder().status(answer.status);
    for (name, value) in &answer.headers {
        builder = builder.header(name, value);
    }
    builder.body(Full::new(Bytes::from(answer.body))).unwrap_or_else(|_| {
        // A header that cannot be sent must not turn a refusal into a success.
        let mut broken = hyper::Response::new(Full::default());
        *broken.status_mut() = hyper::StatusCode::INTERNAL_SERVER_ERROR;
        broken
    })
}
