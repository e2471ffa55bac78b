//! GitHub's customised subjects: any claims in any order, as the repository's or organization's template says.

use super::parts::{ANY_JOB, Parts, anyone, github_context, path};
use super::{Gap, Reach, has_wildcard, is_id, is_open};
use crate::issuers::Provider;

/// Claims that a template can name (`include_claim_keys`).
pub(super) const CLAIMS: &[&str] = &[
    "repo",
    "context",
    "repository",
    "repository_id",
    "repository_owner",
    "repository_owner_id",
    "repository_visibility",
    "actor",
    "actor_id",
    "workflow",
    "workflow_ref",
    "workflow_sha",
    "job_workflow_ref",
    "job_workflow_sha",
    "head_ref",
    "base_ref",
    "ref",
    "ref_type",
    "ref_protected",
    "environment",
    "environment_node_id",
    "event_name",
    "runner_environment",
    "enterprise",
    "enterprise_id",
    "sha",
    "run_id",
    "run_number",
    "run_attempt",
    "issuer_scope",
    "check_run_id",
];

const OWNERS: &[&str] = &[
    "repo",
    "repository",
    "repository_id",
    "repository_owner",
    "repository_owner_id",
    "enterprise",
    "enterprise_id",
    "workflow_ref",
];

const AUTHORED: &[&str] =
    &["workflow", "environment", "ref", "ref_type", "head_ref", "base_ref", "context", "event_name"];

pub(super) fn analyse(pattern: &str) -> Reach {
    let segments: Vec<&str> = pattern.split(':').collect();
    let value_of =
        |name: &str| segments.iter().position(|segment| *segment == name).and_then(|at| segments.get(at + 1)).copied();
    let named = OWNERS.iter().find_map(|claim| value_of(claim));
    let Some(value) = named else {
        let by_workflow = value_of("job_workflow_ref").is_some_and(|value| !is_open(value));
        return Reach::tenant(if by_workflow { Gap::WorkflowOnly } else { Gap::AuthorControlled });
    };
    let mut reach = Reach {
        by_id: ["repository_id", "repository_owner_id"]
            .iter()
            .any(|id| value_of(id).is_some_and(|id| !id.is_empty() && !has_wildcard(id))),
        ..Reach::default()
    };
    if is_open(value) {
        reach.tenant = Some(Gap::AnyOwner);
    } else if has_wildcard(value) {
        match value.split_once('/') {
            Some((owner, name)) if has_wildcard(owner) => {
                reach.tenant = Some(Gap::OwnerPrefix);
                reach.workload = is_open(name).then_some(Gap::OwnerWide);
            }
            Some((_, name)) if is_open(name) => reach.workload = Some(Gap::OwnerWide),
            Some(_) => reach.workload = Some(Gap::NamePrefix),
            None => reach.tenant = Some(Gap::OwnerPrefix),
        }
    }
    // Without a repository, the owner is all that is named.
    let names_repository =
        ["repo", "repository", "repository_id", "workflow_ref"].iter().any(|claim| value_of(claim).is_some());
    let ends_open = segments.last().is_some_and(|last| *last == "*");
    if !names_repository {
        reach.workload = Some(Gap::OwnerWide);
    } else if reach.tenant.is_none() && reach.workload.is_none() && ends_open {
        reach.context.push(Gap::AnyRef);
    }
    if AUTHORED.contains(&segments[0]) {
        reach.context.push(Gap::AuthorClaimFirst);
    }
    reach
}

/// The first claim that names an owner or a repository tells whose, the others which jobs.
pub(super) fn parts(provider: &Provider, noun: &'static str, pattern: &str) -> Parts {
    let pairs = super::pairs::pairs(pattern);
    let owner = OWNERS.iter().find_map(|claim| pairs.iter().position(|(key, value)| key == claim && value.is_some()));
    let value_at = |at: usize| pairs[at].1.unwrap_or_default();
    let mut ids = Vec::new();
    let workload = match owner.map(|at| (pairs[at].0, value_at(at))) {
        None => anyone(provider),
        Some((claim @ ("repository_id" | "repository_owner_id"), id)) if is_id(id) => {
            let claim = if claim == "repository_id" { "repository_id" } else { "repository_owner_id" };
            ids.push((claim, id.to_owned()));
            if claim == "repository_id" {
                format!("repository id {id}")
            } else {
                format!("any {noun} of owner id {id}")
            }
        }
        Some(("repo" | "repository", name)) => path(noun, name),
        Some(("repository_owner", owner)) => format!("any {noun} of {owner}"),
        Some((claim, value)) => format!("{claim} {value}"),
    };
    let others = pairs.iter().enumerate().filter(|(at, _)| Some(*at) != owner);
    let told: Vec<String> = others
        .filter_map(|(_, (key, value))| {
            let value = (*value)?;
            let is_plain = ["environment", "ref"].contains(key);
            Some(if is_plain { github_context(&format!("{key}:{value}")) } else { format!("{key} {value}") })
        })
        .collect();
    let pull_request = pairs.iter().any(|(key, value)| value.is_none() && *key == "pull_request");
    let context = match (told.is_empty(), pull_request) {
        (true, true) => "pull requests".to_owned(),
        (true, false) => ANY_JOB.to_owned(),
        (false, _) => told.join(", "),
    };
    Parts { ids, ..Parts::new(noun, workload, context) }
}
