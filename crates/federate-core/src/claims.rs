//! What an ID token says.

use std::ops::Deref;

use serde_json::{Map, Value};

/// The payload of a JWT (RFC 7519), with the leniency that issuers need: numbers and strings alike for ids, `aud` as a
/// string or an array, times as integers or floats.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Claims(Map<String, Value>);

impl Claims {
    /// Wraps a decoded payload.
    pub fn new(payload: Map<String, Value>) -> Self {
        Self(payload)
    }

    /// The claim as it stands in the payload.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }

    /// A scalar claim as text: strings as they are, numbers and booleans printed. `None` for null, arrays, objects.
    pub fn text(&self, name: &str) -> Option<String> {
        match self.0.get(name)? {
            Value::String(text) => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            Value::Bool(flag) => Some(flag.to_string()),
            Value::Null | Value::Array(_) | Value::Object(_) => None,
        }
    }

    /// `aud`, as a list, in the token's order.
    pub fn audiences(&self) -> Vec<String> {
        match self.0.get("aud") {
            Some(Value::String(one)) => vec![one.clone()],
            Some(Value::Array(many)) => many.iter().filter_map(|entry| entry.as_str().map(str::to_owned)).collect(),
            _ => Vec::new(),
        }
    }

    /// A numeric date (RFC 7519 section 2) in whole seconds since 1970; fractions are cut off. A time that no calendar
    /// writes with four digits counts as the last one that it does, so that whoever reads it can reckon with it.
    pub fn seconds(&self, name: &str) -> Option<i64> {
        const END_OF_9999: i64 = 253_402_300_799;
        let value = self.0.get(name)?;
        let seconds = value.as_i64().or_else(|| value.as_f64().map(|float| float as i64))?;
        Some(seconds.clamp(-END_OF_9999, END_OF_9999))
    }

    /// `iss`.
    pub fn issuer(&self) -> Option<&str> {
        self.0.get("iss")?.as_str()
    }

    /// `sub`.
    pub fn subject(&self) -> Option<&str> {
        self.0.get("sub")?.as_str()
    }

    /// The whole payload.
    pub fn as_map(&self) -> &Map<String, Value> {
        &self.0
    }

    /// The names of all claims, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }
}

/// Claims whose signature nobody has checked here: good for choosing and explaining, never for letting anyone in.
#[derive(Clone, Debug, PartialEq)]
pub struct UnverifiedClaims(Claims);

impl UnverifiedClaims {
    pub(crate) fn new(claims: Claims) -> Self {
        Self(claims)
    }
}

impl Deref for UnverifiedClaims {
    type Target = Claims;
    fn deref(&self) -> &Claims {
        &self.0
    }
}

/// Claims whose signature was checked against the issuer's keys, see [`crate::jwks`].
#[derive(Clone, Debug, PartialEq)]
pub struct VerifiedClaims(Claims);

impl VerifiedClaims {
    pub(crate) fn new(claims: Claims) -> Self {
        Self(claims)
    }
}

impl Deref for VerifiedClaims {
    type Target = Claims;
    fn deref(&self) -> &Claims {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn claims(value: Value) -> Claims {
        Claims::new(value.as_object().cloned().unwrap_or_default())
    }

    #[test]
    fn ids_read_alike_as_numbers_and_strings() {
        let claims = claims(json!({"project_id": "4711", "runner_id": 31, "ref_protected": true, "none": null}));
        assert_eq!(claims.text("project_id").as_deref(), Some("4711"));
        assert_eq!(claims.text("runner_id").as_deref(), Some("31"));
        assert_eq!(claims.text("ref_protected").as_deref(), Some("true"));
        assert_eq!(claims.text("none"), None);
    }

    #[test]
    fn audience_is_a_string_or_a_list() {
        assert_eq!(claims(json!({"aud": "a"})).audiences(), ["a"]);
        assert_eq!(claims(json!({"aud": ["a", "b"]})).audiences(), ["a", "b"]);
        assert!(claims(json!({"aud": 7})).audiences().is_empty());
    }

    #[test]
    fn times_may_be_floats() {
        assert_eq!(claims(json!({"exp": 1777888800.9})).seconds("exp"), Some(1_777_888_800));
        for absurd in [json!(i64::MAX), json!(u64::MAX), json!(1e300), json!(1_777_888_800_000_i64)] {
            assert_eq!(claims(json!({"exp": absurd})).seconds("exp"), Some(253_402_300_799));
        }
        assert_eq!(claims(json!({"exp": i64::MIN})).seconds("exp"), Some(-253_402_300_799));
    }
}
