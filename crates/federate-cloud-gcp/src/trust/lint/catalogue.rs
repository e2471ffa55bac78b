//! The catalogue: every finding with its id, its severity and the smallest change that mends it.

use federate_trust::{Rule, Severity};

/// Every rule, by id.
pub(in crate::trust) static RULES: &[Rule] = &[
    Rule {
        id: "gcp-no-condition",
        severity: Severity::Critical,
        message: "multi-tenant issuer without attribute condition: every customer of the IdP enters the pool",
        fix: "restrict owner/organization id",
    },
    Rule {
        id: "gcp-trivial-condition",
        severity: Severity::Critical,
        message: "condition true for every tenant (sub != '', true, aud only): every customer of the IdP enters the pool",
        fix: "restrict owner id",
    },
    Rule {
        id: "gcp-any-tenant",
        severity: Severity::Critical,
        message: "tests a name that is not unique across tenants: an outsider gives their job the same name",
        fix: "add organization id",
    },
    Rule {
        id: "gcp-prefix-without-slash",
        severity: Severity::Critical,
        message: "startsWith on an unclosed owner: anyone can register a name that begins like it",
        fix: "close with '/'",
    },
    Rule {
        id: "gcp-substring",
        severity: Severity::Critical,
        message: "contains() holds wherever the text stands: an outsider's name only has to contain it",
        fix: "==",
    },
    Rule {
        id: "gcp-regex-unanchored",
        severity: Severity::Critical,
        message: "matches() is partial: an outsider's name only has to contain a match",
        fix: "^...$",
    },
    Rule {
        id: "gcp-negation-only",
        severity: Severity::Critical,
        message: "only excludes: everyone but the listed enters the pool",
        fix: "positive test",
    },
    Rule {
        id: "gcp-actor-only",
        severity: Severity::High,
        message: "actor only: says who triggered a job, and that in any repository",
        fix: "repository id",
    },
    Rule {
        id: "gcp-or-precedence",
        severity: Severity::Medium,
        message: "&& binds tighter than ||: the test behind && does not cover the other alternatives",
        fix: "parentheses",
    },
    Rule {
        id: "gcp-binding-pool-wide",
        severity: Severity::High,
        message: "principalSet .../*: whoever enters the pool may act",
        fix: "bind an attribute or subject",
    },
    Rule {
        id: "gcp-org-wide",
        severity: Severity::Medium,
        message: "owner only: every repository, project or workspace of the owner",
        fix: "repository id",
    },
    Rule {
        id: "gcp-any-ref",
        severity: Severity::Medium,
        message: "repository without ref/environment: any branch, tag and pull request",
        fix: "add assertion.ref",
    },
    Rule {
        id: "gcp-prefix-without-delimiter",
        severity: Severity::Medium,
        message: "startsWith on an unclosed name: other names of the owner's begin like it",
        fix: "close with ':'",
    },
    Rule {
        id: "gcp-mutable-name",
        severity: Severity::Info,
        message: "names only: a name that becomes free can be registered by somebody else",
        fix: "numeric ids",
    },
    Rule {
        id: "gcp-no-condition-private",
        severity: Severity::Info,
        message: "dedicated issuer without condition",
        fix: "optional",
    },
    Rule {
        id: "gcp-attr-unmapped",
        severity: Severity::High,
        message: "attribute.x used but not mapped: an error, so nobody is let in by it",
        fix: "map it",
    },
    Rule {
        id: "gcp-subject-unmapped",
        severity: Severity::High,
        message: "google.subject missing: no token is accepted",
        fix: "map it",
    },
    Rule {
        id: "gcp-wildcard-literal",
        severity: Severity::High,
        message: "* inside ==: a literal one, which no claim contains",
        fix: "startsWith",
    },
    Rule {
        id: "gcp-type-mismatch",
        severity: Severity::High,
        message: "string claim compared with int/bool literal: never equal, and always unequal",
        fix: "quote it",
    },
    Rule {
        id: "gcp-issuer-mismatch",
        severity: Severity::High,
        message: "issuer_uri is not iss (slash, scheme, discovery path)",
        fix: "copy iss",
    },
    Rule {
        id: "gcp-binding-never-matches",
        severity: Severity::High,
        message: "member with two attributes or a wildcard: nobody is it",
        fix: "one attribute per member; use a condition",
    },
    Rule {
        id: "gcp-binding-unmapped",
        severity: Severity::High,
        message: "member names an attribute that is not mapped: nobody has it",
        fix: "map it",
    },
    Rule {
        id: "gcp-known-after-apply",
        severity: Severity::Medium,
        message: "the plan does not know it yet: nobody can say whom it lets in",
        fix: "look at the provider once it is applied, or write the value out",
    },
    #[cfg(feature = "cel")]
    Rule {
        id: "gcp-condition-unread",
        severity: Severity::High,
        message: "nobody has looked at whom it would let in",
        fix: "write it with the functions of CEL, and the claims behind `assertion.`",
    },
    // Silence would pass for a clean bill.
    #[cfg(not(feature = "cel"))]
    Rule {
        id: "gcp-condition-unread",
        severity: Severity::Medium,
        message: "this binary was built without the feature `cel`: nobody has looked at the attribute condition",
        fix: "use a build with the default features",
    },
];

/// The rule of this id. The ids are constants of this crate, and a test asks for every one of them.
pub(super) fn rule(id: &str) -> &'static Rule {
    RULES.iter().find(|rule| rule.id == id).unwrap_or(&RULES[0])
}
