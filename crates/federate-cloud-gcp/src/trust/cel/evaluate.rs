//! What an expression comes to.

use std::borrow::Cow;
use std::cell::Cell;
use std::fmt;

use federate_core::suggest::nearest;

use super::value::Value;
use super::{Expr, Fold, functions, operator};

/// Why an expression has no value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::trust) enum Fault {
    /// A map, mostly the token, has nothing under this key.
    MissingKey(String),
    /// No such variable or function.
    Unknown(String),
    /// An operator or function does not take values of these kinds.
    Kinds(String),
    /// Anything else, in words.
    Other(String),
    /// More steps or bytes than any condition of use needs.
    TooMuch,
}

impl fmt::Display for Fault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MissingKey(name) => write!(out, "there is no `{name}`, which is an error and not a match"),
            Self::Unknown(name) => {
                write!(out, "nothing is named `{name}`")?;
                let function = name.strip_suffix("()");
                match function.and_then(|function| nearest(function, functions::METHODS)) {
                    Some(near) => write!(out, ", did you mean `{near}()`?"),
                    None => Ok(()),
                }
            }
            Self::Kinds(what) | Self::Other(what) => out.write_str(what),
            Self::TooMuch => out.write_str("it takes more steps or memory than a condition may"),
        }
    }
}

/// Steps, and bytes in units of 64, that one expression may take.
const BUDGET: usize = 200_000;

/// The variables, and what may still be spent.
#[derive(Debug)]
pub(in crate::trust) struct Scope {
    variables: Vec<(&'static str, Value)>,
    left: Cell<usize>,
}

impl Scope {
    /// Variables that an expression may name.
    pub(in crate::trust) fn new(variables: Vec<(&'static str, Value)>) -> Self {
        Self { variables, left: Cell::new(BUDGET) }
    }

    pub(super) fn spend(&self, amount: usize) -> Result<(), Fault> {
        let left = self.left.get().checked_sub(amount);
        self.left.set(left.unwrap_or(0));
        left.map(|_| ()).ok_or(Fault::TooMuch)
    }

    /// A value that was made, which costs by its size.
    pub(super) fn made<'a>(&self, value: Value) -> Outcome<'a> {
        self.spend(value.weight() / 64)?;
        Ok(Cow::Owned(value))
    }
}

pub(super) type Outcome<'a> = Result<Cow<'a, Value>, Fault>;

/// A macro's variables, the innermost last. One may hold the fault that a step of a loop has left behind.
type Locals<'a> = Vec<(&'a str, Result<Value, Fault>)>;

/// Evaluates with a fresh budget.
///
/// # Errors
/// Where CEL has an error instead of a value.
pub(in crate::trust) fn evaluate(expression: &Expr, scope: &Scope) -> Result<Value, Fault> {
    scope.left.set(BUDGET);
    Walk { scope, locals: Vec::new() }.value(expression).map(Cow::into_owned)
}

struct Walk<'a> {
    scope: &'a Scope,
    locals: Locals<'a>,
}

fn flag<'a>(flag: bool) -> Outcome<'a> {
    Ok(Cow::Owned(Value::Bool(flag)))
}

fn as_flag(outcome: &Outcome<'_>) -> Option<bool> {
    match outcome.as_deref() {
        Ok(Value::Bool(flag)) => Some(*flag),
        _ => None,
    }
}

/// What stands in for an operand that is no boolean.
fn no_flag<'a>(name: &str, outcome: Outcome<'_>) -> Outcome<'a> {
    Err(match outcome {
        Err(fault) => fault,
        Ok(value) => Fault::Kinds(format!("{} takes booleans, and this is of kind {}", readable(name), value.kind())),
    })
}

/// An operator as it is written.
pub(super) fn readable(name: &str) -> &str {
    if name == operator::INDEX { "[]" } else { name.trim_matches(|mark| mark == '_' || mark == '@') }
}

