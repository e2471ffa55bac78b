//! Many targets in one session.

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use serde_json::json;

use super::*;
use crate::cloud::Principal;
use crate::codes;
use crate::http::Request;
use crate::policy::Policy;
use crate::testing::{FakeCi, FakeSource, NOW, Tokens, fixture, id_token};

#[derive(Debug, Default)]
struct Counted {
    asked: AtomicUsize,
    exchanged: AtomicUsize,
    under_way: AtomicUsize,
    most: AtomicUsize,
}

#[derive(Debug)]
struct Provider {
    counted: Arc<Counted>,
    is_broken: bool,
}

#[async_trait]
impl Tokens for Provider {
    async fn token(&self, _: &Context, audiences: &Audiences) -> Result<IdToken, Error> {
        self.counted.asked.fetch_add(1, Ordering::SeqCst);
        tokio::time::sleep(Duration::from_millis(10)).await;
        if self.is_broken {
            return Err(Error::new(&codes::TOKEN_MISSING, "there is no token"));
        }
        Ok(id_token(&json!({"iss": "https://ci.test", "aud": audiences.first(), "sub": "s", "exp": NOW + 600})))
    }
}

#[derive(Debug)]
struct Target {
    counted: Arc<Counted>,
    own: String,
    key: Option<String>,
    is_refused: bool,
}

#[async_trait]
impl CloudTarget for Target {
    fn kind(&self) -> &'static str {
        "cloud"
    }
    fn audiences(&self, _: Option<&str>) -> Audiences {
        Audiences::one("cloud.test")
    }
    fn permitted(&self, _: &Context, _: &Policy) -> Result<(), Error> {
        Ok(())
    }
    fn plan(&self, _: &Context, _: Option<&IdToken>) -> Result<Vec<Request>, Error> {
        Ok(Vec::new())
    }
    async fn exchange(&self, context: &Context, _: &IdToken) -> Result<Credentials, Error> {
        self.counted.exchanged.fetch_add(1, Ordering::SeqCst);
        let now = self.counted.under_way.fetch_add(1, Ordering::SeqCst) + 1;
        self.counted.most.fetch_max(now, Ordering::SeqCst);
        tokio::time::sleep(Duration::from_millis(40)).await;
        self.counted.under_way.fetch_sub(1, Ordering::SeqCst);
        if self.is_refused {
            return Err(Error::new(&codes::TENANT_NOT_ALLOWED, "refused").with_setting("role"));
        }
        if context.deadline < Instant::now() {
            return Err(Error::new(&codes::NETWORK_TIMEOUT, "no time was left"));
        }
        Ok(self.rebind(Credentials::new("cloud", None)))
    }
    fn exchange_key(&self, _: &Context) -> Option<String> {
        self.key.clone()
    }
    fn rebind(&self, credentials: Credentials) -> Credentials {
        credentials.with_plain("own", &self.own)
    }
    async fn whoami(&self, _: &Context, _: &Credentials) -> Result<Principal, Error> {
        Ok(Principal { headline: String::new(), facts: serde_json::Map::new() })
    }
}

/// What to make of the target of a number.
struct Plan {
    key: fn(usize) -> Option<String>,
    is_refused: fn(usize) -> bool,
    has_token: bool,
}

async fn run(count: usize, plan: Plan) -> (Arc<Counted>, Vec<Result<Exchanged, Error>>) {
    let counted = Arc::new(Counted::default());
    let provider = Arc::new(FakeCi(Provider { counted: counted.clone(), is_broken: !plan.has_token }));
    let identity = BoundIdentity { name: "ci".to_owned(), provider };
    let sources: Vec<Arc<dyn TargetSource>> = (0..count)
        .map(|number| {
            let target = Target {
                counted: counted.clone(),
                own: format!("t{number}"),
                key: (plan.key)(number),
                is_refused: (plan.is_refused)(number),
            };
            let source =
                FakeSource { name: format!("t{number}"), identity: identity.clone(), target: Arc::new(target) };
            Arc::new(source) as Arc<dyn TargetSource>
        })
        .collect();
    let mut context = fixture(&[], |host| host == "ci.test").context;
    context.exchange_timeout = Duration::from_millis(200);
    let four = NonZeroUsize::new(4).unwrap();
    let session = Session::new(context, Duration::ZERO, Box::new(|_| {})).with_concurrency(four);
    let results = session.exchange_each(&sources).await;
    (counted, results)
}

fn count(number: &AtomicUsize) -> usize {
    number.load(Ordering::SeqCst)
}

#[tokio::test]
async fn one_token_for_all_and_no_more_at_once_than_allowed() {
    let (counted, results) = run(40, Plan { key: |_| None, is_refused: |_| false, has_token: true }).await;
    // Ten rounds of 40 ms with a time-out of 200 ms: waiting for one's turn is not counted.
    assert!(results.iter().all(Result::is_ok), "{results:?}");
    assert_eq!((count(&counted.asked), count(&counted.exchanged), count(&counted.most)), (1, 40, 4));
}

#[tokio::test]
async fn a_token_that_cannot_be_had_is_asked_for_once() {
    let (counted, results) = run(40, Plan { key: |_| None, is_refused: |_| false, has_token: false }).await;
    assert!(results.iter().all(|result| result.as_ref().is_err_and(|error| error.what() == "there is no token")));
    assert_eq!((count(&counted.asked), count(&counted.exchanged)), (1, 0));
}

#[tokio::test]
async fn targets_of_one_key_share_an_exchange() {
    let key = |number: usize| Some(format!("key {}", number % 2));
    let (counted, results) = run(20, Plan { key, is_refused: |_| false, has_token: true }).await;
    assert_eq!(count(&counted.exchanged), 2);
    for (number, result) in results.iter().enumerate() {
        assert_eq!(result.as_ref().unwrap().credentials.plain("own"), Some(format!("t{number}").as_str()));
    }
}

#[tokio::test]
async fn a_shared_refusal_is_told_of_each_target() {
    let key = |_| Some("key".to_owned());
    let (counted, results) = run(10, Plan { key, is_refused: |_| true, has_token: true }).await;
    assert_eq!(count(&counted.exchanged), 1);
    let errors: Vec<&Error> = results.iter().filter_map(|result| result.as_ref().err()).collect();
    assert_eq!((errors.len(), errors[7].setting()), (10, Some("targets.t7.role")));
}

#[tokio::test]
async fn one_refusal_leaves_the_others_alone() {
    let (_, results) = run(6, Plan { key: |_| None, is_refused: |number| number == 2, has_token: true }).await;
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 5);
    assert!(results[2].is_err());
}
