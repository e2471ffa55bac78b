//! Role trust policies with tokens, the expected decisions and the expected findings (`trust/cases.json`, and
//! `trust/more.json`, whose policies without `lint` are about decisions alone).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::sync::LazyLock;
use std::time::SystemTime;

use federate_cloud_aws::AwsTrust;
use federate_core::Claims;
use federate_trust::{Decision, Glob, Grant, Job, TrustDocument, TrustModel as _};
use proptest::prelude::*;
use serde_json::{Value as Json, json};

fn cases() -> &'static [Json] {
    static CASES: LazyLock<Vec<Json>> = LazyLock::new(|| {
        let read = |text: &str| serde_json::from_str::<Vec<Json>>(text).unwrap();
        [read(include_str!("trust/cases.json")), read(include_str!("trust/more.json"))].concat()
    });
    &CASES
}

fn document(policy: &Json) -> Box<dyn TrustDocument> {
    AwsTrust.documents(policy).unwrap().remove(0).document
}

fn job(claims: &Json, case: &Json) -> Job {
    let texts = |value: &Json| match value {
        Json::Array(many) => many.iter().map(|one| one.as_str().unwrap().to_owned()).collect(),
        one => vec![one.as_str().map_or_else(|| one.to_string(), str::to_owned)],
    };
    let mut job = Job::new(Claims::new(claims.as_object().unwrap().clone()), SystemTime::now());
    job.actions = case["actions"].as_array().map(|list| list.iter().flat_map(texts).collect()).unwrap_or_default();
    for (key, value) in case["context"].as_object().into_iter().flatten() {
        job.context.insert(key.clone(), texts(value));
    }
    job
}

