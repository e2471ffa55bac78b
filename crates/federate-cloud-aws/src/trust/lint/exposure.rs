//! Who else gets in: tenant, workload and context, each held by the subject or by another claim, or left open.

use federate_trust::{Family, Gap, Provider, Reach, analyse};

use super::keys::{Test, Tests};
use super::{Found, milder};
use crate::trust::policy::Statement;
use crate::trust::template;

/// The catalogue's id of a gap.
pub(super) fn id(gap: Gap) -> &'static str {
    match gap {
        Gap::Everything => "wildcard-all",
        Gap::AnyOwner => "wildcard-org",
        Gap::OwnerPrefix => "prefix-without-slash",
        Gap::AuthorControlled => "user-controlled-claim",
        Gap::LeadingWildcard => "leading-wildcard",
        Gap::WorkflowOnly => "job-workflow-ref-only",
        Gap::OwnerWide => "org-wide",
        Gap::NamePrefix => "prefix-without-colon",
        Gap::AnyWorkspace => "wildcard-workspace",
        Gap::AnyServiceAccount => "k8s-any-serviceaccount",
        Gap::AnyNamespace => "k8s-any-namespace",
        Gap::NamespaceWide => "k8s-namespace-wide",
        Gap::AnyRef => "any-ref",
        Gap::AnyBranch => "any-branch",
        Gap::BranchPrefix => "branch-prefix",
        Gap::Tags => "tag-wildcard",
        Gap::PullRequest => "pull-request-open",
        Gap::AnyEnvironment => "wildcard-environment",
        Gap::AnyRefType => "wildcard-ref-type",
        Gap::AnyRunPhase => "run-phase-any",
        Gap::AuthorClaimFirst => "user-claim-first",
    }
}

/// What claims other than the subject hold.
struct Pins {
    tenant: bool,
    workload: bool,
    by_id: bool,
    /// `None` where nothing but the subject tells which of the jobs; else what is left open there.
    context: Option<Vec<Gap>>,
}

impl Pins {
    fn new(provider: &Provider, tests: &Tests<'_>) -> Self {
        let exact = |name: &str| tests.is_pinned_exactly(name);
        let any = |names: &[&str]| names.iter().any(|name| exact(name));
        let (tenant, workload, by_id) = match provider.family() {
            Family::GitHub => {
                // `job_workflow_ref` says what ran, not who called it: it pins neither.
                let workload = any(&["repository", "repository_id"]);
                let by_id = any(&["repository_id", "repository_owner_id", "enterprise_id"]);
                (workload || by_id, workload, by_id)
            }
            Family::GitLab => {
                (any(&["project_id", "namespace_id"]), exact("project_id"), any(&["project_id", "namespace_id"]))
            }
            Family::Buildkite => {
                let workload = any(&["pipeline_id", "pipeline_slug"]);
                (any(&["organization_id", "organization_slug", "pipeline_id"]), workload, any(&["organization_id"]))
            }
            Family::CircleCi => {
                let workload = exact("oidc.circleci.com/project-id");
                (workload, workload, workload)
            }
            Family::Google => {
                let workload = exact("email");
                (exact("google/organization_number") || workload, workload, false)
            }
            _ => (provider.tenant_is_audience() && exact("aud"), false, false),
        };
        Self { tenant, workload, by_id, context: context_pin(provider, tests) }
    }
}

fn context_pin(provider: &Provider, tests: &Tests<'_>) -> Option<Vec<Gap>> {
    let mut alternatives: Vec<Vec<Gap>> = Vec::new();
    let mut pin = |name: &str, gap: &dyn Fn(&str) -> Option<Gap>| {
        if let Some((values, is_pattern)) = tests.pinned(name) {
            let patterns = values.iter().filter(|_| is_pattern);
            alternatives.push(patterns.filter_map(|value| gap(value)).collect());
        }
    };
    let wild = |gap: Gap| move |value: &str| value.contains(['*', '?']).then_some(gap);
    match provider.family() {
        Family::GitHub => {
            pin("environment", &wild(Gap::AnyEnvironment));
            pin("ref", &Gap::of_ref);
        }
        // Everything that is not protected is anything that anybody pushes: that pins nothing.
        Family::GitLab
            if tests.pinned("ref_protected").is_some_and(|(values, _)| values.iter().all(|value| *value == "true")) =>
        {
            pin("ref_protected", &|_| None);
        }
        Family::Buildkite => pin("build_branch", &wild(Gap::AnyBranch)),
        _ => {}
    }
    // All of them have to hold, so the one that leaves least open decides.
    alternatives.into_iter().min_by_key(Vec::len)
}

