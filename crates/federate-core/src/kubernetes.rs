//! How a cloud's principals are known to its Kubernetes clusters.

use std::time::SystemTime;

use crate::context::Context;
use crate::credentials::Credentials;
use crate::error::Error;
use crate::secret::Secret;

/// A bearer token that a cluster's API server takes.
#[derive(Clone, Debug)]
pub struct KubernetesToken {
    /// The token.
    pub token: Secret,
    /// Until when clients may use it without asking again.
    pub expires: SystemTime,
}

/// From a target's credentials to a bearer token for a cluster.
pub trait KubernetesAccess {
    /// Settings that the target needs for its credentials to open a cluster: key and TOML value, laid above all layers.
    fn settings(&self) -> &'static [(&'static str, &'static str)] {
        &[]
    }

    /// What can be known to be wrong before any network call.
    ///
    /// # Errors
    /// `usage` where the cloud's tokens are made for one cluster and none is named, or the reverse; `setting-missing`.
    fn check(&self, cluster: Option<&str>) -> Result<(), Error>;

    /// The token. Makes no network call.
    ///
    /// # Errors
    /// As `check`, and `response-invalid` where the credentials are not what an exchange under these settings gives.
    fn token(
        &self,
        context: &Context,
        credentials: &Credentials,
        cluster: Option<&str>,
    ) -> Result<KubernetesToken, Error>;
}
