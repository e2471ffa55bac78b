//! Operators and functions.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::time::{Duration, SystemTime};

use super::evaluate::{Fault, Outcome, Scope, pick, readable};
use super::value::Value;
use super::{operator, regex};

/// Applies an operator or function; a method's target comes first.
pub(super) fn call<'a>(
    scope: &Scope,
    name: &str,
    target: Option<Cow<'a, Value>>,
    arguments: Vec<Cow<'a, Value>>,
) -> Outcome<'a> {
    let is_method = target.is_some();
    let all: Vec<Cow<'a, Value>> = target.into_iter().chain(arguments).collect();
    // Comparing, searching and copying take time by the size of what they are given.
    scope.spend(all.iter().map(|one| one.weight()).fold(0, usize::saturating_add) / 256)?;
    if name == operator::INDEX
        && let [of, key] = all.as_slice()
    {
        return index(of.clone(), key);
    }
    let borrowed: Vec<&Value> = all.iter().map(AsRef::as_ref).collect();
    let value = if is_method { method(name, &borrowed) } else { function(name, &borrowed) };
    match value.unwrap_or_else(|| Err(no_overload(name, &borrowed, is_method))) {
        Ok(value) => scope.made(value),
        Err(fault) => Err(fault),
    }
}

pub(super) const METHODS: [&str; 10] =
    ["contains", "startsWith", "endsWith", "matches", "size", "extract", "split", "join", "lowerAscii", "upperAscii"];
const FUNCTIONS: [&str; 9] = ["size", "matches", "int", "uint", "double", "string", "bool", "dyn", "timestamp"];

/// Is there an operator, a function or a method of this name?
pub(super) fn is_known(name: &str, is_method: bool) -> bool {
    let is_operator = name.starts_with(['_', '@', '!', '-']);
    is_operator || if is_method { METHODS.contains(&name) } else { FUNCTIONS.contains(&name) }
}

fn no_overload(name: &str, all: &[&Value], is_method: bool) -> Fault {
    if !is_known(name, is_method) {
        return Fault::Unknown(format!("{name}()"));
    }
    let kinds: Vec<&str> = all.iter().map(|value| value.kind()).collect();
    Fault::Kinds(format!("{} does not take {}", readable(name), kinds.join(" and ")))
}

type Applied = Option<Result<Value, Fault>>;

fn function(name: &str, all: &[&Value]) -> Applied {
    match all {
        [one] => match name {
            operator::NOT => match one {
                Value::Bool(flag) => Some(Ok(Value::Bool(!flag))),
                _ => None,
            },
            operator::NEGATE => match one {
                Value::Int(int) => Some(int.checked_neg().map(Value::Int).ok_or_else(overflow)),
                Value::Double(double) => Some(Ok(Value::Double(-double))),
                _ => None,
            },
            "size" => method(name, all),
            _ => convert(name, one),
        },
        [left, right] => match name {
            operator::EQ => Some(Ok(Value::Bool(left.equals(right)))),
            operator::NE => Some(Ok(Value::Bool(!left.equals(right)))),
            operator::LT => compare(left, right, |order| order == Ordering::Less),
            operator::LE => compare(left, right, |order| order != Ordering::Greater),
            operator::GT => compare(left, right, |order| order == Ordering::Greater),
            operator::GE => compare(left, right, |order| order != Ordering::Less),
            operator::IN => match right {
                Value::List(entries) => Some(Ok(Value::Bool(entries.iter().any(|entry| entry.equals(left))))),
                Value::Map(_) => Some(Ok(Value::Bool(right.get(left).is_some()))),
                _ => None,
            },
            "matches" => method(name, all),
            _ => arithmetic(name, left, right),
        },
        _ => None,
    }
}

