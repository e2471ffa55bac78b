//! The language of Graphviz (<https://graphviz.org/doc/info/lang.html>).

use super::mermaid::colour;
use super::model::{Graph, Mark};
use super::text::{door_lines, edge, finding, place, principal_lines, words};
use crate::report::visible;

pub(super) fn draw(graph: &Graph) -> String {
    let mut out = String::from(
        "digraph trust {\n  rankdir=LR; ranksep=1.2; nodesep=0.15; bgcolor=\"transparent\"; fontname=\"Helvetica\";\n  \
         node [shape=box, style=\"rounded,filled\", fillcolor=\"#f6f8fa\", color=\"#afb8c1\", fontname=\"Helvetica\", fontsize=11];\n  \
         edge [color=\"#57606a\", fontname=\"Helvetica\", fontsize=9];\n",
    );
    for (at, issuer) in graph.issuers.iter().enumerate() {
        out.push_str(&format!("  i{at} [shape=ellipse, label={}];\n", quoted(std::slice::from_ref(issuer))));
    }
    for (at, workload) in graph.workloads.iter().enumerate() {
        out.push_str(&format!("  w{at} [label={}];\n", quoted(std::slice::from_ref(&workload.name))));
    }
    for (at, door) in graph.doors.iter().enumerate() {
        let lines = door_lines(door);
        out.push_str(&format!("  d{at} [label={}{}];\n", quoted(&lines), coloured(graph.worst_of_door(at))));
    }
    for (at, one) in graph.places.iter().enumerate() {
        out.push_str(&format!(
            "  subgraph \"cluster_{at}\" {{\n    label={}; style=\"rounded\"; color=\"#afb8c1\"; fontsize=11;\n",
            quoted(&wrapped(&place(one)))
        ));
        for (index, principal) in graph.principals.iter().enumerate().filter(|(_, principal)| principal.place == at) {
            let lines = principal_lines(graph, index);
            let worst = principal.findings.first().map(|one| Mark::Found(one.severity));
            let told: Vec<String> = principal.findings.iter().map(finding).collect();
            let tooltip = if told.is_empty() { String::new() } else { format!(", tooltip={}", quoted(&told)) };
            out.push_str(&format!("    p{index} [label={}{}{tooltip}];\n", quoted(&lines), coloured(worst)));
        }
        out.push_str("  }\n");
    }
    for (at, workload) in graph.workloads.iter().enumerate() {
        out.push_str(&format!("  i{} -> w{at} [arrowhead=none];\n", workload.issuer));
    }
    for (at, door) in graph.doors.iter().enumerate() {
        out.push_str(&format!("  w{} -> d{at} [arrowhead=none];\n", door.workload));
    }
    for one in &graph.edges {
        let mark = one.mark();
        let is_dashed = one.difference.is_some() || one.never.is_some();
        let style = if is_dashed { ", style=dashed" } else { "" };
        let mut told = edge(graph, one);
        told.truncate(40);
        let ids = words(one);
        let label = if ids.is_empty() { String::new() } else { format!(", label={}", quoted(&ids)) };
        out.push_str(&format!(
            "  d{} -> p{} [edgetooltip={tip}, labeltooltip={tip}{label}{style}{}];\n",
            one.door,
            one.principal,
            coloured(mark),
            tip = quoted(&told),
        ));
    }
    for chain in &graph.chains {
        out.push_str(&format!("  p{} -> p{} [style=bold, label=\"chain\"];\n", chain.from, chain.to));
    }
    out.push_str("}\n");
    out
}

/// Lines of a long list.
fn wrapped(text: &str) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let last = lines.len() - 1;
        if lines[last].chars().count() + word.chars().count() > 60 && !lines[last].is_empty() {
            lines.push(word.to_owned());
        } else {
            let space = if lines[last].is_empty() { "" } else { " " };
            lines[last].push_str(&format!("{space}{word}"));
        }
    }
    lines
}

fn coloured(mark: Option<Mark>) -> String {
    mark.map(|mark| format!(", color=\"{0}\", fontcolor=\"{0}\", penwidth=1.6", colour(mark))).unwrap_or_default()
}

/// A string in quotes. Graphviz reads backslashes and HTML entities in it.
fn quoted(lines: &[String]) -> String {
    let escaped = |line: &String| visible(line).replace('\\', "\\\\").replace('"', "\\\"").replace('&', "&amp;");
    format!("\"{}\"", lines.iter().map(escaped).collect::<Vec<_>>().join("\\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_gets_out_of_a_string() {
        assert_eq!(quoted(&["a\"]; \\N\n&lt;".to_owned(), "b".to_owned()]), r#""a\"]; \\N\\n&amp;lt;\nb""#);
    }
}
