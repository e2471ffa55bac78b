//! A child's surroundings, put together from what its targets need.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};

use federate_core::{Argument, ChildEnv, ChildValue, Env, Error, NamePattern, Secret, Session, SetupCommand, codes};
use tokio::sync::oneshot;

use crate::files::{Files, Handed};
use crate::private::PrivateDirectory;
use crate::report::Failure;
use crate::signals::{SignalGuard, exit_code};

/// The variables of a child.
#[derive(Clone, Debug)]
pub(crate) struct Variables(BTreeMap<OsString, OsString>);

impl Variables {
    /// Those of federate itself.
    pub(crate) fn inherit(env: &Env) -> Self {
        Self(env.iter_os().map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
    }

    /// Drops what the patterns name; returns the names that were there.
    pub(crate) fn drop_matching(&mut self, patterns: &[NamePattern]) -> Vec<String> {
        let dropped: Vec<String> = self
            .names()
            .filter(|name| patterns.iter().any(|pattern| pattern.matches(name)))
            .map(str::to_owned)
            .collect();
        dropped.iter().for_each(|name| self.remove(name));
        dropped
    }

    /// Removes one variable.
    pub(crate) fn remove(&mut self, name: &str) {
        self.0.remove(std::ffi::OsStr::new(name));
    }

    /// Sets one variable.
    pub(crate) fn set(&mut self, name: &str, value: impl Into<OsString>) {
        self.0.insert(name.into(), value.into());
    }

    /// Removes every variable whose value is a JWT: a real job's tokens, whatever their names.
    #[cfg(feature = "sandbox")]
    pub(crate) fn remove_tokens(&mut self) {
        self.0.retain(|_, value| !value.to_str().is_some_and(federate_core::IdToken::looks_like_one));
    }

    fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().filter_map(|name| name.to_str())
    }

    /// A command in exactly this environment.
    pub(crate) fn command(&self, program: &OsString) -> Command {
        let mut command = Command::new(program);
        command.env_clear().envs(&self.0);
        command
    }
}

/// Merges what the clouds want of one child.
///
/// # Errors
/// `variable-conflict` where two of them would set one variable differently.
pub(crate) fn merge(parts: Vec<(String, ChildEnv)>) -> Result<ChildEnv, Error> {
    let mut merged = ChildEnv::default();
    let mut owners: BTreeMap<String, (String, String)> = BTreeMap::new();
    for (owner, part) in parts {
        for (name, value) in part.set {
            let shown = comparable(&value);
            match owners.get(&name) {
                Some((_, known)) if *known == shown => continue,
                Some((other, _)) => {
                    return Err(Error::new(
                        &TARGET_CONFLICT,
                        format!("{other} and {owner} would set {name} differently"),
                    )
                    .with_help("run them one after the other, each with its own -t"));
                }
                None => owners.insert(name.clone(), (owner.clone(), shown)),
            };
            merged.set.push((name, value));
        }
        merged.files.extend(part.files);
        merged.setup.extend(part.setup);
        merged.notes.extend(part.notes);
    }
    Ok(merged)
}

/// Two kinds of targets want one variable.
pub(crate) static TARGET_CONFLICT: federate_core::Code = federate_core::Code {
    name: "variable-conflict",
    category: federate_core::Category::Usage,
    meaning: "Targets of different clouds would set one environment variable differently.",
};
/// The command was not found.
pub(crate) static COMMAND_NOT_FOUND: federate_core::Code = federate_core::Code {
    name: "command-not-found",
    category: federate_core::Category::Usage,
    meaning: "The command to run does not exist.",
};
/// The command cannot be run.
pub(crate) static COMMAND_NOT_EXECUTABLE: federate_core::Code = federate_core::Code {
    name: "command-not-executable",
    category: federate_core::Category::Usage,
    meaning: "The command to run is there but cannot be executed.",
};
/// A private file cannot be made.
pub(crate) static PRIVATE_FILE: federate_core::Code = federate_core::Code {
    name: "private-file",
    category: federate_core::Category::Usage,
    meaning: "A private file for the child cannot be written.",
};
/// A setup command failed.
pub(crate) static SETUP_FAILED: federate_core::Code = federate_core::Code {
    name: "setup-failed",
    category: federate_core::Category::Refused,
    meaning: "A command that has to succeed before the child failed (az login).",
};

fn comparable(value: &ChildValue) -> String {
    match value {
        ChildValue::Plain(text) => format!("plain {text}"),
        ChildValue::Secret(secret) => format!("secret {}", secret.reveal()),
        ChildValue::PathOf(id) => format!("path {id}"),
    }
}

/// How a setup command is started, its output being federate's business; its end comes through the channel.
pub(crate) type Spawn<'a> = &'a dyn Fn(&mut Command) -> std::io::Result<oneshot::Receiver<ExitStatus>>;

/// A child that could be started now. Its private files go when this does.
pub(crate) struct Prepared {
    pub(crate) variables: Variables,
    placed: Option<(PrivateDirectory, Files)>,
}

