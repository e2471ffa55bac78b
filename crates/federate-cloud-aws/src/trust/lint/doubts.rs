//! What has no effect, or another one than it seems to have, and is not in the catalogue.

use federate_trust::Effect;

use crate::trust::explain;
use crate::trust::policy::{Policy, Statement, provider_of};
use crate::trust::template;

/// A sentence each. A Deny is looked at as well: one that never holds keeps nobody out.
pub(in crate::trust) fn doubts(policy: &Policy) -> Vec<String> {
    let mut all = Vec::new();
    for statement in &policy.statements {
        all.extend(of_principal(statement).into_iter().map(|doubt| format!("{}: {doubt}", statement.name())));
        for condition in &statement.conditions {
            let doubt = explain::doubt(condition);
            all.extend(doubt.map(|doubt| format!("{}: {doubt}", statement.spot_of(condition).text)));
        }
    }
    all
}

fn of_principal(statement: &Statement) -> Vec<String> {
    let principal = &statement.principal;
    let mut found = Vec::new();
    if principal.negated {
        // Access Analyzer: ROLE_TRUST_POLICY_SYNTAX_ERROR_NOTPRINCIPAL.
        found.push("AWS says that a role's trust policy takes no NotPrincipal: name those who are trusted".to_owned());
    }
    if principal.anyone && statement.effect == Effect::Allow {
        // Access Analyzer: ROLE_TRUST_POLICY_UNSUPPORTED_WILDCARD_IN_PRINCIPAL.
        found.push("the Principal `*` is everybody, and no rule is about that: name those who are trusted".to_owned());
    }
    let is_provider = |name: &str| match provider_of(name) {
        Some(provider) => !provider.contains("://"),
        None => name == "*" || name.contains(":saml-provider/") || template::is_open(name),
    };
    for name in principal.federated.iter().filter(|name| !is_provider(name)) {
        found.push(format!(
            "no token comes from `{name}`: a provider is arn:aws:iam::ACCOUNT:oidc-provider/ISSUER, the issuer without https://"
        ));
    }
    found
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};

    use super::*;
    use crate::trust::parse;
    use crate::trust::template::Template;

    fn of(statement: &Json) -> Vec<String> {
        let policy = json!({"Version": "2012-10-17", "Statement": [statement]});
        doubts(&parse::policy(&policy, Vec::new(), &Template::default()).unwrap())
    }

    fn statement(effect: &str, principal: Json, condition: Json) -> Json {
        json!({"Effect": effect, "Principal": principal, "Action": "sts:AssumeRoleWithWebIdentity", "Condition": condition})
    }

    #[test]
    fn values_that_fit_nothing_are_told_of_in_a_deny_too() {
        let gitlab = json!({"Federated": "arn:aws:iam::111122223333:oidc-provider/gitlab.com"});
        for (condition, expected) in [
            (json!({"StringEquals": {"gitlab.com:sub": []}}), vec!["StringEquals gitlab.com:sub: the list is empty"]),
            (json!({"NotIpAddress": {"aws:SourceIp": "203.0.113.0/33"}}), vec!["`203.0.113.0/33` is no address"]),
            (json!({"DateLessThan": {"aws:CurrentTime": ["2026-01-31", "soon"]}}), vec!["`soon` is no date"]),
            (
                json!({"NumericEquals": {"sts:DurationSeconds": "1h"}, "Bool": {"gitlab.com:ref_protected": "yes"}}),
                vec!["`yes` is neither true nor false", "`1h` is no number"],
            ),
            (
                json!({"Bool": {"gitlab.com:ref_protected": true}, "NumericEquals": {"sts:DurationSeconds": 900}}),
                vec![],
            ),
            (json!({"StringEquals": {"gitlab.com:sub": ""}}), vec![]),
        ] {
            for effect in ["Allow", "Deny"] {
                let found = of(&statement(effect, gitlab.clone(), condition.clone()));
                let fits = found.len() == expected.len()
                    && expected.iter().all(|part| found.iter().any(|doubt| doubt.contains(part)));
                assert!(fits, "{condition} {found:?}");
            }
        }
    }

    #[test]
    fn principals_that_no_rule_is_about_are_told_of() {
        for (principal, count) in [
            (json!("*"), 1),
            (json!({"AWS": "*"}), 1),
            (json!({"Federated": "token.actions.githubusercontent.com"}), 1),
            (
                json!({"Federated": ["arn:aws:iam::1:oidc-provider/https://gitlab.com", "arn:aws:iam::1:oidc-provider/gitlab.com"]}),
                1,
            ),
            (json!({"Federated": "arn:aws:iam::1:saml-provider/corp"}), 0),
            (json!({"Federated": "accounts.google.com"}), 0),
            (json!({"Federated": "<Provider>"}), 0),
            (json!({"AWS": "arn:aws:iam::111122223333:root"}), 0),
        ] {
            assert_eq!(of(&statement("Allow", principal.clone(), json!({}))).len(), count, "{principal}");
        }
        assert_eq!(of(&statement("Deny", json!("*"), json!({}))), Vec::<String>::new());
        let negated = json!({"Effect": "Deny", "NotPrincipal": {"Federated": "accounts.google.com"}, "Action": "*"});
        assert_eq!(of(&negated).len(), 1);
    }
}
