//! STS's refusals in words that say what to check.

use federate_core::{Claims, Code, Error, IdToken, Outcome, Recovery, Response, codes as core_codes};

use crate::codes;
use crate::response::{StsError, error as read_error};
use crate::visible::condition_keys;

const THROTTLING: &[&str] = &[
    "Throttling",
    "ThrottlingException",
    "ThrottledException",
    "RequestThrottledException",
    "RequestThrottled",
    "TooManyRequestsException",
    "ProvisionedThroughputExceededException",
    "TransactionInProgressException",
    "RequestLimitExceeded",
    "BandwidthLimitExceeded",
    "LimitExceededException",
    "SlowDown",
    "PriorRequestNotComplete",
    "EC2ThrottledException",
];
const PASSING: &[&str] = &[
    "IDPCommunicationError",
    "RequestTimeout",
    "RequestTimeoutException",
    "InternalFailure",
    "InternalError",
    "ServiceUnavailable",
];

/// Which answers of STS are worth another try.
pub(crate) fn classify(response: &Response) -> Outcome {
    if response.status == 200 {
        return Outcome::Final;
    }
    match read_error(response) {
        Some(error) if THROTTLING.contains(&error.code.as_str()) => Outcome::Throttled,
        Some(error) if PASSING.contains(&error.code.as_str()) || keys_unreachable(&error) => Outcome::Retry,
        _ => federate_core::http::classify_by_status(response),
    }
}

fn keys_unreachable(error: &StsError) -> bool {
    error.code == "InvalidIdentityToken" && error.message.starts_with("Couldn't retrieve verification key")
}

/// What was asked, for the advice.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked<'a> {
    pub(crate) operation: &'a str,
    pub(crate) role_arn: &'a str,
    /// The key of the role in the settings.
    pub(crate) setting: &'a str,
    /// The token, if it was a token that was exchanged.
    pub(crate) token: Option<&'a IdToken>,
}

/// The error for an answer that is no success.
pub(crate) fn error(asked: Asked<'_>, response: &Response) -> Error {
    let Some(sts) = read_error(response) else {
        let kind = response.header("content-type").unwrap_or("no content type");
        let code: &'static Code = if response.status >= 500 || response.status == 429 {
            &core_codes::SERVICE_ERROR
        } else {
            &core_codes::RESPONSE_INVALID
        };
        return Error::new(
            code,
            format!("STS answered {} to {}, but not in its own form", response.status, asked.operation),
        )
        .with_cause(format!("{kind}, {} bytes", response.body.len()))
        .with_help("something else than STS answered: check `endpoint_url`, AWS_ENDPOINT_URL_STS, and proxies");
    };
    let error = advice(asked, &sts)
        .with_cloud_code(&sts.code)
        .with_request_id(sts.request_id.clone().or_else(|| response.header("x-amzn-requestid").map(str::to_owned)));
    if sts.message.is_empty() { error } else { error.with_cause(&sts.message) }
}

