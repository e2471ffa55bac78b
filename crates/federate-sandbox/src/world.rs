//! One origin that plays every role: who is asked is told by the path, never by the host, because every host leads here.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use federate_core::{Secret, codes};
use federate_http::{Answer, Handler, Incoming};

use crate::job::CiJob;
use crate::keys::SigningKey;
use crate::parameters::Parameters;
use crate::random::Random;
use crate::report::{Event, Reply};
use crate::sessions::Session;
use crate::stage::SandboxTarget;
use crate::throttle::Throttle;
use crate::{entra, issuer, resource_manager, sts};

/// Everything that the parts of one sandbox share; two sandboxes share nothing.
pub(crate) struct World {
    /// `https://127.0.0.1:PORT`.
    pub(crate) origin: String,
    pub(crate) targets: Vec<SandboxTarget>,
    pub(crate) job: CiJob,
    pub(crate) key: Arc<SigningKey>,
    pub(crate) random: Random,
    /// What the token request endpoint wants to see.
    pub(crate) request_token: Secret,
    pub(crate) sessions: Mutex<HashMap<String, Session>>,
    /// The longest that credentials live; as long as the clouds' own do, where nothing is said.
    pub(crate) credential_lifetime: Option<Duration>,
    pub(crate) clock: Arc<dyn Fn() -> SystemTime + Send + Sync>,
    pub(crate) events: Arc<dyn Fn(Event) + Send + Sync>,
    pub(crate) throttle: Throttle,
}

impl World {
    pub(crate) fn now(&self) -> SystemTime {
        (self.clock)()
    }

    pub(crate) fn sessions(&self) -> MutexGuard<'_, HashMap<String, Session>> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How long credentials live that would live for so long in the cloud.
    pub(crate) fn life(&self, usual: Duration) -> Duration {
        self.credential_lifetime.map_or(usual, |lifetime| lifetime.min(usual))
    }

    /// Answers one request.
    pub(crate) fn reply(&self, request: &Incoming) -> Reply {
        if let Some(action) = Parameters::of(request).get("Action") {
            return self.throttle.sts(self, action).unwrap_or_else(|| sts::reply(self, request));
        }
        issuer::reply(self, request)
            .or_else(|| resource_manager::reply(self, request))
            .or_else(|| self.throttle.entra(self, request))
            .or_else(|| entra::reply(self, request))
            .unwrap_or_else(|| nobody(request))
    }
}

fn nobody(request: &Incoming) -> Reply {
    let body = format!("The sandbox plays nothing at {}\n", request.path);
    Reply {
        answer: Answer::text(404, "text/plain; charset=utf-8", body),
        event: Event::new("sandbox", format!("{} {}", request.method, request.path), 404).with_outcome("NotFound"),
    }
}

/// What can only happen when the system's randomness fails.
pub(crate) fn broken(service: &str, asked: &str) -> Reply {
    Reply {
        answer: Answer::text(500, "text/plain; charset=utf-8", "The sandbox failed\n"),
        event: Event::new(service, asked, 500).with_outcome(codes::SERVICE_ERROR.name),
    }
}

#[async_trait]
impl Handler for World {
    async fn handle(&self, request: Incoming) -> Answer {
        let reply = self.reply(&request);
        (self.events)(reply.event);
        reply.answer
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{get, post, text, world};

    #[test]
    fn nothing_is_played_elsewhere() {
        for path in ["/", "/nowhere", "/a/b/c/d/e", "/../etc/passwd", "//"] {
            let reply = world("gitlab", &[]).reply(&get(path));
            assert_eq!(reply.answer.status, 404, "{path}");
        }
    }

    #[test]
    fn an_action_is_for_sts_wherever_it_is_sent() {
        for path in ["/", "/some/vpc/endpoint"] {
            let reply =
                world("gitlab", &[]).reply(&post(path, &[("Action", "GetCallerIdentity"), ("Version", "2011-06-15")]));
            assert_eq!(reply.event.service, "STS", "{path}");
            assert_eq!(reply.answer.status, 403);
        }
        let mut by_url = get("/");
        by_url.query = [("Action", "AssumeRoleWithWebIdentity"), ("Version", "2011-06-15")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into();
        let reply = world("gitlab", &[]).reply(&by_url);
        assert!(text(&reply).contains("<Code>ValidationError</Code>"), "as STS itself, which takes both");
    }
}
