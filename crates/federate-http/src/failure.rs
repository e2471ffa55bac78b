//! What a failed request says to people: the host, the operation, the cause, never a query or a header.

use std::error::Error as StdError;
use std::io;
use std::time::Duration;

use federate_core::{Error, HumanDuration, Request, codes};
use rustls::CertificateError;

use crate::roots::RootsProblem;
use crate::strangers::Strangers;

/// How a request was led, for the words of an error.
#[derive(Clone, Debug)]
pub(crate) struct Route {
    /// `the proxy HOST:PORT`, `the sandbox at HOST:PORT`; `None` for the straight way.
    pub(crate) via: Option<String>,
    /// How long making a connection was allowed to take.
    pub(crate) connect_timeout: Duration,
    /// Who signed the certificates that were not accepted.
    pub(crate) strangers: Strangers,
}

/// An error of the transport, in our words.
pub(crate) fn from_transport(request: &Request, route: &Route, error: reqwest::Error) -> Error {
    let error = error.without_url();
    let chain = causes(&error);
    let host = host(request);
    let through = route.via.as_ref().map(|via| format!(" through {via}")).unwrap_or_default();
    if let Some(tls) = chain.iter().find_map(|cause| cause.downcast_ref::<rustls::Error>()) {
        let signer = request.url.host_str().and_then(|host| route.strangers.of(host.trim_matches(['[', ']'])));
        return from_tls(request, &through, signer.as_deref(), tls);
    }
    let cause = words(&chain);
    if error.is_timeout() {
        return Error::new(
            &codes::NETWORK_TIMEOUT,
            format!(
                "{host} did not accept a connection within {}{through} for {}",
                shown(route.connect_timeout),
                request.what
            ),
        )
        .with_cause(cause)
        .with_help("check the network and the firewall; the limit is `connect_timeout` in [network]");
    }
    if error.is_dns() {
        let name = route.via.as_deref().unwrap_or(&host);
        return Error::new(
            &codes::NETWORK_UNREACHABLE,
            format!("{host} cannot be reached for {}: the name of {name} does not resolve", request.what),
        )
        .with_cause(cause)
        .with_help(
            "check the spelling of the region or endpoint, and whether this machine has a network and a name server",
        );
    }
    Error::new(&codes::NETWORK_UNREACHABLE, format!("{host} cannot be reached{through} for {}", request.what))
        .with_cause(cause)
        .with_help("check the network, the firewall, and HTTPS_PROXY and NO_PROXY")
}

/// Trusted certificates that cannot be used.
pub(crate) fn roots(what: &str, problem: &RootsProblem) -> Error {
    let error = Error::new(&codes::NETWORK_TLS, what).with_cause(problem.why.clone());
    match problem.setting {
        Some(setting) => {
            error.with_setting(setting).with_help("name a PEM file of certificates, or remove the setting")
        }
        None => error.with_help(
            "name a PEM file of certificates, or unset the variable; SSL_CERT_FILE and SSL_CERT_DIR replace the \
             system's certificates",
        ),
    }
}

fn from_tls(request: &Request, through: &str, signer: Option<&str>, error: &rustls::Error) -> Error {
    let host = host(request);
    if let rustls::Error::Other(other) = error
        && let Some(problem) = other.0.downcast_ref::<RootsProblem>()
    {
        return roots(&format!("{host} cannot be verified: {} cannot be used", problem.named), problem);
    }
    let rustls::Error::InvalidCertificate(certificate) = error else {
        return Error::new(&codes::NETWORK_TLS, format!("no TLS connection to {host}{through} for {}", request.what))
            .with_cause(error.to_string())
            .with_help("check that the endpoint and its port speak https, and what stands between here and there");
    };
    let refused = Error::new(
        &codes::NETWORK_TLS,
        format!("the certificate of {host}{through} was not accepted for {}", request.what),
    )
    .with_cause(words_for_certificate(certificate, signer));
    match certificate {
        CertificateError::UnknownIssuer | CertificateError::BadSignature => refused.with_help(
            "behind a proxy that inspects TLS, or with a private CA, name the CA's certificate in `[network] ca_file` of \
             your own configuration, or in SSL_CERT_FILE",
        ),
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            refused.with_help("check this machine's clock")
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            refused.with_help("check this machine's clock; else the certificate has to be renewed by whoever runs the server")
        }
        _ => refused.with_help(
            "check the endpoint's spelling; if the server is yours, give it a certificate for this name by a CA that \
             SSL_CERT_FILE or `[network] ca_file` names",
        ),
    }
}

