//! A picture in one file: no scripts, no fonts of its own, nothing from elsewhere; light and dark as the reader likes it.

mod card;
mod layout;
mod measure;
mod order;
mod out;

use card::{PAD, pill_width};
use federate_trust::Severity;
use layout::{Layout, Placed};
use measure::{SMALL, sans};
use out::{Out, number};

use super::model::{Graph, Mark};
use super::text;
use crate::report::visible;

/// Around everything.
const MARGIN: f64 = 28.0;
/// Above the columns: title, summary, headings.
const HEAD: f64 = 104.0;
/// Below them: the legend.
const FOOT: f64 = 44.0;
/// So many sentences tell the graph to those who cannot see it.
const TOLD: usize = 200;

const STYLE: &str = "\
.fg{--bg:#fff;--ink:#1f2328;--muted:#59636e;--card:#fff;--border:#d1d9e0;--frame:#f6f8fa;--line:#8c959f;\
--critical:#cf222e;--high:#bc4c00;--medium:#8a6100;--low:#0969da;--info:#59636e;--unmeant:#8250df;--undeployed:#59636e;--never:#59636e;--on:#fff}\
@media (prefers-color-scheme:dark){.fg{--bg:#0d1117;--ink:#e6edf3;--muted:#9198a1;--card:#161b22;--border:#3d444d;--frame:#0f141b;--line:#6e7681;\
--critical:#ff7b72;--high:#ffa657;--medium:#e3b341;--low:#79c0ff;--info:#9198a1;--unmeant:#d2a8ff;--undeployed:#9198a1;--never:#9198a1;--on:#0d1117}}\
.fg .bg{fill:var(--bg)}\
.fg text{fill:var(--ink);font-family:ui-sans-serif,system-ui,-apple-system,\"Segoe UI\",Roboto,\"Helvetica Neue\",Arial,sans-serif;font-size:11px}\
.fg .title{font-size:18px;font-weight:600}.fg .head{fill:var(--muted);font-weight:600}\
.fg .name{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,\"Liberation Mono\",\"DejaVu Sans Mono\",monospace;font-size:13px;white-space:pre}\
.fg .strong{font-weight:600}.fg .small{fill:var(--muted)}.fg .place{font-weight:600}\
.fg .card{fill:var(--card);stroke:var(--border)}.fg .frame{fill:var(--frame);stroke:var(--border)}.fg .rule{stroke:var(--border)}\
.fg .line{fill:none;stroke:var(--c,var(--line));stroke-width:1.5}.fg .thin{fill:none;stroke:var(--line);stroke-width:1}\
.fg .hit{fill:none;stroke:transparent;stroke-width:12}.fg .tip{fill:var(--c,var(--line))}.fg .dash{stroke-dasharray:5 4}\
.fg .way:hover .line{stroke-width:3}.fg .shut{fill:var(--c,var(--line))}.fg .open{fill:var(--card);stroke:var(--c,var(--line));stroke-width:1.5}\
.fg .pill{fill:var(--c)}.fg .pill+text{fill:var(--on);font-weight:600}\
.fg .critical{--c:var(--critical)}.fg .high{--c:var(--high)}.fg .medium{--c:var(--medium)}.fg .low{--c:var(--low)}.fg .info{--c:var(--info)}\
.fg .unmeant{--c:var(--unmeant)}.fg .undeployed{--c:var(--undeployed)}.fg .never{--c:var(--never)}";

/// Draws the graph.
pub(super) fn draw(graph: &Graph) -> String {
    let picture = layout::layout(graph);
    let legend = legend(graph);
    let summary = text::summary(graph);
    let least = [sans(&summary, SMALL), legend.1].into_iter().fold(420.0, f64::max);
    let width = picture.width.max(least) + 2.0 * MARGIN;
    let height = picture.height + HEAD + FOOT + MARGIN;
    let mut out = Out::default();
    out.raw(&format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"fg\" role=\"img\" aria-labelledby=\"fg-title fg-desc\" width=\"{0}\" height=\"{1}\" viewBox=\"0 0 {0} {1}\">\n",
        number(width.ceil()),
        number(height.ceil())
    ));
    out.raw("<title id=\"fg-title\">Who can become whom</title>\n<desc id=\"fg-desc\">");
    out.text(&format!("{summary}.\n{}", told(graph)));
    out.raw(&format!("</desc>\n<style>{STYLE}</style>\n<rect class=\"bg\" width=\"100%\" height=\"100%\"/>\n"));
    out.line(MARGIN, MARGIN + 16.0, "title", "Who can become whom");
    out.line(MARGIN, MARGIN + 38.0, "small", &summary);
    out.raw(&format!("<g transform=\"translate({},{})\">\n", number(MARGIN), number(HEAD)));
    let [issuers, workloads, principals] = picture.columns;
    if !graph.issuers.is_empty() {
        out.line(issuers, -14.0, "head", "Issuers");
        out.line(workloads, -14.0, "head", "Jobs");
    }
    if !graph.principals.is_empty() {
        out.line(principals, -14.0, "head", "Become");
    }
    frames(&mut out, graph, &picture);
    lines(&mut out, graph, &picture);
    cards(&mut out, graph, &picture);
    out.raw("</g>\n");
    out.raw(&format!(
        "<g transform=\"translate({},{})\">{}</g>\n</svg>\n",
        number(MARGIN),
        number(HEAD + picture.height + 30.0),
        legend.0
    ));
    out.into_text()
}

