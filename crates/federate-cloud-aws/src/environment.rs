//! Credentials as AWS's SDKs find them.

use std::path::{Path, PathBuf};

use async_trait::async_trait;
use federate_core::{
    ChildEnv, Cloud, Context, Credentials, EndpointAddress, EndpointReply, EndpointRequest, Error, FileContent,
    Handover, NamePattern, PrivateFile, SdkConfig, SdkProfile, Secret, ServedTarget, codes as core_codes,
};
use serde_json::json;

use crate::{config_edit, config_file, served};

/// What is common to all AWS targets.
#[derive(Clone, Copy, Debug)]
pub struct AwsCloud;

pub(crate) const KIND: &str = "aws";
const CONFIG: &str = "aws-config";
const SHARED: &str = "aws-credentials";

/// What is no credential: where, and in which account.
pub(crate) fn place_variables(child: &mut ChildEnv, credentials: &Credentials) {
    for (variable, name) in [("AWS_REGION", "region"), ("AWS_DEFAULT_REGION", "region"), ("AWS_ACCOUNT_ID", "account")]
    {
        if let Some(value) = credentials.plain(name) {
            child.plain(variable, value);
        }
    }
}

fn plain_variables(child: &mut ChildEnv, credentials: &Credentials) {
    if let Some(id) = credentials.plain("access_key_id") {
        child.plain("AWS_ACCESS_KEY_ID", id);
    }
    place_variables(child, credentials);
    for (variable, name) in [("AWS_SECRET_ACCESS_KEY", "secret_access_key"), ("AWS_SESSION_TOKEN", "session_token")] {
        if let Some(secret) = credentials.secret(name) {
            child.secret(variable, secret.clone());
        }
    }
    if let Some(expires) = credentials.expires {
        child.plain("AWS_CREDENTIAL_EXPIRATION", humantime::format_rfc3339_seconds(expires).to_string());
    }
}

/// The user's AWS config file. A CI's settings do not expand a tilde, so the CLI does.
fn user_config(context: &Context) -> Option<PathBuf> {
    let path = context.env.get("AWS_CONFIG_FILE").unwrap_or("~/.aws/config");
    match path.strip_prefix("~/") {
        Some(below_home) => context.env.get("HOME").map(|home| Path::new(home).join(below_home)),
        None => Some(PathBuf::from(path)),
    }
}

pub(crate) fn read_user_config(context: &Context) -> Option<String> {
    context.host.read(&user_config(context)?).ok().and_then(|bytes| String::from_utf8(bytes).ok())
}

/// A private config file in place of the user's, and an empty one in place of the shared credentials: keys in there would
/// win over a profile of the same name, and over an endpoint.
pub(crate) fn config_files(child: &mut ChildEnv, config: Secret) {
    for (variable, id, content) in
        [("AWS_CONFIG_FILE", CONFIG, config), ("AWS_SHARED_CREDENTIALS_FILE", SHARED, Secret::new(""))]
    {
        child.files.push(PrivateFile { id: id.to_owned(), name: id.to_owned(), content: FileContent::Text(content) });
        child.path(variable, id);
    }
}

