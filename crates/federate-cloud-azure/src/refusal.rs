//! Entra's refusals in words that say which field to change
//! (<https://learn.microsoft.com/entra/identity-platform/reference-error-codes>).

use federate_core::{Error, IdToken, Outcome, Recovery, Response, codes as core_codes};

use crate::codes;
use crate::response::{EntraError, error as read_error};
use crate::settings::Settings;

const THROTTLED: &[u64] = &[90_055];
const PASSING: &[u64] = &[90_006, 90_024, 90_033, 90_090];

/// Which answers of Entra are worth another try.
pub(crate) fn classify(response: &Response) -> Outcome {
    if response.status == 200 {
        return Outcome::Final;
    }
    match read_error(response) {
        Some(error) if error.number.is_some_and(|number| THROTTLED.contains(&number)) => Outcome::Throttled,
        Some(error)
            if error.number.is_some_and(|number| PASSING.contains(&number))
                || error.error == "temporarily_unavailable" =>
        {
            Outcome::Retry
        }
        _ => federate_core::http::classify_by_status(response),
    }
}

/// The error for an answer that is no success.
pub(crate) fn error(settings: &Settings, audience: &str, scope: &str, token: &IdToken, response: &Response) -> Error {
    let Some(entra) = read_error(response) else {
        let code = if response.status >= 500 || response.status == 429 {
            &core_codes::SERVICE_ERROR
        } else {
            &core_codes::RESPONSE_INVALID
        };
        return Error::new(code, format!("the authority answered {}, but not in Entra's form", response.status))
            .with_request_id(response.header("x-ms-request-id").map(str::to_owned))
            .with_help(
                "something else than Entra answered: check `authority_host`, AZURE_AUTHORITY_HOST, and proxies",
            );
    };
    let cloud_code = entra.number.map_or_else(|| entra.error.clone(), |number| format!("AADSTS{number}"));
    let error = advice(settings, audience, scope, token, &entra)
        .with_cloud_code(cloud_code)
        .with_request_id(entra.trace_id.clone());
    if entra.description.is_empty() { error } else { error.with_cause(&entra.description) }
}

