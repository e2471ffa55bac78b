//! Jobs as the CI systems describe them in tokens, entries that mean them, and other jobs that differ in one thing.

use std::time::SystemTime;

use federate_core::testing::fixture;
use federate_core::{ClaimPattern, Claims, IdentityAdapter, IdentityProvider};
use federate_identity_github::GitHub;
use federate_identity_gitlab::GitLab;
use federate_trust::{Glob, Intended, Job as Evaluated, TrustModel, Wanted, WantedEntry};
use proptest::prelude::*;
use serde_json::{Map, Value as Json, json};

/// Whose job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ci {
    GitHub,
    GitLab,
    SelfManaged,
}

impl Ci {
    pub(crate) fn issuer(self) -> &'static str {
        match self {
            Self::GitHub => "https://token.actions.githubusercontent.com",
            Self::GitLab => "https://gitlab.com",
            Self::SelfManaged => "https://gitlab.example.com",
        }
    }

    /// An entry as the CI system's adapter reads it.
    pub(crate) fn read(self, keys: &Json) -> ClaimPattern {
        let adapter: Box<dyn IdentityProvider> = match self {
            Self::GitHub => Box::new(GitHub::new("github", Default::default()).unwrap()),
            _ => {
                let settings = serde_json::from_value(json!({ "issuer": self.issuer() })).unwrap();
                Box::new(GitLab::new("gitlab", settings).unwrap())
            }
        };
        let (issuer, _) = adapter.issuer(&fixture(&[], |_| false).context).unwrap();
        adapter.allow(issuer, keys).unwrap_or_else(|errors| panic!("{keys}: {errors:?}"))
    }
}

pub(crate) const AUDIENCE: &str = "the-audience";

pub(crate) fn wanted_entry(ci: Ci, keys: &Json) -> WantedEntry {
    WantedEntry { pattern: ci.read(keys), audiences: vec![AUDIENCE.to_owned()] }
}

/// Which of the repository's jobs.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Context {
    Branch(String),
    Tag(String),
    Environment(String),
    PullRequest,
}

/// A job.
#[derive(Clone, Debug)]
pub(crate) struct Job {
    pub(crate) ci: Ci,
    owner: String,
    name: String,
    owner_id: u32,
    id: u32,
    context: Context,
    workflow: String,
    is_protected: bool,
    /// GitHub's subjects with ids, GitLab's that begin with the project's id.
    has_ids_in_subject: bool,
    audience: &'static str,
}

/// In what another job differs.
#[derive(Clone, Debug)]
pub(crate) enum Change {
    Nothing,
    Owner(String),
    Name(String),
    OwnerId(u32),
    Id(u32),
    Context(Context),
    Workflow(String),
    Protection,
    SubjectForm,
    Audience,
    Ci,
}

impl Job {
    /// The payload of its ID token, as the CI system would make it.
    pub(crate) fn claims(&self) -> Json {
        if self.ci == Ci::GitHub { self.github() } else { self.gitlab() }
    }

    fn github(&self) -> Json {
        let (context, reference) = match &self.context {
            Context::Branch(name) => (format!("ref:refs/heads/{name}"), format!("refs/heads/{name}")),
            Context::Tag(name) => (format!("ref:refs/tags/{name}"), format!("refs/tags/{name}")),
            Context::Environment(name) => {
                (format!("environment:{}", name.replace(':', "%3A")), "refs/heads/main".to_owned())
            }
            Context::PullRequest => ("pull_request".to_owned(), "refs/pull/7/merge".to_owned()),
        };
        let repository = format!("{}/{}", self.owner, self.name);
        let path = if self.has_ids_in_subject {
            format!("{}@{}/{}@{}", self.owner, self.owner_id, self.name, self.id)
        } else {
            repository.clone()
        };
        let mut claims = json!({
            "iss": self.ci.issuer(), "aud": self.audience, "sub": format!("repo:{path}:{context}"), "repository": repository,
            "repository_id": self.id.to_string(), "repository_owner_id": self.owner_id.to_string(), "ref": reference,
            "job_workflow_ref": self.workflow,
        });
        if let Context::Environment(name) = &self.context {
            claims["environment"] = name.as_str().into();
        }
        claims
    }

