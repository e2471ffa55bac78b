//! Azure's clouds (<https://learn.microsoft.com/entra/identity-platform/authentication-national-cloud>).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One of Azure's clouds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum CloudName {
    /// Azure.
    #[default]
    Public,
    /// Azure Government.
    UsGovernment,
    /// Azure operated by 21Vianet.
    China,
}

/// The addresses and names of a cloud.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct CloudFacts {
    /// As in `ARM_ENVIRONMENT`.
    pub(crate) name: &'static str,
    /// As in `az cloud set -n`.
    pub(crate) az_name: &'static str,
    pub(crate) authority: &'static str,
    pub(crate) resource_manager: &'static str,
    pub(crate) audience: &'static str,
    /// The `active_directory_resource_id` that az asks access tokens for.
    pub(crate) token_resource: &'static str,
}

impl CloudName {
    pub(crate) const fn facts(self) -> &'static CloudFacts {
        match self {
            Self::Public => &CloudFacts {
                name: "public",
                az_name: "AzureCloud",
                authority: "https://login.microsoftonline.com",
                resource_manager: "https://management.azure.com",
                audience: "api://AzureADTokenExchange",
                token_resource: "https://management.core.windows.net/",
            },
            Self::UsGovernment => &CloudFacts {
                name: "usgovernment",
                az_name: "AzureUSGovernment",
                authority: "https://login.microsoftonline.us",
                resource_manager: "https://management.usgovcloudapi.net",
                audience: "api://AzureADTokenExchangeUSGov",
                token_resource: "https://management.core.usgovcloudapi.net/",
            },
            Self::China => &CloudFacts {
                name: "china",
                az_name: "AzureChinaCloud",
                authority: "https://login.chinacloudapi.cn",
                resource_manager: "https://management.chinacloudapi.cn",
                audience: "api://AzureADTokenExchangeChina",
                token_resource: "https://management.core.chinacloudapi.cn/",
            },
        }
    }

    /// The cloud of a name written by [`CloudFacts::name`].
    pub(crate) fn by_name(name: &str) -> Option<Self> {
        [Self::Public, Self::UsGovernment, Self::China].into_iter().find(|cloud| cloud.facts().name == name)
    }
}

/// Is this one of Entra's or Resource Manager's own hosts?
pub(crate) fn is_own_host(host: &str) -> bool {
    const HOSTS: &[&str] = &[
        "login.microsoftonline.com",
        "login.microsoftonline.us",
        "login.chinacloudapi.cn",
        "login.partner.microsoftonline.cn",
        "management.azure.com",
        "management.usgovcloudapi.net",
        "management.chinacloudapi.cn",
    ];
    HOSTS.contains(&host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_clouds_addresses_are_own_hosts() {
        for cloud in [CloudName::Public, CloudName::UsGovernment, CloudName::China] {
            for url in [cloud.facts().authority, cloud.facts().resource_manager] {
                assert!(is_own_host(url.strip_prefix("https://").unwrap()), "{url}");
            }
            assert_eq!(CloudName::by_name(cloud.facts().name), Some(cloud));
        }
        assert!(!is_own_host("login.microsoftonline.com.evil.test") && !is_own_host("xlogin.microsoftonline.com"));
    }
}