fn method(name: &str, all: &[&Value]) -> Applied {
    let text = |text: String| Some(Ok(Value::Text(text)));
    match (name, all) {
        ("contains", [Value::Text(text), Value::Text(part)]) => Some(Ok(Value::Bool(text.contains(part.as_str())))),
        ("startsWith", [Value::Text(text), Value::Text(part)]) => {
            Some(Ok(Value::Bool(text.starts_with(part.as_str()))))
        }
        ("endsWith", [Value::Text(text), Value::Text(part)]) => Some(Ok(Value::Bool(text.ends_with(part.as_str())))),
        ("matches", [Value::Text(text), Value::Text(pattern)]) => {
            Some(regex::matches(text, pattern).map(Value::Bool).map_err(Fault::Other))
        }
        ("size", [one]) => {
            let size = match one {
                Value::Text(text) => text.chars().count(),
                Value::Bytes(bytes) => bytes.len(),
                Value::List(entries) => entries.len(),
                Value::Map(entries) => entries.len(),
                _ => return None,
            };
            Some(Ok(Value::Int(i64::try_from(size).unwrap_or(i64::MAX))))
        }
        ("extract", [Value::Text(from), Value::Text(template)]) => {
            Some(extract(from, template).map(Value::Text).map_err(Fault::Other))
        }
        ("split", [Value::Text(from), Value::Text(separator)]) => {
            let parts: Vec<Value> = if separator.is_empty() {
                from.chars().map(|character| Value::Text(character.to_string())).collect()
            } else {
                from.split(separator.as_str()).map(|part| Value::Text(part.to_owned())).collect()
            };
            Some(Ok(Value::List(parts)))
        }
        ("join", [Value::List(_)]) => method(name, &[all[0], &Value::Text(String::new())]),
        ("join", [Value::List(parts), Value::Text(separator)]) => {
            let parts: Option<Vec<&str>> = parts
                .iter()
                .map(|part| match part {
                    Value::Text(text) => Some(text.as_str()),
                    _ => None,
                })
                .collect();
            parts.and_then(|parts| {
                let total = parts.iter().map(|part| part.len() + separator.len()).fold(0, usize::saturating_add);
                if total > LONGEST { Some(Err(Fault::TooMuch)) } else { text(parts.join(separator)) }
            })
        }
        ("lowerAscii", [Value::Text(from)]) => text(from.to_ascii_lowercase()),
        ("upperAscii", [Value::Text(from)]) => text(from.to_ascii_uppercase()),
        _ => None,
    }
}

/// No text that is put together may be longer.
const LONGEST: usize = 1 << 20;

fn index<'a>(of: Cow<'a, Value>, key: &Value) -> Outcome<'a> {
    match of.as_ref() {
        Value::Map(_) => pick(of, key),
        Value::List(entries) => {
            let at = match key {
                Value::Int(at) => usize::try_from(*at).ok(),
                Value::Uint(at) => usize::try_from(*at).ok(),
                Value::Double(at) if at.fract() == 0.0 && *at >= 0.0 => Some(*at as usize),
                Value::Double(_) => None,
                _ => return Err(no_overload(operator::INDEX, &[&of, key], false)),
            };
            let found = at.and_then(|at| entries.get(at)).cloned();
            found.map(Cow::Owned).ok_or_else(|| Fault::Other("a list has no such entry".to_owned()))
        }
        _ => Err(no_overload(operator::INDEX, &[&of, key], false)),
    }
}

fn compare(left: &Value, right: &Value, holds: fn(Ordering) -> bool) -> Applied {
    left.compare(right).map(|order| Ok(Value::Bool(holds(order))))
}

fn overflow() -> Fault {
    Fault::Other("a number is out of range, or divided by zero".to_owned())
}

fn arithmetic(name: &str, left: &Value, right: &Value) -> Applied {
    match (left, right) {
        (Value::Int(left), Value::Int(right)) => Some(
            match name {
                operator::ADD => left.checked_add(*right),
                operator::SUBTRACT => left.checked_sub(*right),
                operator::MULTIPLY => left.checked_mul(*right),
                operator::DIVIDE => left.checked_div(*right),
                operator::MODULO => left.checked_rem(*right),
                _ => return None,
            }
            .map(Value::Int)
            .ok_or_else(overflow),
        ),
        (Value::Uint(left), Value::Uint(right)) => Some(
            match name {
                operator::ADD => left.checked_add(*right),
                operator::SUBTRACT => left.checked_sub(*right),
                operator::MULTIPLY => left.checked_mul(*right),
                operator::DIVIDE => left.checked_div(*right),
                operator::MODULO => left.checked_rem(*right),
                _ => return None,
            }
            .map(Value::Uint)
            .ok_or_else(overflow),
        ),
        (Value::Double(left), Value::Double(right)) => Some(Ok(Value::Double(match name {
            operator::ADD => left + right,
            operator::SUBTRACT => left - right,
            operator::MULTIPLY => left * right,
            operator::DIVIDE => left / right,
            _ => return None,
        }))),
        (Value::Text(left), Value::Text(right)) if name == operator::ADD => {
            let is_too_long = left.len() + right.len() > LONGEST;
            Some(if is_too_long { Err(Fault::TooMuch) } else { Ok(Value::Text(format!("{left}{right}"))) })
        }
        (Value::List(left), Value::List(right)) if name == operator::ADD => {
            Some(Ok(Value::List(left.iter().chain(right).cloned().collect())))
        }
        _ => None,
    }
}

