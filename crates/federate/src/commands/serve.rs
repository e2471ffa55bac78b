//! `federate serve`: an endpoint without a child, for whatever is started after it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use federate_core::{ChildEnv, Error, Reporter as _, codes};

use super::env::{Output, unset_by};
use super::exec::{job_variables, kinds, load, served_part};
use super::written;
use crate::args::Serve;
use crate::child::{self, PRIVATE_FILE, Variables, value_text};
use crate::endpoint::{self, Endpoint};
use crate::files::Files;
use crate::formats::{Format, Variable};
use crate::notify;
use crate::private::can_be_written;
use crate::report::Failure;
use crate::setup::{Ready, Start, exchange_for_child};
use crate::signals::SignalGuard;

pub(crate) async fn run(start: &Start, arguments: Serve) -> Result<u8, Failure> {
    if arguments.format == Format::Gitlab {
        return Err(Error::new(&codes::USAGE, "a dotenv report is for later jobs, which this endpoint does not reach")
            .with_help("use another -f FORMAT in the job that needs the credentials")
            .into());
    }
    let output = Output::new(start, arguments.format, arguments.write)?;
    notify::check(arguments.ready_fd)?;
    if let Some(path) = arguments.pid_file.as_deref().filter(|path| !path.exists() || path.is_dir()) {
        can_be_written(path).map_err(|error| PidFile::failure(path, &error))?;
    }
    let profile = load(start, arguments.az_login, &arguments.targets.target)?;
    let ready = exchange_for_child(start, &profile, &arguments.targets.target).await?;
    let guard = SignalGuard::install().map_err(|error| child::file_failure("signals cannot be taken", &error))?;
    let directory = child::private_directory(&start.env)?;
    let (sources, exchanged) = (&ready.sources, &ready.exchanged);
    let endpoint =
        Endpoint::open(start, ready.session.clone(), sources, exchanged, &directory, arguments.isolate).await?;
    for line in endpoint::deadlines(ready.session.context(), sources, exchanged) {
        start.stderr.note(&line);
    }
    let mut parts = Vec::new();
    for kind in kinds(exchanged) {
        parts.push((kind.to_owned(), served_part(start, &profile, &ready, kind, &endpoint)?));
    }
    let surroundings = child::merge(parts)?;
    for note in &surroundings.notes {
        start.stderr.note(note);
    }
    let mut files = Files::place(&directory, &surroundings, &ready.handed())?;
    let paths = files.paths.clone();
    let work = async {
        if let Some(code) = prepare(start, &guard, &surroundings, &paths).await? {
            return Ok(code);
        }
        // Before anybody can read the variables, so that whoever has them finds it.
        let _pid_file = arguments.pid_file.as_deref().map(PidFile::write).transpose()?;
        print(start, &arguments, &ready, &surroundings, &paths, &output)?;
        start.stderr.note(&format!("answering at {} until interrupted", endpoint.address().origin));
        if let Err(error) = notify::ready(arguments.ready_fd, &start.env, &endpoint.address().origin) {
            start.stderr.warn(&format!("nobody could be told that the endpoint is ready: {error}"));
        }
        wait(start, &guard, &endpoint, arguments.idle_exit.map(|duration| duration.0)).await;
        notify::stopping(&start.env);
        Ok(0)
    };
    tokio::select! {
        code = work => code,
        () = endpoint.run() => Err(Error::new(&codes::SERVICE_ERROR, "the endpoint ended by itself").into()),
        () = files.keep_fresh(&ready.session, &directory) => Err(Error::new(&codes::SERVICE_ERROR, "the endpoint ended by itself").into()),
    }
}

async fn prepare(
    start: &Start,
    guard: &SignalGuard,
    surroundings: &ChildEnv,
    paths: &BTreeMap<String, PathBuf>,
) -> Result<Option<u8>, Failure> {
    let mut variables = Variables::inherit(&start.env);
    child::set_all(&mut variables, surroundings, paths);
    child::prepare_all(guard, &variables, &surroundings.setup, paths).await
}

/// Prints the variables and lets go of stdout: a shell that waits for its end (`eval "$(federate serve &)"`) goes on.
fn print(
    start: &Start,
    arguments: &Serve,
    ready: &Ready,
    surroundings: &ChildEnv,
    paths: &BTreeMap<String, PathBuf>,
    output: &Output,
) -> Result<(), Failure> {
    let shown = |(name, value): &(String, federate_core::ChildValue)| {
        let (value, is_secret) = value_text(value, paths);
        Variable { name: name.clone(), value, is_secret }
    };
    let variables: Vec<Variable> = surroundings.set.iter().map(shown).collect();
    let mut unset = unset_by(start, &ready.exchanged, &variables);
    if arguments.isolate {
        unset.extend(
            job_variables(start, ready.session.context(), &ready.sources)
                .into_iter()
                .filter(|name| start.env.is_set(name)),
        );
        unset.sort();
        unset.dedup();
    }
    output.warn_of(start, &unset);
    written(output.put(&variables, &unset)?)?;
    let nowhere = std::fs::OpenOptions::new().write(true).open("/dev/null");
    if let Err(error) = nowhere.and_then(|nowhere| rustix::stdio::dup2_stdout(nowhere).map_err(Into::into)) {
        start.stderr.detail(&format!("stdout stays open: {error}"));
    }
    Ok(())
}

/// Returns when a signal came, or nobody asked for so long.
async fn wait(start: &Start, guard: &SignalGuard, endpoint: &Endpoint, idle_exit: Option<Duration>) {
    const LOOK: Duration = Duration::from_millis(50);
    loop {
        if guard.interrupted().is_some() {
            return;
        }
        if let Some(limit) = idle_exit.filter(|limit| endpoint.last_use().elapsed() >= *limit) {
            start.stderr.note(&format!("nobody has asked for {}, ending", humantime::format_duration(limit)));
            return;
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// A file that holds this process's id, and goes with it.
struct PidFile(PathBuf);

impl PidFile {
    fn write(path: &Path) -> Result<Self, Error> {
        std::fs::write(path, format!("{}\n", std::process::id())).map_err(|error| Self::failure(path, &error))?;
        Ok(Self(path.to_owned()))
    }

    fn failure(path: &Path, error: &std::io::Error) -> Error {
        Error::new(&PRIVATE_FILE, format!("the pid file {} cannot be written", path.display()))
            .with_cause(error.kind().to_string())
            .with_help("give --pid-file a file in a folder that is there and can be written to")
    }
}

impl Drop for PidFile {
    fn drop(&mut self) {
        let own = std::fs::read_to_string(&self.0).is_ok_and(|text| text.trim() == std::process::id().to_string());
        if own {
            // Nobody is left to tell.
            let _ = std::fs::remove_file(&self.0);
        }
    }
}
