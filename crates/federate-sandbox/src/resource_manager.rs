//! Azure Resource Manager: where its clouds are, and which subscriptions an access token can see.

use federate_core::{Claims, IdToken, Secret};
use federate_http::{Answer, Incoming};
use serde_json::{Value as Json, json};

use crate::issuer::bearer_token;
use crate::report::{Event, Reply};
use crate::stage::SandboxTarget;
use crate::world::World;

const SERVICE: &str = "Resource Manager";

/// Answers if the path is Resource Manager's.
pub(crate) fn reply(world: &World, request: &Incoming) -> Option<Reply> {
    if request.method != "GET" {
        return None;
    }
    let path: Vec<&str> = request.path.trim_matches('/').split('/').collect();
    match path.as_slice() {
        ["metadata", "endpoints"] => Some(Reply {
            answer: Answer::json(200, &endpoints(world, request)),
            event: Event::new(SERVICE, "metadata endpoints", 200),
        }),
        ["subscriptions"] => Some(with_token(world, request, "subscriptions", |claims| {
            Some(
                json!({"value": subscriptions(world, claims), "count": {"type": "Total", "value": subscriptions(world, claims).len()}}),
            )
        })),
        ["subscriptions", id] => Some(with_token(world, request, "subscription", |claims| {
            subscriptions(world, claims).into_iter().find(|one| one["subscriptionId"] == *id)
        })),
        ["tenants"] => Some(with_token(world, request, "tenants", |claims| {
            let tenant = claims.text("tid").unwrap_or_default();
            Some(json!({"value": [{"id": format!("/tenants/{tenant}"), "tenantId": tenant, "displayName": "sandbox"}]}))
        })),
        _ => None,
    }
}

/// The first version whose answer is this cloud alone. az and Terraform ask in it, and take nothing else.
const ONE_CLOUD_SINCE: &str = "2022";

/// Where the clouds are, all of them here: a list from 2019 on, one cloud in the newest versions of the API.
fn endpoints(world: &World, request: &Incoming) -> Json {
    let version = request.query.iter().find(|(name, _)| name == "api-version").map_or("", |(_, value)| value.as_str());
    let here = &world.origin;
    let authentication = json!({
        "loginEndpoint": here,
        "audiences": ["https://management.core.windows.net/", "https://management.azure.com/"],
        "tenant": "common",
        "identityProvider": "AAD",
    });
    if version < "2019" {
        return json!({
            "galleryEndpoint": here,
            "graphEndpoint": "https://graph.windows.net/",
            "portalEndpoint": "https://portal.azure.com/",
            "authentication": authentication,
        });
    }
    let cloud = json!({
        "name": "federate",
        "portal": "https://portal.azure.com",
        "authentication": authentication,
        "media": "https://rest.media.azure.net",
        "graphAudience": "https://graph.windows.net/",
        "graph": "https://graph.windows.net/",
        "activeDirectoryDataLake": "https://datalake.azure.net/",
        "batch": "https://batch.core.windows.net/",
        "resourceManager": here,
        "vmImageAliasDoc": here,
        "sqlManagement": "https://management.core.windows.net:8443/",
        "microsoftGraphResourceId": "https://graph.microsoft.com/",
        "gallery": here,
        "suffixes": {
            "azureDataLakeStoreFileSystem": "azuredatalakestore.net",
            "acrLoginServer": "azurecr.io",
            "sqlServerHostname": "database.windows.net",
            "azureDataLakeAnalyticsCatalogAndJob": "azuredatalakeanalytics.net",
            "keyVaultDns": "vault.azure.net",
            "storage": "core.windows.net",
            "azureFrontDoorEndpointSuffix": "azurefd.net",
            "storageSyncEndpointSuffix": "afs.azure.net",
        },
    });
    if version < ONE_CLOUD_SINCE { json!([cloud]) } else { cloud }
}

fn subscriptions(world: &World, claims: &Claims) -> Vec<Json> {
    let (tenant, client) = (claims.text("tid").unwrap_or_default(), claims.text("appid").unwrap_or_default());
    let mut found: Vec<Json> = Vec::new();
    for target in world.targets.iter().filter(|target| target.is_application(&tenant, &client)) {
        let Some(id) = target.subscription() else { continue };
        if found.iter().any(|known| known["subscriptionId"] == id) {
            continue;
        }
        found.push(json!({
            "id": format!("/subscriptions/{id}"),
            "subscriptionId": id,
            "tenantId": tenant,
            "displayName": format!("Sandbox {}", target.profile),
            "state": "Enabled",
            "subscriptionPolicies": {
                "locationPlacementId": "Public_2014-09-01", "quotaId": "PayAsYouGo_2014-09-01", "spendingLimit": "Off",
            },
            "authorizationSource": "RoleBased",
            "managedByTenants": [],
        }));
    }
    found
}

