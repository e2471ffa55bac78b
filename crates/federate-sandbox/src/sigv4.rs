//! Checks signatures as AWS does: the request is signed once more with the session's key, and the results compared
//! (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html>).

use std::time::{Duration, SystemTime};

use federate_core::Secret;
use federate_core::context::unix_seconds;
use federate_http::Incoming;
use ring::{digest, hmac};

use crate::random::hex;
use crate::sessions::Session;
use crate::world::World;

/// How far the time of a signature may be off, in seconds.
const SKEW: i64 = 900;

/// Why a signature is not accepted, with AWS's code and text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Unsigned {
    pub(crate) code: &'static str,
    pub(crate) message: String,
}

impl Unsigned {
    fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }
}

/// The parts of an `Authorization` header.
struct Authorization<'a> {
    key_id: &'a str,
    date: &'a str,
    region: &'a str,
    service: &'a str,
    signed_headers: Vec<&'a str>,
    signature: &'a str,
}

impl<'a> Authorization<'a> {
    fn parse(header: &'a str) -> Option<Self> {
        let rest = header.strip_prefix("AWS4-HMAC-SHA256")?;
        let field = |name: &str| {
            rest.split(',').find_map(|part| part.trim().strip_prefix(name)?.strip_prefix('=')).map(str::trim)
        };
        let scope: Vec<&str> = field("Credential")?.split('/').collect();
        let [key_id, date, region, service, "aws4_request"] = scope[..] else { return None };
        let signed_headers = field("SignedHeaders")?.split(';').collect();
        Some(Self { key_id, date, region, service, signed_headers, signature: field("Signature")? })
    }
}

/// A signature in the query, which whoever has the URL may use for a time
/// (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-authentication-methods.html>).
struct Presigned<'a> {
    authorization: Authorization<'a>,
    timestamp: &'a str,
    /// Seconds.
    life: i64,
    session_token: &'a str,
}

/// The longest that STS takes a URL for, in seconds.
const LONGEST: i64 = 604_800;

impl<'a> Presigned<'a> {
    /// `None` where the query has no signature, or not all that belongs to one.
    fn parse(request: &'a Incoming) -> Option<Self> {
        let field = |name: &str| request.query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
        if field("X-Amz-Algorithm") != Some("AWS4-HMAC-SHA256") {
            return None;
        }
        let scope: Vec<&str> = field("X-Amz-Credential")?.split('/').collect();
        let [key_id, date, region, service, "aws4_request"] = scope[..] else { return None };
        let signed_headers = field("X-Amz-SignedHeaders")?.split(';').collect();
        Some(Self {
            authorization: Authorization {
                key_id,
                date,
                region,
                service,
                signed_headers,
                signature: field("X-Amz-Signature")?,
            },
            timestamp: field("X-Amz-Date")?,
            life: field("X-Amz-Expires")?.parse().ok().filter(|life| (1..=LONGEST).contains(life))?,
            session_token: field("X-Amz-Security-Token")?,
        })
    }
}

/// Who signed the request: by its header, or by its query.
pub(crate) fn signer(world: &World, request: &Incoming) -> Result<Session, Unsigned> {
    match Presigned::parse(request) {
        Some(presigned) => signer_of_url(world, request, &presigned),
        None => signer_of_header(world, request),
    }
}

fn signer_of_url(world: &World, request: &Incoming, presigned: &Presigned<'_>) -> Result<Session, Unsigned> {
    let Presigned { authorization, timestamp, life, session_token } = presigned;
    let session = session(world, authorization.key_id, Some(session_token))?;
    let now = unix_seconds(world.now());
    let signed_at = parse_timestamp(timestamp).filter(|_| timestamp.starts_with(authorization.date));
    let signed_at = signed_at.ok_or_else(mismatch)?;
    if now > signed_at + life || signed_at > now + SKEW {
        let text = format!("Signature expired: {timestamp} and {life} seconds do not reach the current time");
        return Err(Unsigned::new("SignatureDoesNotMatch", text));
    }
    let expected = signature(&session.secret_access_key, authorization, timestamp, &["host"], request);
    if expected.as_deref() == Some(authorization.signature) { Ok(session) } else { Err(mismatch()) }
}

