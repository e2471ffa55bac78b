//! The URL that vouches for a token.

use std::fmt;

use url::Url;

use crate::policy::is_loopback;

/// An issuer URL as OpenID Connect Discovery 1.0 wants it: `https` (plain `http` only to loopback), no query, no
/// fragment, no user name, no trailing slash. It is compared byte by byte with `iss`.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Issuer(String);

impl Issuer {
    /// Checks the text; the error is one sentence that says what is wrong and what to write.
    pub fn parse(text: &str) -> Result<Self, String> {
        let url = Url::parse(text)
            .map_err(|error| format!("`{text}` is not a URL ({error}); write it like https://gitlab.com"))?;
        if text.ends_with('/') {
            return Err(format!(
                "`{text}` ends with a slash, but tokens carry the issuer without one; write `{}`",
                text.trim_end_matches('/')
            ));
        }
        let Some(host) = url.host() else { return Err(format!("`{text}` names no host")) };
        match url.scheme() {
            "https" => {}
            "http" if is_loopback(&host) => {}
            "http" => {
                return Err(format!(
                    "`{text}` is plain http; an issuer must be https (http is accepted for loopback only)"
                ));
            }
            other => return Err(format!("`{text}` has the scheme `{other}`; an issuer must be https")),
        }
        if url.query().is_some() || url.fragment().is_some() || !url.username().is_empty() || url.password().is_some() {
            return Err(format!(
                "`{}` must not have a user name, a query or a fragment",
                url.host_str().unwrap_or_default()
            ));
        }
        if text.chars().any(|c| c.is_whitespace() || c.is_control()) {
            return Err("an issuer must not contain white space".to_owned());
        }
        Ok(Self(text.to_owned()))
    }

    /// The URL as written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Host and path without the scheme: how AWS names the provider (`gitlab.com`).
    pub fn without_scheme(&self) -> &str {
        self.0.split_once("://").map_or(self.0.as_str(), |(_, rest)| rest)
    }

    /// The issuer as a URL.
    pub fn url(&self) -> Option<Url> {
        Url::parse(&self.0).ok()
    }

    /// Where the discovery document stands (OpenID Connect Discovery 1.0, section 4).
    pub fn discovery_url(&self) -> Option<Url> {
        Url::parse(&format!("{}/.well-known/openid-configuration", self.0)).ok()
    }
}

impl fmt::Display for Issuer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl fmt::Debug for Issuer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Issuer({})", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_what_tokens_carry() {
        for good in [
            "https://gitlab.com",
            "https://git.example.com/gitlab",
            "https://token.actions.githubusercontent.com/acme",
            "http://127.0.0.1:8080",
            "http://localhost",
            "http://[::1]:1",
        ] {
            assert!(Issuer::parse(good).is_ok(), "{good}");
        }
    }

    #[test]
    fn refuses_slash_http_and_decoration() {
        for (bad, part) in [
            ("https://gitlab.com/", "ends with a slash"),
            ("http://gitlab.com", "plain http"),
            ("http://127.0.0.1.evil.test", "plain http"),
            ("ftp://gitlab.com", "scheme"),
            ("gitlab.com", "not a URL"),
            ("https://gitlab.com?x=1", "query"),
            ("https://user:pw@gitlab.com", "user name"),
        ] {
            let error = Issuer::parse(bad).unwrap_err();
            assert!(error.contains(part), "{bad}: {error}");
        }
        assert!(!Issuer::parse("https://user:pw@gitlab.com").unwrap_err().contains("pw"));
    }
}
