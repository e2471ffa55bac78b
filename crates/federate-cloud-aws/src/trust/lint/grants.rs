//! Who gets in: every statement's ways in, in words, with what keeps some out all the same.

use federate_trust::{Effect, Finding, Glob, Grant, Pin, Provider};

use super::broken;
use super::exposure::id;
use super::keys::{Tests, issuer_of};
use super::{Found, lint, providers};
use crate::trust::operator::{Base, Operator, Order, Set};
use crate::trust::policy::{Condition, EXCHANGE, Policy, Statement, provider_of};

/// What `StringEqualsIgnoreCase` lets in besides.
const ANY_CASE: &str = "in upper or lower case";

/// Every way in that the policy opens, also those that nobody can take.
pub(in crate::trust) fn grants(policy: &Policy) -> Vec<Grant> {
    let findings = lint(policy);
    let about_exchange = |statement: &&Statement| statement.covers(EXCHANGE);
    let (allows, denies): (Vec<&Statement>, Vec<&Statement>) =
        policy.statements.iter().filter(about_exchange).partition(|statement| statement.effect == Effect::Allow);
    let mut all = Vec::new();
    for statement in allows {
        let issuers = issuers(statement);
        let mixes = broken::mixes_issuers(statement, &issuers);
        let mut own = Vec::new();
        for provider in &issuers {
            own.extend(of_issuer(statement, provider, mixes, &denies));
        }
        mark(statement, &findings, &mut own);
        all.extend(own);
    }
    all
}

/// Who vouches; where the principal leaves that open, the condition keys may tell.
fn issuers(statement: &Statement) -> Vec<Provider> {
    let principal = &statement.principal;
    let named: Vec<&str> = principal.federated.iter().filter_map(|name| provider_of(name)).collect();
    if principal.negated {
        return vec![Provider::new(&match named.as_slice() {
            [] => "any identity provider".to_owned(),
            named => format!("any identity provider but {}", named.join(", ")),
        })];
    }
    if !principal.anyone {
        return providers(statement);
    }
    let prefix = statement.conditions.iter().find_map(|condition| issuer_of(&condition.key));
    vec![Provider::new(prefix.unwrap_or("any identity provider"))]
}

fn of_issuer(statement: &Statement, provider: &Provider, mixes: bool, denies: &[&Statement]) -> Vec<Grant> {
    let tests = Tests::new(statement, provider);
    let mut found = Found::default();
    let can_match = broken::lint(statement, provider, &tests, &mut found) && !mixes;
    let why = found.0.first().map_or("the conditions are of several issuers", |finding| finding.message.as_str());
    let narrowest =
        tests.positive("sub").filter(|test| is_text(&test.condition.operator)).min_by_key(|test| test.is_pattern());
    let pins: Vec<Pin> = tests
        .all
        .iter()
        .filter(|test| test.is_strict() && is_text(&test.condition.operator) && is_telling(&test.name, provider))
        .map(|test| Pin {
            claim: test.name.clone(),
            values: test.condition.values.clone(),
            is_pattern: test.is_pattern() && test.condition.values.iter().any(|value| value.contains(['*', '?'])),
        })
        .collect();
    let is_said = |condition: &Condition| {
        tests.all.iter().filter(|test| std::ptr::eq(test.condition, condition)).any(|test| {
            let is_subject = narrowest.is_some_and(|narrowest| std::ptr::eq(narrowest.condition, condition));
            let is_audience = test.name == "aud" && test.is_positive() && !provider.tenant_is_audience();
            is_subject || is_audience || pins.iter().any(|pin| pin.claim == test.name && test.is_strict())
        })
    };
    let conditions: Vec<String> = statement
        .conditions
        .iter()
        .filter(|condition| !is_said(condition))
        .map(|condition| match condition.operator.negated {
            true => format!("except {}", affirmed(condition, provider)),
            false => said(condition, provider),
        })
        .collect();
    let subjects: Vec<Option<&String>> = match narrowest {
        Some(test) => test.condition.values.iter().map(Some).collect(),
        None => vec![None],
    };
    let is_literal = narrowest.is_some_and(|test| !test.is_pattern());
    let grant = |subject: Option<&String>| {
        let mut grant = Grant::new(provider, subject.map(String::as_str), pins.clone(), statement.name());
        grant.conditions.extend(conditions.iter().cloned());
        if narrowest.is_some_and(|test| test.condition.operator.base == Base::StringEqualsIgnoreCase) {
            grant.conditions.push(ANY_CASE.to_owned());
        }
        if is_literal && subject.is_some_and(|subject| subject.contains(['*', '?'])) {
            grant.never = Some("StringEquals takes `*` and `?` literally, and no subject has them".to_owned());
        } else if !can_match && grant.never.is_none() {
            grant.never = Some(why.to_owned());
        }
        for deny in denies.iter().filter(|deny| concerns(deny, provider, subject.map(String::as_str))) {
            match exception(deny, provider) {
                Some(exception) => grant.conditions.push(exception),
                None => grant.never = Some(format!("{} keeps everybody out", deny.name())),
            }
        }
        grant
    };
    subjects.into_iter().map(grant).collect()
}

