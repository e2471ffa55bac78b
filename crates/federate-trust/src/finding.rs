//! What is wrong with a trust configuration, whoever asks.

use serde::Serialize;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth knowing.
    Info,
    /// Hygiene, or a gap that needs more than the configuration to be used.
    Low,
    /// More jobs get in than were meant, all of them the owner's.
    Medium,
    /// A guard that does not guard, or a configuration that cannot work.
    High,
    /// Strangers get in.
    Critical,
}

/// One rule of a cloud's catalogue.
#[derive(Debug)]
pub struct Rule {
    /// The stable id.
    pub id: &'static str,
    /// How bad it is, where nothing makes it milder.
    pub severity: Severity,
    /// What it means, and what an outsider could do.
    pub message: &'static str,
    /// The smallest change that mends it.
    pub fix: &'static str,
}

/// One thing that a rule found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The rule's id.
    pub id: &'static str,
    /// How bad it is here.
    pub severity: Severity,
    /// Which part of the document: `statement 1 (Sid Deploy), StringLike gitlab.com:sub`.
    #[serde(rename = "where")]
    pub place: String,
    /// What it means, and what an outsider could do.
    pub message: String,
    /// The smallest change that mends it.
    pub fix: String,
    /// The keys and indices that lead to it from the top of the file; empty where they are not known.
    #[serde(skip)]
    pub path: Vec<String>,
}

impl Finding {
    /// The rule was broken at this place.
    pub fn new(rule: &'static Rule, place: impl Into<String>) -> Self {
        Self {
            id: rule.id,
            severity: rule.severity,
            place: place.into(),
            message: rule.message.to_owned(),
            fix: rule.fix.to_owned(),
            path: Vec::new(),
        }
    }

    /// The same with the way to it.
    #[must_use]
    pub fn at(mut self, path: Vec<String>) -> Self {
        self.path = path;
        self
    }
}
