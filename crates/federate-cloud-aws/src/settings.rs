//! `[targets.NAME] type = "aws"`.

use std::collections::BTreeMap;
use std::time::Duration;

use federate_core::HumanDuration;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Settings of an AWS target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The role to assume: `arn:aws:iam::111122223333:role/deploy`.
    pub role_arn: String,
    /// The region, which also decides where STS is asked. Without one, the global endpoint of the `aws` partition.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// How long the credentials live, 15m to 12h; at most the role's MaxSessionDuration. With a `chain`, the last hop's, at most 1h.
    #[serde(default = "one_hour")]
    pub duration: HumanDuration,
    /// The role session's name, 2 to 64 of `A-Z a-z 0-9 _ + = , . @ -`; it stands in CloudTrail. Built from placeholders, it
    /// is brought to that form.
    #[serde(default = "default_session_name")]
    pub session_name: String,
    /// The audience of the ID token. Default: what the identity provider's users customarily take (GitLab: the issuer), else
    /// `sts.amazonaws.com`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub audience: Option<String>,
    /// Where STS is asked instead of the region's own endpoint.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub endpoint_url: Option<String>,
    /// Ask the FIPS endpoint. Default: `AWS_USE_FIPS_ENDPOINT`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub use_fips: Option<bool>,
    /// Ask the dual-stack (IPv4 and IPv6) endpoint. Default: `AWS_USE_DUALSTACK_ENDPOINT`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub use_dualstack: Option<bool>,
    /// An inline session policy (JSON), which narrows what the credentials may do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
    /// Managed policies that narrow what the credentials may do, at most 10.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub policy_arns: Vec<String>,
    /// The only accounts whose credentials may come out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allowed_account_ids: Option<Vec<String>>,
    /// Roles to assume one after the other, each with the credentials of the one before.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub chain: Vec<Hop>,
}

/// One step of a role chain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Hop {
    /// The role to assume.
    pub role_arn: String,
    /// What the role's trust policy demands as `sts:ExternalId`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub external_id: Option<String>,
    /// The session's name. Default: the target's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session_name: Option<String>,
    /// 15m to 1h. Default: for the last hop the target's, else 1h.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration: Option<HumanDuration>,
    /// Session tags.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
    /// Keys of session tags that go on to the next hops.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub transitive_tags: Vec<String>,
    /// The source identity, which stays with all following sessions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source_identity: Option<String>,
}

/// STS's own default.
pub(crate) const ONE_HOUR: Duration = Duration::from_secs(3600);

fn one_hour() -> HumanDuration {
    HumanDuration(ONE_HOUR)
}

fn default_session_name() -> String {
    "federate".to_owned()
}