fn advice(asked: Asked<'_>, sts: &StsError) -> Error {
    let Asked { operation, role_arn, setting, token } = asked;
    let says = |code, what: String| Error::new(code, what).with_setting(setting);
    let message = sts.message.as_str();
    match sts.code.as_str() {
        "AccessDenied" => match token {
            Some(token) => access_denied(role_arn, token.claims()).with_setting(setting),
            None => says(&codes::ACCESS_DENIED, format!("the role {role_arn} may not be assumed from the one before"))
                .with_help("the role before needs permission for sts:AssumeRole on it (and sts:TagSession with tags), and its trust policy must name the role before as principal, with the same `sts:ExternalId`")
                .with_recovery(Recovery::Trust),
        },
        "InvalidIdentityToken" => identity_token(message, token.map(|token| &**token.claims())).with_setting(setting),
        "ExpiredTokenException" | "ExpiredToken" if token.is_none() => says(&codes::EXPIRED_TOKEN, "STS says that the session's time is over".to_owned())
            .with_help("exchange anew: run `federate exec` again, with a longer `duration` if it ends too early; compare this machine's clock with the real time")
            .with_recovery(Recovery::NewToken),
        "ExpiredTokenException" | "ExpiredToken" => says(&codes::EXPIRED_TOKEN, "STS says that the token's time is over".to_owned())
            .with_help("ask for it later in the job, or have the CI system issue it with a longer life; compare this machine's clock with the time in STS's words")
            .with_recovery(Recovery::NewToken),
        "IDPCommunicationError" => says(&codes::IDP_UNREACHABLE, "STS cannot reach the issuer's discovery document or keys".to_owned())
            .with_help("the issuer must answer on the public internet within about 5 seconds; if it does, try again later"),
        "IDPRejectedClaim" => says(&codes::IDP_REJECTED, "the identity provider told STS that the token is not valid".to_owned()).with_help("ask for a new token; check whether it was revoked"),
        "MalformedPolicyDocument" => Error::new(&codes::SESSION_POLICY, "STS cannot read the session policy").with_setting("policy").with_help("check `policy` against the IAM policy grammar; it must be a whole document with Version and Statement"),
        "PackedPolicyTooLarge" => Error::new(&codes::SESSION_POLICY, "the session policies and tags are too large once STS has packed them")
            .with_setting("policy")
            .with_help("shorten `policy`, name managed policies in `policy_arns` instead, or send fewer session tags"),
        "RegionDisabledException" => says(&codes::REGION_DISABLED, "STS is not activated in this region for the account".to_owned())
            .with_setting("region")
            .with_help("activate STS in the region (IAM console, account settings), or choose another `region`"),
        "ValidationError" if message.contains("role chaining") => says(&codes::VALIDATION, "a role that is reached by role chaining lives for 1h at most".to_owned()).with_setting("duration").with_help("set `duration` to 1h or less"),
        "ValidationError" if message.contains("MaxSessionDuration") => says(&codes::VALIDATION, format!("the duration is longer than {role_arn} allows"))
            .with_setting("duration")
            .with_help("shorten `duration`, or raise the role's MaxSessionDuration (3600 by default)"),
        "ValidationError" => says(&codes::VALIDATION, format!("STS refuses a parameter of {operation}")).with_help("check the role's ARN, the session's name and the duration"),
        code if THROTTLING.contains(&code) => says(&core_codes::SERVICE_ERROR, "STS is throttling this account".to_owned()).with_help("spread the jobs, or ask the regional endpoint instead of the global one"),
        code if PASSING.contains(&code) => says(&core_codes::SERVICE_ERROR, format!("STS failed with {code}")).with_help("see https://health.aws.amazon.com, then run the job again"),
        code @ ("SignatureDoesNotMatch" | "RequestExpired") => says(&codes::REFUSED, format!("STS refuses {operation} with {code}"))
            .with_help("a request is signed with the time: compare this machine's clock with the time in STS's words; a proxy that changes requests breaks the signature as well"),
        code => says(&codes::REFUSED, format!("STS refuses {operation} with {code}"))
            .with_help("see its own words above; https://docs.aws.amazon.com/STS/latest/APIReference/CommonErrors.html says what the code means"),
    }
}

fn access_denied(role_arn: &str, claims: &Claims) -> Error {
    let keys = condition_keys(claims);
    let width = keys.iter().map(|(name, _)| name.len()).max().unwrap_or_default();
    let lines: String = keys.iter().map(|(name, value)| format!("\n  {name:width$} = {value}")).collect();
    let issuer = claims.issuer().unwrap_or_default();
    let provider = issuer.split_once("://").map_or(issuer, |(_, rest)| rest);
    let account = role_arn.split(':').nth(4).unwrap_or("the role's account");
    let partition = role_arn.split(':').nth(1).unwrap_or("aws");
    Error::new(&codes::ACCESS_DENIED, format!("STS does not let this job become {role_arn}"))
        .with_help(format!("compare the role's trust policy with what STS can see of this token; a condition on any other claim never holds:{lines}"))
        .with_help(format!("its principal must be arn:{partition}:iam::{account}:oidc-provider/{provider}, its action sts:AssumeRoleWithWebIdentity"))
        .with_help("STS says the same if the role does not exist, or if an organization's policy (SCP, RCP) denies it")
        .with_recovery(Recovery::Trust)
}

