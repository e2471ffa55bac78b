//! Who else gets in, and what cannot work.

use std::collections::BTreeSet;

use federate_trust::{Family, Finding, Gap, Provider, Reach, analyse, can_be_iss, immutable_form};

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
        }
        findings.extend(ids.into_iter().map(|id| {
            let mut finding = Finding::new(rule(id), credential.label());
            if let (Test::Expression { terms: Err(why), .. }, "az-flex-invalid") = (&credential.test, id) {
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
        Test::Subject(subject) if analyse(&provider, subject).impossible.is_some() => {
            ids.insert("az-subject-never-matches");
        }
        Test::Subject(_) => return true,
        Test::Expression { terms: Ok(terms), .. } if is_accepted(&provider, terms) => {
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

/// The claims that an expression may test: all of them for GitHub, where ids must be there, else the subject alone.
fn is_accepted(provider: &Provider, terms: &[Term]) -> bool {
    let claims: &[&str] = match provider.family() {
        Family::GitHub => &["sub", "job_workflow_ref", "repository_id", "repository_owner_id"],
        Family::GitLab | Family::Terraform => &["sub"],
        _ => return false,
    };
    let is_id = |term: &Term| term.claim.ends_with("_id");
    terms.iter().all(|term| claims.contains(&term.claim.as_str()) && !(is_id(term) && term.operator != Operator::Eq))
        && terms.iter().any(|term| term.claim == "sub")
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
        Test::Subject(subject) => (analyse(&provider, subject), &[]),
        Test::Expression { terms: Ok(terms), .. } => {
            let Some(reach) = subject_reach(&provider, terms) else { return };
            (reach, terms)
        }
        Test::Expression { .. } => return,
    };
    let pins = |claim: &str| terms.iter().any(|term| term.claim == claim && term.operator == Operator::Eq);
    let (by_repository, by_owner) = (pins("repository_id"), pins("repository_owner_id"));
    if provider.family() == Family::GitHub && !terms.is_empty() && !by_repository && !by_owner {
        ids.insert("az-flex-missing-immutable-id");
    }
    if terms.iter().any(|term| term.operator == Operator::Matches && term.value.contains('?')) {
        ids.insert("az-flex-fixed-width");
    }
    let called = terms.iter().any(|term| term.claim == "job_workflow_ref" && !pattern(term).contains(['*', '?']));
    let workload_pinned = by_repository || called;
    let mut gaps = Vec::new();
    match (reach.tenant, reach.workload) {
        (Some(gap), _) if !(by_repository || by_owner) => gaps.push(gap),
        (Some(_), _) if !workload_pinned => gaps.push(Gap::OwnerWide),
        (None, Some(gap)) if !workload_pinned => gaps.push(gap),
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

fn has_immutable_twin(credential: &Credential, all: &[Credential]) -> bool {
    let Test::Subject(subject) = &credential.test else { return false };
    all.iter().any(|other| {
        let Test::Subject(other_subject) = &other.test else { return false };
        other.issuer == credential.issuer && immutable_form(other_subject).as_deref() == Some(subject)
    })
}
