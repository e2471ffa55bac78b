//! The ways in which a condition can be true, and how they are put together.

use super::source::Source;
use crate::trust::cel::{Expr, operator};

/// One thing that is asked.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Test {
    /// A claim has one of these values.
    Has(String, Vec<Pattern>),
    /// Claims are compared as a whole with something of one's own: as good as one value of each.
    Holds(Vec<String>),
    /// A claim is there, or not empty, or compared with another: nobody is named.
    Presence,
    /// Something is excluded.
    Excludes,
}

/// The same with its words: `except actor is mira-k`.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Asked {
    pub(super) test: Test,
    pub(super) text: String,
}

/// Values: a text in which `*` and `?` are wildcards.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pattern {
    pub(super) glob: String,
    pub(super) method: Method,
    /// Upper and lower case count alike.
    pub(super) any_case: bool,
}

/// How a claim is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Method {
    Equal,
    Prefix,
    Suffix,
    Substring,
    /// `open_start`, `open_end`: an anchor is missing.
    Regex {
        open_start: bool,
        open_end: bool,
    },
    /// A part of the claim, with its delimiters.
    Part,
}

/// One way in which the condition can be true: all of its tests hold.
pub(super) type Way = Vec<Asked>;

/// More alternatives than this are not told apart.
const MOST: usize = 512;

/// Both have to be true.
pub(super) fn all_of(left: Vec<Way>, right: Vec<Way>) -> Vec<Way> {
    if left.len() * right.len() > MOST {
        // Too many to tell apart: whatever the longer side asks is taken for asking nothing.
        let (fewer, more) = if left.len() < right.len() { (left, right) } else { (right, left) };
        return if more.is_empty() { more } else { fewer };
    }
    let joined = |left: &Way, right: &Way| left.iter().chain(right).cloned().collect();
    left.iter().flat_map(|left| right.iter().map(move |right| joined(left, right))).collect()
}

/// One of them has to be true.
pub(super) fn any_of(mut left: Vec<Way>, right: Vec<Way>) -> Vec<Way> {
    for way in right {
        if left.len() < MOST && !left.contains(&way) {
            left.push(way);
        }
    }
    left
}

/// A pattern of the operand as a pattern of the whole claim.
pub(super) fn placed(source: &Source, glob: &str, method: Method, any_case: bool) -> Option<Pattern> {
    let glob = match method {
        Method::Equal | Method::Part => glob.to_owned(),
        Method::Prefix => format!("{glob}*"),
        Method::Suffix => format!("*{glob}"),
        Method::Substring => format!("*{glob}*"),
        Method::Regex { open_start, open_end } => {
            format!("{}{glob}{}", if open_start { "*" } else { "" }, if open_end { "*" } else { "" })
        }
    };
    let (glob, method) = match source {
        Source::Part { before, after, .. } => {
            let method = if method == Method::Equal { Method::Part } else { method };
            (format!("{before}{glob}{after}"), method)
        }
        _ => (glob, method),
    };
    let mut glob = glob;
    while glob.contains("**") {
        glob = glob.replace("**", "*");
    }
    Some(Pattern { glob, method, any_case })
}

/// A test in words.
pub(super) fn told(expression: &Expr, wanted: bool, test: &Test) -> String {
    let text = match (test, expression) {
        (_, Expr::Field { of, name, is_test: true }) => {
            format!("{of}.{name} is {}", if wanted { "present" } else { "absent" })
        }
        (Test::Excludes, _) => format!("except {}", affirmed(expression)),
        (Test::Presence, _) if !wanted => format!("not {expression}"),
        (Test::Presence, _) => expression.to_string(),
        _ => affirmed(expression),
    };
    text.replace("assertion.", "")
}

/// What a comparison names, whether it is for or against it.
fn affirmed(expression: &Expr) -> String {
    match expression.as_operator() {
        Some((operator::EQ | operator::NE, [value @ Expr::Literal(_), claim] | [claim, value])) => {
            format!("{claim} is {}", plain(value))
        }
        Some((operator::IN, [claim, Expr::List(values)])) => {
            format!("{claim} is {}", values.iter().map(plain).collect::<Vec<_>>().join(" or "))
        }
        _ => expression.to_string(),
    }
}

/// A text without its quotes.
fn plain(expression: &Expr) -> String {
    match expression {
        Expr::Literal(value) => value.to_text(),
        other => other.to_string(),
    }
}
