use super::*;
use federate_core::Secret;
use federate_core::testing::{Fixture, fixture, id_token, jwt};
use serde_json::json;

pub(crate) const ACCESS: &str = r#"{"token_type":"Bearer","expires_in":3599,"access_token":"canary"}"#;

pub(crate) fn azure(changes: serde_json::Value) -> Azure {
    let mut settings = json!({
        "tenant_id": "00000000-0000-0000-0000-000000000001",
        "client_id": "00000000-0000-0000-0000-000000000002",
    });
    for (key, value) in changes.as_object().unwrap() {
        settings[key] = value.clone();
    }
    Azure::new("azure", serde_json::from_value(settings).unwrap()).unwrap()
}

fn token() -> IdToken {
    id_token(&json!({"iss": "https://gitlab.com", "aud": "api://AzureADTokenExchange", "sub": "s"}))
}

fn sent(fixture: &Fixture) -> Vec<(String, String)> {
    let one = |request: &Request| {
        let form = request.encoded_form().map(|form| form.reveal().to_owned()).unwrap_or_default();
        (request.url.to_string(), form)
    };
    fixture.http.requests().iter().map(one).collect()
}

#[tokio::test]
async fn one_exchange() {
    let fixture = fixture(&[], is_own_host);
    fixture.http.answer(200, "application/json", ACCESS);
    let credentials = azure(json!({})).exchange(&fixture.context, &token()).await.unwrap();
    let (url, form) = &sent(&fixture)[0];
    assert_eq!(url, "https://login.microsoftonline.com/00000000-0000-0000-0000-000000000001/oauth2/v2.0/token");
    assert!(
        form.starts_with(
            "client_id=00000000-0000-0000-0000-000000000002&scope=https%3A%2F%2Fmanagement.azure.com%2F.default&grant_type=client_credentials&client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer&client_assertion=ey"
        ),
        "{form}"
    );
    assert_eq!(credentials.plain("resource_manager_url"), Some("https://management.azure.com"));
    assert!(fixture.reporter.lines().is_empty() && !format!("{credentials:?}").contains("canary"));
}

#[tokio::test]
async fn targets_that_differ_in_the_subscription_share_an_exchange() {
    let one = azure(json!({"subscription_id": "00000000-0000-0000-0000-000000000003", "az_login": true}));
    let other = azure(json!({"subscription_id": "00000000-0000-0000-0000-000000000004"}));
    let fixture = fixture(&[], is_own_host);
    let key = |target: &Azure| target.exchange_key(&fixture.context);
    assert_eq!(key(&one), key(&other));
    for changes in [
        json!({"tenant_id": "00000000-0000-0000-0000-000000000009"}),
        json!({"client_id": "00000000-0000-0000-0000-000000000009"}),
        json!({"audience": "api://other"}),
        json!({"scopes": ["https://vault.azure.net/.default"]}),
        json!({"cloud": "china"}),
        json!({"authority_host": "https://127.0.0.1:1"}),
        json!({"resource_manager_url": "https://127.0.0.1:1"}),
    ] {
        assert_ne!(key(&azure(changes.clone())), key(&one), "{changes}");
    }
    fixture.http.answer(200, "application/json", ACCESS);
    let credentials = one.exchange(&fixture.context, &token()).await.unwrap();
    let rebound = other.rebind(credentials.clone());
    assert_eq!(rebound.plain("subscription_id"), Some("00000000-0000-0000-0000-000000000004"));
    assert_eq!(rebound.plain("az_login"), Some("false"));
    assert_eq!(azure(json!({})).rebind(credentials).plain("subscription_id"), None);
}

#[tokio::test]
async fn every_scope_is_asked_for_and_other_authorities_are_announced() {
    let fixture = fixture(&[("AZURE_AUTHORITY_HOST", "https://127.0.0.1:4443/")], is_own_host);
    fixture.http.answer(200, "application/json", ACCESS);
    fixture.http.answer(200, "application/json", ACCESS);
    let scopes = json!(["https://vault.azure.net/.default", "https://graph.microsoft.com/.default"]);
    azure(json!({"scopes": scopes})).exchange(&fixture.context, &token()).await.unwrap();
    let sent = sent(&fixture);
    assert!(sent.len() == 2 && sent[1].1.contains("graph.microsoft.com"));
    assert!(fixture.reporter.lines()[0].contains("https://127.0.0.1:4443"));
}

