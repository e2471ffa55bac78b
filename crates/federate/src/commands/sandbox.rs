//! `federate sandbox`: the main job on this machine, without any account.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::process::Command as Process;
use std::sync::Arc;
use std::time::Duration;

use federate_core::suggest::nearest;
use federate_core::{ChildValue, Error, HumanDuration, IdToken, Reporter as _, Secret, codes};
use federate_profile::Profile;
use federate_sandbox::{Job, Lifetimes, Options, Sandbox, SandboxTarget};

use super::trust::document;
use super::written;
use crate::args;
use crate::child::{Variables, start_failure};
use crate::formats::Variable;
use crate::private::PrivateDirectory;
use crate::report::{Failure, print_result, stdout_is_terminal};
use crate::setup::{Start, located};
use crate::signals::{SignalGuard, exit_code};

mod tour;

pub(crate) async fn run(start: &Start, arguments: args::Sandbox) -> Result<u8, Failure> {
    let ci = federate_sandbox::ci_systems().iter().find(|system| system.name() == arguments.ci);
    let Some(ci) = ci else {
        let known: Vec<&str> = federate_sandbox::ci_systems().iter().map(|system| system.name()).collect();
        return Err(Error::new(&codes::USAGE, format!("the sandbox plays no CI system `{}`", arguments.ci))
            .with_help(format!("it plays {}", known.join(" and ")))
            .into());
    };
    let lifetimes = lifetimes(&arguments)?;
    let claims = arguments.claim.iter().map(|claim| claim_pair(claim)).collect::<Result<Vec<_>, _>>()?;
    let mut stage = stage(start, ci.name())?;
    trust_files(&arguments.trust, &mut stage.targets)?;
    let guard = SignalGuard::install()
        .map_err(|error| Error::new(&codes::USAGE, "signals cannot be taken").with_cause(error.to_string()))?;
    let directory = PrivateDirectory::create(&start.env).map_err(|error| {
        Error::new(&crate::child::PRIVATE_FILE, "the sandbox's private directory cannot be made")
            .with_cause(error.to_string())
    })?;
    let stderr = start.stderr;
    let options = Options {
        port: arguments.port,
        targets: stage.targets,
        job: Job { ci: ci.name().to_owned(), issuer: stage.issuer, claims, token_env: stage.token_env },
        throttle: arguments.throttle,
        lifetimes,
        directory: directory.path().to_owned(),
    };
    let sandbox = Sandbox::start(options, Arc::new(move |event| stderr.note(&format!("sandbox: {event}")))).await?;
    for endpoint in &stage.rerouted {
        stderr.note(&format!("sandbox: {endpoint} leads to {}", sandbox.url()));
    }
    let variables = job_variables(start, &sandbox, stage.directory.as_deref());
    if let Some((program, rest)) = arguments.command.split_first() {
        return serve_while(&sandbox, run_child(&guard, &variables, program, rest)).await;
    }
    if arguments.tour || stdout_is_terminal() {
        let guided = serve_while(&sandbox, tour::run(start, &guard, &variables, *ci, &arguments.trust)).await;
        if arguments.tour {
            return guided;
        }
        // Whoever asked for a sandbox gets one, whatever became of the run.
        if let Err(failure) = guided {
            failure.print();
        }
    }
    let shown: Vec<Variable> = sandbox
        .environment()
        .into_iter()
        .map(|(name, value)| match value {
            ChildValue::Secret(value) => Variable { name, value, is_secret: true },
            ChildValue::Plain(value) | ChildValue::PathOf(value) => {
                Variable { name, value: Secret::new(value), is_secret: false }
            }
        })
        .collect();
    written(print_result(arguments.format.render(&shown, &[])?.reveal()))?;
    stderr.note(&format!("sandbox: serving at {} until interrupted", sandbox.url()));
    let interrupted = async {
        loop {
            if let Some(signal) = guard.interrupted() {
                return Ok(u8::try_from(128 + signal).unwrap_or(u8::MAX));
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    };
    serve_while(&sandbox, interrupted).await
}

/// Clouds and CI systems count in seconds.
fn lifetimes(arguments: &args::Sandbox) -> Result<Lifetimes, Error> {
    let seconds = |flag: &str, given: Option<HumanDuration>| match given {
        Some(duration) if duration.as_secs() == 0 => {
            Err(Error::new(&codes::USAGE, format!("{flag} {duration} is less than a second"))
                .with_help("write it like 3s"))
        }
        given => Ok(given.map(|duration| Duration::from_secs(duration.as_secs()))),
    };
    Ok(Lifetimes {
        credentials: seconds("--credential-lifetime", arguments.credential_lifetime)?,
        tokens: seconds("--token-lifetime", arguments.token_lifetime)?,
    })
}

fn claim_pair(text: &str) -> Result<(String, String), Error> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err(Error::new(&codes::USAGE, format!("--claim {text} is not KEY=VALUE"))
            .with_help("write it like --claim ref=feature")),
    }
}

