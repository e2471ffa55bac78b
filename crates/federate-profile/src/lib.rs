//! Layers of settings files become one typed profile in which every value knows its origin.
//!
//! Layers, lowest to highest: adapter defaults, foreign variables (they fill only what nothing sets),
//! `/etc/federate/config.toml`, the user's `federate/config.toml`, `base.toml`, what the profile extends, the profile,
//! its `.local.toml`, `FEDERATE__…` variables, `--set`. Tables merge; arrays and scalars replace.

mod allow;
mod check;
mod codes;
mod directory;
mod effective;
mod extract;
mod file;
mod layer;
mod list;
mod load;
mod matrix;
mod merged;
mod offline;
mod overlay;
mod placeholders;
mod policy;
mod profile;
mod registry;
mod rows;
mod schema;
mod select;
mod serve;
mod targets;
#[cfg(test)]
mod testing;
mod trust;

pub use codes::ALL as CODES;
pub use effective::Effective;
pub use list::{Listed, list, selections, validate};
pub use load::{LoadOptions, load};
pub use offline::context as offline_context;
pub use profile::Profile;
pub use registry::{IdentityKind, Registry, TargetKind};
pub use schema::{reference, schema};
pub use serve::ServeMode;
pub use trust::{TestClaims, TrustSection, TrustTest};