fn with_token(world: &World, request: &Incoming, what: &str, answer: impl Fn(&Claims) -> Option<Json>) -> Reply {
    let refuse = |status, code: &str, message: &str| Reply {
        answer: Answer::json(status, &json!({"error": {"code": code, "message": message}})).with_header(
            "www-authenticate",
            format!("Bearer authorization_uri=\"{}\", error=\"invalid_token\"", world.origin),
        ),
        event: Event::new(SERVICE, what, status).with_outcome(code),
    };
    let Some(bearer) = request.header("authorization").and_then(bearer_token) else {
        return refuse(401, "AuthenticationFailed", "Authentication failed. The 'Authorization' header is missing.");
    };
    let Some(claims) = access_claims(world, bearer) else {
        return refuse(401, "InvalidAuthenticationToken", "The access token is invalid.");
    };
    match answer(&claims) {
        Some(document) => {
            let who = claims.text("appid").unwrap_or_default();
            let event = Event::new(SERVICE, what, 200).with_outcome(format!("for application {who}"));
            Reply { answer: Answer::json(200, &document), event }
        }
        None => refuse(404, "SubscriptionNotFound", "The subscription could not be found."),
    }
}

/// The claims of an access token of this sandbox's Entra, for Resource Manager, that has not ended.
fn access_claims(world: &World, bearer: &str) -> Option<Claims> {
    let token = IdToken::parse(Secret::new(bearer), "authorization").ok()?;
    world.key.verify(&token).ok()?;
    let claims = Claims::new(token.claims().as_map().clone());
    let has_ended = token.expires().is_none_or(|end| end <= world.now());
    let audience = claims.text("aud")?;
    // An ID token is signed by the same key, and is no access token.
    let same = |url: &str| url.trim_end_matches('/') == audience.trim_end_matches('/');
    let configured = |target: &SandboxTarget| target.text("resource_manager_url").is_some_and(same);
    let is_for_here = audience.contains("//management.") || same(&world.origin) || world.targets.iter().any(configured);
    (!has_ended && is_for_here && claims.get("appid").is_some()).then_some(claims)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{CLIENT, TENANT, azure_target, body, get, get_as, token, world, world_of};

    fn access(world: &World, changes: &[(&str, Json)]) -> String {
        let mut claims = json!({
            "aud": "https://management.azure.com", "appid": CLIENT, "tid": TENANT, "exp": 4_000_000_000_u64,
            "iss": "https://sts.windows.net/x/",
        });
        for (name, value) in changes {
            claims[*name] = value.clone();
        }
        world.key.sign(claims.as_object().unwrap()).unwrap().reveal().to_owned()
    }

    #[test]
    fn an_application_sees_its_own_subscriptions() {
        let world = world("gitlab", &[]);
        let list = reply(&world, &get_as("/subscriptions", &[], &access(&world, &[]))).unwrap();
        assert_eq!(body(&list)["value"][0]["subscriptionId"], "00000000-0000-0000-0000-000000000003");
        let other = access(&world, &[("appid", json!("someone-else"))]);
        assert_eq!(body(&reply(&world, &get_as("/subscriptions", &[], &other)).unwrap())["value"], json!([]));
        let tenants = reply(&world, &get_as("/tenants", &[], &access(&world, &[]))).unwrap();
        assert_eq!(body(&tenants)["value"][0]["tenantId"], TENANT);
        let one =
            |id: &str| reply(&world, &get_as(&format!("/subscriptions/{id}"), &[], &access(&world, &[]))).unwrap();
        assert_eq!(one("00000000-0000-0000-0000-000000000003").answer.status, 200);
        assert_eq!(one("00000000-0000-0000-0000-000000000009").answer.status, 404);
    }

    #[test]
    fn a_cloud_of_ones_own_takes_its_own_tokens() {
        let mut target = azure_target("azure");
        target.settings["resource_manager_url"] = json!("https://arm.example/");
        let world = world_of("gitlab", None, &[], vec![target]);
        for (audience, status) in [("https://arm.example", 200), ("https://elsewhere.example", 401)] {
            let token = access(&world, &[("aud", json!(audience))]);
            assert_eq!(reply(&world, &get_as("/subscriptions", &[], &token)).unwrap().answer.status, status);
        }
    }

    #[test]
    fn without_a_sound_access_token_nothing_is_seen() {
        let world = world("gitlab", &[]);
        assert_eq!(reply(&world, &get("/subscriptions")).unwrap().answer.status, 401);
        for bad in [
            "canary".to_owned(),
            access(&world, &[("exp", json!(1))]),
            access(&world, &[("aud", json!("https://graph.microsoft.com"))]),
            token(&world, "https://management.azure.com"),
        ] {
            let reply = reply(&world, &get_as("/subscriptions", &[], &bad)).unwrap();
            assert_eq!(reply.answer.status, 401);
            assert!(reply.answer.headers.iter().any(|(name, _)| name == "www-authenticate"));
            assert!(!reply.event.to_string().contains(&bad));
        }
    }

    #[test]
    fn metadata_has_the_shape_of_its_version() {
        let world = world("gitlab", &[]);
        let ask = |version: &str| {
            let mut request = get("/metadata/endpoints");
            request.query = vec![("api-version".to_owned(), version.to_owned())];
            body(&reply(&world, &request).unwrap())
        };
        assert_eq!(ask("2022-09-01")["authentication"]["loginEndpoint"], "https://127.0.0.1:4443");
        assert_eq!(ask("2019-05-01")[0]["authentication"]["loginEndpoint"], "https://127.0.0.1:4443");
        assert_eq!(ask("2015-01-01")["authentication"]["loginEndpoint"], "https://127.0.0.1:4443");
        assert!(reply(&world, &get("/subscription")).is_none());
    }
}
