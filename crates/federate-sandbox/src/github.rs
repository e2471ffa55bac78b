//! A GitHub Actions job (<https://docs.github.com/actions/reference/security/oidc>).

use federate_core::{ChildValue, ClaimPattern, Claims, Issuer, NamePattern, Secret};
use serde_json::{Map, Value as Json, json};

use crate::ci::{CiSystem, Facts, Validity, Wishes, quoted};

const SHA: &str = "6677abb3b724f1d6f80792c657c0feeab97d7776";
/// Never reached: a job's own addresses, which only messages show.
const SERVER: &str = "https://github.com";

/// GitHub Actions, on github.com.
pub(crate) struct GitHub;

impl CiSystem for GitHub {
    fn name(&self) -> &'static str {
        "github"
    }

    fn title(&self) -> &'static str {
        "GitHub"
    }

    fn default_issuer(&self) -> &'static str {
        "https://token.actions.githubusercontent.com"
    }

    fn keys_path(&self) -> &'static str {
        "/.well-known/jwks"
    }

    fn validity(&self) -> Validity {
        Validity { before: 300, after: 300 }
    }

    fn known_claims(&self) -> &'static [&'static str] {
        &[
            "actor",
            "actor_id",
            "base_ref",
            "check_run_id",
            "enterprise",
            "enterprise_id",
            "environment",
            "event_name",
            "head_ref",
            "job_workflow_ref",
            "job_workflow_sha",
            "ref",
            "ref_protected",
            "ref_type",
            "repository",
            "repository_id",
            "repository_owner",
            "repository_owner_id",
            "repository_visibility",
            "run_attempt",
            "run_id",
            "run_number",
            "runner_environment",
            "sha",
            "workflow",
            "workflow_ref",
            "workflow_sha",
        ]
    }

    fn claims(&self, _issuer: &Issuer, entry: Option<&ClaimPattern>, wishes: &Wishes) -> Map<String, Json> {
        let facts = Facts { wishes, entry };
        let subject = facts.subject().unwrap_or_default();
        let context = subject.strip_prefix("repo:").and_then(|rest| rest.split_once(':')).map_or("", |(_, rest)| rest);
        let repository = facts.or("repository", "quarry-street/ledger");
        let owner = facts.or("repository_owner", repository.split('/').next().unwrap_or_default());
        let event = facts.or("event_name", if context == "pull_request" { "pull_request" } else { "push" });
        let is_pull_request = event == "pull_request";
        let environment = facts.get("environment").filter(|name| !name.is_empty());
        let reference = reference(wishes, context.strip_prefix("ref:"), is_pull_request);
        let kind = facts.or("ref_type", if reference.starts_with("refs/tags/") { "tag" } else { "branch" });
        let sha = facts.or("sha", SHA);
        let file = if is_pull_request { "check" } else { "deploy" };
        let workflow_ref = format!("{repository}/.github/workflows/{file}.yml@{reference}");
        let escaped = |value: &str| value.replace(':', "%3A");
        let context = match &environment {
            Some(name) => format!("environment:{}", escaped(name)),
            None if is_pull_request => "pull_request".to_owned(),
            None => format!("ref:{}", escaped(&reference)),
        };
        let mut claims = json!({
            "sub": format!("repo:{repository}:{context}"),
            "ref": reference,
            "sha": sha,
            "repository": repository,
            "repository_owner": owner,
            "repository_owner_id": "990011",
            "run_id": "20480033117",
            "run_number": "42",
            "run_attempt": "1",
            "repository_visibility": "private",
            "repository_id": "770022",
            "actor_id": "5550123",
            "actor": "mira-okafor",
            "workflow": file,
            "head_ref": if is_pull_request { "feature/rounding" } else { "" },
            "base_ref": if is_pull_request { "main" } else { "" },
            "event_name": event,
            "ref_protected": (reference == "refs/heads/main").to_string(),
            "ref_type": kind,
            "workflow_ref": workflow_ref,
            "workflow_sha": sha,
            "job_workflow_ref": workflow_ref,
            "job_workflow_sha": sha,
            "check_run_id": "55501230987",
            "runner_environment": "github-hosted",
        });
        for name in ["repository_id", "repository_owner_id", "job_workflow_ref"] {
            if let Some(value) = facts.get(name) {
                claims[name] = json!(value);
            }
        }
        if let Some(environment) = environment {
            claims["environment"] = json!(environment);
        }
        match claims {
            Json::Object(claims) => claims,
            _ => Map::new(),
        }
    }

    fn default_audience(&self, claims: &Claims) -> Option<String> {
        Some(format!("{SERVER}/{}", claims.text("repository_owner")?))
    }

    fn variables(&self, _issuer: &Issuer, claims: &Claims) -> Vec<(String, String)> {
        let text = |name: &str| claims.text(name).unwrap_or_default();
        let reference = text("ref");
        let short =
            ["refs/heads/", "refs/tags/", "refs/pull/"].iter().find_map(|prefix| reference.strip_prefix(prefix));
        let mut set: Vec<(String, String)> = [
            ("CI", "true".to_owned()),
            ("GITHUB_ACTIONS", "true".to_owned()),
            ("GITHUB_SERVER_URL", SERVER.to_owned()),
            ("GITHUB_API_URL", "https://api.github.com".to_owned()),
            ("GITHUB_REF_NAME", short.unwrap_or(&reference).to_owned()),
            ("GITHUB_JOB", text("workflow")),
            ("RUNNER_OS", "Linux".to_owned()),
            ("RUNNER_ARCH", if cfg!(target_arch = "aarch64") { "ARM64" } else { "X64" }.to_owned()),
            ("RUNNER_NAME", "federate sandbox".to_owned()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into();
        let same = [
            ("GITHUB_REPOSITORY", "repository"),
            ("GITHUB_REPOSITORY_ID", "repository_id"),
            ("GITHUB_REPOSITORY_OWNER", "repository_owner"),
            ("GITHUB_REPOSITORY_OWNER_ID", "repository_owner_id"),
            ("GITHUB_REF", "ref"),
            ("GITHUB_REF_TYPE", "ref_type"),
            ("GITHUB_REF_PROTECTED", "ref_protected"),
            ("GITHUB_HEAD_REF", "head_ref"),
            ("GITHUB_BASE_REF", "base_ref"),
            ("GITHUB_EVENT_NAME", "event_name"),
            ("GITHUB_RUN_ID", "run_id"),
            ("GITHUB_RUN_NUMBER", "run_number"),
            ("GITHUB_RUN_ATTEMPT", "run_attempt"),
            ("GITHUB_SHA", "sha"),
            ("GITHUB_ACTOR", "actor"),
            ("GITHUB_ACTOR_ID", "actor_id"),
            ("GITHUB_WORKFLOW", "workflow"),
            ("GITHUB_WORKFLOW_REF", "workflow_ref"),
            ("GITHUB_WORKFLOW_SHA", "workflow_sha"),
            ("RUNNER_ENVIRONMENT", "runner_environment"),
        ];
        set.extend(same.map(|(variable, claim)| (variable.to_owned(), text(claim))));
        set
    }

    fn token_path(&self) -> Option<&'static str> {
        Some("/github/token")
    }

    fn request_variables(&self, url: &str, bearer: &Secret) -> Vec<(String, ChildValue)> {
        vec![
            // The real URL has a query as well: whoever appends `?audience=` to it finds out here.
            ("ACTIONS_ID_TOKEN_REQUEST_URL".to_owned(), ChildValue::Plain(format!("{url}?api-version=2.0"))),
            ("ACTIONS_ID_TOKEN_REQUEST_TOKEN".to_owned(), ChildValue::Secret(bearer.clone())),
        ]
    }

    fn file_variables(&self) -> &'static [&'static str] {
        &["GITHUB_ENV", "GITHUB_OUTPUT", "GITHUB_PATH", "GITHUB_STEP_SUMMARY"]
    }

    fn job_variables(&self) -> &'static [NamePattern] {
        &[NamePattern::Prefix("GITHUB_"), NamePattern::Prefix("ACTIONS_"), NamePattern::Prefix("RUNNER_")]
    }

    fn stranger(&self) -> &'static [(&'static str, &'static str)] {
        &[("repository", "mallory/ledger"), ("repository_id", "666")]
    }

    fn allow_entry(&self, claims: &Claims) -> String {
        let text = |name: &str| claims.text(name).unwrap_or_default();
        let reference = text("ref");
        let job = match claims.text("environment") {
            Some(environment) => format!("environment = {}", quoted(&environment)),
            None if text("event_name") == "pull_request" => "pull_request = true".to_owned(),
            None => match reference.strip_prefix("refs/tags/") {
                Some(tag) => format!("tag = {}", quoted(tag)),
                None => format!("branch = {}", quoted(reference.strip_prefix("refs/heads/").unwrap_or(&reference))),
            },
        };
        format!(r#"{{ identity = "github", repository = {}, {job} }}"#, quoted(&text("repository")))
    }
}

