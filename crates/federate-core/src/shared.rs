//! Exchanges that several targets of one batch share.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use tokio::sync::Mutex;

use crate::cloud::CloudTarget;
use crate::context::Context;
use crate::credentials::Credentials;
use crate::error::Error;
use crate::session::BoundIdentity;
use crate::token::IdToken;

/// Kind, identity, token and [`CloudTarget::exchange_key`].
type Key = (&'static str, String, [u8; 32], String);
type Slot = Arc<Mutex<Option<(Instant, Result<Credentials, Error>)>>>;

/// What the targets of one batch have in common; nothing outlives it, so that who asks again is served anew.
pub(crate) struct Shared {
    /// When the batch began: an answer that is younger is good for all of it.
    pub(crate) since: Instant,
    slots: Mutex<BTreeMap<Key, Slot>>,
}

impl Default for Shared {
    fn default() -> Self {
        Self { since: Instant::now(), slots: Mutex::new(BTreeMap::new()) }
    }
}

impl Shared {
    /// The target's exchange, or the one that was made for another target of the same key. A refusal is shared as well, with
    /// those who asked before it came.
    pub(crate) async fn exchange(
        &self,
        context: &Context,
        identity: &BoundIdentity,
        target: &Arc<dyn CloudTarget>,
        token: &IdToken,
        since: Instant,
    ) -> Result<Credentials, Error> {
        let Some(key) = target.exchange_key(context) else {
            return target.exchange(context, token).await;
        };
        let digest = ring::digest::digest(&ring::digest::SHA256, token.raw().reveal().as_bytes());
        let digest = <[u8; 32]>::try_from(digest.as_ref()).unwrap_or_default();
        let key = (target.kind(), identity.name.clone(), digest, key);
        let slot = self.slots.lock().await.entry(key).or_default().clone();
        let mut held = slot.lock().await;
        match held.as_ref() {
            Some((_, Ok(credentials))) => return Ok(target.rebind(credentials.clone())),
            Some((at, Err(error))) if *at >= since => return Err(error.clone()),
            _ => {}
        }
        let result = target.exchange(&context.begin_exchange(), token).await;
        *held = Some((Instant::now(), result.clone()));
        result
    }
}
