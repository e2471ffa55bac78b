//! The arguments of `federate trust`.

use std::path::PathBuf;

use clap::builder::BoolishValueParser;
use clap::{Args, Subcommand, ValueEnum};

use super::{Targets, variable};

/// What to ask of a trust configuration.
#[derive(Clone, Debug, Subcommand)]
#[command(defer = true)]
pub(crate) enum Trust {
    /// Say whether the cloud lets a token in, why, and what to change.
    Explain(Explain),
    /// Say who else could get in, and what cannot work.
    Lint(Lint),
    /// Hold the trust against jobs that must get in, and jobs that must not.
    Test(TrustTest),
    /// Write what the cloud must be given so that exactly a target's `trust.allow` list gets in.
    Generate(Generate),
    /// Draw who can become whom: issuer, repository and branch to role or application, over all profiles.
    Graph(Graph),
}

#[derive(Clone, Debug, Args)]
pub(crate) struct Graph {
    #[command(flatten)]
    pub(crate) targets: Targets,
    /// As what to draw it; `-o json` prints nodes and edges instead.
    #[arg(short, long, env = variable("FEDERATE_GRAPH_FORMAT"), value_enum, default_value_t, value_name = "FORMAT")]
    pub(crate) format: GraphFormat,
    /// Look for this cloud's configurations only.
    #[arg(long, env = variable("FEDERATE_CLOUD"), value_name = "CLOUD")]
    pub(crate) cloud: Option<String>,
    /// Draw these instead of the profiles' targets, `-` for stdin: policies and credentials as the clouds' tools print
    /// them, templates, plans.
    #[arg(value_name = "FILE", conflicts_with = "target")]
    pub(crate) files: Vec<PathBuf>,
}

