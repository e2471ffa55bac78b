//! Credentials as Azure's SDKs, Terraform and the az CLI find them.

use std::path::Path;
use std::time::SystemTime;

use async_trait::async_trait;
use federate_core::template::is_literal;
use federate_core::{
    Argument, ChildEnv, ChildValue, Cloud, Context, Credentials, EndpointAddress, EndpointReply, EndpointRequest,
    Error, FileContent, Handover, NamePattern, PrivateFile, Renewal, Secret, ServedTarget, SetupCommand,
    codes as core_codes,
};

use crate::target::cloud_named;
use crate::{codes, served};

/// What is common to all Azure targets.
#[derive(Clone, Copy, Debug)]
pub struct AzureCloud;

pub(crate) const KIND: &str = "azure";
pub(crate) const TOKEN: &str = "azure-token";
const AZ_CONFIG: &str = "azure-config";
/// The name under which `az cloud register` keeps hosts that az does not know.
const AZ_CLOUD: &str = "federate";

/// Would outrank the token file in an SDK's or provider's chain, or contradict it.
const OUTRANKING: &[&str] = &[
    "AZURE_ACCESS_TOKEN",
    "AZURE_ADDITIONALLY_ALLOWED_TENANTS",
    "AZURE_AUTHORITY_HOST",
    "AZURE_AUTH_LOCATION",
    "AZURE_CLIENT_CERTIFICATE",
    "AZURE_CLIENT_CERTIFICATE_PASSWORD",
    "AZURE_CLIENT_CERTIFICATE_PATH",
    "AZURE_CLIENT_ID",
    "AZURE_CLIENT_SECRET",
    "AZURE_CLIENT_SEND_CERTIFICATE_CHAIN",
    "AZURE_CREDENTIALS",
    "AZURE_FEDERATED_TOKEN",
    "AZURE_FEDERATED_TOKEN_FILE",
    "AZURE_PASSWORD",
    "AZURE_POD_IDENTITY_AUTHORITY_HOST",
    "AZURE_SUBSCRIPTION_ID",
    "AZURE_TENANT_ID",
    "AZURE_TOKEN_CREDENTIALS",
    "AZURE_USERNAME",
    "ARM_ACCESS_KEY",
    "ARM_ADO_PIPELINE_SERVICE_CONNECTION_ID",
    "ARM_CLIENT_CERTIFICATE",
    "ARM_CLIENT_CERTIFICATE_PASSWORD",
    "ARM_CLIENT_CERTIFICATE_PATH",
    "ARM_CLIENT_ID",
    "ARM_CLIENT_ID_FILE_PATH",
    "ARM_CLIENT_SECRET",
    "ARM_CLIENT_SECRET_FILE_PATH",
    "ARM_ENVIRONMENT",
    "ARM_METADATA_HOST",
    "ARM_METADATA_HOSTNAME",
    "ARM_MSI_ENDPOINT",
    "ARM_PASSWORD",
    "ARM_SAS_TOKEN",
    "ARM_SUBSCRIPTION_ID",
    "ARM_TENANT_ID",
    "ARM_USE_AKS_WORKLOAD_IDENTITY",
    "ARM_USE_CLI",
    "ARM_USE_MSI",
    "ARM_USE_OIDC",
    "ARM_USERNAME",
    "IMDS_ENDPOINT",
];

fn host_of(url: &str) -> &str {
    url.split_once("://").map_or(url, |(_, rest)| rest).trim_end_matches('/')
}

/// The variables of one target, in the order in which they are compared and set.
pub(crate) fn variables(handover: &Handover<'_>) -> ChildEnv {
    let credentials = handover.credentials;
    let plain = |name: &str| credentials.plain(name).unwrap_or_default();
    let is_explicit = plain("explicit_hosts") == "true";
    let mut child = ChildEnv::default();
    for (prefix, id) in [("AZURE", ["CLIENT_ID", "TENANT_ID"]), ("ARM", ["CLIENT_ID", "TENANT_ID"])] {
        for name in id {
            child.plain(format!("{prefix}_{name}"), plain(&name.to_ascii_lowercase()));
        }
        if let Some(subscription) = credentials.plain("subscription_id") {
            child.plain(format!("{prefix}_SUBSCRIPTION_ID"), subscription);
        }
    }
    child.plain("AZURE_AUTHORITY_HOST", format!("{}/", plain("authority_host").trim_end_matches('/')));
    child.path("AZURE_FEDERATED_TOKEN_FILE", TOKEN);
    child.plain("ARM_ENVIRONMENT", plain("cloud"));
    child.plain("ARM_USE_OIDC", "true");
    child.plain("ARM_USE_CLI", "false");
    child.plain("ARM_USE_MSI", "false");
    if is_explicit {
        child.plain("ARM_METADATA_HOSTNAME", host_of(plain("resource_manager_url")));
        // An authority that Microsoft does not list would be looked up there first, and refused.
        child.plain("AZURE_CORE_INSTANCE_DISCOVERY", "false");
    }
    // Terraform asks the request URL for the cloud's own audience and no other.
    let is_usual = credentials.plain("audience") == Some(cloud_named(credentials).facts().audience);
    match handover.renewal {
        Renewal::Again(Some(endpoint)) if is_usual => {
            child.plain("ARM_OIDC_REQUEST_URL", &endpoint.url);
            child.secret("ARM_OIDC_REQUEST_TOKEN", endpoint.token.clone());
        }
        _ => child.path("ARM_OIDC_TOKEN_FILE_PATH", TOKEN),
    }
    child
}

