//! A session whose targets outlive their first credentials.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use futures_util::future::join_all;

use crate::codes;
use crate::credentials::Credentials;
use crate::endpoint::ServedTarget;
use crate::error::Error;
use crate::refresh::{Kept, Lease, Renew};
use crate::session::{Exchanged, Session, TargetSource};
use crate::token::IdToken;

/// The most resources that one target's credentials are remembered for.
const RESOURCES: usize = 32;

/// Exchanges a target again.
#[derive(Debug)]
struct TargetRenewal {
    session: Arc<Session>,
    source: Arc<dyn TargetSource>,
}

#[async_trait]
impl Renew for TargetRenewal {
    type Item = Arc<Exchanged>;
    async fn renew(&self) -> Result<Lease<Self::Item>, Error> {
        let exchanged = self.session.exchange(self.source.as_ref()).await?;
        Ok(Lease { expires: exchanged.credentials.expires, value: Arc::new(exchanged) })
    }
}

/// Exchanges a target for one resource.
#[derive(Debug)]
struct ResourceRenewal {
    target: TargetRenewal,
    resource: String,
}

#[async_trait]
impl Renew for ResourceRenewal {
    type Item = Arc<Credentials>;
    async fn renew(&self) -> Result<Lease<Self::Item>, Error> {
        let TargetRenewal { session, source } = &self.target;
        let exchanged = session.exchange_for(source.as_ref(), &self.resource).await?;
        Ok(Lease { expires: exchanged.credentials.expires, value: Arc::new(exchanged.credentials) })
    }
}

/// A target whose credentials are kept fresh, and those for further resources once they were asked for.
#[derive(Debug)]
pub struct KeptTarget {
    session: Arc<Session>,
    source: Arc<dyn TargetSource>,
    main: Kept<TargetRenewal>,
    resources: Mutex<BTreeMap<String, Arc<Kept<ResourceRenewal>>>>,
}

impl KeptTarget {
    fn new(session: &Arc<Session>, source: &Arc<dyn TargetSource>, first: Exchanged) -> Self {
        let lease = Lease { expires: first.credentials.expires, value: Arc::new(first) };
        let what = format!("the credentials of target `{}`", source.name());
        let context = session.context();
        let renewal = TargetRenewal { session: session.clone(), source: source.clone() };
        Self {
            session: session.clone(),
            source: source.clone(),
            main: Kept::new(what, renewal, Some(lease), context.host.clone(), context.reporter.clone()),
            resources: Mutex::default(),
        }
    }

    /// The adapter's name, as in `type = "aws"`.
    pub fn kind(&self) -> &'static str {
        self.source.unbound().kind()
    }

    /// Renews its credentials in time, until dropped.
    pub async fn keep(&self) {
        self.main.keep().await;
    }

    fn resource(&self, resource: &str) -> Arc<Kept<ResourceRenewal>> {
        let mut known = self.resources.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(kept) = known.get(resource) {
            return kept.clone();
        }
        // Whoever asks for ever new resources cannot make this process grow.
        while known.len() >= RESOURCES {
            let first_to_end = known.iter().min_by_key(|(_, kept)| kept.expires()).map(|(name, _)| name.clone());
            match first_to_end {
                Some(name) => known.remove(&name),
                None => break,
            };
        }
        let what = format!("the credentials of target `{}` for {resource}", self.source.name());
        let context = self.session.context();
        let renewal = ResourceRenewal {
            target: TargetRenewal { session: self.session.clone(), source: self.source.clone() },
            resource: resource.to_owned(),
        };
        let kept = Kept::new(what, renewal, None, context.host.clone(), context.reporter.clone()).on_demand();
        let kept = Arc::new(kept);
        known.insert(resource.to_owned(), kept.clone());
        kept
    }
}

#[async_trait]
impl ServedTarget for KeptTarget {
    fn name(&self) -> &str {
        self.source.name()
    }

    async fn credentials(&self) -> Result<Arc<Exchanged>, Error> {
        self.main.current().await
    }

    async fn credentials_for(&self, resource: &str) -> Result<Arc<Credentials>, Error> {
        // Longer than any resource's name; it is kept, and it shows in messages.
        if resource.len() > 512 || resource.contains(|c: char| c.is_control() || c.is_whitespace()) {
            return Err(Error::new(&codes::USAGE, "this is not the name of a resource"));
        }
        let kept = self.resource(resource);
        let outcome = kept.current().await;
        if outcome.is_err() && kept.expires().is_none() {
            // A name that leads nowhere is not worth remembering, but the pause after its failure is.
            let mut known = self.resources.lock().unwrap_or_else(PoisonError::into_inner);
            if known.len() >= RESOURCES / 2 {
                known.remove(resource);
            }
        }
        outcome
    }

    async fn id_token(&self) -> Result<Arc<IdToken>, Error> {
        let identity = self.source.identity();
        let customary = identity.provider.customary_audience(self.session.context());
        self.session.token(identity, &self.source.unbound().audiences(customary.as_deref())).await
    }
}

/// A session and its targets, one task each.
#[derive(Debug)]
pub struct RefreshingSession {
    session: Arc<Session>,
    targets: Vec<Arc<KeptTarget>>,
}

impl RefreshingSession {
    /// Keeps what was exchanged fresh; `exchanged` are the sources' first credentials, in their order.
    pub fn new(session: Arc<Session>, sources: &[Arc<dyn TargetSource>], exchanged: Vec<Exchanged>) -> Self {
        let targets = sources
            .iter()
            .zip(exchanged)
            .map(|(source, first)| Arc::new(KeptTarget::new(&session, source, first)))
            .collect();
        Self { session, targets }
    }

    /// The session.
    pub fn session(&self) -> &Arc<Session> {
        &self.session
    }

    /// The targets, in the order of their selection.
    pub fn targets(&self) -> &[Arc<KeptTarget>] {
        &self.targets
    }

    /// Renews all targets' credentials in time, until dropped.
    pub async fn keep(&self) {
        join_all(self.targets.iter().map(|target| target.keep())).await;
    }
}

/// Does what ends then outlast something that begins now and takes so long? Without an end it does.
pub fn outlasts(expires: Option<SystemTime>, now: SystemTime, duration: Duration) -> bool {
    expires.is_none_or(|end| end.duration_since(now).unwrap_or_default() >= duration)
}

#[cfg(test)]
mod tests;
