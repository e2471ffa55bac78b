//! `federate kube-token`: what kubectl asks of a plug-in (<https://kubernetes.io/docs/reference/config-api/client-authentication.v1/>).

use std::sync::Arc;

use federate_core::{CloudTarget, Error, KubernetesToken, codes};
use federate_profile::Profile;
use serde_json::{Value as Json, json};

use super::{only_target, written};
use crate::args::KubeToken;
use crate::cache::obtain;
use crate::report::{Failure, print_result};
use crate::setup::{Start, located};

/// Set by kubectl: which version of the protocol it speaks.
const EXEC_INFO: &str = "KUBERNETES_EXEC_INFO";
/// The version without it.
pub(crate) const API_VERSION: &str = "client.authentication.k8s.io/v1";
const VERSIONS: [&str; 2] = [API_VERSION, "client.authentication.k8s.io/v1beta1"];

pub(crate) async fn run(start: &Start, arguments: KubeToken) -> Result<u8, Failure> {
    let version = api_version(start.env.get(EXEC_INFO))?;
    let (profile, name) = load(start, &arguments.targets.target, "kube-token", arguments.cluster.as_deref())?;
    let obtained = obtain(start, &profile, &name, arguments.cache).await?;
    let in_section = |error: Error| located(&profile, vec![error.in_section(&format!("targets.{name}"))]);
    let target = obtained.source.unbound();
    let Some(access) = target.kubernetes() else { return Err(unknown_to_clusters(&name, target).into()) };
    let token = access
        .token(obtained.session.context(), &obtained.credentials, arguments.cluster.as_deref())
        .map_err(in_section)?;
    obtained.session.hide(&token.token);
    written(print_result(&document(version, &token)))
}

/// The profile with what the target needs for a cluster, and the target's name; everything that can be checked is.
pub(crate) fn load(
    start: &Start,
    patterns: &[String],
    command: &str,
    cluster: Option<&str>,
) -> Result<(Profile, String), Failure> {
    let profile = start.load(&[])?;
    let name = only_target(&profile, patterns, command)?;
    let target = profile.as_written(&name).map_err(|errors| located(&profile, errors))?;
    let Some(access) = target.kubernetes() else { return Err(unknown_to_clusters(&name, &target).into()) };
    access.check(cluster)?;
    let settings: Vec<String> =
        access.settings().iter().map(|(key, value)| format!("targets.\"{name}\".{key}={value}")).collect();
    let profile = if settings.is_empty() { profile } else { start.load(&settings)? };
    Ok((profile, name))
}

fn unknown_to_clusters(name: &str, target: &Arc<dyn CloudTarget>) -> Error {
    let what = format!("the target `{name}` has type `{}`, which no Kubernetes cluster knows", target.kind());
    Error::new(&codes::USAGE, what).with_help("select an AWS or Azure target with -t")
}

/// The version that kubectl asks for.
fn api_version(info: Option<&str>) -> Result<&'static str, Error> {
    let Some(info) = info else { return Ok(API_VERSION) };
    let invalid = |what: String| {
        Error::new(&codes::USAGE, what)
            .with_origin(format!("environment variable {EXEC_INFO}"))
            .with_help("kubectl 1.24 or later sets it itself; unset it to call federate by hand")
    };
    let json: Json = serde_json::from_str(info).map_err(|_| invalid(format!("{EXEC_INFO} is not JSON")))?;
    let asked = json["apiVersion"].as_str().unwrap_or_default();
    VERSIONS.into_iter().find(|version| *version == asked).ok_or_else(|| {
        invalid(format!("{EXEC_INFO} asks for the version `{asked}`, and there are {}", VERSIONS.join(" and ")))
    })
}

fn document(version: &str, token: &KubernetesToken) -> String {
    let document = json!({
        "kind": "ExecCredential",
        "apiVersion": version,
        "spec": {},
        "status": {
            "expirationTimestamp": humantime::format_rfc3339_seconds(token.expires).to_string(),
            "token": token.token.reveal(),
        },
    });
    format!("{document}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_the_one_that_is_asked_for() {
        let asked = |version: &str| format!(r#"{{"apiVersion":"{version}","kind":"ExecCredential","spec":{{}}}}"#);
        assert_eq!(api_version(None).unwrap(), API_VERSION);
        for version in VERSIONS {
            assert_eq!(api_version(Some(&asked(version))).unwrap(), version);
        }
        for bad in [asked("client.authentication.k8s.io/v1alpha1"), "{}".to_owned(), "x".to_owned()] {
            assert!(api_version(Some(&bad)).unwrap_err().origin().unwrap().contains(EXEC_INFO), "{bad}");
        }
    }
}
