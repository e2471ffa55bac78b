//! The words that every format shares.

use super::model::{Door, Edge, Graph, Mark, Place, Principal};
use super::ways::Difference;
use crate::report::visible;

/// `2 roles`, `role`.
pub(super) fn noun(principal: &Principal) -> String {
    match principal.names.len() {
        1 => principal.noun.clone(),
        many => format!("{many} {}s", principal.noun),
    }
}

/// What stands on a principal: what it is, its names with what is to be said of each, and whether nothing tells its trust.
pub(super) fn principal_lines(graph: &Graph, index: usize) -> Vec<String> {
    let principal = &graph.principals[index];
    let mut lines = vec![noun(principal)];
    for name in &principal.names {
        lines.push(name.text.clone());
        if name.details.len() == 1 {
            lines.extend(name.details.iter().cloned());
        }
    }
    if !principal.is_known && !graph.chains.iter().any(|chain| chain.to == index) {
        lines.push("trust not known".to_owned());
    }
    lines
}

/// What stands on a way in: which jobs, and under which conditions.
pub(super) fn door_lines(door: &Door) -> Vec<String> {
    std::iter::once(&door.context).chain(&door.conditions).cloned().collect()
}

/// The names of a place: what all of them begin with is said once.
pub(super) fn place(place: &Place) -> String {
    let [first, rest @ ..] = place.names.as_slice() else { return String::new() };
    if rest.is_empty() {
        return visible(first);
    }
    let shared = first.rfind(' ').map_or("", |at| &first[..=at]);
    if shared.is_empty() || !rest.iter().all(|name| name.starts_with(shared)) {
        return visible(&format!("{} alike: {}", place.names.len(), some(place.names.iter())));
    }
    let ends: Vec<String> = place.names.iter().map(|name| name[shared.len()..].to_owned()).collect();
    visible(&format!("{} × {}: {}", ends.len(), shared.trim_end(), some(ends.iter())))
}

/// Everything about a way in: a sentence, then a line for each thing to know.
pub(super) fn edge(graph: &Graph, edge: &Edge) -> Vec<String> {
    let door = &graph.doors[edge.door];
    let workload = &graph.workloads[door.workload];
    let names: Vec<String> = graph.principals[edge.principal].names.iter().map(|name| visible(&name.text)).collect();
    let can = if edge.never.is_some() { "is meant to become, and cannot:" } else { "can become" };
    let can = if matches!(edge.difference, Some(Difference::NotDeployed(_))) { "cannot become yet:" } else { can };
    let mut lines = vec![format!(
        "{}, {} ({}) {can} {} {} in {}",
        visible(&workload.name),
        visible(&door.context),
        visible(&graph.issuers[workload.issuer]),
        noun(&graph.principals[edge.principal]),
        names.join(", "),
        place(&graph.places[graph.principals[edge.principal].place]),
    )];
    lines.extend(door.conditions.iter().map(|condition| format!("condition: {}", visible(condition))));
    lines.extend(difference(edge));
    lines.extend(edge.never.iter().map(|why| format!("nobody gets in this way: {}", visible(why))));
    for finding in &edge.findings {
        lines.push(self::finding(finding));
    }
    lines.push(format!("by {}", visible(&some(edge.places.iter()))));
    lines.push(format!("targets: {}", visible(&some(edge.targets.iter()))));
    lines
}

pub(super) fn finding(finding: &federate_trust::Finding) -> String {
    visible(&format!(
        "{} {}: {}. Fix: {}",
        Mark::Found(finding.severity).word(),
        finding.id,
        finding.message.trim_end_matches('.'),
        finding.fix
    ))
}

/// Where the list and the configuration differ.
pub(super) fn difference(edge: &Edge) -> Option<String> {
    Some(match edge.difference.as_ref()? {
        Difference::NotMeant => "not meant: the policy lets them in, and no `allow` entry covers them".to_owned(),
        Difference::NotDeployed(why) => {
            visible(&format!("not deployed: `allow` means them, and the policy keeps them out ({why})"))
        }
    })
}

/// What stands at a line: how allow and policy differ, and the worst findings by their ids.
pub(super) fn words(edge: &Edge) -> Vec<String> {
    if let Some(mark @ (Mark::Never | Mark::NotDeployed)) = edge.mark() {
        return vec![mark.word().to_owned()];
    }
    let mut words: Vec<String> = edge.difference.iter().map(|_| Mark::NotMeant.word().to_owned()).collect();
    if let Some(worst) = edge.findings.first().map(|finding| finding.severity) {
        let ids = edge.findings.iter().filter(|finding| finding.severity == worst).map(|finding| finding.id.to_owned());
        words.push(format!("{}: {}", Mark::Found(worst).word(), some(ids.collect::<Vec<_>>().iter())));
    }
    words
}

/// The first of many.
pub(super) fn some<'a>(texts: impl ExactSizeIterator<Item = &'a String>) -> String {
    const SHOWN: usize = 12;
    let count = texts.len();
    let mut shown: Vec<String> = texts.take(SHOWN).cloned().collect();
    if count > SHOWN {
        shown.push(format!("{} more", count - SHOWN));
    }
    shown.join(", ")
}

/// `2 issuers, 3 workloads, 4 principals in 2 accounts, tenants or projects`.
pub(super) fn summary(graph: &Graph) -> String {
    let count = |number: usize, one: &str| format!("{number} {one}{}", if number == 1 { "" } else { "s" });
    let principals =
        graph.principals.iter().map(|principal| principal.names.iter().map(|name| name.ids.len()).sum::<usize>());
    let places: usize = graph.places.iter().map(|place| place.names.len()).sum();
    let mut text = format!(
        "{}, {}, {} in {}",
        count(graph.issuers.len(), "issuer"),
        count(graph.workloads.len(), "workload"),
        count(principals.sum(), "principal"),
        if places == 1 {
            "1 account, tenant or project".to_owned()
        } else {
            format!("{places} accounts, tenants or projects")
        },
    );
    let worst = graph.worst().map(Mark::word);
    text.push_str(&worst.map_or_else(|| "; nothing found".to_owned(), |worst| format!("; the worst: {worst}")));
    text
}
