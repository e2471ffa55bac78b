//! A GitLab CI job (<https://docs.gitlab.com/ci/secrets/id_token_authentication/>).

use federate_core::{ChildValue, ClaimPattern, Claims, Issuer, NamePattern, Secret};
use serde_json::{Map, Value as Json, json};

use crate::ci::{CiSystem, Facts, Validity, Wishes, quoted};

const SHA: &str = "6677abb3b724f1d6f80792c657c0feeab97d7776";

/// GitLab, on GitLab.com or self-managed.
pub(crate) struct GitLab;

impl CiSystem for GitLab {
    fn name(&self) -> &'static str {
        "gitlab"
    }

    fn title(&self) -> &'static str {
        "GitLab"
    }

    fn default_issuer(&self) -> &'static str {
        "https://gitlab.com"
    }

    fn keys_path(&self) -> &'static str {
        "/oauth/discovery/keys"
    }

    fn validity(&self) -> Validity {
        Validity { before: 5, after: 3600 }
    }

    fn known_claims(&self) -> &'static [&'static str] {
        &[
            "namespace_id",
            "namespace_path",
            "project_id",
            "project_path",
            "user_id",
            "user_login",
            "user_email",
            "user_access_level",
            "user_identities",
            "job_project_id",
            "job_project_path",
            "job_namespace_id",
            "job_namespace_path",
            "pipeline_id",
            "pipeline_source",
            "job_id",
            "ref",
            "ref_type",
            "ref_path",
            "ref_protected",
            "groups_direct",
            "environment",
            "environment_protected",
            "environment_action",
            "deployment_tier",
            "runner_id",
            "runner_environment",
            "sha",
            "project_visibility",
            "ci_config_ref_uri",
            "ci_config_sha",
            "job_source",
            "job_config",
        ]
    }

    fn claims(&self, issuer: &Issuer, entry: Option<&ClaimPattern>, wishes: &Wishes) -> Map<String, Json> {
        let facts = Facts { wishes, entry };
        let project = facts.or("project_path", "quarry-street/ledger");
        let namespace = project.rsplit_once('/').map_or(project.as_str(), |(namespace, _)| namespace).to_owned();
        let namespace = facts.or("namespace_path", &namespace);
        let (project_id, namespace_id) = (facts.or("project_id", "4711"), facts.or("namespace_id", "72"));
        let reference = Reference::of(&facts);
        let (name, kind, path) = (&reference.name, reference.kind, reference.path());
        let protected = match wishes.get("ref") {
            None => facts.hinted("ref_protected"),
            Some(_) => None,
        };
        let protected = protected.unwrap_or_else(|| (kind == "tag" || name == "main").to_string());
        let sha = facts.or("sha", SHA);
        let mut claims = json!({
            "namespace_id": namespace_id,
            "namespace_path": namespace,
            "project_id": project_id,
            "project_path": project,
            "user_id": "118",
            "user_login": "mira.okafor",
            "user_email": "mira.okafor@quarry.example",
            "user_access_level": "maintainer",
            "job_project_id": project_id,
            "job_project_path": project,
            "job_namespace_id": namespace_id,
            "job_namespace_path": namespace,
            "pipeline_id": "57412",
            "pipeline_source": "push",
            "job_id": "302911",
            "ref": name,
            "ref_type": kind,
            "ref_path": path,
            "ref_protected": protected,
            "runner_id": 31,
            "runner_environment": "gitlab-hosted",
            "sha": sha,
            "project_visibility": "private",
            "ci_config_ref_uri": format!("{}/{project}//.gitlab-ci.yml@{path}", issuer.without_scheme()),
            "ci_config_sha": sha,
            "job_source": "pipeline",
            "sub": format!("project_path:{project}:ref_type:{kind}:ref:{name}"),
        });
        if let Some(environment) = facts.get("environment").filter(|name| !name.is_empty()) {
            claims["deployment_tier"] = json!(tier(&environment));
            claims["environment"] = json!(environment);
            claims["environment_action"] = json!("start");
            claims["environment_protected"] = json!(protected);
        }
        match claims {
            Json::Object(claims) => claims,
            _ => Map::new(),
        }
    }

    fn default_audience(&self, _claims: &Claims) -> Option<String> {
        None
    }

    fn variables(&self, issuer: &Issuer, claims: &Claims) -> Vec<(String, String)> {
        let text = |name: &str| claims.text(name).unwrap_or_default();
        let (project, reference) = (text("project_path"), text("ref"));
        let server = issuer.as_str();
        let host = issuer.url().and_then(|url| url.host_str().map(str::to_owned)).unwrap_or_default();
        let mut set: Vec<(String, String)> = [
            ("CI", "true".to_owned()),
            ("GITLAB_CI", "true".to_owned()),
            ("CI_SERVER", "yes".to_owned()),
            ("CI_SERVER_NAME", "GitLab".to_owned()),
            ("CI_SERVER_URL", server.to_owned()),
            ("CI_SERVER_HOST", host),
            ("CI_API_V4_URL", format!("{server}/api/v4")),
            ("CI_PROJECT_ID", text("project_id")),
            ("CI_PROJECT_PATH", project.clone()),
            ("CI_PROJECT_NAME", project.rsplit('/').next().unwrap_or_default().to_owned()),
            ("CI_PROJECT_NAMESPACE", text("namespace_path")),
            ("CI_PROJECT_NAMESPACE_ID", text("namespace_id")),
            ("CI_PROJECT_URL", format!("{server}/{project}")),
            ("CI_PROJECT_VISIBILITY", text("project_visibility")),
            ("CI_DEFAULT_BRANCH", "main".to_owned()),
            ("CI_COMMIT_REF_NAME", reference.clone()),
            ("CI_COMMIT_REF_SLUG", slug(&reference)),
            ("CI_COMMIT_REF_PROTECTED", text("ref_protected")),
            ("CI_COMMIT_SHA", text("sha")),
            ("CI_COMMIT_SHORT_SHA", text("sha").chars().take(8).collect()),
            ("CI_PIPELINE_ID", text("pipeline_id")),
            ("CI_PIPELINE_SOURCE", text("pipeline_source")),
            ("CI_JOB_ID", text("job_id")),
            ("CI_JOB_NAME", "deploy".to_owned()),
            ("CI_RUNNER_ID", text("runner_id")),
            ("GITLAB_USER_ID", text("user_id")),
            ("GITLAB_USER_LOGIN", text("user_login")),
            ("GITLAB_USER_EMAIL", text("user_email")),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into();
        let kind = if text("ref_type") == "tag" { "CI_COMMIT_TAG" } else { "CI_COMMIT_BRANCH" };
        set.push((kind.to_owned(), reference));
        if let Some(environment) = claims.text("environment") {
            set.push(("CI_ENVIRONMENT_NAME".to_owned(), environment));
            set.push(("CI_ENVIRONMENT_TIER".to_owned(), text("deployment_tier")));
        }
        set
    }

    fn token_path(&self) -> Option<&'static str> {
        None
    }

    fn request_variables(&self, _url: &str, _bearer: &Secret) -> Vec<(String, ChildValue)> {
        Vec::new()
    }

    fn file_variables(&self) -> &'static [&'static str] {
        &[]
    }

    fn job_variables(&self) -> &'static [NamePattern] {
        &[NamePattern::Exact("CI"), NamePattern::Prefix("CI_"), NamePattern::Prefix("GITLAB_")]
    }

    fn stranger(&self) -> &'static [(&'static str, &'static str)] {
        &[("project_path", "mallory/ledger"), ("project_id", "666")]
    }

    fn allow_entry(&self, claims: &Claims) -> String {
        let text = |name: &str| quoted(&claims.text(name).unwrap_or_default());
        let job = match (claims.text("environment"), claims.text("ref_type").as_deref()) {
            (Some(environment), _) => format!("environment = {}", quoted(&environment)),
            (None, Some("tag")) => format!("tag = {}", text("ref")),
            (None, _) => format!("branch = {}", text("ref")),
        };
        format!(r#"{{ identity = "gitlab", project = {}, {job} }}"#, text("project_path"))
    }
}

