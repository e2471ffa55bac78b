//! The client: one request at a time, by the network policy.

use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant, SystemTime};

use async_trait::async_trait;
use federate_core::policy::is_loopback;
use federate_core::{Body, Env, Error, Field, Http, Method, NetworkSettings, Outcome, Request, Response, codes};
use reqwest::header::{CONTENT_TYPE, HOST, HeaderName, HeaderValue};
use url::Url;

use crate::failure::Route;
use crate::gate::Gates;
use crate::proxy::ProxyRule;
use crate::reroute::{Rerouting, rerouting};
use crate::roots::{HostBundle, LayeredVerifier, RootSources};
use crate::strangers::Strangers;
use crate::{failure, retry};

/// The most that an answer may hold.
const BODY_LIMIT: usize = 1024 * 1024;

/// How requests to a host go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Way {
    /// `the proxy HOST:PORT`, `the sandbox at HOST:PORT`; `None` for the straight way. Without user name and password.
    pub via: Option<String>,
    /// Whose certificates are trusted, in the order in which they are asked: `SSL_CERT_FILE=/etc/ca.pem`.
    pub roots: Vec<String>,
}

/// The network, by federate's policy. Building it reads no file and opens no connection.
pub struct Client {
    settings: NetworkSettings,
    proxy: Option<ProxyRule>,
    rerouting: Option<Rerouting>,
    roots: RootSources,
    strangers: Strangers,
    env: Env,
    inner: OnceLock<Result<reqwest::Client, Error>>,
    gates: Gates,
}

impl Client {
    /// Takes time-outs and tries from the settings, and proxies, roots and the sandbox from the environment.
    ///
    /// # Errors
    /// `usage` for a proxy variable without a URL, and for a sandbox that is not on loopback.
    pub fn new(settings: &NetworkSettings, env: &Env) -> Result<Self, Error> {
        let rerouting = rerouting(env)?;
        let roots = RootSources::from_env(
            env,
            settings.ca_file.as_deref(),
            rerouting.as_ref().map(|rerouting| rerouting.ca_file.as_path()),
        );
        let proxy = if rerouting.is_some() { None } else { ProxyRule::from_env(env)? };
        Ok(Self {
            settings: settings.clone(),
            proxy,
            rerouting,
            roots,
            strangers: Strangers::default(),
            env: env.clone(),
            inner: OnceLock::new(),
            gates: Gates::default(),
        })
    }

    /// Lets a variable of a cloud's own SDKs (`AWS_CA_BUNDLE`) name the roots for that cloud's hosts, and for loopback.
    #[must_use]
    pub fn with_bundle_for(mut self, variable: &'static str, is_for: fn(&str) -> bool) -> Self {
        if let Some(file) = self.env.get(variable).map(PathBuf::from) {
            self.roots.bundles.push(HostBundle { variable, file, is_for });
        }
        self
    }

    fn inner(&self) -> Result<&reqwest::Client, Error> {
        self.inner.get_or_init(|| self.build()).as_ref().map_err(Clone::clone)
    }