    fn gitlab(&self) -> Json {
        let (kind, name) = match &self.context {
            Context::Branch(name) => ("branch", name.as_str()),
            Context::Tag(name) => ("tag", name.as_str()),
            Context::Environment(_) | Context::PullRequest => ("branch", "main"),
        };
        let path = format!("{}/{}", self.owner, self.name);
        let head =
            if self.has_ids_in_subject { format!("project_id:{}", self.id) } else { format!("project_path:{path}") };
        let mut claims = json!({
            "iss": self.ci.issuer(), "aud": self.audience, "sub": format!("{head}:ref_type:{kind}:ref:{name}"), "project_path": path,
            "project_id": self.id.to_string(), "namespace_id": self.owner_id.to_string(), "ref": name, "ref_type": kind,
            "ref_protected": self.is_protected.to_string(),
        });
        if let Context::Environment(name) = &self.context {
            claims["environment"] = name.as_str().into();
        }
        claims
    }

    pub(crate) fn changed(&self, change: &Change) -> Self {
        let mut job = self.clone();
        match change.clone() {
            Change::Nothing => {}
            Change::Owner(name) => job.owner = name,
            Change::Name(name) => job.name = name,
            Change::OwnerId(id) => job.owner_id = id,
            Change::Id(id) => job.id = id,
            Change::Context(context) => job.context = context,
            Change::Workflow(name) => job.workflow = name,
            Change::Protection => job.is_protected = !job.is_protected,
            Change::SubjectForm => job.has_ids_in_subject = !job.has_ids_in_subject,
            Change::Audience => job.audience = "another-audience",
            Change::Ci => {
                job.ci = match job.ci {
                    Ci::GitHub => Ci::GitLab,
                    Ci::GitLab => Ci::SelfManaged,
                    Ci::SelfManaged => Ci::GitLab,
                }
            }
        }
        job
    }
}

/// An entry, and a job that it means.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) ci: Ci,
    pub(crate) keys: Json,
    pub(crate) job: Job,
}

impl Entry {
    pub(crate) fn has(&self, key: &str) -> bool {
        self.keys.get(key).is_some()
    }

    /// Does the list itself ask for more than the linter likes?
    pub(crate) fn is_broad(&self) -> bool {
        self.has("pull_request") || self.keys["branch_pattern"] == "*"
    }

    /// Does it ask for more than one subject of GitLab's can say?
    pub(crate) fn is_beyond_a_gitlab_subject(&self) -> bool {
        let is_hidden = ["environment", "protected", "namespace_id"].iter().any(|key| self.has(key));
        let is_named_twice = self.has("project") && self.has("project_id");
        is_hidden || is_named_twice
    }

    pub(crate) fn has_pattern(&self) -> bool {
        self.has("branch_pattern") || self.has("tag_pattern")
    }
}

/// The trust that is made of the list.
pub(crate) fn intended(model: &dyn TrustModel, wanted: &Wanted) -> Result<Intended, String> {
    model.intended(wanted).map_err(|errors| format!("{errors:?}"))
}

/// Does it let this token in?
pub(crate) fn admits(intended: &Intended, claims: &Json) -> bool {
    let claims = Claims::new(claims.as_object().unwrap().clone());
    intended.document.evaluate(&Evaluated::new(claims, SystemTime::now())).is_allowed()
}

/// A job gets in if the list means it, unless it was said that its form of subject stays outside: so it is for the entry's own
/// job and for a changed one.
pub(crate) fn lets_in_whom_it_means(
    entry: &Entry,
    change: &Change,
    pattern: &ClaimPattern,
    intended: &Intended,
) -> Result<(), TestCaseError> {
    for job in [entry.job.clone(), entry.job.changed(change)] {
        let claims = job.claims();
        let expected = is_meant(pattern, &claims) && !is_left_out(&intended.notes, &claims);
        prop_assert_eq!(
            admits(intended, &claims),
            expected,
            "{} {}\n{}",
            entry.keys,
            claims,
            intended.notes.join("\n")
        );
    }
    Ok(())
}

/// Is this token meant?
pub(crate) fn is_meant(pattern: &ClaimPattern, claims: &Json) -> bool {
    pattern.admits(&Claims::new(claims.as_object().unwrap().clone())) && claims["aud"] == AUDIENCE
}

