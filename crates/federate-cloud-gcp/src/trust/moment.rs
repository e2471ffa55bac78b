//! IAM conditions of bindings, as far as the moment decides them: the usual one says until when somebody may act.
//! <https://cloud.google.com/iam/docs/conditions-overview>

use std::time::SystemTime;

use super::cel::{Scope, Value, evaluate, parse};

/// Does the condition hold now? `None` where it asks for something else, such as the resource, which nobody knows here.
pub(super) fn holds(condition: &str, now: SystemTime) -> Option<bool> {
    let request = Value::Map(vec![(Value::Text("time".to_owned()), Value::Time(now))]);
    match evaluate(&parse(condition).ok()?, &Scope::new(vec![("request", request)])) {
        Ok(Value::Bool(holds)) => Some(holds),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_moment_decides() {
        let now = humantime::parse_rfc3339("2026-05-04T10:00:00Z").unwrap();
        for (condition, expected) in [
            ("request.time < timestamp('2026-05-04T10:00:01Z')", Some(true)),
            ("request.time < timestamp(\"2026-05-04T09:59:59.999Z\")", Some(false)),
            ("request.time < timestamp('2026-05-04T12:00:01+02:00')", Some(true)),
            ("request.time > timestamp('2026-05-04T05:00:00-05:30')", Some(false)),
            ("request.time < timestamp('2020-01-01T00:00:00Z') && resource.name.startsWith('x')", Some(false)),
            ("request.time > timestamp('2020-01-01T00:00:00Z') || resource.type == 'y'", Some(true)),
            ("request.time > timestamp('2020-01-01T00:00:00Z') && resource.type == 'y'", None),
            ("resource.name == 'x'", None),
            ("request.time.getHours('Europe/Berlin') < 18", None),
            ("request.time < timestamp('tomorrow')", None),
            ("request.host == 'x'", None),
            ("only until May", None),
            ("", None),
        ] {
            assert_eq!(holds(condition, now), expected, "{condition}");
        }
    }
}
