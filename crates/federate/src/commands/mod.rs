//! One file a command.

mod adapters;
mod ask_endpoint;
mod aws_config;
mod cache;
mod credential_process;
mod doctor;
mod each;
mod env;
pub(crate) mod exec;
mod issuer;
mod kube_token;
mod kubeconfig;
mod manual;
mod plan;
mod profile;
#[cfg(feature = "sandbox")]
mod sandbox;
mod serve;
mod token;
pub(crate) mod trust;
mod whoami;

use std::future::Future;

use federate_core::{Error, codes};
use federate_profile::Profile;

use crate::args::{Cli, Command};
use crate::formats::Format;
use crate::report::{Failure, Output};
use crate::setup::Start;

/// Runs the command and returns the exit code.
pub(crate) fn run(cli: Cli) -> Result<u8, Failure> {
    let output = match &cli.command {
        Command::Env(arguments) if arguments.format == Format::Json => Output::Json,
        _ => cli.global.output,
    };
    if output == Output::Sarif && !matches!(cli.command, Command::Trust(crate::args::Trust::Lint(_))) {
        return Err(Error::new(&codes::USAGE, "-o sarif is for `trust lint` only").into());
    }
    let mut start = Start::new(cli.global);
    crate::private::sweep(&start.env);
    // Programs run these and show what they say only if they fail; whoever gives -v wants to see it.
    let is_for_programs =
        matches!(cli.command, Command::CredentialProcess(_) | Command::KubeToken(_) | Command::AskEndpoint { .. });
    if is_for_programs && start.global.verbose == 0 {
        start.stderr.verbosity = crate::report::SILENT;
    }
    let result = match cli.command {
        Command::Exec(arguments) => {
            block_on(exec::run(&start, arguments)).map_err(|failure| failure.with_exit_code(125))
        }
        Command::Each(arguments) => {
            block_on(each::run(&start, arguments)).map_err(|failure| failure.with_exit_code(125))
        }
        Command::Env(arguments) => block_on(env::run(&start, arguments)),
        Command::CredentialProcess(arguments) => block_on(credential_process::run(&start, arguments)),
        Command::Doctor(arguments) => block_on(doctor::run(&start, arguments)),
        Command::Serve(arguments) => block_on(serve::run(&start, arguments)),
        Command::AskEndpoint { secret_file, url } => block_on(ask_endpoint::run(&secret_file, &url)),
        Command::Cache(command) => cache::run(&start, command),
        Command::AwsConfig(arguments) => aws_config::run(&start, arguments),
        Command::KubeToken(arguments) => block_on(kube_token::run(&start, arguments)),
        Command::Kubeconfig(arguments) => kubeconfig::run(&start, arguments),
        Command::Whoami(targets) => block_on(whoami::run(&start, targets)),
        Command::Token(arguments) => block_on(token::run(&start, arguments)),
        Command::Plan(targets) => plan::run(&start, targets),
        Command::Profile(command) => profile::run(&start, command),
        Command::Trust(command) => block_on(trust::run(&start, command)),
        Command::Adapters => adapters::run(&start),
        #[cfg(feature = "sandbox")]
        Command::Sandbox(arguments) => {
            block_on(sandbox::run(&start, arguments)).map_err(|failure| failure.with_exit_code(125))
        }
        Command::Completions { shell } => manual::completions(shell),
        Command::Man { directory } => manual::man(directory),
        Command::Reference { page } => manual::reference(&start, page),
    };
    result.map_err(|failure| failure.with_output(output))
}

fn block_on<F: Future<Output = Result<u8, Failure>>>(future: F) -> Result<u8, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Error::new(&codes::USAGE, "the runtime cannot be started").with_cause(error.to_string()))?;
    let result = runtime.block_on(future);
    // A name that is still being resolved must not hold up the exit.
    runtime.shutdown_background();
    result
}

/// A result that could not be written.
pub(crate) fn written(result: std::io::Result<()>) -> Result<u8, Failure> {
    match result {
        Ok(()) => Ok(0),
        Err(error) => Err(Error::new(&codes::USAGE, "the result cannot be written to stdout")
            .with_cause(error.to_string())
            .into()),
    }
}

/// The one target that is selected.
pub(crate) fn only_target(profile: &Profile, patterns: &[String], command: &str) -> Result<String, Error> {
    let mut names = profile.matching(patterns)?;
    match (names.pop(), names.is_empty()) {
        (Some(name), true) => Ok(name),
        (last, _) => {
            names.extend(last);
            let what = format!("{command} is for one target, and {} are selected: {}", names.len(), names.join(", "));
            Err(Error::new(&codes::USAGE, what).with_help("select one with -t"))
        }
    }
}
