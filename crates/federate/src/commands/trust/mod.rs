//! `federate trust`: the token and the cloud's trust, side by side.

mod allow;
mod explain;
mod folder;
mod generate;
mod graph;
mod input;
mod keys;
mod lint;
mod own;
mod refusal;
mod sarif;
mod source;
mod test;

pub(crate) use input::claims;
#[cfg(feature = "sandbox")]
pub(crate) use input::document;
pub(crate) use lint::of_target as lint_target;
pub(crate) use own::of_target as trust_of_target;
pub(crate) use refusal::{explained, sentence};

use crate::args::Trust;
use crate::report::Failure;
use crate::setup::Start;

/// Exit code of a check that found something.
const FOUND: u8 = 1;

pub(crate) async fn run(start: &Start, command: Trust) -> Result<u8, Failure> {
    match command {
        Trust::Explain(arguments) => explain::run(start, arguments).await,
        Trust::Lint(arguments) => lint::run(start, &arguments),
        Trust::Test(arguments) => test::run(start, &arguments),
        Trust::Graph(arguments) => graph::run(start, &arguments),
        Trust::Generate(arguments) => generate::run(start, &arguments),
    }
}
