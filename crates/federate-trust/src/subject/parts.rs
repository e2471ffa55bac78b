//! A subject in the two parts that people think in: whose work, and which of its jobs.

use super::pairs::{pairs, value};
use super::{custom, family, has_wildcard, is_id};
use crate::issuers::{Family, Provider};

/// The workload where anybody's will do: strangers too where the issuer serves them.
pub(crate) fn anyone(provider: &Provider) -> String {
    if provider.is_shared() { "anyone".to_owned() } else { format!("any {} of this issuer", noun(provider)) }
}

/// The context where any will do.
pub(crate) const ANY_JOB: &str = "any job";

/// A pattern of subjects, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Parts {
    /// What the issuer's users call a workload: `repository`, `project`, `workspace`.
    pub(crate) noun: &'static str,
    /// Whose: `acme/api`, `any repository of acme`.
    pub(crate) workload: String,
    /// Which of its jobs: `branch main`, `any branch`, `environment production`.
    pub(crate) context: String,
    /// Ids that stand in the subject beside the names, by claim.
    pub(crate) ids: Vec<(&'static str, String)>,
}

impl Parts {
    pub(super) fn new(noun: &'static str, workload: impl Into<String>, context: impl Into<String>) -> Self {
        Self { noun, workload: workload.into(), context: context.into(), ids: Vec::new() }
    }
}

/// What the users of this issuer call a workload.
pub(crate) fn noun(provider: &Provider) -> &'static str {
    noun_of(provider.family())
}

fn noun_of(family: Family) -> &'static str {
    match family {
        Family::GitHub | Family::Bitbucket => "repository",
        Family::GitLab | Family::Vercel | Family::CircleCi | Family::Pulumi => "project",
        Family::Terraform => "workspace",
        Family::Buildkite => "pipeline",
        Family::Kubernetes => "namespace",
        Family::Google => "service account",
        Family::Cognito => "identity",
        Family::Other => "subject",
    }
}

/// Splits a subject of this issuer in which `*` and `?` are wildcards. Text that does not fit the issuer's form is kept
/// as it is.
pub(crate) fn parts(provider: &Provider, pattern: &str) -> Parts {
    let family = family(provider, pattern);
    let noun = noun_of(family);
    if !pattern.is_empty() && pattern.chars().all(|character| "*?:/".contains(character)) {
        return Parts::new(noun, anyone(provider), ANY_JOB);
    }
    let known = match family {
        Family::GitHub => github(provider, noun, pattern),
        Family::GitLab => gitlab(noun, pattern),
        Family::Terraform => terraform(noun, pattern),
        Family::Buildkite => buildkite(noun, pattern),
        Family::Vercel => vercel(noun, pattern),
        Family::CircleCi => circleci(noun, pattern),
        Family::Kubernetes => kubernetes(noun, pattern),
        Family::Pulumi => pulumi(noun, pattern),
        Family::Bitbucket => pattern.split_once(':').map(|(repository, rest)| Parts::new(noun, repository, rest)),
        Family::Cognito | Family::Google | Family::Other => None,
    };
    known.unwrap_or_else(|| Parts::new(noun, pattern, ANY_JOB))
}

/// `acme/api`, `any repository of acme`.
pub(super) fn path(noun: &str, path: &str) -> String {
    match path.strip_suffix("/*") {
        Some(owner) if !has_wildcard(owner) => format!("any {noun} of {owner}"),
        _ if path.chars().all(|character| "*?/".contains(character)) => format!("any {noun} of anyone"),
        _ if !path.contains('/') && has_wildcard(path) => format!("any {noun} of {path}"),
        _ => path.to_owned(),
    }
}

/// `branch main`, `branches release/*`, `any branch`.
pub(crate) fn one_or_any(one: &str, many: &str, name: &str) -> String {
    if !name.is_empty() && name.chars().all(|character| character == '*') {
        format!("any {one}")
    } else if has_wildcard(name) {
        format!("{many} {name}")
    } else {
        format!("{one} {name}")
    }
}

/// A full git ref: `branch main`, `tag v1`.
pub(crate) fn git_ref(name: &str) -> String {
    if let Some(branch) = name.strip_prefix("refs/heads/") {
        return one_or_any("branch", "branches", branch);
    }
    if let Some(tag) = name.strip_prefix("refs/tags/") {
        return one_or_any("tag", "tags", tag);
    }
    if name.starts_with("refs/pull/") { "pull requests".to_owned() } else { one_or_any("ref", "refs", name) }
}

/// `main` of type `branch`, as GitLab tells refs.
pub(crate) fn typed_ref(kind: &str, name: &str) -> String {
    match kind {
        "branch" => one_or_any("branch", "branches", name),
        "tag" => one_or_any("tag", "tags", name),
        _ if name.chars().all(|character| character == '*') => ANY_JOB.to_owned(),
        _ => format!("branch or tag {name}"),
    }
}

pub(crate) fn environment(name: &str) -> String {
    one_or_any("environment", "environments", &name.replace("%3A", ":").replace("%3a", ":"))
}

