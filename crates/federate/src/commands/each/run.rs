//! The commands themselves: so many at once, each in its own surroundings.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::ffi::OsString;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use federate_core::{Error, Exchanged, Reporter as _, Session, TargetSource, codes};
use federate_profile::Profile;
use futures_util::future::join_all;
use tokio::sync::oneshot;

use super::is_stale;
use super::pipes::{Reading, Sink};
use super::screen::{Kept, Screen, Stream};
use super::summary::{Fate, Row};
use crate::args::Each;
use crate::child::{Prepared, prepare, start_failure};
use crate::commands::exec::{OWN_OF_EACH, Outfit, outfit};
use crate::report::{Failure, Output, one_line};
use crate::setup::{Start, handed};
use crate::signals::SignalGuard;

/// One target, and what was had for it.
pub(super) struct Job {
    source: Arc<dyn TargetSource>,
    given: Result<Exchanged, Error>,
    since: SystemTime,
}

impl Job {
    pub(super) fn new(source: Arc<dyn TargetSource>, given: Result<Exchanged, Error>) -> Self {
        Self { source, given, since: SystemTime::now() }
    }

    /// The target with its credentials, if it has them.
    pub(super) fn had(&self) -> Option<(Arc<dyn TargetSource>, Exchanged)> {
        Some((self.source.clone(), self.given.as_ref().ok()?.clone()))
    }
}

/// Everything that the commands have in common.
pub(super) struct Crew<'a> {
    pub(super) start: &'a Start,
    pub(super) profile: &'a Profile,
    pub(super) session: &'a Arc<Session>,
    pub(super) guard: &'a SignalGuard,
    pub(super) screen: Arc<Screen>,
    pub(super) arguments: &'a Each,
    pub(super) jobs: usize,
    pub(super) is_grouped: bool,
    /// Until when credentials can be renewed; told when the first endpoint renews some.
    pub(super) deadlines: Vec<String>,
}

/// What changes while the commands run.
#[derive(Default)]
struct State {
    has_failed: Cell<bool>,
    has_started: Cell<bool>,
    has_told_deadlines: Cell<bool>,
    done: Cell<usize>,
    running: RefCell<Vec<String>>,
    fatal: RefCell<Option<Failure>>,
}

