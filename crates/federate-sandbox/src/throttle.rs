//! Clouds that are asked too often.

use std::sync::atomic::{AtomicU64, Ordering};

use federate_http::{Answer, Incoming};
use serde_json::json;

use crate::report::{Event, Reply};
use crate::world::World;
use crate::xml;

/// Which calls are throttled: of every so many, evenly, the first one always. Nothing is left to chance.
#[derive(Debug, Default)]
pub(crate) struct Throttle {
    /// 0 to 1.
    fraction: f64,
    asked: AtomicU64,
}

impl Throttle {
    pub(crate) fn new(fraction: f64) -> Self {
        Self { fraction: fraction.clamp(0.0, 1.0), asked: AtomicU64::new(0) }
    }

    /// Is the next call throttled?
    fn next(&self) -> bool {
        let before = self.asked.fetch_add(1, Ordering::Relaxed) as f64;
        ((before + 1.0) * self.fraction).ceil() > (before * self.fraction).ceil()
    }

    /// The refusal of a call to STS, as STS words it: without a word about when to come back.
    pub(crate) fn sts(&self, world: &World, action: &str) -> Option<Reply> {
        self.next().then(|| Reply {
            answer: xml::error(400, "ThrottlingException", "Rate exceeded", &world.random.uuid()),
            event: Event::new("STS", action, 400).with_outcome("ThrottlingException"),
        })
    }

    /// The refusal of a request for a token, with `Retry-After` as Entra sends it.
    pub(crate) fn entra(&self, world: &World, request: &Incoming) -> Option<Reply> {
        if request.method != "POST" || !request.path.ends_with("/oauth2/v2.0/token") || !self.next() {
            return None;
        }
        let trace = world.random.uuid();
        let document = json!({
            "error": "temporarily_unavailable",
            "error_description": format!("AADSTS90055: The server has terminated the request because it has too many requests. Trace ID: {trace}"),
            "error_codes": [90055],
            "trace_id": trace,
        });
        Some(Reply {
            answer: Answer::json(429, &document).with_header("retry-after", "1").with_header("x-ms-request-id", trace),
            event: Event::new("Entra", "token", 429).with_outcome("AADSTS90055"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{post, world};

    fn hits(fraction: f64) -> String {
        let throttle = Throttle::new(fraction);
        (0..8).map(|_| if throttle.next() { 'x' } else { '.' }).collect()
    }

    #[test]
    fn a_fraction_is_spread_evenly_and_begins_with_the_first() {
        assert_eq!(
            [hits(0.0), hits(0.25), hits(0.5), hits(1.0), hits(7.0)],
            ["........", "x...x...", "x.x.x.x.", "xxxxxxxx", "xxxxxxxx"]
        );
    }

    #[test]
    fn each_cloud_says_it_in_its_own_way() {
        let mut world = world("gitlab", &[]);
        world.throttle = Throttle::new(1.0);
        let sts = world.reply(&post("/", &[("Action", "GetCallerIdentity"), ("Version", "2011-06-15")]));
        assert_eq!((sts.answer.status, sts.event.outcome.as_str()), (400, "ThrottlingException"));
        let entra = world.reply(&post("/t/oauth2/v2.0/token", &[]));
        assert_eq!(entra.answer.status, 429);
        assert!(entra.answer.headers.contains(&("retry-after".to_owned(), "1".to_owned())));
        assert_eq!(world.reply(&crate::testing::get("/.well-known/openid-configuration")).answer.status, 200);
    }
}