/// `ref` in full; it may be wished for without `refs/heads/`.
fn reference(wishes: &Wishes, hinted: Option<&str>, is_pull_request: bool) -> String {
    match (wishes.get("ref"), hinted) {
        (Some(full), _) if full.starts_with("refs/") => full.to_owned(),
        (Some(tag), _) if wishes.get("ref_type") == Some("tag") => format!("refs/tags/{tag}"),
        (Some(branch), _) => format!("refs/heads/{branch}"),
        (None, _) if is_pull_request => "refs/pull/27/merge".to_owned(),
        (None, Some(full)) => full.replace("%3A", ":"),
        (None, None) if wishes.get("ref_type") == Some("tag") => "refs/tags/v1.4.0".to_owned(),
        (None, None) => "refs/heads/main".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use federate_core::Pattern;

    /// The claims of GitHub's reference and of a real token, without issuer, audience, times and `jti`.
    const DOCUMENTED: &str = "actor actor_id base_ref check_run_id event_name head_ref job_workflow_ref job_workflow_sha \
        ref ref_protected ref_type repository repository_id repository_owner repository_owner_id repository_visibility \
        run_attempt run_id run_number runner_environment sha sub workflow workflow_ref workflow_sha";

    fn claims(entry: Option<&ClaimPattern>, pairs: &[(&str, &str)]) -> Claims {
        let pairs: Vec<(String, String)> = pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let wishes = Wishes::new(&GitHub, &pairs).unwrap();
        Claims::new(GitHub.claims(&Issuer::parse(GitHub.default_issuer()).unwrap(), entry, &wishes))
    }

    #[test]
    fn a_sample_job_says_what_is_documented() {
        let claims = claims(None, &[]);
        assert_eq!(claims.names().collect::<Vec<_>>(), DOCUMENTED.split_whitespace().collect::<Vec<_>>());
        assert!(claims.as_map().values().all(Json::is_string), "every claim of the job is a string");
        assert_eq!(claims.subject(), Some("repo:quarry-street/ledger:ref:refs/heads/main"));
        assert_eq!(GitHub.default_audience(&claims).as_deref(), Some("https://github.com/quarry-street"));
    }

    #[test]
    fn an_environment_goes_before_a_pull_request_before_a_ref() {
        for (wishes, context) in [
            (
                vec![("environment", "production:eastus"), ("event_name", "pull_request")],
                "environment:production%3Aeastus",
            ),
            (vec![("event_name", "pull_request"), ("ref", "x")], "pull_request"),
            (vec![("ref", "feature/x")], "ref:refs/heads/feature/x"),
            (vec![("ref", "refs/tags/v1")], "ref:refs/tags/v1"),
            (vec![("ref", "v1"), ("ref_type", "tag")], "ref:refs/tags/v1"),
            (vec![("event_name", "workflow_dispatch")], "ref:refs/heads/main"),
        ] {
            assert_eq!(claims(None, &wishes).subject(), Some(format!("repo:quarry-street/ledger:{context}").as_str()));
        }
        let pull_request = claims(None, &[("event_name", "pull_request")]);
        assert_eq!(pull_request.text("ref").as_deref(), Some("refs/pull/27/merge"));
        assert_eq!(pull_request.text("head_ref").as_deref(), Some("feature/rounding"));
        assert_eq!(claims(None, &[("ref", "refs/tags/v1")]).text("ref_type").as_deref(), Some("tag"));
    }

    #[test]
    fn the_job_gets_in_where_an_entry_asks_for_it() {
        let issuer = Issuer::parse(GitHub.default_issuer()).unwrap();
        let tails = [":environment:production%3Aeu", ":pull_request", ":ref:refs/heads/release/*", ":ref:refs/tags/v*"];
        for tail in tails {
            let mut asked = vec![
                ("repository".to_owned(), Pattern::exact("o/r")),
                ("repository_id".to_owned(), Pattern::exact("5")),
            ];
            if tail.starts_with(":environment") {
                asked.push(("environment".to_owned(), Pattern::exact("production:eu")));
            }
            let entry = ClaimPattern {
                provider: "github",
                issuer: issuer.clone(),
                label: "the test".to_owned(),
                subjects: vec![
                    Pattern::exact("repo:o/r").then_glob(tail),
                    Pattern::exact("repo:o@").then_digits().then("/r@5").then_glob(tail),
                ],
                claims: asked,
                absent: Vec::new(),
            };
            let mut job = claims(Some(&entry), &[]).as_map().clone();
            job.insert("iss".to_owned(), json!(issuer.as_str()));
            assert_eq!(entry.mismatches(&Claims::new(job)), [], "{tail}");
        }
    }

    #[test]
    fn variables_agree_with_the_claims() {
        let job = claims(None, &[("ref", "refs/tags/v1"), ("repository", "octo/app")]);
        let variables = GitHub.variables(&Issuer::parse(GitHub.default_issuer()).unwrap(), &job);
        let variable = |name: &str| variables.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
        assert_eq!(variable("GITHUB_REF_NAME"), Some("v1"));
        assert_eq!(variable("GITHUB_REPOSITORY_OWNER"), Some("octo"));
        assert_eq!(variable("GITHUB_WORKFLOW_REF"), Some("octo/app/.github/workflows/deploy.yml@refs/tags/v1"));
        assert_eq!(GitHub.allow_entry(&job), r#"{ identity = "github", repository = "octo/app", tag = "v1" }"#);
        assert!(
            GitHub.allow_entry(&claims(None, &[("event_name", "pull_request")])).ends_with("pull_request = true }")
        );
    }
}
