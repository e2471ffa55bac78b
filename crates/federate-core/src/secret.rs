//! A value that must not be seen.

use std::fmt;

use secrecy::{ExposeSecret, SecretString};

/// A secret text: an ID token, a request token, a secret access key, a session token, an access token.
///
/// It has no `Display`, its `Debug` hides everything including the length, and its memory is cleared when dropped.
/// [`Secret::reveal`] is the only way to the value; call it as late as possible.
#[derive(Clone)]
pub struct Secret(SecretString);

impl Secret {
    /// Takes the text in.
    pub fn new(text: impl Into<String>) -> Self {
        Self(SecretString::from(text.into()))
    }

    /// The text itself. Every call is a place where a secret may leak.
    pub fn reveal(&self) -> &str {
        self.0.expose_secret()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Secret(hidden)")
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self::new(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_neither_text_nor_length() {
        assert_eq!(format!("{:?}", Secret::new("canary-1")), "Secret(hidden)");
        assert_eq!(format!("{:?}", Secret::new("")), "Secret(hidden)");
    }
}