fn shown(value: &ChildValue) -> String {
    match value {
        ChildValue::Plain(text) => text.clone(),
        ChildValue::PathOf(id) => id.clone(),
        ChildValue::Secret(_) => String::new(),
    }
}

/// One set of variables serves one principal; a second that says the same does no harm.
fn conflict(first: &Handover<'_>, second: &Handover<'_>) -> Option<Error> {
    let (mine, theirs) = (variables(first).set, variables(second).set);
    let value = |set: &[(String, ChildValue)], name: &str| {
        set.iter().find(|(key, _)| key == name).map(|(_, value)| shown(value))
    };
    let mut names = mine.iter().chain(&theirs).map(|(name, _)| name.as_str());
    let name = names.find(|name| value(&mine, name) != value(&theirs, name))?;
    Some(would_differ(first.target, second.target, name))
}

fn would_differ(first: &str, second: &str, name: &str) -> Error {
    Error::new(&codes::CONFLICT, format!("the targets `{first}` and `{second}` would set {name} differently"))
        .with_help("Azure's SDKs read one principal from the environment: run the command once for each, with -t")
}

/// What is known of credentials before the exchange, each with the variable that it makes.
const FORESEEN: &[(&str, &str)] = &[
    ("client_id", "AZURE_CLIENT_ID"),
    ("tenant_id", "AZURE_TENANT_ID"),
    ("subscription_id", "AZURE_SUBSCRIPTION_ID"),
    ("authority_host", "AZURE_AUTHORITY_HOST"),
    ("cloud", "ARM_ENVIRONMENT"),
];

/// The private file that holds the ID token of a target.
pub(crate) fn token_file(first: &Handover<'_>) -> PrivateFile {
    PrivateFile {
        id: TOKEN.to_owned(),
        name: TOKEN.to_owned(),
        content: FileContent::IdToken { target: first.target.to_owned(), token: first.token.raw().clone() },
    }
}

/// All targets of a group are one principal.
pub(crate) fn one_principal(group: &[Handover<'_>]) -> Result<(), Error> {
    let Some((first, others)) = group.split_first() else { return Ok(()) };
    others.iter().find_map(|other| conflict(first, other)).map_or(Ok(()), Err)
}

/// As what the az CLI signs in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AzLogin {
    /// As an application, with the ID token in the private file.
    TokenFile,
    /// As the managed identity of an endpoint, which it asks again and again.
    Endpoint,
}

