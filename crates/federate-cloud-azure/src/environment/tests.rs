use std::collections::BTreeMap;
use std::path::PathBuf;

use federate_core::testing::{fixture, fixture_with, id_token};
use federate_core::{IdToken, Policy, TokenRequestEndpoint};
use serde_json::json;

use super::*;

fn credentials(changes: &[(&'static str, &str)]) -> Credentials {
    let mut credentials = Credentials::new("azure", None)
        .with_plain("tenant_id", "t-1")
        .with_plain("client_id", "c-1")
        .with_plain("subscription_id", "s-1")
        .with_plain("authority_host", "https://login.microsoftonline.com")
        .with_plain("resource_manager_url", "https://management.azure.com")
        .with_plain("cloud", "public")
        .with_plain("audience", "api://AzureADTokenExchange")
        .with_plain("explicit_hosts", "false")
        .with_plain("az_login", "false")
        .with_secret("access_token", Secret::new("canary-access"));
    for (name, value) in changes {
        credentials = credentials.with_plain(*name, *value);
    }
    credentials
}

fn token() -> IdToken {
    id_token(&json!({"sub": "canary-subject", "exp": 1_777_892_400}))
}

fn environment(group: &[(&str, Credentials)], renewal: &Renewal) -> Result<ChildEnv, Error> {
    let token = token();
    let group: Vec<Handover<'_>> =
        group.iter().map(|(target, credentials)| Handover { target, credentials, token: &token, renewal }).collect();
    AzureCloud.environment(&fixture(&[], |_| false).context, &group)
}

fn set(child: &ChildEnv) -> BTreeMap<&str, String> {
    child.set.iter().map(|(name, value)| (name.as_str(), shown(value))).collect()
}

fn again() -> Renewal {
    let endpoint = TokenRequestEndpoint { url: "https://ci.test/token?x=1".to_owned(), token: Secret::new("canary") };
    Renewal::Again(Some(endpoint))
}

#[test]
fn sdks_get_a_token_file_and_terraform_too_where_nothing_is_issued_again() {
    let child = environment(&[("azure", credentials(&[]))], &Renewal::Once).unwrap();
    let set = set(&child);
    for (name, value) in [
        ("AZURE_CLIENT_ID", "c-1"),
        ("AZURE_TENANT_ID", "t-1"),
        ("AZURE_SUBSCRIPTION_ID", "s-1"),
        ("AZURE_AUTHORITY_HOST", "https://login.microsoftonline.com/"),
        ("AZURE_FEDERATED_TOKEN_FILE", "azure-token"),
        ("ARM_CLIENT_ID", "c-1"),
        ("ARM_TENANT_ID", "t-1"),
        ("ARM_SUBSCRIPTION_ID", "s-1"),
        ("ARM_ENVIRONMENT", "public"),
        ("ARM_USE_OIDC", "true"),
        ("ARM_USE_CLI", "false"),
        ("ARM_USE_MSI", "false"),
        ("ARM_OIDC_TOKEN_FILE_PATH", "azure-token"),
    ] {
        assert_eq!(set.get(name).map(String::as_str), Some(value), "{name}");
    }
    assert_eq!(set.len(), 13, "{set:?}");
    assert!(child.setup.is_empty() && child.notes[0].contains("2026-05-04T11:00:00Z"));
    assert!(!format!("{child:?}").contains("canary"));
}

#[test]
fn terraform_asks_the_ci_itself_where_it_can() {
    let child = environment(&[("azure", credentials(&[]))], &again()).unwrap();
    assert_eq!(set(&child)["ARM_OIDC_REQUEST_URL"], "https://ci.test/token?x=1");
    assert!(set(&child).contains_key("ARM_OIDC_REQUEST_TOKEN") && child.notes.is_empty());
    let child = environment(&[("azure", credentials(&[("audience", "api://own")]))], &again()).unwrap();
    assert!(set(&child).contains_key("ARM_OIDC_TOKEN_FILE_PATH"), "another audience cannot be asked for by Terraform");
}

#[test]
fn two_principals_do_not_fit_into_one_environment() {
    let error =
        environment(&[("a", credentials(&[])), ("b", credentials(&[("client_id", "c-2")]))], &again()).unwrap_err();
    assert_eq!(error.what(), "the targets `a` and `b` would set AZURE_CLIENT_ID differently");
    assert!(environment(&[("a", credentials(&[])), ("b", credentials(&[]))], &again()).is_ok());
}

fn commands(child: &ChildEnv) -> Vec<String> {
    let shown = |argument: &Argument| match argument {
        Argument::Plain(text) => text.clone(),
        Argument::PathOf(id) => format!("<{id}>"),
        Argument::AtPathOf(id) => format!("@<{id}>"),
    };
    let one = |command: &SetupCommand| command.arguments.iter().map(shown).collect::<Vec<_>>().join(" ");
    child.setup.iter().map(one).collect()
}

#[test]
fn az_logs_in_from_the_file_in_a_directory_of_its_own() {
    let child = environment(&[("azure", credentials(&[("az_login", "true")]))], &again()).unwrap();
    assert_eq!(
        commands(&child),
        [
            "login --service-principal -u c-1 --tenant t-1 --federated-token @<azure-token> --allow-no-subscriptions -o none",
            "account set --subscription s-1 -o none",
        ]
    );
    assert_eq!(set(&child)["AZURE_CONFIG_DIR"], "azure-config");
}

#[test]
fn az_is_told_of_other_clouds_and_hosts() {
    let government = [("az_login", "true"), ("cloud", "usgovernment")];
    let child = environment(&[("azure", credentials(&government))], &again()).unwrap();
    assert_eq!(commands(&child)[0], "cloud set -n AzureUSGovernment -o none");
    let own = [("az_login", "true"), ("explicit_hosts", "true"), ("resource_manager_url", "https://127.0.0.1:1/")];
    let child = environment(&[("azure", credentials(&own))], &again()).unwrap();
    assert!(
        commands(&child)[0].starts_with("cloud register -n federate --endpoint-resource-manager https://127.0.0.1:1/")
    );
    assert_eq!(set(&child)["ARM_METADATA_HOSTNAME"], "127.0.0.1:1");
    assert_eq!(set(&child)["AZURE_CORE_INSTANCE_DISCOVERY"], "false");
}

#[test]
fn what_outranks_is_dropped() {
    let dropped = |name: &str| AzureCloud.outranking().iter().any(|pattern| pattern.matches(name));
    for name in
        ["AZURE_CLIENT_SECRET", "ARM_CLIENT_CERTIFICATE_PATH", "ARM_OIDC_TOKEN", "IDENTITY_ENDPOINT", "MSI_SECRET"]
    {
        assert!(dropped(name), "{name}");
    }
    assert!(!dropped("ARM_SKIP_PROVIDER_REGISTRATION") && !dropped("AZURE_CONFIG_DIR"));
}

#[test]
fn the_file_that_exec_gave_is_found_again() {
    let variables = [("AZURE_FEDERATED_TOKEN_FILE", "/run/token")];
    let files = BTreeMap::from([(PathBuf::from("/run/token"), b"canary".to_vec())]);
    let there = fixture_with(&variables, Policy::default(), files);
    assert!(AzureCloud.from_env(&there.context, "azure").unwrap().unwrap().secret("id_token").is_some());
    let error = AzureCloud.from_env(&fixture(&variables, |_| false).context, "azure").unwrap_err();
    assert!(error.what().contains("/run/token"));
    assert!(AzureCloud.from_env(&fixture(&[], |_| false).context, "azure").unwrap().is_none());
}

#[test]
fn two_principals_are_refused_before_anything_is_exchanged() {
    let group = |changes| [("a", credentials(&[])), ("b", credentials(changes))];
    assert!(AzureCloud.compatible(&group(&[])).is_ok());
    let error = AzureCloud.compatible(&group(&[("client_id", "c-2")])).unwrap_err();
    assert!(error.code() == &codes::CONFLICT && error.what().contains("AZURE_CLIENT_ID"), "{error:?}");
    let later = group(&[("client_id", "{claim:project_id}")]);
    assert!(AzureCloud.compatible(&later).is_ok(), "what a claim gives is not known yet");
}
