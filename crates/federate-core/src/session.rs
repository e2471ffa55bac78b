//! The way of a token: identity, ID token, exchange, credentials. Every command walks it here.

use std::collections::BTreeMap;
use std::fmt;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use serde_json::Value as Json;
use tokio::sync::{Mutex, Semaphore};

use crate::claims::Claims;
use crate::cloud::CloudTarget;
use crate::codes;
use crate::context::Context;
use crate::credentials::Credentials;
use crate::error::{Error, Recovery};
use crate::http::Reach;
use crate::identity::{Audiences, IdentityProvider, Renewal};
use crate::issuer::Issuer;
use crate::network::MAX_CONCURRENCY;
use crate::secret::Secret;
use crate::shared::Shared;
use crate::token::IdToken;

/// A configured identity under its name in the profile.
#[derive(Clone, Debug)]
pub struct BoundIdentity {
    /// The name: `gitlab` of `[identities.gitlab]`.
    pub name: String,
    /// The provider.
    pub provider: Arc<dyn IdentityProvider>,
}

impl BoundIdentity {
    /// Whose tokens are expected, and who said so.
    ///
    /// # Errors
    /// Those of [`IdentityProvider::issuer`], with the setting to look at.
    pub fn issuer(&self, context: &Context) -> Result<(Issuer, Reach), Error> {
        self.provider.issuer(context).map_err(|error| self.located(error))
    }

    /// What policy can refuse before any network call: the issuer's host. Returns the issuer.
    ///
    /// # Errors
    /// `host-not-allowed`, and those of [`BoundIdentity::issuer`].
    pub fn permitted(&self, context: &Context) -> Result<Issuer, Error> {
        let (issuer, reach) = self.issuer(context)?;
        if let Some(url) = issuer.url() {
            context.policy.check_url(&url, &reach).map_err(|error| self.located(error))?;
        }
        Ok(issuer)
    }

    fn located(&self, error: Error) -> Error {
        error.in_section(&format!("identities.{}", self.name))
    }
}

/// A selected target: validated settings whose `{claim:…}` placeholders are filled once the token is there.
pub trait TargetSource: Send + Sync + fmt::Debug {
    /// The target's name in the profile.
    fn name(&self) -> &str;
    /// Who vouches for the job at this target.
    fn identity(&self) -> &BoundIdentity;
    /// The target with `{claim:…}` as written.
    fn unbound(&self) -> &Arc<dyn CloudTarget>;
    /// The target's settings, with everything filled but `{claim:…}`: what decides which credentials come out, besides the
    /// token.
    fn settings(&self) -> Json;
    /// The target with its claims filled in and validated again.
    ///
    /// # Errors
    /// `claim-unknown`, and those of validation.
    fn bind(&self, claims: &Claims) -> Result<Arc<dyn CloudTarget>, Error>;
}

/// A target that was exchanged.
#[derive(Clone, Debug)]
pub struct Exchanged {
    /// The target's name.
    pub name: String,
    /// The target with all placeholders filled.
    pub target: Arc<dyn CloudTarget>,
    /// The token that was exchanged.
    pub token: Arc<IdToken>,
    /// What came of it.
    pub credentials: Credentials,
    /// Can the identity provider issue again?
    pub renewal: Renewal,
}

/// A token that was handed out, and whether its audience and times were checked.
#[derive(Clone)]
struct Held {
    token: Arc<IdToken>,
    is_checked: bool,
}

/// A token that was asked for, and why the last one could not be had.
#[derive(Default)]
struct Asked {
    held: Option<Held>,
    failed: Option<(Instant, Error)>,
}

type Slot = Arc<Mutex<Asked>>;

/// Tokens and exchanges of one run. One token request for each identity and audience, however many targets need it.
pub struct Session {
    context: Context,
    wait_for_trust: Duration,
    hide: Box<dyn Fn(&Secret) + Send + Sync>,
    slots: Mutex<BTreeMap<(String, Audiences), Slot>>,
    max_concurrency: usize,
}

