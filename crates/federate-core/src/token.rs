//! The ID token: a JWT (RFC 7519) in JWS compact form (RFC 7515).

use std::fmt;
use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value as Json;

use crate::claims::{Claims, UnverifiedClaims};
use crate::codes;
use crate::context::unix_seconds;
use crate::error::Error;
use crate::identity::Audiences;
use crate::issuer::Issuer;
use crate::secret::Secret;

/// The longest ID token that is accepted, in bytes: AWS STS takes 20,000 (`WebIdentityToken`), and no CI comes near.
pub const MAX_TOKEN_LENGTH: usize = 20_000;

/// For how long after `exp` a token is still handed to the cloud, whose clock decides.
pub const EXPIRY_LEEWAY: Duration = Duration::from_secs(30);

/// For how long before `nbf` a token is already handed to the cloud.
pub const NOT_BEFORE_LEEWAY: Duration = Duration::from_secs(300);

/// An ID token as its provider handed it out: well-formed and signed by someone, but nobody has checked by whom.
#[derive(Clone)]
pub struct IdToken {
    raw: Secret,
    source: String,
    algorithm: String,
    key_id: Option<String>,
    claims: UnverifiedClaims,
}

impl IdToken {
    /// Reads a token. White space around it is cut off (files end with newlines); nothing else is mended.
    ///
    /// `source` says where it was found, for messages: `environment variable AWS_ID_TOKEN`.
    ///
    /// # Errors
    /// `token-malformed`: empty, too long, not three base64url parts without padding, not JSON, `alg` none or missing.
    pub fn parse(raw: Secret, source: impl Into<String>) -> Result<Self, Error> {
        let source = source.into();
        let text = raw.reveal().trim();
        let bad = |why: String| {
            Err(Error::new(&codes::TOKEN_MALFORMED, format!("the ID token of {source} cannot be used: {why}")).with_help(
                "an ID token is a signed JWT: three parts of base64url without padding, joined by dots; pass on exactly what the CI system issued",
            ))
        };
        if text.is_empty() {
            return bad("it is empty".to_owned());
        }
        if text.len() > MAX_TOKEN_LENGTH {
            return bad(format!(
                "it is {} bytes long, and {MAX_TOKEN_LENGTH} is the most that a cloud accepts",
                text.len()
            ));
        }
        let parts: Vec<&str> = text.split('.').collect();
        let [header, payload, signature] = parts[..] else {
            return bad(match parts.len() {
                1 => "it is not a JWT".to_owned(),
                2 => "its signature is missing; was it cut off?".to_owned(),
                5 => "it is an encrypted JWT (JWE), not an ID token".to_owned(),
                count => format!("it has {count} parts, and a JWT has 3"),
            });
        };
        if text.contains('=') {
            return bad("it contains base64 padding (`=`), which a JWT never has".to_owned());
        }
        let decoded = |name: &str, part: &str| {
            URL_SAFE_NO_PAD.decode(part).map_err(|error| format!("its {name} is not base64url ({error})"))
        };
        let object = |name: &str, part: &str| -> Result<serde_json::Map<String, Json>, String> {
            match serde_json::from_slice(&decoded(name, part)?) {
                Ok(Json::Object(map)) => Ok(map),
                Ok(_) => Err(format!("its {name} is JSON, but not an object")),
                // The parser's message quotes no content.
                Err(error) => Err(format!(
                    "its {name} is not JSON (line {}, column {}); was it cut off?",
                    error.line(),
                    error.column()
                )),
            }
        };
        let header = match object("header", header) {
            Ok(header) => header,
            Err(why) => return bad(why),
        };
        let claims = match object("payload", payload) {
            Ok(claims) => claims,
            Err(why) => return bad(why),
        };
        let algorithm = match header.get("alg").and_then(Json::as_str) {
            Some(none) if none.eq_ignore_ascii_case("none") => {
                return bad("it says `alg: none`, so nobody signed it".to_owned());
            }
            Some(algorithm) => algorithm.to_owned(),
            None => return bad("its header names no algorithm".to_owned()),
        };
        match decoded("signature", signature) {
            Ok(bytes) if bytes.is_empty() => return bad("its signature is empty".to_owned()),
            Ok(_) => {}
            Err(why) => return bad(why),
        }
        let key_id = header.get("kid").and_then(Json::as_str).map(str::to_owned);
        let raw = if text.len() == raw.reveal().len() { raw } else { Secret::new(text) };
        Ok(Self { raw, source, algorithm, key_id, claims: UnverifiedClaims::new(Claims::new(claims)) })
    }

    /// Does the text look like a JWT at all? For searching an environment; cheap, and true for broken tokens too.
    pub fn looks_like_one(text: &str) -> bool {
        let text = text.trim();
        text.starts_with("eyJ") && text.split('.').count() == 3 && !text.contains(char::is_whitespace)
    }

    /// The token itself.
    pub fn raw(&self) -> &Secret {
        &self.raw
    }

