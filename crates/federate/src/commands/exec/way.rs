//! How credentials reach a child: the simplest way that lasts.

use std::time::{Duration, SystemTime};

use federate_core::served::outlasts;
use federate_core::{ChildEnv, Error, FileContent, Reporter as _, codes};
use federate_profile::{Profile, ServeMode};

use super::kinds;
use crate::args::Preparation;
use crate::setup::{Ready, Start};

/// The kinds of targets that are handed over by an endpoint.
///
/// # Errors
/// `usage` where an endpoint is asked for and no target's SDKs would ask it, and where `--isolate` leaves no way.
pub(crate) fn served_kinds(
    start: &Start,
    profile: &Profile,
    preparation: &Preparation,
    ready: &Ready,
    plain: &[(String, ChildEnv)],
) -> Result<Vec<&'static str>, Error> {
    let served = wanted(start, profile, preparation, ready, plain)?;
    let is_left = |(kind, part): &(String, ChildEnv)| is_token(part) && !served.iter().any(|served| served == kind);
    if preparation.isolate && plain.iter().any(is_left) {
        return Err(no_way_but_a_token());
    }
    Ok(served)
}

/// `--isolate` and a target that this command can only be given as an ID token.
fn no_way_but_a_token() -> Error {
    Error::new(
        &codes::USAGE,
        "--isolate keeps ID tokens from the command, but a selected target can only be handed over as one",
    )
    .with_help("leave out --isolate, or select other targets with -t")
}

/// Would it be given an ID token?
fn is_token(part: &ChildEnv) -> bool {
    part.files.iter().any(|file| matches!(file.content, FileContent::IdToken { .. }))
}

/// With `--isolate`, those that would be handed over as an ID token; all that can be where plain variables are not meant to
/// be, or would not last.
fn wanted(
    start: &Start,
    profile: &Profile,
    preparation: &Preparation,
    ready: &Ready,
    plain: &[(String, ChildEnv)],
) -> Result<Vec<&'static str>, Error> {
    let mut all = kinds(&ready.exchanged);
    all.retain(|kind| start.registry.cloud(kind).is_some_and(|cloud| cloud.can_be_served()));
    let mode = if preparation.serve { Some(ServeMode::Always) } else { profile.serve() };
    let expected = preparation.expect_duration.map(|duration| duration.0);
    match mode {
        Some(ServeMode::Always) if preparation.serve && all.is_empty() => {
            return Err(Error::new(
                &codes::USAGE,
                "--serve was given, but no selected target can be served by an endpoint",
            )
            .with_help("leave out --serve, or select other targets with -t"));
        }
        Some(ServeMode::Always) => return Ok(all),
        Some(ServeMode::Auto) => {
            let job = || ready.sources.iter().filter_map(|source| time_left(ready, source.as_ref())).max();
            if let Some(needed) = expected.or_else(job)
                && let Some(why) = ends_before(start, ready, needed)
            {
                start.stderr.detail(&format!("{why}, so an endpoint keeps them fresh"));
                return Ok(all);
            }
        }
        // Whoever says how long it takes wants it to work for so long.
        None => {
            if let Some(why) = expected.and_then(|needed| ends_before(start, ready, needed)) {
                start.stderr.detail(&format!("{why}, so an endpoint keeps them fresh"));
                return Ok(all);
            }
        }
        Some(ServeMode::Never) => {
            if let Some(why) = expected.and_then(|needed| ends_before(start, ready, needed)) {
                start.stderr.warn(&format!("{why}; `serve = \"never\"` stands in the profile, so nothing renews them"));
            }
        }
    }
    if !preparation.isolate {
        return Ok(Vec::new());
    }
    Ok(all.into_iter().filter(|kind| plain.iter().any(|(own, part)| own == kind && is_token(part))).collect())
}

fn time_left(ready: &Ready, source: &dyn federate_core::TargetSource) -> Option<Duration> {
    source.identity().provider.job_time_left(ready.session.context())
}

/// What a plain hand-over would not do: a sentence, if some target's ends too early.
fn ends_before(start: &Start, ready: &Ready, needed: Duration) -> Option<String> {
    let now = ready.session.context().host.now();
    for kind in kinds(&ready.exchanged) {
        let Some(cloud) = start.registry.cloud(kind).filter(|cloud| cloud.can_be_served()) else { continue };
        for handover in ready.handovers(kind) {
            let end: Option<SystemTime> = cloud.lasts_until(&handover);
            if !outlasts(end, now, needed) {
                let end = end.map(|end| humantime::format_rfc3339_seconds(end).to_string()).unwrap_or_default();
                let needed = humantime::format_duration(Duration::from_secs(needed.as_secs()));
                return Some(format!(
                    "the credentials of target `{}` end at {end}, before {needed} are over",
                    handover.target
                ));
            }
        }
    }
    None
}
