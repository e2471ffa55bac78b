//! Whoever is let in is told by a grant.

use federate_trust::{Glob, Grant};
use proptest::prelude::*;
use serde_json::{Value as Json, json};

use super::properties::{github, meant_for_larkspur};
use super::{NAME, cases, document, job, provider, with};

/// Does the grant mean the token: by its issuer, its subject and every other claim that it names?
fn covers(grant: &Grant, token: &Json) -> bool {
    let in_any_case = grant.conditions.iter().any(|condition| condition == "in upper or lower case");
    let fold = |text: &str| if in_any_case { text.to_lowercase() } else { text.to_owned() };
    let text = |value: &Json| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let fits = |pattern: &str, is_pattern: bool, value: &str| {
        let pattern = if is_pattern { Glob::parse(&fold(pattern)) } else { Glob::literal(&fold(pattern)) };
        pattern.matches(&fold(value))
    };
    let issuer = token["iss"].as_str().unwrap().trim_start_matches("https://");
    grant.never.is_none()
        && grant.issuer == issuer
        && grant.subject.as_deref().is_none_or(|pattern| fits(pattern, true, token["sub"].as_str().unwrap()))
        && grant.pins.iter().all(|pin| {
            let own = match &token[&pin.claim] {
                Json::Array(many) => many.iter().map(text).collect(),
                Json::Null => Vec::new(),
                one => vec![text(one)],
            };
            own.iter().any(|own| pin.values.iter().any(|value| fits(value, pin.is_pattern, own)))
        })
}

#[test]
fn whoever_gets_in_is_told_by_a_grant() {
    let (mut wrong, mut seen) = (Vec::new(), 0);
    for entry in cases() {
        let document = document(&entry);
        let grants = document.grants();
        for case in entry["cases"].as_array().unwrap() {
            if document.evaluate(&job(&case["claims"])).is_allowed() {
                seen += 1;
                if !grants.iter().any(|grant| covers(grant, &case["claims"])) {
                    wrong.push(format!("{}: {}: {grants:#?}", entry["id"], case["why"]));
                }
            }
        }
    }
    assert!(seen > 50 && wrong.is_empty(), "{seen} {}", wrong.join("\n"));
}

/// `WORKLOAD: CONTEXT [CONDITIONS] -> PRINCIPAL {FINDINGS}`, a `!` before what nobody can take.
fn told(value: &Json) -> Vec<String> {
    let one = |grant: &Grant| {
        let mark = if grant.never.is_some() { "!" } else { "" };
        let becomes =
            grant.becomes.as_ref().map_or_else(|| "?".to_owned(), |label| format!("{} {}", label.noun, label.name));
        let ids: Vec<&str> = grant.findings.iter().map(|finding| finding.id).collect();
        format!(
            "{mark}{}: {} [{}] -> {becomes} {{{}}}",
            grant.workload,
            grant.context,
            grant.conditions.join("; "),
            ids.join(" ")
        )
    };
    document(value).grants().iter().map(one).collect()
}

const GITHUB: &str = "https://token.actions.githubusercontent.com";

fn condition(text: &str) -> Json {
    json!({
        "name": NAME, "oidc": {"issuerUri": GITHUB}, "attributeCondition": text,
        "attributeMapping": {
            "google.subject": "assertion.sub", "attribute.repository": "assertion.repository.lowerAscii()",
            "attribute.environment": "has(assertion.environment) ? assertion.environment : 'none'",
        },
    })
}

