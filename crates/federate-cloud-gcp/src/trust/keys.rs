//! The token's claims as a provider could ask for them.

use federate_core::Claims;
use federate_trust::{Family, Provider as Issuer};

use super::claims;
use super::principal::LONGEST_SUBJECT;

/// Names in the order in which they are offered: the workload first, then which of its jobs.
fn names(family: Family) -> &'static [&'static [&'static str]] {
    // Of each row, the first that the token has.
    match family {
        Family::GitHub => &[&["repository_id", "repository"], &["environment", "ref"]],
        Family::GitLab => &[&["project_id", "project_path"], &["environment", "ref"], &["ref_type"]],
        Family::Terraform => &[
            &["terraform_organization_id", "terraform_organization_name"],
            &["terraform_workspace_id", "terraform_workspace_name"],
            &["terraform_run_phase"],
        ],
        Family::Buildkite => {
            &[&["organization_id", "organization_slug"], &["pipeline_id", "pipeline_slug"], &["build_branch"]]
        }
        Family::CircleCi => &[&["oidc.circleci.com/project-id"], &["oidc.circleci.com/vcs-ref"]],
        Family::Bitbucket => &[&["repositoryUuid"], &["deploymentEnvironmentUuid", "branchName"]],
        _ => &[&["sub"]],
    }
}

/// Claims that are worth mapping, so that members of IAM policies can name them.
const MAPPED: &[&str] = &[
    "repository",
    "repository_id",
    "repository_owner",
    "repository_owner_id",
    "project_path",
    "project_id",
    "namespace_path",
    "namespace_id",
    "ref",
    "environment",
    "terraform_organization_id",
    "terraform_workspace_id",
    "organization_id",
    "pipeline_id",
    "build_branch",
];

/// A claim as an expression.
pub(super) fn path(claim: &str) -> String {
    let is_name = claim.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        && claim.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_');
    if is_name { format!("assertion.{claim}") } else { format!("assertion[{}]", quoted(claim)) }
}

fn quoted(text: &str) -> String {
    if text.contains(['\'', '\\']) || text.chars().any(char::is_control) {
        return serde_json::Value::from(text).to_string();
    }
    format!("'{text}'")
}

/// The condition that this job meets, and no other workload.
pub(super) fn condition(token: &Claims) -> String {
    let family = claims::family(&Issuer::new(token.issuer().unwrap_or_default()), token.names());
    let test = |name: &str| match token.get(name)? {
        serde_json::Value::String(value) => Some(format!("{} == {}", path(name), quoted(value))),
        value @ (serde_json::Value::Bool(_) | serde_json::Value::Number(_)) => {
            Some(format!("{} == {value}", path(name)))
        }
        _ => None,
    };
    let tests: Vec<String> = names(family).iter().filter_map(|row| row.iter().find_map(|name| test(name))).collect();
    if tests.is_empty() { test("sub").unwrap_or_else(|| "false".to_owned()) } else { tests.join(" && ") }
}

/// Issuer, audience, mapping and condition, ready to paste.
pub(super) fn keys(token: &Claims) -> Vec<(String, String)> {
    let mut all: Vec<(String, String)> = Vec::new();
    let mut add = |key: &str, value: String| all.push((key.to_owned(), value));
    if let Some(issuer) = token.issuer() {
        add("issuerUri", issuer.to_owned());
    }
    let audiences = token.audiences();
    if !audiences.is_empty() {
        add("allowedAudiences", audiences.join(" "));
    }
    let is_short = token.subject().is_some_and(|subject| subject.len() <= LONGEST_SUBJECT);
    let short = ["repository_id", "project_id", "pipeline_id"].into_iter().find(|name| token.get(name).is_some());
    let subject = if is_short { "sub" } else { short.unwrap_or("sub") };
    add("attributeMapping.google.subject", path(subject));
    for name in MAPPED.iter().filter(|name| token.text(name).is_some()) {
        add(&format!("attributeMapping.attribute.{name}"), path(name));
    }
    add("attributeCondition", condition(token));
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn keys_of(value: serde_json::Value) -> Vec<(String, String)> {
        keys(&Claims::new(value.as_object().cloned().unwrap_or_default()))
    }

    #[test]
    fn a_job_by_its_ids() {
        let all = keys_of(json!({
            "iss": "https://token.actions.githubusercontent.com", "aud": "x", "sub": "repo:o/r:ref:refs/heads/main",
            "repository": "o/r", "repository_id": "7", "ref": "refs/heads/main",
        }));
        let value = |key: &str| all.iter().find(|(known, _)| known == key).map(|(_, value)| value.as_str());
        assert_eq!(
            value("attributeCondition"),
            Some("assertion.repository_id == '7' && assertion.ref == 'refs/heads/main'")
        );
        assert_eq!(value("attributeMapping.google.subject"), Some("assertion.sub"));
        assert_eq!(value("attributeMapping.attribute.repository_id"), Some("assertion.repository_id"));
    }

    #[test]
    fn names_and_values_are_quoted() {
        let circle = keys_of(json!({"iss": "https://oidc.circleci.com/org/1", "oidc.circleci.com/project-id": "it's"}));
        let condition = &circle.last().unwrap().1;
        assert_eq!(condition, "assertion['oidc.circleci.com/project-id'] == \"it's\"");
        let long = keys_of(json!({"iss": "https://gitlab.com", "sub": "x".repeat(200), "project_id": "5"}));
        assert!(long.contains(&("attributeMapping.google.subject".to_owned(), "assertion.project_id".to_owned())));
        assert_eq!(keys_of(json!({})).last().unwrap().1, "false");
    }
}