    fn build(&self) -> Result<reqwest::Client, Error> {
        let failed = |why: String| Error::new(&codes::NETWORK_TLS, "the network cannot be set up").with_cause(why);
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let verifier = Arc::new(LayeredVerifier::new(provider.clone(), self.roots.clone(), self.strangers.clone()));
        let tls = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| failed(error.to_string()))?
            .dangerous()
            .with_custom_certificate_verifier(verifier)
            .with_no_client_auth();
        let mut builder = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .http1_only()
            .redirect(reqwest::redirect::Policy::none())
            .referer(false)
            .retry(reqwest::retry::never())
            .no_proxy()
            .connect_timeout(self.settings.connect_timeout.0)
            .user_agent(concat!("federate/", env!("CARGO_PKG_VERSION")));
        if let Some(rule) = self.proxy.clone() {
            builder = builder.proxy(reqwest::Proxy::custom(move |url| rule.proxy_for(url)));
        }
        builder.build().map_err(|error| failed(error.without_url().to_string()))
    }

    fn prepare(&self, request: &Request) -> Result<reqwest::Request, Error> {
        let incomplete =
            |why: &str| Error::new(&codes::USAGE, format!("the request {} is not complete: {why}", request.what));
        let plain = request.url.scheme() != "https" && !request.url.host().as_ref().is_some_and(is_loopback);
        if plain && self.rerouting.is_none() {
            return Err(Error::new(
                &codes::HOST_NOT_ALLOWED,
                format!(
                    "{} would be asked over `{}`",
                    request.url.host_str().unwrap_or_default(),
                    request.url.scheme()
                ),
            )
            .with_help("use https; plain http is for loopback addresses alone"));
        }
        let (url, host) = match &self.rerouting {
            Some(rerouting) => rerouting.apply(&request.url),
            None => (request.url.clone(), None),
        };
        let method = match request.method {
            Method::Get => reqwest::Method::GET,
            Method::Post => reqwest::Method::POST,
        };
        let mut prepared = reqwest::Request::new(method, url);
        for (name, field) in &request.headers {
            let (text, sensitive) = match field {
                Field::Plain(text) => (text.as_str(), false),
                Field::Secret(secret) => (secret.reveal(), true),
                Field::Later(_) => return Err(incomplete("a header is not known yet")),
            };
            let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| incomplete("a header has a bad name"))?;
            let mut value = HeaderValue::from_str(text)
                .map_err(|_| incomplete(&format!("the header {name} has characters that no header may have")))?;
            value.set_sensitive(sensitive);
            prepared.headers_mut().append(name, value);
        }
        if let Some(host) = host.filter(|_| !prepared.headers().contains_key(HOST)) {
            prepared
                .headers_mut()
                .insert(HOST, HeaderValue::from_str(&host).map_err(|_| incomplete("the host has a bad name"))?);
        }
        if let Body::Form(_) = &request.body {
            let form = request.encoded_form().ok_or_else(|| incomplete("a parameter is not known yet"))?;
            if !prepared.headers().contains_key(CONTENT_TYPE) {
                prepared
                    .headers_mut()
                    .insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded; charset=utf-8"));
            }
            *prepared.body_mut() = Some(form.reveal().to_owned().into());
        }
        Ok(prepared)
    }

    /// How a request to this URL goes, without sending one.
    pub fn way(&self, url: &Url) -> Way {
        Way { via: self.via(url), roots: self.roots.shown_for(url.host_str().unwrap_or_default()) }
    }

    /// Certificate files that are named and cannot be used. Reads them.
    pub fn roots_problems(&self) -> Vec<Error> {
        self.roots
            .problems()
            .iter()
            .map(|found| {
                let what = format!("the certificates of {} cannot be used", found.named);
                failure::roots(&what, found)
            })
            .collect()
    }

    fn via(&self, url: &Url) -> Option<String> {
        match &self.rerouting {
            Some(rerouting) => Some(format!("the sandbox at {}", rerouting.authority())),
            None => self.proxy.as_ref().and_then(|rule| rule.shown_for(url)),
        }
    }

    fn route(&self, request: &Request) -> Route {
        let via = self.via(&request.url);
        Route { via, connect_timeout: self.settings.connect_timeout.0, strangers: self.strangers.clone() }
    }

    /// One try, without regard to what the answer means.
    async fn once(&self, request: &Request, left: Duration) -> Result<Response, (Error, bool)> {
        let final_error = |error: Error| (error, false);
        let prepared = self.prepare(request).map_err(final_error)?;
        let client = self.inner().map_err(final_error)?;
        let limit = left.min(self.settings.request_timeout.0);
        let route = self.route(request);
        match tokio::time::timeout(limit, exchange(client, request, &route, prepared)).await {
            Ok(result) => result,
            Err(_) => Err((failure::timeout(request, limit), true)),
        }
    }
}

