//! `federate doctor`: the whole way of a token, step by step: what holds, what does not, what to change.

mod check;
mod clock;
mod examination;
mod issuer;
mod show;
mod surroundings;
mod target;
mod token;
mod trust;

use federate_core::{Claims, Error, Handover, NamePattern, NetworkSettings, Reach, codes};
use federate_profile::Profile;
use futures_util::future::{join, join_all};
use url::Url;

use self::check::Check;
use self::examination::{Examination, Subject, hurried, offline_context, subject};
use self::target::Outcome;
use super::written;
use crate::args::Doctor;
use crate::report::{Failure, Output, pretty, print_styled};
use crate::setup::{Start, compatible};

// The stable ids of the checks, in the order of the report.
const PROFILE: &str = "profile";
const TARGETS: &str = "targets";
const CI: &str = "ci";
const NETWORK: &str = "network";
const ENVIRONMENT: &str = "environment";
const TOKEN: &str = "token";
const AUDIENCE: &str = "audience";
const TIMES: &str = "times";
const ISSUER: &str = "issuer";
const KEYS: &str = "keys";
const SIGNATURE: &str = "signature";
const CLOCK: &str = "clock";
const POLICY: &str = "policy";
const ENDPOINT: &str = "endpoint";
const EXCHANGE: &str = "exchange";
const WHOAMI: &str = "whoami";
const TRUST: &str = "trust";
const LINT: &str = "lint";

/// What depends on the selected targets.
const OF_TARGETS: [&str; 13] =
    [TOKEN, AUDIENCE, TIMES, ISSUER, KEYS, SIGNATURE, CLOCK, POLICY, ENDPOINT, EXCHANGE, WHOAMI, TRUST, LINT];

/// Exit code of a check that found something.
const FOUND: u8 = 1;

pub(crate) async fn run(start: &Start, arguments: Doctor) -> Result<u8, Failure> {
    if arguments.timeout.0.is_zero() {
        return Err(Error::new(&codes::USAGE, "--timeout 0 leaves no time for any step")
            .with_help("write it like --timeout 5s, or ask nobody with --offline")
            .into());
    }
    let claims = arguments.claims.as_deref().map(super::trust::claims).transpose()?;
    let checks = match start.load(&[]) {
        Ok(profile) => examine(start, &arguments, &profile, claims).await,
        Err(failure) => without_profile(start, failure, claims.is_some()),
    };
    let text = match start.global.output {
        Output::Json => pretty(&show::json(&checks)),
        Output::Text | Output::Sarif => show::text(&checks, start.global.verbose > 0),
    };
    written(print_styled(&text))?;
    Ok(if checks.iter().any(Check::is_failed) { FOUND } else { 0 })
}

/// What can be said where the profile has to be mended first.
fn without_profile(start: &Start, failure: Failure, has_claims: bool) -> Vec<Check> {
    let mut checks: Vec<Check> = failure.into_errors().iter().map(|error| Check::failed(PROFILE, error)).collect();
    let why = "the profile has to be mended first";
    checks.push(Check::skip(TARGETS, why));
    let context = offline_context(start, None);
    checks.push(surroundings::ci(start, &context, None, has_claims));
    match start.client(&NetworkSettings::default()) {
        Ok(client) => checks.extend(surroundings::network(&client, &[])),
        Err(error) => checks.push(Check::failed(NETWORK, &error)),
    }
    checks.push(surroundings::environment(start, &outranking(start, None), &[], &[]));
    checks.extend(OF_TARGETS.iter().map(|id| Check::skip(id, why)));
    checks
}

fn outranking(start: &Start, subjects: Option<&[Subject]>) -> Vec<NamePattern> {
    let is_selected =
        |kind: &str| subjects.is_none_or(|subjects| subjects.iter().any(|subject| subject.target.kind() == kind));
    start
        .registry
        .targets()
        .iter()
        .filter(|kind| is_selected(kind.kind))
        .flat_map(|kind| (kind.cloud)().outranking())
        .collect()
}

async fn examine(start: &Start, arguments: &Doctor, profile: &Profile, claims: Option<Claims>) -> Vec<Check> {
    let mut checks = vec![surroundings::profile(profile)];
    let network = hurried(profile.network(), arguments.timeout.0);
    let mut offline = arguments.offline.then(|| "--offline was given".to_owned());
    let mut network_checks = Vec::new();
    let (client, context) = match (start.client(&network), start.context_over(profile, &network)) {
        (Ok(client), Ok(context)) => (Some(client), Some(context)),
        (Err(error), _) => {
            network_checks.push(Check::failed(NETWORK, &error));
            (None, None)
        }
        (_, Err(failure)) => {
            network_checks.extend(failure.into_errors().iter().map(|error| Check::failed(NETWORK, error)));
            (None, None)
        }
    };
    if client.is_none() {
        offline = Some("the network has to be mended first".to_owned());
    }
    let context = context.filter(|_| offline.is_none()).unwrap_or_else(|| offline_context(start, Some(profile)));

    let names = match profile.matching(&arguments.targets.target) {
        Ok(names) => names,
        Err(error) => {
            checks.push(Check::failed(TARGETS, &error));
            checks.push(surroundings::ci(start, &context, None, claims.is_some()));
            checks.extend(client.iter().flat_map(|client| surroundings::network(client, &[])));
            checks.extend(network_checks);
            checks.push(surroundings::environment(start, &outranking(start, None), &[], &[]));
            checks.extend(OF_TARGETS.iter().map(|id| Check::skip(id, "no target is selected")));
            return checks;
        }
    };
    let mut subjects = Vec::new();
    let mut unresolved = None;
    for name in &names {
        match subject(start, profile, &context, claims.as_ref(), name) {
            Ok((subject, why)) => {
                subjects.push(subject);
                unresolved = unresolved.or(why);
            }
            Err(errors) => {
                checks.extend(errors.into_iter().map(|error| Check::failed(PROFILE, &profile.locate(error)).of(name)))
            }
        }
    }
    checks.push(targets(start, profile, &context, &names, &subjects));
    let resolved = unresolved.as_ref().map_or(Ok(()), Err);
    checks.push(surroundings::ci(start, &context, Some(resolved), claims.is_some()));
    let session = start.session(context);
    let mut examination = Examination { profile, session, client, claims, offline, subjects };
    let policies: Vec<Check> =
        examination.subjects.iter().map(|subject| target::policy(&examination, subject)).collect();
    for (subject, check) in examination.subjects.iter_mut().zip(&policies) {
        subject.is_refused = check.is_failed();
    }
    if let Some(client) = &examination.client {
        network_checks.extend(surroundings::network(client, &hosts(&examination)));
    }
    checks.extend(network_checks);
    walk(start, &examination, policies, checks).await
}

