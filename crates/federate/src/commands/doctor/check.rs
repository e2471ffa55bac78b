//! One thing that was looked at.

use federate_core::{Error, HumanDuration};
use serde_json::{Value as Json, json};

/// How it turned out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Status {
    /// It holds.
    Ok,
    /// It holds, or cannot be told, and somebody should look at it.
    Warn,
    /// It does not hold.
    Fail,
    /// It was not looked at; the check says why.
    Skip,
}

impl Status {
    /// The word in JSON.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Fail => "fail",
            Self::Skip => "skip",
        }
    }
}

/// One line of the report.
#[derive(Clone, Debug)]
pub(super) struct Check {
    /// Stable, listed in `docs/doctor.md`.
    pub(super) id: &'static str,
    /// The target, where it is about one alone.
    pub(super) target: Option<String>,
    pub(super) status: Status,
    /// What was found, one line.
    pub(super) what: String,
    /// Why, and what was seen.
    pub(super) detail: Vec<String>,
    /// What to change.
    pub(super) fix: Vec<String>,
}

impl Check {
    pub(super) fn new(id: &'static str, status: Status, what: impl Into<String>) -> Self {
        Self { id, target: None, status, what: what.into(), detail: Vec::new(), fix: Vec::new() }
    }

    pub(super) fn ok(id: &'static str, what: impl Into<String>) -> Self {
        Self::new(id, Status::Ok, what)
    }

    pub(super) fn warn(id: &'static str, what: impl Into<String>) -> Self {
        Self::new(id, Status::Warn, what)
    }

    pub(super) fn fail(id: &'static str, what: impl Into<String>) -> Self {
        Self::new(id, Status::Fail, what)
    }

    pub(super) fn skip(id: &'static str, why: impl Into<String>) -> Self {
        Self::new(id, Status::Skip, why)
    }

    /// What an error says.
    pub(super) fn failed(id: &'static str, error: &Error) -> Self {
        let mut check = Self::fail(id, format!("{} [{}]", error.what(), error.code().name));
        check.detail.extend(error.cause().map(|cause| format!("cause: {cause}")));
        match (error.origin(), error.setting()) {
            (Some(origin), Some(setting)) => check.detail.push(format!("where: {origin} ({setting})")),
            (Some(place), None) | (None, Some(place)) => check.detail.push(format!("where: {place}")),
            (None, None) => {}
        }
        check.detail.extend(error.request_id().map(|id| format!("request id: {id}")));
        check.fix.extend(error.help().iter().cloned());
        check
    }

    pub(super) fn of(mut self, target: &str) -> Self {
        self.target = Some(target.to_owned());
        self
    }

    pub(super) fn of_some(mut self, target: Option<&str>) -> Self {
        self.target = target.map(str::to_owned);
        self
    }

    pub(super) fn with_detail(mut self, line: impl Into<String>) -> Self {
        self.detail.push(line.into());
        self
    }

    pub(super) fn with_fix(mut self, line: impl Into<String>) -> Self {
        self.fix.push(line.into());
        self
    }

    pub(super) fn is_failed(&self) -> bool {
        self.status == Status::Fail
    }

    pub(super) fn json(&self) -> Json {
        let joined = |lines: &[String]| (!lines.is_empty()).then(|| lines.join("\n"));
        let mut value = json!({
            "id": self.id,
            "status": self.status.word(),
            "what": self.what,
            "detail": joined(&self.detail),
            "fix": joined(&self.fix),
        });
        if let Some(target) = &self.target {
            value["target"] = target.as_str().into();
        }
        value
    }
}

/// Seconds as people write them.
pub(super) fn seconds(count: i64) -> HumanDuration {
    HumanDuration(std::time::Duration::from_secs(count.unsigned_abs()))
}
