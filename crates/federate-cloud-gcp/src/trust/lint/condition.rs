//! A condition as the ways in which it can be true: alternatives, and in each what is asked.

use federate_trust::{Family, Provider as Issuer};

use super::source::{Source, Sources};
use super::way::{Asked, Method, Pattern, Test, Way, all_of, any_of, placed, told};
use super::{CONDITION, Found};
use crate::trust::binding::Selector;
use crate::trust::cel::{Expr, Scope, Value, evaluate, folds, operator, shapes};
use crate::trust::claims;
use crate::trust::expression::Expression;
use crate::trust::provider::Provider;

/// The ways in which the condition can be true. What can never hold is reported, and is no way.
pub(super) fn ways(provider: &Provider, family: Family, condition: &Expression, found: &mut Found<'_>) -> Vec<Way> {
    Reader { sources: Sources { provider, family }, family, found }.ways(&condition.tree, true)
}

/// The ways in which a token becomes one of those whom a member chooses; none where nobody can be.
pub(super) fn of_member(provider: &Provider, family: Family, selector: &Selector, found: &mut Found<'_>) -> Vec<Way> {
    let (key, value) = match selector {
        Selector::Subject(value) => ("google.subject", value),
        Selector::Attribute(name, value) => (name.as_str(), value),
        Selector::Group(value) => ("google.groups", value),
        Selector::Everybody | Selector::Project(_) => return vec![Vec::new()],
        Selector::Nobody(_) | Selector::Unknown | Selector::Other => return Vec::new(),
    };
    let value = Expr::Literal(Value::Text(value.clone()));
    let key = key.split('.').map(str::to_owned);
    let attribute = key.map(Expr::Name).reduce(|of, name| match name {
        Expr::Name(name) => Expr::Field { of: Box::new(of), name, is_test: false },
        other => other,
    });
    let Some(attribute) = attribute else { return Vec::new() };
    let is_list = matches!(selector, Selector::Group(_));
    let (name, operands) =
        if is_list { (operator::IN, vec![value, attribute]) } else { (operator::EQ, vec![attribute, value]) };
    let chosen = Expr::Call { name: name.to_owned(), target: None, arguments: operands };
    Reader { sources: Sources { provider, family }, family, found }.ways(&chosen, true)
}

/// Who writes the claims that condition and mapping ask for.
pub(super) fn family(provider: &Provider, issuer: &Issuer) -> Family {
    let asked = provider.condition.iter().chain(provider.mapping.values());
    let paths: Vec<Vec<&str>> = asked.flat_map(|expression| expression.tree.paths()).collect();
    claims::family(issuer, paths.iter().filter_map(|path| path.get(1).copied()))
}

struct Reader<'a, 'f> {
    sources: Sources<'a>,
    family: Family,
    found: &'a mut Found<'f>,
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
            _ => {
                if let Some(distributed) = self.sources.distributed(expression) {
                    return self.ways(&distributed, wanted);
                }
                let asked = |test: Test| Asked { text: told(expression, wanted, &test), test };
                self.test(expression, wanted).map_or_else(Vec::new, |test| vec![test.map(asked).into_iter().collect()])
            }
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
        let any_case = self.sources.folds(operand);
        let mut patterns = Vec::new();
        let mut mismatches = 0;
        for value in values {
            if let Source::Claim(claim) = &source
                && self.is_mismatch(claim, value)
            {
                mismatches += 1;
            } else if let Some(text) = self.literal(&value.to_text()) {
                patterns.extend(placed(&source, &text, Method::Equal, any_case));
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
        let any_case = self.sources.folds(target) || (name == "matches" && folds(&text));
        let patterns = match name {
            "matches" => {
                let shapes = shapes(&text).unwrap_or_default();
                let pattern = |shape: crate::trust::cel::Shape| {
                    let method = Method::Regex { open_start: shape.open_start, open_end: shape.open_end };
                    placed(&source, &shape.glob, method, any_case)
                };
                shapes.into_iter().filter_map(pattern).collect()
            }
            _ => {
                let method = match name {
                    "startsWith" => Method::Prefix,
                    "endsWith" => Method::Suffix,
                    _ => Method::Substring,
                };
                self.literal(&text).and_then(|text| placed(&source, &text, method, any_case)).into_iter().collect()
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