/// Sends, and reads the whole answer; the flag says whether another try could help.
async fn exchange(
    client: &reqwest::Client,
    request: &Request,
    route: &Route,
    prepared: reqwest::Request,
) -> Result<Response, (Error, bool)> {
    let transport = |error: reqwest::Error| {
        let error = failure::from_transport(request, route, error);
        let passing = error.code() != &codes::NETWORK_TLS;
        (error, passing)
    };
    let mut answer = client.execute(prepared).await.map_err(transport)?;
    let status = answer.status().as_u16();
    if answer.status().is_redirection() {
        let location = answer.headers().get("location").and_then(|value| value.to_str().ok());
        return Err((failure::redirect(request, status, location), false));
    }
    let headers = answer
        .headers()
        .iter()
        .filter_map(|(name, value)| Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned())))
        .collect();
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(transport)? {
        if body.len() + chunk.len() > BODY_LIMIT {
            return Err((failure::too_large(request), false));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Response { status, headers, body })
}

#[async_trait]
impl Http for Client {
    async fn send(&self, request: &Request, deadline: Instant) -> Result<Response, Error> {
        let host = &failure::host(request);
        let (mut tries, mut counted) = (0, 0);
        let mut seen = self.gates.answers(host);
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(failure::after_tries(failure::no_time_left(request), tries));
            }
            let closed = self.gates.wait(host, Instant::now());
            // Who cannot wait so long asks at once, so that the answer says why.
            if !closed.is_zero() && closed < left {
                tokio::time::sleep(closed).await;
                continue;
            }
            tries += 1;
            counted += 1;
            let sent = Instant::now();
            let result = self.once(request, left).await;
            let left = deadline.saturating_duration_since(Instant::now());
            let outcome = match &result {
                Ok(response) => (request.classify)(response),
                Err((_, true)) => Outcome::Retry,
                Err((_, false)) => Outcome::Final,
            };
            let again = match outcome {
                Outcome::Final => None,
                Outcome::Throttled => {
                    let asked = result.as_ref().ok().and_then(|response| retry::asked(response, SystemTime::now()));
                    self.gates.throttled(host, sent, Instant::now(), asked);
                    // A host that serves others meanwhile will serve this one: it is a queue, not a failure.
                    let answers = self.gates.answers(host);
                    counted -= u32::from(answers > seen);
                    seen = answers;
                    Some(Duration::ZERO).filter(|_| self.gates.wait(host, Instant::now()) < left)
                }
                Outcome::Retry => retry::pause(counted + 1, result.as_ref().ok(), SystemTime::now(), left),
            };
            if outcome != Outcome::Throttled && result.is_ok() {
                self.gates.answered(host);
            }
            match again {
                Some(pause) if counted < self.settings.max_tries => tokio::time::sleep(pause).await,
                _ => return result.map_err(|(error, _)| failure::after_tries(error, tries)),
            }
        }
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Client")
            .field("proxy", &self.proxy)
            .field("rerouting", &self.rerouting)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use federate_core::{Reach, Secret};

    use super::*;

    fn client(env: &[(&str, &str)]) -> Client {
        Client::new(&NetworkSettings::default(), &env.iter().copied().collect()).unwrap()
    }

    fn post(url: &str) -> Request {
        let fields = vec![("Token".to_owned(), Field::Secret(Secret::new("canary 1")))];
        Request::form("AssumeRole", Url::parse(url).unwrap(), Reach::BuiltIn, fields)
    }

    fn header<'a>(request: &'a reqwest::Request, name: &str) -> Option<&'a str> {
        request.headers().get(name).and_then(|value| value.to_str().ok())
    }

    #[test]
    fn a_form_brings_its_content_type_unless_the_request_names_one() {
        let prepared = client(&[]).prepare(&post("https://sts.example.test/")).unwrap();
        assert_eq!(header(&prepared, "content-type"), Some("application/x-www-form-urlencoded; charset=utf-8"));
        assert_eq!(prepared.body().and_then(reqwest::Body::as_bytes), Some(b"Token=canary+1".as_slice()));
        let own = post("https://sts.example.test/").with_header("Content-Type", "application/x-www-form-urlencoded");
        assert_eq!(
            header(&client(&[]).prepare(&own).unwrap(), "content-type"),
            Some("application/x-www-form-urlencoded")
        );
    }

    #[test]
    fn secret_headers_are_sensitive_and_debug_hides_them() {
        let request = post("https://sts.example.test/").with_header("authorization", Secret::new("canary"));
        let prepared = client(&[]).prepare(&request).unwrap();
        assert!(prepared.headers()["authorization"].is_sensitive());
        assert!(!format!("{prepared:?}").contains("canary"));
        let proxied = client(&[("HTTPS_PROXY", "http://user:canary@proxy.example:1")]);
        assert!(!format!("{proxied:?}").contains("canary"));
    }

    #[test]
    fn what_is_not_complete_is_never_sent() {
        let mut later = post("https://sts.example.test/");
        later.body = Body::Form(vec![("Token".to_owned(), Field::Later("the ID token".to_owned()))]);
        let header = post("https://sts.example.test/").with_header("x", Field::Later("later".to_owned()));
        let broken = post("https://sts.example.test/").with_header("x", Secret::new("canary\r\nx: y"));
        for request in [later, header, broken] {
            let error = client(&[]).prepare(&request).unwrap_err();
            assert_eq!(error.code(), &codes::USAGE);
            assert!(error.what().contains("AssumeRole") && !format!("{error:?}").contains("canary"), "{error:?}");
        }
    }

    #[test]
    fn plain_http_is_for_loopback_and_the_sandbox() {
        assert!(client(&[]).prepare(&post("http://127.0.0.1:1/")).is_ok());
        assert_eq!(
            client(&[]).prepare(&post("http://sts.example.test/")).unwrap_err().code(),
            &codes::HOST_NOT_ALLOWED
        );
        let env = [("FEDERATE_SANDBOX_URL", "https://127.0.0.1:8443"), ("FEDERATE_SANDBOX_CA", "/ca.pem")];
        let prepared = client(&env).prepare(&post("http://sts.example.test:80/a?b=c")).unwrap();
        assert_eq!(prepared.url().as_str(), "https://127.0.0.1:8443/a?b=c");
        assert_eq!(header(&prepared, "host"), Some("sts.example.test"));
        let signed = post("https://sts.example.test/").with_header("host", "signed.example.test");
        assert_eq!(header(&client(&env).prepare(&signed).unwrap(), "host"), Some("signed.example.test"));
    }

    #[test]
    fn the_way_names_proxy_and_roots_without_secrets() {
        let url = Url::parse("https://sts.example.test/").unwrap();
        assert_eq!(client(&[]).way(&url), Way { via: None, roots: vec!["the system's certificates".to_owned()] });
        let env = [
            ("HTTPS_PROXY", "http://user:canary@proxy.example:3128"),
            ("SSL_CERT_FILE", "/nowhere/ca.pem"),
            ("AWS_CA_BUNDLE", "/nowhere/aws.pem"),
        ];
        let client = client(&env).with_bundle_for("AWS_CA_BUNDLE", |host| host == "sts.example.test");
        let way = client.way(&url);
        assert_eq!(way.via.as_deref(), Some("the proxy proxy.example:3128"));
        assert_eq!(way.roots, ["AWS_CA_BUNDLE=/nowhere/aws.pem"]);
        let other = client.way(&Url::parse("https://other.test").unwrap());
        assert_eq!(other.roots, ["SSL_CERT_FILE=/nowhere/ca.pem"]);
        let problems = client.roots_problems();
        assert_eq!(problems.len(), 2, "{problems:?}");
        assert!(problems[0].what().contains("AWS_CA_BUNDLE=/nowhere/aws.pem"), "{problems:?}");
    }

    #[test]
    fn an_error_knows_the_way_that_a_request_took() {
        let request = post("https://sts.example.test/");
        assert_eq!(client(&[]).route(&request).via, None);
        let proxied = client(&[("HTTPS_PROXY", "http://user:canary@proxy.example:3128")]);
        assert_eq!(proxied.route(&request).via.as_deref(), Some("the proxy proxy.example:3128"));
        let env = [
            ("FEDERATE_SANDBOX_URL", "https://127.0.0.1:8443"),
            ("FEDERATE_SANDBOX_CA", "/ca.pem"),
            ("HTTPS_PROXY", "http://proxy.example:3128"),
        ];
        assert_eq!(client(&env).route(&request).via.as_deref(), Some("the sandbox at 127.0.0.1:8443"));
    }
}
