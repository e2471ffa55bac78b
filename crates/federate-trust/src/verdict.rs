//! What a cloud decides about one token, condition by condition.

use serde::Serialize;
use serde_json::{Value as Json, json};

/// In or out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Decision {
    /// The token is let in.
    Allow,
    /// It is not.
    Deny,
}

/// What a statement does where it matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Effect {
    /// Lets in.
    Allow,
    /// Keeps out, whatever else lets in.
    Deny,
}

/// One condition and what the token has to say to it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Check {
    /// What is looked at: a condition key, a claim, or a part of the configuration (`Principal`, `issuer`).
    pub key: String,
    /// How it is compared, in the cloud's own word.
    pub operator: String,
    /// What is asked for; any of them.
    pub expected: Vec<String>,
    /// What the token or the request says: null where it says nothing, a list where it says several things.
    pub actual: Json,
    /// Whether the condition holds.
    pub holds: bool,
    /// Where the reason is subtle, the reason.
    pub note: Option<String>,
}

impl Check {
    /// A check of one value by equality.
    pub fn equals(key: &str, operator: &str, expected: &[String], actual: Option<&str>) -> Self {
        Self {
            key: key.to_owned(),
            operator: operator.to_owned(),
            expected: expected.to_vec(),
            actual: actual.map_or(Json::Null, Json::from),
            holds: actual.is_some_and(|actual| expected.iter().any(|expected| expected == actual)),
            note: None,
        }
    }

    /// The same with a note.
    #[must_use]
    pub fn with_note(mut self, note: Option<String>) -> Self {
        self.note = note;
        self
    }

    /// The values of a key as they stand in [`Check::actual`].
    pub fn actual_of(values: Option<&[String]>) -> Json {
        match values {
            None => Json::Null,
            Some([one]) => json!(one),
            Some(many) => json!(many),
        }
    }

    /// The actual value for people.
    pub fn actual_text(&self) -> String {
        match &self.actual {
            Json::Null => "(absent)".to_owned(),
            Json::String(text) => text.clone(),
            Json::Array(many) => many.iter().filter_map(Json::as_str).collect::<Vec<_>>().join(", "),
            other => other.to_string(),
        }
    }
}

/// One alternative of the configuration: a policy statement, a credential, a provider, a binding.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StatementVerdict {
    /// Which one: `statement 1 (Sid Deploy)`.
    pub name: String,
    /// What it does.
    pub effect: Effect,
    /// Whether it applies to this token.
    pub matches: bool,
    /// Everything that it asks.
    pub checks: Vec<Check>,
}

impl StatementVerdict {
    /// How much of what it asks for the token has, where its checks fail: of two statements that fail alike, the nearer
    /// one has more.
    pub fn likeness(&self) -> usize {
        let shared = |left: &str, right: &str| left.chars().zip(right.chars()).take_while(|(l, r)| l == r).count();
        let of_check = |check: &Check| {
            let actual = check.actual_text();
            check.expected.iter().map(|expected| shared(expected, &actual)).max().unwrap_or(0)
        };
        self.failed().map(of_check).sum()
    }

    /// The checks that do not hold.
    pub fn failed(&self) -> impl Iterator<Item = &Check> {
        self.checks.iter().filter(|check| !check.holds)
    }
}

/// The decision, the reasons, and the way in.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Verdict {
    /// In or out.
    pub decision: Decision,
    /// Every alternative; of those that fail, the nearest first.
    pub statements: Vec<StatementVerdict>,
    /// The smallest change that would admit this token; `None` where it is admitted.
    pub fix: Option<String>,
    /// Why one should think twice before making that change.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub warning: Option<String>,
    /// The code with which the cloud would refuse.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cloud_code: Option<String>,
    /// At which of the cloud's stages it ends, where it has several.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stage: Option<String>,
}

impl Verdict {
    /// A bare decision about these statements, the nearest first.
    pub fn new(decision: Decision, statements: Vec<StatementVerdict>) -> Self {
        Self { decision, statements, fix: None, warning: None, cloud_code: None, stage: None }
    }

    /// Is the token let in?
    pub fn is_allowed(&self) -> bool {
        self.decision == Decision::Allow
    }
}
