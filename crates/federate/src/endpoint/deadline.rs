//! Until when credentials can be renewed, said before it is too late.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use federate_core::{Context, Exchanged, Renewal, TargetSource};

/// Clocks and rounding apart, a token that ends with the job.
const ABOUT: Duration = Duration::from_secs(120);

/// One line for each end at which a CI system's only token stops.
pub(crate) fn lines(context: &Context, sources: &[Arc<dyn TargetSource>], exchanged: &[Exchanged]) -> Vec<String> {
    let mut ends: BTreeMap<SystemTime, (Vec<&str>, bool)> = BTreeMap::new();
    for (source, one) in sources.iter().zip(exchanged) {
        let (Renewal::Once, Some(end)) = (&one.renewal, one.token.expires()) else { continue };
        let time_out = source.identity().provider.job_time_left(context).map(|left| context.host.now() + left);
        let with_job = time_out.is_some_and(|time_out| {
            time_out.duration_since(end).or_else(|early| Ok::<_, ()>(early.duration())).is_ok_and(|gap| gap <= ABOUT)
        });
        let (names, is_time_out) = ends.entry(end).or_default();
        names.push(source.name());
        *is_time_out |= with_job;
    }
    ends.into_iter()
        .map(|(end, (names, is_time_out))| {
            let end = humantime::format_rfc3339_seconds(end);
            let why = if is_time_out { "the job's time-out" } else { "when its ID token ends" };
            format!("this job can renew until {end}, {why} (target{} {})", plural(&names), list(&names))
        })
        .collect()
}

fn plural(names: &[&str]) -> &'static str {
    if names.len() == 1 { "" } else { "s" }
}

/// Five names say enough.
fn list(names: &[&str]) -> String {
    match names {
        [first, .., last] if names.len() > 5 => format!("{first} to {last}, {} in all", names.len()),
        few => few.join(", "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_names_are_cut_short() {
        assert_eq!(list(&["a", "b"]), "a, b");
        assert_eq!(list(&["a", "b", "c", "d", "e", "f"]), "a to f, 6 in all");
        assert_eq!((plural(&["a"]), plural(&["a", "b"])), ("", "s"));
    }
}
