//! Requests as data: what `plan` prints is what `exchange` sends.

use std::fmt;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use serde_json::{Value as Json, json};
use url::Url;

use crate::error::Error;
use crate::secret::Secret;

/// HTTP methods that token exchanges use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// GET
    Get,
    /// POST
    Post,
}

impl Method {
    /// `GET` or `POST`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
        }
    }
}

/// One value in a header or a form.
#[derive(Clone, Debug)]
pub enum Field {
    /// May be shown.
    Plain(String),
    /// Must not be shown.
    Secret(Secret),
    /// Not known yet; the text says what will stand here (`{claim:ref}`, `the ID token`). Never sent.
    Later(String),
}

impl Field {
    /// For `plan`: the value, or what stands in for it.
    pub fn shown(&self) -> String {
        match self {
            Self::Plain(text) => text.clone(),
            Self::Secret(_) => "(secret)".to_owned(),
            Self::Later(what) => format!("({what})"),
        }
    }
}

impl From<&str> for Field {
    fn from(text: &str) -> Self {
        Self::Plain(text.to_owned())
    }
}

impl From<String> for Field {
    fn from(text: String) -> Self {
        Self::Plain(text)
    }
}

impl From<Secret> for Field {
    fn from(secret: Secret) -> Self {
        Self::Secret(secret)
    }
}

/// A request's body.
#[derive(Clone, Debug)]
pub enum Body {
    /// None.
    Empty,
    /// `application/x-www-form-urlencoded`, in this order.
    Form(Vec<(String, Field)>),
}

/// Who named the host of a request; decides what the host policy accepts and where a refusal points.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reach {
    /// The adapter itself, from its tables.
    BuiltIn,
    /// The CI system, in a variable of its own (`ACTIONS_ID_TOKEN_REQUEST_URL`).
    Ci,
    /// A key of the adapter's section in the profile (`endpoint_url`).
    Setting(String),
    /// An environment variable (`AWS_ENDPOINT_URL_STS`).
    Environment(String),
}

/// What an answer means for the retry loop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// An answer that the adapter will read: success, or a refusal that no retry changes.
    Final,
    /// A passing failure: worth another try.
    Retry,
    /// As `Retry`, but the service asks for less: all callers of the same host should slow down.
    Throttled,
}

/// One HTTP request.
#[derive(Clone)]
pub struct Request {
    /// The protocol's name of the operation: `AssumeRoleWithWebIdentity`, `ID token request`.
    pub what: String,
    /// GET or POST.
    pub method: Method,
    /// Where to. Never holds a secret, apart from one that a CI put in its own request URL: see [`Reach::Ci`].
    pub url: Url,
    /// Who named the host.
    pub reach: Reach,
    /// Headers, beside those that the body brings (`Content-Type` of a form).
    pub headers: Vec<(String, Field)>,
    /// The body.
    pub body: Body,
    /// Which answers are worth another try.
    pub classify: fn(&Response) -> Outcome,
}

impl Request {
    /// A GET without headers, with [`classify_by_status`].
    pub fn get(what: impl Into<String>, url: Url, reach: Reach) -> Self {
        Self {
            what: what.into(),
            method: Method::Get,
            url,
            reach,
            headers: Vec::new(),
            body: Body::Empty,
            classify: classify_by_status,
        }
    }

    /// A POST of a form, with [`classify_by_status`].
    pub fn form(what: impl Into<String>, url: Url, reach: Reach, fields: Vec<(String, Field)>) -> Self {
        Self {
            what: what.into(),
            method: Method::Post,
            url,
            reach,
            headers: Vec::new(),
            body: Body::Form(fields),
            classify: classify_by_status,
        }
    }

    /// Adds a header.
    #[must_use]
    pub fn with_header(mut self, name: impl Into<String>, value: impl Into<Field>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Sets the classifier.
    #[must_use]
    pub fn with_classify(mut self, classify: fn(&Response) -> Outcome) -> Self {
        self.classify = classify;
        self
    }

    /// The form body in `application/x-www-form-urlencoded`, secrets revealed: for sending and signing only.
    /// `None` for an empty body, and for a form that still holds a [`Field::Later`].
    pub fn encoded_form(&self) -> Option<Secret> {
        let Body::Form(fields) = &self.body else { return None };
        let mut encoder = url::form_urlencoded::Serializer::new(String::new());
        for (name, field) in fields {
            match field {
                Field::Plain(text) => encoder.append_pair(name, text),
                Field::Secret(secret) => encoder.append_pair(name, secret.reveal()),
                Field::Later(_) => return None,
            };
        }
        Some(Secret::new(encoder.finish()))
    }

    /// The secrets that it holds; of `Bearer TOKEN` the token alone.
    fn secrets(&self) -> impl Iterator<Item = &str> {
        let form: &[(String, Field)] = match &self.body {
            Body::Empty => &[],
            Body::Form(fields) => fields,
        };
        self.headers.iter().chain(form).filter_map(|(_, field)| match field {
            Field::Secret(secret) => secret.reveal().split_whitespace().next_back(),
            Field::Plain(_) | Field::Later(_) => None,
        })
    }

    /// What `plan` shows, with secrets and what is not known yet replaced.
    pub fn shown(&self) -> Json {
        let pairs = |fields: &[(String, Field)]| -> Json {
            fields
                .iter()
                .map(|(name, field)| (name.clone(), Json::String(field.shown())))
                .collect::<serde_json::Map<_, _>>()
                .into()
        };
        let parameters = match &self.body {
            Body::Empty => json!({}),
            Body::Form(fields) => pairs(fields),
        };
        json!({
            "request": self.what,
            "method": self.method.as_str(),
            "url": self.url.as_str(),
            "headers": pairs(&self.headers),
            "parameters": parameters,
        })
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {} {}", self.what, self.method.as_str(), self.url.host_str().unwrap_or_default())
    }
}

/// An answer, whole. Redirects never come this far: they are errors.
#[derive(Clone)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// At most 1 MiB. May hold secrets.
    pub body: Vec<u8>,
}