impl Crew<'_> {
    /// Runs all; the rows are in the order of the targets.
    ///
    /// # Errors
    /// Where the command cannot be started at all, or federate fails before the first one ran.
    pub(super) async fn run(&self, jobs: Vec<Job>) -> Result<Vec<Row>, Failure> {
        let count = jobs.len();
        let queue = RefCell::new(jobs.into_iter().enumerate().collect::<VecDeque<_>>());
        let rows: RefCell<Vec<Option<Row>>> = RefCell::new((0..count).map(|_| None).collect());
        let state = State::default();
        let worker = || async {
            loop {
                let next = queue.borrow_mut().pop_front();
                let Some((index, job)) = next else { return };
                let row = self.one(job, &state, count).await;
                rows.borrow_mut()[index] = Some(row);
            }
        };
        join_all((0..self.jobs.min(count)).map(|_| worker())).await;
        match state.fatal.take() {
            Some(failure) if !state.has_started.get() => Err(failure),
            Some(failure) => {
                // Another command began meanwhile, so this is no longer a failure before the first one.
                failure.with_output(self.start.global.output).print();
                Ok(rows.into_inner().into_iter().flatten().collect())
            }
            None => Ok(rows.into_inner().into_iter().flatten().collect()),
        }
    }

    async fn one(&self, job: Job, state: &State, count: usize) -> Row {
        let name = job.source.name().to_owned();
        let mut row =
            Row { target: name.clone(), place: job.source.unbound().place(), fate: Fate::NotRun, took: Duration::ZERO };
        let given = match job.given {
            Ok(given) => given,
            Err(error) => {
                row.fate = Fate::Refused(error);
                state.done.set(state.done.get() + 1);
                self.screen.advance();
                return row;
            }
        };
        let is_over = state.fatal.borrow().is_some() || (state.has_failed.get() && !self.arguments.keep_going);
        if is_over || self.guard.ending().is_some() {
            return row;
        }
        row.place = given.target.place();
        state.running.borrow_mut().push(name.clone());
        self.screen.running(&state.running.borrow().join(", "));
        let begun = Instant::now();
        row.fate = match self.child(&job.source, given, job.since, state).await {
            Ok(Some(status)) => Fate::Ended(status),
            Ok(None) => Fate::NotRun,
            // Where the command does not exist, it does not for any target.
            Err(failure)
                if !state.has_started.get()
                    && (!self.arguments.keep_going || [126, 127].contains(&failure.exit_code())) =>
            {
                let fate = failure.first().cloned().map_or(Fate::NotRun, Fate::NotStarted);
                state.fatal.borrow_mut().get_or_insert(failure);
                fate
            }
            Err(failure) => {
                let error = failure.first().cloned().unwrap_or_else(|| Error::new(&codes::USAGE, "the child was lost"));
                if self.start.global.output != Output::Json {
                    self.screen.tell(&name, &error);
                }
                Fate::NotStarted(error)
            }
        };
        row.took = begun.elapsed();
        state.has_failed.set(state.has_failed.get() || !row.is_good());
        state.running.borrow_mut().retain(|running| *running != name);
        state.done.set(state.done.get() + 1);
        self.screen.running(&state.running.borrow().join(", "));
        if !self.screen.advance() && !self.start.global.quiet {
            let done = state.done.get();
            let name = one_line(&name);
            self.screen.say(format!("[{done}/{count}] {name}: {} {}", row.result(), row.time()).trim_end());
        }
        row
    }

    /// Credentials that outlive the command's start by at least half of their life, if they can be had.
    async fn fresh(&self, source: &Arc<dyn TargetSource>, given: Exchanged, since: SystemTime) -> Exchanged {
        if !is_stale(&given, since, SystemTime::now()) {
            return given;
        }
        match self.session.exchange(source.as_ref()).await {
            Ok(fresh) => fresh,
            Err(error) => {
                let name = &given.name;
                let what =
                    format!("the credentials for {name} cannot be renewed, and the command gets the old ones: {error}");
                self.screen.aside(|| self.start.stderr.warn(&what));
                given
            }
        }
    }

    /// Runs the command for one target. `None` where a signal came first.
    async fn child(
        &self,
        source: &Arc<dyn TargetSource>,
        given: Exchanged,
        since: SystemTime,
        state: &State,
    ) -> Result<Option<ExitStatus>, Failure> {
        let given = self.fresh(source, given, since).await;
        let (name, place) = (given.name.clone(), given.target.place());
        let outfit =
            outfit(self.start, self.profile, self.session, source, &given, &self.arguments.preparation).await?;
        let Outfit { mut variables, surroundings, endpoint } = outfit;
        for (variable, value) in OWN_OF_EACH.iter().zip([Some(&name), place.account.as_ref(), place.region.as_ref()]) {
            if let Some(value) = value {
                variables.set(variable, value);
            }
        }
        let is_first_endpoint = endpoint.is_some() && !state.has_told_deadlines.replace(true);
        let deadlines = if is_first_endpoint { self.deadlines.as_slice() } else { &[] };
        self.screen.aside(|| deadlines.iter().chain(&surroundings.notes).for_each(|note| self.start.stderr.note(note)));
        let output = Channel::new(&self.screen, &name, self.is_grouped, self.jobs == 1);
        let readings = RefCell::new(Vec::new());
        let set_up = |command: &mut Command| self.spawn(command, &output, &readings, true);
        let held = handed(std::slice::from_ref(source), std::slice::from_ref(&given));
        let work = async {
            let prepared = prepare(self.session, self.guard, variables, surroundings, &held, &set_up).await;
            let Ok(Some(mut prepared)) = prepared else {
                finish(readings.take()).await;
                return prepared.map(|_| None);
            };
            let result = self.main(&mut prepared, &name, &place, &output, &readings, state).await;
            if !finish(readings.take()).await {
                let what = format!("{name}: something that the command started still holds its output");
                self.screen.aside(|| self.start.stderr.note(&what));
            }
            result.map(Some)
        };
        let answering = async {
            match &endpoint {
                Some((endpoint, _directory)) => endpoint.run().await,
                None => std::future::pending().await,
            }
        };
        let result = tokio::select! {
            result = work => result,
            () = answering => Err(Error::new(&codes::USAGE, "the endpoint beside the command ended").into()),
        };
        output.close(matches!(&result, Ok(Some(status)) if status.success()));
        result
    }

    async fn main(
        &self,
        prepared: &mut Prepared,
        name: &str,
        place: &federate_core::Place,
        output: &Channel,
        readings: &RefCell<Vec<Reading>>,
        state: &State,
    ) -> Result<ExitStatus, Failure> {
        let words: Vec<OsString> =
            self.arguments.command.iter().map(|word| super::arguments::filled(word, name, place)).collect();
        let (program, rest) =
            words.split_first().ok_or_else(|| Error::new(&codes::USAGE, "there is no command to run"))?;
        let mut command = prepared.variables.command(program);
        command.args(rest);
        if self.jobs > 1 {
            command.stdin(Stdio::null());
        }
        let ended =
            self.spawn(&mut command, output, readings, false).map_err(|error| start_failure(program, &error))?;
        drop(command);
        state.has_started.set(true);
        let lost = || Failure::from(Error::new(&codes::USAGE, "the child was lost"));
        tokio::select! {
            status = ended => status.map_err(|_| lost()),
            () = prepared.keep(self.session) => Err(lost()),
        }
    }

    /// Starts a command whose outputs come to the screen; those of a setup command both to stderr.
    fn spawn(
        &self,
        command: &mut Command,
        output: &Channel,
        readings: &RefCell<Vec<Reading>>,
        is_setup: bool,
    ) -> std::io::Result<oneshot::Receiver<ExitStatus>> {
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        self.guard.spawn_child(command, |child| {
            let mut readings = readings.borrow_mut();
            let out = if is_setup { Stream::Err } else { Stream::Out };
            if let Some(pipe) = child.stdout.take() {
                readings.push(Reading::start(pipe, out, output.sink.clone()));
            }
            if let Some(pipe) = child.stderr.take() {
                readings.push(Reading::start(pipe, Stream::Err, output.sink.clone()));
            }
        })
    }
}

