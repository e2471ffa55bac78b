//! AWS roles: AssumeRoleWithWebIdentity, role chains, GetCallerIdentity.
//!
//! The ID token is exchanged at AWS STS over its query protocol (API version 2011-06-15,
//! <https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html>).

mod codes;
mod config_edit;
mod config_file;
mod endpoint;
mod environment;
mod kubernetes;
mod partition;
mod principal;
mod refusal;
mod requests;
mod response;
mod served;
mod settings;
pub mod sigv4;
mod target;
mod trust;
mod validate;
mod visible;

pub use codes::ALL as CODES;
pub use environment::AwsCloud;
pub use settings::{Hop, Settings};
pub use target::Aws;
pub use trust::AwsTrust;