    /// Where it was found.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// `alg` of the header.
    pub fn algorithm(&self) -> &str {
        &self.algorithm
    }

    /// `kid` of the header.
    pub fn key_id(&self) -> Option<&str> {
        self.key_id.as_deref()
    }

    /// What it says, unverified.
    pub fn claims(&self) -> &UnverifiedClaims {
        &self.claims
    }

    /// When it ends.
    pub fn expires(&self) -> Option<SystemTime> {
        let seconds = u64::try_from(self.claims.seconds("exp")?).ok()?;
        SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds))
    }

    /// Is it over by more than [`EXPIRY_LEEWAY`]?
    pub fn is_over(&self, now: SystemTime) -> bool {
        self.expires().is_some_and(|end| end + EXPIRY_LEEWAY < now)
    }

    /// Is so little of its life left that another one had better be asked for: a quarter of it, 30 s at most?
    pub fn is_spent(&self, now: SystemTime) -> bool {
        let Some(end) = self.expires() else { return false };
        let begin = self.claims.seconds("iat").and_then(|seconds| u64::try_from(seconds).ok()).unwrap_or_default();
        let life = end.duration_since(SystemTime::UNIX_EPOCH + Duration::from_secs(begin)).unwrap_or_default();
        end.duration_since(now).unwrap_or_default() < (life / 4).min(Duration::from_secs(30))
    }

    /// Refuses what no cloud would accept; returns warnings for what the cloud has to decide.
    ///
    /// # Errors
    /// `token-audience`; `token-expired` when over for more than [`EXPIRY_LEEWAY`]; `token-not-yet-valid` when more than
    /// [`NOT_BEFORE_LEEWAY`] early.
    pub fn check(&self, now: SystemTime, audiences: &Audiences) -> Result<Vec<String>, Error> {
        self.check_audience(audiences)?;
        self.check_times(now)
    }

    /// Refuses a token for another audience.
    ///
    /// # Errors
    /// `token-audience`.
    pub fn check_audience(&self, audiences: &Audiences) -> Result<(), Error> {
        let found = self.claims.audiences();
        if !audiences.fits(&found) {
            let found = if found.is_empty() { "none".to_owned() } else { found.join(", ") };
            return Err(Error::new(&codes::TOKEN_AUDIENCE, format!("the ID token of {} is meant for another audience", self.source))
                .with_cause(format!("its `aud` is {found}; wanted is {audiences}"))
                .with_help(format!("have the CI system issue the token with the audience {}, or set `audience` in the target to what the cloud accepts", audiences.first())));
        }
        Ok(())
    }

    /// Refuses a token whose time is over or has not begun; returns warnings for what the cloud has to decide.
    ///
    /// # Errors
    /// `token-malformed` without `exp`, `token-expired`, `token-not-yet-valid`; see [`IdToken::check`].
    pub fn check_times(&self, now: SystemTime) -> Result<Vec<String>, Error> {
        let mut warnings = Vec::new();
        let now = unix_seconds(now);
        let Some(expiry) = self.claims.seconds("exp") else {
            return Err(Error::new(
                &codes::TOKEN_MALFORMED,
                format!("the ID token of {} has no `exp` claim", self.source),
            )
            .with_help("every cloud requires it; this is not an ID token"));
        };
        let over_for = now - expiry;
        if over_for > EXPIRY_LEEWAY.as_secs() as i64 {
            return Err(Error::new(&codes::TOKEN_EXPIRED, format!("the ID token of {} expired {} ago", self.source, seconds(over_for)))
                .with_help("ask for it later in the job, or have the CI system issue it with a longer life (GitLab: the job's timeout); if the job has only just begun, this machine's clock is fast"));
        }
        if over_for >= 0 {
            warnings.push(format!(
                "the ID token of {} expired {} ago by this machine's clock; the cloud will decide",
                self.source,
                seconds(over_for)
            ));
        }
        for name in ["nbf", "iat"] {
            let Some(start) = self.claims.seconds(name) else { continue };
            let early_by = start - now;
            if early_by > NOT_BEFORE_LEEWAY.as_secs() as i64 {
                return Err(Error::new(
                    &codes::TOKEN_NOT_YET_VALID,
                    format!(
                        "the ID token of {} is not valid for another {} (`{name}`)",
                        self.source,
                        seconds(early_by)
                    ),
                )
                .with_help("this machine's clock is slow, or the issuer's is fast; set the clock by NTP"));
            }
            if early_by > 0 {
                warnings.push(format!(
                    "the ID token of {} begins in {} by this machine's clock (`{name}`); the cloud will decide",
                    self.source,
                    seconds(early_by)
                ));
                break;
            }
        }
        Ok(warnings)
    }

    /// Refuses a token of another issuer. `iss` is compared byte by byte.
    ///
    /// # Errors
    /// `token-issuer`.
    pub fn check_issuer(&self, expected: &Issuer) -> Result<(), Error> {
        match self.claims.issuer() {
            Some(issuer) if issuer == expected.as_str() => Ok(()),
            other => Err(Error::new(
                &codes::TOKEN_ISSUER,
                format!("the ID token of {} comes from another issuer", self.source),
            )
            .with_cause(format!("its `iss` is {}; expected is {expected}", other.unwrap_or("missing")))
            .with_setting("issuer")
            .with_help(
                "correct `issuer` in the profile's identity section, or hand over the token of the right CI system",
            )),
        }
    }

    /// What the signature covers, and the signature.
    pub(crate) fn signed_parts(&self) -> Option<(&str, Vec<u8>)> {
        let (message, signature) = self.raw.reveal().rsplit_once('.')?;
        Some((message, URL_SAFE_NO_PAD.decode(signature).ok()?))
    }
}

