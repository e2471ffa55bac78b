//! Who may be sent a token: the rule that no layer of a repository can widen.

use std::net::IpAddr;

use url::{Host, Url};

use crate::codes;
use crate::error::Error;
use crate::http::Reach;

/// What the machine's owner allows, read from `/etc/federate/config.toml`, the user's file and
/// `FEDERATE_ALLOWED_HOSTS` alone. It narrows what layers ask for; no layer widens it.
#[derive(Clone, Debug, Default)]
pub struct Policy {
    /// Is this a host of a cloud or CI system that is built in? One function an adapter.
    pub own_hosts: Vec<fn(&str) -> bool>,
    /// Further hosts: `host`, `host:port` or `*.domain` (any number of labels below the domain, not the domain itself).
    pub allowed_hosts: Vec<String>,
    /// If set, the only AWS accounts (or their like) whose credentials may be handed out.
    pub allowed_account_ids: Option<Vec<String>>,
    /// If set, the only Entra tenants (or their like) that may be asked.
    pub allowed_tenants: Option<Vec<String>>,
    /// All requests are led to the sandbox on loopback, so that no host but it is ever reached.
    pub rerouted: bool,
}

impl Policy {
    /// May a request that carries a token go to this URL?
    ///
    /// Yes to hosts that an adapter calls its own, to loopback, to `allowed_hosts`, and to a URL that the CI itself set
    /// ([`Reach::Ci`]). Always `https`, but for loopback.
    ///
    /// # Errors
    /// `host-not-allowed`, with the setting or variable that named the host.
    pub fn check_url(&self, url: &Url, reach: &Reach) -> Result<(), Error> {
        if self.rerouted {
            return Ok(());
        }
        let refuse = |what: String, help: String| {
            let error = Error::new(&codes::HOST_NOT_ALLOWED, what).with_help(help);
            Err(match reach {
                Reach::Setting(key) => error.with_setting(key.clone()),
                Reach::Environment(name) => error.with_origin(format!("environment variable {name}")),
                Reach::Ci | Reach::BuiltIn => error,
            })
        };
        let Some(host) = url.host() else {
            return refuse(
                "a URL without a host cannot be sent a token".to_owned(),
                "write it as https://HOST".to_owned(),
            );
        };
        let shown = shown_host(url);
        if !url.username().is_empty() || url.password().is_some() {
            return refuse(
                format!("the URL of {shown} carries a user name"),
                "remove everything before the @".to_owned(),
            );
        }
        if is_loopback(&host) {
            return match url.scheme() {
                "https" | "http" => Ok(()),
                other => refuse(format!("{shown} is named with the scheme `{other}`"), "use https".to_owned()),
            };
        }
        if url.scheme() != "https" {
            return refuse(
                format!("{shown} is named with `{}`; a token is sent over https only", url.scheme()),
                "use https; plain http is for loopback addresses alone".to_owned(),
            );
        }
        if self.permits_host(url, *reach == Reach::Ci) {
            return Ok(());
        }
        refuse(
            format!(
                "a token would have been sent to {shown}, which is neither a built-in cloud or CI host nor allowed by policy"
            ),
            format!(
                "if this host is yours, add it to `[policy] allowed_hosts` in /etc/federate/config.toml or in your own \
                 federate/config.toml, or set FEDERATE_ALLOWED_HOSTS={shown}; a profile in a repository cannot allow it"
            ),
        )
    }

    fn permits_host(&self, url: &Url, set_by_ci: bool) -> bool {
        let Some(host) = url.host_str().map(str::to_ascii_lowercase) else { return false };
        // A cloud's names are served on the standard port; another port on them is somebody's mistake or trick.
        let own = url.port().is_none() && self.own_hosts.iter().any(|is_own| is_own(&host));
        own || set_by_ci
            || self.allowed_hosts.iter().any(|entry| host_entry_matches(entry, &host, url.port_or_known_default()))
    }

    /// Is this account one that credentials may be handed out for?
    ///
    /// # Errors
    /// `account-not-allowed`.
    pub fn check_account(&self, account: &str) -> Result<(), Error> {
        check_member(&self.allowed_account_ids, account, &codes::ACCOUNT_NOT_ALLOWED, "account")
    }

    /// Is this a tenant that may be asked?
    ///
    /// # Errors
    /// `tenant-not-allowed`.
    pub fn check_tenant(&self, tenant: &str) -> Result<(), Error> {
        check_member(&self.allowed_tenants, tenant, &codes::TENANT_NOT_ALLOWED, "tenant")
    }
}

