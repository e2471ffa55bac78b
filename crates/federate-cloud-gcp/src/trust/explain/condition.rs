//! One part of an attribute condition, and what the token says to it.

use federate_trust::{Check, Glob, Job, immutable_form};
use serde_json::{Map, Value as Json};

use crate::trust::cel::{Expr, Fault, Scope, Value, evaluate, operator};
use crate::trust::principal::Principal;

/// Evaluates a part that has to be true.
pub(in crate::trust) fn check(part: &Expr, scope: &Scope, principal: &Principal, job: &Job) -> Check {
    let outcome = evaluate(part, scope);
    let holds = outcome == Ok(Value::Bool(true));
    let mut check = described(part, scope);
    check.holds = holds;
    check.note = match &outcome {
        _ if holds => None,
        Err(fault) => Some(because(fault, part, principal)),
        Ok(Value::Bool(_)) => subtle(&check, job),
        Ok(other) => Some(format!("a condition has to be true or false, and this is {other}")),
    };
    check
}

/// A comparison by its sides; anything else by its text and what it looks at.
fn described(part: &Expr, scope: &Scope) -> Check {
    if let Some((operator::NOT, [inner])) = part.as_operator() {
        let inner = described(inner, scope);
        return Check { operator: format!("not {}", inner.operator), ..inner };
    }
    let sides = match part {
        Expr::Call { name, target: Some(target), arguments } => match arguments.as_slice() {
            [argument] if ["startsWith", "endsWith", "contains", "matches"].contains(&name.as_str()) => {
                Some((target.as_ref(), name.as_str(), argument))
            }
            _ => None,
        },
        _ => match part.as_operator() {
            Some((name, [left, right])) => spelt(name).map(|spelt| match (left, right) {
                (Expr::Literal(_), right) if name == operator::EQ || name == operator::NE => (right, spelt, left),
                _ => (left, spelt, right),
            }),
            _ => None,
        },
    };
    let (key, operator, expected, actual) = match sides {
        Some((left, operator, right)) => {
            let expected = match right {
                Expr::List(entries) => entries.iter().map(plain).collect(),
                other => vec![plain(other)],
            };
            let actual = evaluate(left, scope).map_or(Json::Null, |value| value.to_json());
            (left.to_string(), operator.to_owned(), expected, actual)
        }
        None => {
            let ways = part.chain(operator::OR);
            let operator = if ways.len() > 1 { "any of" } else { "is true" };
            let expected = ways.iter().map(ToString::to_string).collect();
            ("condition".to_owned(), operator.to_owned(), expected, looked_at(part, scope))
        }
    };
    Check { key, operator, expected, actual, holds: false, note: None }
}

fn spelt(name: &str) -> Option<&'static str> {
    Some(match name {
        operator::EQ => "==",
        operator::NE => "!=",
        operator::LT => "<",
        operator::LE => "<=",
        operator::GT => ">",
        operator::GE => ">=",
        operator::IN => "in",
        _ => return None,
    })
}

/// A text without its quotes.
fn plain(expression: &Expr) -> String {
    match expression {
        Expr::Literal(value) => value.to_text(),
        other => other.to_string(),
    }
}

fn looked_at(part: &Expr, scope: &Scope) -> Json {
    let mut seen = Map::new();
    for path in part.paths().into_iter().filter(|path| path.len() > 1) {
        let (root, rest) = (path[0].to_owned(), &path[1..]);
        let tree = rest.iter().fold(Expr::Name(root), |of, name| Expr::Field {
            of: Box::new(of),
            name: (*name).to_owned(),
            is_test: false,
        });
        let value = evaluate(&tree, scope).map_or(Json::Null, |value| value.to_json());
        seen.insert(path.join("."), value);
    }
    if seen.is_empty() { Json::Null } else { Json::Object(seen) }
}

fn because(fault: &Fault, part: &Expr, principal: &Principal) -> String {
    let Fault::MissingKey(name) = fault else { return fault.to_string() };
    for path in part.paths() {
        let key = path.join(".");
        if path.last() != Some(&name.as_str()) || path[0] == "assertion" {
            continue;
        }
        return match principal.attributes.get(&key) {
            Some(Err(why)) => format!("{key} has no value: {why}"),
            _ => format!("{key} is not mapped, which is an error and not a match"),
        };
    }
    format!("the token has no `{name}`, which is an error and not a match")
}

/// The reason, where it is subtle.
fn subtle(check: &Check, job: &Job) -> Option<String> {
    let is_text = matches!(check.actual, Json::String(_));
    let is_equality = ["==", "in"].contains(&check.operator.as_str());
    let actual = check.actual.as_str()?;
    let fits = |test: &dyn Fn(&str) -> bool| check.expected.iter().any(|expected| test(expected));
    if is_equality && is_text && fits(&|expected| expected == actual) {
        return Some("the claim is a text, and a text never equals a number or boolean: quote it".to_owned());
    }
    if fits(&|expected| expected.contains('*') && Glob::parse(expected).matches(actual)) && check.operator != "matches"
    {
        return Some("CEL has no wildcards: the `*` is a literal one; startsWith() takes prefixes".to_owned());
    }
    let lower = actual.to_lowercase();
    if is_equality && fits(&|expected| expected.to_lowercase() == lower) {
        return Some("only upper and lower case differ, and they count".to_owned());
    }
    if immutable_form(actual).is_some_and(|classic| fits(&|expected| classic.starts_with(expected))) {
        return Some(
            "the token's subject is in the immutable form (OWNER@ID/REPO@ID), the condition's in the classic one"
                .to_owned(),
        );
    }
    let is_subject = job.claims.subject() == Some(actual);
    if is_subject && actual.contains(":environment:") && fits(&|expected| expected.contains(":ref:")) {
        return Some("the job names an environment, which takes the place of the ref in the subject".to_owned());
    }
    (is_subject && actual.ends_with(":pull_request") && fits(&|expected| expected.contains(":ref:")))
        .then(|| "a pull request's subject says pull_request instead of a ref".to_owned())
}