fn github(provider: &Provider, noun: &'static str, pattern: &str) -> Option<Parts> {
    let Some(rest) = pattern.strip_prefix("repo:") else {
        let first = pattern.split(':').next().unwrap_or_default();
        return custom::CLAIMS.contains(&first).then(|| custom::parts(provider, noun, pattern));
    };
    let (repository, context) = rest.split_once(':').map_or((rest, None), |(path, context)| (path, Some(context)));
    let mut ids = Vec::new();
    let workload = match repository.split_once('/') {
        Some((owner, name)) => {
            let owner = without_id(owner, "repository_owner_id", &mut ids);
            let name = without_id(name, "repository_id", &mut ids);
            path(noun, &format!("{owner}/{name}"))
        }
        None => path(noun, without_id(repository, "repository_owner_id", &mut ids)),
    };
    let context = context.map_or_else(|| ANY_JOB.to_owned(), github_context);
    Some(Parts { ids, ..Parts::new(noun, workload, context) })
}

/// `acme@1` is `acme` with the id 1; `acme@*` is `acme` alone.
fn without_id<'a>(part: &'a str, claim: &'static str, ids: &mut Vec<(&'static str, String)>) -> &'a str {
    match part.split_once('@') {
        Some((name, id)) if is_id(id) => {
            ids.push((claim, id.to_owned()));
            name
        }
        Some((name, "*")) => name,
        _ => part,
    }
}

/// What comes after the repository.
pub(super) fn github_context(context: &str) -> String {
    let (first, rest) = context.split_once(':').map_or((context, ""), |(first, rest)| (first, rest));
    let (name, more) = rest.split_once(':').map_or((rest, None), |(name, more)| (name, Some(more)));
    let told = match first {
        "environment" => environment(name),
        "ref" => git_ref(name),
        "*" => return ANY_JOB.to_owned(),
        _ if first.starts_with("pull_request") => {
            return if rest.is_empty() { "pull requests".to_owned() } else { format!("pull requests, {rest}") };
        }
        _ => return context.to_owned(),
    };
    match more {
        Some(more) if more != "*" => format!("{told}, {more}"),
        _ => told,
    }
}

fn gitlab(noun: &'static str, pattern: &str) -> Option<Parts> {
    let pairs = pairs(pattern);
    let (workload, ids) = match pairs.first()? {
        ("project_path", Some(name)) => (path(noun, name), Vec::new()),
        ("project_id", Some(id)) => (format!("project id {id}"), vec![("project_id", (*id).to_owned())]),
        ("namespace_id", Some(id)) => {
            (format!("any project of namespace id {id}"), vec![("namespace_id", (*id).to_owned())])
        }
        _ => return None,
    };
    let kind = value(&pairs, "ref_type");
    let mut told: Vec<String> = kind
        .map(|kind| typed_ref(kind, value(&pairs, "ref").unwrap_or("*")))
        .into_iter()
        .filter(|told| told != ANY_JOB)
        .collect();
    let others = pairs[1..].iter().filter(|(key, _)| !["ref_type", "ref"].contains(key));
    told.extend(others.filter_map(|(key, value)| Some(format!("{key} {}", (*value)?))));
    let context = if told.is_empty() { ANY_JOB.to_owned() } else { told.join(", ") };
    Some(Parts { ids, ..Parts::new(noun, workload, context) })
}

fn terraform(noun: &'static str, pattern: &str) -> Option<Parts> {
    let pairs = pairs(pattern);
    let organization = value(&pairs, "organization")?;
    let project = value(&pairs, "project").unwrap_or("*");
    let workspace = value(&pairs, "workspace").unwrap_or("*");
    let workload = match (project, workspace) {
        ("*", "*") => format!("any {noun} of {organization}"),
        (project, "*") => format!("any {noun} of {organization}/{project}"),
        _ => format!("{organization}/{project}/{workspace}"),
    };
    let context = match value(&pairs, "run_phase") {
        Some(phase) if !has_wildcard(phase) => format!("run phase {phase}"),
        _ => "plan and apply".to_owned(),
    };
    Some(Parts::new(noun, workload, context))
}

fn buildkite(noun: &'static str, pattern: &str) -> Option<Parts> {
    let pairs = pairs(pattern);
    let organization = value(&pairs, "organization")?;
    let pipeline = value(&pairs, "pipeline").unwrap_or("*");
    let mut told = Vec::new();
    if let Some(name) = value(&pairs, "ref").filter(|name| *name != "*") {
        told.push(if name.starts_with("refs/") { git_ref(name) } else { one_or_any("branch", "branches", name) });
    }
    told.extend(value(&pairs, "step").filter(|step| *step != "*").map(|step| format!("step {step}")));
    let context = if told.is_empty() { ANY_JOB.to_owned() } else { told.join(", ") };
    Some(Parts::new(noun, path(noun, &format!("{organization}/{pipeline}")), context))
}

fn vercel(noun: &'static str, pattern: &str) -> Option<Parts> {
    let pairs = pairs(pattern);
    let project = value(&pairs, "project").unwrap_or("*");
    let context = environment(value(&pairs, "environment").unwrap_or("*"));
    Some(Parts::new(noun, path(noun, &format!("{}/{project}", value(&pairs, "owner")?)), context))
}