/// What the sandbox has to know of the profiles.
struct Stage {
    targets: Vec<SandboxTarget>,
    issuer: Option<federate_core::Issuer>,
    token_env: Option<String>,
    directory: Option<PathBuf>,
    rerouted: Vec<String>,
}

/// Every target of the profiles named, else of every profile in the directory.
fn stage(start: &Start, ci: &str) -> Result<Stage, Failure> {
    let base = start.options(&[]);
    let selections: Vec<Vec<String>> = if base.profiles.is_empty() {
        let listed = federate_profile::list(&start.registry, &base)?;
        if listed.is_empty() { vec![Vec::new()] } else { listed.into_iter().map(|one| vec![one.name]).collect() }
    } else {
        vec![base.profiles.clone()]
    };
    let default = if base.profiles.is_empty() { Some(start.load(&[])?) } else { None };
    let mut stage = Stage { targets: Vec::new(), issuer: None, token_env: None, directory: None, rerouted: Vec::new() };
    // The default profile first: the job is made from the first `allow` entry that fits the CI.
    let mut profiles: Vec<Profile> = default.into_iter().collect();
    for names in selections {
        let mut options = start.options(&[]);
        options.profiles = names;
        let profile = federate_profile::load(&start.registry, &options)?;
        if !profiles.iter().any(|known| known.names() == profile.names()) {
            profiles.push(profile);
        }
    }
    for profile in &profiles {
        add_profile(start, profile, ci, &mut stage)?;
    }
    Ok(stage)
}

fn add_profile(start: &Start, profile: &Profile, ci: &str, stage: &mut Stage) -> Result<(), Failure> {
    let context = start.context(profile)?;
    stage.directory = stage.directory.take().or_else(|| profile.directory().map(Path::to_owned));
    if let Some(settings) = profile.identity_settings(ci) {
        let text = |key: &str| settings.get(key).and_then(|value| value.as_str()).map(str::to_owned);
        stage.issuer = stage
            .issuer
            .take()
            .or_else(|| text("issuer").and_then(|issuer| federate_core::Issuer::parse(&issuer).ok()));
        stage.token_env = stage.token_env.take().or_else(|| text("token_env"));
    }
    let provider = start.registry.identities().iter().find(|kind| kind.kind == ci).map(|kind| kind.default_provider());
    let customary = stage
        .issuer
        .as_ref()
        .map(|issuer| issuer.as_str().to_owned())
        .filter(|_| provider.as_ref().is_some_and(|provider| provider.customary_audience(&context).is_some()));
    let customary = customary.or_else(|| provider.and_then(|provider| provider.customary_audience(&context)));
    for name in profile.target_names() {
        let target = profile.as_written(name).map_err(|errors| located(profile, errors))?;
        let settings = profile.settings(name).unwrap_or_default();
        let allow = profile.allow(&context, name).map_err(|errors| located(profile, errors))?;
        let trust =
            match profile.trust(name).and_then(|section| Some((section.policy.as_deref()?, section.only.as_deref()))) {
                None => None,
                Some((path, only)) => {
                    let located = document(path, Some(target.kind()), only, "`only` beside `policy` in the profile");
                    Some(Arc::from(located.map_err(|errors| located_in(profile, name, errors))?.document))
                }
            };
        let kind = start.registry.targets().iter().find(|kind| kind.kind == target.kind());
        for key in kind.map(|kind| kind.endpoint_keys).unwrap_or_default() {
            if let Some(endpoint) = settings.get(*key).and_then(|value| value.as_str()) {
                let line = format!("{endpoint} ({key} of target {name})");
                if !stage.rerouted.contains(&line) {
                    stage.rerouted.push(line);
                }
            }
        }
        stage.targets.push(SandboxTarget {
            profile: profile.label(),
            name: name.to_owned(),
            kind: target.kind().to_owned(),
            settings,
            audiences: target.audiences(customary.as_deref()),
            allow,
            trust,
        });
    }
    Ok(())
}

