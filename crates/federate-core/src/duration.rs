//! Durations as people write them.

use std::fmt;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A duration in a settings file: `"1h"`, `"90m"`, `"1h 30m"`, or a whole number of seconds (`3600`, `"3600"`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct HumanDuration(pub Duration);

impl HumanDuration {
    /// Whole seconds.
    pub fn as_secs(self) -> u64 {
        self.0.as_secs()
    }

    /// Reads `1h`, `90m`, `3600`.
    ///
    /// # Errors
    /// One sentence on what is wrong.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if let Ok(seconds) = text.parse::<u64>() {
            return Self::bounded(Duration::from_secs(seconds));
        }
        if text.contains('{') {
            return Err(format!(
                "`{text}` is not a duration; no placeholder may stand in one, so write it like 1h or 15m"
            ));
        }
        humantime::parse_duration(text)
            .map_err(|error| format!("`{text}` is not a duration ({error}); write it like 1h or 15m"))
            .and_then(Self::bounded)
    }

    /// No clock can reckon with some numbers of seconds.
    fn bounded(duration: Duration) -> Result<Self, String> {
        const YEAR: Duration = Duration::from_secs(366 * 86_400);
        if duration > YEAR {
            return Err("a duration cannot be longer than a year; write it like 1h or 15m".to_owned());
        }
        Ok(Self(duration))
    }
}

impl fmt::Display for HumanDuration {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", humantime::format_duration(self.0))
    }
}

impl std::str::FromStr for HumanDuration {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        Self::parse(text)
    }
}

impl Serialize for HumanDuration {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for HumanDuration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = HumanDuration;
            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a duration such as \"1h\" or a whole number of seconds")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<HumanDuration, E> {
                HumanDuration::parse(text).map_err(E::custom)
            }
            fn visit_u64<E: de::Error>(self, seconds: u64) -> Result<HumanDuration, E> {
                HumanDuration::bounded(Duration::from_secs(seconds)).map_err(E::custom)
            }
            fn visit_i64<E: de::Error>(self, seconds: i64) -> Result<HumanDuration, E> {
                let seconds = u64::try_from(seconds).map_err(|_| E::custom("a duration cannot be negative"))?;
                self.visit_u64(seconds)
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

impl JsonSchema for HumanDuration {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Duration".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A duration such as \"1h\", \"90m\" or \"1h 30m\", or a whole number of seconds.",
            "anyOf": [{ "type": "string" }, { "type": "integer", "minimum": 0 }],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_people_write() {
        for (text, seconds) in [("1h", 3600), ("90m", 5400), ("1h 30m", 5400), ("3600", 3600), ("15min", 900)] {
            assert_eq!(HumanDuration::parse(text).unwrap().as_secs(), seconds, "{text}");
        }
        assert!(HumanDuration::parse("an hour").unwrap_err().contains("1h"));
        for endless in ["18446744073709551615", "400d", "1000y"] {
            assert!(HumanDuration::parse(endless).unwrap_err().contains("longer than a year"), "{endless}");
        }
    }

    #[test]
    fn serialises_as_it_is_written() {
        let hour: HumanDuration = serde_json::from_str("3600").unwrap();
        assert_eq!(serde_json::to_string(&hour).unwrap(), "\"1h\"");
        assert!(serde_json::from_str::<HumanDuration>("-1").is_err());
        assert!(serde_json::from_str::<HumanDuration>("9223372036854775807").is_err());
    }
}