#[tokio::test]
async fn a_resource_is_asked_for_by_its_default_scope() {
    let fixture = fixture(&[], is_own_host);
    for (resource, expected) in [
        ("https://vault.azure.net", "scope=https%3A%2F%2Fvault.azure.net%2F.default"),
        ("https://management.core.windows.net/", "scope=https%3A%2F%2Fmanagement.core.windows.net%2F%2F.default"),
        ("https://vault.azure.net/.default", "scope=https%3A%2F%2Fvault.azure.net%2F.default"),
    ] {
        fixture.http.answer(200, "application/json", ACCESS);
        let credentials = azure(json!({})).exchange_for(&fixture.context, &token(), resource).await.unwrap();
        assert!(credentials.secret("access_token").is_some() && credentials.expires.is_some());
        let form = sent(&fixture).pop().unwrap().1;
        assert!(form.contains(expected), "{form}");
    }
    let elsewhere = azure(json!({"authority_host": "https://evil.test"}));
    assert!(elsewhere.exchange_for(&fixture.context, &token(), "https://vault.azure.net").await.is_err());
}

#[tokio::test]
async fn a_stranger_is_sent_nothing() {
    for (changes, variables) in [
        (json!({"authority_host": "https://login.microsoftonline.com.evil.test"}), &[][..]),
        (json!({"resource_manager_url": "https://evil.test"}), &[][..]),
        (json!({}), &[("AZURE_AUTHORITY_HOST", "https://evil.test")][..]),
    ] {
        let fixture = fixture(variables, is_own_host);
        let error = azure(changes).exchange(&fixture.context, &token()).await.unwrap_err();
        assert_eq!(error.code().name, "host-not-allowed");
        assert!(fixture.http.requests().is_empty());
    }
}

#[tokio::test]
async fn whoami_reads_the_token_and_lists_subscriptions() {
    let fixture = fixture(&[], is_own_host);
    let access = jwt(&json!({"appid": "app-1", "tid": "tenant-1", "oid": "object-1"}));
    let page = json!({"value": [{"subscriptionId": "s-1", "displayName": "Prod", "state": "Enabled"}]});
    fixture.http.answer(200, "application/json", page.to_string());
    let credentials = Credentials::new("azure", None).with_secret("access_token", Secret::new(access));
    let principal = azure(json!({})).whoami(&fixture.context, &credentials).await.unwrap();
    assert_eq!(principal.headline, "application app-1 in tenant tenant-1");
    assert_eq!(principal.facts["subscriptions"][0]["id"], "s-1");
    assert_eq!(sent(&fixture)[0].0, "https://management.azure.com/subscriptions?api-version=2022-12-01");
}

#[tokio::test]
async fn whoami_of_a_child_exchanges_its_token() {
    let fixture = fixture(&[], is_own_host);
    let access = jwt(&json!({"azp": "app-1", "tid": "tenant-1"}));
    fixture.http.answer(200, "application/json", json!({"access_token": access, "expires_in": 3599}).to_string());
    fixture.http.answer(200, "application/json", r#"{"value":[]}"#);
    let credentials = Credentials::new("azure", None).with_secret("id_token", Secret::new(jwt(&json!({"sub": "s"}))));
    let principal = azure(json!({})).whoami(&fixture.context, &credentials).await.unwrap();
    assert_eq!(principal.headline, "application app-1 in tenant tenant-1");
    assert!(sent(&fixture)[0].1.contains("client_assertion="));
}

#[test]
fn probes_hold_no_secret_and_know_the_services() {
    let probes = azure(json!({})).probes(&fixture(&[], is_own_host).context).unwrap();
    let urls: Vec<&str> = probes.iter().map(|probe| probe.request.url.as_str()).collect();
    assert_eq!(
        urls,
        [
            "https://login.microsoftonline.com/00000000-0000-0000-0000-000000000001/v2.0/.well-known/openid-configuration",
            "https://management.azure.com/metadata/endpoints?api-version=2022-09-01",
        ]
    );
    let answer = |body: &str| Response { status: 200, headers: Vec::new(), body: body.into() };
    for probe in &probes {
        assert!(probe.request.headers.is_empty() && matches!(probe.request.body, federate_core::Body::Empty));
        assert!((probe.is_its_own)(&answer("{}")) && !(probe.is_its_own)(&answer("<html>Log in</html>")));
    }
}

#[test]
fn policy_and_plan_need_no_network() {
    let fixture = fixture(&[], is_own_host);
    let policy =
        Policy { allowed_tenants: Some(vec!["other".to_owned()]), own_hosts: vec![is_own_host], ..Policy::default() };
    let target = azure(json!({"client_id": "{env:APP}"}));
    assert_eq!(target.permitted(&fixture.context, &policy).unwrap_err().setting(), Some("tenant_id"));
    let shown = target.plan(&fixture.context, None).unwrap()[0].shown();
    assert_eq!(shown["parameters"]["client_assertion"], "(the ID token)");
    assert_eq!(shown["parameters"]["client_id"], "({env:APP})");
    assert_eq!(azure(json!({"cloud": "usgovernment"})).audiences(Some("x")).first(), "api://AzureADTokenExchangeUSGov");
}