fn words_for_certificate(error: &CertificateError, signer: Option<&str>) -> String {
    let words = match error {
        CertificateError::UnknownIssuer => "it is signed by an authority that is not trusted here",
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => "it has expired",
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => "it is not valid yet",
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => "it is for another name",
        CertificateError::BadSignature => "it is signed by another authority of the same name as one trusted here",
        CertificateError::Revoked => "it has been revoked",
        _ => "it cannot be verified",
    };
    match (error, signer) {
        (CertificateError::UnknownIssuer | CertificateError::BadSignature, Some(signer)) => {
            format!("{words}: {signer} ({error})")
        }
        _ => format!("{words} ({error})"),
    }
}

/// The error and everything below it. `io::Error::source` skips the error that it wraps; this does not.
fn causes<'error>(error: &'error (dyn StdError + 'static)) -> Vec<&'error (dyn StdError + 'static)> {
    let mut chain = Vec::new();
    let mut next = Some(error);
    while let Some(current) = next {
        chain.push(current);
        next = match current.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            Some(inner) => Some(inner),
            None => current.source(),
        };
    }
    chain
}

/// The chain in one line, without what says no more than that a request failed.
fn words(chain: &[&(dyn StdError + 'static)]) -> String {
    let mut texts: Vec<String> = chain.iter().map(ToString::to_string).collect();
    texts.dedup();
    let telling: Vec<String> = texts
        .iter()
        .filter(|text| !text.starts_with("error sending request") && !text.starts_with("client error ("))
        .cloned()
        .collect();
    if telling.is_empty() { texts.join(": ") } else { telling.join(": ") }
}

/// The answer to one try did not come in time.
pub(crate) fn timeout(request: &Request, after: Duration) -> Error {
    Error::new(
        &codes::NETWORK_TIMEOUT,
        format!("{} did not answer within {} to {}", host(request), shown(after), request.what),
    )
    .with_help("the limits are `connect_timeout`, `request_timeout` and `exchange_timeout` in [network]")
}

/// The exchange's time was used up before this request could be sent.
pub(crate) fn no_time_left(request: &Request) -> Error {
    Error::new(&codes::NETWORK_TIMEOUT, format!("no time was left to ask {} for {}", host(request), request.what))
        .with_help("the limit for a whole exchange is `exchange_timeout` in [network]")
}

/// A redirect, which is never followed; names where to, without path or query.
pub(crate) fn redirect(request: &Request, status: u16, location: Option<&str>) -> Error {
    let target = location.and_then(|location| request.url.join(location).ok());
    let target = target
        .and_then(|url| Some(format!("{}://{}", url.scheme(), url.host_str()?)))
        .unwrap_or_else(|| "an unreadable address".to_owned());
    Error::new(
        &codes::NETWORK_REDIRECT,
        format!("{} answered {status} to {}: a redirect to {target}", host(request), request.what),
    )
    .with_help(
        "redirects are never followed with a token in hand; name the right endpoint in the profile, or mend the proxy \
         that redirects",
    )
}

/// The answer does not end.
pub(crate) fn too_large(request: &Request) -> Error {
    Error::new(
        &codes::RESPONSE_TOO_LARGE,
        format!("the answer of {} to {} is larger than 1 MiB", host(request), request.what),
    )
    .with_help("this is not the service that the profile means; check the endpoint")
}

/// Says how often it was tried.
pub(crate) fn after_tries(error: Error, tries: u32) -> Error {
    if tries < 2 {
        return error;
    }
    let cause =
        error.cause().map_or_else(|| format!("after {tries} tries"), |cause| format!("{cause} (after {tries} tries)"));
    error.with_cause(cause)
}

/// Host and, if it is not the usual one, port.
pub(crate) fn host(request: &Request) -> String {
    let host = request.url.host_str().unwrap_or("(no host)");
    request.url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

/// A duration as people write it, to the millisecond.
fn shown(duration: Duration) -> HumanDuration {
    HumanDuration(Duration::from_millis(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use federate_core::{Reach, Secret};
    use rustls::OtherError;
    use url::Url;

    use super::*;

    fn request() -> Request {
        let url = Url::parse("https://sts.example.test:8443/path?secret=canary").unwrap();
        Request::get("GetThing", url, Reach::BuiltIn).with_header("authorization", Secret::new("canary"))
    }

    #[test]
    fn a_redirect_names_scheme_and_host_only() {
        for (location, expected) in [
            (Some("https://user:canary@evil.test:1/canary?token=canary"), "https://evil.test"),
            (Some("//other.test/x"), "https://other.test"),
            (Some("/login?canary"), "https://sts.example.test"),
            (Some("https://["), "an unreadable address"),
            (None, "an unreadable address"),
        ] {
            let error = redirect(&request(), 302, location);
            assert!(error.what().ends_with(&format!("a redirect to {expected}")), "{error:?}");
            assert!(!format!("{error:?}").contains("canary"), "{error:?}");
        }
    }

    #[test]
    fn time_outs_name_host_operation_and_limit() {
        let error = timeout(&request(), Duration::from_micros(1_500_250));
        assert_eq!(error.what(), "sts.example.test:8443 did not answer within 1s 500ms to GetThing");
        assert_eq!(no_time_left(&request()).code(), &codes::NETWORK_TIMEOUT);
    }

    #[test]
    fn tries_are_told_from_the_second_on() {
        let error = || too_large(&request());
        assert_eq!(after_tries(error(), 1).cause(), None);
        assert_eq!(after_tries(error(), 3).cause(), Some("after 3 tries"));
        assert_eq!(after_tries(error().with_cause("reset"), 3).cause(), Some("reset (after 3 tries)"));
    }

    #[test]
    fn each_certificate_error_has_its_words() {
        for (certificate, words, help) in [
            (CertificateError::UnknownIssuer, "not trusted here", "ca_file"),
            (CertificateError::Expired, "expired", "clock"),
            (CertificateError::NotValidYet, "not valid yet", "clock"),
            (CertificateError::NotValidForName, "another name", "spelling"),
            (CertificateError::BadEncoding, "cannot be verified", "spelling"),
        ] {
            let error = from_tls(&request(), "", None, &rustls::Error::InvalidCertificate(certificate));
            assert_eq!(error.code(), &codes::NETWORK_TLS);
            assert!(error.cause().unwrap().contains(words), "{error:?}");
            assert!(error.help()[0].contains(help), "{error:?}");
        }
    }

    #[test]
    fn unreadable_roots_are_told_apart_from_a_bad_certificate() {
        let problem =
            RootsProblem { named: "SSL_CERT_FILE=/nowhere".to_owned(), setting: None, why: "not found".to_owned() };
        let error = from_tls(&request(), "", None, &rustls::Error::Other(OtherError(Arc::new(problem))));
        assert!(error.what().contains("SSL_CERT_FILE=/nowhere"), "{error:?}");
        assert_eq!((error.cause(), error.setting()), (Some("not found"), None));
    }

    #[test]
    fn the_chain_reaches_what_an_io_error_wraps() {
        let wrapped = io::Error::other(io::Error::other(rustls::Error::HandshakeNotComplete));
        let chain = causes(&wrapped);
        assert!(chain.iter().any(|cause| cause.is::<rustls::Error>()));
        assert_eq!(words(&chain), rustls::Error::HandshakeNotComplete.to_string(), "each text stands once");
    }
}