impl fmt::Debug for Session {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Session").field("context", &self.context).finish_non_exhaustive()
    }
}

impl Session {
    /// A session. `hide` is called with every secret before anything else sees it, to mask it in the CI's log.
    /// For up to `wait_for_trust`, refusals that a change of trust made just now would explain are tried again.
    pub fn new(context: Context, wait_for_trust: Duration, hide: Box<dyn Fn(&Secret) + Send + Sync>) -> Self {
        let slots = Mutex::new(BTreeMap::new());
        Self { context, wait_for_trust, hide, slots, max_concurrency: MAX_CONCURRENCY.get() }
    }

    /// The same with another limit of exchanges that are under way at once.
    #[must_use]
    pub fn with_concurrency(mut self, most: NonZeroUsize) -> Self {
        self.max_concurrency = most.get();
        self
    }

    /// The context that adapters work in.
    pub fn context(&self) -> &Context {
        &self.context
    }

    /// Masks a secret in the CI's log, as the session does by itself with every token and all credentials of an exchange.
    pub fn hide(&self, secret: &Secret) {
        (self.hide)(secret);
    }

    /// What can be refused before any network call, for all targets at once.
    ///
    /// # Errors
    /// All refusals, each with the setting to look at.
    pub fn permitted(&self, targets: &[Arc<dyn TargetSource>]) -> Result<(), Vec<Error>> {
        let mut errors = Vec::new();
        for target in targets {
            if let Err(error) = target.unbound().permitted(&self.context, &self.context.policy) {
                errors.push(error.in_section(&section(target.as_ref())));
            }
            if let Err(error) = target.identity().permitted(&self.context)
                && !errors.iter().any(|known: &Error| known.what() == error.what())
            {
                errors.push(error);
            }
        }
        if errors.is_empty() { Ok(()) } else { Err(errors) }
    }

    /// A checked token of the identity for one of the audiences; asked for once, then remembered, and asked for again
    /// where the provider can issue again and the remembered one is about to end.
    ///
    /// # Errors
    /// Those of [`IdentityProvider::token`] and [`IdToken::check`].
    pub async fn token(&self, identity: &BoundIdentity, audiences: &Audiences) -> Result<Arc<IdToken>, Error> {
        let context = self.context.begin_exchange();
        self.token_by(&context, identity, audiences, None, Instant::now()).await
    }

    /// A token as the provider hands it out, its audience and times not checked: for looking at what is wrong with it.
    /// The same as [`Session::token`] then checks and gives.
    ///
    /// # Errors
    /// Those of [`IdentityProvider::token`].
    pub async fn unchecked_token(
        &self,
        identity: &BoundIdentity,
        audiences: &Audiences,
    ) -> Result<Arc<IdToken>, Error> {
        let context = self.context.begin_exchange();
        let slot = self.slot(identity, audiences).await;
        let mut asked = slot.lock().await;
        self.obtain(&context, identity, audiences, &mut asked.held, None).await.map(|held| held.token)
    }

    /// A token newer than `stale`, where the provider can issue again. The remembered one is replaced.
    ///
    /// # Errors
    /// As [`Session::token`].
    pub async fn fresh_token(
        &self,
        identity: &BoundIdentity,
        audiences: &Audiences,
        stale: &IdToken,
    ) -> Result<Arc<IdToken>, Error> {
        let context = self.context.begin_exchange();
        self.token_by(&context, identity, audiences, Some(stale), Instant::now()).await
    }

