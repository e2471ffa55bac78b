use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::json;
use tokio::time::{Instant, sleep};

use super::*;
use crate::cloud::{CloudTarget, Principal};
use crate::context::{Context, Host};
use crate::http::Request;
use crate::identity::{Audiences, Renewal};
use crate::policy::Policy;
use crate::session::BoundIdentity;
use crate::testing::{FakeCi, FakeSource, Fixture, NOW, Tokens, fixture, id_token};

/// A clock that follows tokio's, which stands still but for sleeping.
#[derive(Debug)]
struct Clock(Instant);

impl Host for Clock {
    fn now(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(NOW) + self.0.elapsed()
    }
    fn read(&self, _path: &Path) -> std::io::Result<Vec<u8>> {
        Err(std::io::ErrorKind::NotFound.into())
    }
}

/// A CI system whose tokens live for five minutes, or for an hour where it issues once.
#[derive(Debug)]
struct Ci {
    issues_again: bool,
    requests: AtomicUsize,
}

#[async_trait]
impl Tokens for Ci {
    fn renewal(&self) -> Renewal {
        if self.issues_again { Renewal::Again(None) } else { Renewal::Once }
    }
    async fn token(&self, context: &Context, audiences: &Audiences) -> Result<IdToken, Error> {
        let number = self.requests.fetch_add(1, Ordering::SeqCst);
        let (now, life) = (context.unix_now(), if self.issues_again { 300 } else { 3600 });
        Ok(id_token(&json!({"aud": audiences.first(), "iat": now, "exp": now + life, "jti": number.to_string()})))
    }
}

/// A cloud whose credentials live for ten minutes and name the token that they were exchanged for.
#[derive(Debug)]
struct Target;

fn made(context: &Context, token: &IdToken, resource: &str) -> Result<Credentials, Error> {
    if token.is_over(context.host.now()) {
        return Err(Error::new(&codes::TOKEN_EXPIRED, "the cloud was sent a token that is over"));
    }
    let expires = context.host.now() + Duration::from_secs(600);
    let number = token.claims().text("jti").unwrap_or_default().to_owned();
    Ok(Credentials::new("cloud", Some(expires)).with_plain("token", number).with_plain("resource", resource))
}

#[async_trait]
impl CloudTarget for Target {
    fn kind(&self) -> &'static str {
        "cloud"
    }
    fn audiences(&self, _customary: Option<&str>) -> Audiences {
        Audiences::one("cloud.test")
    }
    fn permitted(&self, _context: &Context, _policy: &Policy) -> Result<(), Error> {
        Ok(())
    }
    fn plan(&self, _context: &Context, _token: Option<&IdToken>) -> Result<Vec<Request>, Error> {
        Ok(Vec::new())
    }
    async fn exchange(&self, context: &Context, token: &IdToken) -> Result<Credentials, Error> {
        made(context, token, "main")
    }
    async fn exchange_for(&self, context: &Context, token: &IdToken, resource: &str) -> Result<Credentials, Error> {
        made(context, token, resource)
    }
    async fn whoami(&self, _context: &Context, _credentials: &Credentials) -> Result<Principal, Error> {
        Err(Error::new(&codes::USAGE, "nobody asks"))
    }
}

struct Stage {
    ci: Arc<FakeCi<Ci>>,
    refreshing: Arc<RefreshingSession>,
    fixture: Fixture,
}

async fn stage(issues_again: bool, targets: usize) -> Stage {
    let mut fixture = fixture(&[], |_| true);
    fixture.context.host = Arc::new(Clock(Instant::now()));
    let ci = Arc::new(FakeCi(Ci { issues_again, requests: AtomicUsize::new(0) }));
    let sources: Vec<Arc<dyn TargetSource>> = (0..targets)
        .map(|number| {
            Arc::new(FakeSource {
                name: format!("t{number}"),
                identity: BoundIdentity { name: "ci".to_owned(), provider: ci.clone() },
                target: Arc::new(Target),
            }) as Arc<dyn TargetSource>
        })
        .collect();
    let session = Arc::new(Session::new(fixture.context.clone(), Duration::ZERO, Box::new(|_| {})));
    let exchanged = session.exchange_all(&sources).await.unwrap();
    Stage { ci, refreshing: Arc::new(RefreshingSession::new(session, &sources, exchanged)), fixture }
}

