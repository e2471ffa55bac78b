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

/// How each cloud trusts.
pub(crate) fn trust_models() -> &'static [&'static dyn federate_trust::TrustModel] {
    &[&federate_cloud_aws::AwsTrust, &federate_cloud_azure::AzureTrust, &federate_cloud_gcp::GcpTrust]
}
