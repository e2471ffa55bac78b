//! The error codes that only the sandbox uses.

use federate_core::Code;
use federate_core::error::Category;

/// The sandbox could not be set up.
pub static SANDBOX_FAILED: Code =
    Code { name: "sandbox-failed", category: Category::Usage, meaning: "The sandbox could not be set up." };

/// A `--claim` cannot be given to the job.
pub static SANDBOX_CLAIM: Code = Code {
    name: "sandbox-claim",
    category: Category::Usage,
    meaning: "A claim that was asked for is not one that tokens of this CI system carry, or has a value that it cannot have.",
};

/// Every code of this module, in the order of the reference page.
pub static ALL: &[&Code] = &[&SANDBOX_FAILED, &SANDBOX_CLAIM];
