//! HCP Terraform, Buildkite, Vercel, CircleCI, Bitbucket, Kubernetes, Pulumi.

use super::pairs::{pairs, value};
use super::{Gap, Reach, branch_gap, has_wildcard, is_open};

/// The owner in the first pair, which has to bear this key.
fn owner(pattern: &str, key: &str, why: &'static str) -> Reach {
    match pairs(pattern)[0] {
        (name, Some(owner)) if name == key => Reach {
            tenant: if is_open(owner) { Some(Gap::AnyOwner) } else { has_wildcard(owner).then_some(Gap::OwnerPrefix) },
            ..Reach::default()
        },
        (name, _) if has_wildcard(name) => Reach::tenant(Gap::AnyOwner),
        _ => Reach::impossible(why),
    }
}

fn name_gap(name: &str, open: Gap) -> Option<Gap> {
    if is_open(name) { Some(open) } else { has_wildcard(name).then_some(Gap::NamePrefix) }
}

/// `organization:O:project:P:workspace:W:run_phase:plan|apply`
pub(super) fn terraform(pattern: &str) -> Reach {
    const WHY: &str = "a subject is organization:O:project:P:workspace:W:run_phase:plan|apply";
    let pairs = pairs(pattern);
    let mut reach = owner(pattern, "organization", WHY);
    if reach.impossible.is_some() {
        return reach;
    }
    let swallowed = pattern.ends_with('*');
    match pairs.get(1) {
        None if reach.tenant.is_some() => {}
        None => return Reach::impossible(WHY),
        Some((key, _)) if has_wildcard(key) => reach.workload = Some(Gap::OwnerWide),
        Some(("project", project)) => {
            let any_project = project.is_none_or(is_open);
            match value(&pairs, "workspace") {
                Some(workspace) if is_open(workspace) => {
                    reach.workload = Some(if any_project { Gap::OwnerWide } else { Gap::AnyWorkspace });
                }
                Some(workspace) => reach.workload = name_gap(workspace, Gap::AnyWorkspace),
                None if any_project && swallowed => reach.workload = Some(Gap::OwnerWide),
                None if swallowed => reach.workload = Some(Gap::AnyWorkspace),
                None => return Reach::impossible(WHY),
            }
        }
        // Behind an open owner anything may have been swallowed.
        Some(_) if reach.tenant.is_some() => {}
        Some(_) => return Reach::impossible("between organization and workspace stands project:NAME"),
    }
    if value(&pairs, "run_phase").is_none() && !pattern.contains('*') {
        return Reach::impossible(WHY);
    }
    let phase_swallowed =
        value(&pairs, "workspace").is_some() && pairs.last().is_some_and(|(key, _)| has_wildcard(key));
    if value(&pairs, "run_phase").is_some_and(has_wildcard) || phase_swallowed {
        reach.context.push(Gap::AnyRunPhase);
    }
    reach
}

/// `organization:O:pipeline:P:ref:REF:commit:SHA:step:KEY`
pub(super) fn buildkite(pattern: &str) -> Reach {
    const WHY: &str = "a subject is organization:O:pipeline:P:ref:REF:commit:SHA:step:KEY";
    let pairs = pairs(pattern);
    let mut reach = owner(pattern, "organization", WHY);
    if reach.impossible.is_some() {
        return reach;
    }
    match value(&pairs, "pipeline") {
        Some(pipeline) => reach.workload = name_gap(pipeline, Gap::OwnerWide),
        None if pattern.ends_with('*') => {
            reach.workload = Some(Gap::OwnerWide);
        }
        None => return Reach::impossible(WHY),
    }
    match value(&pairs, "ref") {
        // The commit and the step follow: only a wildcard takes them in.
        _ if !pattern.contains('*') && value(&pairs, "commit").is_none() => return Reach::impossible(WHY),
        Some(name) => match super::ref_gap(name) {
            Ok(gap) => reach.context.extend(gap),
            Err(_) => reach.context.extend(branch_gap(name)),
        },
        None => reach.context.push(Gap::AnyRef),
    }
    reach
}

/// `owner:TEAM:project:P:environment:E`
pub(super) fn vercel(pattern: &str) -> Reach {
    const WHY: &str = "a subject is owner:TEAM:project:P:environment:E";
    let pairs = pairs(pattern);
    let mut reach = owner(pattern, "owner", WHY);
    if reach.impossible.is_some() {
        return reach;
    }
    match value(&pairs, "project") {
        Some(project) => reach.workload = name_gap(project, Gap::OwnerWide),
        None if pattern.ends_with('*') => reach.workload = Some(Gap::OwnerWide),
        None => return Reach::impossible(WHY),
    }
    match value(&pairs, "environment") {
        Some(name) => reach.context.extend(has_wildcard(name).then_some(Gap::AnyEnvironment)),
        None if pattern.ends_with('*') => reach.context.push(Gap::AnyEnvironment),
        None => return Reach::impossible(WHY),
    }
    reach
}