/// Does the claim tell whose jobs these are? The subject is told apart, the audience only where it names the tenant.
fn is_telling(name: &str, provider: &Provider) -> bool {
    match name {
        "sub" | "oaud" | "amr" => false,
        "aud" => provider.tenant_is_audience(),
        _ => true,
    }
}

fn is_text(operator: &Operator) -> bool {
    matches!(operator.base, Base::StringEquals | Base::StringEqualsIgnoreCase | Base::StringLike | Base::Arn)
        && !operator.negated
}

/// Could the Deny keep out tokens of this issuer with this subject?
fn concerns(deny: &Statement, provider: &Provider, subject: Option<&str>) -> bool {
    let principal = &deny.principal;
    let is_named = principal.anyone
        || principal.federated.iter().filter_map(|name| provider_of(name)).any(|name| name == provider.name());
    if is_named == principal.negated {
        return false;
    }
    let Some(subject) = subject.map(Glob::parse) else { return true };
    let tests = Tests::new(deny, provider);
    let meets = |globs: Vec<Glob>| globs.iter().any(|glob| glob.intersects(&subject));
    tests.positive("sub").filter(|test| is_text(&test.condition.operator)).all(|test| meets(test.globs()))
}

/// Whom a Deny keeps out; `None` where that is everybody.
fn exception(deny: &Statement, provider: &Provider) -> Option<String> {
    let is_everything = |condition: &Condition| {
        matches!(condition.operator.base, Base::StringLike)
            && !condition.operator.negated
            && (condition.operator.if_exists || name(condition, provider) == "sub")
            && condition.values.iter().any(|value| value == "*")
    };
    match deny.conditions.as_slice() {
        [] => None,
        conditions if conditions.iter().all(is_everything) => None,
        [one] if one.operator.negated => Some(format!("only where {}", affirmed(one, provider))),
        several => {
            let told: Vec<String> = several.iter().map(|condition| said(condition, provider)).collect();
            Some(format!("except where {}", told.join(" and ")))
        }
    }
}

/// A condition in words: `actor is octocat`.
fn said(condition: &Condition, provider: &Provider) -> String {
    let operator = &condition.operator;
    if operator.base == Base::Null {
        let is_absent = condition.values.iter().any(|value| value.eq_ignore_ascii_case("true"));
        return format!("{} is {}", name(condition, provider), if is_absent { "absent" } else { "present" });
    }
    told(condition, provider, operator.negated)
}

/// What a negated condition keeps out, in words.
fn affirmed(condition: &Condition, provider: &Provider) -> String {
    told(condition, provider, false)
}

fn told(condition: &Condition, provider: &Provider, is_negated: bool) -> String {
    let operator = &condition.operator;
    let order = |order: Order, words: [&'static str; 5]| match order {
        Order::Equal => words[0],
        Order::Less => words[1],
        Order::LessOrEqual => words[2],
        Order::Greater => words[3],
        Order::GreaterOrEqual => words[4],
    };
    let verb = match operator.base {
        Base::StringLike | Base::Arn => "like",
        Base::Numeric(kind) => order(kind, ["is", "below", "at most", "above", "at least"]),
        Base::Date(kind) => order(kind, ["at", "before", "until", "after", "from"]),
        Base::Ip => "in",
        _ => "is",
    };
    let negation = match (is_negated, verb) {
        (false, _) => String::new(),
        (true, "is") => " not".to_owned(),
        (true, _) => "not ".to_owned(),
    };
    let verb = if verb == "is" { format!("is{negation}") } else { format!("{negation}{verb}") };
    let each = if operator.set == Some(Set::All) { "every " } else { "" };
    let absent = if operator.if_exists { " if present" } else { "" };
    format!("{each}{} {verb} {}{absent}", name(condition, provider), condition.values.join(" or "))
}

/// The key, without the issuer where that goes without saying.
fn name<'a>(condition: &'a Condition, provider: &Provider) -> &'a str {
    match condition.key.rsplit_once(':') {
        Some((prefix, name)) if prefix.eq_ignore_ascii_case(provider.name()) => name,
        _ => &condition.key,
    }
}

/// Puts the findings to the ways in that they are about: a gap to those that have it, everything else to all.
fn mark(statement: &Statement, findings: &[Finding], grants: &mut [Grant]) {
    let own = statement.name();
    let in_statement: Vec<&Finding> = findings
        .iter()
        .filter(|finding| {
            finding.place.strip_prefix(&own).is_some_and(|rest| rest.is_empty() || rest.starts_with(", "))
        })
        .collect();
    let of_gaps: Vec<&str> = grants.iter().flat_map(|grant| &grant.gaps).map(|gap| id(*gap)).collect();
    let some_never = grants.iter().any(|grant| grant.never.is_some());
    for grant in grants {
        let is_about = |finding: &&&Finding| {
            if of_gaps.contains(&finding.id) {
                return grant.never.is_none() && grant.gaps.iter().any(|gap| id(*gap) == finding.id);
            }
            let is_dead = ["sub-never-matches", "stringequals-wildcard"].contains(&finding.id);
            !is_dead || !some_never || grant.never.is_some()
        };
        grant.findings = in_statement.iter().filter(is_about).map(|finding| Finding::clone(finding)).collect();
    }
}

#[cfg(test)]
mod tests;
