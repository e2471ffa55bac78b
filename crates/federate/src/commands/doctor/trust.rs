//! What the profile knows of a target's trust: does it let the job in, and whom else?

use federate_core::{Audiences, Claims, Error};
use federate_trust::{Job, Severity};
use serde_json::{Value as Json, json};

use super::check::Check;
use super::examination::{Examination, Subject};
use super::target::Outcome;
use super::token::Vouched;
use crate::commands::trust::{lint_target, sentence, trust_of_target};

/// Holds the trust against the job.
pub(super) fn decide(
    examination: &Examination<'_>,
    subject: &Subject,
    vouched: &[Vouched],
    outcome: &Outcome,
) -> Vec<Check> {
    const ID: &str = super::TRUST;
    let context = examination.session.context();
    let trusted = match trust_of_target(examination.profile, context, &subject.name) {
        Ok(trusted) => trusted,
        Err(errors) => return failed(examination, subject, ID, errors),
    };
    let one = |check: Check| vec![check.of(&subject.name)];
    if !trusted.is_known() {
        return one(Check::skip(ID, "the profile says nothing of this target's trust: neither `policy` nor `allow`"));
    }
    let own = vouched.iter().find(|one| one.targets.contains(&subject.name)).and_then(|one| one.token.as_ref());
    let audiences = subject.audiences.clone().unwrap_or_else(|| subject.target.audiences(None));
    let claims = match (&examination.claims, own) {
        (Some(claims), _) => for_audience(claims, &audiences),
        (None, Some(token)) => Claims::clone(token.claims()),
        (None, None) => return one(Check::skip(ID, "there are no claims to hold it against; --claims gives some")),
    };
    let verdict = trusted.evaluate(&audiences, &Job::new(claims, context.host.now()));
    let source = trusted.source();
    let mut check = match (verdict.is_allowed(), outcome.exchanged.is_some(), outcome.is_refused) {
        (true, _, true) => Check::warn(ID, format!("{source} lets this job in, and the cloud does not"))
            .with_detail("what is deployed differs from it, or is not in place yet")
            .with_fix("compare the two: is it applied, to this account or tenant, for this issuer?"),
        (true, ..) => Check::ok(ID, format!("{source} lets this job in")),
        (false, true, _) => Check::warn(ID, format!("{source} does not let this job in, and the cloud does"))
            .with_detail(sentence(source, &verdict))
            .with_fix("what is deployed lets more in than the profile says: compare the two"),
        (false, false, is_refused) => {
            let check = Check::fail(ID, format!("{source} does not let this job in"));
            // The refusal above has said it already.
            let check = if is_refused { check } else { check.with_detail(sentence(source, &verdict)) };
            match &verdict.fix {
                Some(fix) => check.with_fix(fix),
                None => check,
            }
        }
    };
    if let Some(warning) = &verdict.warning {
        if check.status == super::check::Status::Ok {
            check.status = super::check::Status::Warn;
        }
        check.detail.push(warning.clone());
    }
    one(check)
}

/// The claims as a token for this target would carry them: a job asks for its audience.
fn for_audience(claims: &Claims, audiences: &Audiences) -> Claims {
    if audiences.fits(&claims.audiences()) {
        return claims.clone();
    }
    let mut map = claims.as_map().clone();
    map.insert("aud".to_owned(), Json::from(audiences.first()));
    Claims::new(map)
}

/// Who else could get in, by the file that the target names.
pub(super) fn lint(examination: &Examination<'_>, subject: &Subject) -> Vec<Check> {
    const ID: &str = super::LINT;
    let found = match lint_target(examination.profile, &subject.name) {
        None => return vec![Check::skip(ID, "the target names no file as its `trust.policy`").of(&subject.name)],
        Some(Err(errors)) => return failed(examination, subject, ID, errors),
        Some(Ok(found)) => found,
    };
    let (grave, others): (Vec<_>, Vec<_>) = found.into_iter().partition(|one| one.finding.severity >= Severity::High);
    if grave.is_empty() {
        let rest = match others.len() {
            0 => String::new(),
            count => format!("; {count} below, see `federate trust lint`"),
        };
        return vec![Check::ok(ID, format!("nothing grave was found in the trust{rest}")).of(&subject.name)];
    }
    grave
        .into_iter()
        .map(|one| {
            let severity = json!(one.finding.severity);
            Check::fail(ID, format!("{} [{}]", one.finding.message, one.finding.id))
                .with_detail(format!("severity: {}", severity.as_str().unwrap_or_default()))
                .with_detail(format!("where: {}: {}", one.file, one.finding.place))
                .with_fix(one.finding.fix)
                .of(&subject.name)
        })
        .collect()
}

fn failed(examination: &Examination<'_>, subject: &Subject, id: &'static str, errors: Vec<Error>) -> Vec<Check> {
    errors.into_iter().map(|error| Check::failed(id, &examination.profile.locate(error)).of(&subject.name)).collect()
}
