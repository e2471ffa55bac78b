//! Tokens for Amazon EKS: a signed question to STS that the cluster asks in the caller's name.
//!
//! The token is `k8s-aws-v1.` and a presigned URL for GetCallerIdentity, in base64url without padding, whose signed header
//! `x-k8s-aws-id` binds it to one cluster. `aws eks get-token` makes the same, and
//! <https://github.com/kubernetes-sigs/aws-iam-authenticator#api-authorization-from-outside-a-cluster> describes it.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use federate_core::policy::is_loopback;
use federate_core::{Context, Credentials, Error, KubernetesAccess, KubernetesToken, Secret, codes};

use crate::endpoint::{Endpoint, own, resolve};
use crate::sigv4::Signer;
use crate::target::Aws;

const PREFIX: &str = "k8s-aws-v1.";
const CLUSTER_HEADER: &str = "x-k8s-aws-id";
/// As in `aws eks get-token`. The cluster accepts the token for 15 minutes after its signature whatever stands here.
const SIGNED_FOR: Duration = Duration::from_secs(60);
/// For how long a client may use a token again: a minute less than the cluster accepts it.
const USED_FOR: Duration = Duration::from_secs(14 * 60);

impl Aws {
    /// Where the cluster asks. It accepts AWS's own hosts only, so an endpoint of one's own (that of a VPC) does not count, unless
    /// it is on loopback, where a sandbox or an emulator is also the cluster's STS.
    fn clusters_endpoint(&self, context: &Context) -> Result<Endpoint, Error> {
        let endpoint = resolve(&self.settings, context)?;
        if endpoint.url.host().as_ref().is_some_and(is_loopback) { Ok(endpoint) } else { own(&self.settings, context) }
    }
}

impl KubernetesAccess for Aws {
    fn check(&self, cluster: Option<&str>) -> Result<(), Error> {
        let Some(cluster) = cluster else {
            return Err(Error::new(&codes::USAGE, "a token for EKS is bound to one cluster, and none is named")
                .with_help("name it with --cluster, as `aws eks list-clusters` prints it"));
        };
        // <https://docs.aws.amazon.com/eks/latest/APIReference/API_CreateCluster.html>
        let is_name = cluster.starts_with(|c: char| c.is_ascii_alphanumeric())
            && cluster.len() <= 100
            && cluster.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
        if is_name {
            return Ok(());
        }
        Err(Error::new(&codes::USAGE, format!("`{cluster}` is not the name of an EKS cluster"))
            .with_help("a name has at most 100 letters, digits, `-` and `_`; it is neither an ARN nor a URL"))
    }

    fn token(
        &self,
        context: &Context,
        credentials: &Credentials,
        cluster: Option<&str>,
    ) -> Result<KubernetesToken, Error> {
        self.check(cluster)?;
        let (Some(id), Some(secret)) = (credentials.plain("access_key_id"), credentials.secret("secret_access_key"))
        else {
            return Err(Error::new(&codes::RESPONSE_INVALID, "these are not the credentials of an AWS role session")
                .with_help("clear the cache with `federate cache clear`"));
        };
        let mut endpoint = self.clusters_endpoint(context)?;
        endpoint.url.set_query(Some("Action=GetCallerIdentity&Version=2011-06-15"));
        let signer = Signer {
            access_key_id: id,
            secret_access_key: secret,
            session_token: credentials.secret("session_token"),
            region: &endpoint.signing_region,
            service: "sts",
        };
        let now = context.host.now();
        let headers = [(CLUSTER_HEADER, cluster.unwrap_or_default())];
        let url = signer.presign(&endpoint.url, &headers, SIGNED_FOR, now);
        let expires = now + USED_FOR;
        Ok(KubernetesToken {
            token: Secret::new(format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(url.reveal()))),
            expires: credentials.expires.map_or(expires, |end| end.min(expires)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::target::tests::aws;
    use federate_core::testing::{NOW, fixture};
    use federate_core::{CloudTarget as _, TargetAdapter as _};
    use serde_json::json;
    use std::time::SystemTime;
    use url::Url;

    fn credentials(minutes: u64) -> Credentials {
        Credentials::new("aws", Some(SystemTime::UNIX_EPOCH + Duration::from_secs(NOW + minutes * 60)))
            .with_plain("access_key_id", "ASIA1")
            .with_secret("secret_access_key", Secret::new("canary"))
            .with_secret("session_token", Secret::new("session"))
    }

    fn url(changes: serde_json::Value, variables: &[(&str, &str)]) -> Url {
        let fixture = fixture(variables, Aws::is_own_host);
        let target = aws(changes);
        let token = target.kubernetes().unwrap().token(&fixture.context, &credentials(60), Some("prod")).unwrap();
        let text = token.token.reveal().strip_prefix("k8s-aws-v1.").unwrap().to_owned();
        assert!(fixture.http.requests().is_empty() && !text.contains('='));
        Url::parse(&String::from_utf8(URL_SAFE_NO_PAD.decode(text).unwrap()).unwrap()).unwrap()
    }

    #[test]
    fn the_token_is_a_signed_question_to_sts() {
        let url = url(json!({}), &[]);
        assert!(
            url.as_str().starts_with(
                "https://sts.eu-west-1.amazonaws.com/?Action=GetCallerIdentity&Version=2011-06-15&X-Amz-Algorithm="
            ),
            "{url}"
        );
        let query: std::collections::BTreeMap<_, _> = url.query_pairs().into_owned().collect();
        assert_eq!(query["X-Amz-SignedHeaders"], "host;x-k8s-aws-id");
        assert_eq!((query["X-Amz-Expires"].as_str(), query["X-Amz-Security-Token"].as_str()), ("60", "session"));
        assert_eq!(query["X-Amz-Credential"], "ASIA1/20260504/eu-west-1/sts/aws4_request");
    }

    #[test]
    fn the_cluster_is_sent_to_awss_own_hosts() {
        let vpc = json!({"endpoint_url": "https://vpce-1.sts.eu-west-1.vpce.amazonaws.com", "use_dualstack": true});
        assert_eq!(url(vpc, &[]).host_str(), Some("sts.eu-west-1.amazonaws.com"));
        let loopback = [("AWS_ENDPOINT_URL_STS", "https://127.0.0.1:4443")];
        assert_eq!(url(json!({}), &loopback).host_str(), Some("127.0.0.1"));
    }

    #[test]
    fn it_ends_with_its_credentials() {
        let fixture = fixture(&[], Aws::is_own_host);
        let expires = |minutes| {
            let target = aws(json!({}));
            let token =
                target.kubernetes().unwrap().token(&fixture.context, &credentials(minutes), Some("prod")).unwrap();
            token.expires.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs() - NOW
        };
        assert_eq!((expires(60), expires(10)), (14 * 60, 10 * 60));
    }

    #[test]
    fn a_cluster_has_to_be_named() {
        let target = aws(json!({}));
        let check = |name| target.kubernetes().unwrap().check(name).map_err(|error| error.code().name);
        assert_eq!(check(Some("prod_1-a")), Ok(()));
        for bad in [None, Some(""), Some("-x"), Some("arn:aws:eks:eu-west-1:1:cluster/x"), Some("a b"), Some("a\nb")] {
            assert_eq!(check(bad), Err("usage"), "{bad:?}");
        }
    }
}
