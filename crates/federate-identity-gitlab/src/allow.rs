//! An `allow` entry in neutral form.
//!
//! GitLab's default subject is `project_path:GROUP/PROJECT:ref_type:TYPE:ref:NAME`; projects may have it begin with
//! `project_id` instead. An environment does not show in it, but in a claim.

use federate_core::{AllowEntry, ClaimPattern, Error, Issuer, Pattern};
use serde_json::Value as Json;

use crate::provider::GitLab;
use federate_core::IdentityAdapter as _;

const KEYS: &[&str] = &[
    "project",
    "project_id",
    "namespace_id",
    "branch",
    "tag",
    "environment",
    "branch_pattern",
    "tag_pattern",
    "protected",
];
const JOBS: &[&str] = &["branch", "tag", "environment", "branch_pattern", "tag_pattern"];

/// Reads an entry.
pub(crate) fn pattern(issuer: Issuer, entry: &Json) -> Result<ClaimPattern, Vec<Error>> {
    let mut entry = AllowEntry::new(entry, "GitLab", KEYS);
    let mut text = |key: &str| entry.text(key);
    let [project, project_id, namespace_id] = ["project", "project_id", "namespace_id"].map(&mut text);
    let [branch, tag, environment, branch_pattern, tag_pattern] =
        ["branch", "tag", "environment", "branch_pattern", "tag_pattern"].map(&mut text);
    if !entry.has("project") && !entry.has("project_id") {
        entry.fail(
            "",
            "the entry names no project, so any job of the whole GitLab would get in",
            "add `project = \"group/project\"` or `project_id`",
        );
    }
    entry.one_of(JOBS, "project");
    let protected = match entry.get("protected") {
        None => None,
        Some(Json::Bool(flag)) => Some(*flag),
        Some(_) => {
            entry.fail("protected", "`protected` must be true or false".to_owned(), "write it without quotes");
            None
        }
    };
    entry.checked()?;
    let mut claims = Vec::new();
    let mut exact = |name: &str, value: &Option<String>| {
        claims.extend(value.iter().map(|value| (name.to_owned(), Pattern::exact(value))))
    };
    exact("project_path", &project);
    exact("project_id", &project_id);
    exact("namespace_id", &namespace_id);
    exact("environment", &environment);
    let reference = match (branch, tag, branch_pattern, tag_pattern) {
        (Some(name), ..) => Some(("branch", Pattern::exact(name))),
        (_, Some(name), ..) => Some(("tag", Pattern::exact(name))),
        (_, _, Some(glob), _) => Some(("branch", Pattern::empty().then_glob(&glob))),
        (_, _, _, Some(glob)) => Some(("tag", Pattern::empty().then_glob(&glob))),
        _ => None,
    };
    let mut subjects = Vec::new();
    if let Some((kind, name)) = reference {
        claims.push(("ref_type".to_owned(), Pattern::exact(kind)));
        claims.push(("ref".to_owned(), name.clone()));
        let tail = |head: Pattern| head.then(format!(":ref_type:{kind}:ref:")).then_pattern(&name);
        subjects.push(tail(match &project {
            Some(project) => Pattern::exact(format!("project_path:{project}")),
            None => Pattern::empty().then("project_path:").then_glob("*"),
        }));
        subjects.push(tail(match &project_id {
            Some(id) => Pattern::exact(format!("project_id:{id}")),
            None => Pattern::empty().then("project_id:").then_digits(),
        }));
    }
    claims.extend(protected.map(|flag| ("ref_protected".to_owned(), Pattern::exact(flag.to_string()))));
    Ok(ClaimPattern { provider: GitLab::KIND, issuer, label: entry.label(), subjects, claims, absent: Vec::new() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use federate_core::Claims;
    use serde_json::json;

    fn read(entry: Json) -> Result<ClaimPattern, Vec<Error>> {
        pattern(Issuer::parse("https://gitlab.com").unwrap(), &entry)
    }

    fn job(changes: Json) -> Claims {
        let mut claims = json!({
            "iss": "https://gitlab.com", "sub": "project_path:quarry-street/ledger:ref_type:branch:ref:main", "project_path": "quarry-street/ledger",
            "project_id": "4711", "namespace_id": "72", "ref": "main", "ref_type": "branch", "ref_protected": "true",
        });
        for (name, value) in changes.as_object().unwrap() {
            claims[name] = value.clone();
        }
        Claims::new(claims.as_object().unwrap().clone())
    }

    #[test]
    fn a_branch_of_a_project() {
        let entry = read(json!({"project": "quarry-street/ledger", "branch": "main", "protected": true})).unwrap();
        assert!(entry.admits(&job(json!({}))));
        assert!(entry.admits(&job(json!({"sub": "project_id:4711:ref_type:branch:ref:main"}))));
        for change in [
            json!({"ref": "other", "sub": "project_path:quarry-street/ledger:ref_type:branch:ref:other"}),
            json!({"sub": "project_path:quarry-street/ledger:ref_type:tag:ref:main", "ref_type": "tag"}),
            json!({"project_path": "stranger/ledger"}),
            json!({"sub": "project_path:stranger/ledger:ref_type:branch:ref:main"}),
            json!({"ref_protected": "false"}),
            json!({"iss": "https://gitlab.example.com"}),
        ] {
            assert!(!entry.admits(&job(change.clone())), "{change}");
        }
    }

    #[test]
    fn ids_patterns_and_environments() {
        let by_id = read(json!({"project_id": 4711, "branch_pattern": "release/*"})).unwrap();
        assert!(
            by_id.admits(&job(
                json!({"ref": "release/1", "sub": "project_path:any/name:ref_type:branch:ref:release/1"})
            ))
        );
        assert!(!by_id.admits(&job(
            json!({"project_id": "1", "ref": "release/1", "sub": "project_path:any/name:ref_type:branch:ref:release/1"})
        )));
        let environment = read(json!({"project": "quarry-street/ledger", "environment": "prod"})).unwrap();
        assert!(environment.admits(&job(json!({"environment": "prod"}))));
        assert!(!environment.admits(&job(json!({}))));
    }

    #[test]
    fn every_mistake_is_named() {
        for (entry, part) in [
            (json!({"branch": "main"}), "names no project"),
            (json!({"project": "g/p"}), "which of the project's jobs"),
            (json!({"project": "g/p", "branch": "a", "tag": "b"}), "in two ways"),
            (json!({"project": "g/*", "branch": "a"}), "asterisk"),
            (json!({"project": "g/p", "brnch": "a", "branch": "a"}), "did you mean `branch`?"),
            (json!({"project": "g/p", "branch": 7}), "must be a string"),
            (json!({"project": "g/p", "branch": "a", "protected": "yes"}), "true or false"),
            (json!({"project": "", "branch": "a"}), "is empty"),
        ] {
            let text = format!("{:?}", read(entry.clone()).unwrap_err());
            assert!(text.contains(part), "{entry}: {text}");
        }
    }
}
