//! What holds of any condition, token and document.

use federate_cloud_gcp::GcpTrust;
use federate_trust::{Severity, TrustModel as _};
use proptest::prelude::*;
use serde_json::{Value as Json, json};

use super::{claims, document, job, provider, with};

/// What conditions are made of.
fn conditions() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        (
            "assertion|attribute|google",
            "sub|ref|project_id|project_path|subject|nothing",
            "==|!=|<",
            "'[a-z:/*]{0,8}'|7|true|null"
        )
            .prop_map(|(root, name, operator, value)| format!("{root}.{name} {operator} {value}")),
        ("sub|ref|project_path", "startsWith|endsWith|contains|matches|extract|split", "[a-z:/*^$.(){}|]{0,8}")
            .prop_map(|(name, method, value)| format!("assertion.{name}.{method}('{value}')")),
        "true|false|has\\(assertion\\.ref\\)|'main' in \\[assertion\\.ref\\]|assertion\\.ref in \\['main'\\]",
    ];
    leaf.prop_recursive(3, 16, 2, |inner| {
        prop_oneof![
            (inner.clone(), "&&|\\|\\|", inner.clone()).prop_map(|(a, b, c)| format!("({a} {b} {c})")),
            (inner.clone(), "&&|\\|\\|", inner.clone()).prop_map(|(a, b, c)| format!("{a} {b} {c}")),
            inner.clone().prop_map(|one| format!("!({one})")),
            (inner.clone(), inner.clone(), inner).prop_map(|(a, b, c)| format!("({a} ? {b} : {c})")),
        ]
    })
}

fn any_json() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::from),
        any::<i64>().prop_map(Json::from),
        "\\PC{0,12}".prop_map(Json::from),
        "principal(Set)?://[a-z./0-9*]{0,30}".prop_map(Json::from),
    ];
    let key = "oidc|issuerUri|issuer_uri|attributeMapping|attribute_condition|bindings|members|role|name|provider|google.subject|[a-z]{1,4}";
    leaf.prop_recursive(5, 48, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Json::from),
            prop::collection::btree_map(key, inner, 0..6).prop_map(|map| map.into_iter().collect::<Json>()),
        ]
    })
}

proptest! {
    #[test]
    fn no_json_makes_it_panic(value in any_json(), token in any_json()) {
        let token = if token.is_object() { token } else { json!({}) };
        for located in GcpTrust.documents(&value).unwrap_or_default() {
            located.document.lint();
            located.document.grants();
            located.document.evaluate(&job(&token));
        }
        GcpTrust.keys(&job(&token).claims);
    }

    #[test]
    fn no_condition_makes_it_panic(text in "\\PC{0,60}|[a-z.'\"()\\[\\]!&|=:?{}*^$\\\\ ]{0,60}", issuer in "https://(gitlab.com|token.actions.githubusercontent.com|app.terraform.io|x)") {
        let value = with(provider(), json!({"attributeCondition": text, "oidc": {"issuerUri": issuer}}));
        for located in GcpTrust.documents(&value).unwrap_or_default() {
            located.document.lint();
            located.document.grants();
            located.document.evaluate(&job(&with(claims(), json!({"iss": issuer}))));
        }
    }

    /// A condition more never lets anybody in.
    #[test]
    fn and_never_opens(first in conditions(), second in conditions(), reference in "main|dev") {
        let decide = |condition: &str| {
            let value = with(provider(), json!({"attributeCondition": condition}));
            let document = document(&value);
            document.lint();
            document.evaluate(&job(&with(claims(), json!({"ref": reference})))).is_allowed()
        };
        let both = decide(&format!("({first}) && ({second})"));
        prop_assert!(!both || (decide(&first) && decide(&second)), "{} && {}", first, second);
    }
}

/// A GitHub job.
pub(super) fn github(owner: &str, id: &str, name: &str, repository_id: &str, reference: &str) -> Json {
    json!({
        "iss": "https://token.actions.githubusercontent.com", "aud": "a", "ref": reference, "actor": "mira-k",
        "sub": format!("repo:{owner}/{name}:ref:{reference}"), "repository": format!("{owner}/{name}"),
        "repository_id": repository_id, "repository_owner": owner, "repository_owner_id": id,
        "event_name": "push", "workflow": "deploy",
        "workflow_ref": format!("{owner}/{name}/.github/workflows/deploy.yml@{reference}"),
    })
}

