//! A condition as the ways in which it can be true: alternatives, and in each what is asked.

use federate_trust::{Family, Provider as Issuer};

use super::source::{Source, Sources};
use super::{CONDITION, Found};
use crate::trust::cel::{Expr, Scope, Value, evaluate, operator, shapes};
use crate::trust::claims;
use crate::trust::expression::Expression;
use crate::trust::provider::Provider;

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

/// Values: a text in which `*` and `?` are wildcards.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pattern {
    pub(super) glob: String,
    pub(super) method: Method,
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
pub(super) type Way = Vec<Test>;

/// More alternatives than this are not told apart.
const MOST: usize = 512;

/// The ways in which the condition can be true. What can never hold is reported, and is no way.
pub(super) fn ways(provider: &Provider, issuer: &Issuer, condition: &Expression, found: &mut Found<'_>) -> Vec<Way> {
    let paths = condition.tree.paths();
    let mapped = provider.mapping.values().flat_map(|expression| expression.tree.paths());
    let names: Vec<&str> = paths.iter().cloned().chain(mapped).filter_map(|path| path.get(1).copied()).collect();
    let family = claims::family(issuer, names);
    let mut reader = Reader { sources: Sources { provider, family }, family, found };
    reader.ways(&condition.tree, true)
}

struct Reader<'a, 'f> {
    sources: Sources<'a>,
    family: Family,
    found: &'a mut Found<'f>,
}

fn all_of(left: Vec<Way>, right: Vec<Way>) -> Vec<Way> {
    if left.len() * right.len() > MOST {
        // Too many to tell apart: whatever the longer side asks is taken for asking nothing.
        let (fewer, more) = if left.len() < right.len() { (left, right) } else { (right, left) };
        return if more.is_empty() { more } else { fewer };
    }
    let joined = |left: &Way, right: &Way| left.iter().chain(right).cloned().collect();
    left.iter().flat_map(|left| right.iter().map(move |right| joined(left, right))).collect()
}

fn any_of(mut left: Vec<Way>, right: Vec<Way>) -> Vec<Way> {
    for way in right {
        if left.len() < MOST && !left.contains(&way) {
            left.push(way);
        }
    }
    left
}

impl Reader<'_, '_> {
    /// The ways in which the expression is true, or false.
    fn ways(&mut self, expression: &Expr, wanted: bool) -> Vec<Way> {
        if expression.paths().is_empty() && !matches!(expression, Expr::Fold(_)) {
            let value = evaluate(expression, &Scope::new(Vec::new()));
            return if value == Ok(Value::Bool(wanted)) { vec![Vec::new()] } else { Vec::new() };
        }
        match expression.as_operator() {
            Some((operator::NOT, [inner])) => self.ways(inner, !wanted),
            Some((name @ (operator::AND | operator::OR), [left, right])) => {
                let (left, right) = (self.ways(left, wanted), self.ways(right, wanted));
                if (name == operator::AND) == wanted { all_of(left, right) } else { any_of(left, right) }
            }
            Some((operator::IF, [condition, yes, no])) => {
                let yes = all_of(self.ways(condition, true), self.ways(yes, wanted));
                let no = all_of(self.ways(condition, false), self.ways(no, wanted));
                any_of(yes, no)
            }
            _ => self.test(expression, wanted).map_or_else(Vec::new, |test| vec![test.into_iter().collect()]),
        }
    }

    /// What is asked; `None` where it can never be, `Some(None)` where it always is.
    fn test(&mut self, expression: &Expr, wanted: bool) -> Option<Option<Test>> {
        match expression {
            Expr::Field { is_test: true, .. } => {
                let source = self.sources.of(expression, self.found);
                return match (source, wanted) {
                    // Asking whether it is there is no error.
                    (Source::Nothing, wanted) => (!wanted).then_some(None),
                    (_, true) => Some(Some(Test::Presence)),
                    (_, false) => Some(Some(Test::Excludes)),
                };
            }
            Expr::Call { name, target: Some(target), arguments } => {
                if let [argument] = arguments.as_slice()
                    && let Some(test) = self.method(name, target, argument, wanted)
                {
                    return test;
                }
            }
            _ => match expression.as_operator() {
                Some((name, [left, right])) => return self.comparison(name, left, right, wanted),
                _ if expression.path().is_some() => {
                    return self.compare(expression, &[Value::Bool(wanted)], true);
                }
                _ => {}
            },
        }
        self.other(expression, wanted)
    }

    fn comparison(&mut self, name: &str, left: &Expr, right: &Expr, wanted: bool) -> Option<Option<Test>> {
        let is_equality = name == operator::EQ || name == operator::NE;
        let wanted = if name == operator::NE { !wanted } else { wanted };
        match (self.constant(left), self.constant(right)) {
            (None, Some(value)) if is_equality => self.compare(left, &[value], wanted),
            (Some(value), None) if is_equality => self.compare(right, &[value], wanted),
            // A list of the token that has to contain something.
            (Some(value), None) if name == operator::IN => self.compare(right, &[value], wanted),
            (None, Some(Value::List(values))) if name == operator::IN => self.compare(left, &values, wanted),
            (None, Some(value)) | (Some(value), None)
                if [operator::LT, operator::LE, operator::GT, operator::GE].contains(&name) =>
            {
                let claim = if self.constant(left).is_none() { left } else { right };
                if let Source::Claim(claim) = self.sources.of(claim, self.found)
                    && self.is_mismatch(&claim, &value)
                {
                    return None;
                }
                Some(Some(Test::Presence))
            }
            _ => {
                let sources = [self.sources.of(left, self.found), self.sources.of(right, self.found)];
                if sources.contains(&Source::Nothing) { None } else { Some(Some(Test::Presence)) }
            }
        }
    }