pub(super) fn lint(statement: &Statement, provider: &Provider, tests: &Tests<'_>, found: &mut Found) {
    let place =
        |name: &str| tests.of(name).next().map_or_else(|| statement.spot(), |test| statement.spot_of(test.condition));
    for claim in ["actor", "user_login", "user_email"] {
        if tests.has_positive(claim) {
            found.add("actor-claim", place(claim));
        }
    }
    if statement.conditions.is_empty() {
        found.add("no-condition", statement.spot());
    }
    let pins = Pins::new(provider, tests);
    workflow(statement, tests, found);
    let reaches = subjects(provider, tests);
    if reaches.is_empty() {
        without_subject(statement, provider, tests, &pins, found);
    }
    for reach in &reaches {
        for gap in judged(reach, &pins) {
            found.add(id(gap), place("sub"));
            if gap == Gap::Everything && !provider.is_shared() {
                milder(found, id(gap));
            }
        }
    }
    let by_id = pins.by_id || (!reaches.is_empty() && reaches.iter().all(|reach| reach.by_id));
    let is_named = !reaches.is_empty() || pins.tenant || tests.has_positive("job_workflow_ref");
    // Where one alternative lets strangers in, names are the least of the worries, unless another alternative has them.
    let is_by_name = |reach: &Reach| matches!(reach.tenant, None | Some(Gap::WorkflowOnly)) && !reach.by_id;
    let some_named = reaches.is_empty() || pins.tenant || reaches.iter().any(is_by_name);
    if provider.names_can_be_recycled() && is_named && !by_id && some_named {
        found.add("mutable-subject", place("sub"));
    }
}

/// The subjects that the statement lets in, by the narrowest of its tests; those that cannot be are left out.
fn subjects(provider: &Provider, tests: &Tests<'_>) -> Vec<Reach> {
    let widest = |reaches: &[Reach]| {
        reaches.iter().map(|reach| (reach.tenant.is_some(), reach.workload.is_some(), reach.context.len())).max()
    };
    let each = tests.positive("sub").map(|test| (test.is_pattern(), of_test(provider, test)));
    let narrowest = each.min_by_key(|(is_pattern, reaches)| (*is_pattern, widest(reaches)));
    narrowest.map(|(_, reaches)| reaches).unwrap_or_default()
}

fn of_test(provider: &Provider, test: &Test<'_>) -> Vec<Reach> {
    let values = test.condition.values.iter();
    let possible = values.filter(|value| test.is_pattern() || !value.contains(['*', '?']));
    let reach = |value: &String| match analyse(provider, value) {
        // Nothing can be said of what only the deployment knows, but that it is a subject.
        reach if reach.impossible.is_some() && template::is_open(value) => Reach::default(),
        reach => reach,
    };
    possible.map(reach).filter(|reach| reach.impossible.is_none()).collect()
}

/// What remains open once other claims have closed what they can.
fn judged(reach: &Reach, pins: &Pins) -> Vec<Gap> {
    let context = || match &pins.context {
        Some(gaps) => {
            // A pinned ref or environment stands for the subject's; who may send pull requests stays a question.
            let own = reach.context.iter().filter(|gap| **gap == Gap::PullRequest || is_apart(**gap));
            own.chain(gaps).copied().collect()
        }
        None => reach.context.clone(),
    };
    // `*` takes in the context with the rest; naming both would say the same twice.
    let beside = |gap: Gap| {
        let others = context().into_iter().filter(|other| *other != Gap::AnyRef);
        std::iter::once(gap).chain(others).collect::<Vec<_>>()
    };
    match (reach.tenant, reach.workload) {
        (Some(gap), _) if !pins.tenant => vec![gap],
        (_, Some(gap)) if !pins.workload => beside(gap),
        _ => context(),
    }
}

/// Gaps that no pin of ref or environment closes.
fn is_apart(gap: Gap) -> bool {
    matches!(gap, Gap::AnyRunPhase | Gap::AuthorClaimFirst)
}

fn workflow(statement: &Statement, tests: &Tests<'_>, found: &mut Found) {
    for test in tests.positive("job_workflow_ref").filter(|test| test.is_pattern()) {
        for value in &test.condition.values {
            let reference = value.split_once('@').map_or(value.as_str(), |(_, reference)| reference);
            if reference.contains(['*', '?']) {
                found.add("workflow-ref-wildcard", statement.spot_of(test.condition));
            }
            if value.starts_with(['*', '?']) && !tests.has_positive("sub") {
                found.add("wildcard-org", statement.spot_of(test.condition));
            }
        }
    }
}

fn without_subject(statement: &Statement, provider: &Provider, tests: &Tests<'_>, pins: &Pins, found: &mut Found) {
    let only_workflow = tests.has_positive("job_workflow_ref")
        && !["repository", "repository_id", "repository_owner_id"].iter().any(|claim| tests.has_positive(claim));
    if tests.has_positive("sub") {
        // All of its values are dead, which has been said.
        return;
    }
    let repositories = tests.positive("repository").find(|test| test.is_pattern());
    if only_workflow {
        found.add("job-workflow-ref-only", statement.spot());
    } else if let Some(test) = repositories.filter(|_| !pins.tenant) {
        // The repository's name is the subject's first part.
        for value in &test.condition.values {
            let gaps = judged(&analyse(provider, &format!("repo:{value}:*")), pins);
            gaps.into_iter().for_each(|gap| found.add(id(gap), statement.spot()));
        }
    } else if tests.of("sub").any(|test| test.condition.operator.negated) && !pins.tenant {
        found.add("negated-only", statement.spot());
    } else if provider.is_shared() && !pins.tenant {
        found.add("missing-tenant", statement.spot());
    } else if pins.workload {
        if pins.context.is_none() && !matches!(provider.family(), Family::CircleCi | Family::Google) {
            found.add("any-ref", statement.spot());
        }
        pins.context.iter().flatten().for_each(|gap| found.add(id(*gap), statement.spot()));
    } else if pins.tenant && !provider.tenant_is_audience() {
        found.add("org-wide", statement.spot());
    } else if provider.family() != Family::Cognito {
        found.add("missing-sub", statement.spot());
    }
}
