//! GitHub's token endpoint and STS in one, on loopback over TLS, with answers that are ready made.

use std::path::Path;
use std::sync::{Arc, mpsc};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use federate_core::testing::jwt;
use federate_http::{Answer, Handler, Incoming, Limits, LoopbackServer, ServerTls};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use serde_json::json;

struct Cloud {
    token: Answer,
    /// How long credentials live; for good where nothing is said.
    lifetime: Option<Duration>,
}

impl Cloud {
    fn sts(&self) -> Answer {
        let end = self.lifetime.map(|lifetime| SystemTime::now() + lifetime);
        let end = end.map_or(FOR_GOOD.to_owned(), |end| humantime::format_rfc3339_seconds(end).to_string());
        Answer::text(200, "text/xml", STS.replace(FOR_GOOD, &end))
    }
}

#[async_trait]
impl Handler for Cloud {
    async fn handle(&self, request: Incoming) -> Answer {
        match (request.method.as_str(), request.path.as_str()) {
            ("GET", "/token") if request.header("authorization").is_some() => self.token.clone(),
            ("POST", "/") if request.body.len() > 500 => self.sts(),
            _ => Answer::text(404, "text/plain", "not what was expected"),
        }
    }
}

/// Serves until the process ends; writes the CA's certificate to this file and returns `https://127.0.0.1:PORT`.
pub(crate) fn start(ca_file: &Path, lifetime: Option<Duration>) -> String {
    let tls = certificate(ca_file);
    let cloud = Arc::new(Cloud { token: Answer::json(200, &json!({ "count": 1500, "value": token() })), lifetime });
    let (sender, address) = mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async move {
            let server = LoopbackServer::bind(0).await.unwrap();
            sender.send(server.address()).unwrap();
            server.run_tls(Limits::default(), tls, cloud).await;
        });
    });
    format!("https://{}", address.recv().unwrap())
}

fn certificate(ca_file: &Path) -> ServerTls {
    let ca_key = KeyPair::generate().unwrap();
    let mut ca = CertificateParams::default();
    ca.distinguished_name.push(DnType::CommonName, "federate bench");
    ca.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    std::fs::write(ca_file, ca.self_signed(&ca_key).unwrap().pem()).unwrap();
    let key = KeyPair::generate().unwrap();
    let mut server = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    server.use_authority_key_identifier_extension = true;
    let chain = server.signed_by(&key, &Issuer::from_params(&ca, &ca_key)).unwrap().pem();
    ServerTls::from_pem(&chain, &key.serialize_pem()).unwrap()
}

/// A token as GitHub's are; nobody here verifies its signature.
fn token() -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    jwt(&json!({
        "iss": "https://token.actions.githubusercontent.com", "aud": "sts.amazonaws.com",
        "sub": "repo:quarry-street/ledger:ref:refs/heads/main", "iat": now, "nbf": now - 300, "exp": now + 3600,
        "jti": "5f2b1c9e-2f5f-4d6a-8f49-6a0a7d8c1b11", "ref": "refs/heads/main", "ref_type": "branch",
        "repository": "quarry-street/ledger", "repository_id": "770022", "repository_owner": "quarry-street",
        "repository_owner_id": "990011", "repository_visibility": "private", "run_id": "20480033117",
        "run_number": "42", "run_attempt": "1", "actor": "mira-okafor", "actor_id": "5550123", "workflow": "deploy",
        "workflow_ref": "quarry-street/ledger/.github/workflows/deploy.yml@refs/heads/main",
        "job_workflow_ref": "quarry-street/ledger/.github/workflows/deploy.yml@refs/heads/main",
        "event_name": "push", "runner_environment": "github-hosted", "sha": "6677abb3b724f1d6f80792c657c0feeab97d7776",
    }))
}

const FOR_GOOD: &str = "2099-05-04T12:00:00Z";

const STS: &str = concat!(
    "<AssumeRoleWithWebIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><AssumeRoleWithWebIdentityResult>",
    "<Audience>sts.amazonaws.com</Audience><AssumedRoleUser><AssumedRoleId>AROAEXAMPLE:bench</AssumedRoleId>",
    "<Arn>arn:aws:sts::111122223333:assumed-role/deploy/bench</Arn></AssumedRoleUser><Credentials>",
    "<AccessKeyId>ASIAEXAMPLEKEYID0001</AccessKeyId><SecretAccessKey>exampleSecretAccessKey0123456789abcdefghi</SecretAccessKey>",
    "<SessionToken>exampleSessionToken0123456789abcdefghijklmnopqrstuvwxyz==</SessionToken>",
    "<Expiration>2099-05-04T12:00:00Z</Expiration></Credentials></AssumeRoleWithWebIdentityResult>",
    "<ResponseMetadata><RequestId>00000000-0000-0000-0000-000000000000</RequestId></ResponseMetadata></AssumeRoleWithWebIdentityResponse>",
);
