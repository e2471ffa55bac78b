//! This machine's clock against those of the servers that answered.

use std::time::SystemTime;

use federate_core::Response;
use federate_core::context::unix_seconds;

use super::check::{Check, seconds};

/// Beyond this many seconds a clock is worth a word: tokens live for minutes, and clouds allow for a few.
const LIMIT: i64 = 60;

/// How far this machine's clock is ahead of a server's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Sample {
    pub(super) host: String,
    /// Seconds; negative where this machine is behind.
    pub(super) ahead: i64,
}

/// Reads the answer's `Date`.
pub(super) fn sample(host: &str, answer: &Response, now: SystemTime) -> Option<Sample> {
    let date = httpdate::parse_http_date(answer.date()?).ok()?;
    Some(Sample { host: host.to_owned(), ahead: unix_seconds(now) - unix_seconds(date) })
}

fn hosts(samples: &[Sample]) -> Vec<&str> {
    let mut hosts: Vec<&str> = Vec::new();
    for Sample { host, .. } in samples {
        if !hosts.contains(&host.as_str()) {
            hosts.push(host);
        }
    }
    hosts
}

/// Whose clock is off, by how much, and what it does.
pub(super) fn check(samples: &[Sample]) -> Check {
    const ID: &str = super::CLOCK;
    let Some(largest) = samples.iter().max_by_key(|sample| sample.ahead.abs()) else {
        return Check::skip(ID, "no server said what time it is");
    };
    let seen = |mut check: Check| {
        for Sample { host, ahead } in samples {
            check.detail.push(match ahead {
                0 => format!("{host}: the same time"),
                ahead if *ahead > 0 => format!("{host}: {} behind this machine", seconds(*ahead)),
                ahead => format!("{host}: {} ahead of this machine", seconds(*ahead)),
            });
        }
        check
    };
    if largest.ahead.abs() <= LIMIT {
        return seen(Check::ok(ID, format!("this machine's clock agrees with {}", hosts(samples).join(", "))));
    }
    let off: Vec<&Sample> = samples.iter().filter(|sample| sample.ahead.abs() > LIMIT).collect();
    let agree = off.len() == samples.len() && off.iter().all(|sample| (sample.ahead - largest.ahead).abs() <= LIMIT);
    let check = if agree {
        let side = if largest.ahead > 0 { "fast" } else { "slow" };
        let against = hosts(samples);
        let check = Check::warn(
            ID,
            format!("this machine's clock is {} {side} against {}", seconds(largest.ahead), against.join(", ")),
        );
        let check = if against.len() == 1 {
            check.with_detail("only one server could be compared with, so the fault may be its own")
        } else {
            check
        };
        check.with_fix("set this machine's clock by NTP; tokens seem expired or not yet valid otherwise, and signed requests are refused")
    } else {
        let side = if largest.ahead > 0 { "slow" } else { "fast" };
        Check::warn(ID, format!("the clock of {} is {} {side}", largest.host, seconds(largest.ahead)))
            .with_fix("if that server is yours, set its clock by NTP: the clouds refuse tokens from the future and tokens that are over; a proxy that answers from a cache shows old times too")
    };
    seen(check)
}

#[cfg(test)]
mod tests {
    use super::super::check::Status;
    use super::*;

    fn told(samples: &[(&str, i64)]) -> (Status, String) {
        let samples: Vec<Sample> =
            samples.iter().map(|(host, ahead)| Sample { host: (*host).to_owned(), ahead: *ahead }).collect();
        let check = check(&samples);
        (check.status, check.what)
    }

    #[test]
    fn says_which_side_is_off() {
        assert_eq!(told(&[]).0, Status::Skip);
        assert_eq!(told(&[("a", 60), ("b", -60)]).0, Status::Ok);
        for (samples, expected) in [
            (&[("a", 300), ("b", 299)][..], "this machine's clock is 5m fast against a, b"),
            (&[("a", -300), ("b", -299)], "this machine's clock is 5m slow against a, b"),
            (&[("a", 0), ("b", 600)], "the clock of b is 10m slow"),
            (&[("a", 0), ("b", -600)], "the clock of b is 10m fast"),
            (&[("a", -120)], "this machine's clock is 2m slow against a"),
        ] {
            assert_eq!(told(samples), (Status::Warn, expected.to_owned()));
        }
    }

    #[test]
    fn reads_the_date_of_an_answer() {
        let answer = |date: &str| Response {
            status: 403,
            headers: vec![("date".to_owned(), date.to_owned())],
            body: Vec::new(),
        };
        let now = httpdate::parse_http_date("Mon, 04 May 2026 10:00:00 GMT").unwrap();
        let read = |date| sample("h", &answer(date), now).map(|sample| sample.ahead);
        assert_eq!(read("Mon, 04 May 2026 09:58:00 GMT"), Some(120));
        assert_eq!(read("yesterday"), None);
    }
}
