//! What a subject says in the words of other claims.

use super::{family_by_shape, is_id};
use crate::issuers::{Family, Provider};

/// A claim that a subject repeats.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// The claim.
    pub claim: &'static str,
    /// Its value, wildcards as they stand.
    pub value: String,
    /// Could no other value have made this subject? A `:` in an environment's name is written `%3A`, and so is `%3A`.
    pub is_certain: bool,
}

/// The claims that a subject of this issuer repeats: `repo:o/r:environment:prod` says `repository` o/r and `environment`
/// prod.
pub fn told(provider: &Provider, subject: &str) -> Vec<Told> {
    let family = match provider.family() {
        Family::Other if subject.starts_with("project_id:") => Family::GitLab,
        Family::Other => family_by_shape(subject),
        known => known,
    };
    match family {
        Family::GitHub => github(subject),
        Family::GitLab => gitlab(subject),
        _ => Vec::new(),
    }
}

fn certain(claim: &'static str, value: impl Into<String>) -> Told {
    Told { claim, value: value.into(), is_certain: true }
}

fn github(subject: &str) -> Vec<Told> {
    let mut found = Vec::new();
    let Some((path, context)) = subject.strip_prefix("repo:").and_then(|rest| rest.split_once(':')) else {
        return found;
    };
    if let Some((owner, name)) = path.split_once('/') {
        let ((owner, owner_id), (name, id)) = (with_id(owner), with_id(name));
        found.push(certain("repository", format!("{owner}/{name}")));
        found.extend(owner_id.map(|id| certain("repository_owner_id", id)));
        found.extend(id.map(|id| certain("repository_id", id)));
    }
    let (kind, rest) = context.split_once(':').unwrap_or((context, ""));
    let value = rest.split(':').next().unwrap_or_default();
    match kind {
        "ref" => found.push(certain("ref", value)),
        "environment" if !value.contains("%3A") => found.push(certain("environment", value)),
        "environment" => {
            for value in [value.to_owned(), value.replace("%3A", ":")] {
                found.push(Told { claim: "environment", value, is_certain: false });
            }
        }
        _ => {}
    }
    found
}

/// `name@7` as name and id.
fn with_id(part: &str) -> (&str, Option<&str>) {
    match part.split_once('@') {
        Some((name, id)) => (name, Some(id).filter(|id| is_id(id))),
        None => (part, None),
    }
}

fn gitlab(subject: &str) -> Vec<Told> {
    let mut found = Vec::new();
    let (head, tail) = subject.split_once(":ref_type:").map_or((subject, None), |(head, tail)| (head, Some(tail)));
    for (key, claim) in [("project_path:", "project_path"), ("project_id:", "project_id")] {
        if let Some(value) = head.strip_prefix(key).filter(|value| !value.contains(':')) {
            found.push(certain(claim, value));
        }
    }
    if let Some((kind, name)) = tail.and_then(|tail| tail.split_once(":ref:")) {
        found.push(certain("ref_type", kind));
        // No ref has a colon in its name, so nothing can follow it.
        found.extend((!name.contains(':')).then(|| certain("ref", name)));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn says(issuer: &str, subject: &str) -> String {
        let said = told(&Provider::new(issuer), subject);
        let mark = |one: &Told| if one.is_certain { "=" } else { "~" };
        said.iter().map(|one| format!("{}{}{}", one.claim, mark(one), one.value)).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn subjects_repeat_claims() {
        let github = "https://token.actions.githubusercontent.com";
        for (issuer, subject, expected) in [
            (github, "repo:o/r:ref:refs/heads/main", "repository=o/r ref=refs/heads/main"),
            (github, "repo:o@1/r@2:pull_request", "repository=o/r repository_owner_id=1 repository_id=2"),
            (github, "repo:o@*/r@*:environment:prod", "repository=o/r environment=prod"),
            (github, "repo:o/r:environment:a%3Ab", "repository=o/r environment~a%3Ab environment~a:b"),
            ("https://ghe.test/_services/token", "repo:o/r:environment:x", "repository=o/r environment=x"),
            ("https://gitlab.com", "project_path:g/s/p:ref_type:tag:ref:v1", "project_path=g/s/p ref_type=tag ref=v1"),
            (
                "https://git.corp.test",
                "project_id:7:ref_type:branch:ref:release/*",
                "project_id=7 ref_type=branch ref=release/*",
            ),
            ("https://gitlab.com", "project_path:g/p", "project_path=g/p"),
            ("https://idp.test", "anything", ""),
        ] {
            assert_eq!(says(issuer, subject), expected, "{subject}");
        }
    }
}