impl Prepared {
    /// Keeps token files fresh; never ends.
    pub(crate) async fn keep(&mut self, session: &Session) {
        match &mut self.placed {
            Some((directory, files)) => files.keep_fresh(session, directory).await,
            None => std::future::pending().await,
        }
    }
}

/// Makes the private files and runs what has to run first. `None` where a signal came meanwhile.
pub(crate) async fn prepare(
    session: &Session,
    guard: &SignalGuard,
    mut variables: Variables,
    surroundings: ChildEnv,
    handed: &[Handed],
    spawn: Spawn<'_>,
) -> Result<Option<Prepared>, Failure> {
    if surroundings.files.is_empty() && surroundings.setup.is_empty() {
        set_all(&mut variables, &surroundings, &BTreeMap::new());
        return Ok(Some(Prepared { variables, placed: None }));
    }
    let directory = private_directory(&session.context().env)?;
    let files = Files::place(&directory, &surroundings, handed)?;
    set_all(&mut variables, &surroundings, &files.paths);
    let is_ready = set_up_all(guard, &variables, &surroundings.setup, &files.paths, spawn).await?;
    Ok(is_ready.then_some(Prepared { variables, placed: Some((directory, files)) }))
}

/// Runs the command in these surroundings and returns its exit code.
///
/// Replaces this process where nothing has to be kept or removed; supervises otherwise.
pub(crate) async fn run(
    session: &Session,
    mut variables: Variables,
    surroundings: ChildEnv,
    handed: &[Handed],
    command: &[OsString],
) -> Result<u8, Failure> {
    let (program, arguments) =
        command.split_first().ok_or_else(|| Error::new(&codes::USAGE, "there is no command to run"))?;
    if surroundings.files.is_empty() && surroundings.setup.is_empty() {
        set_all(&mut variables, &surroundings, &BTreeMap::new());
        let error = variables.command(program).args(arguments).exec();
        return Err(start_failure(program, &error));
    }
    let guard = SignalGuard::install().map_err(|error| file_failure("signals cannot be taken", &error))?;
    let directory = private_directory(&session.context().env)?;
    supervise(&guard, &directory, session, variables, surroundings, handed, command, std::future::pending()).await
}

/// Runs the command as a child of this process, with private files that go when it ends. `beside` runs meanwhile, from
/// before the setup commands on.
#[allow(clippy::too_many_arguments, reason = "all that a child has around it")]
pub(crate) async fn supervise(
    guard: &SignalGuard,
    directory: &PrivateDirectory,
    session: &Session,
    mut variables: Variables,
    surroundings: ChildEnv,
    handed: &[Handed],
    command: &[OsString],
    beside: impl Future<Output = ()>,
) -> Result<u8, Failure> {
    let (program, arguments) =
        command.split_first().ok_or_else(|| Error::new(&codes::USAGE, "there is no command to run"))?;
    let mut files = Files::place(directory, &surroundings, handed)?;
    set_all(&mut variables, &surroundings, &files.paths);
    let paths = files.paths.clone();
    let work = async {
        if let Some(code) = prepare_all(guard, &variables, &surroundings.setup, &paths).await? {
            return Ok(code);
        }
        let ended = guard.spawn(variables.command(program).args(arguments));
        let ended = ended.map_err(|error| start_failure(program, &error))?;
        ended.await.map(exit_code).map_err(|_| Error::new(&codes::USAGE, "the child was lost").into())
    };
    tokio::select! {
        code = work => code,
        () = beside => Err(Error::new(&codes::USAGE, "what runs beside the child ended").into()),
        () = files.keep_fresh(session, directory) => Err(Error::new(&codes::USAGE, "the child was lost").into()),
    }
}

/// Runs the setup commands; the exit code if a signal ended them.
pub(crate) async fn prepare_all(
    guard: &SignalGuard,
    variables: &Variables,
    setup: &[SetupCommand],
    paths: &BTreeMap<String, PathBuf>,
) -> Result<Option<u8>, Failure> {
    // Only the result of the person's own command belongs on stdout.
    let spawn = |command: &mut Command| guard.spawn(command.stdout(std::io::stderr()));
    let is_ready = set_up_all(guard, variables, setup, paths, &spawn).await?;
    Ok((!is_ready).then(|| u8::try_from(128 + guard.interrupted().unwrap_or_default()).unwrap_or(u8::MAX)))
}

/// Runs the setup commands; `false` where a signal came meanwhile.
async fn set_up_all(
    guard: &SignalGuard,
    variables: &Variables,
    setup: &[SetupCommand],
    paths: &BTreeMap<String, PathBuf>,
    spawn: Spawn<'_>,
) -> Result<bool, Failure> {
    for setup in setup {
        let code = set_up(variables, setup, paths, spawn).await?;
        if guard.interrupted().is_some() {
            return Ok(false);
        }
        if code != 0 {
            return Err(Error::new(
                &SETUP_FAILED,
                format!("`{}` failed with exit code {code}, so the command was not run", setup.what),
            )
            .with_help("its own message stands above")
            .into());
        }
    }
    Ok(true)
}