/// The commands that log the az CLI in, in a configuration directory of its own, if a target of the group wants it.
pub(crate) fn az_login(child: &mut ChildEnv, group: &[Handover<'_>], login: AzLogin) {
    let Some(credentials) = group.first().map(|first| first.credentials) else { return };
    if !group.iter().any(|one| one.credentials.plain("az_login") == Some("true")) {
        return;
    }
    let plain = |name: &str| credentials.plain(name).unwrap_or_default();
    let (authority, manager) = (plain("authority_host"), plain("resource_manager_url"));
    child.files.push(PrivateFile {
        id: AZ_CONFIG.to_owned(),
        name: AZ_CONFIG.to_owned(),
        content: FileContent::Directory,
    });
    child.path("AZURE_CONFIG_DIR", AZ_CONFIG);
    let mut run = |what: &str, arguments: &[&str]| {
        let arguments = arguments
            .iter()
            .map(|text| match text.strip_prefix('@') {
                Some(file) => Argument::AtPathOf(file.to_owned()),
                None => Argument::Plain((*text).to_owned()),
            })
            .collect();
        child.setup.push(SetupCommand { what: what.to_owned(), program: "az".to_owned(), arguments });
    };
    let facts = cloud_named(credentials).facts();
    if plain("explicit_hosts") == "true" {
        let register = ["cloud", "register", "-n", AZ_CLOUD, "--endpoint-resource-manager", manager];
        let directory = ["--endpoint-active-directory", authority];
        let resource =
            ["--endpoint-active-directory-resource-id", facts.token_resource, "--endpoint-management", manager];
        run("az cloud register", &[&register[..], &directory[..], &resource[..], &["-o", "none"]].concat());
        run("az cloud set", &["cloud", "set", "-n", AZ_CLOUD, "-o", "none"]);
    } else if facts.name != "public" {
        run("az cloud set", &["cloud", "set", "-n", facts.az_name, "-o", "none"]);
    }
    let who = ["--service-principal", "-u", plain("client_id"), "--tenant", plain("tenant_id")];
    let how = ["--federated-token", "@azure-token"];
    let who = if login == AzLogin::Endpoint { vec!["--identity"] } else { [&who[..], &how[..]].concat() };
    run("az login", &[&["login"], &who[..], &["--allow-no-subscriptions", "-o", "none"]].concat());
    if let Some(subscription) = credentials.plain("subscription_id") {
        run("az account set", &["account", "set", "--subscription", subscription, "-o", "none"]);
    }
}

#[async_trait]
impl Cloud for AzureCloud {
    fn kind(&self) -> &'static str {
        KIND
    }

    fn outranking(&self) -> Vec<NamePattern> {
        // Where a cluster would have tokens sent instead: AZURE_KUBERNETES_TOKEN_PROXY.
        let prefixes = ["ARM_OIDC_", "AZURE_KUBERNETES_", "IDENTITY_", "MSI_"].into_iter().map(NamePattern::Prefix);
        OUTRANKING.iter().map(|name| NamePattern::Exact(name)).chain(prefixes).collect()
    }

    fn compatible(&self, group: &[(&str, Credentials)]) -> Result<(), Error> {
        let Some(((first, mine), others)) = group.split_first() else { return Ok(()) };
        // What a claim will make of a placeholder is not known yet.
        let is_known = |value: Option<&str>| value.is_none_or(is_literal);
        for (second, theirs) in others {
            let differs = FORESEEN.iter().find(|(key, _)| {
                let (mine, theirs) = (mine.plain(key), theirs.plain(key));
                mine != theirs && is_known(mine) && is_known(theirs)
            });
            if let Some((_, name)) = differs {
                return Err(would_differ(first, second, name));
            }
        }
        Ok(())
    }

    fn environment(&self, _context: &Context, group: &[Handover<'_>]) -> Result<ChildEnv, Error> {
        let Some(first) = group.first() else { return Ok(ChildEnv::default()) };
        one_principal(group)?;
        let mut child = variables(first);
        child.files.push(token_file(first));
        if let (Renewal::Once, Some(end)) = (first.renewal, first.token.expires()) {
            let end = humantime::format_rfc3339_seconds(end);
            child.notes.push(format!(
                "target `{}`: the ID token ends at {end} and cannot be renewed; Azure's tools get no new access token after that",
                first.target
            ));
        }
        az_login(&mut child, group, AzLogin::TokenFile);
        Ok(child)
    }

    fn can_be_served(&self) -> bool {
        true
    }

    fn served_environment(
        &self,
        _context: &Context,
        group: &[Handover<'_>],
        endpoint: &EndpointAddress,
    ) -> Result<ChildEnv, Error> {
        served::environment(group, endpoint)
    }

    fn secret_headers(&self) -> &'static [&'static str] {
        &["authorization", "x-identity-header"]
    }

    async fn answer(&self, target: &dyn ServedTarget, request: &EndpointRequest) -> EndpointReply {
        served::answer(target, request).await
    }

    /// The child exchanges by itself: as long as there is a token.
    fn lasts_until(&self, handover: &Handover<'_>) -> Option<SystemTime> {
        match handover.renewal {
            Renewal::Again(_) => None,
            Renewal::Once => handover.token.expires(),
        }
    }

    fn from_env(&self, context: &Context, _target: &str) -> Result<Option<Credentials>, Error> {
        let Some(path) = context.env.get("AZURE_FEDERATED_TOKEN_FILE") else { return Ok(None) };
        let damaged = |cause: String| {
            Error::new(&core_codes::TOKEN_MISSING, format!("the token file {path} cannot be read"))
                .with_cause(cause)
                .with_origin("environment variable AZURE_FEDERATED_TOKEN_FILE")
                .with_help("it lives as long as the `federate exec` that made it; start a new one")
        };
        let bytes = context.host.read(Path::new(path)).map_err(|error| damaged(error.to_string()))?;
        let text = String::from_utf8(bytes).map_err(|_| damaged("it is not text".to_owned()))?;
        Ok(Some(Credentials::new(KIND, None).with_secret("id_token", Secret::new(text.trim()))))
    }
}

#[cfg(test)]
mod tests;
