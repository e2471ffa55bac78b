//! Condition operators: how a key's values in the request are compared with those in the policy.
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html>

use std::cmp::Ordering;

use federate_core::suggest::nearest;
use federate_trust::Glob;

use super::{arn, scalar};

/// An operator with its prefix and suffix.
#[derive(Clone, Debug)]
pub(crate) struct Operator {
    /// As written.
    pub(crate) name: String,
    pub(crate) set: Option<Set>,
    pub(crate) base: Base,
    pub(crate) negated: bool,
    pub(crate) if_exists: bool,
}

/// What to do with a key that has several values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Set {
    /// Every value in the request has to fit.
    All,
    /// One is enough.
    Any,
}

/// The comparison itself; the negated operators share it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Base {
    StringEquals,
    StringEqualsIgnoreCase,
    StringLike,
    Numeric(Order),
    Date(Order),
    Bool,
    Binary,
    Ip,
    Arn,
    Null,
}

/// Which orders satisfy the comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    Equal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Base {
    /// Where a limit has to lie for a value to be admitted, before the value; `None` for what is no limit.
    pub(crate) fn limit(self) -> Option<&'static str> {
        let (Self::Numeric(order) | Self::Date(order)) = self else { return None };
        match order {
            Order::Equal => None,
            Order::Less => Some("above"),
            Order::LessOrEqual => Some("at least"),
            Order::Greater => Some("below"),
            Order::GreaterOrEqual => Some("at most"),
        }
    }
}

impl Order {
    fn admits(self, ordering: Ordering) -> bool {
        match self {
            Self::Equal => ordering.is_eq(),
            Self::Less => ordering.is_lt(),
            Self::LessOrEqual => ordering.is_le(),
            Self::Greater => ordering.is_gt(),
            Self::GreaterOrEqual => ordering.is_ge(),
        }
    }
}

const NAMES: &[(&str, Base, bool)] = &[
    ("StringEquals", Base::StringEquals, false),
    ("StringNotEquals", Base::StringEquals, true),
    ("StringEqualsIgnoreCase", Base::StringEqualsIgnoreCase, false),
    ("StringNotEqualsIgnoreCase", Base::StringEqualsIgnoreCase, true),
    ("StringLike", Base::StringLike, false),
    ("StringNotLike", Base::StringLike, true),
    ("NumericEquals", Base::Numeric(Order::Equal), false),
    ("NumericNotEquals", Base::Numeric(Order::Equal), true),
    ("NumericLessThan", Base::Numeric(Order::Less), false),
    ("NumericLessThanEquals", Base::Numeric(Order::LessOrEqual), false),
    ("NumericGreaterThan", Base::Numeric(Order::Greater), false),
    ("NumericGreaterThanEquals", Base::Numeric(Order::GreaterOrEqual), false),
    ("DateEquals", Base::Date(Order::Equal), false),
    ("DateNotEquals", Base::Date(Order::Equal), true),
    ("DateLessThan", Base::Date(Order::Less), false),
    ("DateLessThanEquals", Base::Date(Order::LessOrEqual), false),
    ("DateGreaterThan", Base::Date(Order::Greater), false),
    ("DateGreaterThanEquals", Base::Date(Order::GreaterOrEqual), false),
    ("Bool", Base::Bool, false),
    ("BinaryEquals", Base::Binary, false),
    ("IpAddress", Base::Ip, false),
    ("NotIpAddress", Base::Ip, true),
    ("ArnEquals", Base::Arn, false),
    ("ArnLike", Base::Arn, false),
    ("ArnNotEquals", Base::Arn, true),
    ("ArnNotLike", Base::Arn, true),
    ("Null", Base::Null, false),
];

const PREFIXES: [(&str, Set); 2] = [("forallvalues:", Set::All), ("foranyvalue:", Set::Any)];

/// What is left of an operator's name without prefix and suffix.
fn parts(name: &str) -> (Option<Set>, &str, bool) {
    let lower = name.to_ascii_lowercase();
    let prefix = PREFIXES.iter().find(|(prefix, _)| lower.starts_with(prefix));
    let rest = prefix.map_or(name, |(prefix, _)| &name[prefix.len()..]);
    let if_exists = lower.ends_with("ifexists") && rest.len() > "ifexists".len();
    let rest = if if_exists { &rest[..rest.len() - "ifexists".len()] } else { rest };
    (prefix.map(|(_, set)| *set), rest, if_exists)
}

