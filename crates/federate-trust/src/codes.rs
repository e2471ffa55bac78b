//! Error codes of the trust commands.

use federate_core::{Category, Code};

/// A file is not the trust configuration that it should be.
pub static TRUST_DOCUMENT: Code = Code {
    name: "trust-document",
    category: Category::Usage,
    meaning: "A file is not a trust policy, federated identity credential or workload identity provider that can be read.",
};

/// The cloud has no words for an entry of an `allow` list.
pub static TRUST_NOT_EXPRESSIBLE: Code = Code {
    name: "trust-not-expressible",
    category: Category::Usage,
    meaning: "The cloud cannot tell the jobs of a `trust.allow` entry from others, or its tool has no words for it: nothing is generated rather than something wider.",
};

/// Every code of this crate.
pub static ALL: &[&Code] = &[&TRUST_DOCUMENT, &TRUST_NOT_EXPRESSIBLE];