/// `org/ORG/project/PROJECT/user/USER`, with or without `/vcs-origin/…/vcs-ref/REF`; the issuer fixes the organization.
pub(super) fn circleci(issuer: &str, pattern: &str) -> Reach {
    let segments: Vec<&str> = pattern.split('/').collect();
    let mut reach = Reach::default();
    let own = issuer.split_once("/org/").map(|(_, org)| org);
    if let (Some(own), Some(org)) = (own, segments.get(1).filter(|org| !has_wildcard(org)))
        && own != *org
    {
        return Reach::impossible("the issuer is of another organization than this");
    }
    match segments.as_slice() {
        ["org", org] if has_wildcard(org) => reach.workload = Some(Gap::OwnerWide),
        ["org", _, rest, ..] if has_wildcard(rest) => reach.workload = Some(Gap::OwnerWide),
        ["org", _, "project", project, ..] => reach.workload = name_gap(project, Gap::OwnerWide),
        _ => return Reach::impossible("a subject is org/ORG/project/PROJECT/user/USER"),
    }
    if let Some((_, name)) = pattern.split_once("/vcs-ref/") {
        reach.context.extend(super::ref_gap(name).unwrap_or(None));
    }
    reach
}

/// `{REPOSITORY}:[{ENVIRONMENT}:]{STEP}`, each a UUID in braces; the issuer fixes the workspace.
pub(super) fn bitbucket(pattern: &str) -> Reach {
    let segments: Vec<&str> = pattern.split(':').collect();
    let is_one_part = segments.len() == 1 && !pattern.contains('*');
    if !pattern.starts_with('{') || is_one_part {
        return Reach::impossible("a subject is {REPOSITORY}:[{ENVIRONMENT}:]{STEP}, each a UUID in braces");
    }
    let mut reach = Reach::default();
    if has_wildcard(segments[0]) {
        reach.workload = Some(Gap::NamePrefix);
    }
    if segments.get(1).is_some_and(|segment| is_open(segment)) {
        reach.context.push(Gap::AnyRef);
    }
    reach
}

/// `system:serviceaccount:NAMESPACE:NAME`
pub(super) fn kubernetes(pattern: &str) -> Reach {
    const WHY: &str = "a subject is system:serviceaccount:NAMESPACE:NAME";
    let segments: Vec<&str> = pattern.split(':').collect();
    let workload = match segments.as_slice() {
        ["system", kind] if has_wildcard(kind) => Some(Gap::AnyServiceAccount),
        ["system", "serviceaccount", namespace] if is_open(namespace) => Some(Gap::AnyServiceAccount),
        ["system", "serviceaccount", namespace] if has_wildcard(namespace) => Some(Gap::AnyNamespace),
        ["system", "serviceaccount", namespace, name] if has_wildcard(namespace) => {
            Some(if is_open(namespace) && is_open(name) { Gap::AnyServiceAccount } else { Gap::AnyNamespace })
        }
        ["system", "serviceaccount", _, name] => name_gap(name, Gap::NamespaceWide),
        _ => return Reach::impossible(WHY),
    };
    Reach { workload, ..Reach::default() }
}

/// An account's number, which stays the same whatever its address is.
pub(super) fn google(pattern: &str) -> Reach {
    let is_number = pattern.bytes().all(|byte| byte.is_ascii_digit() || b"*?".contains(&byte));
    if is_number && !pattern.is_empty() {
        Reach::default()
    } else {
        Reach::impossible("a subject is the account's number; its address is in the claim email")
    }
}

/// `pulumi:deploy:org:O:project:P:stack:S:…` and `pulumi:environments:org:O:env:E`
pub(super) fn pulumi(pattern: &str) -> Reach {
    let segments: Vec<&str> = pattern.split(':').collect();
    let after = |key: &str| segments.iter().position(|segment| *segment == key).and_then(|at| segments.get(at + 1));
    let mut reach = Reach::default();
    match after("org") {
        Some(org) if is_open(org) => reach.tenant = Some(Gap::AnyOwner),
        Some(org) if has_wildcard(org) => reach.tenant = Some(Gap::OwnerPrefix),
        Some(_) => {
            let work = after("project").or_else(|| after("env"));
            reach.workload = work.map_or(Some(Gap::OwnerWide), |work| name_gap(work, Gap::OwnerWide));
        }
        None if segments.iter().any(|segment| has_wildcard(segment)) => reach.tenant = Some(Gap::AnyOwner),
        None => {}
    }
    reach
}
