//! When to try again after a passing failure: exponential back-off with full jitter, never past the deadline. A host that
//! throttles has its own pause, see [`crate::gate`].

use std::time::{Duration, SystemTime};

use federate_core::Response;
use ring::rand::{SecureRandom as _, SystemRandom};

/// The longest pause of our own choice.
pub(crate) const LONGEST: Duration = Duration::from_secs(5);

/// How long to wait before try number `next` (the second is 2). `None` where the server asks for more than `left`.
pub(crate) fn pause(next: u32, response: Option<&Response>, now: SystemTime, left: Duration) -> Option<Duration> {
    let asked = response.and_then(|response| asked(response, now));
    let base = Duration::from_millis(200);
    let ceiling = base.saturating_mul(1 << next.saturating_sub(2).min(10)).min(LONGEST);
    // A server that asks for no pause at all would otherwise be asked by everyone at once.
    let pause = ceiling.mul_f64(random_fraction()).max(asked.unwrap_or_default());
    (pause < left).then_some(pause)
}

/// What the answer asks for, if anything.
pub(crate) fn asked(response: &Response, now: SystemTime) -> Option<Duration> {
    retry_after(response.header("retry-after")?, now)
}

/// `Retry-After` (RFC 9110 section 10.2.3): seconds, or a date. More than a day counts as a day: nobody waits so long.
fn retry_after(text: &str, now: SystemTime) -> Option<Duration> {
    const DAY: Duration = Duration::from_secs(86_400);
    let text = text.trim();
    let asked = if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        text.parse().map_or(DAY, Duration::from_secs)
    } else {
        httpdate::parse_http_date(text).ok()?.duration_since(now).unwrap_or_default()
    };
    Some(asked.min(DAY))
}

/// 0 to 1.
pub(crate) fn random_fraction() -> f64 {
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
            assert!(pause(2, None, SystemTime::now(), MINUTE).unwrap() <= Duration::from_millis(200));
            assert!(pause(4, None, SystemTime::now(), MINUTE).unwrap() <= Duration::from_millis(800));
            assert!(pause(40, None, SystemTime::now(), MINUTE).unwrap() <= LONGEST);
        }
        let waits: Vec<_> = (0..50).filter_map(|_| pause(6, None, SystemTime::now(), MINUTE)).collect();
        assert!(waits.iter().max() > waits.iter().min(), "jitter");
        assert!(waits.iter().any(|wait| *wait > Duration::from_millis(500)), "growth");
    }

    #[test]
    fn the_server_may_ask_for_a_time() {
        let now = httpdate::parse_http_date("Mon, 04 May 2026 10:00:00 GMT").unwrap();
        assert_eq!(pause(2, Some(&asking("7")), now, MINUTE), Some(Duration::from_secs(7)));
        assert_eq!(pause(2, Some(&asking("Mon, 04 May 2026 10:00:09 GMT")), now, MINUTE), Some(Duration::from_secs(9)));
        for at_once in ["0", "Mon, 04 May 2026 09:00:00 GMT", "soon", "-1"] {
            let pause = pause(2, Some(&asking(at_once)), now, MINUTE).unwrap();
            assert!(pause <= Duration::from_millis(200), "{at_once}");
        }
        let absurd = ["18446744073709551615", "99999999999999999999999", "Fri, 31 Dec 9999 23:59:59 GMT"];
        for late in ["120"].iter().chain(&absurd) {
            assert_eq!(pause(2, Some(&asking(late)), now, MINUTE), None, "{late} is past the deadline");
        }
        for absurd in absurd {
            assert_eq!(asked(&asking(absurd), now), Some(Duration::from_secs(86_400)), "{absurd}");
        }
    }
}
