//! Who gets in, in words that every cloud shares: for diagrams and lists.

use federate_core::PrincipalLabel;

use crate::finding::Finding;
use crate::issuers::Provider;
use crate::subject::parts::{self, ANY_JOB, Parts};
use crate::subject::{Gap, Reach, analyse};

/// A claim other than the subject that a configuration holds to certain values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pin {
    /// The claim.
    pub claim: String,
    /// Any of these.
    pub values: Vec<String>,
    /// Are `*` and `?` wildcards in them?
    pub is_pattern: bool,
}

impl Pin {
    /// A claim with one value, read literally.
    pub fn exact(claim: impl Into<String>, value: impl Into<String>) -> Self {
        Self { claim: claim.into(), values: vec![value.into()], is_pattern: false }
    }

    /// For people: `ref_protected is true`.
    fn told(&self) -> String {
        let operator = if self.is_pattern { "like" } else { "is" };
        format!("{} {operator} {}", self.claim, self.values.join(" or "))
    }
}

/// One way in: whose jobs, and which of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// Who vouches for them: the `iss` without `https://`, or words where the configuration leaves that open.
    pub issuer: String,
    /// What the issuer's users call a workload: `repository`, `project`.
    pub noun: &'static str,
    /// Whose: `acme/api`, `any repository of acme`, `anyone`.
    pub workload: String,
    /// Which of its jobs: `branch main`, `any branch`, `environment production`, `any job`.
    pub context: String,
    /// What must hold besides, and who is kept out all the same: `ref_protected is true`, `except actor is …`.
    pub conditions: Vec<String>,
    /// Whom they become, where one configuration leads to several principals; `None` where it belongs to one.
    pub becomes: Option<PrincipalLabel>,
    /// Which part of the configuration lets them in: `statement 1 (Sid Deploy)`.
    pub place: String,
    /// The pattern of subjects (`*` and `?` are wildcards), `None` where the subject is not asked for.
    pub subject: Option<String>,
    /// The other claims that are asked for.
    pub pins: Vec<Pin>,
    /// What is left open; empty where exactly one kind of job is meant.
    pub gaps: Vec<Gap>,
    /// Why nobody gets in this way, as it stands.
    pub never: Option<String>,
    /// What is wrong with it, worst first.
    pub findings: Vec<Finding>,
}

/// Claims that name a workload, best first, and the words before the name.
const WORKLOADS: &[(&str, &str)] = &[
    ("repository", ""),
    ("project_path", ""),
    ("repository_id", "repository id "),
    ("project_id", "project id "),
    ("pipeline_slug", "pipeline "),
    ("pipeline_id", "pipeline id "),
    ("oidc.circleci.com/project-id", "project id "),
    ("terraform_full_workspace", ""),
    ("terraform_workspace_id", "workspace id "),
    ("repositoryUuid", "repository id "),
    ("workflow_ref", ""),
    ("email", ""),
];

/// Claims that name an owner alone.
const OWNERS: &[(&str, &str)] = &[
    ("repository_owner", "any repository of "),
    ("repository_owner_id", "any repository of owner id "),
    ("namespace_path", "any project of "),
    ("namespace_id", "any project of namespace id "),
    ("organization_slug", "any pipeline of "),
    ("organization_id", "any pipeline of organization id "),
    ("enterprise_id", "any repository of enterprise id "),
    ("terraform_organization_name", "any workspace of "),
    ("terraform_organization_id", "any workspace of organization id "),
    ("terraform_project_id", "any workspace of project id "),
    ("workspaceUuid", "any repository of workspace id "),
    ("owner", "any project of "),
    ("owner_id", "any project of owner id "),
    ("hd", "any account of "),
    ("aud", "anyone for the audience "),
    ("google/organization_number", "any service account of organization "),
];

/// Claims whose values stand in the subject too, where the subject is not customised.
const IN_SUBJECTS: &[&str] = &["repository", "project_path", "ref", "ref_type", "environment", "project_id"];