/// The real operator nearest to a misspelt one, with its prefix and suffix as they should be.
pub(crate) fn nearest_name(name: &str) -> Option<String> {
    let (set, rest, if_exists) = parts(name);
    let near = nearest(rest, NAMES.iter().map(|(name, ..)| *name))?;
    let prefix = match set {
        Some(Set::All) => "ForAllValues:",
        Some(Set::Any) => "ForAnyValue:",
        None => "",
    };
    Some(format!("{prefix}{near}{}", if if_exists { "IfExists" } else { "" }))
}

impl Operator {
    /// Reads `ForAnyValue:StringLikeIfExists`; case does not matter.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        if !name.is_ascii() {
            return None;
        }
        let (set, rest, if_exists) = parts(name);
        let (_, base, negated) = NAMES.iter().find(|(known, ..)| known.eq_ignore_ascii_case(rest))?;
        // `Null` already asks for existence.
        if *base == Base::Null && if_exists {
            return None;
        }
        // ForAnyValue asks for a value in any case: without one there is nothing that IfExists could be told of.
        let if_exists = if_exists && set != Some(Set::Any);
        Some(Self { name: name.to_owned(), set, base: *base, negated: *negated, if_exists })
    }

    /// May its values hold policy variables? Only where texts and ARNs are compared.
    pub(crate) fn takes_variables(&self) -> bool {
        matches!(
            self.base,
            Base::StringEquals | Base::StringEqualsIgnoreCase | Base::StringLike | Base::Arn | Base::Bool
        )
    }

    /// Does the condition hold? `actual` is what the request has under the key, `None` if it has no such key.
    pub(crate) fn holds(&self, expected: &[Operand], actual: Option<&[String]>) -> bool {
        if self.base == Base::Null {
            // Access Analyzer's page (NULL_WITH_QUALIFIER): with these two it is always true, and always false.
            if let Some(set) = self.set {
                return set == Set::All;
            }
            let wanted = if actual.is_none() { "true" } else { "false" };
            return expected.iter().any(|operand| operand.text.eq_ignore_ascii_case(wanted));
        }
        let Some(actual) = actual.filter(|actual| !actual.is_empty()) else {
            return match self.set {
                _ if self.if_exists => true,
                Some(Set::All) => true,
                Some(Set::Any) => false,
                None => self.negated,
            };
        };
        // A variable without a value makes its condition fail, also where it excludes.
        if self.negated && expected.iter().any(|operand| operand.unresolved) {
            return false;
        }
        // "Multivalued context keys require a condition set operator", says the page on them; nothing else compares several.
        if self.set.is_none() && actual.len() > 1 {
            return false;
        }
        let equals = |value: &String| expected.iter().any(|operand| self.compare(operand, value));
        // What cannot be compared is not unequal either.
        let is_known = self.negated && expected.iter().all(|operand| scalar::flaw(self.base, &operand.text).is_none());
        let fits = |value: &String| match self.negated {
            true => is_known && scalar::flaw(self.base, value).is_none() && !equals(value),
            false => equals(value),
        };
        if self.set == Some(Set::Any) { actual.iter().any(fits) } else { actual.iter().all(fits) }
    }

    fn compare(&self, operand: &Operand, actual: &str) -> bool {
        if operand.unresolved {
            return false;
        }
        let expected = operand.text.as_str();
        match self.base {
            Base::StringEquals | Base::Binary => expected == actual,
            Base::StringEqualsIgnoreCase => expected.to_lowercase() == actual.to_lowercase(),
            Base::StringLike => operand.pattern.matches(actual),
            Base::Bool => expected.eq_ignore_ascii_case(actual) && scalar::is_bool(actual),
            Base::Arn => arn::matches(&operand.pattern, actual),
            Base::Ip => scalar::in_network(expected, actual),
            Base::Numeric(order) => scalar::compare_numbers(actual, expected).is_some_and(|found| order.admits(found)),
            Base::Date(order) => match (scalar::moment(expected), scalar::moment(actual)) {
                (Some(expected), Some(actual)) => order.admits(actual.cmp(&expected)),
                _ => false,
            },
            Base::Null => false,
        }
    }
}

/// A value of the policy, its variables resolved.
#[derive(Clone, Debug, Default)]
pub(crate) struct Operand {
    pub(crate) text: String,
    pub(crate) pattern: Glob,
    /// A variable has no value in this request: the value matches nothing.
    pub(crate) unresolved: bool,
}

impl Operand {
    /// Goes on with what a variable stands for, in which nothing is a wildcard.
    pub(crate) fn push_literal(&mut self, text: &str) {
        self.text.push_str(text);
        self.pattern.push_literal(text);
    }