/// Conditions as people write them about `larkspur/api` on main.
pub(super) fn meant_for_larkspur() -> impl Strategy<Value = String> {
    let tests: Vec<String> = [
        ("repository", vec!["larkspur/api", "larkspur/", "larkspur", "/api", "api"]),
        ("repository_owner", vec!["larkspur", "lark"]),
        (
            "sub",
            vec![
                "repo:larkspur/api:ref:refs/heads/main",
                "repo:larkspur/api:",
                "repo:larkspur/api",
                "repo:larkspur",
                "repo:",
                ":ref:refs/heads/main",
            ],
        ),
        ("ref", vec!["refs/heads/main", "refs/heads/", "main"]),
        ("repository_id", vec!["7", "71"]),
        ("repository_owner_id", vec!["57"]),
        ("actor", vec!["mira-k"]),
        ("event_name", vec!["push"]),
        ("environment", vec!["prod"]),
        (
            "workflow_ref",
            vec!["larkspur/api/.github/workflows/deploy.yml@refs/heads/main", "larkspur/api/", "larkspur"],
        ),
    ]
    .into_iter()
    .flat_map(|(claim, values)| {
        values.into_iter().flat_map(move |value| {
            [
                format!("assertion.{claim} == '{value}'"),
                format!("assertion.{claim} != '{value}'"),
                format!("assertion.{claim}.startsWith('{value}')"),
                format!("assertion.{claim}.endsWith('{value}')"),
                format!("assertion.{claim}.contains('{value}')"),
                format!("assertion.{claim} in ['{value}', 'x']"),
                format!("assertion.{claim}.matches('^{value}$')"),
                format!("assertion.{claim}.matches('^{value}')"),
                format!("assertion.{claim}.matches('{value}$')"),
                format!("assertion.{claim}.matches('^({value}|x).*')"),
                format!("has(assertion.{claim})"),
            ]
        })
    })
    .collect();
    prop::sample::select(tests).prop_recursive(3, 12, 2, |inner| {
        prop_oneof![
            (inner.clone(), "&&|\\|\\|", inner.clone()).prop_map(|(a, b, c)| format!("({a} {b} {c})")),
            inner.clone().prop_map(|one| format!("!({one})")),
            (inner.clone(), inner.clone(), inner).prop_map(|(a, b, c)| format!("({a} ? {b} : {c})")),
        ]
    })
}

const STRANGERS: [&str; 8] = [
    "gcp-trivial-condition",
    "gcp-any-tenant",
    "gcp-prefix-without-slash",
    "gcp-substring",
    "gcp-regex-unanchored",
    "gcp-negation-only",
    "gcp-actor-only",
    "gcp-no-condition",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Whoever is let in and should not be, is reported.
    #[test]
    fn nobody_gets_in_unreported(condition in meant_for_larkspur()) {
        let value = json!({
            "oidc": {"issuerUri": "https://token.actions.githubusercontent.com", "allowedAudiences": ["a"]},
            "attributeMapping": {"google.subject": "assertion.sub"}, "attributeCondition": condition,
        });
        let document = document(&value);
        let found: Vec<(&str, Severity)> = document.lint().iter().map(|one| (one.id, one.severity)).collect();
        let is_let_in = |token: Json| document.evaluate(&job(&token)).is_allowed();
        let strangers = [
            ("quillon", "api"), ("larkspur-evil", "api"), ("evil-larkspur", "api"), ("quillon", "larkspur"),
        ];
        for (owner, name) in strangers {
            for reference in ["refs/heads/main", "refs/heads/x"] {
                for environment in [None, Some("prod")] {
                    let mut token = github(owner, "99", name, "99", reference);
                    if let Some(environment) = environment {
                        token["environment"] = json!(environment);
                        token["sub"] = json!(format!("repo:{owner}/{name}:environment:{environment}"));
                    }
                    if is_let_in(token) {
                        let is_told = found.iter().any(|(id, severity)| STRANGERS.contains(id) && *severity >= Severity::High);
                        prop_assert!(is_told, "{} lets in {}/{}: {:?}", condition, owner, name, found);
                    }
                }
            }
        }
        if is_let_in(github("larkspur", "57", "web", "72", "refs/heads/main")) {
            prop_assert!(!found.is_empty(), "{} lets in another repository", condition);
        }
        if is_let_in(github("larkspur", "57", "api", "71", "refs/heads/x")) {
            let is_told = found.iter().any(|(_, severity)| *severity >= Severity::Medium);
            prop_assert!(is_told, "{} lets in another branch: {:?}", condition, found);
        }
    }
}
