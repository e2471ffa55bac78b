//! What cannot work: conditions that no token meets, and statements that AWS would not take any more.

use federate_trust::{Glob, Provider, analyse};

use super::Found;
use super::keys::{Test, Tests, issuer_of};
use crate::trust::operator::Base;
use crate::trust::policy::Statement;
use crate::trust::template;
use crate::visible;

/// Several providers, and keys of more than one: no token has them all.
pub(super) fn mixes_issuers(statement: &Statement, providers: &[Provider]) -> bool {
    let has_keys = |provider: &&Provider| Tests::new(statement, provider).all.iter().any(Test::is_strict);
    providers.len() > 1 && providers.iter().filter(has_keys).count() > 1
}

/// AWS refuses to create or change a role for a shared issuer whose tenancy claim is not tested.
pub(super) fn creation(statement: &Statement, provider: &Provider, tests: &Tests<'_>, found: &mut Found) {
    let claims = provider.tenancy_claims();
    if claims.is_empty() {
        return;
    }
    let is_tested = claims.iter().any(|claim| {
        tests.of(claim).any(|test| {
            let first = test.condition.values.first().map(String::as_str).unwrap_or_default();
            test.condition.operator.base != Base::Null && first != "*"
        })
    });
    if !is_tested {
        found.add("idp-control", statement.spot());
    }
}

/// Reports what can never hold. Returns whether the statement can match at all.
pub(super) fn lint(statement: &Statement, provider: &Provider, tests: &Tests<'_>, found: &mut Found) -> bool {
    let mut can_match = true;
    for condition in &statement.conditions {
        let operator = &condition.operator;
        let Some(issuer) = issuer_of(&condition.key) else { continue };
        let name = condition.key.rsplit_once(':').map_or("", |(_, name)| name);
        let is_own = issuer.eq_ignore_ascii_case(provider.name());
        let is_known = visible::names(provider.name()).any(|known| known.eq_ignore_ascii_case(name));
        if is_own && is_known {
            continue;
        }
        found.add(if is_own { "unsupported-key" } else { "key-issuer-mismatch" }, statement.spot_of(condition));
        can_match &= operator.holds(&[], None) || asks_for_absence(condition);
    }
    for test in tests.all.iter().filter(|test| test.is_positive()) {
        let values = &test.condition.values;
        let has_wildcard = |value: &String| value.contains(['*', '?']);
        let is_literal = matches!(test.condition.operator.base, Base::StringEquals | Base::StringEqualsIgnoreCase);
        let spot = || statement.spot_of(test.condition);
        let wild = values.iter().filter(|value| is_literal && has_wildcard(value)).count();
        if wild > 0 {
            found.add("stringequals-wildcard", spot());
        }
        let mut dead = wild;
        if test.name == "sub" {
            if values.is_empty() {
                found.add("sub-never-matches", spot());
            }
            for value in values.iter().filter(|value| !is_literal || !has_wildcard(value)) {
                // What only the deployment knows may be anything.
                let may_be = if template::is_open(value) { template::as_pattern(value) } else { value.clone() };
                if analyse(provider, &may_be).impossible.is_some() {
                    found.add("sub-never-matches", spot());
                    dead += 1;
                }
            }
        }
        // Every token has these two; another claim may be missing, and pass by that.
        let is_always_there = matches!(test.name.as_str(), "sub" | "aud");
        can_match &= dead < values.len() || !(test.is_strict() || is_always_there);
    }
    if can_match && contradicts(tests) {
        found.add("contradictory-conditions", statement.spot_of_element("Condition"));
        can_match = false;
    }
    can_match
}

fn asks_for_absence(condition: &crate::trust::policy::Condition) -> bool {
    condition.operator.base == Base::Null && condition.values.iter().any(|value| value.eq_ignore_ascii_case("true"))
}

/// Two tests of one claim that share no value, or one that excludes every value of the other.
fn contradicts(tests: &Tests<'_>) -> bool {
    let is_known = |test: &&Test<'_>| !test.condition.values.iter().any(|value| template::is_open(value));
    let excluded =
        tests.all.iter().filter(is_known).filter(|test| test.is_strict() && test.name != "amr").any(|test| {
            let excluding: Vec<Glob> =
                tests.of(&test.name).filter(|other| other.is_negated()).flat_map(Test::globs).collect();
            let values = &test.condition.values;
            let is_excluded = |value: &String| excluding.iter().any(|glob| glob.matches(value));
            !test.is_pattern() && test.is_exact() && !values.is_empty() && values.iter().all(is_excluded)
        });
    if excluded {
        return true;
    }
    let positive: Vec<_> = tests.all.iter().filter(is_known).filter(|test| test.is_strict()).collect();
    positive.iter().enumerate().any(|(index, left)| {
        positive[index + 1..].iter().any(|right| {
            let apart =
                |left: &[Glob], right: &[Glob]| !left.iter().any(|one| right.iter().any(|two| one.intersects(two)));
            left.name == right.name && left.name != "amr" && apart(&left.globs(), &right.globs())
        })
    })
}