impl Response {
    /// The first header of this name (lower case).
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The body as text, invalid bytes replaced.
    pub fn text(&self) -> std::borrow::Cow<'_, str> {
        String::from_utf8_lossy(&self.body)
    }

    /// The same without the request's secrets: the words of whoever answers with something else than a success are shown to
    /// people, and may repeat what they were sent.
    #[must_use]
    pub(crate) fn hiding_secrets_of(mut self, request: &Request) -> Self {
        /// A shorter text is no real secret, and may well be part of other words.
        const SHORTEST: usize = 8;
        if self.status == 200 {
            return self;
        }
        for secret in request.secrets().filter(|secret| secret.len() >= SHORTEST) {
            if self.text().contains(secret) {
                self.body = self.text().replace(secret, "(secret)").into_bytes();
            }
            for (_, value) in self.headers.iter_mut().filter(|(_, value)| value.contains(secret)) {
                *value = value.replace(secret, "(secret)");
            }
        }
        self
    }

    /// The server's `Date`, where it sent one that can be read (RFC 9110 section 6.6.1).
    pub fn date(&self) -> Option<&str> {
        self.header("date")
    }
}

impl fmt::Debug for Response {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Response({}, {} bytes)", self.status, self.body.len())
    }
}

/// 429 throttles, 408 and 5xx are worth another try, all else is final.
pub fn classify_by_status(response: &Response) -> Outcome {
    match response.status {
        429 => Outcome::Throttled,
        408 | 500..=599 => Outcome::Retry,
        _ => Outcome::Final,
    }
}

/// The network, as adapters see it: one request, with retries by the request's own classifier, until the deadline.
#[async_trait]
pub trait Http: Send + Sync + fmt::Debug {
    /// Sends the request and returns the last answer.
    ///
    /// An answer whose classification is still `Retry` when tries or time are used up is returned all the same, so that
    /// the adapter can say what the service said.
    ///
    /// # Errors
    /// `network-unreachable`, `network-timeout`, `network-tls`, `network-redirect`, `response-too-large`.
    async fn send(&self, request: &Request, deadline: Instant) -> Result<Response, Error>;
}

/// The default time for a whole exchange.
pub const EXCHANGE_TIMEOUT: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::*;

    fn request() -> Request {
        let url = Url::parse("https://sts.amazonaws.com/").unwrap();
        let fields = vec![
            ("Action".to_owned(), "AssumeRoleWithWebIdentity".into()),
            ("Token".to_owned(), Field::Secret(Secret::new("canary+/="))),
        ];
        Request::form("AssumeRoleWithWebIdentity", url, Reach::BuiltIn, fields)
            .with_header("authorization", Secret::new("canary"))
    }

    #[test]
    fn plan_and_debug_hide_secrets() {
        let shown = format!("{} {:?}", request().shown(), request());
        assert!(!shown.contains("canary"), "{shown}");
        assert!(shown.contains("AssumeRoleWithWebIdentity"));
    }

    #[test]
    fn a_refusal_that_repeats_what_it_was_sent_loses_it() {
        let mut asked = request().with_header("authorization", Secret::new("Bearer canary-of-the-job"));
        asked.body = Body::Form(vec![("Short".to_owned(), Field::Secret(Secret::new("error")))]);
        let answer = |status| Response {
            status,
            headers: vec![("x-request".to_owned(), "id canary-of-the-job".to_owned())],
            body: b"{\"error\": \"canary-of-the-job is over\"}".to_vec(),
        };
        let refusal = answer(401).hiding_secrets_of(&asked);
        assert_eq!(refusal.text(), "{\"error\": \"(secret) is over\"}");
        assert_eq!(refusal.header("x-request"), Some("id (secret)"));
        assert_eq!(answer(200).hiding_secrets_of(&asked).body, answer(200).body);
    }

    #[test]
    fn the_form_is_encoded_as_browsers_do() {
        let form = request().encoded_form().unwrap();
        assert_eq!(form.reveal(), "Action=AssumeRoleWithWebIdentity&Token=canary%2B%2F%3D");
    }

    #[test]
    fn what_is_not_known_yet_cannot_be_sent() {
        let mut later = request();
        later.body = Body::Form(vec![("RoleArn".to_owned(), Field::Later("{claim:ref}".to_owned()))]);
        assert!(later.encoded_form().is_none());
    }
}
