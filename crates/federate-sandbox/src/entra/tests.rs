use federate_core::testing::NOW;

use super::*;
use crate::testing::{CLIENT, TENANT, aws_target, azure_target, body, get, post, token as id_token, world, world_of};

const AUDIENCE: &str = "api://AzureADTokenExchange";

fn asked(world: &World, tenant: &str, changes: &[(&str, &str)]) -> Reply {
    let token = id_token(world, AUDIENCE);
    let mut form = vec![
        ("client_id", CLIENT),
        ("scope", "https://management.azure.com/.default"),
        ("grant_type", "client_credentials"),
        ("client_assertion_type", JWT_BEARER),
        ("client_assertion", token.as_str()),
    ];
    for (name, value) in changes {
        form.retain(|(key, _)| key != name);
        form.push((name, value));
    }
    reply(world, &post(&format!("/{tenant}/oauth2/v2.0/token"), &form)).unwrap()
}

fn code(reply: &Reply) -> u64 {
    body(reply)["error_codes"][0].as_u64().unwrap_or_default()
}

#[test]
fn a_job_on_main_becomes_the_application() {
    for ci in ["gitlab", "github"] {
        let world = world(ci, &[]);
        for scope in [
            "https://management.azure.com/.default",
            "https://management.core.windows.net//.default",
            "https://graph.microsoft.com/.default",
            "https://127.0.0.1:4443/.default",
        ] {
            let reply = asked(&world, TENANT, &[("scope", scope)]);
            assert_eq!(reply.answer.status, 200, "{scope}");
            let access = body(&reply)["access_token"].as_str().unwrap().to_owned();
            assert!(!reply.event.to_string().contains(&access));
            let access = IdToken::parse(Secret::new(access), "the test").unwrap();
            let claims = world.key.verify(&access).unwrap();
            assert_eq!((claims.text("appid").as_deref(), claims.text("tid").as_deref()), (Some(CLIENT), Some(TENANT)));
            assert_eq!(format!("{}/.default", claims.text("aud").unwrap()), scope);
        }
    }
}

#[test]
fn what_the_token_says_decides_the_code() {
    let (past, future) = ((NOW - 1000).to_string(), (NOW + 1000).to_string());
    for (claims, number, part) in [
        (
            &[("ref", "other")][..],
            700_213,
            "assertion subject 'project_path:quarry-street/ledger:ref_type:branch:ref:other'",
        ),
        (&[("sub", "project_path:Quarry-Street/ledger:ref_type:branch:ref:main")], 7_002_138, "case-sensitive"),
        (&[("iss", "https://evil.test")], 700_211, "assertion issuer 'https://evil.test'"),
        (&[("aud", "sts.amazonaws.com")], 700_212, "assertion audience 'sts.amazonaws.com'"),
        (&[("exp", past.as_str())], 700_024, "valid time range"),
        (&[("nbf", future.as_str())], 700_024, "valid time range"),
    ] {
        let reply = asked(&world("gitlab", claims), TENANT, &[]);
        let description = body(&reply)["error_description"].as_str().unwrap().to_owned();
        assert_eq!((reply.answer.status, code(&reply)), (401, number), "{description}");
        assert!(description.starts_with(&format!("AADSTS{number}: ")) && description.contains(part), "{description}");
        assert_eq!(body(&reply)["error"], "invalid_client");
    }
}

#[test]
fn what_is_asked_for_decides_too() {
    let world = world("gitlab", &[]);
    let stranger = federate_core::testing::jwt(&serde_json::json!({
        "iss": "https://gitlab.com", "sub": "x", "aud": AUDIENCE, "canary": "canary"
    }));
    for (tenant, change, number) in [
        ("00000000-0000-0000-0000-00000000000f", ("x", "x"), 90_002),
        (TENANT, ("client_id", TENANT), 700_016),
        (TENANT, ("client_assertion", "canary"), 50_027),
        (TENANT, ("client_assertion", stranger.as_str()), 700_027),
        (TENANT, ("client_assertion", ""), 900_144),
        (TENANT, ("grant_type", "password"), 9_002_313),
        (TENANT, ("scope", "https://management.azure.com/user_impersonation"), 70_011),
        (TENANT, ("scope", "https://nobody.test/.default"), 500_011),
    ] {
        let reply = asked(&world, tenant, &[change]);
        assert_eq!(code(&reply), number, "{change:?}");
        assert!(!reply.event.to_string().contains("canary") && !body(&reply).to_string().contains("canary"));
    }
}

#[test]
fn an_application_without_trust_says_what_to_add() {
    let mut closed = azure_target("azure");
    closed.allow.clear();
    let reply = asked(&world_of("gitlab", None, &[], vec![aws_target("aws"), closed]), TENANT, &[]);
    assert_eq!(code(&reply), 70_025);
    assert_eq!(reply.event.lines[0], "[targets.azure.trust]");
}

#[test]
fn discovery_leads_back_here() {
    let world = world("gitlab", &[]);
    for path in [
        format!("/{TENANT}/v2.0/.well-known/openid-configuration"),
        format!("/{TENANT}/.well-known/openid-configuration"),
    ] {
        let document = body(&reply(&world, &get(&path)).unwrap());
        assert_eq!(document["token_endpoint"], format!("https://127.0.0.1:4443/{TENANT}/oauth2/v2.0/token"));
    }
    assert_eq!(reply(&world, &get("/nobody/v2.0/.well-known/openid-configuration")).unwrap().answer.status, 400);
    assert_eq!(reply(&world, &get("/common/discovery/instance")).unwrap().answer.status, 200);
    assert!(reply(&world, &get("/x")).is_none());
}

#[test]
fn access_tokens_live_no_longer_than_is_said() {
    let mut world = world("gitlab", &[]);
    world.credential_lifetime = Some(Duration::from_secs(3));
    let document = body(&asked(&world, TENANT, &[]));
    assert_eq!(document["expires_in"], 3);
    let access = IdToken::parse(Secret::new(document["access_token"].as_str().unwrap()), "the test").unwrap();
    assert_eq!(access.claims().seconds("exp"), i64::try_from(NOW).ok().map(|now| now + 4));
}
