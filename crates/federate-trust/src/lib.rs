//! The token and the cloud's trust, side by side: what a cloud decides, what could be mended, who else could get in.
//!
//! Every cloud reads its own configuration ([`TrustModel`]); what they share stands here: verdicts and findings, which
//! issuers serve many customers, and what their subjects look like.

mod codes;
mod finding;
mod generate;
mod glob;
mod grant;
mod issuers;
mod json;
mod model;
pub mod render;
mod subject;
pub mod terraform;
mod verdict;
mod way;

pub use codes::{ALL as CODES, TRUST_DOCUMENT, TRUST_NOT_EXPRESSIBLE};
pub use finding::{Finding, Rule, Severity};
pub use generate::{Artifact, Format, Intended, Split, Wanted, WantedEntry, format_named, split_claims, unfilled};
pub use glob::Glob;
pub use grant::{Grant, Pin};
pub use issuers::{Family, Provider, can_be_iss};
pub use json::json;
pub use model::{Job, Located, TrustDocument, TrustModel, Visit, walk, walk_keys};
pub use subject::{Gap, Reach, Told, analyse, immutable_form, owner, risk, told};
pub use verdict::{Check, Decision, Effect, StatementVerdict, Verdict};
pub use way::{Ask, Comparison, Way, compare};
