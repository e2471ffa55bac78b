//! Dates in conditions: ISO 8601 as W3C profiles it, or seconds since 1970.

use std::time::UNIX_EPOCH;

/// Seconds since 1970.
pub(super) fn seconds(text: &str) -> Option<i64> {
    let text = text.trim();
    if let Ok(number) = text.parse::<i64>() {
        // Four digits are a year.
        if text.len() != 4 {
            return Some(number);
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
    let since = moment.duration_since(UNIX_EPOCH).ok()?.as_secs();
    Some(i64::try_from(since).ok()? - offset)
}

fn offset(text: &str) -> Option<i64> {
    if text.is_empty() || text == "Z" {
        return Some(0);
    }
    let (sign, rest) = if let Some(rest) = text.strip_prefix('-') { (-1, rest) } else { (1, text.strip_prefix('+')?) };
    let (hours, minutes) = rest.split_once(':')?;
    Some(sign * (hours.parse::<i64>().ok()? * 3600 + minutes.parse::<i64>().ok()? * 60))
}

#[cfg(test)]
mod tests {
    use super::seconds;

    #[test]
    fn all_forms_are_read() {
        let midnight = Some(1_767_225_600);
        for text in [
            "2026-01-01T00:00:00Z",
            "2026-01-01",
            "2026-01",
            "2026",
            "2026-01-01T00:00Z",
            "2026-01-01T02:00:00+02:00",
            "1767225600",
        ] {
            assert_eq!(seconds(text), midnight, "{text}");
        }
        assert_eq!(seconds("yesterday"), None);
        assert_eq!(seconds(""), None);
    }
}