fn convert(name: &str, one: &Value) -> Applied {
    let failed = || Fault::Other(format!("`{}` is no {name}", one.to_text()));
    Some(match (name, one) {
        ("dyn", _) => Ok(one.clone()),
        ("timestamp", Value::Time(_)) => Ok(one.clone()),
        ("timestamp", Value::Text(text)) => moment(text).map(Value::Time).ok_or_else(failed),
        ("string", Value::Bytes(bytes)) => String::from_utf8(bytes.clone()).map(Value::Text).map_err(|_| failed()),
        ("string", Value::Text(_) | Value::Int(_) | Value::Uint(_) | Value::Double(_) | Value::Bool(_)) => {
            Ok(Value::Text(one.to_text()))
        }
        ("int", Value::Int(_)) | ("uint", Value::Uint(_)) | ("double", Value::Double(_)) | ("bool", Value::Bool(_)) => {
            Ok(one.clone())
        }
        ("int", Value::Uint(uint)) => i64::try_from(*uint).map(Value::Int).map_err(|_| overflow()),
        ("int", Value::Double(double)) if double.abs() < 9.2e18 => Ok(Value::Int(*double as i64)),
        ("int", Value::Text(text)) => text.parse().map(Value::Int).map_err(|_| failed()),
        ("uint", Value::Int(int)) => u64::try_from(*int).map(Value::Uint).map_err(|_| overflow()),
        ("uint", Value::Text(text)) => text.parse().map(Value::Uint).map_err(|_| failed()),
        ("double", Value::Int(int)) => Ok(Value::Double(*int as f64)),
        ("double", Value::Uint(uint)) => Ok(Value::Double(*uint as f64)),
        ("double", Value::Text(text)) => text.parse().map(Value::Double).map_err(|_| failed()),
        ("bool", Value::Text(text)) => match text.as_str() {
            "true" | "True" | "TRUE" | "t" | "1" => Ok(Value::Bool(true)),
            "false" | "False" | "FALSE" | "f" | "0" => Ok(Value::Bool(false)),
            _ => Err(failed()),
        },
        _ => return None,
    })
}

/// A moment by RFC 3339.
fn moment(text: &str) -> Option<SystemTime> {
    if text.ends_with('Z') {
        return humantime::parse_rfc3339(text).ok();
    }
    let (moment, offset) = text.split_at_checked(text.len().checked_sub(6)?)?;
    let (hours, minutes) = offset.get(1..)?.split_once(':')?;
    let offset_size = Duration::from_secs(hours.parse::<u64>().ok()? * 3600 + minutes.parse::<u64>().ok()? * 60);
    let moment = humantime::parse_rfc3339(&format!("{moment}Z")).ok()?;
    match offset.get(..1)? {
        "+" => moment.checked_sub(offset_size),
        "-" => moment.checked_add(offset_size),
        _ => None,
    }
}

/// What stands in the place of `{name}`: behind the first occurrence of the text before it, up to the first occurrence
/// of the text behind it, or to the end. Empty where the template does not fit.
/// <https://cloud.google.com/iam/docs/conditions-attribute-reference#extract>
fn extract(from: &str, template: &str) -> Result<String, String> {
    let (before, after) =
        parts(template).ok_or_else(|| format!("`{template}` is no template like 'repo:{{name}}/'"))?;
    let rest = from.find(before).map(|at| &from[at + before.len()..]);
    let found =
        rest.and_then(|rest| if after.is_empty() { Some(rest) } else { rest.find(after).map(|at| &rest[..at]) });
    Ok(found.unwrap_or_default().to_owned())
}

/// The texts before and behind the one placeholder of a template.
pub(super) fn parts(template: &str) -> Option<(&str, &str)> {
    let (before, rest) = template.split_once('{')?;
    let (name, after) = rest.split_once('}')?;
    let is_name = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    (is_name && !after.contains(['{', '}'])).then_some((before, after))
}
