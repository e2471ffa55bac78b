//! The command line.

use std::path::PathBuf;

use clap::builder::{BoolishValueParser, OsStr, Resettable};
use clap::{Args, CommandFactory as _, Parser, Subcommand, ValueEnum};
use federate_core::HumanDuration;

use crate::report::Output;

mod child;
mod clients;
mod each;
mod parse;
#[cfg(feature = "sandbox")]
mod sandbox;
mod trust;

pub(crate) use child::{Env, Exec, Preparation, Serve};
pub(crate) use clients::{AwsConfig, CacheCommand, Change, CredentialProcess, Keep, KubeToken, Kubeconfig};
pub(crate) use each::{Each, Grouping};
pub(crate) use parse::{Refusal, parse};
#[cfg(feature = "sandbox")]
pub(crate) use sandbox::Sandbox;
pub(crate) use trust::{Explain, Generate, Graph, GraphFormat, Level, Lint, Trust, TrustTest};

/// A CI job becomes someone in a cloud, without a stored key.
///
/// The job's own OIDC ID token is exchanged for short-lived credentials, chosen from layered profile files.
#[derive(Debug, Parser)]
#[command(name = "federate", version, propagate_version = true, max_term_width = 100, arg_required_else_help = true)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

// Flags of every command.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Profile and output")]
pub(crate) struct Global {
    /// Use this profile; repeat to lay one over another, the later wins.
    #[arg(short, long, global = true, env = variable("FEDERATE_PROFILE"), value_delimiter = ',', value_name = "NAME")]
    pub(crate) profile: Vec<String>,
    /// Where the profiles are, instead of the nearest `.federate/` or `profiles/`.
    #[arg(long, global = true, env = variable("FEDERATE_PROFILES_DIR"), value_name = "DIR")]
    pub(crate) profiles_dir: Option<PathBuf>,
    /// Set one key above all layers: `targets.aws.region=eu-west-1`.
    #[arg(long, global = true, env = variable("FEDERATE_SET"), value_delimiter = '\n', value_name = "KEY=VALUE")]
    pub(crate) set: Vec<String>,
    /// Accept `<profile>.local.toml` in CI too.
    #[arg(long, global = true, env = variable("FEDERATE_ALLOW_LOCAL"), value_parser = BoolishValueParser::new())]
    pub(crate) allow_local: bool,
    /// Print the result, and errors, as text or JSON.
    #[arg(short, long, global = true, env = variable("FEDERATE_OUTPUT"), value_enum, default_value_t, value_name = "FORMAT")]
    pub(crate) output: Output,
    /// Say more; twice says still more.
    #[arg(short, long, global = true, env = variable("FEDERATE_VERBOSE"), action = clap::ArgAction::Count, value_parser = verbosity)]
    pub(crate) verbose: u8,
    /// Say only warnings and errors.
    #[arg(short, long, global = true, env = variable("FEDERATE_QUIET"), value_parser = BoolishValueParser::new())]
    pub(crate) quiet: bool,
    /// Colours on stderr.
    #[arg(long, global = true, env = variable("FEDERATE_COLOR"), value_enum, default_value_t, value_name = "WHEN")]
    pub(crate) color: Color,
    /// For how long to try again when the cloud refuses, because its trust was changed just now.
    #[arg(long, global = true, env = variable("FEDERATE_WAIT_FOR_TRUST"), default_value = "0", value_name = "DURATION")]
    pub(crate) wait_for_trust: HumanDuration,
}

/// When to use colours.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
pub(crate) enum Color {
    /// On a terminal that can, unless NO_COLOR is set.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

// Which targets.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct Targets {
    /// Become this target; repeat for several, globs match (`prod-*`).
    #[arg(short, long = "target", env = variable("FEDERATE_TARGETS"), value_delimiter = ',', value_name = "NAME")]
    pub(crate) target: Vec<String>,
}

#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub(crate) enum Command {
    /// Run a command with the credentials in its environment only.
    Exec(Exec),
    /// Run a command once for each target, with that target's credentials only.
    Each(Each),
    /// Print the variables for a shell or a CI system.
    Env(Env),
    /// Print credentials as AWS SDKs want them of a `credential_process`.
    CredentialProcess(CredentialProcess),
    /// Show or remove the credentials that `credential-process` and `kube-token` keep for their next call.
    #[command(subcommand)]
    Cache(CacheCommand),
    /// Write the profile's targets into an AWS config file, as profiles that ask `federate credential-process`.
    AwsConfig(AwsConfig),
    /// Print a token for a Kubernetes cluster as kubectl wants it of a plug-in: EKS, AKS.
    KubeToken(KubeToken),
    /// Write a cluster into a kubeconfig file, with a user that asks `federate kube-token`.
    Kubeconfig(Kubeconfig),
    /// Hand credentials out by an endpoint on loopback that keeps them fresh, and print the variables that lead there.
    Serve(Serve),
    /// Print what an endpoint answers: what the profiles that `exec --serve` writes name as their `credential_process`.
    #[command(hide = true)]
    AskEndpoint {
        /// The file that holds the endpoint's token.
        secret_file: PathBuf,
        /// The address to ask.
        url: String,
    },
    /// Ask each cloud who the credentials are.
    Whoami(Targets),
    /// Walk the whole way of a token and say at each step what holds, what does not, and what to change.
    Doctor(Doctor),
    /// Show the ID token's claims, its signature verified where the issuer can be reached.
    Token(Token),
    /// Show what would be asked of whom, without the network.
    Plan(Targets),
    /// List, show and check profiles.
    #[command(subcommand)]
    Profile(Profile),
    /// Read the token and the cloud's trust side by side, offline.
    #[command(subcommand)]
    Trust(Trust),
    /// List the identity and target adapters.
    Adapters,
    /// Try everything on this machine: a loopback issuer and clouds that verify tokens as the real ones do.
    #[cfg(feature = "sandbox")]
    Sandbox(Sandbox),
    /// Print a shell's completion script.
    Completions {
        /// Which shell.
        shell: clap_complete::Shell,
    },
    /// Print the manual page, or write one for every command into a directory.
    Man {
        /// Write `federate*.1` here instead of printing the main page.
        #[arg(long, env = variable("FEDERATE_DIRECTORY"), value_name = "DIR")]
        directory: Option<PathBuf>,
    },
    /// Print a page of the reference, made from the program itself.
    #[command(hide = true)]
    Reference {
        /// Which page.
        page: ReferencePage,
    },
}

