//! The catalogue: every finding with its id, its severity and the smallest change that mends it.

use federate_trust::{Rule, Severity};

/// Every rule, by id.
pub(crate) static RULES: &[Rule] = &[
    Rule {
        id: "az-wildcard-literal",
        severity: Severity::High,
        message: "* in a classic subject is literal",
        fix: "flexible credential or exact subject",
    },
    Rule {
        id: "az-subject-never-matches",
        severity: Severity::High,
        message: "subject is not in the issuer's format",
        fix: "fix the format",
    },
    Rule {
        id: "az-issuer-mismatch",
        severity: Severity::High,
        message: "issuer is not the iss the IdP sends (slash, scheme, discovery path)",
        fix: "copy iss",
    },
    Rule { id: "az-whitespace", severity: Severity::High, message: "leading/trailing space", fix: "trim" },
    Rule {
        id: "az-flex-invalid",
        severity: Severity::High,
        message: "expression Entra rejects (or, other operator/claim/issuer, quotes, both subject and expression)",
        fix: "see grammar",
    },
    Rule {
        id: "az-flex-missing-immutable-id",
        severity: Severity::High,
        message: "GitHub expression without repository_id / repository_owner_id",
        fix: "add one with eq",
    },
    Rule { id: "az-flex-prefix-without-slash", severity: Severity::Critical, message: "repo:acme*", fix: "repo:acme/" },
    Rule {
        id: "az-user-controlled-subject",
        severity: Severity::Critical,
        message: "subject made of author-controlled claims",
        fix: "include repo/owner ids",
    },
    Rule {
        id: "az-flex-org-wide",
        severity: Severity::Medium,
        message: "every repository/project/workspace of the owner",
        fix: "name it or add repository_id",
    },
    Rule {
        id: "az-flex-any-ref",
        severity: Severity::Medium,
        message: "any context of the repository",
        fix: "pin the context",
    },
    Rule { id: "az-flex-any-branch", severity: Severity::Medium, message: "any branch", fix: "pin it" },
    Rule {
        id: "az-pull-request-open",
        severity: Severity::Medium,
        message: "pull_request subject",
        fix: "separate identity",
    },
    Rule {
        id: "az-flex-wildcard-environment",
        severity: Severity::Medium,
        message: "environment wildcard",
        fix: "name it",
    },
    Rule {
        id: "az-flex-fixed-width",
        severity: Severity::Medium,
        message: "???? matches every name of that length",
        fix: "eq",
    },
    Rule { id: "az-flex-tag-wildcard", severity: Severity::Low, message: "tag wildcard", fix: "protect tags" },
    Rule {
        id: "az-flex-run-phase-any",
        severity: Severity::Low,
        message: "plan and apply share the identity",
        fix: "split",
    },
    Rule {
        id: "az-dangling-classic",
        severity: Severity::Medium,
        message: "name-based credential left beside its immutable twin",
        fix: "delete it",
    },
    Rule { id: "az-mutable-subject", severity: Severity::Info, message: "names only", fix: "immutable subject / ids" },
    Rule {
        id: "az-aud-nonstandard",
        severity: Severity::Info,
        message: "audience is not api://AzureADTokenExchange",
        fix: "use it",
    },
];

/// The rule of this id. The ids are constants of this crate, and a test asks for every one of them.
pub(crate) fn rule(id: &str) -> &'static Rule {
    RULES.iter().find(|rule| rule.id == id).unwrap_or(&RULES[0])
}
