//! One target: policy, endpoint, exchange, and who the cloud says that the job is.

use std::sync::Arc;

use federate_core::{Error, Exchanged, TargetSource};
use futures_util::future::join_all;

use super::check::Check;
use super::clock::{Sample, sample};
use super::examination::{Examination, Subject};
use super::token::Vouched;
use crate::commands::trust::explained;

/// What policy says about a target and who vouches for it.
pub(super) fn policy(examination: &Examination<'_>, subject: &Subject) -> Check {
    let context = examination.session.context();
    let section = format!("targets.{}", subject.name);
    let target = subject.target.permitted(context, &context.policy).map_err(|error| error.in_section(&section));
    let identity = subject.identity.as_ref().map_or(Ok(()), |identity| identity.permitted(context).map(drop));
    match target.and(identity) {
        Ok(()) => Check::ok(super::POLICY, "hosts, account and tenant are allowed").of(&subject.name),
        Err(error) => Check::failed(super::POLICY, &examination.profile.locate(error)).of(&subject.name),
    }
}

/// Are the target's endpoints there, and themselves?
pub(super) async fn endpoints(examination: &Examination<'_>, subject: &Subject) -> (Vec<Check>, Vec<Sample>) {
    let one = |check: Check| (vec![check.of(&subject.name)], Vec::new());
    if subject.is_refused {
        return one(Check::skip(super::ENDPOINT, "policy does not allow it"));
    }
    if let Some(why) = &examination.offline {
        return one(Check::skip(super::ENDPOINT, why));
    }
    let context = examination.session.context().begin_exchange();
    let probes = match subject.target.probes(&context) {
        Ok(probes) => probes,
        Err(error) => return one(Check::failed(super::ENDPOINT, &error)),
    };
    let asked = probes.iter().map(|probe| async {
        let host = probe.request.url.host_str().unwrap_or_default();
        let way = examination.way(&probe.request.url);
        let via = way.via.as_ref().map_or_else(String::new, |via| format!(" through {via}"));
        let roots = format!("trusted are {}", way.roots.join(", then "));
        match context.send(&probe.request).await {
            Err(error) => (Check::failed(super::ENDPOINT, &error).with_detail(roots), None),
            Ok(answer) => {
                let sample = sample(host, &answer, context.host.now());
                let check = if answer.status >= 500 {
                    Check::warn(super::ENDPOINT, format!("{host} answers{via}, but with {}", answer.status))
                        .with_fix("see the cloud's status page, then try again")
                } else if (probe.is_its_own)(&answer) {
                    Check::ok(super::ENDPOINT, format!("{host} answers{via}"))
                } else {
                    let kind = answer.header("content-type").unwrap_or("no content type");
                    Check::warn(super::ENDPOINT, format!("{host} answers{via}, but not in the cloud's own form"))
                        .with_detail(format!("{} with {kind}, {} bytes", answer.status, answer.body.len()))
                        .with_fix("something else may answer in its place, such as a proxy's login or block page: check the endpoint's spelling, HTTPS_PROXY and NO_PROXY")
                };
                (check.with_detail(roots), sample)
            }
        }
    });
    let (checks, samples): (Vec<Check>, Vec<Option<Sample>>) = join_all(asked).await.into_iter().unzip();
    let checks = checks.into_iter().map(|check| check.of(&subject.name)).collect();
    (checks, samples.into_iter().flatten().collect())
}

/// What came of an exchange.
pub(super) struct Outcome {
    pub(super) checks: Vec<Check>,
    pub(super) exchanged: Option<Exchanged>,
    /// The cloud said no.
    pub(super) is_refused: bool,
}

/// Exchanges, and asks who the job is then.
pub(super) async fn exchange(
    examination: &Examination<'_>,
    subject: &Subject,
    vouched: &[Vouched],
    is_reachable: bool,
) -> Outcome {
    let skipped = |why: &str| Outcome {
        checks: vec![
            Check::skip(super::EXCHANGE, why).of(&subject.name),
            Check::skip(super::WHOAMI, "nothing was exchanged").of(&subject.name),
        ],
        exchanged: None,
        is_refused: false,
    };
    if examination.claims.is_some() {
        return skipped("claims cannot be exchanged, a token can");
    }
    let Some(source) = &subject.source else { return skipped("nobody is known to vouch for this job") };
    if subject.is_refused {
        return skipped("policy does not allow it");
    }
    if !vouched.iter().any(|one| one.targets.contains(&subject.name) && one.is_usable()) {
        return skipped("there is no usable token");
    }
    if let Some(why) = &examination.offline {
        return skipped(why);
    }
    if !is_reachable {
        return skipped("the endpoint cannot be reached");
    }
    let exchanged = match examination.session.exchange(source.as_ref()).await {
        Ok(exchanged) => exchanged,
        Err(error) => return refused(examination, subject, source, error).await,
    };
    let until = exchanged
        .credentials
        .expires
        .map_or_else(String::new, |end| format!(" until {}", humantime::format_rfc3339_seconds(end)));
    let done = Check::ok(super::EXCHANGE, format!("the token was exchanged for credentials{until}"));
    let context = examination.session.context().begin_exchange();
    let who = match exchanged.target.whoami(&context, &exchanged.credentials).await {
        Ok(principal) => Check::ok(super::WHOAMI, principal.headline),
        Err(error) => {
            let error = error.in_section(&format!("targets.{}", subject.name));
            Check::failed(super::WHOAMI, &examination.profile.locate(error))
        }
    };
    let checks = vec![done.of(&subject.name), who.of(&subject.name)];
    Outcome { checks, exchanged: Some(exchanged), is_refused: false }
}

async fn refused(
    examination: &Examination<'_>,
    subject: &Subject,
    source: &Arc<dyn TargetSource>,
    error: Error,
) -> Outcome {
    let is_refused = error.category() == federate_core::Category::Refused;
    let sources = std::slice::from_ref(source);
    let errors = explained(examination.profile, &examination.session, sources, vec![error]).await;
    let mut checks: Vec<Check> = errors
        .into_iter()
        .map(|error| Check::failed(super::EXCHANGE, &examination.profile.locate(error)).of(&subject.name))
        .collect();
    checks.push(Check::skip(super::WHOAMI, "nothing was exchanged").of(&subject.name));
    Outcome { checks, exchanged: None, is_refused }
}