    async fn token_by(
        &self,
        context: &Context,
        identity: &BoundIdentity,
        audiences: &Audiences,
        stale: Option<&IdToken>,
        since: Instant,
    ) -> Result<Arc<IdToken>, Error> {
        let slot = self.slot(identity, audiences).await;
        let mut asked = slot.lock().await;
        // Whoever waited for an answer takes it, be it a refusal: a hundred targets do not ask a hundred times.
        if let Some((at, error)) = &asked.failed
            && *at >= since
        {
            return Err(error.clone());
        }
        let token = self.checked(context, identity, audiences, &mut asked.held, stale).await;
        asked.failed = token.as_ref().err().map(|error| (Instant::now(), error.clone()));
        token
    }

    async fn checked(
        &self,
        context: &Context,
        identity: &BoundIdentity,
        audiences: &Audiences,
        slot: &mut Option<Held>,
        stale: Option<&IdToken>,
    ) -> Result<Arc<IdToken>, Error> {
        let Held { token, is_checked } = self.obtain(context, identity, audiences, slot, stale).await?;
        if !is_checked {
            let checked = token.check(context.host.now(), audiences).map_err(|error| identity.located(error));
            if checked.is_err() {
                *slot = None;
            }
            for warning in checked? {
                context.reporter.warn(&warning);
            }
            *slot = Some(Held { token: token.clone(), is_checked: true });
        }
        Ok(token)
    }

    async fn slot(&self, identity: &BoundIdentity, audiences: &Audiences) -> Slot {
        self.slots.lock().await.entry((identity.name.clone(), audiences.clone())).or_default().clone()
    }

    /// What the slot holds, unless that is `stale`; else asks the provider, and remembers the answer.
    async fn obtain(
        &self,
        context: &Context,
        identity: &BoundIdentity,
        audiences: &Audiences,
        slot: &mut Option<Held>,
        stale: Option<&IdToken>,
    ) -> Result<Held, Error> {
        if let Some(held) = slot.as_ref()
            && stale.is_none_or(|stale| stale.raw().reveal() != held.token.raw().reveal())
        {
            match identity.provider.renewal(context) {
                Renewal::Again(_) if held.token.is_spent(context.host.now()) => {}
                Renewal::Once if held.is_checked && held.token.is_over(context.host.now()) => {
                    return Err(ended(&held.token));
                }
                Renewal::Again(_) | Renewal::Once => return Ok(held.clone()),
            }
        }
        identity.permitted(context)?;
        let token = identity.provider.token(context, audiences).await.map_err(|error| identity.located(error))?;
        (self.hide)(token.raw());
        let held = Held { token: Arc::new(token), is_checked: false };
        *slot = Some(held.clone());
        Ok(held)
    }

    /// Exchanges for one target.
    ///
    /// # Errors
    /// Those of the token, of filling in claims, and of [`CloudTarget::exchange`].
    pub async fn exchange(&self, source: &dyn TargetSource) -> Result<Exchanged, Error> {
        self.exchange_with(source, &Shared::default(), None).await
    }

    /// Exchanges for another resource than those that the target is configured for.
    ///
    /// # Errors
    /// As [`Session::exchange`], with those of [`CloudTarget::exchange_for`].
    pub async fn exchange_for(&self, source: &dyn TargetSource, resource: &str) -> Result<Exchanged, Error> {
        self.exchange_with(source, &Shared::default(), Some(resource)).await
    }

