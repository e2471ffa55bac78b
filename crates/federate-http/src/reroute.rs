//! The sandbox's rerouting: every host leads to one loopback address.

use std::path::PathBuf;

use federate_core::policy::is_loopback;
use federate_core::{Env, Error, codes};
use url::Url;

/// Set by `federate sandbox` for its command: where all requests go.
pub(crate) const URL_VARIABLE: &str = "FEDERATE_SANDBOX_URL";
/// Set by `federate sandbox` for its command: the certificate of the throw-away CA, which counts for those requests alone.
pub(crate) const CA_VARIABLE: &str = "FEDERATE_SANDBOX_CA";

/// Where all requests go instead of where they are addressed to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rerouting {
    /// An `https` origin on loopback.
    pub url: Url,
    /// The PEM file of the CA that vouches for it.
    pub ca_file: PathBuf,
}

/// The rerouting that `FEDERATE_SANDBOX_URL` and `FEDERATE_SANDBOX_CA` ask for.
///
/// # Errors
/// `usage` if the URL is not `https` to a loopback address with a port, or the CA is not named.
pub fn rerouting(env: &Env) -> Result<Option<Rerouting>, Error> {
    let Some(text) = env.get(URL_VARIABLE) else { return Ok(None) };
    let refuse = |what: String, variable: &str| {
        Err(Error::new(&codes::USAGE, what)
            .with_origin(format!("environment variable {variable}"))
            .with_help("`federate sandbox -- CMD` sets both variables; unset them to reach the real clouds"))
    };
    let url = Url::parse(text).ok().filter(|url| {
        let is_bare =
            url.username().is_empty() && url.password().is_none() && url.path() == "/" && url.query().is_none();
        url.scheme() == "https" && url.host().as_ref().is_some_and(is_loopback) && url.port().is_some() && is_bare
    });
    let Some(url) = url else {
        return refuse(
            format!(
                "{URL_VARIABLE} does not name an https address on loopback with a port, such as https://127.0.0.1:8443"
            ),
            URL_VARIABLE,
        );
    };
    match env.get(CA_VARIABLE) {
        Some(ca_file) => Ok(Some(Rerouting { url, ca_file: PathBuf::from(ca_file) })),
        None => refuse(format!("{URL_VARIABLE} is set, but {CA_VARIABLE} is not"), CA_VARIABLE),
    }
}

impl Rerouting {
    /// `HOST:PORT` of the sandbox.
    pub(crate) fn authority(&self) -> &str {
        self.url.authority()
    }

    /// The rerouted URL, and the `Host` header that keeps the original's name; `None` if it already leads there.
    pub(crate) fn apply(&self, url: &Url) -> (Url, Option<String>) {
        let same =
            url.host_str() == self.url.host_str() && url.port_or_known_default() == self.url.port_or_known_default();
        if same && url.scheme() == "https" {
            return (url.clone(), None);
        }
        let host = match (url.host_str().unwrap_or_default(), url.port()) {
            (host, Some(port)) => format!("{host}:{port}"),
            (host, None) => host.to_owned(),
        };
        let mut rerouted = self.url.clone();
        rerouted.set_path(url.path());
        rerouted.set_query(url.query());
        (rerouted, Some(host))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(url: &str) -> Result<Option<Rerouting>, Error> {
        rerouting(&[(URL_VARIABLE, url), (CA_VARIABLE, "/ca.pem")].into_iter().collect())
    }

    #[test]
    fn loopback_only() {
        assert!(ask("https://127.0.0.1:8443").unwrap().is_some());
        assert!(rerouting(&Env::default()).unwrap().is_none());
        for bad in [
            "https://evil.test:1",
            "http://127.0.0.1:1",
            "https://127.0.0.1.evil.test:1",
            "https://127.0.0.1@evil.test:1",
            "https://user@127.0.0.1:1",
            "https://127.0.0.1",
            "https://127.0.0.1:1/path",
            "nonsense",
        ] {
            assert_eq!(ask(bad).unwrap_err().code().name, "usage", "{bad}");
        }
        assert!(rerouting(&[(URL_VARIABLE, "https://127.0.0.1:1")].into_iter().collect()).is_err());
    }

    #[test]
    fn keeps_path_query_and_the_original_host() {
        let rerouting = ask("https://127.0.0.1:8443").unwrap().unwrap();
        let (url, host) = rerouting.apply(&Url::parse("https://sts.amazonaws.com/a%20b?c=d").unwrap());
        assert_eq!((url.as_str(), host.as_deref()), ("https://127.0.0.1:8443/a%20b?c=d", Some("sts.amazonaws.com")));
        let (_, host) = rerouting.apply(&Url::parse("http://127.0.0.1:5000/").unwrap());
        assert_eq!(host.as_deref(), Some("127.0.0.1:5000"));
        let (_, host) = rerouting.apply(&Url::parse("https://127.0.0.1:8443/token").unwrap());
        assert_eq!(host, None);
    }
}
