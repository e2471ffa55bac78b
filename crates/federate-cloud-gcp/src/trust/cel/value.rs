//! Values, as a token's JSON gives them and as expressions make them.

use std::cmp::Ordering;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Map, Value as Json};

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::trust) enum Value {
    Null,
    Bool(bool),
    Int(i64),
    Uint(u64),
    Double(f64),
    Text(String),
    Bytes(Vec<u8>),
    List(Vec<Value>),
    Map(Vec<(Value, Value)>),
    /// A moment; no token has any.
    Time(SystemTime),
}

impl Value {
    /// A payload's value; integers stay integers.
    pub(in crate::trust) fn of_json(value: &Json) -> Self {
        match value {
            Json::Null => Self::Null,
            Json::Bool(flag) => Self::Bool(*flag),
            Json::Number(number) => match (number.as_i64(), number.as_u64()) {
                (Some(int), _) => Self::Int(int),
                (None, Some(uint)) => Self::Uint(uint),
                (None, None) => Self::Double(number.as_f64().unwrap_or(f64::NAN)),
            },
            Json::String(text) => Self::Text(text.clone()),
            Json::Array(entries) => Self::List(entries.iter().map(Self::of_json).collect()),
            Json::Object(map) => Self::of_map(map),
        }
    }

    /// A payload.
    pub(in crate::trust) fn of_map(map: &Map<String, Json>) -> Self {
        Self::Map(map.iter().map(|(key, value)| (Self::Text(key.clone()), Self::of_json(value))).collect())
    }

    /// For reports.
    pub(in crate::trust) fn to_json(&self) -> Json {
        match self {
            Self::Null => Json::Null,
            Self::Bool(flag) => Json::from(*flag),
            Self::Int(int) => Json::from(*int),
            Self::Uint(uint) => Json::from(*uint),
            Self::Double(double) => Json::from(*double),
            Self::Text(text) => Json::from(text.as_str()),
            Self::Bytes(bytes) => Json::from(String::from_utf8_lossy(bytes)),
            Self::List(entries) => entries.iter().map(Self::to_json).collect(),
            Self::Map(entries) => {
                entries.iter().map(|(key, value)| (key.to_text(), value.to_json())).collect::<Map<_, _>>().into()
            }
            Self::Time(moment) => Json::from(moment.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())),
        }
    }

    /// A scalar as text.
    pub(in crate::trust) fn to_text(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            other => other.to_json().to_string(),
        }
    }

    /// CEL's name of the type.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "bool",
            Self::Int(_) => "int",
            Self::Uint(_) => "uint",
            Self::Double(_) => "double",
            Self::Text(_) => "string",
            Self::Bytes(_) => "bytes",
            Self::List(_) => "list",
            Self::Map(_) => "map",
            Self::Time(_) => "timestamp",
        }
    }

    /// Roughly what it takes in memory.
    pub(super) fn weight(&self) -> usize {
        match self {
            Self::Text(text) => 32 + text.len(),
            Self::Bytes(bytes) => 32 + bytes.len(),
            Self::List(entries) => entries.iter().map(Self::weight).fold(32, usize::saturating_add),
            Self::Map(entries) => {
                entries.iter().map(|(key, value)| key.weight() + value.weight()).fold(32, usize::saturating_add)
            }
            _ => 32,
        }
    }

    /// What a map has under the key.
    pub(super) fn get(&self, key: &Value) -> Option<&Value> {
        match self {
            Self::Map(entries) => entries.iter().find(|(known, _)| known.equals(key)).map(|(_, value)| value),
            _ => None,
        }
    }

    /// `==`: numbers of all kinds alike, values of different kinds never.
    pub(super) fn equals(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Text(left), Self::Text(right)) => left == right,
            (Self::List(left), Self::List(right)) => {
                left.len() == right.len() && left.iter().zip(right).all(|(left, right)| left.equals(right))
            }
            (Self::Map(left), Self::Map(right)) => {
                left.len() == right.len()
                    && left.iter().all(|(key, value)| other.get(key).is_some_and(|same| same.equals(value)))
            }
            (left, right) if left.is_number() && right.is_number() => {
                left.compare_numbers(right) == Some(Ordering::Equal)
            }
            (left, right) => left == right,
        }
    }

    /// `<` and its like; `None` where the two have no order.
    pub(super) fn compare(&self, other: &Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Text(left), Self::Text(right)) => Some(left.cmp(right)),
            (Self::Bytes(left), Self::Bytes(right)) => Some(left.cmp(right)),
            (Self::Bool(left), Self::Bool(right)) => Some(left.cmp(right)),
            (Self::Time(left), Self::Time(right)) => Some(left.cmp(right)),
            _ => self.compare_numbers(other),
        }
    }

    fn is_number(&self) -> bool {
        matches!(self, Self::Int(_) | Self::Uint(_) | Self::Double(_))
    }

    fn compare_numbers(&self, other: &Self) -> Option<Ordering> {
        let whole = |value: &Self| match value {
            Self::Int(int) => Some(i128::from(*int)),
            Self::Uint(uint) => Some(i128::from(*uint)),
            _ => None,
        };
        let float = |value: &Self| match value {
            Self::Int(int) => Some(*int as f64),
            Self::Uint(uint) => Some(*uint as f64),
            Self::Double(double) => Some(*double),
            _ => None,
        };
        match (whole(self), whole(other)) {
            (Some(left), Some(right)) => Some(left.cmp(&right)),
            _ => float(self)?.partial_cmp(&float(other)?),
        }
    }
}