fn session(world: &World, key_id: &str, token: Option<&str>) -> Result<Session, Unsigned> {
    let invalid = || Unsigned::new("InvalidClientTokenId", "The security token included in the request is invalid.");
    let session = world.sessions().get(key_id).cloned().ok_or_else(invalid)?;
    if token != Some(session.session_token.reveal()) {
        return Err(invalid());
    }
    if session.expires <= world.now() {
        return Err(Unsigned::new("ExpiredToken", "The security token included in the request is expired"));
    }
    Ok(session)
}

fn signer_of_header(world: &World, request: &Incoming) -> Result<Session, Unsigned> {
    let missing = || Unsigned::new("MissingAuthenticationToken", "Request is missing Authentication Token");
    let header = request.header("authorization").ok_or_else(missing)?;
    let authorization = Authorization::parse(header).ok_or_else(|| {
        Unsigned::new(
            "IncompleteSignature",
            "Authorization header requires 'Credential', 'Signature' and 'SignedHeaders' parameters.",
        )
    })?;
    let session = session(world, authorization.key_id, request.header("x-amz-security-token"))?;
    let timestamp = request.header("x-amz-date").unwrap_or_default();
    check_time(timestamp, &authorization, world.now())?;
    let names = ["host", "x-amz-date"];
    let expected =
        signature(&session.secret_access_key, &authorization, timestamp, &names, request).ok_or_else(mismatch)?;
    if expected == authorization.signature { Ok(session) } else { Err(mismatch()) }
}

fn mismatch() -> Unsigned {
    Unsigned::new(
        "SignatureDoesNotMatch",
        "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access \
         Key and signing method. Consult the service documentation for details.",
    )
}

fn check_time(timestamp: &str, authorization: &Authorization<'_>, now: SystemTime) -> Result<(), Unsigned> {
    let signed_at = parse_timestamp(timestamp).filter(|_| timestamp.starts_with(authorization.date));
    let signed_at = signed_at.ok_or_else(mismatch)?;
    let now_seconds = unix_seconds(now);
    let (from, to) = (now_seconds - SKEW, now_seconds + SKEW);
    if (from..=to).contains(&signed_at) {
        return Ok(());
    }
    let (now, from, to) = (stamp(now_seconds), stamp(from), stamp(to));
    let text = if signed_at < now_seconds {
        format!("Signature expired: {timestamp} is now earlier than {from} ({now} - 15 min.)")
    } else {
        format!("Signature not yet current: {timestamp} is still later than {to} ({now} + 15 min.)")
    };
    Err(Unsigned::new("SignatureDoesNotMatch", text))
}

/// `20150830T123600Z`, from seconds since 1970.
fn stamp(seconds: i64) -> String {
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds.unsigned_abs());
    humantime::format_rfc3339_seconds(time).to_string().replace(['-', ':'], "")
}

/// `20150830T123600Z`.
fn parse_timestamp(text: &str) -> Option<i64> {
    let is_sound = text.len() == 16 && text.is_ascii() && text.as_bytes()[8] == b'T' && text.ends_with('Z');
    let part = |from: usize, to: usize| text.get(from..to);
    if !is_sound {
        return None;
    }
    let rfc3339 = format!(
        "{}-{}-{}T{}:{}:{}Z",
        part(0, 4)?,
        part(4, 6)?,
        part(6, 8)?,
        part(9, 11)?,
        part(11, 13)?,
        part(13, 15)?
    );
    humantime::parse_rfc3339(&rfc3339).ok().map(unix_seconds)
}

