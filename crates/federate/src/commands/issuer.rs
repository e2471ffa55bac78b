//! What an issuer publishes: its discovery document (OpenID Connect Discovery 1.0, section 4) and its keys.

use federate_core::jwks::Jwks;
use federate_core::{Claims, Context, Error, Issuer, Reach, Request, Response, codes};
use serde_json::Value as Json;
use url::Url;

/// An issuer's discovery document, as far as tokens need it.
pub(crate) struct Discovery {
    /// Who it says that it is.
    pub(crate) issuer: Option<String>,
    /// Where its keys are.
    pub(crate) keys: Url,
}

/// The token's own issuer is followed only as far as the expected one reaches: an enterprise's path below it.
pub(crate) fn followed(expected: &Issuer, claims: &Claims) -> Issuer {
    let own = claims.issuer().filter(|issuer| {
        issuer.strip_prefix(expected.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    });
    own.and_then(|issuer| Issuer::parse(issuer).ok()).unwrap_or_else(|| expected.clone())
}

/// Asks for the discovery document; whatever was answered.
///
/// # Errors
/// Those of the network.
pub(crate) async fn ask(context: &Context, issuer: &Issuer) -> Result<Response, Error> {
    get(context, "OpenID discovery", issuer.discovery_url().ok_or_else(|| unreadable("address"))?).await
}

/// Reads the discovery document.
///
/// # Errors
/// `service-error` for another status than 200; `response-invalid`.
pub(crate) fn read(issuer: &Issuer, answer: &Response) -> Result<Discovery, Error> {
    let host = issuer.url().and_then(|url| url.host_str().map(str::to_owned)).unwrap_or_default();
    succeeded(answer, &host, "OpenID discovery")?;
    let document: Json = serde_json::from_slice(&answer.body).map_err(|_| unreadable("discovery document"))?;
    let text = |key: &str| document.get(key).and_then(Json::as_str);
    let keys = text("jwks_uri").and_then(|text| Url::parse(text).ok()).ok_or_else(|| unreadable("jwks_uri"))?;
    if keys.scheme() != "https" && keys.host().as_ref().is_none_or(|host| !federate_core::policy::is_loopback(host)) {
        return Err(unreadable("jwks_uri (it is not https)"));
    }
    Ok(Discovery { issuer: text("issuer").map(str::to_owned), keys })
}

/// Asks for the keys.
///
/// # Errors
/// Those of the network; `service-error` for another status than 200; `response-invalid`.
pub(crate) async fn keys(context: &Context, url: &Url) -> Result<Jwks, Error> {
    let answer = get(context, "JWKS", url.clone()).await?;
    succeeded(&answer, url.host_str().unwrap_or_default(), "JWKS")?;
    Jwks::parse(&answer.body)
}

// These requests carry nothing secret, so the rule about hosts does not bind them; https does.
async fn get(context: &Context, what: &str, url: Url) -> Result<Response, Error> {
    context.http.send(&Request::get(what, url, Reach::BuiltIn), context.deadline).await
}

fn succeeded(answer: &Response, host: &str, what: &str) -> Result<(), Error> {
    if answer.status == 200 {
        return Ok(());
    }
    Err(Error::new(&codes::SERVICE_ERROR, format!("{host} answered {} to {what}", answer.status)))
}

fn unreadable(what: &str) -> Error {
    Error::new(&codes::RESPONSE_INVALID, format!("the issuer's {what} cannot be read"))
}
