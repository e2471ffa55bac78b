//! What an entry holds.

use std::time::{Duration, SystemTime};

use federate_core::context::unix_seconds;
use federate_core::{Credentials, Secret, Value};
use serde_json::{Map, Value as Json, json};

/// Credentials are handed out only while they last this much longer: a quarter of their life, but at least the first and at
/// most the second. botocore asks for new ones in the last 15 minutes and would ask again and again.
const LEAST_LEFT: Duration = Duration::from_secs(5 * 60);
const MOST_LEFT: Duration = Duration::from_secs(15 * 60);

/// Are credentials that were kept then and end then still good enough now?
pub(crate) fn lasts(kept: SystemTime, expires: SystemTime, now: SystemTime) -> bool {
    // A clock that was set back since makes everything look fresh: what was kept in the future does not count.
    let Ok(_) = now.duration_since(kept) else { return false };
    let life = expires.duration_since(kept).unwrap_or_default();
    expires.duration_since(now).is_ok_and(|left| left > (life / 4).clamp(LEAST_LEFT, MOST_LEFT))
}

/// One target's credentials, and what `federate cache list` says about them.
pub(crate) struct Entry {
    pub(crate) target: String,
    pub(crate) profile: String,
    pub(crate) kind: String,
    pub(crate) kept: SystemTime,
    pub(crate) expires: SystemTime,
    plain: Vec<(String, String)>,
    secret: Vec<(String, Secret)>,
}

impl Entry {
    pub(crate) fn new(
        target: &str,
        profile: &str,
        credentials: &Credentials,
        kept: SystemTime,
        expires: SystemTime,
    ) -> Self {
        let mut entry = Self {
            target: target.to_owned(),
            profile: profile.to_owned(),
            kind: credentials.kind.to_owned(),
            kept,
            expires,
            plain: Vec::new(),
            secret: Vec::new(),
        };
        for (name, value) in credentials.values() {
            match value {
                Value::Plain(text) => entry.plain.push((name.to_owned(), text.clone())),
                Value::Secret(secret) => entry.secret.push((name.to_owned(), secret.clone())),
            }
        }
        entry
    }

    /// The entry as text, to be sealed.
    pub(crate) fn text(&self) -> Secret {
        let plain: Map<String, Json> = self.plain.iter().map(|(name, text)| (name.clone(), json!(text))).collect();
        let secret: Map<String, Json> =
            self.secret.iter().map(|(name, secret)| (name.clone(), json!(secret.reveal()))).collect();
        Secret::new(
            json!({
                "target": self.target, "profile": self.profile, "kind": self.kind,
                "kept": unix_seconds(self.kept), "plain": plain, "secret": secret,
            })
            .to_string(),
        )
    }

    /// Reads what [`Entry::text`] made.
    pub(crate) fn parse(text: &Secret, expires: SystemTime) -> Result<Self, String> {
        let other = || "another version of federate kept it".to_owned();
        let json: Json = serde_json::from_str(text.reveal()).map_err(|_| other())?;
        let field = |name: &str| json[name].as_str().map(str::to_owned).ok_or_else(other);
        let kept = json["kept"].as_u64().map(|seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds));
        let values = |name: &str| -> Result<Vec<(String, String)>, String> {
            let table = json[name].as_object().ok_or_else(other)?;
            table.iter().map(|(key, value)| Ok((key.clone(), value.as_str().ok_or_else(other)?.to_owned()))).collect()
        };
        Ok(Self {
            target: field("target")?,
            profile: field("profile")?,
            kind: field("kind")?,
            kept: kept.ok_or_else(other)?,
            expires,
            plain: values("plain")?,
            secret: values("secret")?.into_iter().map(|(name, text)| (name, Secret::new(text))).collect(),
        })
    }

    /// The credentials; `kind` is the target's, which has been compared.
    pub(crate) fn credentials(self, kind: &'static str) -> Credentials {
        let mut credentials = Credentials::new(kind, Some(self.expires));
        for (name, text) in self.plain {
            credentials = credentials.with_plain(name, text);
        }
        for (name, secret) in self.secret {
            credentials = credentials.with_secret(name, secret);
        }
        credentials
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minutes: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_777_888_800 + minutes * 60)
    }

    #[test]
    fn a_quarter_of_the_life_within_bounds_has_to_be_left() {
        for (life, last_good) in [(60, 44), (720, 704), (15, 9), (30, 22), (16, 10)] {
            assert!(lasts(at(0), at(life), at(last_good)), "{life}");
            assert!(!lasts(at(0), at(life), at(last_good + 1)), "{life}");
        }
        assert!(!lasts(at(0), at(5), at(0)), "too short to be kept at all");
        assert!(!lasts(at(10), at(60), at(9)), "the clock was set back");
        assert!(!lasts(at(0), at(60), at(90)));
    }

    #[test]
    fn credentials_come_back_as_they_were() {
        let given = Credentials::new("aws", Some(at(60)))
            .with_plain("region", "eu-west-1")
            .with_secret("secret_access_key", Secret::new("canary"));
        let text = Entry::new("deploy", "prod", &given, at(0), at(60)).text();
        let entry = Entry::parse(&text, at(60)).unwrap();
        assert_eq!((entry.target.as_str(), entry.profile.as_str(), entry.kept), ("deploy", "prod", at(0)));
        let found = entry.credentials("aws");
        assert_eq!((found.plain("region"), found.expires), (Some("eu-west-1"), Some(at(60))));
        assert_eq!(found.secret("secret_access_key").map(Secret::reveal), Some("canary"));
        for other in ["", "[]", "{}", r#"{"target":"x"}"#] {
            assert!(Entry::parse(&Secret::new(other), at(60)).is_err(), "{other}");
        }
    }
}
