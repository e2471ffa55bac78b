//! Everything from outside that an adapter may touch.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use crate::error::Error;
use crate::http::{Http, Request, Response};
use crate::policy::Policy;

/// A snapshot of the environment. `Debug` shows names only.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Env(BTreeMap<OsString, OsString>);

impl Env {
    /// The value, if the variable is set, not empty, and UTF-8. Empty counts as unset, as CI systems and SDKs do.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(OsStr::new(name)).and_then(|value| value.to_str()).filter(|value| !value.is_empty())
    }

    /// Is it set at all, be it to the empty string?
    pub fn is_set(&self, name: &str) -> bool {
        self.0.contains_key(OsStr::new(name))
    }

    /// Is it set to `true` or `1`, in any case?
    pub fn flag(&self, name: &str) -> bool {
        self.get(name).is_some_and(|value| value.eq_ignore_ascii_case("true") || value == "1")
    }

    /// All names and values that are UTF-8, in the order of the names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().filter_map(|(name, value)| Some((name.to_str()?, value.to_str()?)))
    }

    /// All names and values as the system has them.
    pub fn iter_os(&self) -> impl Iterator<Item = (&OsStr, &OsStr)> {
        self.0.iter().map(|(name, value)| (name.as_os_str(), value.as_os_str()))
    }
}

impl<K: Into<OsString>, V: Into<OsString>> FromIterator<(K, V)> for Env {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(pairs: I) -> Self {
        Self(pairs.into_iter().map(|(name, value)| (name.into(), value.into())).collect())
    }
}

impl fmt::Debug for Env {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_set().entries(self.0.keys()).finish()
    }
}

/// The clock and the files.
pub trait Host: Send + Sync + fmt::Debug {
    /// The wall clock.
    fn now(&self) -> SystemTime;
    /// A whole file.
    ///
    /// # Errors
    /// As `std::fs::read`.
    fn read(&self, path: &Path) -> io::Result<Vec<u8>>;
}

/// Where an adapter speaks to the person who runs the command, on stderr. Nothing said here may hold a secret.
pub trait Reporter: Send + Sync + fmt::Debug {
    /// Something that is likely wrong; shown even with `-q`.
    fn warn(&self, text: &str);
    /// Something worth knowing; hidden by `-q`.
    fn note(&self, text: &str);
    /// A detail; shown with `-v`.
    fn detail(&self, text: &str);
}

/// What an adapter is handed: environment, host, network, policy, reporter, and the time until when it may work.
#[derive(Clone, Debug)]
pub struct Context {
    /// The environment at start.
    pub env: Arc<Env>,
    /// Clock and files.
    pub host: Arc<dyn Host>,
    /// The network. Use [`Context::send`], which asks the policy first.
    pub http: Arc<dyn Http>,
    /// Which hosts, accounts and tenants are allowed.
    pub policy: Arc<Policy>,
    /// stderr.
    pub reporter: Arc<dyn Reporter>,
    /// How long one whole exchange may take.
    pub exchange_timeout: Duration,
    /// When the exchange under way must be over; see [`Context::begin_exchange`].
    pub deadline: Instant,
}

impl Context {
    /// The same context, with the deadline one exchange time-out from now.
    #[must_use]
    pub fn begin_exchange(&self) -> Self {
        Self { deadline: Instant::now() + self.exchange_timeout, ..self.clone() }
    }

    /// Sends a request if the policy lets a token go there. An answer that is no success comes without the request's secrets.
    ///
    /// # Errors
    /// `host-not-allowed`, and those of [`Http::send`].
    pub async fn send(&self, request: &Request) -> Result<Response, Error> {
        self.policy.check_url(&request.url, &request.reach)?;
        Ok(self.http.send(request, self.deadline).await?.hiding_secrets_of(request))
    }

    /// Seconds since 1970 by the host's clock.
    pub fn unix_now(&self) -> i64 {
        unix_seconds(self.host.now())
    }
}

/// Seconds since 1970; negative before.
pub fn unix_seconds(time: SystemTime) -> i64 {
    match time.duration_since(SystemTime::UNIX_EPOCH) {
        Ok(after) => i64::try_from(after.as_secs()).unwrap_or(i64::MAX),
        Err(before) => -i64::try_from(before.duration().as_secs()).unwrap_or(i64::MAX),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_names_only() {
        let env: Env = [("TOKEN", "canary")].into_iter().collect();
        assert_eq!(format!("{env:?}"), r#"{"TOKEN"}"#);
    }

    #[test]
    fn empty_counts_as_unset() {
        let env: Env = [("A", ""), ("B", "TRUE")].into_iter().collect();
        assert_eq!(env.get("A"), None);
        assert!(env.is_set("A") && !env.is_set("C"));
        assert!(env.flag("B") && !env.flag("A"));
    }
}
