//! Which claims of the token a statement tests, and how.

use federate_trust::{Glob, Provider};

use crate::trust::operator::{Base, Set};
use crate::trust::policy::{Condition, Statement};

/// The issuer in front of a condition key; `None` for keys of AWS itself.
pub(super) fn issuer_of(key: &str) -> Option<&str> {
    let lower = key.to_ascii_lowercase();
    if lower.starts_with("aws:") || lower.starts_with("sts:") || lower.starts_with("saml:") {
        return None;
    }
    let Some((issuer, name)) = key.rsplit_once(':') else {
        // A key of AWS's has a prefix; a claim's name alone is nobody's.
        return Some("");
    };
    let is_claim = ["sub", "aud", "oaud", "amr", "iss"].iter().any(|claim| claim.eq_ignore_ascii_case(name));
    (issuer.contains(['.', '/']) || is_claim).then_some(issuer)
}

/// One condition on a claim of the trusted provider.
#[derive(Debug)]
pub(super) struct Test<'a> {
    /// The claim, in lower case.
    pub(super) name: String,
    pub(super) condition: &'a Condition,
}

impl Test<'_> {
    /// Does it ask the claim to be one of its values? A set operator or `IfExists` lets an absent claim pass as well.
    pub(super) fn is_positive(&self) -> bool {
        !self.condition.operator.negated && self.condition.operator.base != Base::Null
    }

    /// Is a token without the claim kept out too?
    pub(super) fn is_strict(&self) -> bool {
        let operator = &self.condition.operator;
        self.is_positive() && !operator.if_exists && operator.set != Some(Set::All)
    }

    /// Does it turn away certain texts, and nothing else?
    pub(super) fn is_negated(&self) -> bool {
        let operator = &self.condition.operator;
        operator.negated
            && operator.set != Some(Set::Any)
            && matches!(operator.base, Base::StringEquals | Base::StringLike)
    }

    /// Is the claim compared with its values as they stand?
    pub(super) fn is_exact(&self) -> bool {
        self.condition.operator.base == Base::StringEquals
    }

    /// Are `*` and `?` wildcards here?
    pub(super) fn is_pattern(&self) -> bool {
        matches!(self.condition.operator.base, Base::StringLike | Base::Arn)
    }

    /// The values as patterns.
    pub(super) fn globs(&self) -> Vec<Glob> {
        let read = |value: &String| if self.is_pattern() { Glob::parse(value) } else { Glob::literal(value) };
        self.condition.values.iter().map(read).collect()
    }
}

/// All tests of the trusted provider's claims.
#[derive(Debug)]
pub(super) struct Tests<'a> {
    pub(super) all: Vec<Test<'a>>,
}

impl<'a> Tests<'a> {
    pub(super) fn new(statement: &'a Statement, provider: &Provider) -> Self {
        let own = statement.conditions.iter().filter_map(|condition| {
            let (issuer, name) = condition.key.rsplit_once(':')?;
            issuer.eq_ignore_ascii_case(provider.name()).then(|| Test { name: name.to_ascii_lowercase(), condition })
        });
        Self { all: own.collect() }
    }

    /// Every test of a claim.
    pub(super) fn of<'t>(&'t self, name: &'t str) -> impl Iterator<Item = &'t Test<'a>> {
        self.all.iter().filter(move |test| test.name == name)
    }

    pub(super) fn positive<'t>(&'t self, name: &'t str) -> impl Iterator<Item = &'t Test<'a>> {
        self.of(name).filter(|test| test.is_positive())
    }

    pub(super) fn has_positive(&self, name: &str) -> bool {
        self.positive(name).next().is_some()
    }

    /// The values that a claim is held to by a test that cannot be passed without it.
    pub(super) fn pinned(&self, name: &str) -> Option<(&'a [String], bool)> {
        let test = self.positive(name).find(|test| test.is_strict())?;
        Some((&test.condition.values, test.is_pattern()))
    }

    /// Is the claim held to values without wildcards?
    pub(super) fn is_pinned_exactly(&self, name: &str) -> bool {
        self.pinned(name)
            .is_some_and(|(values, is_pattern)| !is_pattern || values.iter().all(|value| !value.contains(['*', '?'])))
    }
}
