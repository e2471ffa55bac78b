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
            if !document.evaluate(&job).is_allowed() {
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

proptest! {
    #[test]
    fn no_expression_makes_it_panic(text in "[ a-z'\\[\\]*?:]{0,40}|claims\\['sub'\\] (eq|matches) '[a-z:/*?]{0,20}'", subject in "\\PC{0,20}") {
        let value = json!({"issuer": "https://gitlab.com", "audiences": ["a"], "claimsMatchingExpression": {"value": text}});
        let document = document(&value);
        document.lint();
        document.grants();
        document.evaluate(&job(&json!({"iss": "https://gitlab.com", "sub": subject, "aud": "a"})));
    }
}