fn advice(settings: &Settings, audience: &str, scope: &str, token: &IdToken, entra: &EntraError) -> Error {
    let client = settings.client_id.as_str();
    let no_match = |what: &str| no_credential(settings, audience, token, what);
    let says =
        |code, what: String, setting: &str, help: &str| Error::new(code, what).with_setting(setting).with_help(help);
    match entra.number.unwrap_or_default() {
        70_021 => no_match("has no federated identity credential for this token"),
        700_211 => no_match("has no federated identity credential for this token's issuer"),
        700_212 => no_match("has no federated identity credential for this token's audience"),
        700_213 | 7_002_137 => no_match("has no federated identity credential for this token's subject"),
        7_002_138 => no_match("has a federated identity credential whose subject differs from this token's in upper and lower case").with_help("Entra compares to the letter: correct the case in the credential's subject"),
        70_025 => no_match("has no federated identity credentials at all"),
        700_222 => says(&codes::ASSERTION, "tokens that Entra itself issued cannot be exchanged here".to_owned(), "identity", "use the CI system's own ID token"),
        700_223 | 700_238 => says(&codes::POLICY, "a policy of the tenant forbids federation with this issuer".to_owned(), "tenant_id", "have an administrator of the tenant allow the issuer in the workload identity federation policy"),
        700_024 => says(&codes::ASSERTION, "Entra says that the ID token's time is over, or has not begun".to_owned(), "", "ask for it later in the job, or have the CI system issue it with a longer life; compare this machine's clock with Entra's words").with_recovery(Recovery::NewToken),
        700_027 => says(&codes::ASSERTION, "Entra could not verify the ID token's signature".to_owned(), "", "the issuer's published keys (JWKS) must hold the token's `kid`; after a key rotation, wait a few minutes"),
        50_012 | 50_013 | 50_027 => says(&codes::ASSERTION, "Entra does not accept the ID token".to_owned(), "", "see its own words above; `federate token` shows what the token says"),
        501_661 => says(&codes::ISSUER_UNREACHABLE, "Entra cannot reach the issuer's discovery document or keys".to_owned(), "", "the issuer must answer on the public internet; a private GitLab needs its `/.well-known/openid-configuration` and keys published"),
        700_016 => says(&codes::APPLICATION, format!("the application {client} is not in the tenant {}", settings.tenant_id), "client_id", "check `client_id` (the application's client id, not its object id) and `tenant_id`; a new application takes a few minutes to spread").with_recovery(Recovery::Trust),
        700_025 => says(&codes::APPLICATION, format!("the application {client} is a public client, which cannot present an assertion"), "client_id", "turn off `Allow public client flows` of the application"),
        7_000_215 => says(&codes::APPLICATION, "Entra took the ID token for a client secret".to_owned(), "client_id", "see its own words above"),
        70_052 => says(&codes::APPLICATION, format!("{client} is not an identity that may sign in this way"), "client_id", "use a single-tenant application, or a user-assigned managed identity"),
        50_194 => says(&codes::APPLICATION, format!("the application {client} is not multi-tenant"), "tenant_id", "write the id of the application's own tenant"),
        90_002 => says(&codes::TENANT, format!("there is no tenant {}", settings.tenant_id), "tenant_id", "check `tenant_id`, and `cloud`: tenants of one cloud are unknown to the others"),
        900_382 | 900_432 => says(&codes::TENANT, "the authority is of one cloud, the application or resource of another".to_owned(), "cloud", "set `cloud` to the application's: public, usgovernment or china"),
        53_003 => says(&codes::POLICY, "Conditional Access blocks this application".to_owned(), "client_id", "see the sign-in log of the application (workload identities); the job may come from an address that is not allowed"),
        70_011 => says(&codes::SCOPE, format!("Entra does not accept the scope {scope}"), "scopes", "write RESOURCE/.default, one resource each"),
        500_011 => says(&codes::SCOPE, format!("the tenant has no resource for the scope {scope}"), "scopes", "check its spelling, and `cloud`; a third-party resource has to be consented to in the tenant first"),
        900_144 | 9_002_313 => says(&codes::REFUSED, "Entra says that the request is malformed".to_owned(), "", "a proxy may have changed it; otherwise please report this with the request id"),
        number if THROTTLED.contains(&number) || PASSING.contains(&number) => says(&core_codes::SERVICE_ERROR, "Entra kept failing".to_owned(), "", "see https://azure.status.microsoft, then run the job again"),
        _ => says(&codes::REFUSED, format!("Entra refuses ({})", entra.error), "", "see its own words above"),
    }
}

/// No credential matches: shows the token's side, and the command that would make it match.
fn no_credential(settings: &Settings, audience: &str, token: &IdToken, what: &str) -> Error {
    let claims = token.claims();
    let (issuer, subject) = (claims.issuer().unwrap_or("missing"), claims.subject().unwrap_or("missing"));
    let client = &settings.client_id;
    let credential =
        serde_json::json!({ "name": "federate", "issuer": issuer, "subject": subject, "audiences": [audience] });
    let mut error = Error::new(&codes::NO_CREDENTIAL, format!("the application {client} {what}"))
        .with_setting("client_id")
        .with_help(format!("the token says:\n  issuer   = {issuer}\n  subject  = {subject}\n  audience = {}", claims.audiences().join(", ")))
        .with_help(format!("if this job is meant to get in: az ad app federated-credential create --id {client} --parameters '{credential}'"))
        .with_help("issuer, subject and audience are compared to the letter, and a new credential takes a few minutes to spread (--wait-for-trust 5m)")
        .with_recovery(Recovery::Trust);
    if has_immutable_ids(subject) {
        error = error.with_help("this subject has numeric ids in it (OWNER@ID/REPO@ID): GitHub's form since July 2026; credentials in the old form do not match it");
    }
    error
}

