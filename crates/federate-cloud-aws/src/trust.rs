//! A role's trust policy: what it decides about a token, and who else it lets in.
//!
//! The IAM policy language as far as the trust policy of a role for a web identity can use it
//! (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html>).

mod arn;
mod date;
mod evaluate;
mod explain;
mod lint;
mod operator;
mod parse;
mod policy;
mod request;
mod sources;
mod template;

use federate_core::{Claims, Error};
use federate_trust::{Finding, Grant, Job, Located, Rule, TrustDocument, TrustModel, Verdict};
use serde_json::Value as Json;

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

    fn keys(&self, claims: &Claims) -> Vec<(String, String)> {
        crate::visible::condition_keys(claims)
    }

    fn documents(&self, value: &Json) -> Result<Vec<Located>, Vec<Error>> {
        sources::documents(value)
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
}
