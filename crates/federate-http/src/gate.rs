//! One back-off for everybody who asks a host that throttles, instead of one for each.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::retry::{LONGEST, random_fraction};

const SHORTEST: Duration = Duration::from_millis(500);

/// The gates of all hosts.
#[derive(Debug, Default)]
pub(crate) struct Gates(Mutex<BTreeMap<String, Gate>>);

/// What is known of one host.
#[derive(Debug)]
struct Gate {
    /// Nobody asks before.
    opens: Instant,
    /// How many pauses in a row did not help.
    level: u32,
    /// When the level last rose: what was sent before says nothing new.
    raised: Option<Instant>,
    /// How many answers were not throttled.
    answered: u64,
}

impl Gates {
    fn gates(&self) -> MutexGuard<'_, BTreeMap<String, Gate>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How long to wait before asking the host. Those who wait go on together: one by one, each would wait for the pause
    /// that the one before brought about.
    pub(crate) fn wait(&self, host: &str, now: Instant) -> Duration {
        self.gates().get(host).map_or(Duration::ZERO, |gate| gate.opens.saturating_duration_since(now))
    }

    /// The host throttled a request that was sent then, and asks for this pause, if it said so.
    pub(crate) fn throttled(&self, host: &str, sent: Instant, now: Instant, asked: Option<Duration>) {
        let mut gates = self.gates();
        let gate =
            gates.entry(host.to_owned()).or_insert_with(|| Gate { opens: now, level: 0, raised: None, answered: 0 });
        let is_news = gate.raised.is_none_or(|raised| sent > raised);
        let mut pause = asked.unwrap_or_default();
        if is_news {
            let ceiling = SHORTEST.saturating_mul(1 << gate.level.min(10)).min(LONGEST);
            pause = pause.max(ceiling.mul_f64(random_fraction()));
            gate.level += 1;
            gate.raised = Some(now);
        }
        gate.opens = gate.opens.max(now + pause);
    }

    /// The host answered something else.
    pub(crate) fn answered(&self, host: &str) {
        if let Some(gate) = self.gates().get_mut(host) {
            gate.level = 0;
            gate.answered += 1;
        }
    }

    /// How many answers of the host were not throttled, since it first throttled one.
    pub(crate) fn answers(&self, host: &str) -> u64 {
        self.gates().get(host).map_or(0, |gate| gate.answered)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_that_is_throttled_counts_once() {
        let gates = Gates::default();
        let sent = Instant::now();
        let now = sent + Duration::from_millis(10);
        for _ in 0..50 {
            gates.throttled("h", sent, now, None);
        }
        assert_eq!(gates.gates()["h"].level, 1);
        assert!(gates.wait("h", now) <= SHORTEST && gates.wait("other", now).is_zero());
        gates.throttled("h", now + Duration::from_millis(1), now + Duration::from_millis(2), None);
        assert_eq!(gates.gates()["h"].level, 2);
        gates.answered("h");
        assert_eq!((gates.answers("h"), gates.answers("other")), (1, 0));
        assert_eq!(gates.gates()["h"].level, 0);
    }

    #[test]
    fn what_the_host_asks_for_holds_for_all() {
        let gates = Gates::default();
        let now = Instant::now();
        gates.throttled("h", now, now, Some(Duration::from_secs(3)));
        let wait = gates.wait("h", now);
        assert_eq!(wait, Duration::from_secs(3));
        assert!(gates.wait("h", now + Duration::from_secs(4)).is_zero());
    }

    #[test]
    fn the_pause_has_a_limit() {
        let gates = Gates::default();
        let now = Instant::now();
        for number in 1..40 {
            gates.throttled("h", now + Duration::from_secs(number), now + Duration::from_secs(number), None);
        }
        assert!(gates.wait("h", now + Duration::from_secs(39)) <= LONGEST);
    }
}
