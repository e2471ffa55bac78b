//! A target's `trust.allow` list as something that decides.

use federate_core::{Audiences, ClaimPattern, Claims};
use federate_trust::{Check, Decision, Effect, StatementVerdict, Verdict};

/// What the list says about a token.
pub(super) fn evaluate(entries: &[ClaimPattern], audiences: &Audiences, claims: &Claims) -> Verdict {
    let mut statements: Vec<StatementVerdict> =
        entries.iter().map(|entry| statement(entry, audiences, claims)).collect();
    statements.sort_by_key(|statement| {
        let other_issuer = statement.failed().any(|check| check.key == "iss");
        (!statement.matches, other_issuer, statement.failed().count())
    });
    let is_allowed = statements.iter().any(|statement| statement.matches);
    let mut verdict = Verdict::new(if is_allowed { Decision::Allow } else { Decision::Deny }, statements);
    if !is_allowed {
        verdict.fix = Some(match verdict.statements.first() {
            Some(nearest) => {
                let changes: Vec<String> = nearest
                    .failed()
                    .map(|check| {
                        format!("`{}` is `{}`, not `{}`", check.key, check.actual_text(), check.expected.join("` or `"))
                    })
                    .collect();
                let remedy = if nearest.failed().all(|check| check.key == "aud") {
                    "ask the CI system for a token with that audience, or set the target's `audience`"
                } else {
                    "add an entry to trust.allow that describes this job"
                };
                format!("nearest is {}: {}; {remedy}", nearest.name, changes.join("; "))
            }
            None => "the target's trust.allow list is empty: add an entry that describes this job".to_owned(),
        });
    }
    verdict
}

fn statement(entry: &ClaimPattern, audiences: &Audiences, claims: &Claims) -> StatementVerdict {
    let mismatches = entry.mismatches(claims);
    let mut checks = Vec::new();
    let mut add = |key: &str, expected: Vec<String>| {
        let actual = claims.text(key);
        checks.push(Check {
            key: key.to_owned(),
            operator: "is".to_owned(),
            expected,
            actual: actual.map_or(serde_json::Value::Null, Into::into),
            holds: !mismatches.iter().any(|mismatch| mismatch.claim == key),
            note: None,
        });
    };
    add("iss", vec![entry.issuer.to_string()]);
    if !entry.subjects.is_empty() {
        add("sub", entry.subjects.iter().map(ToString::to_string).collect());
    }
    for (name, pattern) in &entry.claims {
        add(name, vec![pattern.to_string()]);
    }
    for name in &entry.absent {
        add(name, vec!["(absent)".to_owned()]);
    }
    let presented = claims.audiences();
    checks.push(Check {
        key: "aud".to_owned(),
        operator: "is".to_owned(),
        expected: vec![audiences.to_string()],
        actual: Check::actual_of((!presented.is_empty()).then_some(&presented)),
        holds: audiences.fits(&presented),
        note: None,
    });
    StatementVerdict {
        name: format!("entry `{}`", entry.label),
        effect: Effect::Allow,
        matches: checks.iter().all(|check| check.holds),
        checks,
    }
}
