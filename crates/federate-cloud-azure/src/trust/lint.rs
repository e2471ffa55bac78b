//! Who else gets in, and what cannot work.

use std::collections::BTreeSet;

use federate_trust::{Family, Finding, Gap, Provider, Reach, Severity, analyse, can_be_iss, immutable_form};

use super::catalogue::rule;
use super::credential::{Credential, Test};
use super::expression::{Operator, Term};

const AUDIENCES: [&str; 3] =
    ["api://AzureADTokenExchange", "api://AzureADTokenExchangeUSGov", "api://AzureADTokenExchangeChina"];

/// Looks at all credentials of an application.
pub(super) fn lint(credentials: &[Credential]) -> Vec<Finding> {
    let mut findings: Vec<Finding> = Vec::new();
    for credential in credentials {
        let mut ids = BTreeSet::new();
        if broken(credential, &mut ids) {
            open(credential, &mut ids);
            if credential.audiences.iter().any(|audience| !AUDIENCES.contains(&audience.as_str())) {
                ids.insert("az-aud-nonstandard");
            }
            if has_immutable_twin(credential, credentials) {
                ids.insert("az-dangling-classic");
            }
            if let Some(why) = disputed(credential) {
                findings.push(doubt(credential, why, &std::mem::take(&mut ids)));
            }
        }
        findings.extend(ids.into_iter().map(|id| {
            let mut finding = Finding::new(rule(id), credential.label()).at(credential.path_of(id));
            let why = match &credential.test {
                Test::Expression { terms: Err(why), .. } => Some(why.clone()),
                Test::Expression { terms: Ok(terms), .. } => unsupported(&credential.issuer, terms),
                Test::Subject(_) => None,
            };
            if let (Some(why), "az-flex-invalid") = (why, id) {
                finding.message = format!("{}: {why}", finding.message);
            }
            finding
        }));
    }
    findings.sort_by(|left, right| right.severity.cmp(&left.severity).then(left.id.cmp(right.id)));
    findings
}

/// Reports what can never match. Returns whether the credential can at all.
fn broken(credential: &Credential, ids: &mut BTreeSet<&'static str>) -> bool {
    let provider = Provider::new(&credential.issuer);
    let mut texts: Vec<&str> = vec![&credential.issuer];
    texts.extend(credential.audiences.iter().map(String::as_str));
    if let Test::Subject(subject) = &credential.test {
        texts.push(subject);
    }
    if texts.iter().any(|text| text.trim() != *text) {
        ids.insert("az-whitespace");
        return false;
    }
    if !can_be_iss(&credential.issuer) {
        ids.insert("az-issuer-mismatch");
        return false;
    }
    match &credential.test {
        Test::Subject(subject) if subject.contains('*') => {
            ids.insert("az-wildcard-literal");
        }
        Test::Subject(subject) if analyse(&provider, &literal(subject)).impossible.is_some() => {
            ids.insert("az-subject-never-matches");
        }
        Test::Subject(_) => return true,
        Test::Expression { terms: Ok(terms), .. } if unsupported(&credential.issuer, terms).is_none() => {
            let Some(reach) = subject_reach(&provider, terms) else { return true };
            if reach.impossible.is_none() {
                return true;
            }
            ids.insert("az-subject-never-matches");
        }
        Test::Expression { .. } => {
            ids.insert("az-flex-invalid");
        }
    }
    false
}

/// The claims that an expression can test in tokens of this issuer; `None` where Entra takes no expression for it.
/// <https://learn.microsoft.com/entra/workload-id/workload-identities-flexible-federated-identity-credentials>
pub(super) fn testable(issuer: &str) -> Option<&'static [&'static str]> {
    match issuer {
        "https://token.actions.githubusercontent.com" => {
            Some(&["sub", "job_workflow_ref", "repository_id", "repository_owner_id"])
        }
        "https://app.terraform.io" | "https://app.eu.terraform.io" => Some(&["sub"]),
        "https://gitlab.com" => Some(&GITLAB),
        _ => {
            let name = issuer.strip_prefix("https://gitlab.")?;
            let name = name.strip_suffix(".com").or_else(|| name.strip_suffix(".ca"))?;
            (!name.is_empty() && !name.contains(['/', ':'])).then_some(&GITLAB)
        }
    }
}

const GITLAB: [&str; 4] = ["sub", "project_id", "namespace_id", "user_id"];

/// Why Entra does not take these terms.
pub(super) fn unsupported(issuer: &str, terms: &[Term]) -> Option<String> {
    let Some(claims) = testable(issuer) else {
        return Some("only tokens of https://token.actions.githubusercontent.com, https://gitlab.com, https://gitlab.NAME.com, https://gitlab.NAME.ca, https://app.terraform.io and https://app.eu.terraform.io can be tested by an expression".to_owned());
    };
    let of_term = terms.iter().find_map(|term| {
        if !claims.contains(&term.claim.as_str()) {
            return Some(format!("of this issuer, {} can be tested, not `{}`", claims.join(", "), term.claim));
        }
        (is_id(term) && term.operator != Operator::Eq).then(|| format!("`{}` can be tested by eq only", term.claim))
    });
    of_term.or_else(|| (!terms.iter().any(|term| term.claim == "sub")).then(|| "it has to test `sub`".to_owned()))
}

fn is_id(term: &Term) -> bool {
    term.claim.ends_with("_id")
}

/// Why Entra may not take an expression that tests this claim. For GitLab, Microsoft's page on mutable subjects (July
/// 2026) wants one of the ids, that on flexible credentials had none in August and `project_id` in September.
pub(super) fn disputed_claim(claim: &str) -> Option<String> {
    GITLAB[1..].contains(&claim).then(|| {
        format!("Microsoft's pages of 2026 do not agree on whether `{claim}` can be tested in tokens of GitLab")
    })
}