#[async_trait]
impl Cloud for AwsCloud {
    fn kind(&self) -> &'static str {
        KIND
    }

    fn outranking(&self) -> Vec<NamePattern> {
        const EXACT: &[&str] = &[
            "AWS_ACCESS_KEY_ID",
            "AWS_SECRET_ACCESS_KEY",
            "AWS_SESSION_TOKEN",
            "AWS_SECURITY_TOKEN",
            "AWS_ACCESS_KEY",
            "AWS_SECRET_KEY",
            "AWS_CREDENTIAL_EXPIRATION",
            "AWS_ACCOUNT_ID",
            "AWS_PROFILE",
            "AWS_DEFAULT_PROFILE",
            "AWS_ROLE_ARN",
            "AWS_ROLE_SESSION_NAME",
            "AWS_WEB_IDENTITY_TOKEN_FILE",
        ];
        EXACT.iter().map(|name| NamePattern::Exact(name)).chain([NamePattern::Prefix("AWS_CONTAINER_")]).collect()
    }

    fn environment(&self, context: &Context, group: &[Handover<'_>]) -> Result<ChildEnv, Error> {
        let mut child = ChildEnv::default();
        let Some(first) = group.first() else { return Ok(child) };
        plain_variables(&mut child, first.credentials);
        if group.len() > 1 {
            let targets: Vec<(&str, &Credentials)> = group.iter().map(|one| (one.target, one.credentials)).collect();
            let user = read_user_config(context);
            config_files(&mut child, config_file::merged(user.as_deref(), &targets));
        }
        Ok(child)
    }

    fn from_env(&self, context: &Context, target: &str) -> Result<Option<Credentials>, Error> {
        let named = read_user_config(context).map(|text| config_file::profile(&text, target)).unwrap_or_default();
        let from_file = |key: &str| named.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str());
        let in_file = from_file("aws_secret_access_key").is_some();
        let value = |key: &str, variable: &str| if in_file { from_file(key) } else { context.env.get(variable) };
        let (Some(id), Some(secret), Some(token)) = (
            value("aws_access_key_id", "AWS_ACCESS_KEY_ID"),
            value("aws_secret_access_key", "AWS_SECRET_ACCESS_KEY"),
            value("aws_session_token", "AWS_SESSION_TOKEN"),
        ) else {
            return Ok(None);
        };
        let expires = context
            .env
            .get("AWS_CREDENTIAL_EXPIRATION")
            .filter(|_| !in_file)
            .and_then(|text| humantime::parse_rfc3339_weak(text).ok());
        Ok(Some(
            Credentials::new(KIND, expires)
                .with_plain("access_key_id", id)
                .with_secret("secret_access_key", Secret::new(secret))
                .with_secret("session_token", Secret::new(token)),
        ))
    }

    fn can_be_served(&self) -> bool {
        true
    }

    fn served_environment(
        &self,
        context: &Context,
        group: &[Handover<'_>],
        endpoint: &EndpointAddress,
    ) -> Result<ChildEnv, Error> {
        Ok(served::environment(context, group, endpoint))
    }

    async fn answer(&self, target: &dyn ServedTarget, request: &EndpointRequest) -> EndpointReply {
        served::answer(target, request).await
    }

    fn sdk_config(&self) -> Option<&dyn SdkConfig> {
        Some(self)
    }
}

impl SdkConfig for AwsCloud {
    fn file(&self, context: &Context) -> Result<PathBuf, Error> {
        user_config(context).ok_or_else(|| {
            Error::new(&core_codes::SETTING_MISSING, "there is no home directory in which an AWS config file could be")
                .with_help("name the file with --file, or set AWS_CONFIG_FILE")
        })
    }

    fn with_profiles(&self, text: &str, profiles: &[SdkProfile], replace: bool) -> Result<String, Vec<Error>> {
        config_edit::with_profiles(text, profiles, replace)
    }

    fn without_profiles(&self, text: &str, is_meant: &dyn Fn(&str) -> bool) -> String {
        config_edit::without_profiles(text, is_meant)
    }

    fn credential_process(&self, credentials: &Credentials) -> Option<Secret> {
        let mut document = json!({
            "Version": 1,
            "AccessKeyId": credentials.plain("access_key_id")?,
            "SecretAccessKey": credentials.secret("secret_access_key")?.reveal(),
            "SessionToken": credentials.secret("session_token")?.reveal(),
        });
        if let Some(expires) = credentials.expires {
            document["Expiration"] = json!(humantime::format_rfc3339_seconds(expires).to_string());
        }
        if let Some(account) = credentials.plain("account") {
            document["AccountId"] = json!(account);
        }
        Some(Secret::new(document.to_string()))
    }

