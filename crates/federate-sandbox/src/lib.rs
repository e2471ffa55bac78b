//! A loopback issuer and clouds that verify tokens and trust as the real ones do.
//!
//! One origin, `https://127.0.0.1:PORT`, plays every part: the CI system as OpenID Connect issuer, GitHub's token request
//! endpoint, AWS STS, Microsoft Entra and Azure Resource Manager. Signatures, issuer, audience, times and the `allow`
//! lists of the profiles' targets are really checked, and refusals carry the real clouds' codes, statuses and texts.

mod ci;
pub mod codes;
mod entra;
mod github;
mod gitlab;
mod issuer;
mod job;
mod keys;
mod parameters;
mod random;
mod report;
mod resource_manager;
mod sandbox;
mod sessions;
mod sigv4;
mod stage;
mod sts;
#[cfg(test)]
mod testing;
mod throttle;
mod tls;
mod trust;
mod web_identity;
mod world;
mod xml;

pub use ci::{CiSystem, Validity, Wishes, ci_systems};
pub use codes::ALL as CODES;
pub use job::Job;
pub use report::Event;
pub use sandbox::{Lifetimes, Options, Sandbox};
pub use stage::SandboxTarget;