    /// A claim against values, any of which fits.
    fn compare(&mut self, operand: &Expr, values: &[Value], wanted: bool) -> Option<Option<Test>> {
        let source = self.sources.of(operand, self.found);
        match &source {
            Source::Nothing => return None,
            Source::Constant(constant) => {
                return (values.contains(constant) == wanted).then_some(None);
            }
            Source::Mixed(claims) => return Some(Some(self.mixed(operand, claims.iter().cloned().collect(), wanted))),
            Source::Claim(_) | Source::Part { .. } => {}
        }
        let is_empty = |value: &Value| matches!(value, Value::Null) || *value == Value::Text(String::new());
        if !values.is_empty() && values.iter().all(is_empty) {
            return if wanted { None } else { Some(Some(Test::Presence)) };
        }
        let mut patterns = Vec::new();
        let mut mismatches = 0;
        for value in values {
            if let Source::Claim(claim) = &source
                && self.is_mismatch(claim, value)
            {
                mismatches += 1;
            } else if let Some(text) = self.literal(&value.to_text()) {
                patterns.extend(placed(&source, &text, Method::Equal));
            }
        }
        if !wanted {
            // What is never equal excludes nothing.
            return Some((mismatches < values.len()).then_some(Test::Excludes));
        }
        self.has(source, patterns)
    }

    fn has(&mut self, source: Source, patterns: Vec<Pattern>) -> Option<Option<Test>> {
        let (Source::Claim(claim) | Source::Part { claim, .. }) = source else { return None };
        (!patterns.is_empty()).then_some(Some(Test::Has(claim, patterns)))
    }

    fn method(&mut self, name: &str, target: &Expr, argument: &Expr, wanted: bool) -> Option<Option<Option<Test>>> {
        let Some(Value::Text(text)) = self.constant(argument) else { return None };
        if !["startsWith", "endsWith", "contains", "matches"].contains(&name) {
            return None;
        }
        let source = self.sources.of(target, self.found);
        match &source {
            Source::Nothing => return Some(None),
            Source::Mixed(claims) => {
                return Some(Some(Some(self.mixed(target, claims.iter().cloned().collect(), wanted))));
            }
            Source::Constant(_) => return None,
            Source::Claim(_) | Source::Part { .. } => {}
        }
        if !wanted {
            return Some(Some(Some(Test::Excludes)));
        }
        let patterns = match name {
            "matches" => {
                let shapes = shapes(&text).unwrap_or_default();
                let pattern = |shape: crate::trust::cel::Shape| {
                    let method = Method::Regex { open_start: shape.open_start, open_end: shape.open_end };
                    placed(&source, &shape.glob, method)
                };
                shapes.into_iter().filter_map(pattern).collect()
            }
            _ => {
                let method = match name {
                    "startsWith" => Method::Prefix,
                    "endsWith" => Method::Suffix,
                    _ => Method::Substring,
                };
                self.literal(&text).and_then(|text| placed(&source, &text, method)).into_iter().collect()
            }
        };
        Some(self.has(source, patterns))
    }

    /// A literal without wildcards: `*` in it is reported, as nothing but a `*` is equal to it.
    fn literal(&mut self, text: &str) -> Option<String> {
        if text.contains('*') {
            self.found.add("gcp-wildcard-literal", CONDITION);
            return None;
        }
        Some(text.replace('?', "\u{fffd}"))
    }

    fn is_mismatch(&mut self, claim: &str, value: &Value) -> bool {
        let is_other = matches!(value, Value::Bool(_) | Value::Int(_) | Value::Uint(_) | Value::Double(_));
        let is_mismatch = is_other && claims::is_text(self.family, claim);
        if is_mismatch {
            self.found.add("gcp-type-mismatch", &format!("{CONDITION}, assertion.{claim}"));
        }
        is_mismatch
    }

    fn constant(&mut self, expression: &Expr) -> Option<Value> {
        if !expression.paths().is_empty() || matches!(expression, Expr::Fold(_)) {
            return None;
        }
        evaluate(expression, &Scope::new(Vec::new())).ok()
    }

    /// Something made of claims that has to be something of one's own.
    fn mixed(&self, operand: &Expr, claims: Vec<String>, wanted: bool) -> Test {
        let is_size = matches!(operand, Expr::Call { name, .. } if name == "size");
        match wanted {
            _ if is_size || claims.is_empty() => Test::Presence,
            true => Test::Holds(claims),
            false => Test::Excludes,
        }
    }

    /// What cannot be read any further: macros, and functions of several claims.
    fn other(&mut self, expression: &Expr, wanted: bool) -> Option<Option<Test>> {
        match self.sources.of(expression, self.found) {
            Source::Nothing => None,
            Source::Constant(value) => (value == Value::Bool(wanted)).then_some(None),
            Source::Claim(claim) => Some(Some(self.mixed(expression, vec![claim], wanted))),
            Source::Part { claim, .. } => Some(Some(self.mixed(expression, vec![claim], wanted))),
            Source::Mixed(claims) => Some(Some(self.mixed(expression, claims.into_iter().collect(), wanted))),
        }
    }
}

/// A pattern of the operand as a pattern of the whole claim.
fn placed(source: &Source, glob: &str, method: Method) -> Option<Pattern> {
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
    Some(Pattern { glob, method })
}
