//! GitHub Actions: `repo:OWNER/REPO:CONTEXT`, with ids `repo:OWNER@ID/REPO@ID:CONTEXT`, and custom templates.
//! <https://docs.github.com/actions/reference/security/oidc>

use crate::glob::Glob;

use super::{Gap, Reach, custom, has_wildcard, is_id, is_open, ref_gap};

const NO_OWNER: &str = "a subject is repo:OWNER/REPO:CONTEXT";
const SPACE: &str = "a subject neither begins nor ends with a space";
const NO_CONTEXT: &str = "after repo:OWNER/REPO comes :ref:refs/heads/NAME, :ref:refs/tags/NAME, :environment:NAME or :pull_request, which this leaves out";
const NO_SUCH_CONTEXT: &str =
    "the context is ref:refs/heads/NAME, ref:refs/tags/NAME, environment:NAME (`:` in a name is %3A) or pull_request";

pub(super) fn analyse(pattern: &str) -> Reach {
    if pattern.trim() != pattern {
        return Reach::impossible(SPACE);
    }
    let first = pattern.split(':').next().unwrap_or_default();
    if has_wildcard(first) {
        return Reach { workload: Some(Gap::OwnerWide), context: vec![Gap::AnyRef], ..Reach::tenant(Gap::AnyOwner) };
    }
    match pattern.strip_prefix("repo:") {
        Some(rest) => repository(rest),
        None if custom::CLAIMS.contains(&first) => custom::analyse(pattern),
        None => Reach::impossible("a subject begins with repo:"),
    }
}

fn repository(rest: &str) -> Reach {
    let (path, context) = rest.split_once(':').map_or((rest, None), |(path, context)| (path, Some(context)));
    let Some((owner, name)) = path.split_once('/') else {
        // `repo:acme*` takes in the rest; without a wildcard something is missing.
        let gap = if is_open(path) {
            Reach { workload: Some(Gap::OwnerWide), ..Reach::tenant(Gap::AnyOwner) }
        } else if let Some((_, id)) = path.split_once('@').filter(|_| has_wildcard(path)) {
            Reach { workload: Some(Gap::OwnerWide), by_id: is_id(id.trim_end_matches('*')), ..Reach::default() }
        } else if has_wildcard(path) {
            Reach { workload: Some(Gap::OwnerWide), ..Reach::tenant(Gap::OwnerPrefix) }
        } else {
            return Reach::impossible(NO_OWNER);
        };
        return with_context(gap, context);
    };
    if path.contains(char::is_whitespace) || (!has_wildcard(name) && name.contains('/')) {
        return Reach::impossible(NO_OWNER);
    }
    let mut reach = Reach { by_id: has_id(owner) || has_id(name), ..Reach::default() };
    if has_wildcard(owner) {
        reach.tenant = if is_open(owner) {
            Some(Gap::AnyOwner)
        } else {
            // `acme@*` is closed by the `@`, which no name contains.
            before_wildcard(owner).is_none_or(|text| !text.contains('@')).then_some(Gap::OwnerPrefix)
        };
    }
    reach.workload = match before_wildcard(name) {
        Some("") => Some(Gap::OwnerWide),
        Some(text) if !text.contains('@') => Some(Gap::NamePrefix),
        _ => None,
    };
    // Only a `*` at its end, or in what it crosses, takes in the context.
    if context.is_none() && !path.contains('*') {
        return Reach::impossible(NO_CONTEXT);
    }
    with_context(reach, context)
}

fn with_context(mut reach: Reach, context: Option<&str>) -> Reach {
    match context.map_or(Ok(vec![Gap::AnyRef]), contexts) {
        Ok(gaps) => Reach { context: gaps, ..reach },
        Err(why) => {
            reach.impossible = Some(why);
            reach
        }
    }
}

/// What the part after the repository leaves open.
fn contexts(context: &str) -> Result<Vec<Gap>, &'static str> {
    let segments: Vec<&str> = context.split(':').collect();
    let (first, rest) = (segments[0], &segments[1..]);
    let follows = |at: usize| rest.get(at).is_none_or(|claim| custom::CLAIMS.contains(claim) || has_wildcard(claim));
    match first {
        "pull_request" => Ok(vec![Gap::PullRequest]),
        "environment" => match rest.first() {
            None | Some(&"") => Err(NO_SUCH_CONTEXT),
            Some(name) if has_wildcard(name) => Ok(vec![Gap::AnyEnvironment]),
            Some(_) if follows(1) => Ok(Vec::new()),
            Some(_) => Err(NO_SUCH_CONTEXT),
        },
        "ref" => match rest.first() {
            None | Some(&"") => Err(NO_SUCH_CONTEXT),
            Some(name) => ref_gap(name).map(|gap| gap.into_iter().collect()),
        },
        _ if first.starts_with("pull_request") && has_wildcard(first) => Ok(vec![Gap::PullRequest]),
        _ if has_wildcard(first) && is_possible(context) => Ok(vec![Gap::AnyRef]),
        _ if custom::CLAIMS.contains(&first) => Ok(Vec::new()),
        _ => Err(NO_SUCH_CONTEXT),
    }
}

/// Can the pattern be met by any context that GitHub writes?
fn is_possible(context: &str) -> bool {
    let pattern = Glob::parse(context);
    let own = ["ref:refs/heads/*", "ref:refs/tags/*", "ref:refs/pull/*", "environment:*", "pull_request*"];
    own.iter().any(|known| pattern.intersects(&Glob::parse(known)))
        || custom::CLAIMS.iter().any(|claim| pattern.intersects(&Glob::parse(&format!("{claim}:*"))))
}

fn has_id(part: &str) -> bool {
    part.split_once('@').is_some_and(|(_, id)| is_id(id))
}

fn before_wildcard(text: &str) -> Option<&str> {
    text.find(['*', '?']).map(|at| &text[..at])
}