/// `None` if a header that was signed is not there, or one that has to be signed was not.
fn signature(
    key: &Secret,
    authorization: &Authorization<'_>,
    timestamp: &str,
    needed: &[&str],
    request: &Incoming,
) -> Option<String> {
    let names = &authorization.signed_headers;
    if !needed.iter().all(|name| names.contains(name)) {
        return None;
    }
    let mut headers = String::new();
    for name in names {
        let value = request.header(name)?.split_whitespace().collect::<Vec<_>>().join(" ");
        headers.push_str(&format!("{name}:{value}\n"));
    }
    let mut query: Vec<(String, String)> =
        request.query.iter().map(|(name, value)| (encode(name), encode(value))).collect();
    query.retain(|(name, _)| name != "X-Amz-Signature");
    query.sort();
    let query = query.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&");
    let path = request.path.split('/').map(encode).collect::<Vec<_>>().join("/");
    let sha256 = |bytes: &[u8]| hex(digest::digest(&digest::SHA256, bytes).as_ref());
    let canonical =
        format!("{}\n{path}\n{query}\n{headers}\n{}\n{}", request.method, names.join(";"), sha256(&request.body));
    let Authorization { date, region, service, .. } = authorization;
    let scope = format!("{date}/{region}/{service}/aws4_request");
    let to_sign = format!("AWS4-HMAC-SHA256\n{timestamp}\n{scope}\n{}", sha256(canonical.as_bytes()));
    let start = Secret::new(format!("AWS4{}", key.reveal()));
    let mut tag = start.reveal().as_bytes().to_vec();
    for part in [*date, *region, *service, "aws4_request", to_sign.as_str()] {
        tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &tag), part.as_bytes()).as_ref().to_vec();
    }
    Some(hex(&tag))
}

fn encode(text: &str) -> String {
    let one = |byte: u8| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(one).collect()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// `post-x-www-form-urlencoded` of AWS's Signature Version 4 test suite.
    #[test]
    fn a_published_vector_holds() {
        let headers = [
            ("content-type", "application/x-www-form-urlencoded"),
            ("host", "example.amazonaws.com"),
            ("x-amz-date", "20150830T123600Z"),
        ];
        let request = Incoming {
            method: "POST".to_owned(),
            path: "/".to_owned(),
            query: Vec::new(),
            raw_query: String::new(),
            headers: headers.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
            body: b"Param1=value1".to_vec(),
        };
        let header = "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=content-type;host;x-amz-date, Signature=ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a";
        let authorization = Authorization::parse(header).unwrap();
        let key = Secret::new("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY");
        let found = signature(&key, &authorization, "20150830T123600Z", &["host", "x-amz-date"], &request).unwrap();
        assert_eq!(found, authorization.signature);
        let mut changed = request;
        changed.body.push(b'x');
        assert_ne!(
            signature(&key, &authorization, "20150830T123600Z", &["host", "x-amz-date"], &changed).unwrap(),
            authorization.signature
        );
        changed.headers.retain(|(name, _)| name != "host");
        assert_eq!(signature(&key, &authorization, "20150830T123600Z", &["host", "x-amz-date"], &changed), None);
    }

    #[test]
    fn times_are_read_strictly() {
        assert_eq!(parse_timestamp("20260504T100000Z"), Some(1_777_888_800));
        for bad in ["", "2026-05-04T10:00:00Z", "20260504T100000", "20261304T100000Z", "é0260504T10000Z"] {
            assert_eq!(parse_timestamp(bad), None, "{bad}");
        }
    }

    /// Signs a request as a client would who holds these keys.
    pub(crate) fn sign(mut request: Incoming, key_id: &str, session: &Session, timestamp: &str) -> Incoming {
        request.headers.push(("host".to_owned(), "127.0.0.1:4443".to_owned()));
        request.headers.push(("x-amz-date".to_owned(), timestamp.to_owned()));
        request.headers.push(("x-amz-security-token".to_owned(), session.session_token.reveal().to_owned()));
        let scope = format!("{key_id}/{}/eu-west-1/sts/aws4_request", &timestamp[..8]);
        let header = |signature: &str| {
            format!(
                "AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host;x-amz-date;x-amz-security-token, Signature={signature}"
            )
        };
        let unsigned = header("");
        let authorization = Authorization::parse(&unsigned).unwrap();
        let signature = signature(&session.secret_access_key, &authorization, timestamp, &["host"], &request).unwrap();
        request.headers.push(("authorization".to_owned(), header(&signature)));
        request
    }
    /// The signature that belongs into the query of a presigned request.
    pub(crate) fn sign_query(request: &Incoming, session: &Session) -> String {
        let mut complete = request.clone();
        complete.query.push(("X-Amz-Signature".to_owned(), String::new()));
        let presigned = Presigned::parse(&complete).unwrap();
        let key = &session.secret_access_key;
        signature(key, &presigned.authorization, presigned.timestamp, &["host"], &complete).unwrap()
    }
}
