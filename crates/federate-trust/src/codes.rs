//! Error codes of the trust commands.

use federate_core::{Category, Code};

/// A file is not the trust configuration that it should be.
pub static TRUST_DOCUMENT: Code = Code {
    name: "trust-document",
    category: Category::Usage,
    meaning: "A file is not a trust policy, federated identity credential or workload identity provider that can be read.",
};

/// Every code of this crate.
pub static ALL: &[&Code] = &[&TRUST_DOCUMENT];
