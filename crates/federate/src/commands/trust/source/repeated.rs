//! JSON in which an object has a key twice: which of the two counts depends on who reads it, so nobody can judge it.

use std::collections::HashSet;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// What a key that stands twice is reported as, in front of the place.
const TWICE: &str = "twice in one object";

/// The line of the first key that stands twice in its object, and a sentence that names it.
pub(super) fn key(json: &str) -> Option<(usize, String)> {
    let error = serde_json::from_str::<Unrepeated>(json).err()?;
    let text = error.to_string();
    let (told, _) = text.split_once(TWICE)?;
    Some((error.line(), format!("{told}{TWICE}")))
}

/// Any value whose objects have each key once.
struct Unrepeated;

impl<'de> Deserialize<'de> for Unrepeated {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Once)
    }
}

struct Once;

impl<'de> Visitor<'de> for Once {
    type Value = Unrepeated;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Unrepeated, E> {
        Ok(Unrepeated)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Unrepeated, E> {
        Ok(Unrepeated)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Unrepeated, E> {
        Ok(Unrepeated)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Unrepeated, E> {
        Ok(Unrepeated)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Unrepeated, E> {
        Ok(Unrepeated)
    }

    fn visit_str<E>(self, _: &str) -> Result<Unrepeated, E> {
        Ok(Unrepeated)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut entries: A) -> Result<Unrepeated, A::Error> {
        while entries.next_element::<Unrepeated>()?.is_some() {}
        Ok(Unrepeated)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Unrepeated, A::Error> {
        let mut seen = HashSet::new();
        while let Some(key) = entries.next_key::<String>()? {
            if seen.contains(&key) {
                entries.next_value::<IgnoredAny>()?;
                return Err(A::Error::custom(format_args!("the key `{key}` stands {TWICE}")));
            }
            entries.next_value::<Unrepeated>()?;
            seen.insert(key);
        }
        Ok(Unrepeated)
    }
}

#[cfg(test)]
mod tests {
    use super::key;

    #[test]
    fn the_second_of_two_keys_is_found() {
        let twice = |line: usize, name: &str| Some((line, format!("the key `{name}` stands twice in one object")));
        for (json, expected) in [
            (r#"{"a": 1, "b": {"a": 1}, "c": [{"a": 1}, {"a": null}]}"#, None),
            ("{\"a\": 1,\n \"a\": 2}", twice(2, "a")),
            ("[{\"x\": {\"b\": true,\n\"c\": 1.5,\n \"b\": \"y\"}}]", twice(3, "b")),
            (r#"{"a": 1, "\u0061": -2}"#, twice(1, "a")),
            ("1", None),
            ("{\"a\": 1,", None),
        ] {
            assert_eq!(key(json), expected, "{json}");
        }
    }
}
