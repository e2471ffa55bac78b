//! The error codes that more than one crate uses. Adapters add lists of their own.

use crate::error::{Category, Code};

macro_rules! codes {
    ($($(#[$meta:meta])* $name:ident = $text:literal, $category:ident, $meaning:literal;)*) => {
        $($(#[$meta])* #[doc = $meaning] pub static $name: Code = Code { name: $text, category: Category::$category, meaning: $meaning };)*
        /// Every code of this module, in the order of the reference page.
        pub static ALL: &[&Code] = &[$(&$name),*];
    };
}

codes! {
    USAGE = "usage", Usage, "A flag or an argument is wrong.";
    SETTING_INVALID = "setting-invalid", Usage, "A setting has a value that cannot work.";
    SETTING_MISSING = "setting-missing", Usage, "A setting that is needed has no value in any layer.";
    PLACEHOLDER_INVALID = "placeholder-invalid", Usage, "A placeholder is malformed, stands where none may, or names something unknown.";
    ENV_UNSET = "env-unset", Usage, "A placeholder names an environment variable that is not set.";
    CLAIM_UNKNOWN = "claim-unknown", Usage, "A placeholder names a claim that the ID token does not carry.";
    IDENTITY_NOT_DETECTED = "identity-not-detected", Identity, "No CI system was recognised, and the profile names none.";
    IDENTITY_AMBIGUOUS = "identity-ambiguous", Identity, "More than one CI system was recognised.";
    TOKEN_MISSING = "token-missing", Identity, "The CI system gave this job no ID token.";
    TOKEN_AMBIGUOUS = "token-ambiguous", Identity, "Several different ID tokens fit equally well.";
    TOKEN_MALFORMED = "token-malformed", Identity, "The ID token is not a well-formed signed JWT.";
    TOKEN_EXPIRED = "token-expired", Identity, "The ID token's time is over.";
    TOKEN_NOT_YET_VALID = "token-not-yet-valid", Identity, "The ID token's time has not begun.";
    TOKEN_AUDIENCE = "token-audience", Identity, "The ID token is meant for another audience.";
    TOKEN_ISSUER = "token-issuer", Identity, "The ID token comes from another issuer.";
    TOKEN_SIGNATURE = "token-signature", Identity, "The ID token's signature does not fit the issuer's published keys.";
    TOKEN_REQUEST_REFUSED = "token-request-refused", Identity, "The CI system refused to issue an ID token.";
    HOST_NOT_ALLOWED = "host-not-allowed", Refused, "A token would have gone to a host that is neither built in nor allowed by policy.";
    ACCOUNT_NOT_ALLOWED = "account-not-allowed", Refused, "The credentials belong to an account that is not allowed.";
    TENANT_NOT_ALLOWED = "tenant-not-allowed", Refused, "The tenant is not allowed by policy.";
    NETWORK_UNREACHABLE = "network-unreachable", Network, "A name did not resolve, or a connection could not be made or broke.";
    NETWORK_TIMEOUT = "network-timeout", Network, "An answer did not come in time.";
    NETWORK_TLS = "network-tls", Network, "The server's certificate could not be verified.";
    NETWORK_REDIRECT = "network-redirect", Network, "The server answered with a redirect, which is never followed.";
    RESPONSE_TOO_LARGE = "response-too-large", Network, "The server's answer is larger than 1 MiB.";
    RESPONSE_INVALID = "response-invalid", Network, "The server's answer is not what the protocol promises.";
    SERVICE_ERROR = "service-error", Network, "The service kept failing until the retries were used up.";
}
