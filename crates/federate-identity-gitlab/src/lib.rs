//! ID tokens of GitLab CI jobs.
//!
//! GitLab makes the tokens when the job starts and puts them into variables that the pipeline file names
//! (<https://docs.gitlab.com/ci/secrets/id_token_authentication/>). There is nothing to ask and nothing to renew: the
//! adapter finds the token that fits, and says which lines to add to the pipeline when none does.

mod allow;
mod help;
mod provider;
mod search;
mod settings;

pub use provider::GitLab;
pub use settings::Settings;
