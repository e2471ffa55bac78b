//! An entry of an `allow` list as statements of a trust policy.

use federate_core::{ClaimPattern, Error, Pattern, PatternPart};
use federate_trust::render::{Node, map, texts};
use federate_trust::{TRUST_NOT_EXPRESSIBLE, WantedEntry, split_claims};

use crate::trust::policy::{EXCHANGE, TAG_SESSION};
use crate::visible;

/// Who a statement lets in.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Trusted {
    /// An identity provider, by its issuer without `https://`.
    Provider(String),
    /// Another role, by its ARN.
    Role(String),
}

/// A statement of a role's trust policy.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Statement {
    pub(super) trusted: Trusted,
    pub(super) actions: Vec<&'static str>,
    /// Operator, key, values.
    pub(super) tests: Vec<(&'static str, String, Vec<String>)>,
}

const EQUALS: &str = "StringEquals";
const LIKE: &str = "StringLike";
const SET_IDENTITY: &str = "sts:SetSourceIdentity";

impl Statement {
    /// As in a policy; `arn` writes an identity provider's ARN.
    pub(super) fn node(&self, arn: &dyn Fn(&str) -> Node) -> Node {
        let principal = match &self.trusted {
            Trusted::Provider(name) => map([("Federated", arn(name))]),
            Trusted::Role(role) => map([("AWS", role.as_str().into())]),
        };
        let mut fields = vec![
            ("Effect".to_owned(), Node::from("Allow")),
            ("Principal".to_owned(), principal),
            ("Action".to_owned(), scalar(&self.actions)),
        ];
        let condition = self.condition();
        fields.extend((!condition.is_empty()).then(|| ("Condition".to_owned(), Node::Map(condition))));
        Node::Map(fields)
    }

    /// Operators, each with its keys.
    pub(super) fn condition(&self) -> Vec<(String, Node)> {
        let mut operators: Vec<(String, Vec<(String, Node)>)> = Vec::new();
        for (operator, key, values) in &self.tests {
            let test = (key.clone(), scalar(values));
            match operators.iter_mut().find(|(known, _)| known == operator) {
                Some((_, tests)) => tests.push(test),
                None => operators.push(((*operator).to_owned(), vec![test])),
            }
        }
        operators.into_iter().map(|(operator, tests)| (operator, Node::Map(tests))).collect()
    }

    /// The way from one role of a chain to the next.
    pub(super) fn hop(from: &str, hop: &crate::settings::Hop) -> Self {
        let mut actions = vec!["sts:AssumeRole"];
        actions.extend((!hop.tags.is_empty()).then_some(TAG_SESSION));
        actions.extend(hop.source_identity.is_some().then_some(SET_IDENTITY));
        let mut tests = Vec::new();
        let mut equals = |key: String, value: &str| {
            if federate_core::template::is_literal(value) {
                tests.push((EQUALS, key, vec![escaped(value)]));
            } else {
                // What the job fills in is not known here; that it is there can be asked.
                tests.push(("Null", key, vec!["false".to_owned()]));
            }
        };
        hop.external_id.iter().for_each(|id| equals("sts:ExternalId".to_owned(), id));
        hop.tags.iter().for_each(|(name, value)| equals(format!("aws:RequestTag/{name}"), value));
        hop.source_identity.iter().for_each(|name| equals("sts:SourceIdentity".to_owned(), name));
        Self { trusted: Trusted::Role(from.to_owned()), actions, tests }
    }
}

fn scalar<T: AsRef<str>>(values: &[T]) -> Node {
    match values {
        [one] => one.as_ref().into(),
        many => texts(many),
    }
}

/// The statements that admit exactly these entries, and what to say of tokens that stay outside.
pub(super) fn statements(entries: &[WantedEntry], notes: &mut Vec<String>) -> Result<Vec<Statement>, Vec<Error>> {
    let (mut statements, mut errors): (Vec<Statement>, Vec<Error>) = (Vec::new(), Vec::new());
    for (index, entry) in entries.iter().enumerate() {
        match statement(entry, notes) {
            Ok(new) => match statements.iter_mut().find(|known| differs_by_subject(known, &new)) {
                Some(known) => join(known, &new),
                None => statements.push(new),
            },
            Err(error) => errors.push(error.with_setting(format!("trust.allow.{index}"))),
        }
    }
    if errors.is_empty() { Ok(statements) } else { Err(errors) }
}

