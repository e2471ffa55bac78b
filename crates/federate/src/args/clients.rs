//! Arguments of the commands that other programs run, and that set these programs up.

use std::path::PathBuf;

use clap::builder::BoolishValueParser;
use clap::{ArgGroup, Args, Subcommand, ValueEnum};

use super::{Targets, variable};

/// Whether credentials are kept for the next call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Keep {
    /// Outside of CI, where the session can keep a key.
    #[default]
    Auto,
    /// In CI too.
    #[value(aliases = ["true", "1", "yes", "on"])]
    Always,
    /// Not at all.
    #[value(aliases = ["false", "0", "no", "off"])]
    Never,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct CredentialProcess {
    #[command(flatten)]
    pub(crate) targets: Targets,
    /// Keep the credentials for the next call, encrypted, with a key in the session's kernel keyring.
    #[arg(long, env = variable("FEDERATE_CACHE"), value_enum, default_value_t, num_args = 0..=1, require_equals = true, default_missing_value = "always", value_name = "WHEN")]
    pub(crate) cache: Keep,
}

#[derive(Clone, Debug, Subcommand)]
#[command(defer = true)]
pub(crate) enum CacheCommand {
    /// List what is kept, without secrets.
    List,
    /// Remove everything that is kept, and this session's key.
    Clear,
}

// What to do with a file.
#[derive(Clone, Debug, Args)]
pub(crate) struct Change {
    /// Print the difference instead of making it.
    #[arg(long, env = variable("FEDERATE_DRY_RUN"), conflicts_with = "check", value_parser = BoolishValueParser::new())]
    pub(crate) dry_run: bool,
    /// Change nothing, and exit with 1 if something would have to be changed.
    #[arg(long, env = variable("FEDERATE_CHECK"), value_parser = BoolishValueParser::new())]
    pub(crate) check: bool,
    /// Remove what this command wrote.
    #[arg(long, env = variable("FEDERATE_REMOVE"), value_parser = BoolishValueParser::new())]
    pub(crate) remove: bool,
    /// Take over entries of the same name that somebody else wrote.
    #[arg(long, env = variable("FEDERATE_FORCE"), conflicts_with = "remove", value_parser = BoolishValueParser::new())]
    pub(crate) force: bool,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct AwsConfig {
    #[command(flatten)]
    pub(crate) targets: Targets,
    /// The file. Default: AWS_CONFIG_FILE, else ~/.aws/config.
    #[arg(long, env = variable("FEDERATE_AWS_CONFIG"), value_name = "PATH")]
    pub(crate) file: Option<PathBuf>,
    /// Put this before each target's name.
    #[arg(long, env = variable("FEDERATE_PREFIX"), default_value = "", value_name = "TEXT")]
    pub(crate) prefix: String,
    #[command(flatten)]
    pub(crate) change: Change,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct KubeToken {
    #[command(flatten)]
    pub(crate) targets: Targets,
    /// The cluster's name, which an EKS token is bound to.
    #[arg(long, env = variable("FEDERATE_CLUSTER"), value_name = "NAME")]
    pub(crate) cluster: Option<String>,
    /// Keep the credentials for the next call, encrypted, with a key in the session's kernel keyring.
    #[arg(long, env = variable("FEDERATE_CACHE"), value_enum, default_value_t, num_args = 0..=1, require_equals = true, default_missing_value = "always", value_name = "WHEN")]
    pub(crate) cache: Keep,
}

#[derive(Clone, Debug, Args)]
#[command(group = ArgGroup::new("authority").multiple(false))]
pub(crate) struct Kubeconfig {
    #[command(flatten)]
    pub(crate) targets: Targets,
    /// The file. Default: the first of KUBECONFIG that is there, else ~/.kube/config.
    #[arg(long, env = variable("FEDERATE_KUBECONFIG"), value_name = "PATH")]
    pub(crate) file: Option<PathBuf>,
    /// The cluster's name, which an EKS token is bound to.
    #[arg(long, env = variable("FEDERATE_CLUSTER"), value_name = "NAME")]
    pub(crate) cluster: Option<String>,
    /// How context, cluster and user are called. Default: the cluster's name, else the target's.
    #[arg(long, env = variable("FEDERATE_CONTEXT"), value_name = "NAME")]
    pub(crate) context: Option<String>,
    /// The API server: `https://HOST:PORT`.
    #[arg(long, env = variable("FEDERATE_SERVER"), value_name = "URL", required_unless_present = "remove")]
    pub(crate) server: Option<String>,
    /// A PEM file with the cluster's certificate authority, which is copied into the file.
    #[arg(long, env = variable("FEDERATE_CERTIFICATE_AUTHORITY"), value_name = "PATH", group = "authority")]
    pub(crate) certificate_authority: Option<PathBuf>,
    /// The same in base64, as the clouds print it.
    #[arg(long, env = variable("FEDERATE_CERTIFICATE_AUTHORITY_DATA"), value_name = "BASE64", group = "authority")]
    pub(crate) certificate_authority_data: Option<String>,
    /// The context's namespace.
    #[arg(long, env = variable("FEDERATE_NAMESPACE"), value_name = "NAME")]
    pub(crate) namespace: Option<String>,
    /// Make it the current context.
    #[arg(long, env = variable("FEDERATE_USE_CONTEXT"), value_parser = BoolishValueParser::new())]
    pub(crate) use_context: bool,
    #[command(flatten)]
    pub(crate) change: Change,
}