/// Was it said that tokens of this form stay outside?
pub(crate) fn is_left_out(notes: &[String], claims: &Json) -> bool {
    let subject = claims["sub"].as_str().unwrap();
    notes.iter().any(|note| {
        let pattern = note.split_once("subject is like ").and_then(|(_, rest)| rest.split_once(" stay outside"));
        pattern.is_some_and(|(pattern, _)| Glob::parse(&pattern.replace("<id>", "*")).matches(subject))
    })
}

fn word() -> impl Strategy<Value = String> {
    prop_oneof!["[a-z][a-z0-9-]{0,6}", Just("acme".to_owned()), Just("app".to_owned()), Just("acme-evil".to_owned())]
}

fn reference() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("main".to_owned()),
        Just("main2".to_owned()),
        "release/[0-9a-z.]{1,4}",
        "[a-z]{1,4}(/[a-z0-9$'_-]{1,5})?",
        Just("${aws}".to_owned()),
    ]
}

fn context() -> impl Strategy<Value = Context> {
    prop_oneof![
        reference().prop_map(Context::Branch),
        reference().prop_map(Context::Tag),
        "[a-zA-Z0-9 ?'$-]{0,5}[a-z]".prop_map(Context::Environment),
        Just(Context::PullRequest),
    ]
}

fn id() -> impl Strategy<Value = u32> {
    prop_oneof![1_u32..9, 1_000_u32..1_000_000]
}

impl Arbitrary for Change {
    type Parameters = ();
    type Strategy = BoxedStrategy<Self>;

    fn arbitrary_with((): ()) -> Self::Strategy {
        prop_oneof![
            Just(Self::Nothing),
            word().prop_map(Self::Owner),
            word().prop_map(Self::Name),
            id().prop_map(Self::OwnerId),
            id().prop_map(Self::Id),
            context().prop_map(Self::Context),
            word().prop_map(Self::Workflow),
            Just(Self::Protection),
            Just(Self::SubjectForm),
            Just(Self::Audience),
            Just(Self::Ci),
        ]
        .boxed()
    }
}

/// Any entry with a job that it means.
pub(crate) fn entry() -> impl Strategy<Value = Entry> {
    let ci = prop_oneof![Just(Ci::GitHub), Just(Ci::GitLab), Just(Ci::SelfManaged)];
    let names = (word(), word(), id(), id(), word());
    (ci, names, context(), any::<[bool; 8]>()).prop_map(
        |(ci, (owner, name, owner_id, id, workflow), context, flags)| {
            let [by_name, by_id, by_owner, as_pattern, says_more, is_protected, has_ids_in_subject, all] = flags;
            let context = if ci != Ci::GitHub && context == Context::PullRequest {
                Context::Branch("main".to_owned())
            } else {
                context
            };
            let mut keys = Map::new();
            let [name_key, id_key, owner_key] = match ci {
                Ci::GitHub => ["repository", "repository_id", "owner_id"],
                _ => ["project", "project_id", "namespace_id"],
            };
            let mut set = |key: &str, value: Json| drop(keys.insert(key.to_owned(), value));
            if by_name || !by_id {
                set(name_key, format!("{owner}/{name}").into());
            }
            if by_id {
                set(id_key, id.into());
            }
            if by_owner {
                set(owner_key, owner_id.to_string().into());
            }
            let pattern = |name: &str| if all { "*".to_owned() } else { format!("{}*", &name[..1]) };
            match &context {
                Context::Branch(name) if as_pattern => set("branch_pattern", pattern(name).into()),
                Context::Branch(name) => set("branch", name.as_str().into()),
                Context::Tag(name) if as_pattern => set("tag_pattern", pattern(name).into()),
                Context::Tag(name) => set("tag", name.as_str().into()),
                Context::Environment(name) => set("environment", name.as_str().into()),
                Context::PullRequest => set("pull_request", true.into()),
            }
            match ci {
                Ci::GitHub if says_more => set("workflow", workflow.as_str().into()),
                Ci::GitLab | Ci::SelfManaged if says_more => set("protected", is_protected.into()),
                _ => {}
            }
            let job = Job {
                ci,
                owner,
                name,
                owner_id,
                id,
                context,
                workflow,
                is_protected,
                has_ids_in_subject,
                audience: AUDIENCE,
            };
            Entry { ci, keys: keys.into(), job }
        },
    )
}
