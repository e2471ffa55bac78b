//! What one value of one claim pins: whose job, which workload, which of its jobs.

use federate_trust::{Family, Gap, Provider as Issuer, Reach, analyse};

use super::way::{Method, Pattern};
use crate::trust::claims::{Role, role};

/// How well a dimension is pinned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Hold {
    /// Not at all.
    #[default]
    Free,
    /// It was meant to be, and is not: the finding's id.
    Loose(&'static str),
    /// It is.
    Held,
}

/// What a test comes to besides.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Weight {
    /// It is true for everybody.
    #[default]
    Nothing,
    /// It excludes.
    Excludes,
    /// It asks for something that anybody's job can be called.
    Named,
    /// It asks for who started the job.
    Actor,
}

/// What a value pins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Effect {
    pub(super) tenant: Hold,
    pub(super) workload: Hold,
    pub(super) context: Hold,
    /// The tenant or workload is told by an id that is never given to another.
    pub(super) by_id: bool,
    pub(super) weight: Weight,
    /// No token of this issuer has the value.
    pub(super) is_impossible: bool,
}

impl Effect {
    /// Both have to hold.
    pub(super) fn and(self, other: Self) -> Self {
        Self {
            tenant: self.tenant.max(other.tenant),
            workload: self.workload.max(other.workload),
            context: self.context.max(other.context),
            by_id: self.by_id || other.by_id,
            weight: self.weight.max(other.weight),
            is_impossible: self.is_impossible || other.is_impossible,
        }
    }

    fn named() -> Self {
        Self { weight: Weight::Named, ..Self::default() }
    }

    fn impossible() -> Self {
        Self { is_impossible: true, ..Self::default() }
    }

    fn owner(by_id: bool) -> Self {
        Self { tenant: Hold::Held, by_id, ..Self::named() }
    }

    fn workload(by_id: bool) -> Self {
        Self { workload: Hold::Held, ..Self::owner(by_id) }
    }

    fn context(context: Hold) -> Self {
        Self { context, ..Self::named() }
    }
}

/// Issuer and family, by which claims are read.
pub(super) struct Reading<'a> {
    pub(super) issuer: &'a Issuer,
    pub(super) family: Family,
}

fn has_wildcard(text: &str) -> bool {
    text.contains(['*', '?'])
}