fn statement(entry: &WantedEntry, notes: &mut Vec<String>) -> Result<Statement, Error> {
    let pattern = &entry.pattern;
    let provider = pattern.issuer.without_scheme();
    let is_visible = |claim: &str| visible::names(provider).any(|name| name == claim);
    let hidden: Vec<&str> = pattern.absent.iter().map(String::as_str).filter(|name| !is_visible(name)).collect();
    if !hidden.is_empty() {
        return Err(cannot(pattern, &hidden));
    }
    let key = |claim: &str| format!("{provider}:{claim}");
    let mut tests = vec![(EQUALS, key("aud"), entry.audiences.iter().map(|audience| escaped(audience)).collect())];
    let mut subjects = Vec::new();
    let mut untold: Vec<String> = Vec::new();
    let mut tested = None;
    let alternatives: Vec<Option<&Pattern>> =
        if pattern.subjects.is_empty() { vec![None] } else { pattern.subjects.iter().map(Some).collect() };
    for subject in &alternatives {
        let split = split_claims(pattern, *subject, &is_visible);
        if !split.untold.is_empty() {
            untold.extend(split.untold.iter().filter(|claim| !untold.contains(claim)).cloned().collect::<Vec<_>>());
            if let Some(subject) = subject {
                notes.push(format!(
                    "entry `{}`: tokens whose subject is like {subject} stay outside, because STS does not see {} of {provider}, which the entry asks for",
                    pattern.label,
                    list(&split.untold)
                ));
            }
            continue;
        }
        if !split.doubtful.is_empty() {
            notes.push(format!(
                "entry `{}`: STS sees {} in the subject alone, where `%3A` stands for a colon: an environment that has %3A in its name would get in too",
                pattern.label,
                list(&split.doubtful)
            ));
        }
        subjects.extend(*subject);
        tested = Some(split.tested);
    }
    let Some(tested) = tested else {
        // What it says of each subject has become one error.
        notes.retain(|note| !note.starts_with(&format!("entry `{}`: ", pattern.label)));
        return Err(cannot(pattern, &untold.iter().map(String::as_str).collect::<Vec<_>>()));
    };
    if !subjects.is_empty() {
        let values: Vec<String> = subjects.iter().map(|subject| value(subject)).collect();
        let is_exact = subjects.iter().all(|subject| subject.as_exact().is_some());
        tests.push((if is_exact { EQUALS } else { LIKE }, key("sub"), values));
    }
    for (claim, pattern) in &tested {
        let operator = if pattern.as_exact().is_some() { EQUALS } else { LIKE };
        tests.push((operator, key(claim), vec![value(pattern)]));
    }
    tests.extend(pattern.absent.iter().map(|claim| ("Null", key(claim), vec!["true".to_owned()])));
    Ok(Statement { trusted: Trusted::Provider(provider.to_owned()), actions: vec![EXCHANGE], tests })
}

fn list(claims: &[String]) -> String {
    claims.iter().map(|claim| format!("`{claim}`")).collect::<Vec<_>>().join(", ")
}

fn cannot(pattern: &ClaimPattern, claims: &[&str]) -> Error {
    let provider = pattern.issuer.without_scheme();
    let names: Vec<String> = claims.iter().map(|claim| (*claim).to_owned()).collect();
    let seen: Vec<&str> = visible::names(provider).collect();
    Error::new(
        &TRUST_NOT_EXPRESSIBLE,
        format!(
            "AWS cannot tell the jobs of `{}` from others: STS does not see {} of {provider}, and the subject does not say it",
            pattern.label,
            list(&names)
        ),
    )
    .with_help(format!("of this issuer, STS sees {}", seen.join(", ")))
    .with_help("describe the jobs by what it sees, most simply by branch or tag; a broader policy is not generated")
}

/// Are they the same but for the subjects, so that one statement can hold both?
fn differs_by_subject(left: &Statement, right: &Statement) -> bool {
    let without = |statement: &Statement| {
        let kept = statement.tests.iter().filter(|(_, key, _)| !is_subject(key));
        kept.cloned().collect::<Vec<_>>()
    };
    let has_subject = |statement: &Statement| statement.tests.iter().any(|(_, key, _)| is_subject(key));
    left.trusted == right.trusted
        && left.actions == right.actions
        && has_subject(left)
        && has_subject(right)
        && without(left) == without(right)
}

fn join(known: &mut Statement, new: &Statement) {
    let Some((operator, _, values)) = new.tests.iter().find(|(_, key, _)| is_subject(key)) else { return };
    for (own_operator, _, own) in known.tests.iter_mut().filter(|(_, key, _)| is_subject(key)) {
        own.extend(values.iter().filter(|value| !own.contains(value)).cloned().collect::<Vec<_>>());
        if *operator == LIKE {
            *own_operator = LIKE;
        }
    }
}

fn is_subject(key: &str) -> bool {
    key.ends_with(":sub")
}

/// A pattern as a value of a condition. An id that is not known becomes `*`: no part of a subject that GitHub or GitLab
/// writes can stand in its place.
fn value(pattern: &Pattern) -> String {
    pattern
        .parts()
        .map(|part| match part {
            PatternPart::Text(text) => escaped(text),
            PatternPart::Any | PatternPart::Digits => "*".to_owned(),
        })
        .collect()
}

/// A text in which nothing is a wildcard or a policy variable.
fn escaped(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text.chars().peekable();
    while let Some(character) = rest.next() {
        match character {
            '*' | '?' => out.push_str(&format!("${{{character}}}")),
            '$' if rest.peek() == Some(&'{') => out.push_str("${$}"),
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literal_texts_have_neither_wildcards_nor_variables() {
        assert_eq!(escaped("a*b?c${d}$e"), "a${*}b${?}c${$}{d}$e");
        assert_eq!(value(&Pattern::empty().then("a?@").then_digits().then_glob(":x*")), "a${?}@*:x*");
    }
}
