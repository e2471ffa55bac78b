//! An `allow` entry in neutral form.
//!
//! The subject is `repo:OWNER/REPO:CONTEXT`, or since 2026 `repo:OWNER@ID/REPO@ID:CONTEXT`; the context is
//! `environment:NAME` before `pull_request` before `ref:REF`. A `:` inside an environment's name is written `%3A`.

use federate_core::{AllowEntry, ClaimPattern, Error, IdentityAdapter as _, Issuer, Pattern};
use serde_json::Value as Json;

use crate::provider::GitHub;

const KEYS: &[&str] = &[
    "repository",
    "repository_id",
    "owner_id",
    "branch",
    "tag",
    "environment",
    "branch_pattern",
    "tag_pattern",
    "pull_request",
    "workflow",
];
const JOBS: &[&str] = &["branch", "tag", "environment", "branch_pattern", "tag_pattern", "pull_request"];

/// Reads an entry.
pub(crate) fn pattern(issuer: Issuer, entry: &Json) -> Result<ClaimPattern, Vec<Error>> {
    let mut entry = AllowEntry::new(entry, "GitHub", KEYS);
    let mut text = |key: &str| entry.text(key);
    let [repository, repository_id, owner_id, workflow] =
        ["repository", "repository_id", "owner_id", "workflow"].map(&mut text);
    let [branch, tag, environment, branch_pattern, tag_pattern] =
        ["branch", "tag", "environment", "branch_pattern", "tag_pattern"].map(&mut text);
    let halves = repository
        .as_deref()
        .and_then(|name| name.split_once('/'))
        .filter(|(owner, name)| !owner.is_empty() && !name.is_empty() && !name.contains(['/', ':', '@']));
    if repository.is_some() && halves.is_none() {
        entry.fail("repository", "`repository` must be OWNER/NAME".to_owned(), "write it like octo-org/octo-repo");
    }
    if !entry.has("repository") && !entry.has("repository_id") {
        entry.fail(
            "",
            "the entry names no repository, so any job on GitHub would get in",
            "add `repository = \"owner/name\"` or `repository_id`",
        );
    }
    entry.one_of(JOBS, "repository");
    if entry.get("pull_request").is_some_and(|value| *value != Json::Bool(true)) {
        entry.fail(
            "pull_request",
            "`pull_request` can only be true".to_owned(),
            "leave the key out to keep pull requests out",
        );
    }
    entry.checked()?;
    let context = match (&branch, &tag, &environment, &branch_pattern, &tag_pattern) {
        (Some(name), ..) => Pattern::exact(format!(":ref:refs/heads/{name}")),
        (_, Some(name), ..) => Pattern::exact(format!(":ref:refs/tags/{name}")),
        (_, _, Some(name), ..) => Pattern::exact(format!(":environment:{}", name.replace(':', "%3A"))),
        (_, _, _, Some(glob), _) => Pattern::empty().then(":ref:refs/heads/").then_glob(glob),
        (_, _, _, _, Some(glob)) => Pattern::empty().then(":ref:refs/tags/").then_glob(glob),
        _ => Pattern::exact(":pull_request"),
    };
    let id = |pattern: Pattern, id: &Option<String>| match id {
        Some(id) => pattern.then(id),
        None => pattern.then_digits(),
    };
    let subjects = match halves {
        Some((owner, name)) => vec![
            Pattern::exact(format!("repo:{owner}/{name}")).then_pattern(&context),
            id(id(Pattern::exact(format!("repo:{owner}@")), &owner_id).then(format!("/{name}@")), &repository_id)
                .then_pattern(&context),
        ],
        // The name is anybody's to take over; the id in the claims is what counts.
        None => vec![Pattern::empty().then("repo:").then_glob("*").then_pattern(&context)],
    };
    let mut claims = Vec::new();
    let mut exact = |name: &str, value: &Option<String>| {
        claims.extend(value.iter().map(|value| (name.to_owned(), Pattern::exact(value))))
    };
    exact("repository", &repository);
    exact("repository_id", &repository_id);
    exact("repository_owner_id", &owner_id);
    exact("environment", &environment);
    exact("job_workflow_ref", &workflow);
    Ok(ClaimPattern { provider: GitHub::KIND, issuer, label: entry.label(), subjects, claims, absent: Vec::new() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use federate_core::Claims;
    use serde_json::json;

    fn read(entry: Json) -> Result<ClaimPattern, Vec<Error>> {
        pattern(Issuer::parse("https://token.actions.githubusercontent.com").unwrap(), &entry)
    }

    fn admits(entry: Json, subject: &str, more: Json) -> bool {
        let mut claims = json!({
            "iss": "https://token.actions.githubusercontent.com", "sub": subject, "repository": "quarry-street/ledger", "repository_id": "770022",
            "repository_owner_id": "990011", "job_workflow_ref": "quarry-street/ledger/.github/workflows/deploy.yml@refs/heads/main",
        });
        for (name, value) in more.as_object().unwrap() {
            claims[name] = value.clone();
        }
        read(entry).unwrap().admits(&Claims::new(claims.as_object().unwrap().clone()))
    }

    #[test]
    fn classic_and_immutable_subjects() {
        let entry = || json!({"repository": "quarry-street/ledger", "branch": "main"});
        assert!(admits(entry(), "repo:quarry-street/ledger:ref:refs/heads/main", json!({})));
        assert!(admits(entry(), "repo:quarry-street@990011/ledger@770022:ref:refs/heads/main", json!({})));
        for stranger in [
            "repo:quarry-street/ledger:ref:refs/heads/main2",
            "repo:quarry-street/ledger:ref:refs/tags/main",
            "repo:quarry-street/ledger:pull_request",
            "repo:stranger/ledger:ref:refs/heads/main",
            "repo:quarry-street@x/ledger@7:ref:refs/heads/main",
        ] {
            assert!(!admits(entry(), stranger, json!({})), "{stranger}");
        }
        let pinned = json!({"repository": "quarry-street/ledger", "repository_id": 770022, "owner_id": "990011", "branch": "main"});
        assert!(!admits(pinned, "repo:quarry-street@990011/ledger@1:ref:refs/heads/main", json!({})));
    }

    #[test]
    fn environments_patterns_pull_requests_and_ids() {
        let environment = json!({"repository": "quarry-street/ledger", "environment": "production:eastus"});
        assert!(admits(
            environment,
            "repo:quarry-street/ledger:environment:production%3Aeastus",
            json!({"environment": "production:eastus"})
        ));
        assert!(admits(
            json!({"repository": "quarry-street/ledger", "tag_pattern": "v*"}),
            "repo:quarry-street/ledger:ref:refs/tags/v1",
            json!({})
        ));
        assert!(admits(
            json!({"repository": "quarry-street/ledger", "pull_request": true}),
            "repo:quarry-street/ledger:pull_request",
            json!({})
        ));
        let by_id = || json!({"repository_id": "770022", "branch": "main"});
        assert!(admits(by_id(), "repo:renamed/ledger:ref:refs/heads/main", json!({"repository": "renamed/ledger"})));
        assert!(!admits(by_id(), "repo:quarry-street/ledger:ref:refs/heads/main", json!({"repository_id": "1"})));
        let workflow =
            json!({"repository": "quarry-street/ledger", "branch": "main", "workflow": "other@refs/heads/main"});
        assert!(!admits(workflow, "repo:quarry-street/ledger:ref:refs/heads/main", json!({})));
    }

    #[test]
    fn every_mistake_is_named() {
        for (entry, part) in [
            (json!({"branch": "main"}), "names no repository"),
            (json!({"repository": "o/r"}), "which of the repository's jobs"),
            (json!({"repository": "o/r", "branch": "a", "environment": "b"}), "in two ways"),
            (json!({"repository": "o", "branch": "a"}), "OWNER/NAME"),
            (json!({"repository": "o/*", "branch": "a"}), "asterisk"),
            (json!({"repository": "o/r", "pull_request": false}), "can only be true"),
            (json!({"repository": "o/r", "branch": "a", "protected": true}), "not a key of a GitHub entry"),
        ] {
            let text = format!("{:?}", read(entry.clone()).unwrap_err());
            assert!(text.contains(part), "{entry}: {text}");
        }
    }
}
