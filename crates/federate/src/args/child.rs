//! The arguments of what hands credentials over: `exec`, `env`, `serve`.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Args;
use clap::builder::BoolishValueParser;
use federate_core::HumanDuration;

use super::{Targets, variable};
use crate::formats::Format;

// How a child is prepared.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct Preparation {
    /// Keep variables that outrank or contradict the new credentials.
    #[arg(long, env = variable("FEDERATE_KEEP_ENV"), value_parser = BoolishValueParser::new())]
    pub(crate) keep_env: bool,
    /// Also take the job's own identity (ID tokens, token request URL) away from the command.
    #[arg(long, env = variable("FEDERATE_ISOLATE"), value_parser = BoolishValueParser::new())]
    pub(crate) isolate: bool,
    /// Log the az CLI in as well, under a private AZURE_CONFIG_DIR.
    #[arg(long, env = variable("FEDERATE_AZ_LOGIN"), value_parser = BoolishValueParser::new())]
    pub(crate) az_login: bool,
    /// Hand the credentials over by an endpoint on loopback that keeps them fresh while the command runs.
    #[arg(long, env = variable("FEDERATE_SERVE"), value_parser = BoolishValueParser::new())]
    pub(crate) serve: bool,
    /// How long the command will take: where the credentials would end before it, an endpoint keeps them fresh.
    #[arg(long, env = variable("FEDERATE_EXPECT_DURATION"), value_name = "DURATION")]
    pub(crate) expect_duration: Option<HumanDuration>,
}

#[derive(Clone, Debug, Default, Args)]
pub(crate) struct Exec {
    #[command(flatten)]
    pub(crate) targets: Targets,
    #[command(flatten)]
    pub(crate) preparation: Preparation,
    /// The command and its arguments; no shell is involved.
    #[arg(last = true, required = true, value_name = "CMD")]
    pub(crate) command: Vec<OsString>,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct Env {
    #[command(flatten)]
    pub(crate) targets: Targets,
    /// For which shell or CI system.
    #[arg(short, long, env = variable("FEDERATE_FORMAT"), value_enum, default_value_t, value_name = "FORMAT")]
    pub(crate) format: Format,
    /// Append to the CI's own file ($GITHUB_ENV, $BASH_ENV) instead of printing.
    #[arg(long, env = variable("FEDERATE_WRITE"), value_parser = BoolishValueParser::new())]
    pub(crate) write: bool,
    /// Where to keep the ID token for SDKs that read a token file; it stays there afterwards.
    #[arg(long, env = variable("FEDERATE_TOKEN_FILE"), value_name = "PATH")]
    pub(crate) token_file: Option<PathBuf>,
    /// Put secrets into a dotenv artifact (`-f gitlab`), which others can download.
    #[arg(long, env = variable("FEDERATE_ALLOW_ARTIFACT_SECRETS"), value_parser = BoolishValueParser::new())]
    pub(crate) allow_artifact_secrets: bool,
}

// An endpoint without a child.
#[derive(Clone, Debug, Args)]
pub(crate) struct Serve {
    #[command(flatten)]
    pub(crate) targets: Targets,
    /// For which shell or CI system the variables are printed.
    #[arg(short, long, env = variable("FEDERATE_FORMAT"), value_enum, default_value_t, value_name = "FORMAT")]
    pub(crate) format: Format,
    /// Append the variables to the CI's own file ($GITHUB_ENV, $BASH_ENV) instead of printing them.
    #[arg(long, env = variable("FEDERATE_WRITE"), value_parser = BoolishValueParser::new())]
    pub(crate) write: bool,
    /// Hand out neither ID tokens in files nor anything else that leads to the job's own identity.
    #[arg(long, env = variable("FEDERATE_ISOLATE"), value_parser = BoolishValueParser::new())]
    pub(crate) isolate: bool,
    /// Log the az CLI in as well, under a private AZURE_CONFIG_DIR.
    #[arg(long, env = variable("FEDERATE_AZ_LOGIN"), value_parser = BoolishValueParser::new())]
    pub(crate) az_login: bool,
    /// End once nobody has asked for this long.
    #[arg(long, env = variable("FEDERATE_IDLE_EXIT"), value_name = "DURATION")]
    pub(crate) idle_exit: Option<HumanDuration>,
    /// Keep the process's id in this file while it serves.
    #[arg(long, env = variable("FEDERATE_PID_FILE"), value_name = "PATH")]
    pub(crate) pid_file: Option<PathBuf>,
    /// Write a line to this file descriptor once requests are answered; systemd is told by itself ($NOTIFY_SOCKET).
    #[arg(long, env = variable("FEDERATE_READY_FD"), value_name = "N")]
    pub(crate) ready_fd: Option<u32>,
}
