//! The container credentials endpoint that AWS's SDKs ask again and again
//! (<https://docs.aws.amazon.com/sdkref/latest/guide/feature-container-credentials.html>).

use federate_core::{
    ChildEnv, Context, Credentials, EndpointAddress, EndpointReply, EndpointRequest, Error, Handover, SdkConfig as _,
    Secret, ServedTarget,
};
use serde_json::{Value as Json, json};

use crate::config_file;
use crate::environment::{AwsCloud, KIND, config_files, place_variables, read_user_config};

/// What SDKs ask by `AWS_CONTAINER_CREDENTIALS_FULL_URI`.
const CONTAINER: &str = "credentials";
/// What a profile's `credential_process` prints.
const PROCESS: &str = "process";

/// One address serves one target, the first; each target is a profile as well.
pub(crate) fn environment(context: &Context, group: &[Handover<'_>], endpoint: &EndpointAddress) -> ChildEnv {
    let mut child = ChildEnv::default();
    let Some(first) = group.first() else { return child };
    child.plain("AWS_CONTAINER_CREDENTIALS_FULL_URI", endpoint.url(KIND, first.target, CONTAINER));
    child.secret("AWS_CONTAINER_AUTHORIZATION_TOKEN", endpoint.secret.clone());
    child.plain("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", endpoint.secret_file.display().to_string());
    place_variables(&mut child, first.credentials);
    let targets: Vec<(&str, &Credentials, String)> = group
        .iter()
        .map(|one| (one.target, one.credentials, endpoint.command(&endpoint.url(KIND, one.target, PROCESS))))
        .collect();
    // SDKs ask the address only after the files: a key in one of them would win.
    config_files(&mut child, config_file::asking(read_user_config(context).as_deref(), &targets));
    child
}

pub(crate) async fn answer(target: &dyn ServedTarget, request: &EndpointRequest) -> EndpointReply {
    let document: fn(&Credentials) -> Option<Secret> = match request.path.as_str() {
        CONTAINER => container,
        PROCESS => |credentials| AwsCloud.credential_process(credentials),
        _ => return refusal(404, "NotFound", "there is nothing at this path"),
    };
    if !request.query.is_empty() {
        return refusal(400, "BadRequest", "this address takes no parameters");
    }
    match target.credentials().await {
        Ok(exchanged) => match document(&exchanged.credentials) {
            Some(body) => EndpointReply { status: 200, body },
            None => refusal(500, "InternalError", "the credentials are not those of a role session"),
        },
        Err(error) => unavailable(&error),
    }
}

/// The SDKs show `message` to the person.
fn refusal(status: u16, code: &str, message: &str) -> EndpointReply {
    EndpointReply::new(status, &json!({ "code": code, "message": message }))
}

fn unavailable(error: &Error) -> EndpointReply {
    let cause = error.cause().map(|cause| format!(" ({cause})")).unwrap_or_default();
    refusal(503, error.code().name, &format!("federate has no credentials: {error}{cause}"))
}

fn container(credentials: &Credentials) -> Option<Secret> {
    let mut document = json!({
        "AccessKeyId": credentials.plain("access_key_id")?,
        "SecretAccessKey": credentials.secret("secret_access_key")?.reveal(),
        "Token": credentials.secret("session_token")?.reveal(),
    });
    let expires = credentials.expires.map(|end| humantime::format_rfc3339_seconds(end).to_string());
    for (key, value) in [
        ("Expiration", expires.as_deref()),
        ("AccountId", credentials.plain("account")),
        ("RoleArn", credentials.plain("role_arn")),
    ] {
        if let Some(value) = value {
            document[key] = Json::from(value);
        }
    }
    Some(Secret::new(document.to_string()))
}

#[cfg(test)]
mod tests;