/// Waits for the pipes; false where one stays open.
async fn finish(readings: Vec<Reading>) -> bool {
    join_all(readings.into_iter().map(Reading::finish)).await.into_iter().all(|is_read| is_read)
}

/// Where the output of one command goes.
struct Channel {
    screen: Arc<Screen>,
    name: String,
    sink: Sink,
    kept: Option<Arc<Mutex<Option<Kept>>>>,
    is_open: bool,
}

impl Channel {
    fn new(screen: &Arc<Screen>, name: &str, is_grouped: bool, is_alone: bool) -> Self {
        let (screen, name) = (screen.clone(), name.to_owned());
        let to_screen = screen.clone();
        let mut kept = None;
        let sink: Sink = match (is_grouped, is_alone) {
            (false, _) => {
                let name = name.clone();
                Arc::new(move |stream, line| to_screen.line(&name, stream, line))
            }
            // Nothing else runs: the section can be watched while it grows.
            (true, true) => {
                screen.open(&name, false);
                Arc::new(move |stream, line| to_screen.plain(stream, line))
            }
            (true, false) => {
                let keep = Arc::new(Mutex::new(Some(Kept::new())));
                kept = Some(keep.clone());
                Arc::new(move |stream, line| match &mut *keep.lock().unwrap_or_else(PoisonError::into_inner) {
                    Some(kept) => kept.add(stream, line).map_err(|error| to_screen.lose(error)),
                    // The section is closed: whoever still writes is not listened to.
                    None => Err(std::io::ErrorKind::BrokenPipe.into()),
                })
            }
        };
        Self { screen, name, sink, kept, is_open: is_grouped && is_alone }
    }

    /// The command is over.
    fn close(&self, is_good: bool) {
        if self.is_open {
            self.screen.close(&self.name);
        }
        let kept = self.kept.as_ref().and_then(|kept| kept.lock().unwrap_or_else(PoisonError::into_inner).take());
        if let Some(kept) = kept {
            self.screen.section(&self.name, is_good, kept);
        }
    }
}
