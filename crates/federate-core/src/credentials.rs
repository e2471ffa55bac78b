//! What an exchange gives.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::SystemTime;

use crate::secret::Secret;

/// A named part of some credentials.
#[derive(Clone, Debug)]
pub enum Value {
    /// May be shown: a region, an account id, an access key id.
    Plain(String),
    /// Must not be shown.
    Secret(Secret),
}

/// Short-lived credentials for one target. The names of the values are the adapter's own affair.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// The kind of the target.
    pub kind: &'static str,
    /// When they end, if the cloud said so.
    pub expires: Option<SystemTime>,
    values: BTreeMap<Cow<'static, str>, Value>,
}

impl Credentials {
    /// Empty credentials of a kind.
    pub fn new(kind: &'static str, expires: Option<SystemTime>) -> Self {
        Self { kind, expires, values: BTreeMap::new() }
    }

    /// Adds a value that may be shown.
    #[must_use]
    pub fn with_plain(mut self, name: impl Into<Cow<'static, str>>, text: impl Into<String>) -> Self {
        self.values.insert(name.into(), Value::Plain(text.into()));
        self
    }

    /// Adds a secret.
    #[must_use]
    pub fn with_secret(mut self, name: impl Into<Cow<'static, str>>, secret: Secret) -> Self {
        self.values.insert(name.into(), Value::Secret(secret));
        self
    }

    /// Takes a value away.
    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        self.values.remove(name);
        self
    }

    /// A plain value.
    pub fn plain(&self, name: &str) -> Option<&str> {
        match self.values.get(name)? {
            Value::Plain(text) => Some(text),
            Value::Secret(_) => None,
        }
    }

    /// A secret value.
    pub fn secret(&self, name: &str) -> Option<&Secret> {
        match self.values.get(name)? {
            Value::Secret(secret) => Some(secret),
            Value::Plain(_) => None,
        }
    }

    /// All secrets, for masking.
    pub fn secrets(&self) -> impl Iterator<Item = &Secret> {
        self.values.values().filter_map(|value| match value {
            Value::Secret(secret) => Some(secret),
            Value::Plain(_) => None,
        })
    }

    /// All plain values, for reports.
    pub fn plain_values(&self) -> impl Iterator<Item = (&str, &str)> {
        self.values.iter().filter_map(|(name, value)| match value {
            Value::Plain(text) => Some((name.as_ref(), text.as_str())),
            Value::Secret(_) => None,
        })
    }

    /// All values under their names, for keeping them where nobody else can read.
    pub fn values(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.values.iter().map(|(name, value)| (name.as_ref(), value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_hides_secrets() {
        let credentials = Credentials::new("aws", None)
            .with_plain("region", "eu-west-1")
            .with_secret("secret", Secret::new("canary"));
        let shown = format!("{credentials:?}");
        assert!(shown.contains("eu-west-1") && !shown.contains("canary"), "{shown}");
        assert!(credentials.plain("secret").is_none());
        assert_eq!(credentials.secrets().count(), 1);
    }
}
