//! Everything that decides which credentials come out of a call: a call that differs in any of it finds nothing.

use federate_core::{BoundIdentity, Error, Field, Policy, Request, Secret, Session, TargetSource};
use federate_profile::Profile;
use ring::digest;
use serde_json::{Map, Value as Json, json};

use super::seal::{Fingerprint, hex};
use crate::setup::Start;

/// Claims that differ from token to token of the same job.
const PASSING: &[&str] = &["iat", "nbf", "exp", "jti", "auth_time"];

/// The fingerprint of a call for this target.
///
/// # Errors
/// Where the job has no ID token or the target's settings only now prove wrong.
pub(crate) async fn of(
    start: &Start,
    profile: &Profile,
    session: &Session,
    source: &dyn TargetSource,
) -> Result<Fingerprint, Error> {
    let context = session.context();
    let identity = source.identity();
    let customary = identity.provider.customary_audience(context);
    let audiences = source.unbound().audiences(customary.as_deref());
    let requests: Vec<Json> = source.unbound().plan(context, None)?.iter().map(Request::shown).collect();
    let document = json!({
        "version": env!("CARGO_PKG_VERSION"),
        "profiles": profile.names(),
        "directory": profile.directory(),
        "target": source.name(),
        "kind": source.unbound().kind(),
        "settings": source.settings(),
        "requests": requests,
        "audiences": audiences.to_string(),
        "identity": identity.name,
        "provider": format!("{:?}", identity.provider),
        "issuer": identity.permitted(context)?.as_str(),
        "job": job(session, identity, &audiences).await?,
        "policy": limits(&context.policy),
        "network": profile.network(),
        "route": route(start),
    });
    Ok(Fingerprint::of(&Secret::new(document.to_string())))
}

/// Who the job is: the request that its token is asked with, which bears the job's own key, or else the token that it has.
async fn job(session: &Session, identity: &BoundIdentity, audiences: &federate_core::Audiences) -> Result<Json, Error> {
    let context = session.context();
    let requests = identity.provider.plan(context, audiences)?;
    if requests.is_empty() {
        let token = identity.provider.token(context, audiences).await?;
        let claims = token.claims();
        let lasting = claims.names().filter(|name| !PASSING.contains(name));
        return Ok(lasting
            .map(|name| (name.to_owned(), claims.get(name).cloned().unwrap_or_default()))
            .collect::<Map<_, _>>()
            .into());
    }
    Ok(requests.iter().map(asked).collect())
}

fn asked(request: &Request) -> Json {
    let headers: Map<String, Json> = request
        .headers
        .iter()
        .map(|(name, field)| {
            let value = match field {
                Field::Plain(text) | Field::Later(text) => text.clone(),
                Field::Secret(secret) => hex(digest::digest(&digest::SHA256, secret.reveal().as_bytes()).as_ref()),
            };
            (name.clone(), value.into())
        })
        .collect();
    json!({ "request": request.shown(), "url": request.url.as_str(), "headers": headers })
}

fn limits(policy: &Policy) -> Json {
    json!([policy.allowed_hosts, policy.allowed_account_ids, policy.allowed_tenants, policy.rerouted])
}

/// Where requests are led, and who is believed there.
fn route(start: &Start) -> Json {
    let bundles = start.registry.targets().iter().flat_map(|kind| kind.bundle_variables).copied();
    let names = federate_http::ROUTE_VARIABLES.iter().copied().chain(bundles);
    names.filter_map(|name| Some((name.to_owned(), start.env.get(name)?.into()))).collect::<Map<String, Json>>().into()
}
