//! A loopback server that plays a cloud and remembers what it was sent, over TLS or without.

use std::path::Path;
use std::sync::{Arc, Mutex, mpsc};
use std::thread;

use async_trait::async_trait;
use federate_http::{Answer, Handler, Incoming, Limits, LoopbackServer, ServerTls};
use rcgen::CertifiedKey;

pub(crate) struct Recorder {
    pub(crate) url: String,
    seen: Arc<Seen>,
}

struct Seen {
    requests: Mutex<Vec<Incoming>>,
    answer: fn(&Incoming) -> Answer,
}

#[async_trait]
impl Handler for Seen {
    async fn handle(&self, request: Incoming) -> Answer {
        let answer = (self.answer)(&request);
        self.requests.lock().unwrap().push(request);
        answer
    }
}

impl Recorder {
    /// Over plain HTTP.
    pub(crate) fn plain(answer: fn(&Incoming) -> Answer) -> Self {
        Self::start("http", None, answer)
    }

    /// Over TLS, with a certificate that is written to this file.
    pub(crate) fn tls(certificate: &Path, answer: fn(&Incoming) -> Answer) -> Self {
        let names = ["127.0.0.1".to_owned(), "localhost".to_owned()];
        let CertifiedKey { cert, signing_key } = rcgen::generate_simple_self_signed(names).unwrap();
        std::fs::write(certificate, cert.pem()).unwrap();
        let tls = ServerTls::from_pem(&cert.pem(), &signing_key.serialize_pem()).unwrap();
        Self::start("https", Some(tls), answer)
    }

    /// Serves until the test process ends.
    fn start(scheme: &str, tls: Option<ServerTls>, answer: fn(&Incoming) -> Answer) -> Self {
        let seen = Arc::new(Seen { requests: Mutex::default(), answer });
        let (sender, address) = mpsc::channel();
        let handler = seen.clone();
        thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async move {
                let server = LoopbackServer::bind(0).await.unwrap();
                sender.send(server.address()).unwrap();
                match tls {
                    Some(tls) => server.run_tls(Limits::default(), tls, handler).await,
                    None => server.run(Limits::default(), handler).await,
                }
            });
        });
        Self { url: format!("{scheme}://{}", address.recv().unwrap()), seen }
    }

    /// Every value of a header (lower case) that was sent.
    pub(crate) fn headers(&self, name: &str) -> Vec<String> {
        let requests = self.seen.requests.lock().unwrap();
        requests.iter().filter_map(|request| request.header(name).map(str::to_owned)).collect()
    }

    /// The forms that were posted, each sorted by name.
    pub(crate) fn forms(&self) -> Vec<Vec<(String, String)>> {
        let requests = self.seen.requests.lock().unwrap();
        let posted = requests.iter().filter(|request| request.method == "POST");
        posted
            .map(|request| {
                let mut form = request.form();
                form.sort();
                form
            })
            .collect()
    }
}
