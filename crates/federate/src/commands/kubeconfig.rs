//! `federate kubeconfig`: a cluster in a kubeconfig file, with a user that asks `federate kube-token`.

use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use federate_core::policy::is_loopback;
use federate_core::{Error, codes};
use url::Url;

use super::kube_token::{API_VERSION, load};
use crate::args::Kubeconfig;
use crate::edited::{Edited, Neighbours};
use crate::invocation;
use crate::kubeconfig::{Access, with_access, without_access};
use crate::report::Failure;
use crate::setup::Start;

/// The file holds who may do what where: kubectl warns of one that others can read.
const MODE: u32 = 0o600;

pub(crate) fn run(start: &Start, arguments: Kubeconfig) -> Result<u8, Failure> {
    let path = match &arguments.file {
        Some(path) => path.clone(),
        None => default_file(start)?,
    };
    let edited = Edited::new(path, Neighbours::LockFile, Some(MODE))?;
    let named = arguments.context.clone().or_else(|| arguments.cluster.clone());
    if let (true, Some(name)) = (arguments.change.remove, &named) {
        return edited.apply(start, &arguments.change, &|text| {
            Ok(without_access(text, name).map_err(|error| edited.blame(error))?)
        });
    }
    let (profile, target) = load(start, &arguments.targets.target, "kubeconfig", arguments.cluster.as_deref())?;
    let name = named.unwrap_or_else(|| target.clone());
    if arguments.change.remove {
        return edited.apply(start, &arguments.change, &|text| {
            Ok(without_access(text, &name).map_err(|error| edited.blame(error))?)
        });
    }
    let mut program = invocation::of(start, &profile, "kube-token", &target)?;
    if let Some(cluster) = &arguments.cluster {
        program.extend(["--cluster".to_owned(), cluster.clone()]);
    }
    let access = Access {
        name,
        server: server(arguments.server.as_deref().unwrap_or_default())?,
        authority: authority(&arguments)?,
        namespace: arguments.namespace.clone(),
        use_context: arguments.use_context,
        program,
        api_version: API_VERSION,
    };
    edited.apply(start, &arguments.change, &|text| {
        Ok(with_access(text, &access, arguments.change.force).map_err(|error| edited.blame(error))?)
    })
}

/// As kubectl chooses: the first file of KUBECONFIG that is there, else its last, else the one in the home directory.
fn default_file(start: &Start) -> Result<PathBuf, Error> {
    let listed: Vec<PathBuf> = start
        .env
        .get("KUBECONFIG")
        .map(|list| std::env::split_paths(list).filter(|path| !path.as_os_str().is_empty()).collect())
        .unwrap_or_default();
    let there = listed.iter().find(|path| path.exists()).or(listed.last()).cloned();
    let home = || start.env.get("HOME").map(|home| PathBuf::from(home).join(".kube/config"));
    there.or_else(home).ok_or_else(|| {
        Error::new(&codes::SETTING_MISSING, "there is no home directory in which a kubeconfig file could be")
            .with_help("name the file with --file, or set KUBECONFIG")
    })
}

fn server(text: &str) -> Result<String, Error> {
    let url = Url::parse(text).ok().filter(|url| {
        let is_safe = url.scheme() == "https" || url.scheme() == "http" && url.host().as_ref().is_some_and(is_loopback);
        is_safe && url.has_host() && url.username().is_empty() && url.password().is_none()
    });
    match url {
        Some(_) => Ok(text.to_owned()),
        None => Err(Error::new(&codes::USAGE, format!("`{text}` is not the address of an API server"))
            .with_help("write it as https://HOST[:PORT]; a token is not sent over plain http")),
    }
}

/// The certificate authority in base64.
fn authority(arguments: &Kubeconfig) -> Result<Option<String>, Error> {
    let is_pem = |bytes: &[u8]| String::from_utf8_lossy(bytes).contains("-----BEGIN CERTIFICATE-----");
    if let Some(path) = &arguments.certificate_authority {
        let bytes = std::fs::read(path).map_err(|error| {
            Error::new(&codes::USAGE, format!("{} cannot be read", path.display())).with_cause(error.to_string())
        })?;
        if !is_pem(&bytes) {
            return Err(Error::new(&codes::USAGE, format!("{} holds no certificate in PEM", path.display())));
        }
        return Ok(Some(STANDARD.encode(bytes)));
    }
    match &arguments.certificate_authority_data {
        Some(text) if STANDARD.decode(text).is_ok_and(|bytes| is_pem(&bytes)) => Ok(Some(text.clone())),
        Some(_) => Err(Error::new(&codes::USAGE, "--certificate-authority-data is not a PEM certificate in base64")
            .with_help("`aws eks describe-cluster` prints it as certificateAuthority.data; or give --certificate-authority FILE")),
        None => Ok(None),
    }
}
