//! The one network policy's settings, `[network]` in a layer.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::duration::HumanDuration;

/// The default of `max_concurrency`.
pub const MAX_CONCURRENCY: NonZeroUsize = NonZeroUsize::MIN.saturating_add(15);

/// Time-outs, tries and extra roots; the same for all adapters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct NetworkSettings {
    /// How long making a connection may take, name resolution and TLS included. Default 5s.
    pub connect_timeout: HumanDuration,
    /// How long one request may take, from connecting to the last byte of the answer. Default 15s.
    pub request_timeout: HumanDuration,
    /// How long a whole exchange may take: token request, all tries, all steps of a chain. Default 60s.
    pub exchange_timeout: HumanDuration,
    /// How often one request is tried at most. Default 4. A try that is throttled does not count while the service answers
    /// others.
    pub max_tries: u32,
    /// How many exchanges are under way at once at most; the others wait, and their time has not begun. Default 16.
    pub max_concurrency: NonZeroUsize,
    /// A file of PEM certificates that are trusted besides the system's. In CI, an error in a layer of the repository.
    pub ca_file: Option<PathBuf>,
}

impl Default for NetworkSettings {
    fn default() -> Self {
        let seconds = |count| HumanDuration(Duration::from_secs(count));
        Self {
            connect_timeout: seconds(5),
            request_timeout: seconds(15),
            exchange_timeout: seconds(60),
            max_tries: 4,
            max_concurrency: MAX_CONCURRENCY,
            ca_file: None,
        }
    }
}