/// One sentence for every way in.
fn told(graph: &Graph) -> String {
    let mut sentences: Vec<String> =
        graph.edges.iter().take(TOLD).map(|edge| text::edge(graph, edge)[0].clone()).collect();
    if graph.edges.len() > TOLD {
        sentences.push(format!("And {} more", graph.edges.len() - TOLD));
    }
    sentences.iter().map(|sentence| format!("{sentence}.\n")).collect()
}

fn frames(out: &mut Out, graph: &Graph, picture: &Layout) {
    for frame in &picture.frames {
        out.raw("<g><title>");
        let names: Vec<String> = graph.places[frame.place].names.iter().map(|name| visible(name)).collect();
        out.text(&names.join("\n"));
        out.raw("</title>");
        out.rect("frame", frame.x, frame.y, frame.width, frame.height, 10.0);
        for line in &frame.heading.lines {
            out.line(frame.x + PAD, frame.y + line.y, line.class, &line.text);
        }
        out.raw("</g>\n");
    }
}

fn lines(out: &mut Out, graph: &Graph, picture: &Layout) {
    for (workload, placed) in graph.workloads.iter().zip(&picture.workloads) {
        let from = &picture.issuers[workload.issuer];
        let start = (from.x + from.card.width, from.y + from.card.height / 2.0);
        out.raw(&format!(
            "<path class=\"thin\" d=\"{}\"/>\n",
            curve(start, (placed.x, placed.y + placed.card.height.min(52.0) / 2.0))
        ));
    }
    // The worst are drawn last, over the others.
    let mut all: Vec<usize> = (0..graph.edges.len()).collect();
    all.sort_by_key(|at| graph.edges[*at].mark());
    for at in all {
        let edge = &graph.edges[at];
        let class = edge.mark().map_or("", Mark::class);
        let is_dashed = edge.never.is_some() || edge.difference.is_some();
        let (start, end) = (picture.doors[edge.door], picture.ends[at]);
        let path = curve((start.0 + 4.0, start.1), (end.0 - 7.0, end.1));
        out.raw(&format!("<g class=\"way {class}\"><title>"));
        out.text(&text::edge(graph, edge).join("\n"));
        out.raw(&format!(
            "</title><path class=\"hit\" d=\"{path}\"/><path class=\"line{}\" d=\"{path}\"/>{}</g>\n",
            if is_dashed { " dash" } else { "" },
            tip(end, 1.0)
        ));
    }
    for (chain, (start, end)) in graph.chains.iter().zip(&picture.chains) {
        let (path, direction) = if end.0 > start.0 {
            (curve(*start, (end.0 - 7.0, end.1)), 1.0)
        } else {
            let far = number(start.0.max(end.0) + 64.0);
            let path = format!(
                "M{},{} C{far},{} {far},{} {},{}",
                number(start.0),
                number(start.1),
                number(start.1),
                number(end.1),
                number(end.0 + 7.0),
                number(end.1)
            );
            (path, -1.0)
        };
        out.raw("<g class=\"way\"><title>");
        let name = |at: usize| visible(&graph.principals[at].names[0].text);
        out.text(&format!(
            "{} becomes {} (chain)\ntargets: {}",
            name(chain.from),
            name(chain.to),
            visible(&text::some(chain.targets.iter()))
        ));
        out.raw(&format!(
            "</title><path class=\"hit\" d=\"{path}\"/><path class=\"line\" d=\"{path}\"/>{}</g>\n",
            tip(*end, direction)
        ));
    }
}

