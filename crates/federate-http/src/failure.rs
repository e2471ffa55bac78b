//! What a failed request says to people: the host, the operation, the cause, never a query or a header.

use std::error::Error as _;
use std::time::Duration;

use federate_core::{Error, Request, codes};

use crate::roots::ROOTS_PROBLEM;

/// An error of the transport, in our words.
pub(crate) fn from_transport(request: &Request, error: reqwest::Error) -> Error {
    let error = error.without_url();
    let mut chain = vec![error.to_string()];
    let mut source = error.source();
    while let Some(inner) = source {
        let text = inner.to_string();
        if chain.last() != Some(&text) {
            chain.push(text);
        }
        source = inner.source();
    }
    let cause = chain.join(": ");
    let lower = cause.to_ascii_lowercase();
    let host = host(request);
    if let Some(at) = cause.find(ROOTS_PROBLEM) {
        return Error::new(&codes::NETWORK_TLS, format!("{host} cannot be verified: {}", &cause[at..]))
            .with_help("correct the variable or `[network] ca_file`; SSL_CERT_FILE and SSL_CERT_DIR replace the system's certificates");
    }
    if lower.contains("certificate") || lower.contains("tls") && !lower.contains("connection reset") {
        return Error::new(&codes::NETWORK_TLS, format!("the certificate of {host} was not accepted during {}", request.what))
            .with_cause(words_for_certificate(&cause))
            .with_help("behind a proxy that inspects TLS, or with a private CA, name its certificate in `[network] ca_file` of your own configuration, or in SSL_CERT_FILE");
    }
    if error.is_timeout() || lower.contains("timed out") {
        return Error::new(&codes::NETWORK_TIMEOUT, format!("{host} did not answer in time to {}", request.what))
            .with_cause(cause);
    }
    if lower.contains("dns error") || lower.contains("failed to lookup") {
        return Error::new(&codes::NETWORK_UNREACHABLE, format!("the name {host} does not resolve"))
            .with_cause(cause)
            .with_help("check the spelling of the region or endpoint, and whether this machine has a network and a name server");
    }
    Error::new(&codes::NETWORK_UNREACHABLE, format!("{host} cannot be reached for {}", request.what))
        .with_cause(cause)
        .with_help("check the network, a firewall, and HTTPS_PROXY / NO_PROXY")
}

fn words_for_certificate(cause: &str) -> String {
    let lower = cause.to_ascii_lowercase();
    for (sign, words) in [
        ("unknownissuer", "it is signed by an unknown authority"),
        ("notvalidforname", "it is for another name"),
        ("not valid for name", "it is for another name"),
        ("expired", "it has expired"),
        ("notvalidyet", "it is not valid yet"),
    ] {
        if lower.contains(sign) {
            return format!("{words} ({cause})");
        }
    }
    cause.to_owned()
}

/// Time is up.
pub(crate) fn timeout(request: &Request, after: Duration) -> Error {
    Error::new(
        &codes::NETWORK_TIMEOUT,
        format!("{} did not answer within {:.1}s to {}", host(request), after.as_secs_f64(), request.what),
    )
    .with_help("the limits are `connect_timeout`, `request_timeout` and `exchange_timeout` in [network]")
}

/// A redirect, which is never followed; names where to, without path or query.
pub(crate) fn redirect(request: &Request, status: u16, location: Option<&str>) -> Error {
    let target = location.and_then(|location| request.url.join(location).ok());
    let target = target
        .and_then(|url| Some(format!("{}://{}", url.scheme(), url.host_str()?)))
        .unwrap_or_else(|| "an unreadable address".to_owned());
    Error::new(&codes::NETWORK_REDIRECT, format!("{} answered {status} to {}: a redirect to {target}", host(request), request.what))
        .with_help("redirects are never followed with a token in hand; name the right endpoint in the profile, or mend the proxy that redirects")
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

fn host(request: &Request) -> String {
    let host = request.url.host_str().unwrap_or("(no host)");
    request.url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}