impl fmt::Debug for IdToken {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "IdToken(from {}, claims {:?})", self.source, self.claims.names().collect::<Vec<_>>())
    }
}

fn seconds(count: i64) -> String {
    humantime::format_duration(Duration::from_secs(count.unsigned_abs())).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn encode(value: &Json) -> String {
        URL_SAFE_NO_PAD.encode(value.to_string())
    }

    fn token(claims: Json) -> Result<IdToken, Error> {
        let text = format!("{}.{}.c2ln", encode(&json!({"alg": "RS256", "kid": "1"})), encode(&claims));
        IdToken::parse(Secret::new(text), "environment variable T")
    }

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
    }

    #[test]
    fn malformed_tokens_are_refused_without_being_quoted() {
        let good = token(json!({"aud": "a"})).unwrap().raw().reveal().to_owned();
        let (head, _) = good.rsplit_once('.').unwrap();
        let none = format!("{}.{}.", encode(&json!({"alg": "none"})), encode(&json!({})));
        let long = format!("{good}{}", "A".repeat(20_480));
        for (text, part) in [
            ("", "empty"),
            ("\n", "empty"),
            ("canary", "not a JWT"),
            (head, "cut off"),
            (&good[..good.len() - 20], "parts"),
            ("a.b.c", "base64url"),
            ("Y2FuYXJ5.Y2FuYXJ5.c2ln", "not JSON"),
            (&format!("{good}=="), "padding"),
            (none.as_str(), "none"),
            (long.as_str(), "bytes long"),
            ("a.b.c.d.e", "encrypted"),
        ] {
            let result = IdToken::parse(Secret::new(text), "environment variable T");
            let Err(error) = result else { continue };
            assert_eq!(error.code().name, "token-malformed");
            let shown = format!("{error:?}");
            assert!(!shown.contains("canary") && !shown.contains("Y2FuYXJ5"), "{shown}");
            if part != "parts" {
                assert!(shown.contains(part), "{text}: {shown}");
            }
        }
    }

    #[test]
    fn a_trailing_newline_is_cut_off() {
        let raw = token(json!({"aud": "a"})).unwrap().raw().reveal().to_owned();
        let read = IdToken::parse(Secret::new(format!("{raw}\n")), "file").unwrap();
        assert_eq!(read.raw().reveal(), raw);
    }

    #[test]
    fn times_have_leeway_and_warnings() {
        let token = token(json!({"aud": "a", "exp": 1000, "nbf": 500, "iat": 500})).unwrap();
        let audiences = Audiences::one("a");
        assert!(token.check(at(700), &audiences).unwrap().is_empty());
        assert_eq!(token.check(at(1030), &audiences).unwrap().len(), 1);
        let error = token.check(at(1031), &audiences).unwrap_err();
        assert_eq!(error.code().name, "token-expired");
        assert!(error.what().contains("31s ago"), "{error}");
        assert_eq!(token.check(at(200), &audiences).unwrap().len(), 1);
        assert_eq!(token.check(at(199), &audiences).unwrap_err().code().name, "token-not-yet-valid");
    }

    #[test]
    fn the_audience_must_fit() {
        let token = token(json!({"aud": ["a", "b"], "exp": 1000})).unwrap();
        assert!(token.check(at(1), &Audiences::one("b")).is_ok());
        let error = token.check(at(1), &Audiences::one("c")).unwrap_err();
        assert!(format!("{error:?}").contains("a, b"), "{error:?}");
    }

    #[test]
    fn the_issuer_is_compared_byte_by_byte() {
        let token = token(json!({"iss": "https://gitlab.com/"})).unwrap();
        let error = token.check_issuer(&Issuer::parse("https://gitlab.com").unwrap()).unwrap_err();
        assert_eq!(error.code().name, "token-issuer");
    }

    #[test]
    fn debug_hides_the_token() {
        let token = token(json!({"secretly": "canary"})).unwrap();
        let shown = format!("{token:?}");
        assert!(shown.contains("secretly") && !shown.contains("canary") && !shown.contains("eyJ"), "{shown}");
    }

    proptest::proptest! {
        #[test]
        fn parsing_never_panics(text in ".{0,300}") {
            let _ = IdToken::parse(Secret::new(text), "x");
        }
    }
}