fn cards(out: &mut Out, graph: &Graph, picture: &Layout) {
    for placed in &picture.issuers {
        out.raw("<g>");
        card(out, placed);
        out.raw("</g>\n");
    }
    for (at, placed) in picture.workloads.iter().enumerate() {
        out.raw("<g>");
        card(out, placed);
        for (door, (x, y)) in picture.doors.iter().enumerate().filter(|(door, _)| graph.doors[*door].workload == at) {
            let mark = graph.worst_of_door(door).map_or("", Mark::class);
            let shape = if graph.doors[door].is_open { "open" } else { "shut" };
            out.raw(&format!("<g class=\"{mark}\"><title>"));
            let findings = graph.edges.iter().filter(|edge| edge.door == door).flat_map(|edge| &edge.findings);
            let mut lines: Vec<String> = findings.map(text::finding).collect();
            lines.extend(graph.edges.iter().filter(|edge| edge.door == door).filter_map(text::difference));
            lines.sort();
            lines.dedup();
            lines.insert(0, visible(&graph.doors[door].context));
            out.text(&lines.join("\n"));
            out.raw(&format!(
                "</title><circle class=\"{shape}\" cx=\"{}\" cy=\"{}\" r=\"4\"/></g>",
                number(*x),
                number(*y)
            ));
        }
        out.raw("</g>\n");
    }
    for (principal, placed) in graph.principals.iter().zip(&picture.principals) {
        out.raw("<g><title>");
        let ids: Vec<String> = principal.names.iter().flat_map(|name| &name.ids).map(|id| visible(id)).collect();
        let findings = principal.findings.iter().map(text::finding);
        out.text(&ids.into_iter().chain(findings).collect::<Vec<_>>().join("\n"));
        out.raw("</title>");
        card(out, placed);
        out.raw("</g>\n");
    }
}

fn card(out: &mut Out, placed: &Placed) {
    out.rect("card", placed.x, placed.y, placed.card.width, placed.card.height, 7.0);
    if let Some(rule) = placed.card.rule {
        let (y, right) = (number(placed.y + rule), number(placed.x + placed.card.width));
        out.raw(&format!("<path class=\"rule\" d=\"M{},{y}H{right}\"/>", number(placed.x)));
    }
    for line in &placed.card.lines {
        out.line(placed.x + PAD, placed.y + line.y, line.class, &line.text);
    }
    for pill in &placed.card.pills {
        let width = pill_width(pill.mark);
        out.pill(placed.x + placed.card.width - PAD - width, placed.y + pill.y, pill.mark);
    }
}

/// What the colours and shapes of this graph mean, and how wide that is.
fn legend(graph: &Graph) -> (String, f64) {
    let mut out = Out::default();
    let mut x = 0.0;
    let mut marks: Vec<Mark> = graph.edges.iter().filter_map(|edge| edge.mark()).collect();
    marks.extend(graph.principals.iter().flat_map(|one| &one.findings).map(|finding| Mark::Found(finding.severity)));
    marks.sort_by(|left, right| right.cmp(left));
    marks.dedup();
    for mark in marks {
        out.pill(x, -4.0, mark);
        x += pill_width(mark) + 6.0;
        let meaning = meaning(mark);
        out.line(x, 0.0, "small", meaning);
        x += sans(meaning, SMALL) + 18.0;
    }
    for (class, is_there, meaning) in [
        ("shut", graph.doors.iter().any(|door| !door.is_open), "one kind of job"),
        ("open", graph.doors.iter().any(|door| door.is_open), "several kinds"),
    ] {
        if is_there {
            out.raw(&format!("<circle class=\"{class}\" cx=\"{}\" cy=\"-4\" r=\"4\"/>", number(x + 4.0)));
            out.line(x + 14.0, 0.0, "small", meaning);
            x += 14.0 + sans(meaning, SMALL) + 18.0;
        }
    }
    if graph.has_difference() {
        out.raw(&format!("<path class=\"line dash\" d=\"M{},-4h28\"/>", number(x)));
        let meaning = "allow and policy differ";
        out.line(x + 36.0, 0.0, "small", meaning);
        x += 36.0 + sans(meaning, SMALL);
    }
    (out.into_text(), x)
}

fn meaning(mark: Mark) -> &'static str {
    match mark {
        Mark::Found(Severity::Critical) => "strangers get in",
        Mark::Found(Severity::High) => "a guard that does not guard",
        Mark::Found(Severity::Medium) => "more of your jobs than meant",
        Mark::Found(Severity::Low) => "hygiene",
        Mark::Found(Severity::Info) => "worth knowing",
        Mark::NotMeant => "deployed, not in allow",
        Mark::NotDeployed => "in allow, kept out",
        Mark::Never => "gets in this way",
    }
}

fn curve(from: (f64, f64), to: (f64, f64)) -> String {
    let bend = (to.0 - from.0) / 2.0;
    format!(
        "M{},{} C{},{} {},{} {},{}",
        number(from.0),
        number(from.1),
        number(from.0 + bend),
        number(from.1),
        number(to.0 - bend),
        number(to.1),
        number(to.0),
        number(to.1)
    )
}

/// An arrow's head that ends here.
fn tip((x, y): (f64, f64), direction: f64) -> String {
    let back = number(x - 8.0 * direction);
    format!(
        "<path class=\"tip\" d=\"M{},{} L{back},{} L{back},{}z\"/>",
        number(x),
        number(y),
        number(y - 4.0),
        number(y + 4.0)
    )
}
