//! SVG as it is written.

use std::fmt::Write as _;

use super::card::pill_width;
use crate::commands::trust::graph::model::Mark;

/// With one decimal at most.
pub(super) fn number(value: f64) -> String {
    let text = format!("{value:.1}");
    text.strip_suffix(".0").map_or_else(|| text.clone(), str::to_owned)
}

/// What has been drawn so far.
#[derive(Debug, Default)]
pub(super) struct Out(String);

impl Out {
    pub(super) fn into_text(self) -> String {
        self.0
    }

    pub(super) fn raw(&mut self, text: &str) {
        self.0.push_str(text);
    }

    /// Text that XML must not take for anything else.
    pub(super) fn text(&mut self, text: &str) {
        for character in text.chars() {
            match character {
                '&' => self.0.push_str("&amp;"),
                '<' => self.0.push_str("&lt;"),
                '>' => self.0.push_str("&gt;"),
                '"' => self.0.push_str("&quot;"),
                other => self.0.push(other),
            }
        }
    }

    pub(super) fn rect(&mut self, class: &str, x: f64, y: f64, width: f64, height: f64, round: f64) {
        let _ = write!(
            self.0,
            "<rect class=\"{class}\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" rx=\"{}\"/>",
            number(x),
            number(y),
            number(width),
            number(height),
            number(round)
        );
    }

    pub(super) fn line(&mut self, x: f64, y: f64, class: &str, text: &str) {
        let _ = write!(self.0, "<text class=\"{class}\" x=\"{}\" y=\"{}\">", number(x), number(y));
        self.text(text);
        self.raw("</text>\n");
    }

    /// A pill whose middle is at this height.
    pub(super) fn pill(&mut self, x: f64, y: f64, mark: Mark) {
        let width = pill_width(mark);
        let _ = write!(
            self.0,
            "<g class=\"{}\"><rect class=\"pill\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"16\" rx=\"8\"/><text x=\"{}\" y=\"{}\" text-anchor=\"middle\">{}</text></g>",
            mark.class(),
            number(x),
            number(y - 8.0),
            number(width),
            number(x + width / 2.0),
            number(y + 3.8),
            mark.word()
        );
    }
}
