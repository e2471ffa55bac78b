//! `[identities.NAME] type = "github"`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Settings of a GitHub identity. Every key has a working default.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The issuer of the tokens, byte by byte as in their `iss`, without a trailing slash. Default: by `GITHUB_SERVER_URL`,
    /// `https://token.actions.githubusercontent.com` on github.com (an enterprise's own path below it is accepted too).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub issuer: Option<String>,
}