impl Stage {
    fn keep(&self) -> tokio::task::JoinHandle<()> {
        let refreshing = self.refreshing.clone();
        tokio::spawn(async move { refreshing.keep().await })
    }

    fn requests(&self) -> usize {
        self.ci.0.requests.load(Ordering::SeqCst)
    }
}

async fn pass(seconds: u64) {
    sleep(Duration::from_secs(seconds)).await;
}

#[tokio::test(start_paused = true)]
async fn a_ci_that_issues_again_is_asked_when_the_token_is_spent() {
    let stage = stage(true, 50).await;
    let task = stage.keep();
    assert_eq!(stage.requests(), 1);
    for _ in 0..180 {
        pass(60).await;
        for target in stage.refreshing.targets() {
            let credentials = &target.credentials().await.unwrap().credentials;
            assert!(credentials.expires.unwrap() > stage.fixture.context.host.now());
        }
    }
    // Three hours; every target is renewed about every five minutes, and a token serves for four and a half.
    let requests = stage.requests();
    assert!((36..=42).contains(&requests), "{requests} tokens for 50 targets");
    assert!(stage.fixture.reporter.lines().is_empty());
    task.abort();
}

#[tokio::test(start_paused = true)]
async fn a_token_that_was_issued_once_serves_until_its_end() {
    let stage = stage(false, 2).await;
    let task = stage.keep();
    let target = stage.refreshing.targets()[0].clone();
    assert!(target.id_token().await.is_ok());
    pass(3590).await;
    assert_eq!(target.credentials().await.unwrap().credentials.plain("token"), Some("0"));
    // The last exchange was within the token's time; its credentials last for ten minutes.
    pass(200).await;
    assert!(target.credentials().await.is_ok());
    pass(600).await;
    let error = target.credentials().await.unwrap_err();
    assert_eq!((error.code().name, stage.requests()), ("token-expired", 1));
    assert!(error.what().contains("2026-05-04T11:00:00Z"), "{error:?}");
    assert!(target.id_token().await.is_err());
    let lines = stage.fixture.reporter.lines();
    assert_eq!(lines.len(), 4, "two lines a target: {lines:?}");
    task.abort();
}

#[tokio::test(start_paused = true)]
async fn resources_are_exchanged_when_asked_for_and_remembered() {
    let stage = stage(true, 1).await;
    let target = &stage.refreshing.targets()[0];
    let first = target.credentials_for("https://vault.test").await.unwrap();
    assert_eq!(first.plain("resource"), Some("https://vault.test"));
    pass(60).await;
    assert_eq!(target.credentials_for("https://vault.test").await.unwrap().expires, first.expires);
    assert_ne!(target.credentials_for("https://graph.test").await.unwrap().expires, first.expires);
    pass(600).await;
    assert!(target.credentials_for("https://vault.test").await.unwrap().expires > first.expires);
    for number in 0..200 {
        target.credentials_for(&format!("https://{number}.test")).await.unwrap();
    }
    assert!(target.resources.lock().unwrap().len() <= RESOURCES);
    for bad in ["a b", "a\nb", &"x".repeat(513)] {
        assert!(target.credentials_for(bad).await.is_err());
    }
}

#[test]
fn what_outlasts_what() {
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(100);
    let hour = Duration::from_secs(3600);
    assert!(outlasts(None, now, hour) && outlasts(Some(now + hour), now, hour));
    assert!(!outlasts(Some(now + hour / 2), now, hour) && !outlasts(Some(now - hour / 1000), now, hour));
}