    /// Goes on with what the policy says.
    pub(crate) fn push_pattern(&mut self, text: &str) {
        self.text.push_str(text);
        self.pattern.push_pattern(text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holds(name: &str, expected: &[&str], actual: Option<&[&str]>) -> bool {
        let operands: Vec<Operand> = expected
            .iter()
            .map(|text| Operand { text: (*text).to_owned(), pattern: Glob::parse(text), unresolved: false })
            .collect();
        let actual: Option<Vec<String>> = actual.map(|values| values.iter().map(|value| (*value).to_owned()).collect());
        Operator::parse(name).unwrap().holds(&operands, actual.as_deref())
    }

    #[test]
    fn an_absent_key() {
        for (name, expected) in [
            ("StringEquals", false),
            ("StringNotEquals", true),
            ("StringEqualsIfExists", true),
            ("ForAllValues:StringEquals", true),
            ("ForAllValues:StringNotEquals", true),
            ("ForAnyValue:StringEquals", false),
            ("ForAnyValue:StringNotEquals", false),
            ("ForAnyValue:StringEqualsIfExists", false),
            ("ForAllValues:StringEqualsIfExists", true),
            ("NumericLessThan", false),
            ("ForAllValues:Null", true),
            ("ForAnyValue:Null", false),
        ] {
            assert_eq!(holds(name, &["1"], None), expected, "{name}");
        }
        assert!(
            holds("Null", &["true"], None)
                && !holds("Null", &["false"], None)
                && holds("Null", &["false"], Some(&["x"]))
                && !holds("Null", &["yes"], Some(&["x"]))
        );
    }

    #[test]
    fn several_values() {
        let two: Option<&[&str]> = Some(&["a", "b"]);
        for (name, policy, expected) in [
            ("ForAnyValue:StringEquals", vec!["b"], true),
            ("ForAllValues:StringEquals", vec!["b"], false),
            ("ForAllValues:StringEquals", vec!["a", "b", "c"], true),
            ("ForAnyValue:StringNotEquals", vec!["a"], true),
            ("ForAllValues:StringNotEquals", vec!["a"], false),
            ("ForAllValues:StringNotEquals", vec!["c"], true),
            ("StringNotEquals", vec!["a"], false),
            ("StringNotEquals", vec!["c"], false),
            ("StringEquals", vec!["a"], false),
            ("StringEqualsIfExists", vec!["a", "b"], false),
        ] {
            assert_eq!(holds(name, &policy, two), expected, "{name} {policy:?}");
        }
    }

    #[test]
    fn values_of_every_type() {
        for (name, policy, actual, expected) in [
            ("NumericLessThan", "10", "9", true),
            ("NumericLessThan", "10", "10", false),
            ("NumericEquals", "10", "10.0", true),
            ("NumericEquals", "10", "ten", false),
            ("NumericEquals", "9007199254740993", "9007199254740992", false),
            ("NumericGreaterThan", "1", "inf", false),
            ("NumericNotEquals", "1", "2", true),
            ("NumericNotEquals", "one", "2", false),
            ("NumericNotEquals", "1", "two", false),
            ("NotIpAddress", "203.0.113.0/33", "198.51.100.7", false),
            ("NotIpAddress", "203.0.113.0/24", "198.51.100.7", true),
            ("Bool", "x", "x", false),
            ("DateGreaterThan", "2026-01-01T00:00:00Z", "2026-06-01T00:00:00Z", true),
            ("DateLessThan", "1767225600", "2025-12-31", true),
            ("Bool", "true", "True", true),
            ("IpAddress", "203.0.113.0/24", "203.0.113.9", true),
            ("IpAddress", "203.0.113.0/24", "203.0.114.9", false),
            ("NotIpAddress", "2001:db8::/32", "2001:db8::1", false),
            ("IpAddress", "203.0.113.9", "203.0.113.9", true),
            ("ArnLike", "arn:aws:iam::*:role/ci-*", "arn:aws:iam::111122223333:role/ci-deploy", true),
            ("ArnEquals", "arn:aws:iam::*", "arn:aws:iam::1:role/x:y", false),
            ("StringEqualsIgnoreCase", "MAIN", "main", true),
            ("StringEquals", "a*", "ab", false),
            ("BinaryEquals", "QQ==", "QQ==", true),
        ] {
            assert_eq!(holds(name, &[policy], Some(&[actual])), expected, "{name} {policy} {actual}");
        }
    }

    #[test]
    fn names_are_read_and_misspelt_ones_recognised() {
        assert!(Operator::parse("forallvalues:stringlikeifexists").is_some_and(|operator| operator.if_exists));
        assert!(Operator::parse("StringLkie").is_none() && Operator::parse("NullIfExists").is_none());
        assert_eq!(nearest_name("ForAnyValue:StringLkie").as_deref(), Some("ForAnyValue:StringLike"));
        assert_eq!(nearest_name("Frobnicate"), None);
    }
}
