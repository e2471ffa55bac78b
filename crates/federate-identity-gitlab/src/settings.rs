//! `[identities.NAME] type = "gitlab"`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Settings of a GitLab identity. Every key has a working default.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The issuer of the tokens, byte by byte as in their `iss`, without a trailing slash. Default: `CI_SERVER_URL`, else
    /// `https://gitlab.com`. Needed where the administrator gave CI tokens another issuer than the server's address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub issuer: Option<String>,
    /// The variable that holds the token. Default: every variable with a JWT of the issuer is looked at, and the one whose
    /// audience fits is taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token_env: Option<String>,
}
