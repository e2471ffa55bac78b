//! The network policy against real sockets: servers that behave, servers that do not, proxies, a sandbox.
//!
//! Everything happens on 127.0.0.1, and no test reads the environment of the process.

#[cfg(test)]
mod answers;
#[cfg(test)]
mod proxies;
#[cfg(test)]
mod retries;
#[cfg(test)]
mod sandbox;
#[cfg(test)]
mod server;
#[cfg(test)]
mod support;
#[cfg(test)]
mod tls;
