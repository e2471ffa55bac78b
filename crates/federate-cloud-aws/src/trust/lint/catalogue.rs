//! The catalogue: every finding with its id, its severity and the smallest change that mends it.

use federate_trust::{Rule, Severity};

/// Every rule, by id.
pub(crate) static RULES: &[Rule] = &[
    Rule {
        id: "missing-tenant",
        severity: Severity::Critical,
        message: "shared issuer, and no condition names a tenant: any customer of the IdP can assume the role",
        fix: "add sub (or repository_id / namespace_id / organization_id; aud for Pulumi, Vercel global, Cognito)",
    },
    Rule {
        id: "wildcard-all",
        severity: Severity::Critical,
        message: "a sub value is only '*'",
        fix: "replace by owner/repo:context",
    },
    Rule {
        id: "wildcard-org",
        severity: Severity::Critical,
        message: "owner/group/organization segment is or begins with a wildcard (repo:*, repo:*/api:*, project_path:*, organization:*, *:environment:prod)",
        fix: "write the owner",
    },
    Rule {
        id: "prefix-without-slash",
        severity: Severity::Critical,
        message: "owner segment ends in a wildcard before its delimiter (repo:acme*): anyone can register acme-evil",
        fix: "close it: repo:acme/...",
    },
    Rule {
        id: "user-controlled-claim",
        severity: Severity::Critical,
        message: "GitHub sub consists of claims the workflow author sets (workflow:, environment:, ref:, head_ref: ...) with no repo/owner",
        fix: "put repo or repository_owner_id first",
    },
    Rule {
        id: "negated-only",
        severity: Severity::Critical,
        message: "the only sub test is negated: everyone except the listed",
        fix: "use a positive test",
    },
    Rule {
        id: "no-condition",
        severity: Severity::Info,
        message: "Allow for an OIDC provider without Condition; reported with missing-tenant or missing-sub",
        fix: "add conditions",
    },
    Rule {
        id: "forallvalues-null",
        severity: Severity::High,
        message: "ForAllValues on a single-valued token key in Allow: true when the claim is absent",
        fix: "drop the set operator",
    },
    Rule {
        id: "ifexists",
        severity: Severity::High,
        message: "...IfExists on a token key in Allow: true when the claim is absent",
        fix: "drop IfExists",
    },
    Rule {
        id: "actor-claim",
        severity: Severity::Medium,
        message: "relies on actor / user_login / user_email: says who triggered, not where",
        fix: "use repo/environment; keep only as an extra test",
    },
    Rule {
        id: "job-workflow-ref-only",
        severity: Severity::Medium,
        message: "job_workflow_ref says which reusable workflow ran, not who called it",
        fix: "add repository_owner_id or sub",
    },
    Rule {
        id: "workflow-ref-wildcard",
        severity: Severity::Medium,
        message: "ref part of job_workflow_ref is a wildcard",
        fix: "pin @refs/heads/main or a SHA",
    },
    Rule {
        id: "org-wide",
        severity: Severity::Medium,
        message: "every repository/project/workspace/pipeline of the owner",
        fix: "name the repository or add an id",
    },
    Rule {
        id: "missing-sub",
        severity: Severity::Medium,
        message: "private issuer (or tenant named by aud) but no workload is named",
        fix: "add sub",
    },
    Rule {
        id: "leading-wildcard",
        severity: Severity::Medium,
        message: "private-issuer sub begins with '*'",
        fix: "write the leading segments",
    },
    Rule {
        id: "any-ref",
        severity: Severity::Medium,
        message: "any branch, tag, environment and pull request of the repository",
        fix: "pin ref, environment or pull_request",
    },
    Rule {
        id: "any-branch",
        severity: Severity::Medium,
        message: "ref:refs/heads/* or ref_type:branch:ref:* (GitLab merge-request pipelines included)",
        fix: "pin the branch or require ref_protected=true",
    },
    Rule {
        id: "pull-request-open",
        severity: Severity::Medium,
        message: "trusts the pull_request subject: unreviewed code",
        fix: "use a read-only role or an environment with reviewers",
    },
    Rule {
        id: "wildcard-environment",
        severity: Severity::Medium,
        message: "environment:* or a prefix: new environments are created unprotected",
        fix: "name the environment",
    },
    Rule {
        id: "wildcard-ref-type",
        severity: Severity::Medium,
        message: "GitLab ref_type:*: a tag named like the branch matches",
        fix: "ref_type:branch",
    },
    Rule {
        id: "wildcard-workspace",
        severity: Severity::Medium,
        message: "HCP Terraform workspace:* of one project",
        fix: "name the workspace",
    },
    Rule {
        id: "prefix-without-colon",
        severity: Severity::Medium,
        message: "repository/workspace/service-account name ends in a wildcard",
        fix: "close it with the delimiter",
    },
    Rule {
        id: "k8s-any-serviceaccount",
        severity: Severity::High,
        message: "system:serviceaccount:*:*",
        fix: "namespace and name",
    },
    Rule { id: "k8s-any-namespace", severity: Severity::High, message: "namespace is a wildcard", fix: "name it" },
    Rule {
        id: "k8s-namespace-wide",
        severity: Severity::Medium,
        message: "any service account of a namespace",
        fix: "name it",
    },
    Rule {
        id: "branch-prefix",
        severity: Severity::Low,
        message: "refs/heads/main*: main-anything",
        fix: "drop the star or use main and release/*",
    },
    Rule {
        id: "tag-wildcard",
        severity: Severity::Low,
        message: "tags can be created/moved by anyone with write access",
        fix: "protect tags or pin the environment",
    },
    Rule { id: "run-phase-any", severity: Severity::Low, message: "plan and apply share the role", fix: "two roles" },
    Rule {
        id: "tagsession-open",
        severity: Severity::Low,
        message: "sts:TagSession without aws:RequestTag / aws:TagKeys conditions",
        fix: "restrict the tags",
    },
    Rule { id: "broad-action", severity: Severity::Low, message: "sts:* or *", fix: "sts:AssumeRoleWithWebIdentity" },
    Rule {
        id: "missing-aud",
        severity: Severity::Low,
        message: "no aud condition; only the provider's client-ID list checks it",
        fix: "StringEquals <issuer>:aud",
    },
    Rule {
        id: "user-claim-first",
        severity: Severity::Low,
        message: "customised sub begins with an author-controlled claim, owner/repo follow",
        fix: "put repo first",
    },
    Rule {
        id: "idp-control",
        severity: Severity::Medium,
        message: "AWS refuses create/update for this shared issuer: the required claim is absent or its first value is only '*'",
        fix: "add sub / job_workflow_ref (aud for Pulumi, Vercel, Cognito)",
    },
    Rule {
        id: "mutable-subject",
        severity: Severity::Info,
        message: "github.com / gitlab.com tenant pinned by names only: names can be recycled; a classic GitHub pattern also misses the immutable sub format",
        fix: "repository_owner_id/repository_id, namespace_id/project_id, or the @id sub",
    },
    Rule {
        id: "stringequals-wildcard",
        severity: Severity::High,
        message: "* or ? in StringEquals is literal",
        fix: "StringLike, or drop the star",
    },
    Rule {
        id: "sub-never-matches",
        severity: Severity::High,
        message: "value cannot be a sub of this issuer",
        fix: "see the issuer's grammar",
    },
    Rule {
        id: "key-issuer-mismatch",
        severity: Severity::High,
        message: "condition key prefix is not the trusted provider (https://, missing path/slug/slash, other host): never present",
        fix: "use the provider URL without https://",
    },
    Rule {
        id: "unsupported-key",
        severity: Severity::High,
        message: "STS does not expose this claim for this issuer (repository_owner, event_name, iss, namespace_path, ids on GHES/self-managed)",
        fix: "use a supported key",
    },
    Rule {
        id: "contradictory-conditions",
        severity: Severity::High,
        message: "two operators on sub are ANDed and share no value",
        fix: "one operator, a list of values",
    },
    Rule {
        id: "mixed-issuers",
        severity: Severity::High,
        message: "several providers in one statement with keys of more than one",
        fix: "one statement per provider",
    },
    Rule {
        id: "wrong-action",
        severity: Severity::High,
        message: "statement lacks sts:AssumeRoleWithWebIdentity",
        fix: "fix the action",
    },
    Rule {
        id: "foranyvalue-single",
        severity: Severity::Info,
        message: "ForAnyValue on a single-valued key: works, not needed",
        fix: "drop it",
    },
    Rule {
        id: "stringlike-no-wildcard",
        severity: Severity::Info,
        message: "StringLike without wildcard",
        fix: "StringEquals",
    },
    Rule {
        id: "ignore-case",
        severity: Severity::Info,
        message: "IgnoreCase on a token key (git refs are case-sensitive)",
        fix: "StringEquals",
    },
    Rule { id: "old-version", severity: Severity::Info, message: "Version is not 2012-10-17", fix: "2012-10-17" },
];

/// The rule of this id. The ids are constants of this crate, and a test asks for every one of them.
pub(crate) fn rule(id: &str) -> &'static Rule {
    RULES.iter().find(|rule| rule.id == id).unwrap_or(&RULES[0])
}