impl<'a> Walk<'a> {
    fn value(&mut self, expression: &'a Expr) -> Outcome<'a> {
        self.scope.spend(1)?;
        match expression {
            Expr::Literal(value) => Ok(Cow::Borrowed(value)),
            Expr::Name(name) => self.variable(name),
            Expr::Field { of, name, is_test } => {
                let map = self.value(of)?;
                if !matches!(*map, Value::Map(_)) {
                    return Err(Fault::Kinds(format!("`{name}` is asked of a value of kind {}", map.kind())));
                }
                let key = Value::Text(name.clone());
                if *is_test { flag(map.get(&key).is_some()) } else { pick(map, &key) }
            }
            Expr::Call { name, target, arguments } => match (target, arguments.as_slice()) {
                (None, [condition, yes, no]) if name == operator::IF => {
                    let condition = self.value(condition);
                    match as_flag(&condition) {
                        Some(true) => self.value(yes),
                        Some(false) => self.value(no),
                        None => no_flag(name, condition),
                    }
                }
                (None, [left, right]) if name == operator::AND => self.logic(name, left, right, false),
                (None, [left, right]) if name == operator::OR => self.logic(name, left, right, true),
                (None, [one]) if name == operator::NOT_STRICTLY_FALSE => {
                    let one = self.value(one);
                    flag(as_flag(&one).unwrap_or(true))
                }
                _ => {
                    let target = target.as_deref().map(|target| self.value(target)).transpose()?;
                    let arguments = arguments.iter().map(|one| self.value(one)).collect::<Result<Vec<_>, _>>()?;
                    functions::call(self.scope, name, target, arguments)
                }
            },
            Expr::List(entries) => {
                let entries =
                    entries.iter().map(|one| self.value(one).map(Cow::into_owned)).collect::<Result<Vec<_>, _>>()?;
                self.scope.made(Value::List(entries))
            }
            Expr::Map(entries) => {
                let mut map: Vec<(Value, Value)> = Vec::new();
                for (key, value) in entries {
                    let (key, value) = (self.value(key)?.into_owned(), self.value(value)?.into_owned());
                    if map.iter().any(|(known, _)| known.equals(&key)) {
                        return Err(Fault::Other("a map has the same key twice".to_owned()));
                    }
                    map.push((key, value));
                }
                self.scope.made(Value::Map(map))
            }
            Expr::Fold(fold) => {
                let depth = self.locals.len();
                let outcome = self.fold(fold).map(|value| Cow::Owned(value.into_owned()));
                self.locals.truncate(depth);
                outcome
            }
        }
    }

    fn variable(&self, name: &str) -> Outcome<'a> {
        let (name, is_global) = name.strip_prefix('.').map_or((name, false), |name| (name, true));
        let local = self.locals.iter().rev().find(|(known, _)| !is_global && *known == name);
        if let Some((_, value)) = local {
            return self.scope.made(value.clone()?);
        }
        let global = self.scope.variables.iter().find(|(known, _)| *known == name);
        global.map(|(_, value)| Cow::Borrowed(value)).ok_or_else(|| Fault::Unknown(name.to_owned()))
    }

    /// Either side decides alone where it can, even if the other has no value: CEL's `&&` and `||` commute.
    fn logic(&mut self, name: &str, left: &'a Expr, right: &'a Expr, decisive: bool) -> Outcome<'a> {
        let left = self.value(left);
        let left_flag = as_flag(&left);
        if left_flag == Some(decisive) {
            return flag(decisive);
        }
        let right = self.value(right);
        match (left_flag, as_flag(&right)) {
            (_, Some(right)) if right == decisive => flag(decisive),
            (Some(_), Some(right)) => flag(right),
            (None, _) => no_flag(name, left),
            (Some(_), None) => no_flag(name, right),
        }
    }

    fn fold(&mut self, fold: &'a Fold) -> Outcome<'a> {
        let items: Vec<Value> = match self.value(&fold.range)?.into_owned() {
            Value::List(items) => items,
            Value::Map(entries) => entries.into_iter().map(|(key, _)| key).collect(),
            other => return Err(Fault::Kinds(format!("a value of kind {} has no items", other.kind()))),
        };
        let start = self.value(&fold.start).map(Cow::into_owned);
        let slot = self.locals.len();
        self.locals.push((&fold.result_name, start));
        for item in items {
            let proceed = self.value(&fold.proceed);
            match as_flag(&proceed) {
                Some(true) => {}
                Some(false) => break,
                None => return no_flag("a macro", proceed),
            }
            self.locals.push((&fold.item, Ok(item)));
            let step = self.value(&fold.step).map(Cow::into_owned);
            self.locals.truncate(slot + 1);
            if step == Err(Fault::TooMuch) {
                return Err(Fault::TooMuch);
            }
            self.locals[slot].1 = step;
        }
        self.value(&fold.result)
    }
}

/// What a map has under a key, without copying the map.
pub(super) fn pick<'a>(map: Cow<'a, Value>, key: &Value) -> Outcome<'a> {
    let found = match map {
        Cow::Borrowed(map) => map.get(key).map(Cow::Borrowed),
        Cow::Owned(map) => map.get(key).cloned().map(Cow::Owned),
    };
    found.ok_or_else(|| Fault::MissingKey(key.to_text()))
}
