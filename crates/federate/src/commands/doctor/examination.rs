//! The profile's selected targets, each with what is known of it before anybody is asked.

use std::sync::Arc;
use std::time::{Duration, Instant};

use federate_core::{
    Audiences, BoundIdentity, Claims, CloudTarget, Context, Error, HumanDuration, NetworkSettings, Session,
    TargetSource,
};
use federate_http::{Client, Way};
use federate_profile::Profile;
use url::Url;

use crate::host::SystemHost;
use crate::setup::Start;

/// One selected target.
pub(super) struct Subject {
    pub(super) name: String,
    /// Placeholders of the environment filled.
    pub(super) target: Arc<dyn CloudTarget>,
    /// What can be exchanged; `None` where nobody vouches for the job.
    pub(super) source: Option<Arc<dyn TargetSource>>,
    pub(super) identity: Option<BoundIdentity>,
    pub(super) audiences: Option<Audiences>,
    /// Policy does not allow it.
    pub(super) is_refused: bool,
}

/// Everything that the steps share.
pub(super) struct Examination<'a> {
    pub(super) profile: &'a Profile,
    pub(super) session: Session,
    /// Says how hosts are asked; `None` where that cannot be set up.
    pub(super) client: Option<Client>,
    /// The claims that stand for a token.
    pub(super) claims: Option<Claims>,
    /// Why nobody is asked, if so.
    pub(super) offline: Option<String>,
    pub(super) subjects: Vec<Subject>,
}

impl Examination<'_> {
    /// How a host is asked.
    pub(super) fn way(&self, url: &Url) -> Way {
        self.client.as_ref().map_or_else(|| Way { via: None, roots: Vec::new() }, |client| client.way(url))
    }
}

/// The profile's network, no step of which takes longer than `limit`.
pub(super) fn hurried(network: &NetworkSettings, limit: Duration) -> NetworkSettings {
    let least = |one: HumanDuration| HumanDuration(one.0.min(limit));
    NetworkSettings {
        connect_timeout: least(network.connect_timeout),
        request_timeout: least(network.request_timeout),
        exchange_timeout: HumanDuration(limit),
        ..network.clone()
    }
}

/// Surroundings in which nobody can be asked.
pub(super) fn offline_context(start: &Start, profile: Option<&Profile>) -> Context {
    let mut policy = profile.map(Profile::policy).unwrap_or_default();
    policy.rerouted = federate_http::rerouting(&start.env).ok().flatten().is_some();
    let nowhere = federate_profile::offline_context(&start.options(&[]), policy);
    Context { host: Arc::new(SystemHost), reporter: Arc::new(start.stderr), deadline: Instant::now(), ..nowhere }
}

/// Selects one target; the second part is why it has no identity.
///
/// # Errors
/// Every problem of its settings that only shows now.
pub(super) fn subject(
    start: &Start,
    profile: &Profile,
    context: &Context,
    claims: Option<&Claims>,
    name: &str,
) -> Result<(Subject, Option<Error>), Vec<Error>> {
    let filled = profile.filled(context, name)?;
    let own = profile.identity(context, profile.target_identity(name));
    let (identity, why) = match (claims.and_then(|claims| of_claims(start, profile, context, claims)), own) {
        (Some(identity), _) | (None, Ok(identity)) => (Some(identity), None),
        (None, Err(error)) => (None, Some(error)),
    };
    let source = match &identity {
        Some(_) if why.is_none() && claims.is_none() => profile.select(context, &[name.to_owned()])?.into_iter().next(),
        _ => None,
    };
    let target = source.as_ref().map_or(filled, |source| source.unbound().clone());
    let audiences = match (&identity, claims) {
        (Some(identity), _) => Some(target.audiences(identity.provider.customary_audience(context).as_deref())),
        (None, Some(_)) => Some(target.audiences(None)),
        (None, None) => None,
    };
    Ok((Subject { name: name.to_owned(), target, source, identity, audiences, is_refused: false }, why))
}

/// The identity whose tokens such claims come from: the one with their issuer.
fn of_claims(start: &Start, profile: &Profile, context: &Context, claims: &Claims) -> Option<BoundIdentity> {
    let issuer = claims.issuer()?;
    start.registry.identities().iter().find_map(|kind| {
        let identity = profile.identity(context, Some(kind.kind)).ok()?;
        let (own, _) = identity.provider.issuer(context).ok()?;
        let is_below = issuer.strip_prefix(own.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        is_below.then_some(identity)
    })
}