struct Reference {
    name: String,
    kind: &'static str,
}

impl Reference {
    /// `ref` may be written with or without `refs/heads/` and `refs/tags/`.
    fn of(facts: &Facts<'_>) -> Self {
        let written = facts.get("ref");
        let (prefix, name) = match written
            .as_deref()
            .map(|name| (name, name.strip_prefix("refs/tags/"), name.strip_prefix("refs/heads/")))
        {
            Some((_, Some(tag), _)) => (Some("tag"), Some(tag.to_owned())),
            Some((_, _, Some(branch))) => (Some("branch"), Some(branch.to_owned())),
            Some((name, None, None)) => (None, Some(name.to_owned())),
            None => (None, None),
        };
        let asked = facts.wishes.get("ref_type").map(str::to_owned);
        let kind = asked.or_else(|| prefix.map(str::to_owned)).or_else(|| facts.hinted("ref_type"));
        let kind = if kind.as_deref() == Some("tag") { "tag" } else { "branch" };
        let name = name.unwrap_or_else(|| if kind == "tag" { "v1.4.0" } else { "main" }.to_owned());
        Self { name, kind }
    }

    fn path(&self) -> String {
        let folder = if self.kind == "tag" { "tags" } else { "heads" };
        format!("refs/{folder}/{}", self.name)
    }
}

