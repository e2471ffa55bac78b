//! A running endpoint that hands credentials out, as a cloud's adapter sees it.
//!
//! The server, its routes and its checks are the command line's; what a path answers and which variables lead there are
//! the cloud's, in [`crate::Cloud::served_environment`] and [`crate::Cloud::answer`].

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use serde_json::Value as Json;

use crate::credentials::Credentials;
use crate::error::Error;
use crate::secret::Secret;
use crate::session::Exchanged;
use crate::token::IdToken;

/// Where an endpoint is, and what opens it.
#[derive(Clone, Debug)]
pub struct EndpointAddress {
    /// `http://127.0.0.1:PORT`.
    pub origin: String,
    /// What every request has to show.
    pub secret: Secret,
    /// A private file that holds the secret, without a newline.
    pub secret_file: PathBuf,
    /// This program, for configuration files that name a command.
    pub program: PathBuf,
    /// Does the child keep its hands off the job's own identity (`--isolate`)?
    pub isolate: bool,
}

impl EndpointAddress {
    /// The address of a path below a target: `http://127.0.0.1:PORT/KIND/TARGET/PATH`.
    pub fn url(&self, kind: &str, target: &str, path: &str) -> String {
        format!("{}/{kind}/{}/{path}", self.origin, segment(target))
    }

    /// A command line that prints what the endpoint answers at an address, quoted for a POSIX shell and for whatever
    /// splits it as one would. The secret does not stand in it, but the file that holds it.
    pub fn command(&self, url: &str) -> String {
        let words = [
            quoted(&self.program.display().to_string()),
            "ask-endpoint".to_owned(),
            quoted(&self.secret_file.display().to_string()),
            quoted(url),
        ];
        words.join(" ")
    }
}

/// A target's name as one segment of a path; no two names give the same, and none is taken for a dot segment.
pub fn segment(name: &str) -> String {
    let mut out = String::new();
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_' {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("~{byte:02X}"));
        }
    }
    out
}

fn quoted(word: &str) -> String {
    let is_plain =
        !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-./:~+,@%".contains(&byte));
    if is_plain { word.to_owned() } else { format!("'{}'", word.replace('\'', r"'\''")) }
}

/// A target whose credentials are kept fresh.
#[async_trait]
pub trait ServedTarget: Send + Sync {
    /// Its name.
    fn name(&self) -> &str;

    /// Its credentials, with their end ahead.
    ///
    /// # Errors
    /// Why there are none.
    async fn credentials(&self) -> Result<Arc<Exchanged>, Error>;

    /// Credentials for another resource than those that the target is configured for, exchanged when they are first asked
    /// for and remembered until they have to be renewed. See [`crate::CloudTarget::exchange_for`].
    ///
    /// # Errors
    /// Why there are none.
    async fn credentials_for(&self, resource: &str) -> Result<Arc<Credentials>, Error>;

    /// The job's ID token for this target.
    ///
    /// # Errors
    /// Why there is none.
    async fn id_token(&self) -> Result<Arc<IdToken>, Error>;
}

/// A request that showed the secret.
#[derive(Clone, Debug)]
pub struct EndpointRequest {
    /// What stands behind the target in the path.
    pub path: String,
    /// The query, decoded.
    pub query: Vec<(String, String)>,
}

impl EndpointRequest {
    /// The only parameter of this name; `None` where there is none, or more than one.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        let mut found = self.query.iter().filter(|(key, _)| key == name).map(|(_, value)| value.as_str());
        found.next().filter(|_| found.next().is_none())
    }
}

/// What the endpoint answers: always JSON.
#[derive(Clone, Debug)]
pub struct EndpointReply {
    /// The status code.
    pub status: u16,
    /// The document; may hold secrets.
    pub body: Secret,
}

impl EndpointReply {
    /// A document with this status.
    pub fn new(status: u16, document: &Json) -> Self {
        Self { status, body: Secret::new(document.to_string()) }
    }

    /// Success.
    pub fn ok(document: &Json) -> Self {
        Self::new(200, document)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_segment_and_stays_itself() {
        for (name, expected) in [
            ("prod-eu", "prod-eu"),
            ("a.b", "a~2Eb"),
            ("..", "~2E~2E"),
            ("a/b", "a~2Fb"),
            ("~2E", "~7E2E"),
            ("ü", "~C3~BC"),
        ] {
            assert_eq!(segment(name), expected);
        }
    }

    #[test]
    fn a_command_names_the_file_and_not_the_secret() {
        let mut address = EndpointAddress {
            origin: "http://127.0.0.1:4000".to_owned(),
            secret: Secret::new("canary"),
            secret_file: PathBuf::from("/run/user/1/federate/run-x/endpoint"),
            program: PathBuf::from("/usr/bin/federate"),
            isolate: false,
        };
        let url = address.url("aws", "audit.eu", "process");
        assert_eq!(
            address.command(&url),
            "/usr/bin/federate ask-endpoint /run/user/1/federate/run-x/endpoint http://127.0.0.1:4000/aws/audit~2Eeu/process"
        );
        address.program = PathBuf::from("/home/o'neil/my tools/federate");
        assert!(address.command(&url).starts_with(r"'/home/o'\''neil/my tools/federate' ask-endpoint "));
        assert!(!format!("{address:?}").contains("canary"));
    }

    #[test]
    fn a_parameter_that_comes_twice_is_none() {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let query = vec![pair("a", "1"), pair("b", "2"), pair("b", "3")];
        let request = EndpointRequest { path: String::new(), query };
        assert_eq!((request.parameter("a"), request.parameter("b"), request.parameter("c")), (Some("1"), None, None));
    }
}
