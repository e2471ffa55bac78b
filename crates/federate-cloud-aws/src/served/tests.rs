use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use federate_core::testing::{fixture_with, id_token};
use federate_core::{
    ChildValue, Exchanged, FileContent, IdToken, Policy, Renewal, TargetAdapter as _, codes as core_codes,
};

use super::*;
use crate::{Aws, environment};

fn credentials(role: &str) -> Credentials {
    environment::tests::credentials().with_plain("role_arn", format!("arn:aws:iam::111122223333:role/{role}"))
}

struct Served(Result<Credentials, Error>);

#[async_trait]
impl ServedTarget for Served {
    fn name(&self) -> &str {
        "aws"
    }
    async fn credentials(&self) -> Result<Arc<Exchanged>, Error> {
        let settings = serde_json::from_value(json!({"role_arn": "arn:aws:iam::111122223333:role/deploy"})).unwrap();
        Ok(Arc::new(Exchanged {
            name: "aws".to_owned(),
            target: Arc::new(Aws::new("aws", settings).unwrap()),
            token: Arc::new(id_token(&json!({}))),
            credentials: self.0.clone()?,
            renewal: Renewal::Once,
        }))
    }
    async fn credentials_for(&self, _resource: &str) -> Result<Arc<Credentials>, Error> {
        Err(Error::new(&core_codes::USAGE, "nobody asks"))
    }
    async fn id_token(&self) -> Result<Arc<IdToken>, Error> {
        Err(Error::new(&core_codes::USAGE, "nobody asks"))
    }
}

async fn ask(served: &Served, path: &str, query: &[(&str, &str)]) -> (u16, Json) {
    let query = query.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let reply = answer(served, &EndpointRequest { path: path.to_owned(), query }).await;
    assert!(!format!("{reply:?}").contains("canary"));
    (reply.status, serde_json::from_str(reply.body.reveal()).unwrap())
}

#[tokio::test]
async fn the_documents_are_those_that_sdks_read() {
    let served = Served(Ok(credentials("deploy")));
    let (status, document) = ask(&served, "credentials", &[]).await;
    let expected = json!({
        "AccessKeyId": "ASIA1", "SecretAccessKey": "canary", "Token": "canary-token",
        "Expiration": "2026-05-04T12:00:00Z", "AccountId": "111122223333",
        "RoleArn": "arn:aws:iam::111122223333:role/deploy",
    });
    assert_eq!((status, document), (200, expected));
    let (status, document) = ask(&served, "process", &[]).await;
    assert_eq!((status, &document["Version"], &document["SessionToken"]), (200, &json!(1), &json!("canary-token")));
}

#[tokio::test]
async fn there_is_no_success_without_credentials() {
    let refused = Error::new(&core_codes::SERVICE_ERROR, "STS is down").with_cause("503");
    let (status, document) = ask(&Served(Err(refused)), "credentials", &[]).await;
    assert_eq!((status, &document["code"]), (503, &json!("service-error")));
    assert!(document["message"].as_str().unwrap().contains("STS is down (503)"), "{document}");
    assert_eq!(ask(&Served(Ok(Credentials::new("aws", None))), "credentials", &[]).await.0, 500);
    let served = Served(Ok(credentials("deploy")));
    for (path, query, expected) in [("", &[][..], 404), ("other", &[], 404), ("credentials", &[("a", "b")], 400)] {
        assert_eq!(ask(&served, path, query).await.0, expected, "{path}");
    }
}

#[test]
fn one_address_for_the_first_and_a_profile_for_each() {
    let files = BTreeMap::from([(
        PathBuf::from("/home/x/.aws/config"),
        b"[default]\naws_secret_access_key = foreign\noutput = json\n".to_vec(),
    )]);
    let context = fixture_with(&[("HOME", "/home/x")], Policy::default(), files).context;
    let endpoint = EndpointAddress {
        origin: "http://127.0.0.1:4000".to_owned(),
        secret: Secret::new("canary-secret"),
        secret_file: PathBuf::from("/run/x/endpoint"),
        program: PathBuf::from("/usr/bin/federate"),
        isolate: true,
    };
    let (one, token) = (credentials("deploy"), id_token(&json!({})));
    let handover = |target| Handover { target, credentials: &one, token: &token, renewal: &Renewal::Once };
    let child = environment(&context, &[handover("aws"), handover("audit")], &endpoint);
    let value = |name: &str| {
        child.set.iter().find(|(key, _)| key == name).map(|(_, value)| match value {
            ChildValue::Plain(text) | ChildValue::PathOf(text) => text.clone(),
            ChildValue::Secret(secret) => secret.reveal().to_owned(),
        })
    };
    for (name, expected) in [
        ("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://127.0.0.1:4000/aws/aws/credentials"),
        ("AWS_CONTAINER_AUTHORIZATION_TOKEN", "canary-secret"),
        ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "/run/x/endpoint"),
        ("AWS_REGION", "eu-west-1"),
        ("AWS_CONFIG_FILE", "aws-config"),
        ("AWS_SHARED_CREDENTIALS_FILE", "aws-credentials"),
    ] {
        assert_eq!(value(name).as_deref(), Some(expected), "{name}");
    }
    assert_eq!(value("AWS_ACCESS_KEY_ID"), None, "static keys would win over the endpoint");
    let FileContent::Text(config) = &child.files[0].content else { panic!("the config file is text") };
    let config = config.reveal();
    assert!(!config.contains("canary") && !config.contains("foreign") && config.contains("output = json"), "{config}");
    for target in ["aws", "audit"] {
        let line = format!(
            "[profile {target}]\ncredential_process = /usr/bin/federate ask-endpoint /run/x/endpoint http://127.0.0.1:4000/aws/{target}/process\n"
        );
        assert!(config.contains(&line), "{config}");
    }
    assert!(!format!("{child:?}").contains("canary"));
}
