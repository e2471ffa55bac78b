//! What a cloud has to implement to take part.

use std::collections::BTreeMap;
use std::time::SystemTime;

use federate_core::{Claims, Error, codes};
use serde_json::Value as Json;

use crate::finding::{Finding, Rule};
use crate::generate::{Artifact, Format, Intended, Wanted};
use crate::grant::Grant;
use crate::verdict::Verdict;
use crate::way::{Ask, Way};

/// A job at the cloud's door: its claims and what else the request carries.
#[derive(Clone, Debug)]
pub struct Job {
    /// What the ID token says. Signature and times are not looked at.
    pub claims: Claims,
    /// Request keys that do not come from the token (`aws:SourceIp`).
    pub context: BTreeMap<String, Vec<String>>,
    /// What is to be done; the cloud's usual exchange where empty.
    pub actions: Vec<String>,
    /// When.
    pub now: SystemTime,
}

impl Job {
    /// A plain exchange of a token with these claims.
    pub fn new(claims: Claims, now: SystemTime) -> Self {
        Self { claims, context: BTreeMap::new(), actions: Vec::new(), now }
    }
}

/// A trust configuration and where in the file it stands.
#[derive(Debug)]
pub struct Located {
    /// The path inside the file (`Resources.DeployRole`); empty where the file is nothing else.
    pub place: String,
    /// The configuration.
    pub document: Box<dyn TrustDocument>,
}

/// How one cloud trusts.
pub trait TrustModel: Send + Sync {
    /// The name in `--cloud`.
    fn kind(&self) -> &'static str;

    /// Every trust configuration of this cloud in a JSON document: the bare thing, or what the cloud's own tools,
    /// templates and plans wrap around it. Empty where there is none.
    ///
    /// # Errors
    /// `trust-document` where there is one that cannot be read.
    fn documents(&self, value: &Json) -> Result<Vec<Located>, Vec<Error>>;

    /// Every rule that its findings can name.
    fn rules(&self) -> &'static [Rule];

    /// The audience of tokens for this cloud where nobody says otherwise; `customary` is the identity provider's, see
    /// [`federate_core::IdentityProvider::customary_audience`]. `None` where every configuration has its own.
    fn audience(&self, customary: Option<&str>) -> Option<String>;

    /// The token's claims as the conditions that this cloud can ask for, ready to paste: each key with its value.
    fn keys(&self, claims: &Claims) -> Vec<(String, String)>;

    /// The forms in which [`TrustModel::generate`] writes. Empty where it writes none.
    fn formats(&self) -> &'static [Format] {
        &[]
    }

    /// The trust that lets in exactly those that the list means.
    ///
    /// # Errors
    /// `trust-not-expressible` for every entry that the cloud cannot tell from others; `setting-invalid` where the target's
    /// settings do not say enough.
    fn intended(&self, _wanted: &Wanted) -> Result<Intended, Vec<Error>> {
        Err(vec![Error::new(&codes::USAGE, format!("for {} no trust is generated", self.kind()))])
    }

    /// All that the cloud must be given, ready to apply, the main file first.
    ///
    /// # Errors
    /// As [`TrustModel::intended`], and where the format has no words for it.
    fn generate(&self, wanted: &Wanted, _format: &Format) -> Result<Vec<Artifact>, Vec<Error>> {
        self.intended(wanted).map(|_| Vec::new())
    }
}

/// One trust configuration.
pub trait TrustDocument: std::fmt::Debug + Send + Sync {
    /// Decides about a job, as the cloud would.
    fn evaluate(&self, job: &Job) -> Verdict;

    /// Who else could get in, and what cannot work.
    fn lint(&self) -> Vec<Finding>;

    /// Who gets in, one way in after the other, each with the findings that are about it. Empty where the cloud's crate
    /// has no words for that.
    fn grants(&self) -> Vec<Grant> {
        Vec::new()
    }

    /// The audiences of tokens that it lets in, as far as they are certain, those of this issuer's (without `https://`) first.
    fn audiences(&self, issuer: &str) -> Vec<String> {
        let mut ways = self.ways().unwrap_or_default();
        ways.sort_by_key(|way| way.issuer.as_deref() != Some(issuer));
        let mut found = Vec::new();
        for (claim, ask) in ways.into_iter().flat_map(|way| way.asks) {
            match ask {
                Ask::Is(audience) if claim == "aud" && !found.contains(&audience) => found.push(audience),
                _ => {}
            }
        }
        found
    }

    /// Where the principal lives that it belongs to, as far as it says: `account 111122223333`.
    fn home(&self) -> Option<String> {
        None
    }

    /// What of it is not known before a template or plan is applied, a sentence each. Nothing is said about that.
    fn unknown(&self) -> Vec<String> {
        Vec::new()
    }

    /// What of it has no effect, or not the one that it seems to have, and that no rule names, a sentence each.
    fn doubts(&self) -> Vec<String> {
        Vec::new()
    }

    /// Who gets in, in a form that does not depend on how it is written; `None` where this cannot be said.
    fn ways(&self) -> Option<Vec<Way>> {
        None
    }
}

/// Visits every object of a document, outermost first, with its path (`Resources.Role.Properties`).
pub fn walk<'a>(value: &'a Json, visit: &mut dyn FnMut(&str, &'a serde_json::Map<String, Json>)) {
    walk_keys(value, &mut |path, map| visit(&path.join("."), map));
}

/// What [`walk_keys`] calls.
pub type Visit<'v, 'a> = &'v mut dyn FnMut(&[String], &'a serde_json::Map<String, Json>);

/// Visits every object of a document, outermost first, with the keys and indices that lead to it.
pub fn walk_keys<'a>(value: &'a Json, visit: Visit<'_, 'a>) {
    fn go<'a>(path: &mut Vec<String>, value: &'a Json, visit: Visit<'_, 'a>) {
        match value {
            Json::Object(map) => {
                visit(path, map);
                for (key, value) in map {
                    path.push(key.clone());
                    go(path, value, visit);
                    path.pop();
                }
            }
            Json::Array(entries) => {
                for (index, value) in entries.iter().enumerate() {
                    path.push(index.to_string());
                    go(path, value, visit);
                    path.pop();
                }
            }
            _ => {}
        }
    }
    go(&mut Vec::new(), value, visit);
}
