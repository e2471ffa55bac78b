//! What a subject, or a pattern of subjects, leaves open.

mod custom;
mod github;
mod gitlab;
mod others;
mod pairs;
pub(crate) mod parts;
mod told;

pub use told::{Told, told};

use crate::glob::Glob;
use crate::issuers::{Family, Provider};

/// A dimension that a pattern leaves open, and how. Every cloud has its own words for these.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Gap {
    /// Nothing but wildcards.
    Everything,
    /// The owner's place is taken by a wildcard.
    AnyOwner,
    /// The owner's name is not closed: `acme*`.
    OwnerPrefix,
    /// Nothing but claims that the author of a workflow sets.
    AuthorControlled,
    /// A wildcard at the start, at an issuer of one's own.
    LeadingWildcard,
    /// Only the called workflow is named, not who calls it.
    WorkflowOnly,
    /// Everything of an owner.
    OwnerWide,
    /// A repository's, workspace's or service account's name is not closed.
    NamePrefix,
    /// Every workspace of a project.
    AnyWorkspace,
    /// Every service account of a cluster.
    AnyServiceAccount,
    /// Every namespace of a cluster.
    AnyNamespace,
    /// Every service account of a namespace.
    NamespaceWide,
    /// Any branch, tag, environment, pull request.
    AnyRef,
    /// Any branch.
    AnyBranch,
    /// A branch's name is not closed: `main*`.
    BranchPrefix,
    /// Any tag, or a pattern of tags.
    Tags,
    /// Pull requests, whose code nobody has reviewed.
    PullRequest,
    /// Any environment, or a prefix of environments.
    AnyEnvironment,
    /// Tags and branches of one name alike.
    AnyRefType,
    /// Plans and applies alike.
    AnyRunPhase,
    /// An author-controlled claim stands before the owner.
    AuthorClaimFirst,
}

/// What a pattern of subjects reaches, by dimension.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reach {
    /// Why it can never be a subject of this issuer.
    pub impossible: Option<&'static str>,
    /// Whose: the owner, group or organization.
    pub tenant: Option<Gap>,
    /// What of theirs: the repository, project, workspace.
    pub workload: Option<Gap>,
    /// Which of its jobs.
    pub context: Vec<Gap>,
    /// Owner or repository are told by an id that is never given to another.
    pub by_id: bool,
}

impl Reach {
    fn impossible(why: &'static str) -> Self {
        Self { impossible: Some(why), ..Self::default() }
    }

    fn tenant(gap: Gap) -> Self {
        Self { tenant: Some(gap), ..Self::default() }
    }
}

/// Reads a subject of this issuer in which `*` and `?` are wildcards.
pub fn analyse(provider: &Provider, pattern: &str) -> Reach {
    if !pattern.is_empty() && pattern.chars().all(|character| "*?:/".contains(character)) {
        return Reach { workload: Some(Gap::OwnerWide), context: vec![Gap::AnyRef], ..Reach::tenant(Gap::Everything) };
    }
    let family = family(provider, pattern);
    if pattern.starts_with(['*', '?']) {
        let gap = if provider.is_shared() { Gap::AnyOwner } else { Gap::LeadingWildcard };
        return Reach { workload: Some(Gap::OwnerWide), ..Reach::tenant(gap) };
    }
    match family {
        Family::GitHub => github::analyse(pattern),
        Family::GitLab => gitlab::analyse(pattern),
        Family::Terraform => others::terraform(pattern),
        Family::Buildkite => others::buildkite(pattern),
        Family::Vercel => others::vercel(pattern),
        Family::CircleCi => others::circleci(provider.name(), pattern),
        Family::Bitbucket => others::bitbucket(pattern),
        Family::Kubernetes => others::kubernetes(pattern),
        Family::Pulumi => others::pulumi(pattern),
        Family::Google => others::google(pattern),
        Family::Cognito | Family::Other => Reach::default(),
    }
}

/// Who writes the subjects of this issuer.
fn family(provider: &Provider, pattern: &str) -> Family {
    match provider.family() {
        Family::Other => family_by_shape(pattern),
        known => known,
    }
}

/// Self-hosted servers are recognised by how their subjects begin.
fn family_by_shape(pattern: &str) -> Family {
    match pattern.split(':').next().unwrap_or_default() {
        "repo" => Family::GitHub,
        "project_path" => Family::GitLab,
        "organization" if pattern.contains(":pipeline:") => Family::Buildkite,
        "organization" => Family::Terraform,
        "system" => Family::Kubernetes,
        _ => Family::Other,
    }
}

