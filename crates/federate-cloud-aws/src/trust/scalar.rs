//! Values in conditions that are no texts: numbers, truth values, dates, ranges of addresses.

use std::cmp::Ordering;
use std::net::IpAddr;
use std::time::UNIX_EPOCH;

use ipnet::IpNet;

use super::operator::Base;

/// Why a value in a policy fits nothing that a request could hold, whatever it is compared with; `None` where it can fit.
/// IAM takes such a policy; Access Analyzer reports it (`TYPE_MISMATCH_…`).
pub(super) fn flaw(base: Base, value: &str) -> Option<&'static str> {
    let (reads, flaw) = match base {
        Base::Numeric(_) => (number(value).is_some(), "is no number"),
        Base::Date(_) => {
            (moment(value).is_some(), "is no date: write 2026-01-31, 2026-01-31T12:00:00Z or seconds since 1970")
        }
        Base::Bool | Base::Null => (is_bool(value), "is neither true nor false"),
        Base::Ip => (network(value).is_some(), "is no address and no range of addresses like 203.0.113.0/24"),
        Base::StringEquals | Base::StringEqualsIgnoreCase | Base::StringLike | Base::Binary | Base::Arn => (true, ""),
    };
    (!reads).then_some(flaw)
}

/// `true` or `false`, in any case.
pub(super) fn is_bool(text: &str) -> bool {
    text.eq_ignore_ascii_case("true") || text.eq_ignore_ascii_case("false")
}

fn number(text: &str) -> Option<f64> {
    text.trim().parse::<f64>().ok().filter(|number| number.is_finite())
}

/// A decimal number. Ids have more digits than a float keeps, so whole numbers are compared as such.
pub(super) fn compare_numbers(left: &str, right: &str) -> Option<Ordering> {
    if let (Ok(left), Ok(right)) = (left.trim().parse::<i128>(), right.trim().parse::<i128>()) {
        return Some(left.cmp(&right));
    }
    number(left)?.partial_cmp(&number(right)?)
}

/// A range of addresses, or a single one.
fn network(text: &str) -> Option<IpNet> {
    let (base, length) = text.split_once('/').map_or((text, None), |(base, length)| (base, Some(length)));
    let base = base.trim().parse::<IpAddr>().ok()?;
    match length {
        Some(length) => IpNet::new(base, length.parse().ok()?).ok(),
        None => Some(base.into()),
    }
}

pub(super) fn in_network(range: &str, address: &str) -> bool {
    let (Some(network), Ok(address)) = (network(range), address.trim().parse::<IpAddr>()) else { return false };
    network.contains(&address)
}

/// Nanoseconds since 1970 of a date, as ISO 8601 in W3C's profile or in seconds since 1970.
pub(super) fn moment(text: &str) -> Option<i128> {
    const SECOND: i128 = 1_000_000_000;
    let text = text.trim();
    if let Ok(number) = text.parse::<i64>() {
        // Four digits are a year.
        if text.len() != 4 {
            return Some(i128::from(number) * SECOND);
        }
    }
    let (date, time) = text.split_once('T').map_or((text, None), |(date, time)| (date, Some(time)));
    let date = match date.len() {
        4 => format!("{date}-01-01"),
        7 => format!("{date}-01"),
        _ => date.to_owned(),
    };
    let (clock, offset) = match time {
        None => ("00:00:00".to_owned(), 0),
        Some(time) => {
            let at = time.find(['Z', '+', '-']).unwrap_or(time.len());
            let clock = if time[..at].len() == 5 { format!("{}:00", &time[..at]) } else { time[..at].to_owned() };
            (clock, offset(&time[at..])?)
        }
    };
    let moment = humantime::parse_rfc3339(&format!("{date}T{clock}Z")).ok()?;
    let since = moment.duration_since(UNIX_EPOCH).ok()?.as_nanos();
    Some(i128::try_from(since).ok()? - i128::from(offset) * SECOND)
}

/// In seconds.
fn offset(text: &str) -> Option<i64> {
    if text.is_empty() || text == "Z" {
        return Some(0);
    }
    let (sign, rest) = if let Some(rest) = text.strip_prefix('-') { (-1, rest) } else { (1, text.strip_prefix('+')?) };
    let (hours, minutes) = rest.split_once(':')?;
    Some(sign * (i64::from(hours.parse::<u16>().ok()?) * 3600 + i64::from(minutes.parse::<u16>().ok()?) * 60))
}

#[cfg(test)]
mod tests {
    use super::super::operator::Order;
    use super::*;

    #[test]
    fn dates_of_all_forms_are_read() {
        let midnight = moment("1767225600");
        for text in [
            "2026-01-01T00:00:00Z",
            "2026-01-01",
            "2026-01",
            "2026",
            "2026-01-01T00:00Z",
            "2026-01-01T02:00:00+02:00",
            "2025-12-31T23:30:00.000-00:30",
        ] {
            assert_eq!(moment(text), midnight, "{text}");
        }
        assert!(
            moment("2026-01-01T00:00:00.25Z") > midnight && moment("2026-01-01T00:00:00.25Z") < moment("1767225601")
        );
        for text in ["yesterday", "", "2026-01-01T00:00:00+9223372036854775807:00"] {
            assert_eq!(moment(text), None, "{text}");
        }
    }

    #[test]
    fn ranges_end_where_their_bits_end() {
        for (range, address, expected) in [
            ("203.0.113.0/31", "203.0.113.1", true),
            ("203.0.113.0/31", "203.0.113.2", false),
            ("203.0.113.77/24", "203.0.113.1", true),
            ("0.0.0.0/0", "198.51.100.7", true),
            ("0.0.0.0/0", "2001:db8::1", false),
            ("2001:DB8::/33", "2001:db8:7fff::1", true),
            ("2001:db8::/33", "2001:db8:8000::1", false),
            ("2001:db8::1", "2001:db8:0:0::1", true),
            ("203.0.113.0/33", "203.0.113.0", false),
        ] {
            assert_eq!(in_network(range, address), expected, "{range} {address}");
        }
    }

    #[test]
    fn values_that_fit_nothing_are_known() {
        for (base, good, bad) in [
            (
                Base::Numeric(Order::Less),
                vec!["10", "-3", "1.5", "71000000000000000000"],
                vec!["ten", "", "inf", "${x}"],
            ),
            (Base::Date(Order::Less), vec!["2026-01-31", "1767225600"], vec!["31.01.2026", "*"]),
            (Base::Bool, vec!["true", "False"], vec!["1", "yes"]),
            (Base::Null, vec!["TRUE"], vec![""]),
            (Base::Ip, vec!["203.0.113.9", "::/0"], vec!["203.0.113.*", "203.0.113.0/33", "example.com"]),
            (Base::StringLike, vec!["", "*"], vec![]),
        ] {
            assert!(good.iter().all(|value| flaw(base, value).is_none()), "{base:?} {good:?}");
            assert!(bad.iter().all(|value| flaw(base, value).is_some()), "{base:?} {bad:?}");
        }
    }
}
