//! A role's trust policy: what it decides about a token, and who else it lets in.
//!
//! The IAM policy language as far as the trust policy of a role for a web identity can use it
//! (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html>).

mod arn;
mod evaluate;
mod explain;
mod generate;
mod lint;
mod operator;
mod parse;
mod policy;
mod request;
mod scalar;
mod sources;
mod template;
mod warning;
mod ways;

use federate_core::{Claims, Error};
use federate_trust::{
    Artifact, Finding, Format, Grant, Intended, Job, Located, Rule, TrustDocument, TrustModel, Verdict, Wanted, Way,
};
use serde_json::Value as Json;

use crate::target::AUDIENCE;
use policy::Policy;

/// Role trust policies.
#[derive(Debug)]
pub struct AwsTrust;

impl TrustModel for AwsTrust {
    fn kind(&self) -> &'static str {
        "aws"
    }

    fn rules(&self) -> &'static [Rule] {
        lint::RULES
    }

    fn audience(&self, customary: Option<&str>) -> Option<String> {
        Some(customary.unwrap_or(AUDIENCE).to_owned())
    }

    fn keys(&self, claims: &Claims) -> Vec<(String, String)> {
        crate::visible::condition_keys(claims)
    }

    fn documents(&self, value: &Json) -> Result<Vec<Located>, Vec<Error>> {
        sources::documents(value)
    }

    fn formats(&self) -> &'static [Format] {
        generate::FORMATS
    }

    fn intended(&self, wanted: &Wanted) -> Result<Intended, Vec<Error>> {
        let plan = generate::Plan::new(wanted)?;
        let document = parse::policy(&plan.trust_policy().value(), Vec::new(), &template::Template::default())?;
        Ok(Intended { document: Box::new(document), notes: plan.notes })
    }

    fn generate(&self, wanted: &Wanted, format: &Format) -> Result<Vec<Artifact>, Vec<Error>> {
        generate::Plan::new(wanted).map(|plan| plan.write(format.name))
    }
}

impl TrustDocument for Policy {
    fn evaluate(&self, job: &Job) -> Verdict {
        evaluate::evaluate(self, job)
    }

    fn lint(&self) -> Vec<Finding> {
        lint::lint(self)
    }

    fn grants(&self) -> Vec<Grant> {
        lint::grants(self)
    }

    fn home(&self) -> Option<String> {
        let names = self.statements.iter().flat_map(|statement| &statement.principal.federated);
        names.filter_map(|name| crate::principal::home(name)).next()
    }

    fn unknown(&self) -> Vec<String> {
        let open = self.statements.iter().filter(|statement| statement.is_open);
        open.map(|statement| format!("{}: a condition is known only once the template is deployed", statement.name()))
            .collect()
    }

    fn doubts(&self) -> Vec<String> {
        lint::doubts(self)
    }

    fn ways(&self) -> Option<Vec<Way>> {
        Some(ways::ways(self))
    }
}
