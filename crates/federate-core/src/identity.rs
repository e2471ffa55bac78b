//! Who vouches for the job.

use std::fmt;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use serde_json::Value as Json;

use crate::allow::ClaimPattern;
use crate::context::Context;
use crate::error::Error;
use crate::http::{Reach, Request};
use crate::issuer::Issuer;
use crate::secret::Secret;
use crate::token::IdToken;

/// The audiences that a cloud target accepts, best first. Providers that issue on request ask for the first.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Audiences(Vec<String>);

impl Audiences {
    /// One audience.
    pub fn one(audience: impl Into<String>) -> Self {
        Self(vec![audience.into()])
    }

    /// The first, which a provider that issues on request asks for.
    pub fn first(&self) -> &str {
        self.0.first().map_or("", String::as_str)
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    /// Is one of the token's audiences among these?
    pub fn fits(&self, token: &[String]) -> bool {
        token.iter().any(|audience| self.0.contains(audience))
    }
}

impl fmt::Debug for Audiences {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:?}", self.0)
    }
}

impl fmt::Display for Audiences {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0.join(" or "))
    }
}

/// Is this job running in the provider's CI system? A question apart from whether it can get a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Detection {
    /// Yes; `evidence` says by what (`GITLAB_CI=true`).
    Here {
        /// What was seen.
        evidence: String,
    },
    /// No.
    NotHere,
}

impl Detection {
    /// Was the CI system recognised?
    pub fn is_here(&self) -> bool {
        matches!(self, Self::Here { .. })
    }
}

/// Where other programs can ask for ID tokens themselves, in GitHub's shape: `GET url&audience=…`, bearer token,
/// `{"value": "<JWT>"}`.
#[derive(Clone, Debug)]
pub struct TokenRequestEndpoint {
    /// The URL, which already has a query.
    pub url: String,
    /// The bearer token.
    pub token: Secret,
}

/// Can the provider issue again within the job?
#[derive(Clone, Debug)]
pub enum Renewal {
    /// The token was made when the job began; its end is final.
    Once,
    /// A new token can be had at any time, and maybe by other programs too.
    Again(Option<TokenRequestEndpoint>),
}

/// How the CI system hides a value in its log at run time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Masking {
    /// These lines on stderr, before the value is seen, hide it.
    Commands(Vec<String>),
    /// It cannot.
    Unsupported,
}

/// One end of a section that the viewer of a CI's log can fold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SectionEdge {
    /// Its heading.
    Begin {
        /// Shut at first, where the CI lets the job choose.
        is_collapsed: bool,
    },
    /// What closes it.
    End,
}

/// A CI system (or other issuer) that hands the job an OIDC ID token.
#[async_trait]
pub trait IdentityProvider: Send + Sync + fmt::Debug {
    /// The adapter's name, as in `type = "gitlab"`.
    fn kind(&self) -> &'static str;

    /// "In this CI?", apart from "can it be had?".
    fn detect(&self, context: &Context) -> Detection;

    /// Whose tokens are expected, and who said so.
    ///
    /// # Errors
    /// `setting-invalid` where the CI's own variable does not make an issuer, `setting-missing` where neither a setting nor
    /// the job says it.
    fn issuer(&self, context: &Context) -> Result<(Issuer, Reach), Error>;

    /// The audience that this provider's users customarily give to clouds that prescribe none (GitLab: the issuer).
    fn customary_audience(&self, context: &Context) -> Option<String>;

    /// Can it issue again, and can others ask it?
    fn renewal(&self, context: &Context) -> Renewal;

    /// The requests that [`IdentityProvider::token`] would send; empty where the token is already in the job.
    ///
    /// # Errors
    /// As `token`, where it can be known without the network.
    fn plan(&self, context: &Context, audiences: &Audiences) -> Result<Vec<Request>, Error>;

    /// A token for one of the audiences. The caller checks audience and times with [`IdToken::check`].
    ///
    /// # Errors
    /// `token-missing` with the lines to add to the pipeline, `token-ambiguous`, `token-malformed`, `token-issuer`,
    /// `token-audience`, `token-request-refused`, and those of the network.
    async fn token(&self, context: &Context, audiences: &Audiences) -> Result<IdToken, Error>;

    /// An entry of a target's `trust.allow` list in neutral form. `issuer` is that of [`IdentityProvider::issuer`], `entry` a
    /// table without its `identity` key.
    ///
    /// # Errors
    /// One for every unknown key, wrong type, and missing or contradicting key; `setting` is the key.
    fn allow(&self, issuer: Issuer, entry: &Json) -> Result<ClaimPattern, Vec<Error>>;

    /// The variables that carry the job's own identity: `--isolate` takes them from the child.
    fn job_variables(&self, context: &Context) -> Vec<String>;

    /// For how long the job may still run, where the CI system says so to the job. Counted from now.
    fn job_time_left(&self, _context: &Context) -> Option<Duration> {
        None
    }

    /// How to hide this value in the CI's log. A value of several lines is hidden line by line.
    fn mask(&self, secret: &Secret) -> Masking;

    /// The line, without its end, that opens or closes a section of the CI's log. `title` is the same at both ends.
    /// `None` at both ends where the log has no sections.
    fn section(&self, _edge: SectionEdge, _title: &str, _now: SystemTime) -> Option<String> {
        None
    }

    /// Does the CI's log obey this line (a command that masks a value, or closes a section)? Then nothing may be put
    /// before it.
    fn is_log_command(&self, _line: &[u8]) -> bool {
        false
    }
}
