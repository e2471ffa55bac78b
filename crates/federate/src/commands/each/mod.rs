//! `federate each`: a command once for each target, with that target's credentials only.

mod arguments;
mod pipes;
mod run;
mod screen;
mod summary;

use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use federate_core::{Context, Error, Exchanged, Reporter as _, Secret, Session, TargetSource, codes};
use federate_profile::Profile;
use serde_json::json;

use self::run::{Crew, Job};
use self::screen::Screen;
use self::summary::{Fate, Row, counts};
use super::exec::load;
use super::trust::explained;
use crate::args::{Each, Grouping};
use crate::endpoint;
use crate::private::{can_be_written, write_private};
use crate::report::{Failure, Output};
use crate::setup::{Start, located, select};
use crate::signals::SignalGuard;

/// The least that runs at once where nothing is said: most commands wait for a cloud, not for a processor.
const LEAST_JOBS: usize = 4;

pub(crate) async fn run(start: &Start, arguments: Each) -> Result<u8, Failure> {
    let profile = load(start, arguments.preparation.az_login, &arguments.targets.target)?;
    let (session, sources) = select(start, &profile, &arguments.targets.target)?;
    let session = Arc::new(session);
    for source in &sources {
        arguments::check(&arguments.command, source.name(), &source.unbound().place())?;
    }
    if let Some(path) = &arguments.summary {
        can_be_written(path).map_err(|error| no_summary(path, &error))?;
    }
    let jobs = arguments.jobs.map_or_else(usual_jobs, NonZeroUsize::get);
    let names: Vec<&str> = sources.iter().map(|source| source.name()).collect();
    let ci = start.ci(session.context());
    let screen = Arc::new(Screen::new(ci, &names, !start.global.quiet && start.global.output == Output::Text));
    let queue = exchange(start, &profile, &session, &sources, &screen, arguments.keep_going).await?;
    // Not before: nothing has to be removed yet, and Ctrl-C ends federate while it waits for a cloud.
    let guard = if jobs > 1 { SignalGuard::install_for_groups() } else { SignalGuard::install() };
    let guard =
        guard.map_err(|error| Error::new(&codes::USAGE, "signals cannot be taken").with_cause(error.to_string()))?;
    let crew = Crew {
        start,
        profile: &profile,
        session: &session,
        guard: &guard,
        screen: screen.clone(),
        arguments: &arguments,
        jobs,
        is_grouped: match arguments.group {
            Grouping::Auto => screen.has_sections(),
            Grouping::Always => true,
            Grouping::Never => false,
        },
        deadlines: deadlines(session.context(), &queue),
    };
    let rows = crew.run(queue).await?;
    screen.finish();
    let lost = screen.lost();
    let code = match guard.ending() {
        Some(signal) => u8::try_from(128 + signal).unwrap_or(u8::MAX),
        None => u8::from(counts(&rows).0 < rows.len() || lost.is_some()),
    };
    if let Some(error) = lost {
        Failure::from(error).with_exit_code(code).with_output(start.global.output).print();
    }
    // Nobody ran: these are federate's own failures.
    if guard.ending().is_none() && rows.iter().all(|row| matches!(row.fate, Fate::Refused(_))) {
        report(start, &arguments, &rows, 125)?;
        return Ok(125);
    }
    report(start, &arguments, &rows, code)?;
    Ok(code)
}

fn deadlines(context: &Context, jobs: &[Job]) -> Vec<String> {
    let (sources, exchanged): (Vec<_>, Vec<_>) = jobs.iter().filter_map(Job::had).unzip();
    endpoint::deadlines(context, &sources, &exchanged)
}

fn usual_jobs() -> usize {
    std::thread::available_parallelism().map_or(1, NonZeroUsize::get).max(LEAST_JOBS)
}

