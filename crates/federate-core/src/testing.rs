//! Fakes for the tests of adapters: a network that answers from a script, a clock that stands still, files in memory.

mod session;

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value as Json, json};

use crate::codes;
use crate::context::{Context, Env, Host, Reporter};
use crate::error::Error;
use crate::http::{Http, Request, Response};
use crate::policy::Policy;
use crate::secret::Secret;
use crate::token::IdToken;
pub use session::{FakeCi, FakeSource, Tokens};

/// 2026-05-04T10:00:00Z, the `iat` of all sample tokens.
pub const NOW: u64 = 1_777_888_800;

/// A network that gives prepared answers in order and remembers what it was asked.
#[derive(Debug, Default)]
pub struct FakeHttp {
    answers: Mutex<VecDeque<Result<Response, Error>>>,
    requests: Mutex<Vec<Request>>,
}

impl FakeHttp {
    /// Prepares the next answer.
    pub fn answer(&self, status: u16, content_type: &str, body: impl Into<Vec<u8>>) {
        let headers = vec![("content-type".to_owned(), content_type.to_owned())];
        lock(&self.answers).push_back(Ok(Response { status, headers, body: body.into() }));
    }

    /// Prepares a failure.
    pub fn fail(&self, error: Error) {
        lock(&self.answers).push_back(Err(error));
    }

    /// What was sent so far.
    pub fn requests(&self) -> Vec<Request> {
        lock(&self.requests).clone()
    }
}

#[async_trait]
impl Http for FakeHttp {
    async fn send(&self, request: &Request, _deadline: Instant) -> Result<Response, Error> {
        lock(&self.requests).push(request.clone());
        lock(&self.answers).pop_front().unwrap_or_else(|| {
            Err(Error::new(&codes::NETWORK_UNREACHABLE, format!("the test prepared no answer to {request:?}")))
        })
    }
}

/// A clock that stands still and files in memory.
#[derive(Debug)]
pub struct FakeHost {
    /// The time.
    pub now: SystemTime,
    /// The files.
    pub files: BTreeMap<PathBuf, Vec<u8>>,
}

impl Host for FakeHost {
    fn now(&self) -> SystemTime {
        self.now
    }
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        self.files.get(path).cloned().ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

/// Remembers everything that was said, each line with its level: `warn: …`.
#[derive(Debug, Default)]
pub struct FakeReporter(Mutex<Vec<String>>);

impl FakeReporter {
    /// What was said so far.
    pub fn lines(&self) -> Vec<String> {
        lock(&self.0).clone()
    }
}

impl Reporter for FakeReporter {
    fn warn(&self, text: &str) {
        lock(&self.0).push(format!("warn: {text}"));
    }
    fn note(&self, text: &str) {
        lock(&self.0).push(format!("note: {text}"));
    }
    fn detail(&self, text: &str) {
        lock(&self.0).push(format!("detail: {text}"));
    }
}

/// A context together with handles on its fakes.
#[derive(Debug)]
pub struct Fixture {
    /// The context to hand to the adapter.
    pub context: Context,
    /// Its network.
    pub http: Arc<FakeHttp>,
    /// Its reporter.
    pub reporter: Arc<FakeReporter>,
}

/// A context with these variables, a clock at [`NOW`], no files, and a policy whose own hosts are those of `own_host`.
pub fn fixture(variables: &[(&str, &str)], own_host: fn(&str) -> bool) -> Fixture {
    fixture_with(variables, Policy { own_hosts: vec![own_host], ..Policy::default() }, BTreeMap::new())
}

/// As [`fixture`], with a policy and files.
pub fn fixture_with(variables: &[(&str, &str)], policy: Policy, files: BTreeMap<PathBuf, Vec<u8>>) -> Fixture {
    let http = Arc::new(FakeHttp::default());
    let reporter = Arc::new(FakeReporter::default());
    let context = Context {
        env: Arc::new(variables.iter().copied().collect::<Env>()),
        host: Arc::new(FakeHost { now: SystemTime::UNIX_EPOCH + Duration::from_secs(NOW), files }),
        http: http.clone(),
        policy: Arc::new(policy),
        reporter: reporter.clone(),
        exchange_timeout: Duration::from_secs(60),
        deadline: Instant::now() + Duration::from_secs(60),
    };
    Fixture { context, http, reporter }
}

/// A JWT with this payload and a signature that fits no key.
pub fn jwt(claims: &Json) -> String {
    let header = json!({"typ": "JWT", "alg": "RS256", "kid": "test"});
    format!(
        "{}.{}.{}",
        URL_SAFE_NO_PAD.encode(header.to_string()),
        URL_SAFE_NO_PAD.encode(claims.to_string()),
        URL_SAFE_NO_PAD.encode("signature")
    )
}

/// [`jwt`] as an [`IdToken`].
///
/// # Panics
/// Never for a JSON object.
#[allow(clippy::expect_used)]
pub fn id_token(claims: &Json) -> IdToken {
    IdToken::parse(Secret::new(jwt(claims)), "the test").expect("a JSON object makes a well-formed token")
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