/// Pages of `docs/` that are generated.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum ReferencePage {
    /// `docs/commands.md`
    Commands,
    /// `docs/errors.md`
    Errors,
    /// `docs/variables.md`
    Variables,
    /// `docs/profiles-reference.md`
    Profiles,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct Doctor {
    #[command(flatten)]
    pub(crate) targets: Targets,
    /// Judge the targets' trust by these claims, `-` for stdin, where no token can be had: a token's payload, or what
    /// `federate token -o json` printed. Nothing is exchanged then.
    #[arg(long, env = variable("FEDERATE_CLAIMS"), value_name = "FILE")]
    pub(crate) claims: Option<PathBuf>,
    /// Ask nobody: do only what needs no network.
    #[arg(long, env = variable("FEDERATE_OFFLINE"), value_parser = BoolishValueParser::new())]
    pub(crate) offline: bool,
    /// How long one step may take.
    #[arg(long, env = variable("FEDERATE_TIMEOUT"), default_value = "5s", value_name = "DURATION")]
    pub(crate) timeout: HumanDuration,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct Token {
    #[command(flatten)]
    pub(crate) targets: Targets,
    /// Ask for this audience, instead of the target's.
    #[arg(long, env = variable("FEDERATE_AUDIENCE"), value_name = "AUDIENCE")]
    pub(crate) audience: Option<String>,
    /// Print the JWT itself.
    #[arg(long, env = variable("FEDERATE_RAW"), value_parser = BoolishValueParser::new())]
    pub(crate) raw: bool,
    /// Print the JWT to a terminal too.
    #[arg(long, env = variable("FEDERATE_FORCE"), requires = "raw", value_parser = BoolishValueParser::new())]
    pub(crate) force: bool,
}

#[derive(Clone, Debug, Subcommand)]
#[command(defer = true)]
pub(crate) enum Profile {
    /// List the profiles of the directory.
    List,
    /// Print the effective settings.
    Show {
        /// Print where every value comes from.
        #[arg(long, env = variable("FEDERATE_ORIGIN"), value_parser = BoolishValueParser::new())]
        origin: bool,
    },
    /// Check every profile of the directory, or those named by -p.
    Validate,
    /// Print the JSON Schema of a layer file.
    Schema,
}

/// Everything, where parsing itself makes only what is asked for.
pub(crate) fn command() -> clap::Command {
    let mut command = Cli::command();
    command.build();
    command
}

/// A flag's variable. CI systems set variables to nothing where a job has no value for them: that counts as not set.
fn variable(name: &'static str) -> Resettable<OsStr> {
    match std::env::var_os(name) {
        Some(value) if value.is_empty() => Resettable::Reset,
        _ => Resettable::Value(name.into()),
    }
}

/// What `FEDERATE_VERBOSE` says: how often `-v` is given, or yes or no.
fn verbosity(text: &str) -> Result<u8, String> {
    match text.trim().to_ascii_lowercase().as_str() {
        "true" | "yes" | "on" => Ok(1),
        "false" | "no" | "off" => Ok(0),
        number => number.parse().map_err(|_| "write a number, `true` or `false`".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definition_is_sound() {
        command().debug_assert();
    }

    #[test]
    fn every_flag_has_a_variable() {
        fn check(command: &clap::Command) {
            for argument in command.get_arguments().filter(|argument| !argument.is_positional()) {
                if ["help", "version"].contains(&argument.get_id().as_str()) {
                    continue;
                }
                let variable = argument.get_env().and_then(|name| name.to_str()).unwrap_or_default();
                assert!(variable.starts_with("FEDERATE_"), "{} {}", command.get_name(), argument.get_id());
            }
            command.get_subcommands().for_each(check);
        }
        check(&command());
    }

    #[test]
    fn help_names_every_format_that_can_be_generated() {
        let mut cli = command();
        let trust = cli.find_subcommand_mut("trust").unwrap();
        let help = trust.find_subcommand_mut("generate").unwrap().render_long_help().to_string();
        for format in crate::registry::trust_models().iter().flat_map(|model| model.formats()) {
            assert!(
                help.split_whitespace().any(|word| word.trim_end_matches([',', '.']) == format.name),
                "{}",
                format.name
            );
        }
    }
}