fn identity_token(message: &str, claims: Option<&Claims>) -> Error {
    let invalid = |what: &str| Error::new(&codes::INVALID_IDENTITY_TOKEN, what);
    let claim = |name: &str| claims.and_then(|claims| claims.text(name)).unwrap_or_default();
    if message.starts_with("No OpenIDConnect provider found") {
        return invalid("the account has no OIDC provider for the token's issuer")
            .with_help(format!("create one for {} in the role's account; host and path must be the same to the letter, without a trailing slash", claim("iss")))
            .with_recovery(Recovery::Trust);
    }
    if message.starts_with("Incorrect token audience") {
        let audience = claims
            .map(|claims| claims.text("azp").unwrap_or_else(|| claims.audiences().join(", ")))
            .unwrap_or_default();
        return invalid("the account's OIDC provider does not know the token's audience")
            .with_help(format!(
                "add {audience} to the provider's client ids, or set `audience` in the target to one that it has"
            ))
            .with_recovery(Recovery::Trust);
    }
    if message.starts_with("Couldn't retrieve verification key") {
        return Error::new(&codes::IDP_UNREACHABLE, "STS could not fetch the issuer's keys")
            .with_help("discovery document and JWKS must answer on the public internet within about 5 seconds, and the document must name response_types_supported, subject_types_supported and id_token_signing_alg_values_supported; this does not show in CloudTrail");
    }
    if message.contains("thumbprint") {
        return invalid("the certificate of the issuer's keys does not fit the OIDC provider's thumbprint").with_help(
            "update the provider's thumbprint to that of the top intermediate CA of the host that serves the JWKS",
        );
    }
    if message.starts_with("Missing a required claim") {
        return invalid("the token is no ID token").with_help("a claim that every ID token has is missing; ACTIONS_ID_TOKEN_REQUEST_TOKEN, for one, is not the ID token but what it is asked for with");
    }
    if message.contains("roles claim") {
        return invalid("the token lists the roles that it may be used for, and this is not among them").with_help("the issuer put https://aws.amazon.com/roles into the token: have it list this role, or assume a listed one");
    }
    invalid("STS does not accept the ID token")
        .with_help("see its own words above; `federate token` shows what the token says")
}

#[cfg(test)]
mod tests {
    use super::*;
    use federate_core::testing::id_token;
    use serde_json::json;

    fn answer(status: u16, code: &str, message: &str) -> Response {
        let body = format!(
            "<ErrorResponse><Error><Code>{code}</Code><Message>{message}</Message></Error><RequestId>r-1</RequestId></ErrorResponse>"
        );
        Response { status, headers: Vec::new(), body: body.into_bytes() }
    }

    fn refused(code: &str, message: &str) -> Error {
        let token = id_token(
            &json!({"iss": "https://gitlab.com", "aud": "https://gitlab.com", "sub": "project_path:g/p:ref_type:branch:ref:other", "project_id": "4711", "ref": "other", "canary": "canary"}),
        );
        let asked = Asked {
            operation: "AssumeRoleWithWebIdentity",
            role_arn: "arn:aws:iam::111122223333:role/deploy",
            setting: "role_arn",
            token: Some(&token),
        };
        error(asked, &answer(400, code, message))
    }

