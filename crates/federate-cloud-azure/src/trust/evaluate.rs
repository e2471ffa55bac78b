//! Does any credential let the token in, and with which code would Entra refuse?

use std::cmp::Reverse;

use federate_trust::{Check, Decision, Effect, Job, Provider, StatementVerdict, Verdict, immutable_form, risk};
use serde_json::{Value as Json, json};

use super::credential::{Credential, Test};
use super::lint;
use crate::clouds::CloudName;

/// Decides about a job.
pub(super) fn evaluate(credentials: &[Credential], job: &Job) -> Verdict {
    let mut statements: Vec<StatementVerdict> =
        credentials.iter().map(|credential| statement(credential, job)).collect();
    let is_allowed = statements.iter().any(|statement| statement.matches);
    let code = code(&statements);
    statements.sort_by_key(|statement| (!statement.matches, distance(statement), Reverse(statement.likeness())));
    let decision = if is_allowed { Decision::Allow } else { Decision::Deny };
    let mut verdict = Verdict::new(decision, statements);
    if !is_allowed {
        verdict.cloud_code = Some(code.to_owned());
        add_fix(&mut verdict, job);
    }
    verdict
}

fn statement(credential: &Credential, job: &Job) -> StatementVerdict {
    let mut checks =
        vec![Check::equals("issuer", "equals", std::slice::from_ref(&credential.issuer), job.claims.issuer())];
    if let (Some(issuer), false) = (job.claims.issuer(), checks[0].holds) {
        let near = issuer.trim_end_matches('/') == credential.issuer.trim().trim_end_matches('/');
        checks[0].note = near.then(|| "only a slash or a space differs, and it counts".to_owned());
    }
    let audiences = job.claims.audiences();
    let holds = audiences.iter().any(|audience| credential.audiences.contains(audience));
    checks.push(Check {
        key: "audience".to_owned(),
        operator: "equals".to_owned(),
        expected: credential.audiences.clone(),
        actual: Check::actual_of((!audiences.is_empty()).then_some(&audiences)),
        holds,
        note: None,
    });
    match &credential.test {
        Test::Subject(subject) => {
            let actual = job.claims.subject();
            let check = Check::equals("subject", "equals", std::slice::from_ref(subject), actual);
            let note = if check.holds { None } else { actual.and_then(|actual| note(subject, actual)) };
            checks.push(check.with_note(note));
        }
        Test::Expression { text, terms: Err(why) } => checks.push(rejected(text, why)),
        Test::Expression { text, terms: Ok(terms) } => {
            if let Some(why) = lint::unsupported(&credential.issuer, terms) {
                checks.push(rejected(text, &why));
            }
            checks.extend(terms.iter().map(|term| {
                let actual = job.claims.text(&term.claim);
                let holds = actual.as_deref().is_some_and(|actual| term.holds(actual));
                Check {
                    key: format!("claims['{}']", term.claim),
                    operator: term.operator.name().to_owned(),
                    expected: vec![term.value.clone()],
                    actual: actual.as_deref().map_or(Json::Null, Json::from),
                    holds,
                    note: if holds {
                        lint::disputed_claim(&term.claim)
                    } else {
                        actual.as_deref().and_then(|actual| note(&term.value, actual))
                    },
                }
            }));
        }
    }
    StatementVerdict {
        name: credential.label(),
        effect: Effect::Allow,
        matches: checks.iter().all(|check| check.holds),
        checks,
    }
}

/// An expression that Entra does not take lets nobody in.
fn rejected(text: &str, why: &str) -> Check {
    Check {
        key: "claimsMatchingExpression".to_owned(),
        operator: "valid".to_owned(),
        expected: vec![text.to_owned()],
        actual: Json::Null,
        holds: false,
        note: Some(format!("Entra rejects this expression: {why}")),
    }
}

fn note(expected: &str, actual: &str) -> Option<String> {
    if expected.to_lowercase() == actual.to_lowercase() {
        return Some("only upper and lower case differ, and they count".to_owned());
    }
    if expected.trim() == actual.trim() {
        return Some("only a space before or behind it differs, and it counts".to_owned());
    }
    if immutable_form(actual).is_some_and(|classic| classic == expected) {
        return Some(
            "the token's subject is in the immutable form (OWNER@ID/REPO@ID): add a credential for it".to_owned(),
        );
    }
    if expected.contains('*') && federate_trust::Glob::parse(expected).matches(actual) {
        return Some("a `*` in a classic subject is a literal one; a flexible credential has wildcards".to_owned());
    }
    if actual.contains(":environment:") && expected.contains(":ref:") {
        return Some("the job names an environment, which takes the place of the ref in the subject".to_owned());
    }
    (actual.ends_with(":pull_request") && expected.contains(":ref:"))
        .then(|| "a pull request's subject says pull_request instead of a ref".to_owned())
}

