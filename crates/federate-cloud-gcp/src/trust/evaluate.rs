//! Does the token enter the pool, and may it act?
//!
//! Google looks at the issuer, the audience, the mapping and the condition in turn; what the token became in the pool
//! is then held against the bindings. The stage at which it ends is part of the answer.

use std::time::SystemTime;

use federate_trust::{Check, Decision, Effect, Glob, Job, StatementVerdict, Verdict};
use serde_json::Value as Json;

use super::binding::Selector;
use super::explain;
use super::principal::Principal;
use super::provider::{Provider, part};
use super::surroundings::UNKNOWN;

/// What is said where the language was left out of the binary.
#[cfg(not(feature = "cel"))]
pub(super) const LEFT_OUT: &str =
    "this binary was built without the feature `cel`, so mappings and conditions cannot be evaluated";

/// The stages, as [`Verdict::stage`] names them, in their order.
pub(super) mod stage {
    pub(in crate::trust) const STATE: &str = "state";
    pub(in crate::trust) const ISSUER: &str = "issuer";
    pub(in crate::trust) const AUDIENCE: &str = "audience";
    pub(in crate::trust) const MAPPING: &str = "mapping";
    pub(in crate::trust) const CONDITION: &str = "condition";
    pub(in crate::trust) const BINDING: &str = "binding";
}

/// Does this stage hang on what a plan does not know yet?
pub(super) fn is_unknown(provider: &Provider, stage: &str) -> bool {
    match stage {
        stage::ISSUER => provider.is_unknown(part::ISSUER),
        stage::AUDIENCE => provider.is_unknown(part::AUDIENCES),
        stage::MAPPING => provider.is_unknown(part::MAPPING),
        stage::CONDITION => provider.is_condition_unknown(),
        stage::BINDING => provider.members().any(|binding| binding.chooses == Selector::Unknown),
        _ => false,
    }
}

/// A check of what a plan does not know yet. It does not hold: nobody can say that it would.
fn not_known(key: &str, actual: Json) -> Check {
    Check {
        key: key.to_owned(),
        operator: "is".to_owned(),
        expected: vec![format!("({UNKNOWN})")],
        actual,
        holds: false,
        note: Some("the plan does not know it yet, so nobody can say whether it would hold".to_owned()),
    }
}

/// Decides about a job.
pub(super) fn evaluate(provider: &Provider, job: &Job) -> Verdict {
    let principal = Principal::of(provider, &job.claims);
    let mut stages = vec![
        (stage::STATE, state(provider)),
        (stage::ISSUER, issuer(provider, job)),
        (stage::AUDIENCE, audience(provider, job)),
        (stage::MAPPING, mapping(provider, &principal)),
    ];
    stages.extend(conditions(provider, &principal, job).into_iter().map(|check| (stage::CONDITION, Some(check))));
    stages.push((stage::BINDING, binding(provider, &principal, job.now)));
    let checks: Vec<(&str, Check)> =
        stages.into_iter().filter_map(|(stage, check)| check.map(|check| (stage, check))).collect();
    let mut fails: Vec<&str> = checks.iter().filter(|(_, check)| !check.holds).map(|(stage, _)| *stage).collect();
    fails.dedup();
    let ends_at = fails.first().copied();
    let statement = StatementVerdict {
        name: provider.label(),
        effect: Effect::Allow,
        matches: ends_at.is_none(),
        checks: checks.into_iter().map(|(_, check)| check).collect(),
    };
    let decision = if ends_at.is_none() { Decision::Allow } else { Decision::Deny };
    let mut verdict = Verdict::new(decision, vec![statement]);
    verdict.stage = Some(ends_at.unwrap_or("ok").to_owned());
    if let Some(ends_at) = ends_at {
        verdict.cloud_code = code(ends_at).filter(|_| !is_unknown(provider, ends_at)).map(str::to_owned);
        explain::add_fix(&mut verdict, &fails, provider, &principal, job);
    }
    verdict
}

/// The `error` of `sts.googleapis.com`, or the status of the IAM Credentials API.
fn code(ends_at: &str) -> Option<&'static str> {
    match ends_at {
        stage::STATE => Some("invalid_target"),
        stage::ISSUER | stage::AUDIENCE => Some("invalid_grant"),
        stage::CONDITION => Some("unauthorized_client"),
        stage::BINDING => Some("PERMISSION_DENIED"),
        _ => None,
    }
}

fn state(provider: &Provider) -> Option<Check> {
    let closed = provider.closed.as_deref()?;
    Some(Check::equals("state", "is", &["ACTIVE".to_owned()], Some(closed)))
}

fn issuer(provider: &Provider, job: &Job) -> Option<Check> {
    let actual = job.claims.issuer();
    if provider.is_unknown(part::ISSUER) {
        return Some(not_known("issuerUri", actual.map_or(Json::Null, Json::from)));
    }
    let check = Check::equals("issuerUri", "equals", std::slice::from_ref(&provider.issuer), actual);
    let near = actual.is_some_and(|actual| {
        !check.holds && actual.trim_end_matches('/').eq_ignore_ascii_case(provider.issuer.trim().trim_end_matches('/'))
    });
    Some(check.with_note(near.then(|| "only a slash, a space or the case differs, and it counts".to_owned())))
}