fn located_in(profile: &Profile, target: &str, errors: Vec<Error>) -> Failure {
    let setting = format!("targets.{target}.trust.policy");
    located(profile, errors.into_iter().map(|error| error.with_setting(setting.clone())).collect())
}

/// `--trust TARGET=FILE`: what the cloud has, in place of what the profile says.
fn trust_files(pairs: &[String], targets: &mut [SandboxTarget]) -> Result<(), Failure> {
    for pair in pairs {
        let Some((name, file)) = pair.split_once('=').filter(|(name, file)| !name.is_empty() && !file.is_empty())
        else {
            return Err(Error::new(&codes::USAGE, format!("--trust {pair} is not TARGET=FILE"))
                .with_help("write it like --trust aws=trust/deploy.json")
                .into());
        };
        let known: BTreeSet<String> = targets.iter().map(|target| target.name.clone()).collect();
        if !known.contains(name) {
            let error = Error::new(&codes::USAGE, format!("--trust names a target `{name}` that no profile has"));
            return Err(match nearest(name, known.iter().map(String::as_str)) {
                Some(near) => error.with_help(format!("did you mean `{near}`?")),
                None if known.is_empty() => {
                    error.with_help("no profile here has any target; name the folder with --profiles-dir")
                }
                None => error.with_help(format!("there are {}", known.into_iter().collect::<Vec<_>>().join(", "))),
            }
            .into());
        }
        for target in targets.iter_mut().filter(|target| target.name == name) {
            let located = document(Path::new(file), Some(&target.kind), None, "a file that holds this target's alone")?;
            target.trust = Some(Arc::from(located.document));
        }
    }
    Ok(())
}

/// The job's environment: without what a real job or login left, with what the sandbox gives, and this program in PATH.
fn job_variables(start: &Start, sandbox: &Sandbox, profiles: Option<&Path>) -> Variables {
    let mut variables = Variables::inherit(&start.env);
    variables.remove_tokens();
    variables.drop_matching(&sandbox.removed());
    for (name, value) in sandbox.environment() {
        match value {
            ChildValue::Secret(secret) => variables.set(&name, secret.reveal()),
            ChildValue::Plain(text) | ChildValue::PathOf(text) => variables.set(&name, text),
        }
    }
    if let Some(folder) = std::env::current_exe().ok().as_deref().and_then(Path::parent) {
        let path = start.env.get("PATH").unwrap_or("/usr/local/bin:/usr/bin:/bin");
        variables.set("PATH", format!("{}:{path}", folder.display()));
    }
    // The layers that are no files are as much of the profile as the sandbox's cloud has read.
    let layers = start.env.iter().filter(|(name, _)| name.starts_with("FEDERATE__"));
    for (name, value) in layers.filter(|(_, value)| !IdToken::looks_like_one(value)) {
        variables.set(name, value);
    }
    if !start.global.set.is_empty() {
        variables.set("FEDERATE_SET", start.global.set.join("\n"));
    }
    if !start.global.profile.is_empty() {
        variables.set("FEDERATE_PROFILE", start.global.profile.join(","));
    }
    if let Some(directory) = profiles {
        variables.set("FEDERATE_PROFILES_DIR", directory.as_os_str());
    }
    variables
}

async fn serve_while<T>(sandbox: &Sandbox, work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    tokio::select! {
        result = work => result,
        () = sandbox.serve() => Err(Error::new(&codes::SERVICE_ERROR, "the sandbox ended by itself").into()),
    }
}

async fn run_child(
    guard: &SignalGuard,
    variables: &Variables,
    program: &OsString,
    rest: &[OsString],
) -> Result<u8, Failure> {
    let mut command: Process = variables.command(program);
    let ended = guard.spawn(command.args(rest)).map_err(|error| start_failure(program, &error))?;
    ended.await.map(exit_code).map_err(|_| Error::new(&codes::USAGE, "the child was lost").into())
}
