//! What ends and is had anew before it does: one value, kept by one task, asked for by many.

use std::collections::hash_map::RandomState;
use std::fmt;
use std::hash::{BuildHasher as _, Hasher as _};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use tokio::time::{Instant, sleep, timeout};

use crate::codes;
use crate::context::{Host, Reporter};
use crate::error::Error;

/// For how long before its end a value is renewed at the latest; SDKs begin to ask for another one about then.
pub const BEFORE_THE_END: Duration = Duration::from_secs(300);

/// The longest pause between two tries after failures.
pub const LONGEST_BACK_OFF: Duration = Duration::from_secs(60);

/// With less than this left a value is taken for ended: whoever is given it could not use it any more, and SDKs that count
/// in whole seconds would take it for over.
const LEAST: Duration = Duration::from_secs(1);

/// While the value at hand is good, this is the longest that anybody waits for a renewal that somebody else began: less than
/// the patience of SDKs (botocore waits for 2 s).
const PATIENCE: Duration = Duration::from_secs(1);

/// The clock on the wall can jump while a timer runs (a machine that slept): it is looked at this often.
const LONGEST_SLEEP: Duration = Duration::from_secs(300);

/// A value and when it ends; never, where nobody said.
#[derive(Clone, Debug)]
pub struct Lease<T> {
    /// The value.
    pub value: T,
    /// Its end, by the clock of whoever made it.
    pub expires: Option<SystemTime>,
}

/// A way to have a value anew.
#[async_trait]
pub trait Renew: Send + Sync {
    /// What is had; cheap to clone.
    type Item: Clone + Send + Sync;

    /// Has it anew, once.
    ///
    /// # Errors
    /// Why it cannot be had now.
    async fn renew(&self) -> Result<Lease<Self::Item>, Error>;
}

/// A value that is renewed before it ends: at the later of half its life and [`BEFORE_THE_END`], a little earlier by
/// chance, so that many that began together are not renewed together. Only one renewal is under way at a time. While
/// renewing fails, the last value is handed out until it ends; tries follow one another with growing pauses.
pub struct Kept<R: Renew> {
    what: String,
    renew: R,
    host: Arc<dyn Host>,
    reporter: Arc<dyn Reporter>,
    chance: fn() -> f64,
    has_task: bool,
    state: Mutex<State<R::Item>>,
    flight: tokio::sync::Mutex<()>,
}

struct State<T> {
    held: Option<Held<T>>,
    failure: Option<Failure>,
}

struct Held<T> {
    value: T,
    /// When it ends, and when it is renewed.
    end: Option<(SystemTime, SystemTime)>,
    /// With less than this left it is not handed out while a new one can be had.
    margin: Duration,
}

impl<T> Held<T> {
    fn left(&self, now: SystemTime) -> Duration {
        self.end.map_or(Duration::MAX, |(end, _)| end.duration_since(now).unwrap_or_default())
    }
}

struct Failure {
    error: Error,
    count: u32,
    next_try: Instant,
    is_over_said: bool,
}

impl<R: Renew> fmt::Debug for Kept<R> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Kept").field("what", &self.what).finish_non_exhaustive()
    }
}

impl<R: Renew> Kept<R> {
    /// Nothing yet, or a first value. `what` says what it is, for people: `the credentials of target prod`.
    pub fn new(
        what: impl Into<String>,
        renew: R,
        first: Option<Lease<R::Item>>,
        host: Arc<dyn Host>,
        reporter: Arc<dyn Reporter>,
    ) -> Self {
        let kept = Self {
            what: what.into(),
            renew,
            host,
            reporter,
            chance: random,
            has_task: true,
            state: Mutex::new(State { held: None, failure: None }),
            flight: tokio::sync::Mutex::new(()),
        };
        if let Some(lease) = first {
            kept.state().held = Some(kept.held(lease));
        }
        kept
    }

    /// The same for a value that no task keeps: whoever asks when it is due renews it. For one that is not there yet.
    #[must_use]
    pub fn on_demand(mut self) -> Self {
        self.has_task = false;
        self
    }

    /// Another chance than the system's, between 0 and 1.
    #[cfg(test)]
    fn with_chance(mut self, chance: fn() -> f64) -> Self {
        self.chance = chance;
        if let Some(held) = self.state.get_mut().unwrap_or_else(PoisonError::into_inner).held.take() {
            let lease = Lease { value: held.value, expires: held.end.map(|(end, _)| end) };
            let held = self.held(lease);
            self.state().held = Some(held);
        }
        self
    }

    /// A value that has not ended: the one at hand, or a new one that this call waits for.
    ///
    /// # Errors
    /// Why no new one could be had, where the last one has ended.
    pub async fn current(&self) -> Result<R::Item, Error> {
        if let Some(ready) = self.ready() {
            return ready;
        }
        let _flight = loop {
            if self.usable().is_none() {
                break self.flight.lock().await;
            }
            if let Ok(flight) = timeout(PATIENCE, self.flight.lock()).await {
                break flight;
            }
            if let Some(value) = self.usable() {
                return Ok(value);
            }
        };
        match self.ready() {
            Some(ready) => ready,
            None => self.attempt().await,
        }
    }

    /// Renews in time, until dropped. It has to be polled by one task.
    pub async fn keep(&self) {
        loop {
            sleep(self.pause()).await;
            let _flight = self.flight.lock().await;
            if self.is_due() {
                // What went wrong is remembered for whoever asks.
                let _ = self.attempt().await;
            }
        }
    }

    /// When the value at hand ends.
    pub fn expires(&self) -> Option<SystemTime> {
        self.state().held.as_ref()?.end.map(|(end, _)| end)
    }