fn audience(provider: &Provider, job: &Job) -> Option<Check> {
    let actual = job.claims.audiences();
    let is_listed = actual.iter().any(|audience| provider.audiences.contains(audience));
    if provider.is_unknown(part::AUDIENCES) && !is_listed {
        return Some(not_known("audience", Check::actual_of((!actual.is_empty()).then_some(&actual))));
    }
    let own = provider.own_audience();
    let is_own = provider.audiences.is_empty();
    let expected = if is_own { vec![format!("https:{own}"), own.clone()] } else { provider.audiences.clone() };
    let fits = |audience: &String| {
        if is_own {
            let bare = audience.strip_prefix("https:").unwrap_or(audience);
            // An unknown part of the name fits whatever stands there.
            if own.contains('*') { Glob::parse(&own).matches(bare) } else { bare == own }
        } else {
            expected.contains(audience)
        }
    };
    let holds = actual.iter().any(fits);
    let note = match (holds, is_own) {
        (false, true) => Some("no audience is listed, so the provider's own name is the only one".to_owned()),
        (true, true) if own.contains('*') => Some("the provider's full name is not known from this file".to_owned()),
        _ => None,
    };
    Some(Check {
        key: "audience".to_owned(),
        operator: "equals".to_owned(),
        actual: Check::actual_of((!actual.is_empty()).then_some(&actual)),
        expected,
        holds,
        note,
    })
}

fn mapping(provider: &Provider, principal: &Principal) -> Option<Check> {
    if !provider.mapping.contains_key("google.subject") && provider.is_unknown(part::MAPPING) {
        return Some(not_known("google.subject", Json::Null));
    }
    let mapped = provider.mapping.get("google.subject").map(|expression| expression.text.clone());
    Some(Check {
        key: "google.subject".to_owned(),
        operator: "maps".to_owned(),
        expected: mapped.into_iter().collect(),
        actual: principal.subject().map_or(Json::Null, Json::from),
        holds: principal.fault.is_none(),
        note: principal.fault.clone(),
    })
}

fn conditions(provider: &Provider, principal: &Principal, job: &Job) -> Vec<Check> {
    if provider.is_condition_unknown() {
        return vec![not_known(part::CONDITION, Json::Null)];
    }
    evaluated(provider, principal, job)
}

#[cfg(feature = "cel")]
fn evaluated(provider: &Provider, principal: &Principal, job: &Job) -> Vec<Check> {
    use super::cel::operator;
    let (Some(condition), Some(scope)) = (&provider.condition, &principal.scope) else { return Vec::new() };
    if let Some(unread) = provider.unread_condition() {
        return vec![Check {
            key: part::CONDITION.to_owned(),
            operator: "is".to_owned(),
            expected: vec![condition.text.clone()],
            actual: Json::Null,
            holds: false,
            note: Some(unread),
        }];
    }
    // All of a chain of && have to be true, whatever errors the others have.
    let parts = condition.tree.chain(operator::AND);
    parts.into_iter().map(|part| explain::check(part, scope, principal, job)).collect()
}

#[cfg(not(feature = "cel"))]
fn evaluated(provider: &Provider, _principal: &Principal, _job: &Job) -> Vec<Check> {
    let unread = |condition: &super::expression::Expression| Check {
        key: part::CONDITION.to_owned(),
        operator: "is".to_owned(),
        expected: vec![condition.text.clone()],
        actual: Json::Null,
        holds: false,
        note: Some(LEFT_OUT.to_owned()),
    };
    provider.condition.iter().map(unread).collect()
}

/// Does the IAM condition of a binding hold? `None` where nobody can say.
#[cfg(feature = "cel")]
use super::moment::holds;

#[cfg(not(feature = "cel"))]
fn holds(_condition: &str, _now: SystemTime) -> Option<bool> {
    None
}

/// Whoever a member names may act. Where a binding's IAM condition asks for more than the moment, the member counts as if
/// it held, and that is said.
fn binding(provider: &Provider, principal: &Principal, now: SystemTime) -> Option<Check> {
    let bindings = provider.bindings.as_ref()?;
    let ours: Vec<_> = provider.members().collect();
    let named = ours.iter().filter(|binding| principal.is_chosen(&binding.chooses));
    let judged = named.map(|binding| binding.condition.as_deref().map(|condition| (condition, holds(condition, now))));
    let (past, chosen): (Vec<_>, Vec<_>) = judged.partition(|condition| matches!(condition, Some((_, Some(false)))));
    let past = past.into_iter().flatten().next();
    let past =
        past.map(|(condition, _)| format!("the binding's IAM condition does not hold at this time: {condition}"));
    let broken = ours.iter().find_map(|binding| match binding.chooses {
        Selector::Nobody(why) => Some(why.to_owned()),
        _ => None,
    });
    let unmapped = ours.iter().find_map(|binding| match &binding.chooses {
        Selector::Attribute(name, _) if !provider.maps(name) => Some(format!("{name} is not mapped")),
        _ => None,
    });
    let elsewhere = ours.is_empty().then(|| "no member is of this provider's pool".to_owned());
    let unknown = is_unknown(provider, stage::BINDING).then(|| format!("a member is {UNKNOWN}"));
    let unjudged = chosen.iter().flatten().filter(|(_, holds)| holds.is_none());
    let conditions: Vec<&str> = unjudged.map(|(condition, _)| *condition).collect();
    let is_conditional = !chosen.is_empty() && conditions.len() == chosen.len();
    let conditional = is_conditional.then(|| {
        format!("only where the binding's IAM condition holds, which was not evaluated: {}", conditions.join(" or "))
    });
    Some(Check {
        key: "bindings".to_owned(),
        operator: "name".to_owned(),
        expected: bindings.iter().map(|binding| binding.member.clone()).collect(),
        actual: Check::actual_of(Some(&principal.names())),
        holds: !chosen.is_empty(),
        note: if chosen.is_empty() { past.or(unknown).or(broken).or(unmapped).or(elsewhere) } else { conditional },
    })
}
