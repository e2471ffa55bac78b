//! Federated identity credentials with tokens, the expected decisions, codes and findings (`trust/cases.json`,
//! `trust/more.json`).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::time::SystemTime;

use federate_cloud_azure::AzureTrust;
use federate_core::Claims;
use federate_trust::{Glob, Grant, Job, TrustDocument, TrustModel as _};
use proptest::prelude::*;
use serde_json::{Value as Json, json};

fn cases() -> Vec<Json> {
    let read = |text: &str| serde_json::from_str::<Vec<Json>>(text).unwrap();
    [read(include_str!("trust/cases.json")), read(include_str!("trust/more.json"))].concat()
}

fn document(value: &Json) -> Box<dyn TrustDocument> {
    AzureTrust.documents(value).unwrap().remove(0).document
}

fn job(claims: &Json) -> Job {
    Job::new(Claims::new(claims.as_object().unwrap().clone()), SystemTime::now())
}

#[test]
fn every_decision_is_right() {
    let mut wrong = Vec::new();
    for entry in cases() {
        let document = document(&entry["fics"]);
        for case in entry["cases"].as_array().unwrap() {
            let verdict = document.evaluate(&job(&case["claims"]));
            if verdict.is_allowed() != (case["expect"] == "allow") {
                wrong.push(format!("{}: {}", entry["id"], case["why"]));
            }
            if let (Some(hint), found) = (case["hint"].as_str(), verdict.cloud_code.as_deref())
                && found != Some(hint)
            {
                wrong.push(format!("{}: {}: {hint} expected, {found:?} found", entry["id"], case["why"]));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_finding_is_right() {
    let mut wrong = Vec::new();
    for entry in cases() {
        let expected: BTreeSet<&str> =
            entry["lint"].as_array().unwrap().iter().map(|id| id.as_str().unwrap()).collect();
        let found: BTreeSet<&str> = document(&entry["fics"]).lint().iter().map(|finding| finding.id).collect();
        if expected != found {
            wrong.push(format!("{}: expected {expected:?}, found {found:?}", entry["id"]));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn whoever_gets_in_is_told_by_a_grant() {
    let mut wrong = Vec::new();
    for entry in cases() {
        let document = document(&entry["fics"]);
        let grants = document.grants();
        for case in entry["cases"].as_array().unwrap() {
            let job = job(&case["claims"]);
            // No issuer leaves the subject out, or writes wildcards into it, which some cases do all the same.
            let is_real = job.claims.subject().is_some_and(|subject| !subject.contains(['*', '?']));
            if !is_real || !document.evaluate(&job).is_allowed() {
                continue;
            }
            let issuer = job.claims.issuer().unwrap_or_default().trim_start_matches("https://").to_owned();
            let subject = job.claims.subject().unwrap_or_default();
            let fits = |grant: &Grant| {
                (grant.issuer == issuer || grant.issuer.starts_with("any identity provider"))
                    && grant.never.is_none()
                    && grant.subject.as_deref().is_none_or(|pattern| Glob::parse(pattern).matches(subject))
            };
            if !grants.iter().any(fits) {
                wrong.push(format!("{}: {}: {grants:?}", entry["id"], case["why"]));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_az_graph_and_terraform_print() {
    let credential = json!({"name": "x", "issuer": "https://gitlab.com", "subject": "project_path:g/p:ref_type:branch:ref:main", "audiences": ["api://AzureADTokenExchange"]});
    let terraform = json!({"display_name": "x", "issuer": "https://gitlab.com", "subject": "a", "audience": ["api://AzureADTokenExchange"]});
    for wrapped in [
        credential.clone(),
        json!([credential]),
        json!({"value": [credential]}),
        json!({"resources": [{"properties": credential}]}),
        json!({"planned_values": {"root_module": {"resources": [{"values": terraform}]}}}),
    ] {
        assert_eq!(AzureTrust.documents(&wrapped).unwrap().len(), 1, "{wrapped}");
    }
    assert!(AzureTrust.documents(&json!({"issuer": "x"})).unwrap().is_empty());
    assert_eq!(AzureTrust.documents(&json!({"issuer": 1, "subject": 2})).unwrap_err().len(), 3);
}

/// What is said to a token that is not let in: the fix, and the warning.
fn advice(credential: Json, claims: Json) -> (String, Option<String>) {
    let base = json!({"name": "fic", "issuer": GITHUB, "audiences": [AUDIENCE]});
    let token = json!({"iss": GITHUB, "aud": AUDIENCE, "sub": MAIN, "repository_id": "2"});
    let joined = |mut base: Json, more: Json| {
        base.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        base
    };
    let verdict = document(&json!([joined(base, credential)])).evaluate(&job(&joined(token, claims)));
    assert!(!verdict.is_allowed());
    (verdict.fix.unwrap(), verdict.warning)
}

const GITHUB: &str = "https://token.actions.githubusercontent.com";
const AUDIENCE: &str = "api://AzureADTokenExchange";
const MAIN: &str = "repo:larkspur/api:ref:refs/heads/main";

#[test]
fn the_fix_is_small_and_warns_of_strangers() {
    let expression = |text: String| json!({"claimsMatchingExpression": {"value": text}});
    let by_id = || expression(format!("claims['sub'] eq '{MAIN}' and claims['repository_id'] eq '7'"));
    let without_sub = expression("claims['repository_id'] eq '2'".to_owned());
    let add = format!(
        "add a federated identity credential: {}",
        json!({"audiences": [AUDIENCE], "issuer": GITHUB, "name": "federate", "subject": MAIN})
    );
    for (credential, claims, fix, warning) in [
        (
            json!({"subject": format!("{MAIN} ")}),
            json!({}),
            format!("write the subject of credential fic as `{MAIN}`"),
            None,
        ),
        (
            json!({"subject": MAIN, "issuer": format!("{GITHUB}/")}),
            json!({}),
            format!("write the issuer of credential fic as `{GITHUB}`"),
            None,
        ),
        (by_id(), json!({}), add.clone(), Some("somebody else may have the name now")),
        (json!({"subject": "repo:larkspur@1/api@2:pull_request"}), json!({}), add.clone(), Some("by the name alone")),
        (json!({"subject": "repo:quillon/api:pull_request"}), json!({}), add.clone(), Some("stranger")),
        (
            json!({"subject": "repo:larkspur/web:pull_request"}),
            json!({"aud": "x"}),
            format!("{add}, and let the job ask for a token with its audience"),
            None,
        ),
        (
            json!({"subject": "repo:larkspur/web:pull_request", "audiences": ["own"]}),
            json!({"aud": "own"}),
            add.replace(AUDIENCE, "own"),
            None,
        ),
        (without_sub, json!({}), add.clone(), None),
    ] {
        let (found, told) = advice(credential, claims);
        assert_eq!(found, fix);
        assert_eq!(told.is_some(), warning.is_some(), "{fix}: {told:?}");
        assert!(warning.is_none_or(|warning| told.as_ref().unwrap().contains(warning)), "{told:?}");
    }
}

fn any_json() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::from),
        any::<i64>().prop_map(Json::from),
        "[a-z:*?'/ ]{0,12}".prop_map(Json::from),
        Just(json!("https://gitlab.com")),
    ];
    let key = prop::sample::select(vec![
        "issuer",
        "subject",
        "audiences",
        "audience",
        "claimsMatchingExpression",
        "value",
        "name",
        "properties",
        "values",
        "planned_values",
        "root_module",
        "resources",
        "type",
        "resource_changes",
        "change",
        "after",
    ]);
    leaf.prop_recursive(6, 48, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Json::from),
            prop::collection::btree_map(key.clone(), inner, 0..5).prop_map(|map| map
                .into_iter()
                .map(|(key, value)| (key.to_owned(), value))
                .collect::<serde_json::Map<_, _>>()
                .into()),
        ]
    })
}

proptest! {
    #[test]
    fn no_json_makes_it_panic(value in any_json(), claims in any_json()) {
        let job = Job::new(Claims::new(claims.as_object().cloned().unwrap_or_default()), SystemTime::now());
        for located in AzureTrust.documents(&value).unwrap_or_default() {
            located.document.evaluate(&job);
            located.document.lint();
        }
    }

    /// Terms are joined by `and`: there is no exception.
    #[test]
    fn another_term_lets_nobody_in(at in any::<usize>(), claim in "sub|job_workflow_ref|repository_id|repository_owner_id|ref", operator in "eq|matches", value in "[a-z0-9:/*?@]{0,12}|\\*") {
        let entry = &cases()[at % cases().len()];
        let mut narrowed = entry["fics"].clone();
        for credential in narrowed.as_array_mut().unwrap() {
            if let Some(text) = credential["claimsMatchingExpression"]["value"].as_str() {
                credential["claimsMatchingExpression"]["value"] = json!(format!("{text} and claims['{claim}'] {operator} '{value}'"));
            }
        }
        for case in entry["cases"].as_array().unwrap() {
            let job = job(&case["claims"]);
            let before = document(&entry["fics"]).evaluate(&job).is_allowed();
            prop_assert!(before || !document(&narrowed).evaluate(&job).is_allowed(), "{narrowed}");
        }
    }

    #[test]
    fn no_expression_makes_it_panic(text in "[ a-z'\\[\\]*?:]{0,40}|claims\\['sub'\\] (eq|matches) '[a-z:/*?]{0,20}'", subject in "\\PC{0,20}") {
        let value = json!({"issuer": "https://gitlab.com", "audiences": ["a"], "claimsMatchingExpression": {"value": text}});
        let document = document(&value);
        document.lint();
        document.grants();
        document.evaluate(&job(&json!({"iss": "https://gitlab.com", "sub": subject, "aud": "a"})));
    }
}