    #[test]
    fn access_denied_shows_what_sts_can_see() {
        insta::assert_debug_snapshot!(refused("AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity"), @r"
        [aws-access-denied] STS does not let this job become arn:aws:iam::111122223333:role/deploy
          cause: Not authorized to perform sts:AssumeRoleWithWebIdentity
          setting: role_arn
          help: compare the role's trust policy with what STS can see of this token; a condition on any other claim never holds:
          gitlab.com:aud        = https://gitlab.com
          gitlab.com:sub        = project_path:g/p:ref_type:branch:ref:other
          gitlab.com:project_id = 4711
          help: its principal must be arn:aws:iam::111122223333:oidc-provider/gitlab.com, its action sts:AssumeRoleWithWebIdentity
          help: STS says the same if the role does not exist, or if an organization's policy (SCP, RCP) denies it
        ");
    }

    #[test]
    fn every_code_has_its_advice() {
        for (code, message, name, part) in [
            (
                "InvalidIdentityToken",
                "No OpenIDConnect provider found in your account for https://gitlab.com",
                "aws-invalid-identity-token",
                "create one for https://gitlab.com",
            ),
            (
                "InvalidIdentityToken",
                "Incorrect token audience",
                "aws-invalid-identity-token",
                "add https://gitlab.com to the provider",
            ),
            (
                "InvalidIdentityToken",
                "Couldn't retrieve verification key from your identity provider,  please",
                "aws-idp-unreachable",
                "5 seconds",
            ),
            (
                "InvalidIdentityToken",
                "OpenIDConnect provider's HTTPS certificate doesn't match configured thumbprint",
                "aws-invalid-identity-token",
                "thumbprint",
            ),
            ("InvalidIdentityToken", "Missing a required claim: sub", "aws-invalid-identity-token", "no ID token"),
            (
                "InvalidIdentityToken",
                "The target role ARN is not present in the roles claim of the identity token",
                "aws-invalid-identity-token",
                "roles",
            ),
            ("ExpiredTokenException", "Token expired", "aws-expired-token", "clock"),
            ("IDPCommunicationError", "", "aws-idp-unreachable", "public internet"),
            ("IDPRejectedClaim", "", "aws-idp-rejected-claim", "new token"),
            ("MalformedPolicyDocument", "", "aws-session-policy", "grammar"),
            ("PackedPolicyTooLarge", "", "aws-session-policy", "shorten"),
            ("RegionDisabledException", "", "aws-region-disabled", "activate"),
            ("SignatureDoesNotMatch", "Signature expired", "aws-refused", "clock"),
            ("SomethingNew", "", "aws-refused", "CommonErrors"),
            (
                "ValidationError",
                "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.",
                "aws-validation",
                "MaxSessionDuration",
            ),
            (
                "ValidationError",
                "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining.",
                "aws-validation",
                "1h or less",
            ),
            ("ValidationError", "1 validation error", "aws-validation", "session's name"),
            ("Throttling", "Rate exceeded", "service-error", "regional"),
            ("InternalFailure", "", "service-error", "health.aws"),
            ("SomethingNew", "x", "aws-refused", "SomethingNew"),
        ] {
            let error = refused(code, message);
            let text = format!("{error:?}");
            assert_eq!(error.code().name, name, "{code}");
            assert!(text.contains(part) && !text.contains("canary"), "{code}: {text}");
            assert_eq!((error.cloud_code(), error.request_id()), (Some(code), Some("r-1")));
        }
    }

    #[test]
    fn what_is_worth_another_try() {
        for (status, code, message, expected) in [
            (400, "IDPCommunicationError", "", Outcome::Retry),
            (
                400,
                "InvalidIdentityToken",
                "Couldn't retrieve verification key from your identity provider",
                Outcome::Retry,
            ),
            (400, "InvalidIdentityToken", "Incorrect token audience", Outcome::Final),
            (403, "AccessDenied", "", Outcome::Final),
            (400, "Throttling", "", Outcome::Throttled),
            (500, "InternalFailure", "", Outcome::Retry),
        ] {
            assert_eq!(classify(&answer(status, code, message)), expected, "{code}");
        }
    }
}
