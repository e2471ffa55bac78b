//! The arguments of `federate sandbox`.

use std::ffi::OsString;

use clap::Args;
use clap::builder::BoolishValueParser;
use federate_core::HumanDuration;

use super::variable;
use crate::formats::Format;

#[derive(Clone, Debug, Args)]
pub(crate) struct Sandbox {
    /// Which CI system's job to play.
    #[arg(long, env = variable("FEDERATE_CI"), value_name = "NAME", default_value = "gitlab")]
    pub(crate) ci: String,
    /// Change one claim of the job's tokens: `ref=feature`, `environment=production`.
    #[arg(long, env = variable("FEDERATE_CLAIM"), value_delimiter = '\n', value_name = "KEY=VALUE")]
    pub(crate) claim: Vec<String>,
    /// Let this trust configuration decide about a target, as the cloud would: `aws=trust/deploy.json`.
    #[arg(long, env = variable("FEDERATE_TRUST"), value_delimiter = '\n', value_name = "TARGET=FILE")]
    pub(crate) trust: Vec<String>,
    /// Let the clouds throttle this part of the calls: `0.5` every other one.
    #[arg(long, env = variable("FEDERATE_THROTTLE"), value_name = "FRACTION", default_value_t = 0.0, value_parser = fraction)]
    pub(crate) throttle: f64,
    /// Show a guided run of the main job, step by step, and end.
    #[arg(long, env = variable("FEDERATE_TOUR"), conflicts_with = "command", value_parser = BoolishValueParser::new())]
    pub(crate) tour: bool,
    /// Let credentials live no longer than this, to see how they are renewed: `3s`.
    #[arg(long, env = variable("FEDERATE_CREDENTIAL_LIFETIME"), value_name = "DURATION")]
    pub(crate) credential_lifetime: Option<HumanDuration>,
    /// Let the job's ID tokens live for so long: `10s`.
    #[arg(long, env = variable("FEDERATE_TOKEN_LIFETIME"), value_name = "DURATION")]
    pub(crate) token_lifetime: Option<HumanDuration>,
    /// Listen here; 0 takes a free port.
    #[arg(long, env = variable("FEDERATE_PORT"), default_value_t = 0)]
    pub(crate) port: u16,
    /// How to print the environment when there is no command.
    #[arg(short, long, env = variable("FEDERATE_FORMAT"), value_enum, default_value_t, value_name = "FORMAT")]
    pub(crate) format: Format,
    /// The command to run as the job; without one, serve until interrupted.
    #[arg(last = true, value_name = "CMD")]
    pub(crate) command: Vec<OsString>,
}

/// A part of a whole.
fn fraction(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(part) if (0.0..=1.0).contains(&part) => Ok(part),
        _ => Err("write a number from 0 to 1, like 0.5".to_owned()),
    }
}
