//! What was asked and what was answered, for the person at the terminal.

use std::fmt;

use federate_http::Answer;

/// The most characters of a client's own words in a line.
const SHOWN: usize = 200;

/// One request and its answer. No part of it ever holds a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Who was asked: `STS`, `Entra`, `Resource Manager`, `GitLab`.
    pub service: String,
    /// What for: `AssumeRoleWithWebIdentity role/deploy`.
    pub asked: String,
    /// The HTTP status.
    pub status: u16,
    /// The cloud's own code for a refusal (`AccessDenied`), or who the client now is.
    pub outcome: String,
    /// What the cloud would not say: which claim differs, and what was expected.
    pub reason: Option<String>,
    /// Lines for a file, if there are any that would help.
    pub lines: Vec<String>,
}

impl Event {
    /// Something asked of a service and granted.
    pub(crate) fn new(service: &str, asked: impl AsRef<str>, status: u16) -> Self {
        Self {
            service: service.to_owned(),
            asked: printable(asked.as_ref()),
            status,
            outcome: String::new(),
            reason: None,
            lines: Vec::new(),
        }
    }

    /// Adds the code or the new name.
    #[must_use]
    pub(crate) fn with_outcome(mut self, outcome: impl AsRef<str>) -> Self {
        self.outcome = printable(outcome.as_ref());
        self
    }

    /// Adds what the cloud would not say.
    #[must_use]
    pub(crate) fn with_reason(mut self, reason: &Reason) -> Self {
        self.reason = Some(printable(&reason.text)).filter(|text| !text.is_empty());
        self.lines = reason.lines.iter().map(|line| printable(line)).collect();
        self
    }

    /// Was the request refused?
    pub fn is_refusal(&self) -> bool {
        self.status >= 400
    }
}

impl fmt::Display for Event {
    /// One line, and indented lines to add to a file below it.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {} -> {}", self.service, self.asked, self.status)?;
        if !self.outcome.is_empty() {
            write!(formatter, " {}", self.outcome)?;
        }
        if let Some(reason) = &self.reason {
            write!(formatter, " ({reason})")?;
        }
        self.lines.iter().try_for_each(|line| write!(formatter, "\n    {line}"))
    }
}

/// Why something was refused, beyond what the cloud's own answer says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Reason {
    pub(crate) text: String,
    pub(crate) lines: Vec<String>,
}

impl Reason {
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), lines: Vec::new() }
    }
}

/// An answer together with its line in the report.
pub(crate) struct Reply {
    pub(crate) answer: Answer,
    pub(crate) event: Event,
}

/// A client's words on one line, without anything that a terminal would obey.
pub(crate) fn printable(text: &str) -> String {
    let mut shown: String = text.chars().take(SHOWN * 4).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
    if text.chars().count() > SHOWN * 4 {
        shown.push('…');
    }
    shown
}

/// A client's word, cut to a length that leaves room for others.
pub(crate) fn short(text: &str) -> String {
    if text.chars().count() <= SHOWN { text.to_owned() } else { text.chars().take(SHOWN).chain(['…']).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_as_one_line() {
        let event = Event::new("STS", "AssumeRoleWithWebIdentity role/deploy", 403)
            .with_outcome("AccessDenied")
            .with_reason(&Reason::new("`sub` is `x`, expected `y`"));
        assert_eq!(
            event.to_string(),
            "STS AssumeRoleWithWebIdentity role/deploy -> 403 AccessDenied (`sub` is `x`, expected `y`)"
        );
        assert!(event.is_refusal() && !Event::new("STS", "x", 200).is_refusal());
        assert_eq!(Event::new("Entra", "keys", 200).to_string(), "Entra keys -> 200");
    }

    #[test]
    fn lines_to_add_stand_below() {
        let reason = Reason { text: "no trust".to_owned(), lines: vec!["[targets.a.trust]".to_owned()] };
        assert!(
            Event::new("STS", "x", 403).with_reason(&reason).to_string().ends_with("(no trust)\n    [targets.a.trust]")
        );
    }

    #[test]
    fn a_client_cannot_write_to_the_terminal() {
        let event = Event::new("STS", "role/\u{1b}[2J\r\nerror[x]: fake", 400).with_outcome("a\u{7}b");
        assert!(!event.to_string().chars().any(char::is_control), "{event}");
        assert!(Event::new("STS", "x".repeat(100_000), 400).to_string().len() < 2_000);
        assert!(short(&"é".repeat(500)).chars().count() == 201);
    }
}
