//! Entra's JSON, read strictly.

use std::time::{Duration, SystemTime};

use federate_core::error::said;
use federate_core::{Error, Response, Secret, codes};
use serde_json::Value as Json;

/// No token lives longer than a day or so; a number above this one is no time.
const LONGEST_LIFE: Duration = Duration::from_secs(366 * 86_400);

/// An access token and when it ends.
#[derive(Clone, Debug)]
pub(crate) struct AccessToken {
    pub(crate) token: Secret,
    pub(crate) expires: SystemTime,
}

/// Entra's own word for a refusal.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct EntraError {
    /// `invalid_client` and its like (RFC 6749 section 5.2).
    pub(crate) error: String,
    /// The AADSTS number.
    pub(crate) number: Option<u64>,
    /// The description without trace ids and times.
    pub(crate) description: String,
    pub(crate) trace_id: Option<String>,
}

/// The access token of a successful answer.
pub(crate) fn access_token(response: &Response, now: SystemTime) -> Result<AccessToken, Error> {
    let json: Json = serde_json::from_slice(&response.body).map_err(|_| invalid(response, "it is not JSON"))?;
    let token = json
        .get("access_token")
        .and_then(Json::as_str)
        .filter(|token| !token.is_empty() && !token.contains(char::is_control))
        .ok_or_else(|| invalid(response, "it has no access_token"))?;
    let seconds = json
        .get("expires_in")
        .and_then(|value| value.as_u64().or_else(|| value.as_str()?.parse().ok()))
        .ok_or_else(|| invalid(response, "it has no expires_in"))?;
    let life = Duration::from_secs(seconds);
    if life > LONGEST_LIFE {
        return Err(invalid(response, "its expires_in is not a time"));
    }
    Ok(AccessToken { token: Secret::new(token), expires: now + life })
}

/// The error document of an answer, if it is one.
pub(crate) fn error(response: &Response) -> Option<EntraError> {
    let json: Json = serde_json::from_slice(&response.body).ok()?;
    let error = said(json.get("error")?.as_str()?);
    let text = |key: &str| json.get(key).and_then(Json::as_str).unwrap_or_default();
    let whole = text("error_description");
    let from_text = whole
        .strip_prefix("AADSTS")
        .and_then(|rest| rest.split(|c: char| !c.is_ascii_digit()).next())
        .and_then(|digits| digits.parse().ok());
    let number = json.get("error_codes").and_then(|codes| codes.get(0)?.as_u64()).or(from_text);
    let description = ["Trace ID:", "Correlation ID:", "Timestamp:"]
        .iter()
        .filter_map(|mark| whole.find(mark))
        .min()
        .map_or(whole, |at| &whole[..at]);
    let trace_id = Some(text("trace_id").to_owned())
        .filter(|id| !id.is_empty())
        .or_else(|| response.header("x-ms-request-id").map(str::to_owned));
    Some(EntraError {
        error,
        number,
        description: said(&description.split_whitespace().collect::<Vec<_>>().join(" ")),
        trace_id,
    })
}

/// An answer that is not what Entra or Resource Manager promise.
pub(crate) fn invalid(response: &Response, why: &str) -> Error {
    let kind = response.header("content-type").unwrap_or("no content type");
    Error::new(&codes::RESPONSE_INVALID, format!("the answer of the cloud cannot be used: {why}"))
        .with_cause(format!("status {}, {kind}, {} bytes", response.status, response.body.len()))
        .with_request_id(response.header("x-ms-request-id").map(str::to_owned))
        .with_help("something else than Entra answered: check `authority_host`, AZURE_AUTHORITY_HOST, and proxies")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(body: &str) -> Response {
        Response { status: 200, headers: Vec::new(), body: body.as_bytes().to_vec() }
    }

    #[test]
    fn whatever_is_missing_is_an_error() {
        for body in [
            "",
            "<html>",
            "{",
            "{}",
            r#"{"access_token":"","expires_in":1}"#,
            r#"{"access_token":"canary"}"#,
            r#"{"access_token":"canary","expires_in":"soon"}"#,
            r#"{"access_token":7,"expires_in":1}"#,
        ] {
            let error = access_token(&answer(body), SystemTime::UNIX_EPOCH).unwrap_err();
            assert!(error.code().name == "response-invalid" && !format!("{error:?}").contains("canary"), "{body}");
        }
        for body in
            [r#"{"access_token":"canary","expires_in":3599}"#, r#"{"access_token":"canary","expires_in":"3599"}"#]
        {
            let read = access_token(&answer(body), SystemTime::UNIX_EPOCH).unwrap();
            assert_eq!(read.expires, SystemTime::UNIX_EPOCH + Duration::from_secs(3599));
            assert!(!format!("{read:?}").contains("canary"));
        }
    }

    #[test]
    fn errors_are_read_with_and_without_codes() {
        let body = r#"{"error":"invalid_client","error_description":"AADSTS700213: No match. Trace ID: x Correlation ID: y Timestamp: z","error_codes":[700213],"trace_id":"t-1"}"#;
        let read = error(&answer(body)).unwrap();
        assert_eq!(
            (read.number, read.description.as_str(), read.trace_id.as_deref()),
            (Some(700_213), "AADSTS700213: No match.", Some("t-1"))
        );
        let read =
            error(&answer(r#"{"error":"invalid_request","error_description":"AADSTS90002: Tenant not found."}"#))
                .unwrap();
        assert_eq!(read.number, Some(90_002));
        assert!(error(&answer("<html>")).is_none());
    }

    proptest::proptest! {
        #[test]
        fn no_answer_makes_it_panic(body in ".{0,200}") {
            let _ = error(&answer(&body));
            let _ = access_token(&answer(&body), SystemTime::UNIX_EPOCH);
        }
    }
}