fn has_immutable_ids(subject: &str) -> bool {
    subject.starts_with("repo:")
        && subject.split('@').skip(1).any(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use federate_core::testing::id_token;
    use serde_json::json;

    fn refused(number: u64, subject: &str) -> Error {
        let settings: Settings = serde_json::from_value(json!({"tenant_id": "00000000-0000-0000-0000-000000000001", "client_id": "00000000-0000-0000-0000-000000000002"})).unwrap();
        let token = id_token(
            &json!({"iss": "https://gitlab.com", "sub": subject, "aud": "api://AzureADTokenExchange", "x": "canary"}),
        );
        let body = json!({"error": "invalid_client", "error_description": format!("AADSTS{number}: No. Trace ID: x"), "error_codes": [number], "trace_id": "t-1"});
        let response = Response { status: 401, headers: Vec::new(), body: body.to_string().into_bytes() };
        error(&settings, "api://AzureADTokenExchange", "https://management.azure.com/.default", &token, &response)
    }

    #[test]
    fn a_wrong_subject_shows_what_to_create() {
        insta::assert_debug_snapshot!(refused(700_213, "project_path:g/p:ref_type:branch:ref:other"), @r#"
        [azure-no-matching-credential] the application 00000000-0000-0000-0000-000000000002 has no federated identity credential for this token's subject
          cause: AADSTS700213: No.
          setting: client_id
          help: the token says:
          issuer   = https://gitlab.com
          subject  = project_path:g/p:ref_type:branch:ref:other
          audience = api://AzureADTokenExchange
          help: if this job is meant to get in: az ad app federated-credential create --id 00000000-0000-0000-0000-000000000002 --parameters '{"audiences":["api://AzureADTokenExchange"],"issuer":"https://gitlab.com","name":"federate","subject":"project_path:g/p:ref_type:branch:ref:other"}'
          help: issuer, subject and audience are compared to the letter, and a new credential takes a few minutes to spread (--wait-for-trust 5m)
        "#);
    }

    #[test]
    fn every_code_has_its_advice() {
        for (number, name, part) in [
            (70_021, "azure-no-matching-credential", "for this token"),
            (700_211, "azure-no-matching-credential", "issuer"),
            (700_212, "azure-no-matching-credential", "audience"),
            (7_002_137, "azure-no-matching-credential", "subject"),
            (7_002_138, "azure-no-matching-credential", "upper and lower case"),
            (70_025, "azure-no-matching-credential", "at all"),
            (700_222, "azure-assertion", "Entra itself"),
            (700_223, "azure-policy", "forbids"),
            (700_238, "azure-policy", "forbids"),
            (700_024, "azure-assertion", "clock"),
            (700_027, "azure-assertion", "kid"),
            (50_027, "azure-assertion", "does not accept"),
            (50_013, "azure-assertion", "does not accept"),
            (501_661, "azure-issuer-unreachable", "public internet"),
            (700_016, "azure-application", "is not in the tenant"),
            (700_025, "azure-application", "public client"),
            (7_000_215, "azure-application", "client secret"),
            (70_052, "azure-application", "single-tenant"),
            (50_194, "azure-application", "multi-tenant"),
            (90_002, "azure-tenant", "no tenant"),
            (900_382, "azure-tenant", "cloud"),
            (900_432, "azure-tenant", "cloud"),
            (53_003, "azure-policy", "Conditional Access"),
            (70_011, "azure-scope", "scope"),
            (500_011, "azure-scope", "resource"),
            (900_144, "azure-refused", "malformed"),
            (9_002_313, "azure-refused", "malformed"),
            (90_055, "service-error", "status"),
            (90_033, "service-error", "status"),
            (1, "azure-refused", "invalid_client"),
        ] {
            let error = refused(number, "s");
            let text = format!("{error:?}");
            assert_eq!(error.code().name, name, "{number}");
            assert!(text.contains(part) && !text.contains("canary") && !text.contains("Trace ID"), "{number}: {text}");
            assert_eq!(
                (error.cloud_code(), error.request_id()),
                (Some(format!("AADSTS{number}").as_str()), Some("t-1"))
            );
        }
        assert!(format!("{:?}", refused(700_213, "repo:o@1/r@2:ref:refs/heads/main")).contains("numeric ids"));
    }
}
