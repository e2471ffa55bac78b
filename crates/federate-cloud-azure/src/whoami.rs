//! Who an access token is, and what it can see.

use std::time::SystemTime;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use federate_core::claims::Claims;
use federate_core::error::said;
use federate_core::{Context, Error, Principal, Reach, Request, Secret, codes as core_codes};
use serde_json::{Map, Value as Json, json};
use url::Url;

use crate::endpoint::{Place, join};
use crate::{codes, response};

/// <https://learn.microsoft.com/rest/api/resources/subscriptions/list>
const SUBSCRIPTIONS: &str = "subscriptions?api-version=2022-12-01";
/// Enough for people; a principal with more subscriptions is told that the list goes on.
const PAGES: usize = 10;

/// The token's own claims, and the subscriptions that Resource Manager lists for it.
pub(crate) async fn principal(
    context: &Context,
    manager: &Place,
    access: &Secret,
    expires: Option<SystemTime>,
    is_for_manager: bool,
) -> Result<Principal, Error> {
    let claims = claims(access);
    let claim = |names: &[&str]| names.iter().find_map(|name| claims.text(name));
    let mut facts = Map::new();
    for (key, names) in
        [("application", &["appid", "azp"][..]), ("tenant", &["tid"]), ("object_id", &["oid"]), ("subject", &["sub"])]
    {
        if let Some(value) = claim(names) {
            facts.insert(key.to_owned(), json!(value));
        }
    }
    if let Some(expires) = expires {
        facts.insert("expires".to_owned(), json!(humantime::format_rfc3339_seconds(expires).to_string()));
    }
    if is_for_manager {
        facts.insert("subscriptions".to_owned(), subscriptions(context, manager, access).await?.into());
    } else {
        context.reporter.note("the first of `scopes` is not Resource Manager's, so subscriptions cannot be listed");
    }
    let known = |key: &str| facts.get(key).and_then(Json::as_str).unwrap_or("(the token does not say)");
    Ok(Principal { headline: format!("application {} in tenant {}", known("application"), known("tenant")), facts })
}

/// An access token for Resource Manager is a JWT; for other resources it may be opaque, and then says nothing.
fn claims(access: &Secret) -> Claims {
    let payload = access.reveal().split('.').nth(1).and_then(|part| URL_SAFE_NO_PAD.decode(part).ok());
    payload.and_then(|bytes| serde_json::from_slice(&bytes).ok()).map(Claims::new).unwrap_or_default()
}

async fn subscriptions(context: &Context, manager: &Place, access: &Secret) -> Result<Vec<Json>, Error> {
    if manager.reach != Reach::BuiltIn {
        context.reporter.note(&format!("Resource Manager is asked at {}, not at the cloud's own", manager.url));
    }
    let first = join(manager, SUBSCRIPTIONS)?;
    let mut next = Some(first.clone());
    let mut found = Vec::new();
    for _ in 0..PAGES {
        let Some(url) = next.take() else { break };
        let page = page(context, manager, url, access).await?;
        for entry in page.get("value").and_then(Json::as_array).into_iter().flatten() {
            found.push(json!({"id": entry["subscriptionId"], "name": entry["displayName"], "state": entry["state"]}));
        }
        // A bearer token follows a link only to where it was sent before.
        let link = page.get("nextLink").and_then(Json::as_str).and_then(|link| Url::parse(link).ok());
        next = link.filter(|link| link.origin() == first.origin());
    }
    if next.is_some() {
        context.reporter.note("there are more subscriptions than are shown");
    }
    Ok(found)
}

async fn page(context: &Context, manager: &Place, url: Url, access: &Secret) -> Result<Json, Error> {
    let bearer = Secret::new(format!("Bearer {}", access.reveal()));
    let request = Request::get("list subscriptions", url, manager.reach.clone()).with_header("authorization", bearer);
    let answer = context.send(&request).await?;
    if answer.status == 200 {
        return serde_json::from_slice(&answer.body).map_err(|_| response::invalid(&answer, "it is not JSON"));
    }
    let json: Json = serde_json::from_slice(&answer.body).unwrap_or_default();
    let text = |key: &str| said(json["error"][key].as_str().unwrap_or_default());
    let code = match answer.status {
        429 | 500.. => &core_codes::SERVICE_ERROR,
        _ => &codes::REFUSED,
    };
    let error = Error::new(code, format!("Resource Manager answered {} to the list of subscriptions", answer.status))
        .with_request_id(answer.header("x-ms-request-id").map(str::to_owned))
        .with_help("the exchange itself succeeded; check `resource_manager_url` and `cloud`");
    let error = if text("message").is_empty() { error } else { error.with_cause(text("message")) };
    Err(if text("code").is_empty() { error } else { error.with_cloud_code(text("code")) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clouds::is_own_host;
    use federate_core::testing::fixture;

    fn place() -> Place {
        Place { url: "https://management.azure.com".to_owned(), reach: Reach::BuiltIn }
    }

    #[tokio::test]
    async fn pages_are_followed_on_the_same_host_only() {
        let fixture = fixture(&[], is_own_host);
        let link = |host: &str| json!({"value": [{"subscriptionId": "s"}], "nextLink": format!("https://{host}/x")});
        fixture.http.answer(200, "application/json", link("management.azure.com").to_string());
        fixture.http.answer(200, "application/json", link("evil.test").to_string());
        let found = subscriptions(&fixture.context, &place(), &Secret::new("canary")).await.unwrap();
        assert_eq!((found.len(), fixture.http.requests().len()), (2, 2));
    }

    #[tokio::test]
    async fn a_refusal_keeps_the_clouds_code() {
        let fixture = fixture(&[], is_own_host);
        let body = r#"{"error":{"code":"InvalidAuthenticationToken","message":"The access token is invalid."}}"#;
        fixture.http.answer(401, "application/json", body);
        let error = subscriptions(&fixture.context, &place(), &Secret::new("canary")).await.unwrap_err();
        assert_eq!((error.code().name, error.cloud_code()), ("azure-refused", Some("InvalidAuthenticationToken")));
        assert!(!format!("{error:?}").contains("canary"));
    }

    #[tokio::test]
    async fn an_opaque_token_is_no_reason_to_fail() {
        let fixture = fixture(&[], is_own_host);
        let found = principal(&fixture.context, &place(), &Secret::new("opaque"), None, false).await.unwrap();
        assert!(found.headline.contains("does not say") && fixture.http.requests().is_empty());
    }
}
