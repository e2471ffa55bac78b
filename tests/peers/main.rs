//! Real clients on what federate hands out: moto, the aws CLI, boto3, azure-identity, az.
//!
//! They are installed into `target/peers`. One that cannot be had is skipped loudly, or fails the run where
//! `FEDERATE_PEERS=required` is set, as in CI. az weighs 730 MB: it is used where it is there, and installed where
//! `FEDERATE_PEERS_AZ=install` asks for it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test fails by panicking"
)]

mod aws;
mod azure;
mod bodies;
mod moto;
#[path = "../cli/support.rs"]
#[allow(dead_code, reason = "what the command line's tests need besides")]
mod support;
mod venv;
mod workshop;

use libtest_mimic::{Arguments, Trial};

use venv::Peer;

/// One test: its name, and what it does with the folder of the clients' programs.
type Test = (&'static str, fn(&std::path::Path));

fn main() {
    let arguments = Arguments::from_args();
    // Listing must not install anything.
    let clients = if arguments.list { Peer::Ready(std::path::PathBuf::new()) } else { venv::clients() };
    let az = if arguments.list { Peer::Ready(std::path::PathBuf::new()) } else { venv::az() };
    let mut trials = Vec::new();
    for (tests, peer) in [
        (aws::TESTS, &clients),
        (azure::TESTS, &clients),
        (bodies::TESTS, &clients),
        (moto::TESTS, &clients),
        (azure::AZ_TESTS, &az),
    ] {
        trials.extend(tests.iter().map(|test| trial(*test, peer)));
    }
    libtest_mimic::run(&arguments, trials).exit();
}

fn trial((name, run): Test, peer: &Peer) -> Trial {
    match peer.clone() {
        Peer::Ready(bin) => Trial::test(name, move || {
            run(&bin);
            Ok(())
        }),
        Peer::Missing(why) if venv::are_required() => Trial::test(name, move || Err(why.into())),
        Peer::Missing(why) => {
            eprintln!("SKIPPED {name}: {why}");
            Trial::test(name, || Ok(())).with_ignored_flag(true)
        }
    }
}
