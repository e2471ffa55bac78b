//! Two endpoints that Azure's tools ask again and again: the managed identity of App Service
//! (<https://learn.microsoft.com/azure/app-service/overview-managed-identity#rest-endpoint-reference>) and a token request
//! endpoint in GitHub's shape, which Terraform's providers ask.

use federate_core::context::unix_seconds;
use federate_core::{
    ChildEnv, EndpointAddress, EndpointReply, EndpointRequest, Error, Handover, Renewal, ServedTarget, codes,
};
use serde_json::json;

use crate::clouds::CloudName;
use crate::environment::{AzLogin, KIND, az_login, one_principal, token_file, variables};

/// `IDENTITY_ENDPOINT`.
const IDENTITY: &str = "identity";
/// `ARM_OIDC_REQUEST_URL`, whose askers take a query for granted.
const REQUEST: &str = "token";
const REQUEST_QUERY: &str = "api-version=2.0";
const API_VERSION: &str = "2019-08-01";

/// The usual variables, and the endpoints; under `--isolate` without the token's file.
pub(crate) fn environment(group: &[Handover<'_>], endpoint: &EndpointAddress) -> Result<ChildEnv, Error> {
    let Some(first) = group.first() else { return Ok(ChildEnv::default()) };
    one_principal(group)?;
    let mut child = variables(first);
    // A token in a file is read once by Terraform; an address can be asked again.
    let asks_ci = child.set.iter().any(|(name, _)| name == "ARM_OIDC_REQUEST_URL")
        && matches!(first.renewal, Renewal::Again(Some(_)))
        && !endpoint.isolate;
    if !asks_ci {
        child.set.retain(|(name, _)| !name.starts_with("ARM_OIDC_"));
        let url = endpoint.url(KIND, first.target, REQUEST);
        child.plain("ARM_OIDC_REQUEST_URL", format!("{url}?{REQUEST_QUERY}"));
        child.secret("ARM_OIDC_REQUEST_TOKEN", endpoint.secret.clone());
    }
    if endpoint.isolate {
        child.set.retain(|(name, _)| name != "AZURE_FEDERATED_TOKEN_FILE");
    } else {
        child.files.push(token_file(first));
    }
    child.plain("IDENTITY_ENDPOINT", endpoint.url(KIND, first.target, IDENTITY));
    child.secret("IDENTITY_HEADER", endpoint.secret.clone());
    az_login(&mut child, group, AzLogin::Endpoint);
    Ok(child)
}

pub(crate) async fn answer(target: &dyn ServedTarget, request: &EndpointRequest) -> EndpointReply {
    match request.path.as_str() {
        IDENTITY => identity(target, request).await,
        REQUEST => id_token(target, request).await,
        _ => refusal(404, "there is nothing at this path"),
    }
}

/// `statusCode` and `message` are what the identity libraries show.
fn refusal(status: u16, message: &str) -> EndpointReply {
    EndpointReply::new(status, &json!({ "statusCode": status, "message": message }))
}

fn unavailable(error: &Error) -> EndpointReply {
    let cause = error.cause().map(|cause| format!(" ({cause})")).unwrap_or_default();
    refusal(503, &format!("federate has no credentials: {error}{cause}"))
}

async fn identity(target: &dyn ServedTarget, request: &EndpointRequest) -> EndpointReply {
    if request.parameter("api-version") != Some(API_VERSION) {
        return refusal(400, &format!("the parameter api-version has to be {API_VERSION}"));
    }
    let Some(resource) = request.parameter("resource").filter(|resource| !resource.is_empty()) else {
        return refusal(400, "the parameter resource is missing");
    };
    let other = ["mi_res_id", "object_id", "principal_id"];
    if let Some(name) = other.into_iter().find(|name| request.query.iter().any(|(key, _)| key == name)) {
        return refusal(400, &format!("the identity is chosen by client_id here, not by {name}"));
    }
    let credentials = match target.credentials_for(resource).await {
        Ok(credentials) => credentials,
        Err(error) if *error.code() == codes::USAGE => return refusal(400, error.what()),
        Err(error) => return unavailable(&error),
    };
    let (Some(client), Some(access), Some(expires)) =
        (credentials.plain("client_id"), credentials.secret("access_token"), credentials.expires)
    else {
        return refusal(500, "the credentials hold no access token");
    };
    let asked = request.query.iter().filter(|(key, _)| key == "client_id");
    if asked.clone().any(|(_, asked)| !asked.eq_ignore_ascii_case(client)) {
        return refusal(400, &format!("this endpoint is the identity {client} and no other"));
    }
    EndpointReply::ok(&json!({
        "access_token": access.reveal(),
        "expires_on": unix_seconds(expires).to_string(),
        "resource": resource,
        "token_type": "Bearer",
        "client_id": client,
    }))
}

/// Only for the audience that the target is exchanged with: the child gets no token that opens another cloud.
async fn id_token(target: &dyn ServedTarget, request: &EndpointRequest) -> EndpointReply {
    let token = match target.id_token().await {
        Ok(token) => token,
        Err(error) => return unavailable(&error),
    };
    let usual = [CloudName::Public, CloudName::UsGovernment, CloudName::China].map(|cloud| cloud.facts().audience);
    let own = token.claims().audiences();
    let is_own = |asked: &str| usual.contains(&asked) || own.iter().any(|audience| audience == asked);
    if request.query.iter().any(|(key, asked)| key == "audience" && !is_own(asked)) {
        return refusal(400, &format!("tokens are for the audience {} here", own.join(" or ")));
    }
    EndpointReply::ok(&json!({ "count": token.raw().reveal().len(), "value": token.raw().reveal() }))
}

#[cfg(test)]
mod tests;
