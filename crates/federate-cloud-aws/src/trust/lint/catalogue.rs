//! The catalogue: every finding with its id, its severity and the smallest change that mends it.

use federate_trust::{Rule, Severity};

/// Every rule, by id.
pub(crate) static RULES: &[Rule] = &[
    Rule {
        id: "missing-tenant",
        severity: Severity::Critical,
        message: "the issuer serves everybody, and no condition names a tenant: any customer of the IdP who runs a job can assume the role",
        fix: "add sub (or repository_id / namespace_id / organization_id; aud for Pulumi, Vercel global, Cognito)",
    },
    Rule {
        id: "wildcard-all",
        severity: Severity::Critical,
        message: "a sub value is only `*`: whoever gets a token of this issuer can assume the role",
        fix: "replace by owner/repo:context",
    },
    Rule {
        id: "wildcard-org",
        severity: Severity::Critical,
        message: "the owner, group or organization is or begins with a wildcard: anybody can name a repository, project or job of their own so that it fits, and assume the role",
        fix: "write the owner",
    },
    Rule {
        id: "prefix-without-slash",
        severity: Severity::Critical,
        message: "the owner's name ends in a wildcard before its delimiter: anybody can register a name that begins alike (acme-evil for acme*), and assume the role",
        fix: "close it: repo:acme/...",
    },
    Rule {
        id: "user-controlled-claim",
        severity: Severity::Critical,
        message: "sub is made of claims that a workflow's author sets, and names no repository or owner: anybody can write such a workflow in a repository of their own, and assume the role",
        fix: "put repo or repository_owner_id first",
    },
    Rule {
        id: "negated-only",
        severity: Severity::Critical,
        message: "the only test of sub is negated: everybody but those listed can assume the role",
        fix: "use a positive test",
    },
    Rule {
        id: "no-condition",
        severity: Severity::Info,
        message: "an Allow for an OIDC provider without Condition: every token of the issuer is let in",
        fix: "add conditions",
    },
    Rule {
        id: "forallvalues-null",
        severity: Severity::High,
        message: "ForAllValues on a key with one value is also true where the token lacks the claim: a job without it passes",
        fix: "drop the set operator",
    },
    Rule {
        id: "ifexists",
        severity: Severity::High,
        message: "IfExists on a token's key is also true where the token lacks the claim: a job without it passes",
        fix: "drop IfExists",
    },
    Rule {
        id: "actor-claim",
        severity: Severity::Medium,
        message: "actor, user_login and user_email say who triggered the job, not where it runs: whoever makes that person or bot trigger something gets in",
        fix: "use repo/environment; keep only as an extra test",
    },
    Rule {
        id: "job-workflow-ref-only",
        severity: Severity::Medium,
        message: "job_workflow_ref says which reusable workflow ran, not who called it: whoever may call that workflow can assume the role",
        fix: "add repository_owner_id or sub",
    },
    Rule {
        id: "workflow-ref-wildcard",
        severity: Severity::Medium,
        message: "the workflow's own ref is a wildcard: whoever can push a branch to its repository runs a changed copy of it, and assumes the role",
        fix: "pin @refs/heads/main or a SHA",
    },
    Rule {
        id: "org-wide",
        severity: Severity::Medium,
        message: "every repository, project, workspace or pipeline of the owner is let in: whoever may create or change any of them can assume the role",
        fix: "name the repository or add an id",
    },
    Rule {
        id: "missing-sub",
        severity: Severity::Medium,
        message: "the issuer or tenant is one's own, but no workload is named: every job there can assume the role",
        fix: "add sub",
    },
    Rule {
        id: "leading-wildcard",
        severity: Severity::Medium,
        message: "sub begins with a wildcard: whoever can end a subject of this issuer that way can assume the role",
        fix: "write the leading segments",
    },
    Rule {
        id: "any-ref",
        severity: Severity::Medium,
        message: "any branch, tag, environment and pull request of the repository is let in: whoever can push a branch can assume the role",
        fix: "pin ref, environment or pull_request",
    },
    Rule {
        id: "any-branch",
        severity: Severity::Medium,
        message: "any branch is let in (in GitLab merge request pipelines too): whoever can push a branch can assume the role",
        fix: "pin the branch or require ref_protected=true",
    },
    Rule {
        id: "pull-request-open",
        severity: Severity::Medium,
        message: "the pull_request subject is trusted: code that nobody has reviewed can assume the role",
        fix: "use a read-only role or an environment with reviewers",
    },
    Rule {
        id: "wildcard-environment",
        severity: Severity::Medium,
        message: "any environment, or any of a prefix: environments are created unprotected by whoever writes the workflow, who can then assume the role",
        fix: "name the environment",
    },
    Rule {
        id: "wildcard-ref-type",
        severity: Severity::Medium,
        message: "branches and tags alike: whoever may create a tag can name it like the branch, and assume the role",
        fix: "ref_type:branch",
    },
    Rule {
        id: "wildcard-workspace",
        severity: Severity::Medium,
        message: "every workspace of the project is let in: whoever may create or change one can assume the role",
        fix: "name the workspace",
    },
    Rule {
        id: "prefix-without-colon",
        severity: Severity::Medium,
        message: "the name of a repository, workspace or service account ends in a wildcard: whoever may create one that begins alike can assume the role",
        fix: "close it with the delimiter",
    },
    Rule {
        id: "k8s-any-serviceaccount",
        severity: Severity::High,
        message: "any service account of the cluster is let in: whoever can start a pod can assume the role",
        fix: "namespace and name",
    },
    Rule {
        id: "k8s-any-namespace",
        severity: Severity::High,
        message: "the namespace is a wildcard: whoever may create a namespace, or a service account of that name in another one, can assume the role",
        fix: "name it",
    },
    Rule {
        id: "k8s-namespace-wide",
        severity: Severity::Medium,
        message: "any service account of the namespace is let in: whoever can start a pod there can assume the role",
        fix: "name it",
    },
    Rule {
        id: "branch-prefix",
        severity: Severity::Low,
        message: "a branch's name ends in a wildcard: whoever can push a branch that begins alike, which no rule protects, can assume the role",
        fix: "drop the star or use main and release/*",
    },
    Rule {
        id: "tag-wildcard",
        severity: Severity::Low,
        message: "any tag, or any of a pattern: tags can be created and moved by anyone with write access",
        fix: "protect tags or pin the environment",
    },
    Rule {
        id: "run-phase-any",
        severity: Severity::Low,
        message: "plan and apply share the role: a speculative plan of unreviewed code gets what an apply gets",
        fix: "two roles",
    },
    Rule {
        id: "tagsession-open",
        severity: Severity::Low,
        message: "sts:TagSession without conditions on aws:RequestTag or aws:TagKeys: the job chooses its own session tags, and what they open",
        fix: "restrict the tags",
    },
    Rule {
        id: "broad-action",
        severity: Severity::Low,
        message: "more actions of STS are allowed than the exchange needs",
        fix: "sts:AssumeRoleWithWebIdentity",
    },
    Rule {
        id: "missing-aud",
        severity: Severity::Low,
        message: "aud is not tested: only the provider's list of client ids keeps out tokens that were made for somebody else",
        fix: "StringEquals <issuer>:aud",
    },
    Rule {
        id: "user-claim-first",
        severity: Severity::Low,
        message: "a customised sub begins with a claim that the workflow's author sets; owner and repository follow",
        fix: "put repo first",
    },
    Rule {
        id: "idp-control",
        severity: Severity::Medium,
        message: "AWS refuses to create or change such a role: for this shared issuer the claim that names the tenant has to be tested, and its first value must not be `*`",
        fix: "add sub / job_workflow_ref (aud for Pulumi, Vercel, Cognito)",
    },
    Rule {
        id: "mutable-subject",
        severity: Severity::Info,
        message: "the tenant is told by names only: whoever registers a name that was given up gets in; a classic GitHub pattern also misses subjects with ids (OWNER@ID/REPO@ID)",
        fix: "repository_owner_id/repository_id, namespace_id/project_id, or the @id sub",
    },
    Rule {
        id: "stringequals-wildcard",
        severity: Severity::High,
        message: "`*` and `?` are literal in StringEquals: no token has them",
        fix: "StringLike, or drop the star",
    },
    Rule {
        id: "sub-never-matches",
        severity: Severity::High,
        message: "no token of this issuer has such a sub",
        fix: "see the issuer's grammar",
    },
    Rule {
        id: "key-issuer-mismatch",
        severity: Severity::High,
        message: "the key's prefix is not the trusted provider (https://, a missing path, slug or slash, another host): it is never there",
        fix: "use the provider URL without https://",
    },
    Rule {
        id: "unsupported-key",
        severity: Severity::High,
        message: "STS makes no condition key of this claim for this issuer: it is never there",
        fix: "use a supported key",
    },
    Rule {
        id: "contradictory-conditions",
        severity: Severity::High,
        message: "the tests of one claim are ANDed and share no value: no token passes",
        fix: "one operator, a list of values",
    },
    Rule {
        id: "mixed-issuers",
        severity: Severity::High,
        message: "several providers in one statement, and keys of more than one: no token has them all",
        fix: "one statement per provider",
    },
    Rule {
        id: "wrong-action",
        severity: Severity::High,
        message: "the statement does not allow sts:AssumeRoleWithWebIdentity: no token is exchanged by it",
        fix: "fix the action",
    },
    Rule {
        id: "foranyvalue-single",
        severity: Severity::Info,
        message: "ForAnyValue on a key with one value: works, and is not needed",
        fix: "drop it",
    },
    Rule {
        id: "stringlike-no-wildcard",
        severity: Severity::Info,
        message: "StringLike without a wildcard",
        fix: "StringEquals",
    },
    Rule {
        id: "ignore-case",
        severity: Severity::Info,
        message: "IgnoreCase on a token's key, though git's refs tell upper and lower case apart",
        fix: "StringEquals",
    },
    Rule {
        id: "old-version",
        severity: Severity::Info,
        message: "Version is not 2012-10-17: policy variables are not read",
        fix: "2012-10-17",
    },
];

/// The rule of this id. The ids are constants of this crate, and a test asks for every one of them.
pub(crate) fn rule(id: &str) -> &'static Rule {
    RULES.iter().find(|rule| rule.id == id).unwrap_or(&RULES[0])
}
