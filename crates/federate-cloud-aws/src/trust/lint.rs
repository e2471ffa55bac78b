//! Who else gets in, and what cannot work: the catalogue applied to a policy.

mod broken;
mod catalogue;
mod doubts;
mod exposure;
mod grants;
mod keys;

use federate_trust::{Effect, Finding, Glob, Provider, Severity};

use super::operator::Base;
use super::policy::{EXCHANGE, Policy, Spot, Statement, TAG_SESSION, provider_of};
use super::template;
pub(super) use catalogue::RULES;
use catalogue::rule;
use keys::Tests;

pub(super) use doubts::doubts;
pub(super) use grants::grants;

/// Findings of one statement, each id once.
#[derive(Debug, Default)]
pub(super) struct Found(Vec<Finding>);

impl Found {
    fn add(&mut self, id: &str, spot: Spot) {
        if !self.0.iter().any(|known| known.id == id) {
            self.0.push(Finding::new(rule(id), spot.text).at(spot.path));
        }
    }
}

/// Looks at every statement that lets an identity provider's tokens in.
pub(super) fn lint(policy: &Policy) -> Vec<Finding> {
    let literal = policy.has_variables().then(|| policy.with_literals());
    let policy = literal.as_ref().unwrap_or(policy);
    let mut all = Vec::new();
    let exchanges = |statement: &Statement| statement.effect == Effect::Allow && statement.covers(EXCHANGE);
    let somebody_exchanges = policy.statements.iter().any(exchanges);
    let mut is_about_tokens = false;
    for statement in policy.statements.iter().filter(|statement| statement.effect == Effect::Allow) {
        let providers = providers(statement);
        if providers.is_empty() {
            continue;
        }
        is_about_tokens = true;
        if statement.is_open {
            continue;
        }
        let mut found = Found::default();
        if !exchanges(statement) {
            // A statement that only adds session tags stands beside one that exchanges.
            if somebody_exchanges && statement.covers(TAG_SESSION) {
                tags(statement, &mut found);
            } else {
                found.add("wrong-action", statement.spot());
                for provider in &providers {
                    broken::lint(statement, provider, &Tests::new(statement, provider), &mut found);
                }
            }
            all.extend(found.0);
            continue;
        }
        look(statement, &providers, &mut found);
        all.extend(found.0);
    }
    if is_about_tokens && policy.version.as_deref() != Some("2012-10-17") {
        let path = [&policy.path[..], &["Version".to_owned()]].concat();
        all.push(Finding::new(rule("old-version"), "Version").at(path));
    }
    all.sort_by(|left, right| right.severity.cmp(&left.severity).then(left.id.cmp(right.id)));
    all
}

/// The identity providers that a statement trusts. Where a template leaves the principal open, the condition keys tell.
fn providers(statement: &Statement) -> Vec<Provider> {
    if statement.principal.negated {
        return Vec::new();
    }
    let mut providers: Vec<Provider> =
        statement.principal.federated.iter().filter_map(|name| provider_of(name)).map(Provider::new).collect();
    let is_open = statement.principal.federated.iter().any(|name| template::is_open(name));
    if providers.is_empty() && is_open {
        let prefixes = statement.conditions.iter().filter_map(|condition| keys::issuer_of(&condition.key));
        providers.extend(prefixes.take(1).map(Provider::new));
    }
    providers
}

fn look(statement: &Statement, providers: &[Provider], found: &mut Found) {
    for provider in providers {
        broken::creation(statement, provider, &Tests::new(statement, provider), found);
    }
    if broken::mixes_issuers(statement, providers) {
        found.add("mixed-issuers", statement.spot());
        return;
    }
    for provider in providers {
        let tests = Tests::new(statement, provider);
        if broken::lint(statement, provider, &tests, found) {
            hygiene(statement, &tests, found);
            exposure::lint(statement, provider, &tests, found);
        }
    }
}

fn hygiene(statement: &Statement, tests: &Tests<'_>, found: &mut Found) {
    if statement.actions.iter().any(is_broad) && !statement.actions_negated {
        found.add("broad-action", statement.spot_of_element("Action"));
    }
    if !tests.has_positive("aud") && !tests.has_positive("oaud") {
        found.add("missing-aud", statement.spot());
    }
    for test in &tests.all {
        let spot = || statement.spot_of(test.condition);
        let is_single = test.name != "amr";
        let operator = &test.condition.operator;
        match operator.set {
            Some(super::operator::Set::All) if is_single => found.add("forallvalues-null", spot()),
            Some(super::operator::Set::Any) if is_single => found.add("foranyvalue-single", spot()),
            _ => {}
        }
        if operator.if_exists {
            found.add("ifexists", spot());
        }
        match operator.base {
            Base::StringLike
                if !operator.negated && !test.condition.values.iter().any(|value| value.contains(['*', '?'])) =>
            {
                found.add("stringlike-no-wildcard", spot());
            }
            Base::StringEqualsIgnoreCase => found.add("ignore-case", spot()),
            _ => {}
        }
    }
    tags(statement, found);
}

/// Session tags that nobody limits.
fn tags(statement: &Statement, found: &mut Found) {
    let names_tags = |action: &String| {
        !is_broad(action) && Glob::parse(&action.to_ascii_lowercase()).matches(&TAG_SESSION.to_ascii_lowercase())
    };
    let limits_tags = statement.conditions.iter().any(|condition| {
        let key = condition.key.to_ascii_lowercase();
        key.starts_with("aws:requesttag/") || key == "aws:tagkeys"
    });
    if statement.actions.iter().any(names_tags) && !limits_tags && !statement.actions_negated {
        found.add("tagsession-open", statement.spot_of_element("Action"));
    }
}

/// Does it take in every action of STS?
#[allow(clippy::ptr_arg, reason = "the actions are strings")]
fn is_broad(action: &String) -> bool {
    Glob::parse(&action.to_ascii_lowercase()).matches("sts:\u{1}")
}

/// A gap at an issuer of one's own is open to colleagues only.
fn milder(found: &mut Found, id: &str) {
    for finding in found.0.iter_mut().filter(|finding| finding.id == id) {
        finding.severity = Severity::Medium;
    }
}
