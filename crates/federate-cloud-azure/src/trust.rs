//! Federated identity credentials: whom an application or managed identity trusts, and who else gets in.
//! <https://learn.microsoft.com/entra/workload-id/workload-identity-federation>

mod catalogue;
mod credential;
mod evaluate;
mod expression;
mod generate;
mod grants;
mod lint;
mod sources;
mod ways;

use federate_core::{Claims, Error};
use federate_trust::{
    Artifact, Finding, Format, Grant, Intended, Job, Located, Rule, TrustDocument, TrustModel, Verdict, Wanted, Way,
};
use serde_json::Value as Json;

use crate::clouds::CloudName;
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

    fn audience(&self, _customary: Option<&str>) -> Option<String> {
        Some(CloudName::default().facts().audience.to_owned())
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

    fn formats(&self) -> &'static [Format] {
        generate::FORMATS
    }

    fn intended(&self, wanted: &Wanted) -> Result<Intended, Vec<Error>> {
        let plan = generate::Plan::new(wanted)?;
        let mut documents = self.documents(&plan.list().value())?;
        // A list of at least one credential is one document.
        let document = documents.swap_remove(0).document;
        Ok(Intended { document, notes: plan.notes })
    }

    fn generate(&self, wanted: &Wanted, format: &Format) -> Result<Vec<Artifact>, Vec<Error>> {
        generate::Plan::new(wanted)?.write(format.name)
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

    fn ways(&self) -> Option<Vec<Way>> {
        Some(ways::ways(&self.all))
    }
}
