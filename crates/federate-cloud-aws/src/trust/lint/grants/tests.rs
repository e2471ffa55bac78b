use super::*;
use serde_json::{Value as Json, json};

const GITHUB: &str = "token.actions.githubusercontent.com";

fn statement(effect: &str, principal: Json, conditions: Json) -> Json {
    json!({
        "Effect": effect, "Principal": principal, "Action": "sts:AssumeRoleWithWebIdentity", "Condition": conditions,
    })
}

fn provider(issuer: &str) -> Json {
    json!({"Federated": format!("arn:aws:iam::111122223333:oidc-provider/{issuer}")})
}

fn grants_of(statements: Json) -> Vec<Grant> {
    let policy = json!({"Version": "2012-10-17", "Statement": statements});
    grants(&crate::trust::parse::policy(&policy, Vec::new(), &crate::trust::template::Template::default()).unwrap())
}

/// `WORKLOAD: CONTEXT [CONDITIONS]`, a `!` before what nobody can take.
fn told(statements: Json) -> Vec<String> {
    let one = |grant: Grant| {
        let mark = if grant.never.is_some() { "!" } else { "" };
        format!("{mark}{}: {} [{}]", grant.workload, grant.context, grant.conditions.join("; "))
    };
    grants_of(statements).into_iter().map(one).collect()
}

#[test]
fn every_value_of_the_subject_is_a_way_in() {
    let conditions = json!({
        "StringEquals": {"token.actions.githubusercontent.com:aud": "sts.amazonaws.com"},
        "StringLike": {"token.actions.githubusercontent.com:sub": ["repo:acme/api:ref:refs/heads/main", "repo:acme/*", "acme/api"]},
        "IpAddress": {"aws:SourceIp": "203.0.113.0/24"},
    });
    let statements = json!([statement("Allow", provider(GITHUB), conditions)]);
    assert_eq!(
        told(statements.clone()),
        [
            "acme/api: branch main [aws:SourceIp in 203.0.113.0/24]",
            "any repository of acme: any job [aws:SourceIp in 203.0.113.0/24]",
            "!acme/api: any job [aws:SourceIp in 203.0.113.0/24]",
        ]
    );
    let ids = |grant: &Grant| grant.findings.iter().map(|finding| finding.id).collect::<Vec<_>>();
    let found = grants_of(statements);
    assert!(ids(&found[1]).contains(&"org-wide") && !ids(&found[0]).contains(&"org-wide"), "{found:?}");
    assert!(ids(&found[2]).contains(&"sub-never-matches") && !ids(&found[0]).contains(&"sub-never-matches"));
}

#[test]
fn literal_asterisks_and_foreign_keys_let_nobody_in() {
    let literal = json!({"StringEquals": {"gitlab.com:sub": "project_path:g/p:*"}});
    assert_eq!(told(json!([statement("Allow", provider("gitlab.com"), literal)])), ["!g/p: any job []"]);
    let foreign = json!({"StringEquals": {"gitlab.example.com:sub": "project_path:g/p:ref_type:branch:ref:main"}});
    let found = grants_of(json!([statement("Allow", provider("gitlab.com"), foreign)]));
    assert!(found[0].never.is_some() && found[0].workload == "anyone", "{found:?}");
}

#[test]
fn denies_and_negations_are_exceptions() {
    let allow = |conditions: Json| statement("Allow", provider("gitlab.com"), conditions);
    let main = json!({"StringLike": {"gitlab.com:sub": "project_path:g/p:*"}});
    for (deny, expected) in [
        (
            json!({"StringLike": {"gitlab.com:sub": "project_path:g/p:ref_type:tag:*"}}),
            "g/p: any job [except where sub like project_path:g/p:ref_type:tag:*]",
        ),
        (json!({"StringNotEquals": {"gitlab.com:project_id": "7"}}), "g/p: any job [only where project_id is 7]"),
        (json!({"StringLike": {"gitlab.com:sub": "project_path:other/*"}}), "g/p: any job []"),
        (
            json!({"Bool": {"aws:SecureTransport": "false"}, "Null": {"gitlab.com:user_id": "true"}}),
            "g/p: any job [except where aws:SecureTransport is false and user_id is absent]",
        ),
        (json!({}), "!g/p: any job []"),
        (json!({"StringLike": {"gitlab.com:sub": "*"}}), "!g/p: any job []"),
    ] {
        let statements = json!([allow(main.clone()), statement("Deny", json!("*"), deny.clone())]);
        assert_eq!(told(statements), [expected], "{deny}");
    }
    let elsewhere = json!([allow(main.clone()), statement("Deny", provider(GITHUB), json!({}))]);
    assert_eq!(told(elsewhere), ["g/p: any job []"]);
    let negated = json!({"StringNotLike": {"gitlab.com:sub": "project_path:g/p:*"}});
    assert_eq!(told(json!([allow(negated)])), ["anyone: any job [except sub like project_path:g/p:*]"]);
}

#[test]
fn other_claims_and_open_principals_are_told() {
    let by_id = json!({"StringEquals": {"gitlab.com:project_id": "7", "gitlab.com:ref_protected": "true"}});
    assert_eq!(
        told(json!([statement("Allow", provider("gitlab.com"), by_id)])),
        ["project id 7: any job [ref_protected is true]"]
    );
    let if_exists = json!({"StringEqualsIfExists": {"gitlab.com:project_id": "7"}});
    assert_eq!(
        told(json!([statement("Allow", provider("gitlab.com"), if_exists)])),
        ["anyone: any job [project_id is 7 if present]"]
    );
    let issuer = |principal: Json, conditions: Json| {
        grants_of(json!([statement("Allow", principal, conditions)]))
            .into_iter()
            .map(|grant| grant.issuer)
            .collect::<Vec<_>>()
    };
    assert_eq!(issuer(json!("*"), json!({})), ["any identity provider"]);
    assert_eq!(issuer(json!("*"), json!({"StringLike": {"gitlab.com:sub": "*"}})), ["gitlab.com"]);
    assert_eq!(issuer(json!({"AWS": "arn:aws:iam::111122223333:root"}), json!({})), Vec::<String>::new());
}