    async fn exchange_with(
        &self,
        source: &dyn TargetSource,
        shared: &Shared,
        resource: Option<&str>,
    ) -> Result<Exchanged, Error> {
        let section = section(source);
        let identity = source.identity();
        let customary = identity.provider.customary_audience(&self.context);
        let audiences = source.unbound().audiences(customary.as_deref());
        let renewal = identity.provider.renewal(&self.context);
        let started = Instant::now();
        let mut growing = Duration::from_secs(1);
        let mut stale: Option<Arc<IdToken>> = None;
        let mut since = shared.since;
        loop {
            let context = self.context.begin_exchange();
            let token = self.token_by(&context, identity, &audiences, stale.as_deref(), since).await?;
            let target = source.bind(token.claims()).map_err(|error| error.in_section(&section))?;
            let outcome = match resource {
                None => shared.exchange(&context, identity, &target, &token, since).await,
                Some(resource) => target.exchange_for(&context, &token, resource).await,
            };
            let error = match outcome {
                Ok(credentials) => {
                    credentials.secrets().for_each(|secret| (self.hide)(secret));
                    if let Some(end) = credentials.expires.filter(|end| *end <= context.host.now()) {
                        context.reporter.warn(&format!(
                            "the credentials of target `{}` ended at {} by this machine's clock; if the clock is right, the cloud sent old ones",
                            source.name(),
                            humantime::format_rfc3339_seconds(end)
                        ));
                    }
                    return Ok(Exchanged { name: source.name().to_owned(), target, token, credentials, renewal });
                }
                Err(error) => error.in_section(&section),
            };
            match error.recovery() {
                Recovery::NewToken if stale.is_none() && matches!(renewal, Renewal::Again(_)) => {
                    self.context
                        .reporter
                        .note(&format!("the ID token ended meanwhile ({error}); asking for a new one"));
                    stale = Some(token);
                }
                Recovery::Trust if started.elapsed() < self.wait_for_trust => {
                    // The last try is made when the time is up.
                    let pause = growing.min(self.wait_for_trust.saturating_sub(started.elapsed()));
                    self.context.reporter.note(&format!(
                        "{error}; the trust may not have spread yet, trying again in {}s",
                        pause.as_secs_f32().ceil()
                    ));
                    tokio::time::sleep(pause).await;
                    growing = (growing * 2).min(Duration::from_secs(15));
                }
                _ => return Err(error),
            }
            since = Instant::now();
        }
    }

    /// Exchanges for all targets, as many at once as the session allows; the time of one begins when its turn comes. Targets
    /// with one [`CloudTarget::exchange_key`] share an exchange. The results are in the order of the targets.
    pub async fn exchange_each(&self, sources: &[Arc<dyn TargetSource>]) -> Vec<Result<Exchanged, Error>> {
        let shared = Shared::default();
        let turns = Semaphore::new(self.max_concurrency);
        let one = |source: Arc<dyn TargetSource>| {
            let (shared, turns) = (&shared, &turns);
            async move {
                // Nobody closes it.
                let _turn = turns.acquire().await.ok();
                self.exchange_with(source.as_ref(), shared, None).await
            }
        };
        join_all(sources.iter().cloned().map(one)).await
    }

    /// Exchanges for all targets at once.
    ///
    /// # Errors
    /// Every failure; nothing is handed out unless all succeed.
    pub async fn exchange_all(&self, sources: &[Arc<dyn TargetSource>]) -> Result<Vec<Exchanged>, Vec<Error>> {
        self.permitted(sources)?;
        let mut done = Vec::new();
        let mut errors: Vec<Error> = Vec::new();
        for result in self.exchange_each(sources).await {
            match result {
                Ok(exchanged) => done.push(exchanged),
                // One broken identity fails every target that needs it: say it once, unless the advice differs.
                Err(error)
                    if errors.iter().any(|known| {
                        known.what() == error.what()
                            && known.setting() == error.setting()
                            && known.help() == error.help()
                    }) => {}
                Err(error) => errors.push(error),
            }
        }
        if errors.is_empty() { Ok(done) } else { Err(errors) }
    }
}

fn ended(token: &IdToken) -> Error {
    let end = token.expires().map(|end| humantime::format_rfc3339_seconds(end).to_string()).unwrap_or_default();
    Error::new(&codes::TOKEN_EXPIRED, format!("the ID token of {} ended at {end}", token.source()))
        .with_cause("this CI system issues a job's token once, when the job begins")
        .with_help("give the job a longer time-out, which its token lives as long as, or split it")
}

fn section(source: &dyn TargetSource) -> String {
    format!("targets.{}", source.name())
}

#[cfg(test)]
mod tests;