#[test]
fn conditions_are_told_way_by_way() {
    for (text, expected) in [
        (
            "assertion.repository in ['acme/api', 'acme/web'] && assertion.ref == 'refs/heads/main'",
            &[
                "acme/api: branch main [] -> pool ci {gcp-mutable-name}",
                "acme/web: branch main [] -> pool ci {gcp-mutable-name}",
            ][..],
        ),
        (
            "assertion.repository_id == '7' || assertion.sub.startsWith('repo:acme/') && assertion.actor != 'mira-k'",
            &[
                "repository id 7: any job [] -> pool ci {gcp-any-ref}",
                "any repository of acme: any job [except actor is mira-k] -> pool ci {gcp-org-wide gcp-mutable-name}",
            ],
        ),
        (
            "assertion.repository.startsWith('acme')",
            &["any repository of acme*: any job [] -> pool ci {gcp-prefix-without-slash}"],
        ),
        (
            "attribute.repository == 'acme/api' && has(assertion.environment)",
            &[
                "acme/api: any job [environment is present; in upper or lower case] -> pool ci {gcp-any-ref gcp-mutable-name}",
            ],
        ),
        (
            "attribute.environment in ['prod', 'none'] && assertion.repository_id == '7'",
            &[
                "repository id 7: environment prod or environment none [] -> pool ci {}",
                "repository id 7: any job [environment is absent] -> pool ci {gcp-any-ref}",
            ],
        ),
        (
            "['acme/a', 'acme/b'].exists(r, r == assertion.repository)",
            &[
                "any repository that the expression holds for: any job [a macro over ['acme/a', 'acme/b']] -> pool ci {gcp-any-ref gcp-mutable-name}",
            ],
        ),
        (
            "assertion.workflow_ref.startsWith('acme/api/')",
            &["acme/api: any job [workflow_ref like acme/api/*] -> pool ci {gcp-any-ref gcp-mutable-name}"],
        ),
        ("true", &["anyone: any job [] -> pool ci {gcp-trivial-condition}"]),
        (
            "assertion.sub == 'repo:acme/*'",
            &["!anyone: any job [assertion.sub == 'repo:acme/*'] -> pool ci {gcp-wildcard-literal}"],
        ),
    ] {
        assert_eq!(told(&condition(text)), expected, "{text}");
    }
}

fn member(rest: &str) -> String {
    let set = if rest.starts_with("subject") { "principal" } else { "principalSet" };
    format!("{set}://iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/ci/{rest}")
}

#[test]
fn members_decide_who_becomes_whom() {
    let account = |name: &str| format!("{name}@example-prj.iam.gserviceaccount.com");
    let policy = |role: &str, members: &[String]| json!({"bindings": [{"role": role, "members": members}]});
    let user = "roles/iam.workloadIdentityUser";
    let value = json!({
        "provider": condition("assertion.repository_owner_id == '57'"),
        "accounts": [
            {"email": account("deploy"), "policy": policy(user, &[member("attribute.repository/acme/api"), member("attribute.ref/main")])},
            {"email": account("plan"), "policy": policy(user, &[member("*")])},
        ],
        "policy": {"bindings": [{
            "role": "roles/viewer", "members": [member("subject/repo:acme/api:environment:prod")],
            "condition": {"title": "t", "expression": "request.time < timestamp('2027-01-01T00:00:00Z')"},
        }]},
    });
    let mut lines = told(&value);
    lines.sort();
    assert_eq!(
        lines,
        [
            "!any repository of owner id 57: any job [] -> service account deploy {gcp-binding-unmapped}",
            "acme/api: any job [repository_owner_id is 57; in upper or lower case] -> service account deploy {}",
            "acme/api: environment prod [repository_owner_id is 57; with roles/viewer; IAM condition, not evaluated: request.time < timestamp('2027-01-01T00:00:00Z')] -> ? {}",
            "any repository of owner id 57: any job [] -> service account plan {gcp-binding-pool-wide gcp-org-wide}",
        ]
    );
    let grants = document(&value).grants();
    let deploy = grants.iter().filter_map(|grant| grant.becomes.as_ref()).find(|label| label.name == "deploy").unwrap();
    assert_eq!((deploy.place.as_str(), &deploy.id), ("Google Cloud project example-prj", &account("deploy")));

    let elsewhere = with(provider(), json!({"bindings": ["user:mira@example.com"]}));
    assert_eq!(told(&elsewhere), ["!project id 7: ref main [] -> pool ci {}"]);
    let contradiction = with(provider(), json!({"bindings": [member("attribute.project_id/8")]}));
    assert_eq!(told(&contradiction), ["!project id 8: any job [] -> ? {}"]);
    let disabled = with(provider(), json!({"disabled": true}));
    assert_eq!(told(&disabled), ["!project id 7: ref main [] -> pool ci {}"]);
    assert_eq!(document(&provider()).home().as_deref(), Some("Google Cloud project 1"));
}

