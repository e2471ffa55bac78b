//! Which adapters there are: one line each.

use federate_profile::Registry;

/// All adapters that are built in.
pub(crate) fn registry() -> Registry {
    Registry::new()
        .with_identity::<federate_identity_gitlab::GitLab>()
        .with_identity::<federate_identity_github::GitHub>()
        .with_target::<federate_cloud_aws::Aws>()
        .with_target::<federate_cloud_azure::Azure>()
}

/// The CA bundle variables of clouds' own SDKs, each with the hosts that it is for.
pub(crate) fn bundle_variables() -> [(&'static str, IsOwnHost); 1] {
    [("AWS_CA_BUNDLE", <federate_cloud_aws::Aws as federate_core::TargetAdapter>::is_own_host)]
}

/// Whether a host is the cloud's own.
pub(crate) type IsOwnHost = fn(&str) -> bool;

/// How each cloud trusts.
pub(crate) fn trust_models() -> &'static [&'static dyn federate_trust::TrustModel] {
    &[&federate_cloud_aws::AwsTrust, &federate_cloud_azure::AzureTrust]
}
