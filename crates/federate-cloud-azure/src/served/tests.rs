use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use federate_core::testing::id_token;
use federate_core::{ChildValue, Credentials, Exchanged, IdToken, Secret, TokenRequestEndpoint, codes as core_codes};
use serde_json::Value as Json;

use super::*;

struct Served {
    asked: Mutex<Vec<String>>,
    fails: bool,
}

fn failure() -> Error {
    Error::new(&core_codes::SERVICE_ERROR, "Entra is down").with_cause("503")
}

fn token() -> IdToken {
    id_token(&json!({"aud": "api://AzureADTokenExchange", "sub": "canary-subject", "exp": 1_777_892_400}))
}

#[async_trait]
impl ServedTarget for Served {
    fn name(&self) -> &str {
        "azure"
    }
    async fn credentials(&self) -> Result<Arc<Exchanged>, Error> {
        Err(Error::new(&core_codes::USAGE, "nobody asks"))
    }
    async fn credentials_for(&self, resource: &str) -> Result<Arc<Credentials>, Error> {
        self.asked.lock().unwrap().push(resource.to_owned());
        if resource.contains(' ') {
            return Err(Error::new(&core_codes::USAGE, "this is not the name of a resource"));
        }
        if self.fails {
            return Err(failure());
        }
        let expires = SystemTime::UNIX_EPOCH + Duration::from_secs(1_777_892_400);
        let access = Secret::new("canary-access");
        Ok(Arc::new(
            Credentials::new("azure", Some(expires)).with_plain("client_id", "c-1").with_secret("access_token", access),
        ))
    }
    async fn id_token(&self) -> Result<Arc<IdToken>, Error> {
        if self.fails { Err(failure()) } else { Ok(Arc::new(token())) }
    }
}

async fn ask(fails: bool, path: &str, query: &[(&str, &str)]) -> (u16, Json) {
    let served = Served { asked: Mutex::default(), fails };
    let query = query.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let reply = answer(&served, &EndpointRequest { path: path.to_owned(), query }).await;
    assert!(!format!("{reply:?}").contains("canary"));
    (reply.status, serde_json::from_str(reply.body.reveal()).unwrap())
}

const VERSION: (&str, &str) = ("api-version", "2019-08-01");
const VAULT: (&str, &str) = ("resource", "https://vault.azure.net");

#[tokio::test]
async fn the_identity_answers_as_app_service_does() {
    for query in [&[VERSION, VAULT][..], &[VERSION, VAULT, ("client_id", "C-1")]] {
        let (status, document) = ask(false, "identity", query).await;
        let expected = json!({
            "access_token": "canary-access", "expires_on": "1777892400", "resource": "https://vault.azure.net",
            "token_type": "Bearer", "client_id": "c-1",
        });
        assert_eq!((status, document), (200, expected));
    }
}

#[tokio::test]
async fn odd_questions_are_refused() {
    for query in [
        &[][..],
        &[VERSION],
        &[VAULT],
        &[("api-version", "2017-09-01"), VAULT],
        &[VERSION, ("resource", "")],
        &[VERSION, ("resource", "a b")],
        &[VERSION, VAULT, VAULT],
        &[VERSION, VAULT, ("client_id", "c-2")],
        &[VERSION, VAULT, ("client_id", "c-1"), ("client_id", "c-2")],
        &[VERSION, VAULT, ("mi_res_id", "/subscriptions/x")],
    ] {
        let (status, document) = ask(false, "identity", query).await;
        assert_eq!((status, document["access_token"].is_null()), (400, true), "{query:?}");
    }
    assert_eq!(ask(false, "elsewhere", &[]).await.0, 404);
}

#[tokio::test]
async fn the_token_is_for_the_targets_audience_alone() {
    for query in [&[][..], &[("api-version", "2.0"), ("audience", "api://AzureADTokenExchange")]] {
        let (status, document) = ask(false, "token", query).await;
        assert_eq!((status, document["value"].as_str()), (200, Some(token().raw().reveal())));
    }
    let (status, document) = ask(false, "token", &[("audience", "sts.amazonaws.com")]).await;
    assert_eq!((status, document["value"].is_null()), (400, true));
}