impl Reading<'_> {
    /// What the claim tells.
    pub(super) fn role(&self, claim: &str) -> Role {
        role(self.family, self.issuer.is_shared(), claim)
    }

    /// What one value of a claim pins.
    pub(super) fn effect(&self, claim: &str, pattern: &Pattern) -> Effect {
        let Pattern { glob, method, .. } = pattern;
        if glob == "*" {
            return Effect::default();
        }
        let is_exact = !has_wildcard(glob);
        match self.role(claim) {
            Role::Subject if claim == "sub" => self.subject(glob, glob, *method),
            Role::Subject => self.subject(&format!("{glob}:*"), glob, *method),
            Role::Path => self.path(glob, *method),
            Role::Namespace => namespace(glob, *method),
            Role::Owner { by_id } if is_exact => Effect::owner(by_id),
            Role::Workload { by_id } if is_exact => Effect::workload(by_id),
            // No name of an owner has a slash, so a pattern with one is never met.
            Role::Owner { .. } if glob.contains('/') && self.family == Family::GitHub => Effect::impossible(),
            // Nobody else has addresses of this domain.
            Role::Workload { .. } if claim == "email" && *method == Method::Suffix && glob.starts_with("*@") => {
                Effect::owner(false)
            }
            Role::Owner { .. } | Role::Workload { .. } => Effect {
                tenant: loose(*method, glob, name_gap(glob, Gap::AnyOwner, Gap::OwnerPrefix)),
                ..Effect::named()
            },
            Role::WorkloadName if is_exact => Effect { workload: Hold::Held, ..Effect::named() },
            Role::WorkloadName => {
                let gap = name_gap(glob, Gap::OwnerWide, Gap::NamePrefix);
                Effect { workload: loose(*method, glob, gap), ..Effect::named() }
            }
            Role::Workflow => self.workflow(glob, *method),
            Role::Called if is_exact => Effect { workload: Hold::Held, context: Hold::Held, ..Effect::named() },
            Role::Ref => Effect::context(reference(glob, *method)),
            Role::Branch => Effect::context(branch(glob, *method)),
            Role::Environment => Effect::context(environment(glob, *method)),
            Role::Context if is_exact => Effect::context(Hold::Held),
            Role::Actor => Effect { weight: Weight::Actor, ..Effect::default() },
            Role::Envelope if claim == "aud" && self.issuer.tenant_is_audience() && is_exact => Effect::owner(false),
            Role::Envelope => Effect::default(),
            Role::Called | Role::Context | Role::Anything => Effect::named(),
        }
    }

    /// What comparing a claim as a whole pins, where the value is not told.
    pub(super) fn whole(&self, claim: &str) -> Effect {
        match self.role(claim) {
            Role::Subject | Role::Workflow => Effect { context: Hold::Held, ..Effect::workload(false) },
            Role::Path => Effect::workload(false),
            Role::Namespace => Effect::owner(false),
            _ => self.effect(claim, &Pattern { glob: "x".to_owned(), method: Method::Equal, any_case: false }),
        }
    }

    /// A pattern of subjects, made of the claim's own pattern.
    fn subject(&self, subject: &str, glob: &str, method: Method) -> Effect {
        let reach = analyse(self.issuer, subject);
        if reach.impossible.is_some() {
            return Effect::impossible();
        }
        if let Some(gap) = reach.tenant {
            // Behind an open start, the context may still be told.
            let tells = [":ref:", ":environment:"].iter().any(|mark| glob.contains(mark));
            let context = match method {
                _ if !tells => Hold::Free,
                Method::Suffix | Method::Part => Hold::Held,
                Method::Regex { open_end: false, .. } if !glob.ends_with('*') => Hold::Held,
                _ => loose(method, glob, Gap::AnyRef),
            };
            let tenant = loose(method, glob, gap);
            // Whose it is may be told elsewhere; what was meant to name the workload is then as loose.
            let workload = if gap == Gap::AnyOwner { tenant } else { Hold::Free };
            return Effect { tenant, workload, context, ..unowned(method, glob) };
        }
        let by_id = reach.by_id;
        let workload = reach.workload.map_or(Hold::Held, |gap| loose(method, glob, gap));
        Effect { tenant: Hold::Held, workload, context: contexts(&reach, glob, method), by_id, ..Effect::named() }
    }

    /// `OWNER/NAME`, read as the subject that begins with it.
    fn path(&self, glob: &str, method: Method) -> Effect {
        let head = if self.family == Family::GitLab { "project_path" } else { "repo" };
        let effect = self.subject(&format!("{head}:{glob}:*"), glob, method);
        Effect { context: Hold::Free, ..effect }
    }

    fn workflow(&self, glob: &str, method: Method) -> Effect {
        let (path, at) = glob.split_once('@').map_or((glob, None), |(path, at)| (path, Some(at)));
        let mut parts = path.splitn(3, '/');
        let repository = match (parts.next(), parts.next(), parts.next()) {
            (Some(owner), Some(name), Some(_)) => format!("{owner}/{name}"),
            _ => path.to_owned(),
        };
        let context = at.map_or(Hold::Free, |at| reference(at, method));
        Effect { context, ..self.path(&repository, method) }
    }
}

/// What a test is worth that names no owner.
fn unowned(method: Method, glob: &str) -> Effect {
    // `repo:` and what follows says nothing; `workflow:deploy` says something that everybody can say.
    let is_prefix = glob.ends_with('*') && matches!(method, Method::Prefix | Method::Regex { .. });
    let says_nothing = is_prefix && glob.trim_end_matches('*').ends_with([':', '/']) && glob.matches(':').count() < 2;
    if says_nothing || glob.chars().all(|mark| "*?:/".contains(mark)) { Effect::default() } else { Effect::named() }
}

