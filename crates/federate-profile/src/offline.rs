//! A context for checking settings: environment and policy, but neither network nor files.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use federate_core::{Context, Error, Host, Http, Policy, Reporter, Request, Response, codes};

use crate::load::LoadOptions;

/// Lets adapters look at the environment and at nothing else.
pub fn context(options: &LoadOptions, policy: Policy) -> Context {
    Context {
        env: options.env.clone(),
        host: Arc::new(Nothing),
        http: Arc::new(Nothing),
        policy: Arc::new(policy),
        reporter: Arc::new(Nothing),
        exchange_timeout: Duration::ZERO,
        deadline: Instant::now(),
    }
}

#[derive(Debug)]
struct Nothing;

impl Host for Nothing {
    fn now(&self) -> SystemTime {
        SystemTime::now()
    }
    fn read(&self, _path: &Path) -> io::Result<Vec<u8>> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

#[async_trait::async_trait]
impl Http for Nothing {
    async fn send(&self, request: &Request, _deadline: Instant) -> Result<Response, Error> {
        Err(Error::new(
            &codes::NETWORK_UNREACHABLE,
            format!("checking settings sends nothing, and {} was asked", request.what),
        ))
    }
}

impl Reporter for Nothing {
    fn warn(&self, _text: &str) {}
    fn note(&self, _text: &str) {}
    fn detail(&self, _text: &str) {}
}