/// A GitHub subject with ids (`repo:OWNER@ID/REPO@ID:…`) in the form that it had without them.
pub fn immutable_form(subject: &str) -> Option<String> {
    let rest = subject.strip_prefix("repo:")?;
    let (path, context) = rest.split_once(':')?;
    let (owner, repository) = path.split_once('/')?;
    let ((owner, _), (repository, _)) = (owner.split_once('@')?, repository.split_once('@')?);
    Some(format!("repo:{owner}/{repository}:{context}"))
}

/// The owner, group or organization in a subject, without an id.
pub fn owner(subject: &str) -> Option<&str> {
    let (kind, rest) = subject.split_once(':')?;
    let end = match kind {
        // In `repo:acme*` the wildcard takes in the rest.
        "repo" | "project_path" => rest.find('/').or_else(|| rest.find('*').map(|at| at + 1))?,
        "organization" | "owner" => rest.find(':')?,
        _ => return None,
    };
    rest[..end].split('@').next()
}

/// The owner's id, or its pattern, in a GitHub subject that has one (`repo:OWNER@ID/REPO@ID:…`).
fn owner_id(subject: &str) -> Option<&str> {
    let (path, _) = subject.strip_prefix("repo:")?.split_once('/')?;
    path.split_once('@').map(|(_, id)| id)
}

/// Why a configuration that asks for subjects like `known` should not simply be made to admit this subject too;
/// `None` where nothing speaks against it.
pub fn risk(provider: &Provider, subject: &str, known: &[String]) -> Option<String> {
    if subject.ends_with(":pull_request") {
        return Some(
            "that lets in every pull request of the repository, before anyone has reviewed its code".to_owned(),
        );
    }
    if provider.is_shared() && analyse(provider, subject).tenant.is_some() {
        return Some(format!("`{subject}` does not say whose job it is: that would let strangers in"));
    }
    let owners: Vec<&str> = known.iter().filter_map(|known| owner(known)).collect();
    let own = owner(subject)?;
    if !owners.is_empty() && !owners.iter().any(|known| is_named(known, own)) {
        return Some(format!(
            "the token is `{own}`'s, the policy is for `{}`: that would let a stranger in",
            owners.join("`, `")
        ));
    }
    renamed(subject, own, known)
}

/// Owners whose names differ in case only are one and the same.
fn is_named(pattern: &str, name: &str) -> bool {
    Glob::parse(&pattern.to_lowercase()).matches(&name.to_lowercase())
}

/// The same name with another id, or without the ids that are known of it.
fn renamed(subject: &str, own: &str, known: &[String]) -> Option<String> {
    let of_name = known.iter().filter(|known| owner(known).is_some_and(|known| is_named(known, own)));
    let ids: Option<Vec<&str>> = of_name.map(|known| owner_id(known)).collect();
    let ids = ids.filter(|ids| !ids.is_empty())?;
    match owner_id(subject) {
        Some(id) if ids.iter().any(|known| Glob::parse(known).matches(id)) => None,
        Some(id) => Some(format!(
            "`{own}` has the id {id}, the policy is for {}: somebody else has the name now, and that would let them in",
            ids.join(", ")
        )),
        None => Some(format!(
            "the policy tells `{own}` by an id, this subject by the name alone: that would let in whoever has the name next"
        )),
    }
}

fn has_wildcard(text: &str) -> bool {
    text.contains(['*', '?'])
}

fn is_open(text: &str) -> bool {
    text.starts_with(['*', '?'])
}

fn is_id(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// What a branch's name leaves open; `release/*` is how branches are grouped, and no gap.
fn branch_gap(name: &str) -> Option<Gap> {
    let at = name.find(['*', '?'])?;
    match &name[..at] {
        "" => Some(Gap::AnyBranch),
        prefix if prefix.ends_with('/') => None,
        _ => Some(Gap::BranchPrefix),
    }
}

/// What a full git ref leaves open, as in the claims `ref` and `job_workflow_ref`.
pub(crate) fn ref_gap(name: &str) -> Result<Option<Gap>, &'static str> {
    if matches!(name, "refs/heads/" | "refs/tags/") {
        return Err("the ref has no name");
    }
    if let Some(branch) = name.strip_prefix("refs/heads/") {
        return Ok(branch_gap(branch));
    }
    if let Some(tag) = name.strip_prefix("refs/tags/") {
        return Ok(has_wildcard(tag).then_some(Gap::Tags));
    }
    if name.starts_with("refs/pull/") {
        return Ok(Some(Gap::PullRequest));
    }
    if has_wildcard(name) && Glob::parse(name).intersects(&Glob::parse("refs/*")) {
        return Ok(Some(Gap::AnyRef));
    }
    Err("a git ref begins with refs/heads/ or refs/tags/")
}

impl Gap {
    /// What a value of GitHub's `ref` claim leaves open.
    pub fn of_ref(value: &str) -> Option<Self> {
        ref_gap(value).unwrap_or(None)
    }
}

#[cfg(test)]
mod tests;
