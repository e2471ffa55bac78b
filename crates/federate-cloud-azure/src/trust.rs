//! Federated identity credentials: whom an application or managed identity trusts, and who else gets in.
//! <https://learn.microsoft.com/entra/workload-id/workload-identity-federation>

mod catalogue;
mod credential;
mod evaluate;
mod expression;
mod grants;
mod lint;
mod sources;

use federate_core::{Claims, Error};
use federate_trust::{Finding, Grant, Job, Located, Rule, TrustDocument, TrustModel, Verdict};
use serde_json::Value as Json;

use credential::Credential;

/// Federated identity credentials.
#[derive(Debug)]
pub struct AzureTrust;

/// All credentials of one application, any of which lets a token in.
#[derive(Debug)]
struct Credentials {
    all: Vec<Credential>,
    /// What of them is known only after apply.
    unknown: Vec<String>,
}

impl TrustModel for AzureTrust {
    fn kind(&self) -> &'static str {
        "azure"
    }

    fn rules(&self) -> &'static [Rule] {
        catalogue::RULES
    }

    fn keys(&self, claims: &Claims) -> Vec<(String, String)> {
        let parts = [
            ("issuer", claims.issuer().map(str::to_owned)),
            ("subject", claims.subject().map(str::to_owned)),
            ("audiences", Some(claims.audiences().join(" ")).filter(|list| !list.is_empty())),
        ];
        parts.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?))).collect()
    }

    fn documents(&self, value: &Json) -> Result<Vec<Located>, Vec<Error>> {
        sources::documents(value)
    }
}

impl TrustDocument for Credentials {
    fn evaluate(&self, job: &Job) -> Verdict {
        evaluate::evaluate(&self.all, job)
    }

    fn lint(&self) -> Vec<Finding> {
        lint::lint(&self.all)
    }

    fn unknown(&self) -> Vec<String> {
        self.unknown.clone()
    }

    fn grants(&self) -> Vec<Grant> {
        grants::grants(&self.all)
    }
}
