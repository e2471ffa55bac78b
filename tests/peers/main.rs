//! Real clients on what federate hands out: the AWS CLI, boto3, azure-identity, the az CLI, Terraform, the Kubernetes
//! client and moto; the programs that read what it draws; and the clouds' own tools on what it generates: cfn-lint,
//! Terraform, the AWS CDK, shellcheck, grammars of HCL and Bicep.
//!
//! `FEDERATE_PEERS=required` makes a client that is not there a failure; `FEDERATE_PEERS=skip` leaves all of them out;
//! `FEDERATE_PEERS_AZ=install` installs the az CLI (780 MB), which is otherwise used where it is already.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(clippy::print_stderr, reason = "a client that is not there has to be seen")]

mod aws_cli;
mod az;
mod azure_identity;
mod bodies;
mod boto3;
mod cdk;
mod generated;
mod graph;
mod job;
mod keyring;
mod kubernetes;
mod moto;
mod npm;
mod recorder;
mod scripts;
mod served;
mod terraform;
mod venv;
#[path = "../cli/support.rs"]
#[allow(dead_code, reason = "the tests of the command line use more of it")]
mod workshop;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::OnceLock;

use libtest_mimic::{Arguments, Failed, Trial};

/// Where a client's programs are, or why it is not there.
type Peer = Result<PathBuf, String>;

/// A test of a client, given the folder with its programs.
type Test = fn(&Path);

/// A client and its tests.
struct Suite {
    client: &'static str,
    find: fn() -> Peer,
    tests: &'static [(&'static str, Test)],
    /// Whether this run can be asked to have it: what no package index has is used where it is.
    can_be_required: bool,
}

impl Suite {
    const fn new(client: &'static str, find: fn() -> Peer, tests: &'static [(&'static str, Test)]) -> Self {
        Self { client, find, tests, can_be_required: true }
    }
}

const SUITES: &[Suite] = &[
    Suite::new("moto", python, moto::TESTS),
    Suite::new("aws_cli", python, aws_cli::TESTS),
    Suite::new("boto3", python, boto3::TESTS),
    Suite::new("azure_identity", python, azure_identity::TESTS),
    Suite::new("bodies", python, bodies::TESTS),
    Suite::new("graph", graph::find, graph::TESTS),
    Suite::new("served", python, served::TESTS),
    Suite::new("kubernetes", kubernetes::find, kubernetes::TESTS),
    Suite { can_be_required: false, ..Suite::new("keyring", keyring::find, keyring::TESTS) },
    Suite::new("az", az::find, az::TESTS),
    Suite { can_be_required: false, ..Suite::new("terraform", terraform::find, terraform::TESTS) },
    Suite::new("generated", tools, generated::TESTS),
    Suite { can_be_required: false, ..Suite::new("generated_terraform", terraform::find, generated::TERRAFORM) },
    Suite::new("generated_scripts", python, scripts::TESTS),
    Suite::new("generated_cdk", cdk::find, cdk::TESTS),
];

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let mode = std::env::var("FEDERATE_PEERS").unwrap_or_default();
    let mut trials = Vec::new();
    for suite in SUITES {
        let name = |test: &str| format!("{}::{test}", suite.client);
        let is_wanted = !arguments.list && suite.tests.iter().any(|(test, _)| is_selected(&arguments, &name(test)));
        let peer = match mode.as_str() {
            _ if !is_wanted => Ok(PathBuf::new()),
            "skip" => Err("FEDERATE_PEERS=skip".to_owned()),
            _ => (suite.find)(),
        };
        let is_failure = mode == "required" && suite.can_be_required;
        if let Err(why) = &peer {
            let word = if is_failure { "MISSING" } else { "SKIPPED" };
            eprintln!("{word} {} ({} tests): {why}", suite.client, suite.tests.len());
        }
        trials.extend(suite.tests.iter().map(|(test, run)| trial(&name(test), &peer, *run, is_failure)));
    }
    libtest_mimic::run(&arguments, trials).exit_code()
}

/// The Python clients, in an environment of their own.
fn python() -> Peer {
    static PROGRAMS: OnceLock<Peer> = OnceLock::new();
    PROGRAMS.get_or_init(|| venv::programs(include_str!("requirements.txt"))).clone()
}

/// The tools that know what is generated, in an environment of their own.
fn tools() -> Peer {
    venv::programs(include_str!("requirements-tools.txt"))
}

/// A test that is ignored where its client is not there, or fails if that is a failure.
fn trial(name: &str, peer: &Peer, test: Test, missing_is_failure: bool) -> Trial {
    let is_missing = peer.is_err();
    let peer = peer.clone();
    let run = move || {
        let programs = peer.map_err(Failed::from)?;
        test(&programs);
        Ok(())
    };
    Trial::test(name, run).with_ignored_flag(is_missing && !missing_is_failure)
}

/// Whether this test would run: nothing is installed for a filter that leaves it out.
fn is_selected(arguments: &Arguments, name: &str) -> bool {
    let fits = |pattern: &String| if arguments.exact { name == pattern } else { name.contains(pattern.as_str()) };
    arguments.filter.as_ref().is_none_or(fits) && !arguments.skip.iter().any(fits)
}