/// Entra compares the issuer first, then the subject, then the audience.
fn code(statements: &[StatementVerdict]) -> &'static str {
    let of_issuer: Vec<&StatementVerdict> = statements.iter().filter(|one| one.checks[0].holds).collect();
    if of_issuer.is_empty() {
        return "AADSTS700211";
    }
    if of_issuer.iter().any(|one| one.failed().all(|check| check.key == "audience")) {
        return "AADSTS700212";
    }
    if of_issuer.iter().any(only_case) { "AADSTS7002138" } else { "AADSTS700213" }
}

/// Does the subject differ in nothing but upper and lower case?
fn only_case(one: &&StatementVerdict) -> bool {
    differs_in(one, str::to_lowercase)
}

/// Or in a space before or behind it?
fn nearly(one: &&StatementVerdict) -> bool {
    differs_in(one, |text| text.trim().to_lowercase())
}

fn differs_in(one: &StatementVerdict, folded: impl Fn(&str) -> String) -> bool {
    let mut failed = one.failed().filter(|check| check.key == "subject").peekable();
    failed.peek().is_some()
        && failed.all(|check| {
            let actual = folded(&check.actual_text());
            check.expected.iter().any(|expected| folded(expected) == actual)
        })
}

fn distance(statement: &StatementVerdict) -> usize {
    statement.failed().map(|check| if check.key == "issuer" { 100 } else { 1 }).sum()
}

fn add_fix(verdict: &mut Verdict, job: &Job) {
    let (issuer, subject) = (job.claims.issuer().unwrap_or_default(), job.claims.subject().unwrap_or_default());
    if issuer.is_empty() {
        verdict.fix = Some(
            "the claims have no `iss`, and no credential is for that: give the whole payload of the token".to_owned(),
        );
        return;
    }
    let nearest = verdict.statements.first();
    let fails_alone = |key: &str| nearest.filter(|one| one.failed().all(|check| check.key == key));
    if let Some(nearest) = fails_alone("audience") {
        verdict.fix = Some(format!(
            "let the job ask for a token with the audience `{}` of {}",
            nearest.checks[1].expected.join("`, `"),
            nearest.name
        ));
        return;
    }
    if let Some(nearest) = fails_alone("issuer").filter(|nearest| nearest.checks[0].note.is_some()) {
        verdict.fix = Some(format!("write the issuer of {} as `{issuer}`", nearest.name));
        return;
    }
    verdict.fix = Some(match fails_alone("subject").filter(nearly) {
        Some(nearest) => format!("write the subject of {} as `{subject}`", nearest.name),
        None => {
            let of_issuer = nearest.filter(|nearest| nearest.checks[0].holds);
            let audiences = of_issuer.map_or_else(
                || vec![CloudName::default().facts().audience.to_owned()],
                |one| one.checks[1].expected.clone(),
            );
            let credential =
                json!({ "name": "federate", "issuer": issuer, "subject": subject, "audiences": audiences });
            let fix = format!("add a federated identity credential: {credential}");
            let has_audience = job.claims.audiences().iter().any(|audience| audiences.contains(audience));
            if has_audience { fix } else { format!("{fix}, and let the job ask for a token with its audience") }
        }
    });
    let of_issuer = verdict.statements.iter().filter(|one| one.checks[0].holds);
    let subjects: Vec<String> = of_issuer
        .flat_map(|one| one.checks.iter().filter(|check| ["subject", "claims['sub']"].contains(&check.key.as_str())))
        .flat_map(|check| check.expected.clone())
        .collect();
    verdict.warning = if nearest.is_none_or(|nearest| distance(nearest) >= 100) {
        Some("no credential is for this issuer at all; make sure that it is yours".to_owned())
    } else {
        nearest.and_then(recycled).or_else(|| risk(&Provider::new(issuer), subject, &subjects))
    };
}

/// The subject fits, and an id does not: a repository or owner of the same name, and another one.
fn recycled(nearest: &StatementVerdict) -> Option<String> {
    let fits = nearest.checks.iter().any(|check| check.key == "claims['sub']" && check.holds);
    let other =
        nearest.failed().find(|check| check.operator == "eq" && check.key.ends_with("_id']")).filter(|_| fits)?;
    Some(format!(
        "{} is {}, the credential is for {}: somebody else may have the name now, and that would let them in",
        other.key,
        other.actual_text(),
        other.expected.join(", ")
    ))
}