/// How a graph is drawn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum GraphFormat {
    /// A Mermaid flowchart, which GitHub and GitLab show in Markdown.
    #[default]
    Mermaid,
    /// Graphviz.
    Dot,
    /// A picture: one self-contained file, light and dark.
    Svg,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct Explain {
    #[command(flatten)]
    pub(crate) targets: Targets,
    /// Whose trust configuration the file holds; found out where it is not said.
    #[arg(long, env = variable("FEDERATE_CLOUD"), value_name = "CLOUD")]
    pub(crate) cloud: Option<String>,
    /// The trust configuration, `-` for stdin: a role's trust policy, federated identity credentials, as the cloud's own
    /// tools print them. Without one, the target's `trust.policy` or its `trust.allow` list.
    #[arg(long, env = variable("FEDERATE_POLICY"), value_name = "FILE")]
    pub(crate) policy: Option<PathBuf>,
    /// Where the file holds several configurations: the one whose name or place has this in it.
    #[arg(long, env = variable("FEDERATE_ONLY"), value_name = "NAME")]
    pub(crate) only: Option<String>,
    /// The claims to judge, `-` for stdin: a token's payload, or what `federate token -o json` printed. Without them, the
    /// job's own token's.
    #[arg(long, env = variable("FEDERATE_CLAIMS"), value_name = "FILE", conflicts_with = "token_env")]
    pub(crate) claims: Option<PathBuf>,
    /// Take the token from this variable.
    #[arg(long, env = variable("FEDERATE_TOKEN_ENV"), value_name = "VAR")]
    pub(crate) token_env: Option<String>,
    /// A request key that does not come from the token: `aws:SourceIp=203.0.113.9`.
    #[arg(long, env = variable("FEDERATE_CONTEXT"), value_delimiter = '\n', value_name = "KEY=VALUE")]
    pub(crate) context: Vec<String>,
    /// What is to be done; all of them have to be allowed. Default: the exchange.
    #[arg(long, env = variable("FEDERATE_ACTION"), value_delimiter = ',', value_name = "ACTION")]
    pub(crate) action: Vec<String>,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct TrustTest {
    #[command(flatten)]
    pub(crate) targets: Targets,
    /// Test this trust configuration, `-` for stdin, instead of those of the profile's targets.
    #[arg(long, env = variable("FEDERATE_POLICY"), value_name = "FILE", requires = "claims_dir")]
    pub(crate) policy: Option<PathBuf>,
    /// Whose trust configuration the file holds; found out where it is not said.
    #[arg(long, env = variable("FEDERATE_CLOUD"), value_name = "CLOUD")]
    pub(crate) cloud: Option<String>,
    /// Where the file holds several configurations: the one whose name or place has this in it.
    #[arg(long, env = variable("FEDERATE_ONLY"), value_name = "NAME")]
    pub(crate) only: Option<String>,
    /// More jobs: a folder of JSON files, each `{"claims": {…}, "expect": "allow"}`, or bare payloads in its folders
    /// `allow` and `deny`.
    #[arg(long, env = variable("FEDERATE_CLAIMS_DIR"), value_name = "DIR")]
    pub(crate) claims_dir: Option<PathBuf>,
    /// Write the results here as JUnit XML too, for the CI's test report.
    #[arg(long, env = variable("FEDERATE_JUNIT"), value_name = "FILE")]
    pub(crate) junit: Option<PathBuf>,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct Generate {
    #[command(flatten)]
    pub(crate) targets: Targets,
    /// For which tool. AWS: aws-json, cloudformation, cloudformation-json, terraform, aws-cdk, aws-cli. Azure: azure-json,
    /// az-cli, azure-terraform, bicep.
    #[arg(short, long, env = variable("FEDERATE_GENERATE_FORMAT"), required_unless_present = "check", value_name = "FORMAT")]
    pub(crate) format: Option<String>,
    /// Write the files into this folder instead of printing the first of them.
    #[arg(long, env = variable("FEDERATE_DIR"), value_name = "DIR", conflicts_with = "check")]
    pub(crate) dir: Option<PathBuf>,
    /// Replace files in the folder that are there and differ.
    #[arg(long, env = variable("FEDERATE_FORCE"), requires = "dir", value_parser = BoolishValueParser::new())]
    pub(crate) force: bool,
    /// Write nothing, but say in what the trust in this file (`-` for stdin) differs from what would be generated: who is
    /// missing, and who gets in besides. Exit code 0 where the same get in, 1 where not.
    #[arg(long, env = variable("FEDERATE_CHECK"), value_name = "FILE")]
    pub(crate) check: Option<PathBuf>,
    /// Where the file holds several configurations: the one whose name or place has this in it.
    #[arg(long, env = variable("FEDERATE_ONLY"), value_name = "NAME", requires = "check")]
    pub(crate) only: Option<String>,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct Lint {
    #[command(flatten)]
    pub(crate) targets: Targets,
    /// Look for this cloud's configurations only.
    #[arg(long, env = variable("FEDERATE_CLOUD"), value_name = "CLOUD")]
    pub(crate) cloud: Option<String>,
    /// Exit with 1 if there is a finding of this severity or above.
    #[arg(long, env = variable("FEDERATE_FAIL_ON"), value_enum, default_value = "medium", value_name = "SEVERITY")]
    pub(crate) fail_on: Level,
    /// Leave out findings below this severity.
    #[arg(long, env = variable("FEDERATE_MIN_SEVERITY"), value_enum, default_value = "info", value_name = "SEVERITY")]
    pub(crate) min_severity: Level,
    /// Leave out this finding, and say why: `org-wide=the whole organization deploys here`.
    #[arg(long, env = variable("FEDERATE_IGNORE"), value_delimiter = '\n', value_name = "ID=REASON")]
    pub(crate) ignore: Vec<String>,
    /// What to look at, `-` for stdin: policies and credentials as the clouds' tools print them, templates, plans; of a
    /// folder all such files in it that hold any. Without one, the files that the profile's targets name as
    /// `trust.policy`.
    #[arg(value_name = "FILE", conflicts_with = "target")]
    pub(crate) files: Vec<PathBuf>,
}

/// A severity on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Level {
    /// Worth knowing.
    Info,
    /// Hygiene.
    Low,
    /// More jobs get in than were meant.
    Medium,
    /// A guard that does not guard, or nothing that works.
    High,
    /// Strangers get in.
    Critical,
}
