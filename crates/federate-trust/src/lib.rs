//! The token and the cloud's trust, side by side: what a cloud decides, what could be mended, who else could get in.
//!
//! Every cloud reads its own configuration ([`TrustModel`]); what they share stands here: verdicts and findings, which
//! issuers serve many customers, and what their subjects look like.

mod codes;
mod finding;
mod glob;
mod grant;
mod issuers;
mod model;
mod subject;
mod verdict;

pub use codes::{ALL as CODES, TRUST_DOCUMENT};
pub use finding::{Finding, Rule, Severity};
pub use glob::Glob;
pub use grant::{Grant, Pin};
pub use issuers::{Family, Provider, can_be_iss};
pub use model::{Job, Located, TrustDocument, TrustModel, walk};
pub use subject::{Gap, Reach, analyse, immutable_form};
pub use verdict::{Check, Decision, Effect, StatementVerdict, Verdict};
