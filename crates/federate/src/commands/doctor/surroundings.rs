//! What can be seen without asking anybody: the profile, the CI system, the way to the network, variables.

use std::collections::BTreeSet;

use federate_core::{ChildValue, Context, Detection, Error, NamePattern};
use federate_http::Client;
use federate_profile::Profile;
use url::Url;

use super::check::Check;
use crate::commands::exec::GIVEN;
use crate::setup::Start;

/// The profile is there and valid.
pub(super) fn profile(profile: &Profile) -> Check {
    let layers: Vec<String> = profile.layers().into_iter().filter_map(|(shown, path)| path.map(|_| shown)).collect();
    let from = if layers.is_empty() { "no file".to_owned() } else { layers.join(", ") };
    Check::ok(super::PROFILE, format!("{} is valid, from {from}", profile.label()))
}

/// Which CI system this is. `resolved` says whether all targets have an identity, or why one has not; `None` where no
/// target is known.
pub(super) fn ci(start: &Start, context: &Context, resolved: Option<Result<(), &Error>>, has_claims: bool) -> Check {
    const ID: &str = super::CI;
    let seen: Vec<String> = start
        .registry
        .identities()
        .iter()
        .filter_map(|kind| match kind.default_provider().detect(context) {
            Detection::Here { evidence } => Some(format!("{} ({evidence})", kind.kind)),
            Detection::NotHere => None,
        })
        .collect();
    let in_the_job = "run this in the job itself; on another machine, --claims FILE judges the trust without a token";
    match (seen.as_slice(), resolved) {
        ([], _) if has_claims => {
            Check::skip(ID, "no CI system was recognised; the claims that were given stand for the job")
        }
        (_, Some(Err(error))) if !has_claims => Check::failed(ID, error).with_fix(in_the_job),
        ([], None) => Check::warn(ID, "no CI system was recognised").with_fix(in_the_job),
        ([], Some(_)) => Check::warn(ID, "no CI system was recognised; the profile names who vouches for the job")
            .with_fix(in_the_job),
        ([one], _) => Check::ok(ID, format!("{one} was recognised")),
        (several, None) => Check::warn(ID, format!("{} were recognised", several.join(" and ")))
            .with_fix("name the right one with `identity = …` in the profile"),
        (several, Some(_)) => {
            Check::ok(ID, format!("{} were recognised, and it is said which counts", several.join(" and ")))
        }
    }
}

/// Proxies and certificates; `hosts` are those that will be asked.
pub(super) fn network(client: &Client, hosts: &[Url]) -> Vec<Check> {
    const ID: &str = super::NETWORK;
    let problems = client.roots_problems();
    if !problems.is_empty() {
        return problems.iter().map(|error| Check::failed(ID, error)).collect();
    }
    let mut ways: Vec<(String, BTreeSet<&str>)> = Vec::new();
    for url in hosts {
        let way = client.way(url);
        let via = way.via.as_deref().map_or_else(|| "directly".to_owned(), |via| format!("through {via}"));
        let shown = format!("{via}, trusting {}", way.roots.join(", then "));
        let host = url.host_str().unwrap_or_default();
        match ways.iter_mut().find(|(known, _)| *known == shown) {
            Some((_, hosts)) => drop(hosts.insert(host)),
            None => ways.push((shown, BTreeSet::from([host]))),
        }
    }
    let mut check = match ways.as_slice() {
        [] => Check::ok(ID, "proxy variables and certificate files can be read"),
        [(way, _)] => Check::ok(ID, format!("hosts are asked {way}")),
        _ => Check::ok(ID, "hosts are asked in several ways"),
    };
    for (way, hosts) in &ways {
        check = check.with_detail(format!("{way}: {}", hosts.iter().copied().collect::<Vec<_>>().join(", ")));
    }
    vec![check]
}

/// Variables that an SDK would prefer to the credentials, but for those that say the same: `followed` are names that the
/// targets take their endpoints from, `handed_out` is what `exec` would set, where it is known.
pub(super) fn environment(
    start: &Start,
    patterns: &[NamePattern],
    followed: &[String],
    handed_out: &[(String, ChildValue)],
) -> Check {
    const ID: &str = super::ENVIRONMENT;
    if start.env.get(GIVEN).is_some() {
        return Check::ok(ID, "what is set is what the surrounding `federate exec` gave");
    }
    let is_the_same = |name: &str, value: &str| {
        followed.iter().any(|known| known == name) || handed_out.iter().any(|(set, to)| {
            set == name
                && matches!(to, ChildValue::Plain(text) if text.trim_end_matches('/') == value.trim_end_matches('/'))
        })
    };
    let names: Vec<&str> = start
        .env
        .iter()
        .filter(|(name, value)| patterns.iter().any(|pattern| pattern.matches(name)) && !is_the_same(name, value))
        .map(|(name, _)| name)
        .collect();
    if names.is_empty() {
        return Check::ok(ID, "no variable would be preferred to the credentials");
    }
    let check = Check::warn(ID, format!("set, and an SDK may prefer them to the credentials: {}", names.join(", ")))
        .with_fix("unset them in the job, or run every command that needs the cloud through `federate exec`");
    if start.env.flag("FEDERATE_KEEP_ENV") {
        check.with_detail("FEDERATE_KEEP_ENV has `federate exec` keep them")
    } else {
        check.with_detail("`federate exec` drops them; a command outside of it gets them")
    }
}
