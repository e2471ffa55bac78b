//! GitLab CI: `project_path:GROUP/PROJECT:ref_type:TYPE:ref:REF`, and the components that a project can choose.
//! <https://docs.gitlab.com/ci/secrets/id_token_authentication/>

use super::pairs::{pairs, value};
use super::{Gap, Reach, branch_gap, has_wildcard, is_open};

const NO_SUBJECT: &str = "a subject is project_path:GROUP/PROJECT:ref_type:TYPE:ref:REF";
const COMPONENTS: &[&str] = &[
    "project_path",
    "project_id",
    "namespace_id",
    "ref_type",
    "ref",
    "ref_protected",
    "environment_protected",
    "deployment_tier",
];

pub(super) fn analyse(pattern: &str) -> Reach {
    if pattern.trim() != pattern {
        return Reach::impossible(NO_SUBJECT);
    }
    let pairs = pairs(pattern);
    let (first, of_first) = pairs[0];
    if has_wildcard(first) {
        return Reach { workload: Some(Gap::OwnerWide), context: vec![Gap::AnyRef], ..Reach::tenant(Gap::AnyOwner) };
    }
    let mut reach = Reach::default();
    match (first, of_first) {
        ("project_path", Some(path)) => {
            if let Err(why) = project(path, &mut reach) {
                return Reach::impossible(why);
            }
        }
        ("project_id", Some(id)) if id.contains('/') => {
            return Reach::impossible("a project_id is a number; by its path a project is project_path:GROUP/PROJECT");
        }
        ("project_id", Some(id)) if !has_wildcard(id) => reach.by_id = true,
        ("namespace_id", Some(id)) if !has_wildcard(id) => {
            reach.by_id = true;
            let project = value(&pairs, "project_id").or_else(|| value(&pairs, "project_path"));
            reach.workload = project.is_none_or(has_wildcard).then_some(Gap::OwnerWide);
        }
        ("project_id" | "namespace_id", Some(_)) => {
            reach.tenant = Some(Gap::AnyOwner);
            reach.workload = Some(Gap::OwnerWide);
        }
        _ => return Reach::impossible(NO_SUBJECT),
    }
    if pairs.len() == 1 {
        if !pattern.ends_with('*') {
            return Reach::impossible(NO_SUBJECT);
        }
        reach.context.push(Gap::AnyRef);
        return reach;
    }
    match context(&pairs[1..]) {
        Ok(gaps) => reach.context = gaps,
        Err(why) => reach.impossible = Some(why),
    }
    reach
}

fn project(path: &str, reach: &mut Reach) -> Result<(), &'static str> {
    let Some(at) = path.find(['*', '?']) else {
        return if path.contains('/') { Ok(()) } else { Err(NO_SUBJECT) };
    };
    let before = &path[..at];
    if !before.contains('/') {
        reach.tenant = Some(if before.is_empty() { Gap::AnyOwner } else { Gap::OwnerPrefix });
        // A project's name behind the wildcard is still a name.
        let name = path.rsplit_once('/').map_or("*", |(_, name)| name);
        reach.workload =
            if is_open(name) { Some(Gap::OwnerWide) } else { has_wildcard(name).then_some(Gap::NamePrefix) };
    } else if before.ends_with('/') {
        reach.workload = Some(Gap::OwnerWide);
    } else {
        reach.workload = Some(Gap::NamePrefix);
    }
    Ok(())
}

fn context(pairs: &[(&str, Option<&str>)]) -> Result<Vec<Gap>, &'static str> {
    let mut gaps = Vec::new();
    let branch_or_tag = pairs.iter().position(|(key, _)| *key == "ref_type");
    for (key, _) in pairs {
        if has_wildcard(key) {
            break;
        }
        if !COMPONENTS.contains(key) {
            return Err("GitLab's subjects have no such component: after the path come ref_type and ref");
        }
    }
    let Some(at) = branch_or_tag else {
        if pairs.iter().any(|(key, _)| has_wildcard(key)) {
            gaps.push(Gap::AnyRef);
        }
        return Ok(gaps);
    };
    let name = pairs.get(at + 1).and_then(|(key, value)| if *key == "ref" { *value } else { None });
    let is_cut = at + 1 == pairs.len() && pairs[at].1.is_some_and(|kind| !kind.contains('*'));
    if is_cut {
        return Err(NO_SUBJECT);
    }
    let open = name.is_none_or(is_open);
    // Nobody pushes to a protected branch who may not.
    let is_protected = value(pairs, "ref_protected") == Some("true");
    match pairs[at].1 {
        None => return Err(NO_SUBJECT),
        Some(kind) if has_wildcard(kind) => gaps.push(if open { Gap::AnyRef } else { Gap::AnyRefType }),
        Some("branch") if is_protected => {}
        Some("branch") if open => gaps.push(Gap::AnyBranch),
        Some("branch") => gaps.extend(name.and_then(branch_gap)),
        Some("tag") => gaps.extend((open || name.is_some_and(has_wildcard)).then_some(Gap::Tags)),
        Some(_) => return Err("ref_type is branch or tag; merge request pipelines are of their source branch"),
    }
    Ok(gaps)
}