    fn outranked(&self, context: &Context, names: &[String]) -> Vec<String> {
        let path = match context.env.get("AWS_SHARED_CREDENTIALS_FILE") {
            Some(path) => Some(PathBuf::from(path)),
            None => context.env.get("HOME").map(|home| Path::new(home).join(".aws/credentials")),
        };
        let Some(path) = path else { return Vec::new() };
        let text = context.host.read(&path).ok().and_then(|bytes| String::from_utf8(bytes).ok()).unwrap_or_default();
        let has_keys = |name: &&String| config_edit::has_static_keys(&text, name);
        names
            .iter()
            .filter(has_keys)
            .map(|name| {
                format!(
                    "{} has static keys for the profile `{name}`, which SDKs prefer to a credential_process; remove them there",
                    path.display()
                )
            })
            .collect()
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use federate_core::testing::{fixture, id_token};
    use federate_core::{ChildValue, IdToken, Renewal};
    use std::time::{Duration, SystemTime};

    pub(crate) fn credentials() -> Credentials {
        Credentials::new("aws", Some(SystemTime::UNIX_EPOCH + Duration::from_secs(1_777_896_000)))
            .with_plain("access_key_id", "ASIA1")
            .with_secret("secret_access_key", Secret::new("canary"))
            .with_secret("session_token", Secret::new("canary-token"))
            .with_plain("account", "111122223333")
            .with_plain("region", "eu-west-1")
    }

    fn token() -> IdToken {
        id_token(&json!({}))
    }

    #[test]
    fn one_target_needs_no_file() {
        let (credentials, token) = (credentials(), token());
        let group = [Handover { target: "aws", credentials: &credentials, token: &token, renewal: &Renewal::Once }];
        let child = AwsCloud.environment(&fixture(&[], |_| false).context, &group).unwrap();
        assert!(child.files.is_empty());
        let names: Vec<&str> = child.set.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(
            names,
            [
                "AWS_ACCESS_KEY_ID",
                "AWS_REGION",
                "AWS_DEFAULT_REGION",
                "AWS_ACCOUNT_ID",
                "AWS_SECRET_ACCESS_KEY",
                "AWS_SESSION_TOKEN",
                "AWS_CREDENTIAL_EXPIRATION"
            ]
        );
        assert!(matches!(&child.set[6].1, ChildValue::Plain(text) if text == "2026-05-04T12:00:00Z"));
        assert!(!format!("{child:?}").contains("canary"));
    }

    #[test]
    fn several_targets_are_profiles_in_a_private_file() {
        let (credentials, token) = (credentials(), token());
        let handover = |target| Handover { target, credentials: &credentials, token: &token, renewal: &Renewal::Once };
        let child = AwsCloud.environment(&fixture(&[], |_| false).context, &[handover("a"), handover("b")]).unwrap();
        assert_eq!(child.files.len(), 2);
        assert!(child.set.iter().any(|(name, _)| name == "AWS_CONFIG_FILE"));
    }

    #[test]
    fn what_exec_gave_is_found_again() {
        let variables = [("AWS_ACCESS_KEY_ID", "ASIA1"), ("AWS_SECRET_ACCESS_KEY", "s"), ("AWS_SESSION_TOKEN", "t")];
        assert!(AwsCloud.from_env(&fixture(&variables, |_| false).context, "aws").unwrap().is_some());
        assert!(AwsCloud.from_env(&fixture(&variables[..2], |_| false).context, "aws").unwrap().is_none());
    }

    #[test]
    fn credential_process_is_version_1() {
        let document = AwsCloud.credential_process(&credentials()).unwrap();
        let json: serde_json::Value = serde_json::from_str(document.reveal()).unwrap();
        assert_eq!(
            (&json["Version"], &json["Expiration"], &json["AccountId"]),
            (&json!(1), &json!("2026-05-04T12:00:00Z"), &json!("111122223333"))
        );
    }
}