#[test]
fn an_iam_condition_is_evaluated_where_the_moment_decides_and_else_said() {
    let claims = super::claims();
    let note = |bindings: Json| {
        let verdict = document(&with(provider(), json!({"bindings": bindings}))).evaluate(&job(&claims));
        let check = verdict.statements[0].checks.iter().find(|check| check.key == "bindings").unwrap();
        (verdict.is_allowed(), check.note.clone())
    };
    let (mine, other) = (member("attribute.project_id/7"), member("attribute.project_id/8"));
    let binding = |member: &str, condition: Json| json!({"role": "r", "members": [member], "condition": condition});
    let when = json!({"title": "t", "expression": "request.time < x"});
    let (is_allowed, told) = note(json!([binding(&mine, when.clone())]));
    assert!(is_allowed && told.unwrap().contains("not evaluated: request.time < x"));
    assert_eq!(note(json!([binding(&mine, when.clone()), binding(&mine, Json::Null)])), (true, None));
    assert_eq!(note(json!([binding(&mine, json!([]))])), (true, None));
    assert_eq!(note(json!([binding(&other, when)])), (false, None));
    let until = |moment: &str| json!({"title": "t", "expression": format!("request.time < timestamp('{moment}')")});
    let (past, future) = (until("2001-01-01T00:00:00Z"), until("9001-01-01T00:00:00Z"));
    let (is_allowed, told) = note(json!([binding(&mine, past.clone())]));
    assert!(!is_allowed && told.unwrap().contains("does not hold at this time: request.time < "));
    assert_eq!(note(json!([binding(&mine, past), binding(&mine, future)])), (true, None));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Whoever is let in, by whatever condition and member, is told by a grant.
    #[test]
    fn nobody_gets_in_untold(
        text in meant_for_larkspur(),
        rest in "\\*|attribute\\.(repository/larkspur/(api|web)|environment/(prod|none)|both/larkspur/api@refs/heads/main)|subject/repo:larkspur/api:environment:prod",
        is_bound: bool,
        folds: bool,
    ) {
        let mapped = if folds { "assertion.repository.lowerAscii()" } else { "assertion.repository" };
        let text = if folds { text.replace("assertion.repository", "attribute.repository") } else { text };
        let text = text.replace("assertion.environment", "attribute.environment").replace("attribute.repository_", "assertion.repository_");
        let mut value = json!({
            "name": NAME, "oidc": {"issuerUri": GITHUB, "allowedAudiences": ["a"]}, "attributeCondition": text,
            "attributeMapping": {
                "google.subject": "assertion.sub", "attribute.repository": mapped, "attribute.both": "assertion.repository + '@' + assertion.ref",
                "attribute.environment": "has(assertion.environment) ? assertion.environment : 'none'",
            },
        });
        if is_bound {
            value["bindings"] = json!([member(&rest)]);
        }
        let document = document(&value);
        let grants = document.grants();
        for (owner, name) in [("larkspur", "api"), ("Larkspur", "API"), ("larkspur", "web"), ("larkspur-evil", "api"), ("quillon", "larkspur")] {
            for reference in ["refs/heads/main", "refs/heads/x"] {
                for environment in [None, Some("prod")] {
                    let mut token = github(owner, if owner == "larkspur" { "57" } else { "99" }, name, "7", reference);
                    if let Some(environment) = environment {
                        token["environment"] = json!(environment);
                        token["sub"] = json!(format!("repo:{owner}/{name}:environment:{environment}"));
                    }
                    if document.evaluate(&job(&token)).is_allowed() {
                        prop_assert!(grants.iter().any(|grant| covers(grant, &token)), "{} lets in {}: {:#?}", value, token, grants);
                    }
                }
            }
        }
    }
}