/// As GitLab guesses it from an environment's name.
fn tier(environment: &str) -> &'static str {
    let name = environment.to_ascii_lowercase();
    let holds = |words: &[&str]| words.iter().any(|word| name.contains(word));
    if holds(&["prod", "live"]) {
        "production"
    } else if holds(&["stag", "model", "pre", "demo"]) {
        "staging"
    } else if holds(&["test", "qa"]) {
        "testing"
    } else if holds(&["dev", "review", "trunk"]) {
        "development"
    } else {
        "other"
    }
}

fn slug(reference: &str) -> String {
    let slug: String = reference
        .to_ascii_lowercase()
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
        .take(63)
        .collect();
    slug.trim_matches('-').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use federate_core::Pattern;

    /// The claims of GitLab's documented example and table, without issuer, audience, times and `jti`.
    const DOCUMENTED: &str = "ci_config_ref_uri ci_config_sha job_id job_namespace_id job_namespace_path job_project_id \
        job_project_path job_source namespace_id namespace_path pipeline_id pipeline_source project_id project_path \
        project_visibility ref ref_path ref_protected ref_type runner_environment runner_id sha sub user_access_level \
        user_email user_id user_login";

    fn claims(entry: Option<&ClaimPattern>, pairs: &[(&str, &str)]) -> Claims {
        let pairs: Vec<(String, String)> = pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let wishes = Wishes::new(&GitLab, &pairs).unwrap();
        Claims::new(GitLab.claims(&Issuer::parse("https://gitlab.com").unwrap(), entry, &wishes))
    }

    fn entry(subject: Pattern, asked: &[(&str, Pattern)]) -> ClaimPattern {
        ClaimPattern {
            provider: "gitlab",
            issuer: Issuer::parse("https://gitlab.com").unwrap(),
            label: "the test".to_owned(),
            subjects: vec![subject],
            claims: asked.iter().map(|(name, pattern)| ((*name).to_owned(), pattern.clone())).collect(),
            absent: Vec::new(),
        }
    }

    #[test]
    fn a_sample_job_says_what_is_documented() {
        let claims = claims(None, &[]);
        assert_eq!(claims.names().collect::<Vec<_>>(), DOCUMENTED.split_whitespace().collect::<Vec<_>>());
        assert_eq!(claims.subject(), Some("project_path:quarry-street/ledger:ref_type:branch:ref:main"));
        assert!(claims.get("runner_id").is_some_and(Json::is_number), "the one number among the ids");
        assert!(claims.get("project_id").is_some_and(Json::is_string));
        assert_eq!(
            claims.text("ci_config_ref_uri").as_deref(),
            Some("gitlab.com/quarry-street/ledger//.gitlab-ci.yml@refs/heads/main")
        );
    }

    #[test]
    fn everything_follows_a_wish() {
        let job = claims(None, &[("ref", "refs/tags/v2"), ("project_path", "g/sub/p"), ("environment", "production")]);
        assert_eq!(job.subject(), Some("project_path:g/sub/p:ref_type:tag:ref:v2"));
        assert_eq!(job.text("ref").as_deref(), Some("v2"));
        assert_eq!(job.text("ref_path").as_deref(), Some("refs/tags/v2"));
        assert_eq!(job.text("namespace_path").as_deref(), Some("g/sub"));
        assert_eq!(job.text("job_project_path").as_deref(), Some("g/sub/p"));
        assert_eq!(job.text("deployment_tier").as_deref(), Some("production"));
        let variables = GitLab.variables(&Issuer::parse("https://gitlab.com").unwrap(), &job);
        let variable = |name: &str| variables.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
        assert_eq!(variable("CI_COMMIT_TAG"), Some("v2"));
        assert_eq!(variable("CI_COMMIT_BRANCH"), None);
        assert_eq!(variable("CI_PROJECT_NAME"), Some("p"));
        assert_eq!(variable("CI_ENVIRONMENT_NAME"), Some("production"));
        assert_eq!(claims(None, &[("ref", "Feature/X")]).text("ref_protected").as_deref(), Some("false"));
        assert_eq!(claims(None, &[("environment", "")]).text("environment"), None);
        assert_eq!(slug("Feature/X_1"), "feature-x-1");
    }

    #[test]
    fn the_job_gets_in_where_an_entry_asks_for_it() {
        let branch = entry(
            Pattern::exact("project_path:g/p:ref_type:branch:ref:").then_glob("release/*"),
            &[
                ("project_path", Pattern::exact("g/p")),
                ("ref_type", Pattern::exact("branch")),
                ("ref", Pattern::empty().then_glob("release/*")),
                ("ref_protected", Pattern::exact("true")),
            ],
        );
        let tag = entry(
            Pattern::empty().then_glob("project_path:*:ref_type:tag:ref:v1"),
            &[("project_id", Pattern::exact("99")), ("ref_type", Pattern::exact("tag")), ("ref", Pattern::exact("v1"))],
        );
        for entry in [branch, tag] {
            let mut job = claims(Some(&entry), &[]).as_map().clone();
            job.insert("iss".to_owned(), json!("https://gitlab.com"));
            assert_eq!(entry.mismatches(&Claims::new(job)), []);
            let mut other = claims(Some(&entry), &[("ref", "elsewhere")]).as_map().clone();
            other.insert("iss".to_owned(), json!("https://gitlab.com"));
            assert!(!entry.admits(&Claims::new(other)));
        }
    }

    #[test]
    fn the_entry_to_add_names_project_and_job() {
        assert_eq!(
            GitLab.allow_entry(&claims(None, &[])),
            r#"{ identity = "gitlab", project = "quarry-street/ledger", branch = "main" }"#
        );
        assert!(GitLab.allow_entry(&claims(None, &[("ref", "refs/tags/v\"1")])).ends_with(r#"tag = "v\"1" }"#));
        assert!(GitLab.allow_entry(&claims(None, &[("environment", "prod")])).ends_with(r#"environment = "prod" }"#));
    }
}
