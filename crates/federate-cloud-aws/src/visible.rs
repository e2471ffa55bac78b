//! Which claims STS turns into condition keys, by issuer (AWS Service Authorization Reference for STS, 2026).

use federate_core::Claims;

const COMMON: &[&str] = &["sub", "amr", "email", "oaud"];
const GITHUB: &[&str] = &[
    "actor",
    "actor_id",
    "enterprise_id",
    "environment",
    "job_workflow_ref",
    "ref",
    "repository",
    "repository_id",
    "repository_owner_id",
    "workflow",
];
const GITLAB: &[&str] = &[
    "namespace_id",
    "pipeline_source",
    "project_id",
    "ref_protected",
    "runner_environment",
    "user_access_level",
    "user_email",
    "user_id",
    "user_login",
];
const BUILDKITE: &[&str] = &[
    "build_branch",
    "cluster_id",
    "cluster_name",
    "organization_id",
    "organization_slug",
    "pipeline_id",
    "pipeline_slug",
];
const CIRCLECI: &[&str] = &["oidc.circleci.com/project-id"];
const GOOGLE: &[&str] = &["google/organization_number"];

/// Google, Facebook and Amazon stand in the reference with keys of their own.
const FACEBOOK: &[&str] = &["app_id", "id"];
const AMAZON: &[&str] = &["app_id", "user_id"];

/// The condition keys that a trust policy can test for this token, with the token's values: `gitlab.com:sub`, …
pub(crate) fn condition_keys(claims: &Claims) -> Vec<(String, String)> {
    let issuer = claims.issuer().unwrap_or_default();
    let provider = issuer.split_once("://").map_or(issuer, |(_, rest)| rest);
    let mut keys = Vec::new();
    let audience = claims.text("azp").or_else(|| Some(claims.audiences().join(", ")).filter(|text| !text.is_empty()));
    keys.extend(audience.map(|audience| (format!("{provider}:aud"), audience)));
    for name in COMMON.iter().chain(special(provider)) {
        // The token's own audience has a key of its own only where `azp` took its place.
        let value =
            if *name == "oaud" { claims.get("azp").map(|_| claims.audiences().join(", ")) } else { claims.text(name) };
        keys.extend(value.map(|value| (format!("{provider}:{name}"), value)));
    }
    keys
}

/// The claims of this provider's tokens that become condition keys.
pub(crate) fn names(provider: &str) -> impl Iterator<Item = &'static str> {
    std::iter::once("aud").chain(COMMON.iter().chain(special(provider)).copied())
}

fn special(provider: &str) -> &'static [&'static str] {
    let host = provider.split('/').next().unwrap_or_default();
    let ghe = host.strip_prefix("token.actions.").and_then(|rest| rest.strip_suffix(".ghe.com")).is_some();
    match host {
        "token.actions.githubusercontent.com" => GITHUB,
        _ if ghe => GITHUB,
        "gitlab.com" => GITLAB,
        "agent.buildkite.com" => BUILDKITE,
        "oidc.circleci.com" => CIRCLECI,
        "accounts.google.com" => GOOGLE,
        "graph.facebook.com" => FACEBOOK,
        "www.amazon.com" => AMAZON,
        _ => &[],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn names(claims: serde_json::Value) -> Vec<String> {
        condition_keys(&Claims::new(claims.as_object().unwrap().clone()))
            .into_iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect()
    }

    #[test]
    fn what_sts_can_see_depends_on_the_issuer() {
        let seen = names(
            json!({"iss": "https://gitlab.com", "aud": "a", "sub": "s", "project_id": "1", "project_path": "g/p", "ref": "main"}),
        );
        assert_eq!(seen, ["gitlab.com:aud=a", "gitlab.com:sub=s", "gitlab.com:project_id=1"]);
        let seen = names(json!({"iss": "https://gitlab.example.com", "aud": "a", "sub": "s", "project_id": "1"}));
        assert_eq!(seen, ["gitlab.example.com:aud=a", "gitlab.example.com:sub=s"]);
        let seen = names(
            json!({"iss": "https://token.actions.githubusercontent.com/acme", "aud": "a", "sub": "s", "repository": "o/r", "event_name": "push"}),
        );
        assert_eq!(seen.last().unwrap(), "token.actions.githubusercontent.com/acme:repository=o/r");
    }

    #[test]
    fn azp_takes_the_place_of_aud() {
        assert_eq!(
            names(json!({"iss": "https://i", "aud": "a", "azp": "z", "sub": "s"})),
            ["i:aud=z", "i:sub=s", "i:oaud=a"]
        );
    }
}
