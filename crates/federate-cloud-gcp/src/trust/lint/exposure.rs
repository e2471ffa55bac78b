//! Who else gets in: for each way in which the condition can be true, what it leaves open.

use federate_trust::{Glob, Severity};

use super::effect::{Effect, Hold, Reading, Weight};
use super::way::{Pattern, Test, Way};
use super::{CONDITION, Found, rule};
use crate::trust::claims;

/// More combinations of values than this are not looked at one by one.
const MOST: usize = 256;

/// Looks at every way in.
pub(super) fn lint(reading: &Reading<'_>, is_open: bool, ways: &[Way], found: &mut Found<'_>) {
    for way in ways.iter().filter(|way| !contradicts(reading, way)) {
        for effect in effects(reading, way) {
            judge(reading, is_open, effect, found);
        }
    }
}

/// Can any token of this issuer come this way?
pub(super) fn is_possible(reading: &Reading<'_>, way: &Way) -> bool {
    !contradicts(reading, way) && !effects(reading, way).is_empty()
}

/// Two tests of one claim that share no value. A list may have several.
fn contradicts(reading: &Reading<'_>, way: &Way) -> bool {
    way.iter().enumerate().any(|(index, left)| {
        let Test::Has(claim, left) = &left.test else { return false };
        claims::is_text(reading.family, claim)
            && way[index + 1..].iter().any(|right| {
                let Test::Has(other, right) = &right.test else { return false };
                claim == other && !left.iter().any(|left| right.iter().any(|right| meet(left, right)))
            })
    })
}

fn meet(left: &Pattern, right: &Pattern) -> bool {
    let any_case = left.any_case || right.any_case;
    let glob = |glob: &str| if any_case { Glob::parse(&glob.to_lowercase()) } else { Glob::parse(glob) };
    glob(&left.glob).intersects(&glob(&right.glob))
}

/// What the tests of one way pin together, once for each choice of values that differ in it.
fn effects(reading: &Reading<'_>, way: &Way) -> Vec<Effect> {
    let mut all = vec![Effect::default()];
    for test in way {
        let mut values: Vec<Effect> = Vec::new();
        let mut add = |effect: Effect| {
            if !values.contains(&effect) {
                values.push(effect);
            }
        };
        match &test.test {
            Test::Has(claim, patterns) => patterns.iter().for_each(|pattern| add(reading.effect(claim, pattern))),
            Test::Holds(claims) => {
                add(claims.iter().fold(Effect::default(), |effect, claim| effect.and(reading.whole(claim))));
            }
            Test::Presence => add(Effect::default()),
            Test::Excludes => add(Effect { weight: Weight::Excludes, ..Effect::default() }),
        }
        let mut next: Vec<Effect> = Vec::new();
        for effect in all.iter().flat_map(|left| values.iter().map(move |right| left.and(*right))) {
            if next.len() < MOST && !next.contains(&effect) {
                next.push(effect);
            }
        }
        all = next;
    }
    all.retain(|effect| !effect.is_impossible);
    all
}

fn judge(reading: &Reading<'_>, is_open: bool, effect: Effect, found: &mut Found<'_>) {
    // At an issuer of one's own, everybody is a colleague.
    let mild = |id: &str| rule(id).severity.min(Severity::Medium);
    let mut add = |id: &str, lets_strangers_in: bool| {
        let severity = if lets_strangers_in { rule(id).severity } else { mild(id) };
        found.add_as(id, CONDITION, severity);
    };
    match effect.tenant {
        Hold::Loose(id) => return add(id, is_open),
        Hold::Free if is_open => {
            return match effect.weight {
                Weight::Actor => add("gcp-actor-only", true),
                Weight::Named => add("gcp-any-tenant", true),
                Weight::Excludes => add("gcp-negation-only", true),
                Weight::Nothing => add("gcp-trivial-condition", true),
            };
        }
        Hold::Free => {
            let names_a_workload = effect.workload != Hold::Free || effect.context != Hold::Free;
            match effect.weight {
                Weight::Actor if !names_a_workload => return add("gcp-actor-only", true),
                Weight::Excludes => return add("gcp-negation-only", false),
                _ => {}
            }
        }
        Hold::Held => {}
    }
    match effect.workload {
        Hold::Held => {}
        Hold::Loose(id) => add(id, false),
        Hold::Free if effect.tenant == Hold::Held => add("gcp-org-wide", true),
        Hold::Free => {}
    }
    match effect.context {
        Hold::Held => {}
        Hold::Loose(id) => add(id, false),
        Hold::Free if effect.workload == Hold::Held && claims::has_refs(reading.family) => add("gcp-any-ref", true),
        Hold::Free => {}
    }
    let is_recyclable = reading.issuer.names_can_be_recycled() && effect.tenant == Hold::Held && !effect.by_id;
    // Where a regular expression is not anchored, names are the least of the worries.
    let is_unanchored = [effect.workload, effect.context].contains(&Hold::Loose("gcp-regex-unanchored"));
    if is_recyclable && !(is_unanchored && effect.workload != Hold::Held) {
        add("gcp-mutable-name", true);
    }
}