impl Grant {
    /// Tells whom a subject and other claims let in together. `subject` is a pattern.
    pub fn new(provider: &Provider, subject: Option<&str>, pins: Vec<Pin>, place: impl Into<String>) -> Self {
        let reach = subject.map_or_else(Reach::default, |subject| analyse(provider, subject));
        let told = subject.map(|subject| parts::parts(provider, subject));
        let mut used: Vec<&str> = Vec::new();
        let mut gaps = Vec::new();
        let is_open = told.is_none() || reach.tenant.is_some() || reach.workload.is_some();
        let workload = named(provider, &pins, is_open, &mut used, &mut gaps)
            .unwrap_or_else(|| owned(provider, &pins, &reach, &told, &mut used, &mut gaps));
        let context = context(&pins, &reach, &told, &mut used, &mut gaps);
        let mut conditions: Vec<String> = Vec::new();
        for (claim, id) in told.iter().flat_map(|told| &told.ids) {
            let is_said = workload.ends_with(&format!(" {id}")) || pins.iter().any(|pin| pin.claim == *claim);
            if !is_said {
                conditions.push(format!("{claim} is {id}"));
            }
        }
        for pin in &pins {
            // Of several tests of one claim, the first gave the name.
            let is_used = used.contains(&pin.claim.as_str()) && of(&pins, &pin.claim).is_some_and(|first| first == pin);
            if !is_used && !is_in_subject(pin, subject) {
                conditions.push(pin.told());
            }
        }
        Self {
            issuer: provider.name().to_owned(),
            noun: told.as_ref().map_or_else(|| parts::noun(provider), |told| told.noun),
            workload,
            context,
            conditions,
            becomes: None,
            place: place.into(),
            subject: subject.map(str::to_owned),
            pins,
            gaps,
            never: reach.impossible.map(str::to_owned),
            findings: Vec::new(),
        }
    }
}

/// The workload by the best claim that names one, where the subject does not.
fn named<'a>(
    provider: &Provider,
    pins: &'a [Pin],
    is_open: bool,
    used: &mut Vec<&'a str>,
    gaps: &mut Vec<Gap>,
) -> Option<String> {
    let (pin, words) =
        WORKLOADS.iter().filter(|_| is_open).find_map(|(claim, words)| of(pins, claim).zip(Some(*words)))?;
    let said = |subject: &dyn Fn(&str) -> String, gaps: &mut Vec<Gap>| {
        let mut told = Vec::new();
        for value in &pin.values {
            let subject = subject(value);
            let reach = analyse(provider, &subject);
            gaps.extend(reach.tenant.or(reach.workload));
            told.push(parts::parts(provider, &subject).workload);
        }
        Some(told.join(" or "))
    };
    match pin.claim.as_str() {
        // How far a pattern reaches is read from the subjects that such a workload has.
        "repository" if pin.is_pattern => {
            used.push(&pin.claim);
            said(&|value| format!("repo:{value}:*"), gaps)
        }
        "project_path" if pin.is_pattern => {
            used.push(&pin.claim);
            said(&|value| format!("project_path:{value}:*"), gaps)
        }
        "terraform_full_workspace" => {
            used.push(&pin.claim);
            said(&|value| format!("{value}:*"), gaps)
        }
        // The file and the ref stay a condition.
        "workflow_ref" => said(&|value| format!("repo:{}:*", repository(value)), gaps),
        _ => {
            used.push(&pin.claim);
            Some(format!("{words}{}", pin.values.join(" or ")))
        }
    }
}

/// `acme/api` of `acme/api/.github/workflows/deploy.yml@refs/heads/main`.
fn repository(workflow: &str) -> &str {
    workflow.match_indices('/').nth(1).map_or(workflow, |(at, _)| &workflow[..at])
}

/// The workload as the subject tells it, or all of an owner that another claim names.
fn owned<'a>(
    provider: &Provider,
    pins: &'a [Pin],
    reach: &Reach,
    told: &Option<Parts>,
    used: &mut Vec<&'a str>,
    gaps: &mut Vec<Gap>,
) -> String {
    let owner = OWNERS.iter().find_map(|(claim, words)| of(pins, claim).zip(Some(*words)));
    match (told, owner) {
        (Some(told), None) => {
            gaps.extend(reach.tenant.or(reach.workload));
            told.workload.clone()
        }
        (Some(told), Some(_)) if reach.tenant.is_none() => {
            gaps.extend(reach.workload);
            told.workload.clone()
        }
        (_, Some((pin, words))) => {
            gaps.push(Gap::OwnerWide);
            used.push(&pin.claim);
            format!("{words}{}", pin.values.join(" or "))
        }
        (None, None) => {
            gaps.push(Gap::Everything);
            parts::anyone(provider)
        }
    }
}

/// Which of the jobs, by the subject, else by other claims.
fn context<'a>(
    pins: &'a [Pin],
    reach: &Reach,
    told: &Option<Parts>,
    used: &mut Vec<&'a str>,
    gaps: &mut Vec<Gap>,
) -> String {
    let told = told.as_ref().map_or(ANY_JOB, |told| told.context.as_str());
    if told != ANY_JOB {
        gaps.extend(&reach.context);
        return told.to_owned();
    }
    let mut pinned = Vec::new();
    if let Some(pin) = of(pins, "environment") {
        used.push("environment");
        pinned.push(each(pin, parts::environment));
    }
    if let Some(pin) = of(pins, "ref") {
        used.extend(["ref", "ref_type"]);
        let kind = of(pins, "ref_type").and_then(|pin| pin.values.first());
        pinned.push(match kind {
            Some(kind) => each(pin, |name| parts::typed_ref(kind, name)),
            None => each(pin, parts::git_ref),
        });
    }
    if let Some(pin) = of(pins, "build_branch") {
        used.push("build_branch");
        pinned.push(each(pin, |name| parts::one_or_any("branch", "branches", name)));
    }
    if let Some(pin) = of(pins, "branchName") {
        used.push("branchName");
        pinned.push(each(pin, |name| parts::one_or_any("branch", "branches", name)));
    }
    if pinned.is_empty() {
        gaps.push(Gap::AnyRef);
        return ANY_JOB.to_owned();
    }
    pinned.join(", ")
}