pub(crate) fn set_all(variables: &mut Variables, surroundings: &ChildEnv, paths: &BTreeMap<String, PathBuf>) {
    for (name, value) in &surroundings.set {
        match value {
            ChildValue::Plain(text) => variables.set(name, text),
            ChildValue::Secret(secret) => variables.set(name, secret.reveal()),
            ChildValue::PathOf(id) => variables.set(name, paths.get(id).map(PathBuf::as_path).unwrap_or(Path::new(""))),
        }
    }
}

async fn set_up(
    variables: &Variables,
    setup: &SetupCommand,
    paths: &BTreeMap<String, PathBuf>,
    spawn: Spawn<'_>,
) -> Result<u8, Failure> {
    let path = |id: &String| paths.get(id).map(|path| path.clone().into_os_string()).unwrap_or_default();
    let arguments = setup.arguments.iter().map(|argument| match argument {
        Argument::Plain(text) => OsString::from(text),
        Argument::PathOf(id) => path(id),
        Argument::AtPathOf(id) => {
            let mut at = OsString::from("@");
            at.push(path(id));
            at
        }
    });
    let program = OsString::from(&setup.program);
    let mut command = variables.command(&program);
    command.args(arguments).stdin(std::process::Stdio::null());
    let ended = spawn(&mut command).map_err(|error| {
        Error::new(&SETUP_FAILED, format!("`{}` cannot be started, so the command was not run", setup.what))
            .with_cause(error.to_string())
            .with_help(format!("is `{}` installed, and in PATH?", setup.program))
    })?;
    ended.await.map(exit_code).map_err(|_| Error::new(&codes::USAGE, format!("`{}` was lost", setup.what)).into())
}

/// A directory for what only this run may read.
pub(crate) fn private_directory(env: &Env) -> Result<PrivateDirectory, Failure> {
    PrivateDirectory::create(env).map_err(|error| file_failure("the private directory cannot be made", &error))
}

pub(crate) fn file_failure(what: &str, error: &std::io::Error) -> Failure {
    Error::new(&PRIVATE_FILE, what)
        .with_cause(error.to_string())
        .with_help("federate needs a directory of its own under XDG_RUNTIME_DIR, TMPDIR or /tmp")
        .into()
}

/// Why a command could not be started, with the shell's exit codes for it.
pub(crate) fn start_failure(program: &OsString, error: &std::io::Error) -> Failure {
    let name = program.to_string_lossy();
    if error.kind() == std::io::ErrorKind::NotFound {
        let not_found = Error::new(&COMMAND_NOT_FOUND, format!("the command `{name}` was not found"))
            .with_help("check its spelling and PATH; no shell is involved, so aliases and built-ins do not work");
        Failure::from(not_found).with_exit_code(127)
    } else {
        let not_executable = Error::new(&COMMAND_NOT_EXECUTABLE, format!("the command `{name}` cannot be executed"))
            .with_cause(error.to_string());
        Failure::from(not_executable).with_exit_code(126)
    }
}

/// A secret or plain variable for `env`.
pub(crate) fn value_text(value: &ChildValue, paths: &BTreeMap<String, PathBuf>) -> (Secret, bool) {
    match value {
        ChildValue::Plain(text) => (Secret::new(text.clone()), false),
        ChildValue::Secret(secret) => (secret.clone(), true),
        ChildValue::PathOf(id) => {
            (Secret::new(paths.get(id).map(|path| path.display().to_string()).unwrap_or_default()), false)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn child(name: &str, value: &str) -> ChildEnv {
        let mut env = ChildEnv::default();
        env.plain(name, value);
        env
    }

    #[test]
    fn clouds_that_disagree_on_a_variable_are_named() {
        let error = merge(vec![("aws".into(), child("X", "1")), ("azure".into(), child("X", "2"))]).unwrap_err();
        assert_eq!(error.what(), "aws and azure would set X differently");
        assert_eq!(
            merge(vec![("aws".into(), child("X", "1")), ("azure".into(), child("X", "1"))]).unwrap().set.len(),
            1
        );
    }

    #[test]
    fn patterns_drop_what_they_name() {
        let env: Env =
            [("AWS_PROFILE", "x"), ("AWS_CONTAINER_CREDENTIALS_FULL_URI", "y"), ("PATH", "/bin")].into_iter().collect();
        let mut variables = Variables::inherit(&env);
        let dropped =
            variables.drop_matching(&[NamePattern::Exact("AWS_PROFILE"), NamePattern::Prefix("AWS_CONTAINER_")]);
        assert_eq!(dropped, ["AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_PROFILE"]);
        assert_eq!(variables.names().collect::<Vec<_>>(), ["PATH"]);
    }
}
