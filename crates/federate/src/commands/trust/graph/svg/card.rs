//! Boxes with text, and how large they have to be.

use super::measure::{NAME, SMALL, mono, sans, wrap};
use crate::commands::trust::graph::model::{Graph, Mark, Principal};
use crate::commands::trust::graph::text::{noun, place, some};
use crate::report::visible;

/// Room between a box's border and its text.
pub(super) const PAD: f64 = 12.0;
/// From one line of names to the next.
const NAME_LINE: f64 = 18.0;
/// From one line of small text to the next.
const SMALL_LINE: f64 = 15.0;
/// The widest that a name gets before it is broken.
const WIDEST: f64 = 300.0;
/// The widest that a line of small text gets.
const WIDEST_SMALL: f64 = 360.0;

/// A line of text: where its baseline is, and how it looks.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) y: f64,
    pub(super) text: String,
    pub(super) class: &'static str,
}

/// A coloured word at the right end of a line.
#[derive(Debug)]
pub(super) struct Pill {
    pub(super) y: f64,
    pub(super) mark: Mark,
}

/// A box, without a place yet.
#[derive(Debug, Default)]
pub(super) struct Card {
    pub(super) width: f64,
    pub(super) height: f64,
    pub(super) lines: Vec<Line>,
    pub(super) pills: Vec<Pill>,
    /// Where a line parts the heading from what follows.
    pub(super) rule: Option<f64>,
}

impl Card {
    fn start() -> Self {
        Self { height: PAD - 2.0, ..Self::default() }
    }

    fn widen(&mut self, width: f64) {
        self.width = self.width.max(width + 2.0 * PAD);
    }

    /// A name, broken where it is long. `beside` is kept free on its first line.
    fn name(&mut self, text: &str, class: &'static str, beside: f64) {
        for (at, text) in wrap(&visible(text), WIDEST, |line| mono(line, NAME)).into_iter().enumerate() {
            self.widen(mono(&text, NAME) + if at == 0 { beside } else { 0.0 });
            self.height += NAME_LINE;
            self.lines.push(Line { y: self.height - 5.0, text, class });
        }
    }

    fn small(&mut self, text: &str, class: &'static str, beside: f64) {
        for (at, text) in wrap(&visible(text), WIDEST_SMALL, |line| sans(line, SMALL)).into_iter().enumerate() {
            self.widen(sans(&text, SMALL) + if at == 0 { beside } else { 0.0 });
            self.height += SMALL_LINE;
            self.lines.push(Line { y: self.height - 4.0, text, class });
        }
    }

    /// The pill goes to the line that comes next.
    fn pill(&mut self, mark: Option<Mark>, line: f64) -> f64 {
        let Some(mark) = mark else { return 0.0 };
        self.pills.push(Pill { y: self.height + line / 2.0, mark });
        pill_width(mark) + PAD
    }

    fn end(mut self) -> Self {
        self.height += PAD - 4.0;
        self
    }
}

/// How wide the pill is.
pub(super) fn pill_width(mark: Mark) -> f64 {
    sans(mark.word(), SMALL) + 14.0
}

pub(super) fn issuer(name: &str) -> Card {
    let mut card = Card::start();
    card.name(name, "name", 0.0);
    card.end()
}

/// A workload with its doors, in this order; the middle of each door's row is told too.
pub(super) fn workload(graph: &Graph, at: usize, doors: &[usize]) -> (Card, Vec<f64>) {
    let workload = &graph.workloads[at];
    let mut card = Card::start();
    card.name(&workload.name, "name strong", 0.0);
    card.small(&format!("{} · {}", workload.noun, graph.issuers[workload.issuer]), "small", 0.0);
    card.height += 6.0;
    card.rule = Some(card.height);
    let mut middles = Vec::new();
    for door in doors {
        card.height += 5.0;
        let beside = card.pill(graph.worst_of_door(*door), NAME_LINE);
        middles.push(card.height + NAME_LINE / 2.0);
        card.name(&graph.doors[*door].context, "name", beside);
        for condition in &graph.doors[*door].conditions {
            card.small(condition, "small", 0.0);
        }
        card.height += 3.0;
    }
    (card.end(), middles)
}

pub(super) fn principal(graph: &Graph, at: usize) -> Card {
    let principal = &graph.principals[at];
    let mut card = Card::start();
    let mut beside = card.pill(graph.worst_of_principal(at), NAME_LINE);
    for name in &principal.names {
        card.name(&name.text, "name strong", std::mem::take(&mut beside));
        if let (1, Some(detail)) = (name.details.len(), name.details.first()) {
            card.small(detail, "small", 0.0);
        }
    }
    card.small(&format!("{} · {}", noun(principal), targets(principal)), "small", 0.0);
    let is_chained = graph.chains.iter().any(|chain| chain.to == at);
    if !principal.is_known && !is_chained {
        card.small("trust not known: neither allow nor policy", "small", 0.0);
    }
    for finding in &principal.findings {
        let mark = Mark::Found(finding.severity);
        card.small(&format!("{}: {}", mark.word(), finding.id), "small", 0.0);
    }
    card.end()
}

fn targets(principal: &Principal) -> String {
    let all: std::collections::BTreeSet<&String> = principal.names.iter().flat_map(|name| &name.targets).collect();
    some(all.into_iter())
}

/// The heading of an account or tenant, for boxes in it that are this wide.
pub(super) fn heading(graph: &Graph, at: usize, width: f64) -> Card {
    let mut card = Card::start();
    for text in wrap(&place(&graph.places[at]), width.max(WIDEST_SMALL), |line| sans(line, SMALL)) {
        card.widen(sans(&text, SMALL));
        card.height += SMALL_LINE;
        card.lines.push(Line { y: card.height - 4.0, text, class: "place" });
    }
    card.height += 4.0;
    card
}
