//! The catalogue: every finding with its id, its severity and the smallest change that mends it.

use federate_trust::{Rule, Severity};

/// Every rule, by id.
pub(crate) static RULES: &[Rule] = &[
    Rule {
        id: "az-wildcard-literal",
        severity: Severity::High,
        message: "`*` in a classic subject is literal: no token has it",
        fix: "flexible credential or exact subject",
    },
    Rule {
        id: "az-subject-never-matches",
        severity: Severity::High,
        message: "no token of this issuer has such a subject",
        fix: "fix the format",
    },
    Rule {
        id: "az-issuer-mismatch",
        severity: Severity::High,
        message: "no token has such an issuer (a slash, another scheme or host, the discovery path): Entra compares byte by byte",
        fix: "copy iss",
    },
    Rule {
        id: "az-whitespace",
        severity: Severity::High,
        message: "a space leads or trails, and Entra compares byte by byte: no token matches",
        fix: "trim",
    },
    Rule {
        id: "az-flex-invalid",
        severity: Severity::High,
        message: "Entra rejects this expression",
        fix: "see grammar",
    },
    Rule {
        id: "az-flex-missing-immutable-id",
        severity: Severity::High,
        message: "Entra rejects a new GitHub expression without repository_id or repository_owner_id; in an old one, whoever registers a name that was given up gets in",
        fix: "add one with eq",
    },
    Rule {
        id: "az-flex-prefix-without-slash",
        severity: Severity::Critical,
        message: "the owner's name is not closed: anybody can register a name that begins alike (acme-evil for acme*), and get in",
        fix: "repo:acme/",
    },
    Rule {
        id: "az-user-controlled-subject",
        severity: Severity::Critical,
        message: "the subject is made of claims that a workflow's author sets: anybody can write such a workflow in a repository of their own, and get in",
        fix: "include repo/owner ids",
    },
    Rule {
        id: "az-flex-org-wide",
        severity: Severity::Medium,
        message: "every repository, project or workspace of the owner is let in: whoever may create or change any of them gets in",
        fix: "name it or add repository_id",
    },
    Rule {
        id: "az-flex-any-ref",
        severity: Severity::Medium,
        message: "any branch, tag, environment and pull request of the repository is let in: whoever can push a branch gets in",
        fix: "pin the context",
    },
    Rule {
        id: "az-flex-any-branch",
        severity: Severity::Medium,
        message: "any branch is let in: whoever can push a branch gets in",
        fix: "pin it",
    },
    Rule {
        id: "az-pull-request-open",
        severity: Severity::Medium,
        message: "the pull_request subject is trusted: code that nobody has reviewed gets in",
        fix: "separate identity",
    },
    Rule {
        id: "az-flex-wildcard-environment",
        severity: Severity::Medium,
        message: "any environment, or any of a prefix: environments are created unprotected by whoever writes the workflow, who then gets in",
        fix: "name it",
    },
    Rule {
        id: "az-flex-fixed-width",
        severity: Severity::Medium,
        message: "`?` stands for any character: whoever may create something of that length gets in",
        fix: "eq",
    },
    Rule {
        id: "az-flex-tag-wildcard",
        severity: Severity::Low,
        message: "any tag, or any of a pattern: tags can be created and moved by anyone with write access",
        fix: "protect tags",
    },
    Rule {
        id: "az-flex-run-phase-any",
        severity: Severity::Low,
        message: "plan and apply share the identity: a speculative plan of unreviewed code gets what an apply gets",
        fix: "split",
    },
    Rule {
        id: "az-dangling-classic",
        severity: Severity::Medium,
        message: "a credential by names is left beside its twin by ids: whoever registers the name once it is given up still gets in",
        fix: "delete it",
    },
    Rule {
        id: "az-mutable-subject",
        severity: Severity::Info,
        message: "the tenant is told by names only: whoever registers a name that was given up gets in",
        fix: "immutable subject / ids",
    },
    Rule {
        id: "az-aud-nonstandard",
        severity: Severity::Info,
        message: "the audience is not api://AzureADTokenExchange",
        fix: "use it",
    },
];

/// The rule of this id. The ids are constants of this crate, and a test asks for every one of them.
pub(crate) fn rule(id: &str) -> &'static Rule {
    RULES.iter().find(|rule| rule.id == id).unwrap_or(&RULES[0])
}
