//! When to try again: exponential back-off with full jitter, never past the deadline.

use std::time::{Duration, SystemTime};

use federate_core::Response;
use ring::rand::{SecureRandom as _, SystemRandom};

const LONGEST: Duration = Duration::from_secs(5);

/// How long to wait before try number `next` (the second is 2). `None` where the server asks for more than `left`.
pub(crate) fn pause(
    next: u32,
    throttled: bool,
    response: Option<&Response>,
    now: SystemTime,
    left: Duration,
) -> Option<Duration> {
    let asked = response.and_then(|response| retry_after(response.header("retry-after")?, now));
    let base = Duration::from_millis(if throttled { 500 } else { 200 });
    let ceiling = base.saturating_mul(1 << next.saturating_sub(2).min(10)).min(LONGEST);
    // A server that asks for no pause at all would otherwise be asked by everyone at once.
    let pause = ceiling.mul_f64(random_fraction()).max(asked.unwrap_or_default());
    (pause < left).then_some(pause)
}

/// `Retry-After` (RFC 9110 section 10.2.3): seconds, or a date.
fn retry_after(text: &str, now: SystemTime) -> Option<Duration> {
    let text = text.trim();
    match text.parse::<u64>() {
        Ok(seconds) => Some(Duration::from_secs(seconds)),
        Err(_) => httpdate::parse_http_date(text).ok().map(|date| date.duration_since(now).unwrap_or_default()),
    }
}

fn random_fraction() -> f64 {
    let mut bytes = [0_u8; 4];
    // Without randomness the longest pause is the polite one.
    match SystemRandom::new().fill(&mut bytes) {
        Ok(()) => f64::from(u32::from_le_bytes(bytes)) / f64::from(u32::MAX),
        Err(_) => 1.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn asking(text: &str) -> Response {
        Response { status: 503, headers: vec![("retry-after".into(), text.into())], body: Vec::new() }
    }

    #[test]
    fn grows_with_jitter_and_stays_below_its_ceiling() {
        for _ in 0..50 {
            assert!(pause(2, false, None, SystemTime::now(), MINUTE).unwrap() <= Duration::from_millis(200));
            assert!(pause(4, false, None, SystemTime::now(), MINUTE).unwrap() <= Duration::from_millis(800));
            assert!(pause(40, true, None, SystemTime::now(), MINUTE).unwrap() <= LONGEST);
        }
        let waits: Vec<_> = (0..50).filter_map(|_| pause(5, true, None, SystemTime::now(), MINUTE)).collect();
        assert!(waits.iter().max() > waits.iter().min(), "jitter");
        assert!(waits.iter().any(|wait| *wait > Duration::from_millis(500)), "growth");
    }

    #[test]
    fn the_server_may_ask_for_a_time() {
        let now = httpdate::parse_http_date("Mon, 04 May 2026 10:00:00 GMT").unwrap();
        assert_eq!(pause(2, false, Some(&asking("7")), now, MINUTE), Some(Duration::from_secs(7)));
        assert_eq!(
            pause(2, false, Some(&asking("Mon, 04 May 2026 10:00:09 GMT")), now, MINUTE),
            Some(Duration::from_secs(9))
        );
        for at_once in ["0", "Mon, 04 May 2026 09:00:00 GMT", "soon", "-1"] {
            let pause = pause(2, false, Some(&asking(at_once)), now, MINUTE).unwrap();
            assert!(pause <= Duration::from_millis(200), "{at_once}");
        }
        assert_eq!(pause(2, false, Some(&asking("120")), now, MINUTE), None, "past the deadline");
    }
}
