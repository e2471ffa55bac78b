//! A cloud's refusal, ended with the condition that failed.

use std::sync::Arc;
use std::time::SystemTime;

use federate_core::{Claims, Error, Recovery, Session, TargetSource};
use federate_profile::Profile;
use federate_trust::{Check, Effect, Job, Verdict};

use super::own;

/// Adds to every refusal that trust explains what the profile knows of that trust.
pub(crate) async fn explained(
    profile: &Profile,
    session: &Session,
    sources: &[Arc<dyn TargetSource>],
    errors: Vec<Error>,
) -> Vec<Error> {
    let mut all = Vec::new();
    for error in errors {
        let source = (error.recovery() == Recovery::Trust).then(|| of_error(sources, &error)).flatten();
        all.push(match source {
            Some(source) => match advice(profile, session, source).await {
                Some(advice) => error.with_help(advice),
                None => error,
            },
            None => error,
        });
    }
    all
}

fn of_error<'a>(sources: &'a [Arc<dyn TargetSource>], error: &Error) -> Option<&'a dyn TargetSource> {
    let of_setting = sources.iter().find(|source| {
        error.setting().is_some_and(|setting| setting.starts_with(&format!("targets.{}.", source.name())))
    });
    of_setting.or_else(|| sources.first().filter(|_| sources.len() == 1)).map(AsRef::as_ref)
}

async fn advice(profile: &Profile, session: &Session, source: &dyn TargetSource) -> Option<String> {
    let trusted = match own::of_target(profile, session.context(), source.name()) {
        Ok(trusted) if trusted.is_known() => trusted,
        Ok(_) => return None,
        Err(errors) => {
            let what: Vec<&str> = errors.iter().map(Error::what).collect();
            return Some(format!("why cannot be said: {}", what.join("; ")));
        }
    };
    let identity = source.identity();
    let customary = identity.provider.customary_audience(session.context());
    let audiences = source.unbound().audiences(customary.as_deref());
    // The session remembers the token that was refused, so this asks nobody.
    let token = session.token(identity, &audiences).await.ok()?;
    let job = Job::new(Claims::clone(token.claims()), SystemTime::now());
    Some(sentence(trusted.source(), &trusted.evaluate(&audiences, &job)))
}

/// What a verdict says about a refusal, the condition that failed last.
pub(crate) fn sentence(trust: &str, verdict: &Verdict) -> String {
    if verdict.is_allowed() {
        return format!(
            "{trust} lets this token in, so what is deployed differs from it: compare the two (is it applied, to this account, for this issuer?)"
        );
    }
    let Some(nearest) = verdict.statements.first() else { return format!("{trust} lets nobody in") };
    if nearest.effect == Effect::Deny && nearest.matches {
        return format!("{trust} keeps this token out by {}", nearest.name);
    }
    let mut lines = vec![format!("{trust} does not let this token in; nearest is {}, where these fail:", nearest.name)];
    lines.extend(nearest.failed().map(condition));
    lines.join("\n")
}

fn condition(check: &Check) -> String {
    let mut text = format!(
        "{} {} {}, and the token has {}",
        check.key,
        check.operator,
        check.expected.join(" or "),
        check.actual_text()
    );
    if let Some(note) = &check.note {
        text.push_str(&format!(" ({note})"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use federate_trust::{Decision, StatementVerdict};

    fn check(key: &str, expected: &str, actual: &str) -> Check {
        Check::equals(key, "StringEquals", &[expected.to_owned()], Some(actual))
    }

    #[test]
    fn the_failed_condition_comes_last() {
        let statement = StatementVerdict {
            name: "statement 1".to_owned(),
            effect: Effect::Allow,
            matches: false,
            checks: vec![check("x:sub", "a", "b"), check("x:aud", "y", "y")],
        };
        let told = sentence("trust.json", &Verdict::new(Decision::Deny, vec![statement]));
        assert!(told.ends_with("x:sub StringEquals a, and the token has b"), "{told}");
        assert!(!told.contains("x:aud"), "{told}");
    }

    #[test]
    fn a_trust_that_lets_in_is_not_what_is_deployed() {
        let told = sentence("trust.json", &Verdict::new(Decision::Allow, Vec::new()));
        assert!(told.contains("differs"), "{told}");
        assert!(sentence("trust.allow", &Verdict::new(Decision::Deny, Vec::new())).contains("nobody"));
    }
}
