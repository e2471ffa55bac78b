//! A stage for the tests of this crate: two targets, a job, requests without a socket.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, SystemTime};

use federate_core::testing::NOW;
use federate_core::{Audiences, ClaimPattern, Issuer, Pattern, Secret};
use federate_http::Incoming;
use serde_json::{Value as Json, json};

use crate::job::{CiJob, Job};
use crate::keys::SigningKey;
use crate::random::Random;
use crate::report::Reply;
use crate::stage::SandboxTarget;
use crate::throttle::Throttle;
use crate::world::World;

pub(crate) const ROLE: &str = "arn:aws:iam::111122223333:role/deploy";
pub(crate) const TENANT: &str = "00000000-0000-0000-0000-000000000001";
pub(crate) const CLIENT: &str = "00000000-0000-0000-0000-000000000002";

/// One key for all tests: making one takes its time.
pub(crate) fn key() -> &'static Arc<SigningKey> {
    static KEY: OnceLock<Arc<SigningKey>> = OnceLock::new();
    KEY.get_or_init(|| Arc::new(SigningKey::generate().unwrap()))
}

fn main_branch() -> Vec<ClaimPattern> {
    let entry = |provider, issuer: &str, subject: &str, claims: &[(&str, &str)]| ClaimPattern {
        provider,
        issuer: Issuer::parse(issuer).unwrap(),
        label: format!("{provider}, quarry-street/ledger, branch main"),
        subjects: vec![Pattern::exact(subject)],
        claims: claims.iter().map(|(name, value)| ((*name).to_owned(), Pattern::exact(*value))).collect(),
        absent: Vec::new(),
    };
    vec![
        entry(
            "gitlab",
            "https://gitlab.com",
            "project_path:quarry-street/ledger:ref_type:branch:ref:main",
            &[("project_path", "quarry-street/ledger"), ("ref_type", "branch"), ("ref", "main")],
        ),
        entry(
            "github",
            "https://token.actions.githubusercontent.com",
            "repo:quarry-street/ledger:ref:refs/heads/main",
            &[("repository", "quarry-street/ledger")],
        ),
    ]
}

pub(crate) fn aws_target(name: &str) -> SandboxTarget {
    SandboxTarget {
        trust: None,
        profile: "base".to_owned(),
        name: name.to_owned(),
        kind: "aws".to_owned(),
        settings: json!({"type": "aws", "role_arn": ROLE}),
        audiences: Audiences::one("sts.amazonaws.com"),
        allow: main_branch(),
    }
}

pub(crate) fn azure_target(name: &str) -> SandboxTarget {
    SandboxTarget {
        trust: None,
        profile: "base".to_owned(),
        name: name.to_owned(),
        kind: "azure".to_owned(),
        settings: json!({
            "type": "azure", "tenant_id": TENANT, "client_id": CLIENT,
            "subscription_id": "00000000-0000-0000-0000-000000000003",
        }),
        audiences: Audiences::one("api://AzureADTokenExchange"),
        allow: main_branch(),
    }
}

/// A world with both targets.
pub(crate) fn world(ci: &str, claims: &[(&str, &str)]) -> World {
    world_of(ci, None, claims, vec![aws_target("aws"), azure_target("azure")])
}

pub(crate) fn world_of(
    ci: &str,
    issuer: Option<Issuer>,
    claims: &[(&str, &str)],
    targets: Vec<SandboxTarget>,
) -> World {
    let claims = claims.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let job = CiJob::new(&Job { ci: ci.to_owned(), issuer, claims, token_env: None }, &targets).unwrap();
    World {
        origin: "https://127.0.0.1:4443".to_owned(),
        targets,
        job,
        key: key().clone(),
        random: Random::new().unwrap(),
        request_token: Secret::new("canary-request-token"),
        sessions: Mutex::new(HashMap::new()),
        credential_lifetime: None,
        clock: Arc::new(|| SystemTime::UNIX_EPOCH + Duration::from_secs(NOW)),
        events: Arc::new(|_| {}),
        throttle: Throttle::default(),
    }
}

/// The job's token for an audience.
pub(crate) fn token(world: &World, audience: &str) -> String {
    world.job.mint(&world.key, &world.random, world.now(), audience).unwrap().reveal().to_owned()
}

fn incoming(method: &str, path: &str) -> Incoming {
    Incoming {
        method: method.to_owned(),
        path: path.to_owned(),
        query: Vec::new(),
        raw_query: String::new(),
        headers: Vec::new(),
        body: Vec::new(),
    }
}

pub(crate) fn get(path: &str) -> Incoming {
    incoming("GET", path)
}

/// A GET with a query and a bearer token.
pub(crate) fn get_as(path: &str, query: &[(&str, &str)], bearer: &str) -> Incoming {
    let mut request = get(path);
    request.query = query.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    request.headers.push(("authorization".to_owned(), format!("bearer {bearer}")));
    request
}

pub(crate) fn post(path: &str, form: &[(&str, &str)]) -> Incoming {
    let mut request = incoming("POST", path);
    request.body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish().into_bytes();
    request
}

pub(crate) fn body(reply: &Reply) -> Json {
    serde_json::from_slice(&reply.answer.body).unwrap()
}

pub(crate) fn text(reply: &Reply) -> String {
    String::from_utf8(reply.answer.body.clone()).unwrap()
}