    fn state(&self) -> MutexGuard<'_, State<R::Item>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn held(&self, lease: Lease<R::Item>) -> Held<R::Item> {
        let now = self.host.now();
        let life = lease.expires.map(|end| end.duration_since(now).unwrap_or_default()).unwrap_or_default();
        let end = lease.expires.map(|end| (end, due(now, end, (self.chance)())));
        let margin = match end {
            Some((end, due)) if !self.has_task => end.duration_since(due).unwrap_or_default(),
            _ => (life / 4).min(Duration::from_secs(60)),
        };
        Held { end, margin, value: lease.value }
    }

    /// The value at hand, however soon it has to be renewed, while it has not ended.
    fn usable(&self) -> Option<R::Item> {
        let now = self.host.now();
        self.state().held.as_ref().filter(|held| held.left(now) >= LEAST).map(|held| held.value.clone())
    }

    /// What can be said without another try.
    fn ready(&self) -> Option<Result<R::Item, Error>> {
        let mut state = self.state();
        let now = self.host.now();
        if let Some(held) = state.held.as_ref().filter(|held| held.left(now) > held.margin) {
            return Some(Ok(held.value.clone()));
        }
        let State { held, failure } = &mut *state;
        let failure = failure.as_mut().filter(|failure| failure.next_try > Instant::now())?;
        Some(match held.as_ref().filter(|held| held.left(now) >= LEAST) {
            Some(held) => Ok(held.value.clone()),
            None => {
                self.say_over(failure);
                Err(failure.error.clone())
            }
        })
    }

    fn say_over(&self, failure: &mut Failure) {
        if !std::mem::replace(&mut failure.is_over_said, true) {
            self.reporter.warn(&format!("{} have ended and cannot be renewed: {}", self.what, failure.error));
        }
    }

    fn is_due(&self) -> bool {
        let state = self.state();
        match (&state.failure, &state.held) {
            (Some(failure), _) => failure.next_try <= Instant::now(),
            (None, None) => true,
            (None, Some(held)) => held.end.is_some_and(|(_, due)| due <= self.host.now()),
        }
    }

    fn pause(&self) -> Duration {
        const SHORTEST: Duration = Duration::from_millis(50);
        let state = self.state();
        let pause = match (&state.failure, &state.held) {
            (Some(failure), _) => failure.next_try.saturating_duration_since(Instant::now()),
            (None, None) => SHORTEST,
            (None, Some(held)) => match held.end {
                Some((_, due)) => due.duration_since(self.host.now()).unwrap_or_default(),
                None => LONGEST_SLEEP,
            },
        };
        pause.clamp(SHORTEST, LONGEST_SLEEP)
    }

    /// One try. The caller holds `flight`.
    async fn attempt(&self) -> Result<R::Item, Error> {
        let outcome = match self.renew.renew().await {
            Ok(lease) if lease.expires.is_some_and(|end| end <= self.host.now()) => Err(Error::new(
                &codes::RESPONSE_INVALID,
                format!("{} have ended by this machine's clock although they are new", self.what),
            )
            .with_help("set the clock of this machine by NTP")),
            other => other,
        };
        let now = self.host.now();
        let mut state = self.state();
        match outcome {
            Ok(lease) => {
                let (value, end) = (lease.value.clone(), shown(lease.expires));
                state.held = Some(self.held(lease));
                if state.failure.take().is_some() {
                    self.reporter.note(&format!("{} are renewed again, and last until {end}", self.what));
                }
                Ok(value)
            }
            Err(error) => {
                let end = state.held.as_ref().and_then(|held| held.end).map(|(end, _)| end);
                let is_over = end.is_none_or(|end| end < now + LEAST);
                let (count, is_over_said) =
                    state.failure.as_ref().map_or((0, false), |known| (known.count, known.is_over_said));
                if count == 0 && !is_over {
                    let end = shown(end);
                    self.reporter.warn(&format!("{} cannot be renewed yet, and last until {end}: {error}", self.what));
                }
                let next_try = Instant::now() + back_off(count, (self.chance)());
                let count = count.saturating_add(1);
                let mut failure = Failure { error: error.clone(), count, next_try, is_over_said };
                if is_over {
                    self.say_over(&mut failure);
                }
                state.failure = Some(failure);
                match &state.held {
                    Some(held) if !is_over => Ok(held.value.clone()),
                    _ => Err(error),
                }
            }
        }
    }
}

fn shown(end: Option<SystemTime>) -> String {
    end.map_or_else(|| "further notice".to_owned(), |end| humantime::format_rfc3339_seconds(end).to_string())
}

/// When a value that begins now is renewed.
fn due(now: SystemTime, end: SystemTime, chance: f64) -> SystemTime {
    let life = end.duration_since(now).unwrap_or_default();
    let after = (life / 2).max(life.saturating_sub(BEFORE_THE_END));
    let spread = (life / 10).min(Duration::from_secs(60)).mul_f64(chance.clamp(0.0, 1.0));
    now + after.saturating_sub(spread)
}

/// 1 s, 2 s, 4 s, … up to [`LONGEST_BACK_OFF`], each shortened by up to a half.
fn back_off(failures: u32, chance: f64) -> Duration {
    let whole = Duration::from_secs(1_u64 << failures.min(6)).min(LONGEST_BACK_OFF);
    whole.mul_f64(1.0 - chance.clamp(0.0, 1.0) / 2.0)
}

/// Between 0 and 1; spreads renewals, guards nothing.
fn random() -> f64 {
    (RandomState::new().build_hasher().finish() >> 11) as f64 / (1_u64 << 53) as f64
}

#[cfg(test)]
mod tests;