/// The steps that may need the network, side by side as far as they do not build on one another.
async fn walk(
    start: &Start,
    examination: &Examination<'_>,
    policies: Vec<Check>,
    mut checks: Vec<Check>,
) -> Vec<Check> {
    let subjects = &examination.subjects;
    let endpoints = join_all(subjects.iter().map(|subject| target::endpoints(examination, subject)));
    let (vouched, endpoints) = join(token::all(examination), endpoints).await;
    let exchanges = join_all(subjects.iter().zip(&endpoints).map(|(subject, (seen, _))| {
        target::exchange(examination, subject, &vouched, !seen.iter().any(Check::is_failed))
    }));
    let (mut issuers, outcomes) = join(issuer::all(examination, &vouched), exchanges).await;
    let let_in: Vec<String> =
        outcomes.iter().filter_map(|outcome| Some(outcome.exchanged.as_ref()?.name.clone())).collect();
    issuers.iter_mut().for_each(|seen| seen.settle(&let_in));

    let handed_out = handed_out(start, examination, &outcomes);
    let followed = followed(examination);
    checks.push(surroundings::environment(start, &outranking(start, Some(subjects)), &followed, &handed_out));
    if vouched.is_empty() {
        let why = "nobody is known to vouch for this job";
        checks.extend([TOKEN, AUDIENCE, TIMES].map(|id| Check::skip(id, why)));
    }
    checks.extend(vouched.iter().flat_map(|one| one.checks.iter().cloned()));
    let samples: Vec<_> = issuers
        .iter()
        .flat_map(|seen| &seen.samples)
        .chain(endpoints.iter().flat_map(|(_, seen)| seen))
        .cloned()
        .collect();
    checks.extend(issuers.into_iter().flat_map(|seen| seen.checks));
    checks.push(clock::check(&samples));
    for (((subject, policy), (endpoint, _)), outcome) in subjects.iter().zip(policies).zip(endpoints).zip(&outcomes) {
        checks.push(policy);
        checks.extend(endpoint);
        checks.extend(outcome.checks.iter().cloned());
        checks.extend(trust::decide(examination, subject, &vouched, outcome));
        checks.extend(trust::lint(examination, subject));
    }
    checks
}

/// The selection, and whether one command could have all of it.
fn targets(
    start: &Start,
    profile: &Profile,
    context: &federate_core::Context,
    names: &[String],
    subjects: &[Subject],
) -> Check {
    let shown: Vec<String> =
        names.iter().map(|name| format!("{name} ({})", profile.target_kind(name).unwrap_or_default())).collect();
    let sources: Vec<_> = subjects.iter().filter_map(|subject| subject.source.clone()).collect();
    match compatible(start, context, &sources) {
        Ok(()) => Check::ok(TARGETS, shown.join(", ")),
        Err(error) => {
            let mut check = Check::failed(TARGETS, &error);
            check.status = check::Status::Warn;
            check.with_detail("each is looked at by itself; `federate exec` refuses them together")
        }
    }
}

/// Every host that will be asked without a token in hand, for saying which way.
fn hosts(examination: &Examination<'_>) -> Vec<Url> {
    let context = examination.session.context();
    let mut urls = Vec::new();
    for subject in &examination.subjects {
        let issuer = subject.identity.as_ref().and_then(|identity| identity.provider.issuer(context).ok());
        urls.extend(issuer.and_then(|(issuer, _)| issuer.url()));
        urls.extend(subject.target.probes(context).into_iter().flatten().map(|probe| probe.request.url));
    }
    urls
}

/// The variables that the targets take their endpoints from.
fn followed(examination: &Examination<'_>) -> Vec<String> {
    let context = examination.session.context();
    let probes = examination.subjects.iter().filter_map(|subject| subject.target.probes(context).ok()).flatten();
    probes
        .filter_map(|probe| match probe.request.reach {
            Reach::Environment(name) => Some(name),
            _ => None,
        })
        .collect()
}

/// What `exec` would set, as far as it is known.
fn handed_out(
    start: &Start,
    examination: &Examination<'_>,
    outcomes: &[Outcome],
) -> Vec<(String, federate_core::ChildValue)> {
    let mut set = Vec::new();
    for kind in start.registry.targets() {
        let exchanged = outcomes.iter().filter_map(|outcome| outcome.exchanged.as_ref());
        let group: Vec<Handover<'_>> = exchanged
            .filter(|one| one.target.kind() == kind.kind)
            .map(|one| Handover {
                target: &one.name,
                credentials: &one.credentials,
                token: &one.token,
                renewal: &one.renewal,
            })
            .collect();
        let child = (kind.cloud)().environment(examination.session.context(), &group);
        set.extend(child.map(|child| child.set).unwrap_or_default());
    }
    set
}
