//! The error codes of Azure.

use federate_core::{Category, Code};

macro_rules! codes {
    ($($name:ident = $text:literal, $category:ident, $meaning:literal;)*) => {
        $(#[doc = $meaning] pub(crate) static $name: Code = Code { name: $text, category: Category::$category, meaning: $meaning };)*
        /// Every code of this crate.
        pub static ALL: &[&Code] = &[$(&$name),*];
    };
}

codes! {
    NO_CREDENTIAL = "azure-no-matching-credential", Refused, "The application has no federated identity credential for this token's issuer, subject and audience.";
    ASSERTION = "azure-assertion", Refused, "Entra does not accept the ID token itself: its time, its signature, its form.";
    APPLICATION = "azure-application", Refused, "The application is not in the tenant, or cannot be signed in to this way.";
    TENANT = "azure-tenant", Refused, "There is no such tenant, or it belongs to another cloud.";
    POLICY = "azure-policy", Refused, "A policy of the tenant forbids it: federation is constrained, or Conditional Access blocks.";
    SCOPE = "azure-scope", Refused, "The scope is malformed, or names a resource that the tenant does not have.";
    REFUSED = "azure-refused", Refused, "Entra or Azure Resource Manager refuses for a reason that federate has no advice for.";
    ISSUER_UNREACHABLE = "azure-issuer-unreachable", Network, "Entra could not reach the issuer's discovery document or keys.";
    CONFLICT = "azure-target-conflict", Usage, "Two Azure targets would set one variable differently.";
}