/// May Entra reject this credential, or not?
pub(super) fn is_disputed(credential: &Credential) -> bool {
    disputed(credential).is_some() && broken(credential, &mut BTreeSet::new())
}

fn disputed(credential: &Credential) -> Option<String> {
    let Test::Expression { terms: Ok(terms), .. } = &credential.test else { return None };
    terms.iter().find_map(|term| disputed_claim(&term.claim))
}

/// What may be rejected says so, and what it leaves open where it is not.
fn doubt(credential: &Credential, why: String, open: &BTreeSet<&'static str>) -> Finding {
    let mut finding =
        Finding::new(rule("az-flex-invalid"), credential.label()).at(credential.path_of("az-flex-invalid"));
    let open: Vec<_> = open.iter().map(|id| rule(id)).collect();
    finding.severity = open.iter().map(|rule| rule.severity).max().unwrap_or(Severity::Info);
    finding.message = format!("Entra may reject this expression: {why}");
    finding.fix = "create it, and Entra says at once whether it takes it".to_owned();
    for rule in open {
        finding.message = format!("{}; where it does not ({}): {}", finding.message, rule.id, rule.message);
    }
    finding
}

/// A classic subject, in which `?` is no wildcard.
fn literal(subject: &str) -> String {
    subject.replace('?', "\u{fffd}")
}

fn pattern(term: &Term) -> String {
    match term.operator {
        Operator::Matches => term.value.clone(),
        // Here nothing is a wildcard, and no subject contains either character.
        Operator::Eq => term.value.replace(['*', '?'], "\u{fffd}"),
    }
}

fn subject_reach(provider: &Provider, terms: &[Term]) -> Option<Reach> {
    let term = terms.iter().filter(|term| term.claim == "sub").min_by_key(|term| term.operator == Operator::Matches)?;
    // `?` is reported by itself; here it stands for some character.
    Some(analyse(provider, &pattern(term).replace('?', "x")))
}

fn open(credential: &Credential, ids: &mut BTreeSet<&'static str>) {
    let provider = Provider::new(&credential.issuer);
    let (reach, terms): (Reach, &[Term]) = match &credential.test {
        Test::Subject(subject) => (analyse(&provider, &literal(subject)), &[]),
        Test::Expression { terms: Ok(terms), .. } => {
            let Some(reach) = subject_reach(&provider, terms) else { return };
            (reach, terms)
        }
        Test::Expression { .. } => return,
    };
    let pins = |claim: &str| terms.iter().any(|term| term.claim == claim && term.operator == Operator::Eq);
    let by_repository = pins("repository_id") || pins("project_id");
    let by_owner = pins("repository_owner_id") || pins("namespace_id");
    if provider.family() == Family::GitHub && !terms.is_empty() && !by_repository && !by_owner {
        ids.insert("az-flex-missing-immutable-id");
    }
    if terms.iter().any(|term| term.operator == Operator::Matches && term.value.contains('?')) {
        ids.insert("az-flex-fixed-width");
    }
    let mut gaps = Vec::new();
    match (reach.tenant, reach.workload) {
        (Some(gap), _) if !(by_repository || by_owner) => gaps.push(gap),
        (_, Some(gap)) if !by_repository => gaps.push(gap),
        _ => {}
    }
    let tenant_is_open = reach.tenant.is_some() && !(by_repository || by_owner);
    if !tenant_is_open {
        let is_wide = !gaps.is_empty();
        gaps.extend(reach.context.iter().filter(|gap| !(is_wide && **gap == Gap::AnyRef)));
    }
    ids.extend(gaps.into_iter().filter_map(id));
    let by_id = reach.by_id || by_repository || by_owner;
    if provider.names_can_be_recycled() && !by_id && !tenant_is_open {
        ids.insert("az-mutable-subject");
    }
}

/// The catalogue's id of a gap.
fn id(gap: Gap) -> Option<&'static str> {
    Some(match gap {
        Gap::Everything | Gap::AnyOwner | Gap::LeadingWildcard | Gap::OwnerPrefix => "az-flex-prefix-without-slash",
        Gap::AuthorControlled => "az-user-controlled-subject",
        Gap::OwnerWide | Gap::NamePrefix | Gap::AnyWorkspace => "az-flex-org-wide",
        Gap::AnyRef | Gap::AnyRefType => "az-flex-any-ref",
        Gap::AnyBranch => "az-flex-any-branch",
        Gap::Tags => "az-flex-tag-wildcard",
        Gap::PullRequest => "az-pull-request-open",
        Gap::AnyEnvironment => "az-flex-wildcard-environment",
        Gap::AnyRunPhase => "az-flex-run-phase-any",
        Gap::WorkflowOnly
        | Gap::BranchPrefix
        | Gap::AuthorClaimFirst
        | Gap::AnyServiceAccount
        | Gap::AnyNamespace
        | Gap::NamespaceWide => return None,
    })
}

/// Is there another credential for the same jobs that tells them by ids?
fn has_immutable_twin(credential: &Credential, all: &[Credential]) -> bool {
    let Test::Subject(subject) = &credential.test else { return false };
    all.iter().filter(|other| other.issuer == credential.issuer).any(|other| match &other.test {
        Test::Subject(twin) => immutable_form(twin).as_deref() == Some(subject),
        Test::Expression { terms: Ok(terms), .. } => terms.iter().filter(|term| term.claim == "sub").any(|term| {
            let classic = immutable_form(&term.value);
            classic.is_some_and(|value| Term { value, ..term.clone() }.holds(subject))
        }),
        Test::Expression { .. } => false,
    })
}