fn each(pin: &Pin, told: impl Fn(&str) -> String) -> String {
    pin.values.iter().map(|value| told(value)).collect::<Vec<_>>().join(" or ")
}

fn of<'a>(pins: &'a [Pin], claim: &str) -> Option<&'a Pin> {
    pins.iter().find(|pin| pin.claim.eq_ignore_ascii_case(claim))
}

/// Does the subject say the same already?
fn is_in_subject(pin: &Pin, subject: Option<&str>) -> bool {
    let said = |value: &String| {
        subject.is_some_and(|subject| subject.contains(value.as_str()) || subject.contains(&value.replace(':', "%3A")))
    };
    IN_SUBJECTS.contains(&pin.claim.as_str()) && pin.values.len() == 1 && pin.values.iter().all(said)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GITHUB: &str = "token.actions.githubusercontent.com";

    fn told(issuer: &str, subject: Option<&str>, pins: &[(&str, &str)]) -> (String, String, String) {
        let pins = pins.iter().map(|(claim, value)| Pin::exact(*claim, *value)).collect();
        let grant = Grant::new(&Provider::new(issuer), subject, pins, "statement 1");
        (grant.workload, grant.context, grant.conditions.join("; "))
    }

    #[test]
    fn other_claims_close_what_the_subject_leaves_open() {
        let own = |(workload, context, conditions): (&str, &str, &str)| {
            (workload.to_owned(), context.to_owned(), conditions.to_owned())
        };
        for (issuer, subject, pins, expected) in [
            (GITHUB, Some("repo:a/b:pull_request"), &[("actor", "me")][..], ("a/b", "pull requests", "actor is me")),
            (GITHUB, Some("repo:*/b:*"), &[("repository_id", "7")], ("repository id 7", "any job", "")),
            (GITHUB, Some("repo:*"), &[("repository_owner_id", "7")], ("any repository of owner id 7", "any job", "")),
            (
                GITHUB,
                Some("repo:a/*"),
                &[("repository_owner_id", "7")],
                ("any repository of a", "any job", "repository_owner_id is 7"),
            ),
            (
                GITHUB,
                Some("repo:a@1/b@2:environment:p"),
                &[],
                ("a/b", "environment p", "repository_owner_id is 1; repository_id is 2"),
            ),
            (GITHUB, None, &[("repository", "a/b"), ("ref", "refs/heads/main")], ("a/b", "branch main", "")),
            (GITHUB, Some("repo:a/b:*"), &[("environment", "p"), ("repository", "a/b")], ("a/b", "environment p", "")),
            ("gitlab.com", None, &[("project_path", "g/p"), ("environment", "p")], ("g/p", "environment p", "")),
            (
                "gitlab.com",
                Some("project_path:*:ref_type:branch:ref:main"),
                &[("project_id", "7"), ("ref_type", "branch"), ("ref", "main"), ("ref_protected", "true")],
                ("project id 7", "branch main", "ref_protected is true"),
            ),
            ("gitlab.com", None, &[], ("anyone", "any job", "")),
            (
                "gitlab.com",
                None,
                &[("project_id", "7"), ("project_id", "8")],
                ("project id 7", "any job", "project_id is 8"),
            ),
            (
                "oidc.vercel.com",
                None,
                &[("aud", "https://vercel.com/acme")],
                ("anyone for the audience https://vercel.com/acme", "any job", ""),
            ),
            ("gitlab.example.com", None, &[], ("any project of this issuer", "any job", "")),
        ] {
            assert_eq!(told(issuer, subject, pins), own(expected), "{subject:?} {pins:?}");
        }
    }

    #[test]
    fn what_is_open_is_told_by_gaps() {
        let gaps = |subject: Option<&str>, pins: Vec<Pin>| Grant::new(&Provider::new(GITHUB), subject, pins, "").gaps;
        assert_eq!(gaps(Some("repo:a/b:ref:refs/heads/main"), Vec::new()), []);
        assert_eq!(gaps(Some("repo:a/*"), Vec::new()), [Gap::OwnerWide, Gap::AnyRef]);
        assert_eq!(gaps(None, Vec::new()), [Gap::Everything, Gap::AnyRef]);
        assert_eq!(gaps(Some("repo:a/*"), vec![Pin::exact("repository_id", "7")]), [Gap::AnyRef]);
    }
}