/// Credentials for all targets. Without `keep_going` a single refusal ends everything before it began.
async fn exchange(
    start: &Start,
    profile: &Profile,
    session: &Session,
    sources: &[Arc<dyn TargetSource>],
    screen: &Screen,
    keep_going: bool,
) -> Result<Vec<Job>, Failure> {
    let begun = Instant::now();
    if !keep_going {
        let exchanged = match session.exchange_all(sources).await {
            Ok(exchanged) => exchanged,
            Err(errors) => {
                let errors = some_of(errors);
                return Err(located(profile, explained(profile, session, sources, errors).await));
            }
        };
        told(start, exchanged.len(), begun.elapsed());
        return Ok(sources.iter().zip(exchanged).map(|(source, given)| Job::new(source.clone(), Ok(given))).collect());
    }
    let permitted: Vec<Result<(), Error>> = sources
        .iter()
        .map(|source| {
            let errors = session.permitted(std::slice::from_ref(source)).err().unwrap_or_default();
            errors.into_iter().next().map_or(Ok(()), Err)
        })
        .collect();
    let asked: Vec<Arc<dyn TargetSource>> =
        sources.iter().zip(&permitted).filter(|(_, permitted)| permitted.is_ok()).map(|(one, _)| one.clone()).collect();
    let mut results = session.exchange_each(&asked).await.into_iter();
    told(start, asked.len(), begun.elapsed());
    let mut jobs = Vec::new();
    for (source, permitted) in sources.iter().zip(permitted) {
        let given: Result<Exchanged, Error> = match permitted {
            Ok(()) => results.next().unwrap_or_else(|| Err(Error::new(&codes::USAGE, "the exchange was lost"))),
            Err(error) => Err(error),
        };
        let given = match given {
            Ok(given) => Ok(given),
            Err(error) => {
                let error = explained(profile, session, std::slice::from_ref(source), vec![error]).await.pop();
                let error = error.unwrap_or_else(|| Error::new(&codes::USAGE, "the exchange was lost"));
                let error = profile.locate(error);
                if start.global.output != Output::Json {
                    screen.tell(source.name(), &error);
                }
                Err(error)
            }
        };
        jobs.push(Job::new(source.clone(), given));
    }
    Ok(jobs)
}

/// A mistake in a role or a trust is often that of all targets: a few say what is wrong.
fn some_of(mut errors: Vec<Error>) -> Vec<Error> {
    const ENOUGH: usize = 10;
    let left_out = errors.len().saturating_sub(ENOUGH);
    errors.truncate(ENOUGH);
    if let Some(last) = errors.pop() {
        errors.push(match left_out {
            0 => last,
            count => last.with_help(format!("{count} more errors are left out; -t with fewer targets shows them")),
        });
    }
    errors
}

fn told(start: &Start, count: usize, took: Duration) {
    if count > 1 {
        start.stderr.note(&format!("{count} targets were asked for credentials in {:.1}s", took.as_secs_f64()));
    }
}

/// Is more than half of the credentials' life over?
fn is_stale(given: &Exchanged, since: SystemTime, now: SystemTime) -> bool {
    let Some(expires) = given.credentials.expires else { return false };
    let life = expires.duration_since(since).unwrap_or_default();
    expires.duration_since(now).unwrap_or_default() < life / 2
}

fn report(start: &Start, arguments: &Each, rows: &[Row], code: u8) -> Result<(), Failure> {
    let summary = summary::json(rows, code);
    match start.global.output {
        Output::Json => crate::report::say(&json!({ "summary": summary }).to_string()),
        Output::Text | Output::Sarif => {
            let table = summary::table(rows, start.global.quiet);
            if !table.is_empty() {
                crate::report::say(table.trim_end());
            }
        }
    }
    if let Some(path) = &arguments.summary {
        write_private(path, &Secret::new(format!("{summary:#}\n"))).map_err(|error| no_summary(path, &error))?;
    }
    Ok(())
}

fn no_summary(path: &Path, error: &std::io::Error) -> Error {
    Error::new(&codes::USAGE, format!("the summary cannot be written to {}", path.display()))
        .with_cause(error.to_string())
        .with_help("give --summary a file in a folder that is there and can be written to")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_of_a_life_is_the_limit() {
        use federate_core::testing::id_token;
        use federate_core::{Credentials, Renewal};
        let since = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000);
        let given = |life: Option<u64>| Exchanged {
            name: "t".to_owned(),
            target: start_target(),
            token: Arc::new(id_token(&json!({}))),
            credentials: Credentials::new("aws", life.map(|life| since + Duration::from_secs(life))),
            renewal: Renewal::Once,
        };
        let at = |seconds| since + Duration::from_secs(seconds);
        assert!(!is_stale(&given(Some(100)), since, at(49)) && is_stale(&given(Some(100)), since, at(51)));
        assert!(is_stale(&given(Some(100)), since, at(500)) && !is_stale(&given(None), since, at(500)));
    }

    fn start_target() -> Arc<dyn federate_core::CloudTarget> {
        use federate_core::TargetAdapter as _;
        let settings = json!({"role_arn": "arn:aws:iam::111122223333:role/x", "region": "eu-west-1"});
        Arc::new(federate_cloud_aws::Aws::new("t", serde_json::from_value(settings).unwrap()).unwrap())
    }
}
