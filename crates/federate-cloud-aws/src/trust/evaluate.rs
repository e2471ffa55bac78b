//! The decision: statements are ORed, their conditions ANDed, a Deny wins.

use federate_trust::{Check, Decision, Effect, Job, StatementVerdict, Verdict};

use super::explain;
use super::operator::Operand;
use super::policy::{Condition, Policy, Statement, provider_of};
use super::request::Request;

/// Decides about a job.
pub(super) fn evaluate(policy: &Policy, job: &Job) -> Verdict {
    let request = Request::new(job);
    let mut judged: Vec<StatementVerdict> =
        policy.statements.iter().map(|one| statement(policy, one, &request, &job.claims)).collect();
    // Each action is decided by itself, and all have to be allowed.
    let applies: Vec<bool> = judged.iter().map(|verdict| verdict.checks.iter().all(|check| check.holds)).collect();
    let is_covered = |effect: Effect, action: &String| {
        let mut statements = policy.statements.iter().zip(&applies);
        statements.any(|(statement, applies)| *applies && statement.effect == effect && statement.covers(action))
    };
    let is_allowed =
        request.actions.iter().all(|action| is_covered(Effect::Allow, action) && !is_covered(Effect::Deny, action));
    for (statement, verdict) in policy.statements.iter().zip(&mut judged) {
        let mut covered = request.actions.iter().map(|action| statement.covers(action));
        // What another statement allows need not be allowed by this one as well.
        let holds = covered.any(|covered| covered)
            && (statement.effect == Effect::Deny
                || request.actions.iter().all(|action| statement.covers(action) || is_covered(Effect::Allow, action)));
        verdict.checks.insert(1, action(statement, &request, holds));
        verdict.matches = verdict.checks.iter().all(|check| check.holds);
    }
    let decision = if is_allowed { Decision::Allow } else { Decision::Deny };
    let mut verdict = Verdict::new(decision, judged);
    if !is_allowed {
        verdict.cloud_code = Some("AccessDenied".to_owned());
        explain::add_fix(&mut verdict, &request, job);
    }
    explain::nearest_first(&mut verdict);
    verdict
}

/// Everything but the action.
fn statement(
    policy: &Policy,
    statement: &Statement,
    request: &Request,
    claims: &federate_core::Claims,
) -> StatementVerdict {
    let mut checks = vec![principal(statement, request)];
    for condition in &statement.conditions {
        checks.push(check(condition, policy.has_variables(), request, claims));
    }
    if statement.is_open {
        checks.push(Check {
            key: "Condition".to_owned(),
            operator: "known".to_owned(),
            expected: Vec::new(),
            actual: serde_json::Value::Null,
            holds: false,
            note: Some("a condition is known only once the template is deployed".to_owned()),
        });
    }
    StatementVerdict { name: statement.name(), effect: statement.effect, matches: false, checks }
}

fn principal(statement: &Statement, request: &Request) -> Check {
    let principal = &statement.principal;
    let named =
        principal.anyone || principal.federated.iter().any(|name| provider_of(name) == Some(request.provider.as_str()));
    let mut expected = principal.federated.clone();
    if principal.anyone {
        expected.push("*".to_owned());
    }
    let holds = named != principal.negated;
    let note = (!holds).then(|| {
        if expected.is_empty() {
            "the statement is not about an identity provider".to_owned()
        } else {
            format!("the token's issuer is the provider `{}`, to the letter", request.provider)
        }
    });
    Check {
        key: if principal.negated { "NotPrincipal" } else { "Principal" }.to_owned(),
        operator: "Federated".to_owned(),
        expected,
        actual: request.provider.clone().into(),
        holds,
        note,
    }
}

fn action(statement: &Statement, request: &Request, holds: bool) -> Check {
    let missing = request.actions.iter().filter(|action| !statement.covers(action)).cloned().collect::<Vec<_>>();
    Check {
        key: "Action".to_owned(),
        operator: if statement.actions_negated { "NotAction" } else { "Action" }.to_owned(),
        expected: statement.actions.clone(),
        actual: Check::actual_of(Some(&request.actions)),
        holds,
        note: (!holds && request.actions.len() > 1).then(|| format!("it is not about {}", missing.join(", "))),
    }
}

fn check(condition: &Condition, has_variables: bool, request: &Request, claims: &federate_core::Claims) -> Check {
    let has_variables = has_variables && condition.operator.takes_variables();
    let operands: Vec<Operand> = condition.values.iter().map(|value| request.operand(value, has_variables)).collect();
    let actual = request.values(&condition.key);
    let holds = condition.operator.holds(&operands, actual);
    Check {
        key: condition.key.clone(),
        operator: condition.operator.name.clone(),
        expected: condition.values.clone(),
        actual: Check::actual_of(actual),
        holds,
        note: explain::note(condition, &operands, actual, holds, request, claims),
    }
}
