//! STS's XML, read strictly: what is missing is missing, and never an empty key.

use std::collections::BTreeMap;
use std::time::SystemTime;

use federate_core::error::said;
use federate_core::{Error, Response, Secret, codes};
use quick_xml::Reader;
use quick_xml::events::Event;

/// Session credentials of one answer.
#[derive(Clone, Debug)]
pub(crate) struct SessionCredentials {
    pub(crate) access_key_id: String,
    pub(crate) secret_access_key: Secret,
    pub(crate) session_token: Secret,
    pub(crate) expires: SystemTime,
    /// `arn:aws:sts::ACCOUNT:assumed-role/ROLE/SESSION`.
    pub(crate) arn: String,
}

/// STS's own word for a refusal.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct StsError {
    pub(crate) code: String,
    pub(crate) message: String,
    pub(crate) request_id: Option<String>,
}

/// The text of every element by its path below the root; `None` where the document is not well-formed or does not end.
fn elements(body: &[u8]) -> Option<BTreeMap<String, String>> {
    let text = std::str::from_utf8(body).ok()?;
    let mut reader = Reader::from_str(text);
    let mut path: Vec<String> = Vec::new();
    let mut found: BTreeMap<String, String> = BTreeMap::new();
    let mut roots = 0;
    loop {
        match reader.read_event().ok()? {
            Event::Start(start) => {
                if path.is_empty() {
                    roots += 1;
                }
                path.push(start.local_name().as_ref().to_owned());
            }
            Event::End(_) => {
                path.pop()?;
            }
            Event::Text(text) => found.entry(path.join("/")).or_default().push_str(&text),
            Event::CData(text) => found.entry(path.join("/")).or_default().push_str(&text),
            Event::GeneralRef(reference) => {
                let resolved = match reference.resolve_char_ref().ok()? {
                    Some(c) => c.to_string(),
                    None => quick_xml::escape::resolve_predefined_entity(&reference)?.to_owned(),
                };
                found.entry(path.join("/")).or_default().push_str(&resolved);
            }
            Event::Eof if path.is_empty() && roots == 1 => return Some(found),
            Event::Eof => return None,
            // Entities that a document declares for itself are how XML is abused; STS declares none.
            Event::DocType(_) => return None,
            _ => {}
        }
    }
}

/// The credentials of a successful answer to `operation`.
pub(crate) fn credentials(operation: &str, response: &Response) -> Result<SessionCredentials, Error> {
    let all =
        elements(&response.body).ok_or_else(|| invalid(operation, response, "it is not the XML that STS sends"))?;
    let prefix = format!("{operation}Response/{operation}Result");
    let field = |name: &str| {
        let value = all.get(&format!("{prefix}/{name}")).map(|text| text.trim()).filter(|text| !text.is_empty());
        match value {
            // In a config file or a CI's own file, a line break would begin another setting.
            Some(value) if value.contains(char::is_control) => {
                Err(invalid(operation, response, &format!("its {name} has control characters")))
            }
            Some(value) => Ok(value.to_owned()),
            None => Err(invalid(operation, response, &format!("it has no {name}"))),
        }
    };
    let expiration = field("Credentials/Expiration")?;
    let expires = humantime::parse_rfc3339_weak(&expiration)
        .map_err(|_| invalid(operation, response, "its Expiration is not a time"))?;
    Ok(SessionCredentials {
        access_key_id: field("Credentials/AccessKeyId")?,
        secret_access_key: Secret::new(field("Credentials/SecretAccessKey")?),
        session_token: Secret::new(field("Credentials/SessionToken")?),
        expires,
        arn: field("AssumedRoleUser/Arn")?,
    })
}

/// Is this STS's own form, be it a refusal?
pub(crate) fn is_of_sts(response: &Response) -> bool {
    error(response).is_some() || caller(response).is_ok()
}

/// `(arn, user id, account)` of GetCallerIdentity.
pub(crate) fn caller(response: &Response) -> Result<(String, String, String), Error> {
    const OPERATION: &str = "GetCallerIdentity";
    let all =
        elements(&response.body).ok_or_else(|| invalid(OPERATION, response, "it is not the XML that STS sends"))?;
    let field = |name: &str| {
        let value = all
            .get(&format!("{OPERATION}Response/{OPERATION}Result/{name}"))
            .map(|text| text.trim().to_owned())
            .filter(|text| !text.is_empty());
        value.ok_or_else(|| invalid(OPERATION, response, &format!("it has no {name}")))
    };
    Ok((field("Arn")?, field("UserId")?, field("Account")?))
}