fn name_gap(glob: &str, at_start: Gap, behind: Gap) -> Gap {
    if glob.starts_with(['*', '?']) { at_start } else { behind }
}

fn namespace(glob: &str, method: Method) -> Effect {
    match glob.find(['*', '?']) {
        None => Effect::owner(false),
        Some(0) => Effect { tenant: loose(method, glob, Gap::AnyOwner), ..Effect::named() },
        // Subgroups, and what begins like one, are the owner's.
        Some(at) if glob[..at].contains('/') => Effect::owner(false),
        Some(_) => Effect { tenant: loose(method, glob, Gap::OwnerPrefix), ..Effect::named() },
    }
}

fn contexts(reach: &Reach, glob: &str, method: Method) -> Hold {
    reach.context.iter().map(|gap| loose(method, glob, *gap)).min().unwrap_or(Hold::Held)
}

/// A full git ref.
fn reference(glob: &str, method: Method) -> Hold {
    if !has_wildcard(glob) {
        return Hold::Held;
    }
    if glob.starts_with(['*', '?']) {
        return loose(method, glob, Gap::AnyRef);
    }
    match Gap::of_ref(glob) {
        Some(gap) => loose(method, glob, gap),
        None if glob.starts_with("refs/") => Hold::Held,
        None => loose(method, glob, Gap::AnyRef),
    }
}

/// A branch or tag by its name.
fn branch(glob: &str, method: Method) -> Hold {
    match glob.find(['*', '?']) {
        None => Hold::Held,
        Some(0) => loose(method, glob, Gap::AnyRef),
        Some(at) if glob[..at].ends_with('/') => Hold::Held,
        Some(_) => loose(method, glob, Gap::BranchPrefix),
    }
}

fn environment(glob: &str, method: Method) -> Hold {
    match glob.find(['*', '?']) {
        None => Hold::Held,
        Some(0) => loose(method, glob, Gap::AnyRef),
        Some(at) if glob[..at].ends_with(['/', '-', '_', '.', ':']) => Hold::Held,
        Some(_) => loose(method, glob, Gap::AnyEnvironment),
    }
}

/// What a gap comes to by how the claim was compared.
fn loose(method: Method, glob: &str, gap: Gap) -> Hold {
    let open_end = matches!(method, Method::Regex { open_end: true, .. });
    let by_method = |otherwise: Hold| match method {
        Method::Substring => Hold::Loose("gcp-substring"),
        Method::Regex { .. } if open_end => Hold::Loose("gcp-regex-unanchored"),
        _ => otherwise,
    };
    let from_anywhere = match method {
        Method::Substring => Hold::Loose("gcp-substring"),
        Method::Regex { open_start: true, .. } => Hold::Loose("gcp-regex-unanchored"),
        _ => Hold::Free,
    };
    match gap {
        Gap::Everything | Gap::AuthorControlled | Gap::WorkflowOnly => Hold::Free,
        Gap::AnyOwner | Gap::LeadingWildcard => from_anywhere,
        Gap::OwnerPrefix => by_method(Hold::Loose("gcp-prefix-without-slash")),
        Gap::NamePrefix | Gap::BranchPrefix => by_method(Hold::Loose("gcp-prefix-without-delimiter")),
        Gap::AnyEnvironment => {
            let is_named = !glob.trim_end_matches('*').ends_with(':');
            if is_named { by_method(Hold::Loose("gcp-prefix-without-delimiter")) } else { Hold::Free }
        }
        Gap::AnyRef | Gap::AnyBranch | Gap::AnyRefType => from_anywhere,
        Gap::OwnerWide | Gap::AnyWorkspace | Gap::AnyServiceAccount | Gap::AnyNamespace | Gap::NamespaceWide => {
            from_anywhere
        }
        Gap::Tags | Gap::PullRequest | Gap::AnyRunPhase | Gap::AuthorClaimFirst => Hold::Held,
    }
}
