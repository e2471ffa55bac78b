//! `[targets.NAME] type = "azure"`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::clouds::CloudName;

/// Settings of an Azure target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The Entra tenant: its id, or a verified domain.
    pub tenant_id: String,
    /// The application's (or user-assigned managed identity's) client id.
    pub client_id: String,
    /// The subscription that tools work on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subscription_id: Option<String>,
    /// Which of Azure's clouds: `public`, `usgovernment` or `china`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cloud: Option<CloudName>,
    /// Where tokens are asked for, instead of the cloud's own authority.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authority_host: Option<String>,
    /// Azure Resource Manager, instead of the cloud's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resource_manager_url: Option<String>,
    /// What access tokens are asked for, one resource each. Default: Resource Manager's `/.default`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scopes: Option<Vec<String>>,
    /// The audience of the ID token. Default: the cloud's, `api://AzureADTokenExchange`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub audience: Option<String>,
    /// `exec` also logs the az CLI in, under a private AZURE_CONFIG_DIR.
    #[serde(default)]
    pub az_login: bool,
}

impl Settings {
    /// The cloud, public unless said otherwise.
    pub(crate) fn cloud(&self) -> CloudName {
        self.cloud.unwrap_or_default()
    }
}