fn circleci(noun: &'static str, pattern: &str) -> Option<Parts> {
    let rest = pattern.strip_prefix("org/")?;
    let (organization, rest) = rest.split_once('/').unwrap_or((rest, ""));
    let project = rest.strip_prefix("project/").and_then(|rest| rest.split('/').next()).unwrap_or("*");
    let context = pattern.split_once("/vcs-ref/").map_or_else(|| ANY_JOB.to_owned(), |(_, name)| git_ref(name));
    Some(Parts::new(noun, path(noun, &format!("{organization}/{project}")), context))
}

fn kubernetes(noun: &'static str, pattern: &str) -> Option<Parts> {
    let rest = pattern.strip_prefix("system:serviceaccount")?.strip_prefix(':').unwrap_or("*");
    let (namespace, account) = rest.split_once(':').unwrap_or((rest, "*"));
    let account = one_or_any("service account", "service accounts", account);
    Some(Parts::new(noun, if namespace == "*" { "any namespace" } else { namespace }, account))
}

fn pulumi(noun: &'static str, pattern: &str) -> Option<Parts> {
    let segments: Vec<&str> = pattern.split(':').collect();
    let after = |key: &str| segments.iter().position(|segment| *segment == key).and_then(|at| segments.get(at + 1));
    let (organization, work) = (after("org")?, after("project").or_else(|| after("env")).copied().unwrap_or("*"));
    let context = after("stack").map_or_else(|| ANY_JOB.to_owned(), |stack| one_or_any("stack", "stacks", stack));
    Some(Parts::new(noun, path(noun, &format!("{organization}/{work}")), context))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(issuer: &str, pattern: &str) -> (String, String) {
        let parts = parts(&Provider::new(issuer), pattern);
        (parts.workload, parts.context)
    }

    #[test]
    fn subjects_are_told_in_two_parts() {
        const GITHUB: &str = "token.actions.githubusercontent.com";
        for (issuer, pattern, workload, context) in [
            (GITHUB, "repo:acme/api:ref:refs/heads/main", "acme/api", "branch main"),
            (GITHUB, "repo:acme@1/api@2:ref:refs/heads/*", "acme/api", "any branch"),
            (GITHUB, "repo:acme@*/api@*:environment:prod%3Aeu", "acme/api", "environment prod:eu"),
            (GITHUB, "repo:acme/*", "any repository of acme", "any job"),
            (GITHUB, "repo:acme*", "any repository of acme*", "any job"),
            (GITHUB, "repo:*/*:pull_request", "any repository of anyone", "pull requests"),
            (GITHUB, "repo:*/api:*", "*/api", "any job"),
            (GITHUB, "repo:a/b:ref:refs/tags/v*:job_workflow_ref:x", "a/b", "tags v*, job_workflow_ref:x"),
            (GITHUB, "repository_id:7:environment:prod", "repository id 7", "environment prod"),
            (GITHUB, "workflow:deploy", "anyone", "workflow deploy"),
            (GITHUB, "*", "anyone", "any job"),
            ("gitlab.com", "project_path:g/s/p:ref_type:branch:ref:main", "g/s/p", "branch main"),
            (
                "gitlab.com",
                "project_path:g/s/*:ref_type:branch:ref:release/*",
                "any project of g/s",
                "branches release/*",
            ),
            ("gitlab.com", "project_id:7:ref_type:*:ref:main", "project id 7", "branch or tag main"),
            ("gitlab.com", "project_path:g/p:*", "g/p", "any job"),
            ("gitlab.com", "project_path:g/p:ref_type:branch:*", "g/p", "any branch"),
            (
                "app.terraform.io",
                "organization:o:project:*:workspace:*:run_phase:apply",
                "any workspace of o",
                "run phase apply",
            ),
            ("app.terraform.io", "organization:o:project:p:workspace:w:*", "o/p/w", "plan and apply"),
            ("agent.buildkite.com", "organization:o:pipeline:p:ref:refs/heads/main:*", "o/p", "branch main"),
            ("oidc.vercel.com", "owner:t:project:site:environment:production", "t/site", "environment production"),
            ("oidc.circleci.com/org/o", "org/o/project/p/user/*", "o/p", "any job"),
            ("oidc.eks.eu-west-1.amazonaws.com/id/1", "system:serviceaccount:web:*", "web", "any service account"),
            ("api.pulumi.com", "pulumi:deploy:org:o:project:p:stack:prod:*", "o/p", "stack prod"),
            ("idp.example.com", "acme|ci", "acme|ci", "any job"),
            ("idp.example.com", "*", "any subject of this issuer", "any job"),
        ] {
            assert_eq!(told(issuer, pattern), (workload.to_owned(), context.to_owned()), "{issuer} {pattern}");
        }
        let ids = parts(&Provider::new(GITHUB), "repo:acme@1/api@2:*").ids;
        assert_eq!(ids, [("repository_owner_id", "1".to_owned()), ("repository_id", "2".to_owned())]);
    }
}
