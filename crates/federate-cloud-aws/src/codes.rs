//! The error codes of AWS.

use federate_core::{Category, Code};

macro_rules! codes {
    ($($name:ident = $text:literal, $category:ident, $meaning:literal;)*) => {
        $(#[doc = $meaning] pub(crate) static $name: Code = Code { name: $text, category: Category::$category, meaning: $meaning };)*
        /// Every code of this crate.
        pub static ALL: &[&Code] = &[$(&$name),*];
    };
}

codes! {
    ACCESS_DENIED = "aws-access-denied", Refused, "STS does not let this job assume the role: the trust policy does not match, or the role does not exist, or an organization's policy denies it.";
    INVALID_IDENTITY_TOKEN = "aws-invalid-identity-token", Refused, "STS does not accept the ID token: no OIDC provider for its issuer, another audience, a claim missing.";
    EXPIRED_TOKEN = "aws-expired-token", Refused, "STS says that the ID token's or the session's time is over.";
    IDP_UNREACHABLE = "aws-idp-unreachable", Network, "STS could not fetch the issuer's keys, also after retries.";
    IDP_REJECTED = "aws-idp-rejected-claim", Refused, "The identity provider told STS that the token is invalid, expired or revoked.";
    SESSION_POLICY = "aws-session-policy", Refused, "STS refuses the session policy: malformed, or too large once packed.";
    REGION_DISABLED = "aws-region-disabled", Refused, "STS is not activated in this region for the account.";
    VALIDATION = "aws-validation", Refused, "STS refuses a parameter: a duration above the role's maximum, a malformed ARN.";
    REFUSED = "aws-refused", Refused, "STS refuses with a code that federate has no advice for.";
}
