//! A Mermaid flowchart (<https://mermaid.js.org/syntax/flowchart.html>).

use super::model::{Graph, Mark};
use super::text::{door_lines, place, principal_lines, words};
use crate::report::visible;

/// What Mermaid draws at most, unless its host is configured otherwise (`maxTextSize`, `maxEdges`).
const LARGEST: usize = 50_000;
const MOST_EDGES: usize = 500;

/// Which of Mermaid's limits the text exceeds.
pub(super) fn exceeded(graph: &Graph, text: &str) -> Option<String> {
    let edges = graph.workloads.len() + graph.doors.len() + graph.edges.len() + graph.chains.len();
    if text.chars().count() > LARGEST {
        return Some(format!("{LARGEST} characters"));
    }
    (edges > MOST_EDGES).then(|| format!("{MOST_EDGES} edges"))
}

pub(super) fn draw(graph: &Graph) -> String {
    let mut out = String::from("flowchart LR\n");
    for (at, issuer) in graph.issuers.iter().enumerate() {
        out.push_str(&format!("  i{at}([{}])\n", label(std::slice::from_ref(issuer))));
    }
    for (at, workload) in graph.workloads.iter().enumerate() {
        out.push_str(&format!("  w{at}[{}]\n", label(std::slice::from_ref(&workload.name))));
    }
    for (at, door) in graph.doors.iter().enumerate() {
        let lines = door_lines(door);
        out.push_str(&format!("  d{at}[{}]{}\n", label(&lines), class(graph.worst_of_door(at))));
    }
    for (at, one) in graph.places.iter().enumerate() {
        out.push_str(&format!("  subgraph a{at}[{}]\n", label(&[place(one)])));
        for (index, principal) in graph.principals.iter().enumerate().filter(|(_, principal)| principal.place == at) {
            let mut lines = principal_lines(graph, index);
            let worst = principal.findings.first().map(|finding| Mark::Found(finding.severity));
            lines.extend(
                principal
                    .findings
                    .iter()
                    .map(|finding| format!("{} {}", Mark::Found(finding.severity).word(), finding.id)),
            );
            out.push_str(&format!("    p{index}[{}]{}\n", label(&lines), class(worst)));
        }
        out.push_str("  end\n");
    }
    // Styles go by the edge's number.
    let mut styles = String::new();
    let mut number = 0;
    for (at, workload) in graph.workloads.iter().enumerate() {
        out.push_str(&format!("  i{} --- w{at}\n", workload.issuer));
        number += 1;
    }
    for (at, door) in graph.doors.iter().enumerate() {
        out.push_str(&format!("  w{} --- d{at}\n", door.workload));
        number += 1;
    }
    for edge in &graph.edges {
        let mark = edge.mark();
        let is_dashed = matches!(mark, Some(Mark::Never | Mark::NotDeployed)) || edge.difference.is_some();
        let arrow = if is_dashed { "-.->" } else { "-->" };
        let words = words(edge);
        let told = if words.is_empty() { String::new() } else { format!("|{}|", label(&words)) };
        out.push_str(&format!("  d{} {arrow}{told} p{}\n", edge.door, edge.principal));
        if let Some(mark) = mark {
            styles.push_str(&format!("  linkStyle {number} stroke:{},stroke-width:2px\n", colour(mark)));
        }
        number += 1;
    }
    for chain in &graph.chains {
        out.push_str(&format!("  p{} ==> p{}\n", chain.from, chain.to));
    }
    out.push_str(&styles);
    for mark in marks(graph) {
        out.push_str(&format!("  classDef {} stroke:{},stroke-width:2px\n", mark.class(), colour(mark)));
    }
    out
}

/// The marks that nodes bear.
fn marks(graph: &Graph) -> Vec<Mark> {
    let doors = (0..graph.doors.len()).filter_map(|door| graph.worst_of_door(door));
    let own =
        graph.principals.iter().filter_map(|one| one.findings.first()).map(|finding| Mark::Found(finding.severity));
    let all: std::collections::BTreeSet<Mark> = doors.chain(own).collect();
    all.into_iter().collect()
}

fn class(mark: Option<Mark>) -> String {
    mark.map(|mark| format!(":::{}", mark.class())).unwrap_or_default()
}

/// Colours that are told apart on white and on black.
pub(super) fn colour(mark: Mark) -> &'static str {
    use federate_trust::Severity;
    match mark {
        Mark::Never | Mark::NotDeployed => "#7d8590",
        Mark::NotMeant => "#8957e5",
        Mark::Found(Severity::Info) => "#6e7fa0",
        Mark::Found(Severity::Low) => "#3a82d6",
        Mark::Found(Severity::Medium) => "#b5820f",
        Mark::Found(Severity::High) => "#e0602b",
        Mark::Found(Severity::Critical) => "#d1242f",
    }
}

/// A label in quotes; whatever Mermaid, its Markdown or HTML could read as something else is written as an entity.
fn label(lines: &[String]) -> String {
    let escaped = |line: &String| {
        let mut out = String::new();
        let line = visible(line);
        let behind_number = line.trim_start_matches(|character: char| character.is_ascii_digit());
        // A line that begins like a list would be read as one.
        let is_numbered = behind_number.len() < line.len() && behind_number.starts_with(['.', ')']);
        for (at, character) in line.chars().enumerate() {
            let is_plain = character.is_alphanumeric()
                || (at > 0
                    && matches!(
                        character,
                        ' ' | '*' | '_' | '@' | '+' | '/' | ':' | '.' | ',' | '-' | '(' | ')' | '='
                    ));
            if is_plain && !(at == 0 && is_numbered) {
                out.push(character);
            } else {
                out.push_str(&format!("#{};", u32::from(character)));
            }
        }
        out
    };
    format!("\"{}\"", lines.iter().map(escaped).collect::<Vec<_>>().join("<br/>"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_gets_out_of_a_label() {
        let hostile = ["a\"]\nend".to_owned(), "<script>`#".to_owned(), "1. x".to_owned(), "1-x*".to_owned()];
        assert_eq!(label(&hostile), "\"a#34;#93;#92;nend<br/>#60;script#62;#96;#35;<br/>#49;. x<br/>1-x*\"");
    }
}