fn check_member(
    allowed: &Option<Vec<String>>,
    value: &str,
    code: &'static crate::Code,
    noun: &str,
) -> Result<(), Error> {
    match allowed {
        Some(list) if !list.iter().any(|entry| entry.eq_ignore_ascii_case(value)) => {
            Err(Error::new(code, format!("{noun} {value} is not among those that this machine's policy allows: {}", list.join(", ")))
                .with_help(format!("correct the profile, or have the {noun} added to `[policy] allowed_{noun}s` by whoever owns this machine").replace("allowed_accounts", "allowed_account_ids")))
        }
        _ => Ok(()),
    }
}

fn host_entry_matches(entry: &str, host: &str, port: Option<u16>) -> bool {
    let entry = entry.trim().to_ascii_lowercase();
    let (name, wanted_port) = match entry.rsplit_once(':') {
        Some((name, port)) if !name.contains(':') || name.ends_with(']') => (name.to_owned(), port.parse::<u16>().ok()),
        _ => (entry.clone(), None),
    };
    // Without a port an entry means https on its own port only for `host`; any port was not what its author wrote.
    let port_fits = port == Some(wanted_port.unwrap_or(443));
    let name_fits = match name.strip_prefix("*.") {
        Some(domain) => {
            !domain.is_empty() && host.strip_suffix(domain).is_some_and(|rest| rest.len() > 1 && rest.ends_with('.'))
        }
        None => host == name,
    };
    name_fits && port_fits
}

fn shown_host(url: &Url) -> String {
    let host = url.host_str().unwrap_or("(no host)");
    match url.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    }
}

/// 127.0.0.0/8, `::1`, or the name `localhost`; nothing that merely looks like them.
pub fn is_loopback<S: AsRef<str>>(host: &Host<S>) -> bool {
    match host {
        Host::Domain(name) => name.as_ref().eq_ignore_ascii_case("localhost"),
        Host::Ipv4(address) => IpAddr::V4(*address).is_loopback(),
        Host::Ipv6(address) => IpAddr::V6(*address).is_loopback(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy() -> Policy {
        Policy {
            own_hosts: vec![|host| host == "sts.amazonaws.com"],
            allowed_hosts: vec![
                "sts.corp.example".to_owned(),
                "*.vpce.example".to_owned(),
                "with-port.example:8443".to_owned(),
            ],
            ..Policy::default()
        }
    }

    fn check(url: &str) -> Result<(), Error> {
        policy().check_url(&Url::parse(url).unwrap(), &Reach::Setting("endpoint_url".to_owned()))
    }

    #[test]
    fn permits_own_loopback_and_allowed() {
        for good in [
            "https://sts.amazonaws.com/",
            "https://STS.amazonaws.com/",
            "https://127.0.0.1:4566",
            "http://localhost:5000/",
            "http://[::1]:5000/",
            "https://sts.corp.example/",
            "https://a.b.vpce.example/",
            "https://with-port.example:8443/",
        ] {
            assert!(check(good).is_ok(), "{good}");
        }
    }

    #[test]
    fn refuses_strangers_and_lookalikes() {
        for bad in [
            "https://sts.amazonaws.com.evil.test/",
            "https://evilsts.amazonaws.com/",
            "https://sts.amazonaws.com:8443/",
            "https://sts.amazonaws.com@evil.test/",
            "https://vpce.example/",
            "https://evilvpce.example/",
            "https://with-port.example/",
            "https://sts.corp.example:444/",
            "http://sts.amazonaws.com/",
            "http://127.0.0.1.evil.test/",
            "http://localhost.evil.test/",
            "https://0.0.0.0/",
            "ftp://127.0.0.1/",
        ] {
            let error = check(bad).unwrap_err();
            assert_eq!(error.code().name, "host-not-allowed", "{bad}");
            assert_eq!(error.setting(), Some("endpoint_url"), "{bad}");
        }
    }

    #[test]
    fn the_url_that_ci_set_needs_https() {
        let url = Url::parse("https://ghes.example/token?x=1").unwrap();
        assert!(policy().check_url(&url, &Reach::Ci).is_ok());
        let url = Url::parse("http://ghes.example/token?x=1").unwrap();
        assert!(policy().check_url(&url, &Reach::Ci).is_err());
    }

    #[test]
    fn accounts_and_tenants_narrow() {
        let policy = Policy { allowed_account_ids: Some(vec!["111122223333".to_owned()]), ..Policy::default() };
        assert!(policy.check_account("111122223333").is_ok());
        assert_eq!(policy.check_account("444455556666").unwrap_err().code().name, "account-not-allowed");
        assert!(policy.check_tenant("anything").is_ok());
    }
}