#[test]
fn every_decision_is_right() {
    let mut wrong = Vec::new();
    for entry in cases() {
        let document = document(&entry["policy"]);
        for case in entry["cases"].as_array().unwrap() {
            let verdict = document.evaluate(&job(&case["claims"], case));
            let expected = if case["expect"] == "allow" { Decision::Allow } else { Decision::Deny };
            if verdict.decision != expected {
                wrong.push(format!("{}: {} expected {expected:?}: {case}", entry["id"], case["why"]));
            }
            assert_eq!(verdict.fix.is_none(), verdict.is_allowed(), "{}", entry["id"]);
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_finding_is_right() {
    let mut wrong = Vec::new();
    for entry in cases().iter().filter(|entry| entry["lint"].is_array()) {
        let ids = |key: &str| -> BTreeSet<String> {
            entry[key].as_array().into_iter().flatten().map(|id| id.as_str().unwrap().to_owned()).collect()
        };
        let found: BTreeSet<String> =
            document(&entry["policy"]).lint().into_iter().map(|finding| finding.id.to_owned()).collect();
        let (expected, optional) = (ids("lint"), ids("lint_optional"));
        if !expected.is_subset(&found) || !found.is_subset(&expected.union(&optional).cloned().collect()) {
            wrong.push(format!("{}: expected {expected:?}, found {found:?}", entry["id"]));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn whoever_gets_in_is_told_by_a_grant() {
    let mut wrong = Vec::new();
    for entry in cases() {
        let document = document(&entry["policy"]);
        let grants = document.grants();
        for case in entry["cases"].as_array().unwrap() {
            let job = job(&case["claims"], case);
            // No issuer leaves the subject out, or writes wildcards into it, which some cases do all the same.
            let is_real = job.claims.subject().is_some_and(|subject| !subject.contains(['*', '?']));
            if !is_real || !document.evaluate(&job).is_allowed() {
                continue;
            }
            let issuer = job.claims.issuer().unwrap_or_default().trim_start_matches("https://").to_owned();
            let subject = job.claims.subject().unwrap_or_default();
            let fits = |grant: &Grant| {
                let in_any_case = grant.conditions.iter().any(|condition| condition == "in upper or lower case");
                let fold = |text: &str| if in_any_case { text.to_lowercase() } else { text.to_owned() };
                (grant.issuer == issuer || grant.issuer.starts_with("any identity provider"))
                    && grant.never.is_none()
                    && grant
                        .subject
                        .as_deref()
                        .is_none_or(|pattern| Glob::parse(&fold(pattern)).matches(&fold(subject)))
            };
            if !grants.iter().any(fits) {
                wrong.push(format!("{}: {}: {grants:?}", entry["id"], case["why"]));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn any_json() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::from),
        any::<i64>().prop_map(Json::from),
        "[a-zA-Z:*?${}/@%]{0,12}".prop_map(Json::from),
        Just(json!("sts:AssumeRoleWithWebIdentity")),
        Just(json!("arn:aws:iam::1:oidc-provider/gitlab.com")),
    ];
    let key = prop_oneof![
        Just("Statement".to_owned()),
        Just("Effect".to_owned()),
        Just("Principal".to_owned()),
        Just("Federated".to_owned()),
        Just("Action".to_owned()),
        Just("Condition".to_owned()),
        Just("StringLike".to_owned()),
        Just("gitlab.com:sub".to_owned()),
        "[a-z:]{0,6}",
    ];
    leaf.prop_recursive(6, 48, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Json::from),
            prop::collection::btree_map(key.clone(), inner, 0..5)
                .prop_map(|map| Json::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn no_json_makes_it_panic(policy in any_json(), claims in any_json()) {
        let claims = Claims::new(claims.as_object().cloned().unwrap_or_default());
        for located in AwsTrust.documents(&policy).unwrap_or_default() {
            located.document.evaluate(&Job::new(claims.clone(), SystemTime::now()));
            located.document.lint();
            located.document.grants();
        }
    }

    #[test]
    fn a_changed_policy_does_not_make_it_panic(at in any::<usize>(), changes in prop::collection::vec((any::<usize>(), any_json()), 1..4), in_template in any::<bool>()) {
        let entry = &cases()[at % cases().len()];
        let mut policy = entry["policy"].clone();
        for (node, value) in changes {
            let count = nodes(&mut policy, &mut usize::MAX.to_owned(), &Json::Null);
            nodes(&mut policy, &mut (node % count.max(1)), &value);
        }
        if in_template {
            policy = json!({"Resources": {"R": {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": policy}}}});
        }
        for located in AwsTrust.documents(&policy).unwrap_or_default() {
            located.document.lint();
            for case in entry["cases"].as_array().unwrap() {
                located.document.evaluate(&job(&case["claims"], case));
            }
        }
    }

    /// Every condition of an Allow is one more thing that has to hold, whatever its operator: there is no exception.
    #[test]
    fn another_condition_lets_nobody_in(at in any::<usize>(), operator in any_operator(), key in any_key(), values in prop::collection::vec("[a-z0-9/:*?.${}']{0,12}|true|false|10", 0..3)) {
        let entry = &cases()[at % cases().len()];
        let before = document(&entry["policy"]);
        let provider = entry["provider_url"].as_str().unwrap().trim_start_matches("https://");
        let key = key.replace("PROVIDER", provider);
        let mut narrowed = entry["policy"].clone();
        if narrowed["Statement"].is_object() {
            narrowed["Statement"] = json!([narrowed["Statement"]]);
        }
        for statement in narrowed["Statement"].as_array_mut().unwrap() {
            // Another value beside those that are there would widen a condition; this is about another condition.
            if statement["Effect"] == "Allow" && statement["Condition"][&operator][&key].is_null() {
                statement["Condition"][&operator][&key] = json!(values);
            }
        }
        let after = document(&narrowed);
        for case in entry["cases"].as_array().unwrap() {
            let job = job(&case["claims"], case);
            prop_assert!(before.evaluate(&job).is_allowed() || !after.evaluate(&job).is_allowed(), "{narrowed}");
        }
    }
}

fn any_operator() -> impl Strategy<Value = String> {
    let set = prop::sample::select(vec!["", "ForAllValues:", "ForAnyValue:"]);
    let base = prop::sample::select(vec![
        "StringEquals",
        "StringNotEquals",
        "StringEqualsIgnoreCase",
        "StringLike",
        "StringNotLike",
        "NumericEquals",
        "NumericLessThan",
        "DateGreaterThan",
        "Bool",
        "BinaryEquals",
        "IpAddress",
        "NotIpAddress",
        "ArnLike",
        "ArnNotEquals",
    ]);
    let operator = (set, base, any::<bool>())
        .prop_map(|(set, base, if_exists)| format!("{set}{base}{}", if if_exists { "IfExists" } else { "" }));
    prop_oneof![9 => operator, 1 => Just("Null".to_owned())]
}

fn any_key() -> impl Strategy<Value = String> {
    prop::sample::select(vec![
        "PROVIDER:sub",
        "PROVIDER:aud",
        "PROVIDER:environment",
        "PROVIDER:project_id",
        "PROVIDER:none",
        "aws:SourceIp",
        "aws:CurrentTime",
        "aws:RequestTag/x",
        "other.example:sub",
        "sub",
    ])
    .prop_map(str::to_owned)
}

/// Counts the values of a document; the one that `left` counts down to is replaced.
fn nodes(value: &mut Json, left: &mut usize, replacement: &Json) -> usize {
    if *left == 0 {
        *value = replacement.clone();
        *left = usize::MAX;
        return 1;
    }
    *left -= 1;
    let below: Vec<&mut Json> = match value {
        Json::Array(entries) => entries.iter_mut().collect(),
        Json::Object(map) => map.values_mut().collect(),
        _ => Vec::new(),
    };
    1 + below.into_iter().map(|value| nodes(value, left, replacement)).sum::<usize>()
}

#[test]
fn what_the_apis_and_templates_wrap_around_a_policy() {
    let policy = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Federated": "arn:aws:iam::1:oidc-provider/gitlab.com"}, "Action": "sts:AssumeRoleWithWebIdentity", "Condition": {"StringLike": {"gitlab.com:sub": "project_path:*"}}}]});
    let encoded = policy.to_string().bytes().map(|byte| format!("%{byte:02X}")).collect::<String>();
    for wrapped in [
        json!({"Role": {"RoleName": "r", "AssumeRolePolicyDocument": policy}}),
        json!({"Role": {"RoleName": "r", "AssumeRolePolicyDocument": encoded}}),
        json!({"Resources": {"R": {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": policy}}}}),
        json!({"planned_values": {"root_module": {"resources": [{"type": "aws_iam_role", "values": {"name": "r", "assume_role_policy": policy.to_string()}}]}}}),
    ] {
        let found = AwsTrust.documents(&wrapped).unwrap();
        assert_eq!(found.len(), 1);
        assert!(found[0].document.lint().iter().any(|finding| finding.id == "wildcard-org"));
    }
    let template = json!({"Statement": [{"Effect": "Allow", "Principal": {"Federated": {"Fn::Sub": "arn:aws:iam::${AWS::AccountId}:oidc-provider/gitlab.com"}}, "Action": "sts:AssumeRoleWithWebIdentity", "Condition": {"StringLike": {"gitlab.com:sub": {"Fn::Sub": "project_path:${Group}/*"}}}}]});
    assert!(document(&template).lint().iter().any(|finding| finding.id == "org-wide"));
}

#[test]
fn what_is_no_policy_is_named() {
    let errors = |value: Json| AwsTrust.documents(&value).unwrap_err();
    let statement = |change: Json| {
        let mut statement = json!({"Effect": "Allow", "Principal": {"Federated": "arn:aws:iam::1:oidc-provider/gitlab.com"}, "Action": "sts:AssumeRoleWithWebIdentity"});
        for (key, value) in change.as_object().unwrap() {
            statement[key] = value.clone();
        }
        json!({"Statement": [statement]})
    };
    let misspelt = errors(statement(json!({"Condition": {"StringLkie": {"gitlab.com:sub": "x"}}})));
    assert!(misspelt[0].what().contains("StringLkie") && misspelt[0].help()[0].contains("StringLike"));
    let unknown = errors(statement(json!({"Pricipal": "*"})));
    assert!(unknown[0].help()[0].contains("Principal"), "{unknown:?}");
    for broken in
        [json!({"Statement": 1}), json!({"Statement": ["x"]}), statement(json!({"Effect": "allow"})), json!("no json")]
    {
        assert!(!errors(broken).is_empty());
    }
    assert!(AwsTrust.documents(&json!({"foo": 1})).unwrap().is_empty());
}
