//! Tokens for Azure Kubernetes Service: an access token of Entra for the application that all clusters share
//! (<https://azure.github.io/kubelogin/concepts/aks.html>). The cluster has to have Entra integration.

use federate_core::{Context, Credentials, Error, KubernetesAccess, KubernetesToken, codes};

use crate::target::Azure;

impl KubernetesAccess for Azure {
    fn settings(&self) -> &'static [(&'static str, &'static str)] {
        // "Azure Kubernetes Service AAD Server", the same in every cloud and tenant.
        &[("scopes", "[\"6dae42f8-4368-4678-94ff-3960e28e3630/.default\"]")]
    }

    fn check(&self, cluster: Option<&str>) -> Result<(), Error> {
        match cluster {
            None => Ok(()),
            Some(_) => {
                Err(Error::new(&codes::USAGE, "a token for AKS is for every cluster that lets the principal in")
                    .with_help("leave out --cluster; `federate kubeconfig` takes a name with --context"))
            }
        }
    }

    fn token(
        &self,
        _context: &Context,
        credentials: &Credentials,
        cluster: Option<&str>,
    ) -> Result<KubernetesToken, Error> {
        self.check(cluster)?;
        match (credentials.secret("access_token"), credentials.expires) {
            (Some(token), Some(expires)) => Ok(KubernetesToken { token: token.clone(), expires }),
            _ => Err(Error::new(&codes::RESPONSE_INVALID, "these are not the credentials of an Azure application")
                .with_help("clear the cache with `federate cache clear`")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::target::tests::azure;
    use federate_core::testing::fixture;
    use federate_core::{CloudTarget as _, Secret};
    use serde_json::json;
    use std::time::SystemTime;

    #[test]
    fn the_access_token_is_the_clusters() {
        let (fixture, target) = (fixture(&[], |_| false), azure(json!({})));
        let access = target.kubernetes().unwrap();
        let given =
            Credentials::new("azure", Some(SystemTime::UNIX_EPOCH)).with_secret("access_token", Secret::new("t"));
        let token = access.token(&fixture.context, &given, None).unwrap();
        assert_eq!((token.token.reveal(), token.expires), ("t", SystemTime::UNIX_EPOCH));
        assert_eq!(access.check(Some("prod")).unwrap_err().code().name, "usage");
        assert!(access.token(&fixture.context, &Credentials::new("azure", None), None).is_err());
    }
}
