//! `HTTPS_PROXY`, `NO_PROXY` and their lower-case forms, as curl reads them; never for loopback.

use std::fmt;
use std::net::IpAddr;

use federate_core::policy::is_loopback;
use federate_core::{Env, Error, codes};
use ipnet::IpNet;
use url::{Host, Url};

/// Which proxy to use for which host. `Debug` hides the proxy's password.
#[derive(Clone)]
pub(crate) struct ProxyRule {
    proxy: Url,
    except: Vec<String>,
}

impl ProxyRule {
    /// Reads the environment's snapshot; lower case wins, as with curl.
    ///
    /// # Errors
    /// `usage` where the variable holds no proxy URL; its value is not shown, for it may hold a password.
    pub(crate) fn from_env(env: &Env) -> Result<Option<Self>, Error> {
        let Some((name, value)) =
            ["https_proxy", "HTTPS_PROXY"].into_iter().find_map(|name| Some((name, env.get(name)?)))
        else {
            return Ok(None);
        };
        let with_scheme = if value.contains("://") { value.to_owned() } else { format!("http://{value}") };
        let proxy =
            Url::parse(&with_scheme).ok().filter(|url| url.has_host() && matches!(url.scheme(), "http" | "https"));
        let Some(proxy) = proxy else {
            return Err(Error::new(&codes::USAGE, format!("{name} holds no proxy URL"))
                .with_origin(format!("environment variable {name}"))
                .with_help("write it like http://proxy.example:3128; SOCKS proxies are not supported"));
        };
        let except = env.get("no_proxy").or_else(|| env.get("NO_PROXY")).unwrap_or_default();
        let except = except
            .split([',', ' ', '\t'])
            .map(|entry| entry.trim_end_matches('.').to_ascii_lowercase())
            .filter(|entry| !entry.is_empty())
            .collect();
        Ok(Some(Self { proxy, except }))
    }

    /// The proxy for this URL, if one is to be used.
    pub(crate) fn proxy_for(&self, url: &Url) -> Option<Url> {
        let host = url.host()?;
        let bypassed = is_loopback(&host)
            || self.except.iter().any(|entry| entry_matches(entry, &host, url.port_or_known_default()));
        (!bypassed).then(|| self.proxy.clone())
    }

    /// The proxy for this URL in the words of an error, without user name and password.
    pub(crate) fn shown_for(&self, url: &Url) -> Option<String> {
        let proxy = self.proxy_for(url)?;
        Some(format!("the proxy {}:{}", proxy.host_str()?, proxy.port_or_known_default()?))
    }
}

impl fmt::Debug for ProxyRule {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "ProxyRule({}, except {:?})", self.proxy.host_str().unwrap_or_default(), self.except)
    }
}

fn entry_matches(entry: &str, host: &Host<&str>, port: Option<u16>) -> bool {
    if entry == "*" {
        return true;
    }
    let address = match host {
        Host::Domain(name) => {
            let (entry, wanted) = match entry.rsplit_once(':') {
                Some((name, digits)) => (name, digits.parse::<u16>().ok()),
                None => (entry, None),
            };
            let name = name.trim_end_matches('.').to_ascii_lowercase();
            let domain = entry.trim_start_matches("*.").trim_start_matches('.');
            let fits = !domain.is_empty()
                && (name == domain || name.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.')));
            return fits && wanted.is_none_or(|wanted| Some(wanted) == port);
        }
        Host::Ipv4(address) => IpAddr::V4(*address),
        Host::Ipv6(address) => IpAddr::V6(*address),
    };
    match entry.split_once('/') {
        Some((base, length)) => match (base.parse::<IpAddr>(), length.parse()) {
            (Ok(base), Ok(length)) => IpNet::new(base, length).is_ok_and(|network| network.contains(&address)),
            _ => false,
        },
        None => entry.trim_matches(['[', ']']).parse::<IpAddr>().is_ok_and(|entry| entry == address),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn used(no_proxy: &str, url: &str) -> bool {
        let env: Env =
            [("HTTPS_PROXY", "http://user:canary@proxy.example:3128"), ("NO_PROXY", no_proxy)].into_iter().collect();
        let rule = ProxyRule::from_env(&env).unwrap().unwrap();
        assert!(!format!("{rule:?}").contains("canary"));
        rule.proxy_for(&Url::parse(url).unwrap()).is_some()
    }

    #[test]
    fn no_proxy_reads_as_curl_reads_it() {
        for (no_proxy, url, expected) in [
            ("", "https://sts.amazonaws.com", true),
            ("", "https://127.0.0.1:1", false),
            ("", "http://localhost:1", false),
            ("*", "https://sts.amazonaws.com", false),
            ("amazonaws.com", "https://sts.amazonaws.com", false),
            (".amazonaws.com", "https://sts.amazonaws.com", false),
            ("*.amazonaws.com", "https://sts.amazonaws.com", false),
            ("azonaws.com", "https://sts.amazonaws.com", true),
            ("other, STS.amazonaws.com", "https://sts.amazonaws.com", false),
            ("sts.amazonaws.com:443", "https://sts.amazonaws.com", false),
            ("sts.amazonaws.com:444", "https://sts.amazonaws.com", true),
            ("10.0.0.0/8", "https://10.1.2.3", false),
            ("10.0.0.0/8", "https://11.1.2.3", true),
            ("10.1.2.3", "https://10.1.2.3", false),
            ("fd00::/8", "https://[fd00::1]", false),
            ("10.0.0.0/99", "https://10.1.2.3", true),
            ("0.0.0.0/0", "https://10.1.2.3", false),
            ("::1", "https://[fd00::1]", true),
            ("[fd00::1]", "https://[fd00::1]", false),
            ("other sts.amazonaws.com", "https://sts.amazonaws.com", false),
            ("amazonaws.com.", "https://sts.amazonaws.com.", false),
            ("sts.amazonaws.com.evil.test", "https://sts.amazonaws.com", true),
            (".", "https://sts.amazonaws.com", true),
        ] {
            assert_eq!(used(no_proxy, url), expected, "{no_proxy} {url}");
        }
    }

    #[test]
    fn lower_case_wins_and_an_error_names_host_and_port_only() {
        let env: Env =
            [("HTTPS_PROXY", "http://upper:1"), ("https_proxy", "user:canary@lower.example")].into_iter().collect();
        let rule = ProxyRule::from_env(&env).unwrap().unwrap();
        let shown = rule.shown_for(&Url::parse("https://sts.amazonaws.com").unwrap());
        assert_eq!(shown.as_deref(), Some("the proxy lower.example:80"));
        assert_eq!(rule.shown_for(&Url::parse("https://localhost:1").unwrap()), None);
    }

    #[test]
    fn a_bad_proxy_is_an_error_that_hides_its_value() {
        let env: Env = [("https_proxy", "socks5://user:canary@h")].into_iter().collect();
        let error = ProxyRule::from_env(&env).unwrap_err();
        assert!(!format!("{error:?}").contains("canary"));
        assert_eq!(error.origin(), Some("environment variable https_proxy"));
        assert!(ProxyRule::from_env(&Env::default()).unwrap().is_none());
    }
}