#[tokio::test]
async fn there_is_no_success_without_credentials() {
    for (path, query) in [("identity", &[VERSION, VAULT][..]), ("token", &[])] {
        let (status, document) = ask(true, path, query).await;
        assert_eq!(status, 503);
        assert!(document["message"].as_str().unwrap().contains("Entra is down (503)"), "{document}");
    }
}

fn served(renewal: &Renewal, isolate: bool, az_login: &str) -> ChildEnv {
    let credentials = Credentials::new("azure", None)
        .with_plain("tenant_id", "t-1")
        .with_plain("client_id", "c-1")
        .with_plain("authority_host", "https://login.microsoftonline.com")
        .with_plain("cloud", "public")
        .with_plain("audience", "api://AzureADTokenExchange")
        .with_plain("az_login", az_login);
    let endpoint = EndpointAddress {
        origin: "http://127.0.0.1:4000".to_owned(),
        secret: Secret::new("canary-secret"),
        secret_file: PathBuf::from("/run/x/endpoint"),
        program: PathBuf::from("/usr/bin/federate"),
        isolate,
    };
    let token = token();
    let group = [Handover { target: "azure", credentials: &credentials, token: &token, renewal }];
    environment(&group, &endpoint).unwrap()
}

fn set(child: &ChildEnv) -> BTreeMap<String, String> {
    let shown = |value: &ChildValue| match value {
        ChildValue::Plain(text) | ChildValue::PathOf(text) => text.clone(),
        ChildValue::Secret(secret) => secret.reveal().to_owned(),
    };
    child.set.iter().map(|(name, value)| (name.clone(), shown(value))).collect()
}

fn again() -> Renewal {
    Renewal::Again(Some(TokenRequestEndpoint { url: "https://ci.test/token?x=1".to_owned(), token: Secret::new("ci") }))
}

#[test]
fn the_endpoint_stands_beside_the_file_and_stands_in_for_a_ci_that_cannot_be_asked() {
    let child = served(&Renewal::Once, false, "false");
    let variables = set(&child);
    for (name, expected) in [
        ("IDENTITY_ENDPOINT", "http://127.0.0.1:4000/azure/azure/identity"),
        ("IDENTITY_HEADER", "canary-secret"),
        ("AZURE_FEDERATED_TOKEN_FILE", "azure-token"),
        ("AZURE_CLIENT_ID", "c-1"),
        ("ARM_USE_OIDC", "true"),
        ("ARM_OIDC_REQUEST_URL", "http://127.0.0.1:4000/azure/azure/token?api-version=2.0"),
        ("ARM_OIDC_REQUEST_TOKEN", "canary-secret"),
    ] {
        assert_eq!(variables.get(name).map(String::as_str), Some(expected), "{name}");
    }
    assert!(!variables.contains_key("ARM_OIDC_TOKEN_FILE_PATH") && child.files.len() == 1);
    assert_eq!(set(&served(&again(), false, "false"))["ARM_OIDC_REQUEST_URL"], "https://ci.test/token?x=1");
}

#[test]
fn an_isolated_child_gets_neither_token_nor_ci() {
    for renewal in [Renewal::Once, again(), Renewal::Again(None)] {
        let child = served(&renewal, true, "false");
        let variables = set(&child);
        assert!(child.files.is_empty() && !variables.contains_key("AZURE_FEDERATED_TOKEN_FILE"));
        assert!(variables["ARM_OIDC_REQUEST_URL"].starts_with("http://127.0.0.1:4000/"));
        assert!(!variables.values().any(|value| value == token().raw().reveal() || value.contains("ci.test")));
        assert!(!format!("{child:?}").contains("canary"));
    }
}

#[test]
fn az_signs_in_as_the_endpoints_identity() {
    let child = served(&again(), true, "true");
    let login = child.setup.iter().find(|command| command.what == "az login").unwrap();
    assert!(format!("{:?}", login.arguments).contains("--identity"), "{login:?}");
}
