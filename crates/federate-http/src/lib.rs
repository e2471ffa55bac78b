//! The one network policy of federate: TLS, roots, proxy, time-outs, body limit, retries; and its one loopback server.
//!
//! `https` only (plain `http` to loopback alone), no redirects, no more than 1 MiB of answer, classified retries.

mod client;
mod connections;
mod failure;
mod gate;
mod proxy;
mod reroute;
mod retry;
mod roots;
mod server;
mod strangers;

pub use client::{Client, Way};
pub use connections::{Limits, WhenFull};
pub use reroute::{Rerouting, rerouting};
pub use server::{Answer, Handler, Incoming, LoopbackServer, ServerTls};

/// The variables that decide where requests are led and which certificates count.
pub const ROUTE_VARIABLES: &[&str] = &[
    reroute::URL_VARIABLE,
    reroute::CA_VARIABLE,
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "https_proxy",
    "HTTPS_PROXY",
    "no_proxy",
    "NO_PROXY",
];
