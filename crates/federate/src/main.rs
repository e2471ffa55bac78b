//! `federate`: a CI job becomes someone in a cloud, without a stored key.

mod args;
mod cache;
mod child;
mod commands;
mod edited;
mod endpoint;
mod files;
mod formats;
mod guardian;
mod host;
mod invocation;
mod kubeconfig;
mod notify;
mod private;
mod processes;
mod registry;
mod report;
mod setup;
mod signals;

use std::process::ExitCode;

use commands::exec::ISOLATED;

fn main() -> ExitCode {
    let arguments: Vec<std::ffi::OsString> = std::env::args_os().collect();
    if let Some(code) = guardian::watch(&arguments) {
        return ExitCode::from(code);
    }
    let outcome = match args::parse(&arguments) {
        Ok(cli) => commands::run(cli),
        Err(args::Refusal::Shown(code)) => return ExitCode::from(code),
        Err(args::Refusal::Usage(failure)) => Err(failure),
    };
    match outcome {
        Ok(code) => ExitCode::from(code),
        Err(failure) if std::env::var_os(ISOLATED).is_some() => ExitCode::from(failure.where_isolated().print()),
        Err(failure) => ExitCode::from(failure.print()),
    }
}
