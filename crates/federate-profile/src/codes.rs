//! The error codes of profiles.

use federate_core::{Category, Code};

macro_rules! codes {
    ($($name:ident = $text:literal, $meaning:literal;)*) => {
        $(#[doc = $meaning] pub(crate) static $name: Code = Code { name: $text, category: Category::Usage, meaning: $meaning };)*
        /// Every code of this crate.
        pub static ALL: &[&Code] = &[$(&$name),*];
    };
}

codes! {
    SYNTAX = "profile-syntax", "A layer is not valid TOML.";
    FILE = "profile-file", "A layer or the profiles directory cannot be read, or belongs to another user.";
    PROFILE_NAME = "profile-name", "A profile's name has characters that no profile name may have.";
    PROFILE_MISSING = "profile-missing", "There is no profile of this name.";
    EXTENDS_CYCLE = "extends-cycle", "Profiles extend one another in a circle.";
    UNKNOWN_KEY = "unknown-key", "A layer sets a key that nothing reads.";
    WRONG_TYPE = "wrong-type", "A setting has a value of the wrong type.";
    UNKNOWN_ADAPTER = "unknown-adapter", "A section's `type` names no adapter.";
    AMBIGUOUS_VARIABLE = "ambiguous-variable", "A FEDERATE__ variable could mean several keys.";
    LOCAL_IN_CI = "local-in-ci", "A .local.toml, which must never be committed, was found in CI.";
    POLICY_IN_LAYER = "policy-in-layer", "A layer of the repository tries to set the machine's policy.";
    CA_FILE_IN_CI = "ca-file-in-ci", "A layer of the repository names a CA file in CI.";
    TARGET_UNKNOWN = "target-unknown", "No target of the profile matches.";
    TARGET_UNCHOSEN = "target-unchosen", "The profile has several targets and none was chosen.";
    IDENTITY_UNKNOWN = "identity-unknown", "An identity is named that neither the profile nor federate has.";
    MATRIX = "matrix-invalid", "A target's matrix cannot be read, or makes names that no target can have.";
    MATRIX_FILE = "matrix-file", "A file that a matrix takes values from cannot be read, or has a bad row.";
    TARGET_TWICE = "target-twice", "Two targets have the same name.";
    ENV_CREDENTIAL = "env-credential", "A placeholder names a variable that holds a credential.";
}