/// The error document of an answer, if it is one.
pub(crate) fn error(response: &Response) -> Option<StsError> {
    let all = elements(&response.body)?;
    let text = |path: &str| all.get(path).map(|text| said(text)).filter(|text| !text.is_empty());
    let code = text("ErrorResponse/Error/Code")?;
    Some(StsError {
        code,
        message: text("ErrorResponse/Error/Message").unwrap_or_default(),
        request_id: text("ErrorResponse/RequestId"),
    })
}

fn invalid(operation: &str, response: &Response, why: &str) -> Error {
    let kind = response.header("content-type").unwrap_or("no content type");
    Error::new(&codes::RESPONSE_INVALID, format!("the answer of STS to {operation} cannot be used: {why}"))
        .with_cause(format!("status {}, {kind}, {} bytes", response.status, response.body.len()))
        .with_request_id(response.header("x-amzn-requestid").map(str::to_owned))
        .with_help("something else than STS answered: check `endpoint_url`, AWS_ENDPOINT_URL_STS, and proxies")
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn success(operation: &str, account: &str) -> String {
        format!(
            "<{operation}Response xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><{operation}Result><Credentials><AccessKeyId>ASIA1</AccessKeyId>\
             <SecretAccessKey>canary&amp;secret&#43;</SecretAccessKey><SessionToken>canary-session</SessionToken><Expiration>2026-05-04T12:00:00Z</Expiration></Credentials>\
             <AssumedRoleUser><AssumedRoleId>AROA:x</AssumedRoleId><Arn>arn:aws:sts::{account}:assumed-role/deploy/x</Arn></AssumedRoleUser></{operation}Result>\
             <ResponseMetadata><RequestId>r</RequestId></ResponseMetadata></{operation}Response>"
        )
    }

    fn answer(body: &str) -> Response {
        Response {
            status: 200,
            headers: vec![("content-type".into(), "text/xml".into())],
            body: body.as_bytes().to_vec(),
        }
    }

    #[test]
    fn references_are_resolved_and_order_does_not_matter() {
        let read = credentials("AssumeRole", &answer(&success("AssumeRole", "1"))).unwrap();
        assert_eq!(read.secret_access_key.reveal(), "canary&secret+");
        assert_eq!(read.arn, "arn:aws:sts::1:assumed-role/deploy/x");
        assert!(!format!("{read:?}").contains("canary"));
    }

    #[test]
    fn whatever_is_missing_is_an_error() {
        let whole = success("AssumeRole", "1");
        for (body, why) in [
            ("", "XML"),
            ("<html><body>hello<br></body></html>", "XML"),
            ("{}", "XML"),
            (&whole[..whole.len() / 2], "XML"),
            (&whole.replace("SecretAccessKey", "Secret"), "no Credentials/SecretAccessKey"),
            (&whole.replace("canary-session", ""), "no Credentials/SessionToken"),
            (&whole.replace("2026-05-04T12:00:00Z", "soon"), "not a time"),
            (&whole.replace("AssumeRoleResponse", "OtherResponse"), "no Credentials"),
            (&format!("<!DOCTYPE x [<!ENTITY e \"x\">]>{whole}"), "XML"),
        ] {
            let error = credentials("AssumeRole", &answer(body)).unwrap_err();
            assert_eq!(error.code().name, "response-invalid");
            let text = format!("{error:?}");
            assert!(text.contains(why) && !text.contains("canary"), "{text}");
        }
    }

    #[test]
    fn errors_are_read() {
        let body = "<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code><Message>No &lt;way&gt;</Message></Error><RequestId>r-1</RequestId></ErrorResponse>";
        assert_eq!(
            error(&answer(body)),
            Some(StsError { code: "AccessDenied".into(), message: "No <way>".into(), request_id: Some("r-1".into()) })
        );
        assert_eq!(error(&answer("<html/>")), None);
    }

    proptest::proptest! {
        #[test]
        fn no_answer_makes_it_panic(body in "(?s)(<[a-zA-Z]{0,3}/?>|.){0,60}") {
            let _ = credentials("AssumeRole", &answer(&body));
            let _ = error(&answer(&body));
        }
    }
}
