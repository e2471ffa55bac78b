//! ID tokens of GitHub Actions jobs.
//!
//! A job with `permissions: id-token: write` may ask GitHub for a token with any audience, at any time
//! (<https://docs.github.com/en/actions/reference/security/oidc>).

mod allow;
mod help;
mod provider;
mod request;
mod settings;

pub use provider::GitHub;
pub use settings::Settings;
