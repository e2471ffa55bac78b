//! Azure applications and managed identities: workload identity federation with Microsoft Entra.
//!
//! The ID token is the client assertion of an OAuth 2.0 client credentials grant
//! (<https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow>).

mod clouds;
mod codes;
mod endpoint;
mod environment;
mod kubernetes;
mod refusal;
mod response;
mod served;
mod settings;
mod target;
mod trust;
mod validate;
mod whoami;

pub use codes::ALL as CODES;
pub use environment::AzureCloud;
pub use settings::Settings;
pub use target::Azure;
pub use trust::AzureTrust;
