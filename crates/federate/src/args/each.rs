//! The arguments of `federate each`.

use std::ffi::OsString;
use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::builder::BoolishValueParser;
use clap::{Args, ValueEnum};

use super::{Preparation, Targets, variable};

// What to run for each target, and how much of it at once.
#[derive(Clone, Debug, Args)]
pub(crate) struct Each {
    #[command(flatten)]
    pub(crate) targets: Targets,
    /// How many commands run at once. Default: the number of processors, but at least 4. With more than one, a command's
    /// standard input is empty, and it runs in a process group of its own, to which signals are passed on.
    #[arg(short, long, env = variable("FEDERATE_JOBS"), value_name = "N")]
    pub(crate) jobs: Option<NonZeroUsize>,
    /// Go on after a command failed or a target was refused. Without it, nothing runs unless every target gives credentials,
    /// and after a failure no further command is started.
    #[arg(short, long, env = variable("FEDERATE_KEEP_GOING"), value_parser = BoolishValueParser::new())]
    pub(crate) keep_going: bool,
    /// Show each command's output as one section, instead of the target's name before each line. Default: in CI systems
    /// whose logs have sections.
    #[arg(
        long, env = variable("FEDERATE_GROUP"), value_enum, value_name = "WHEN", num_args = 0..=1, require_equals = true,
        default_value_t, default_missing_value = "always"
    )]
    pub(crate) group: Grouping,
    /// Write the summary as JSON into this file.
    #[arg(long, env = variable("FEDERATE_SUMMARY"), value_name = "FILE")]
    pub(crate) summary: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) preparation: Preparation,
    /// The command and its arguments; no shell is involved. `{target}`, `{account}` and `{region}` in them stand for the
    /// target's name, its account (in Azure: the subscription) and its region.
    #[arg(last = true, required = true, value_name = "CMD")]
    pub(crate) command: Vec<OsString>,
}

/// When output is shown in sections.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Grouping {
    /// Where the CI's log has sections.
    #[default]
    Auto,
    /// Everywhere.
    Always,
    /// Nowhere.
    Never,
}
