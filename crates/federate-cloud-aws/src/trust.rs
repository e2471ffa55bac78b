//! A role's trust policy: what it decides about a token, and who else it lets in.
//!
//! The IAM policy language as far as the trust policy of a role for a web identity can use it
//! (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html>).

mod arn;
mod date;
mod evaluate;
mod explain;
mod generate;
mod lint;
mod operator;
mod parse;
mod policy;
mod request;
mod ways;

use federate_core::{Claims, Error};
use federate_trust::{
    Artifact, Finding, Format, Grant, Intended, Job, Located, TrustDocument, TrustModel, Verdict, Wanted, Way, walk,
};
use serde_json::Value as Json;

use policy::Policy;

/// Role trust policies.
#[derive(Debug)]
pub struct AwsTrust;

/// The keys under which AWS's tools and templates keep a role's trust policy.
const WRAPPERS: [&str; 2] = ["AssumeRolePolicyDocument", "assume_role_policy"];

impl TrustModel for AwsTrust {
    fn kind(&self) -> &'static str {
        "aws"
    }

    fn keys(&self, claims: &Claims) -> Vec<(String, String)> {
        crate::visible::condition_keys(claims)
    }

    fn documents(&self, value: &Json) -> Result<Vec<Located>, Vec<Error>> {
        let mut found: Vec<(String, &Json)> = Vec::new();
        if value.is_string() || value.get("Statement").is_some() {
            found.push((String::new(), value));
        } else {
            walk(value, &mut |path, map| {
                for key in WRAPPERS {
                    if let Some(policy) = map.get(key).filter(|policy| policy.is_object() || policy.is_string()) {
                        let role = ["RoleName", "name", "address"].iter().find_map(|name| map.get(*name)?.as_str());
                        found.push((role.map_or_else(|| path.to_owned(), |role| format!("role {role}")), policy));
                    }
                }
            });
        }
        let (mut documents, mut errors) = (Vec::new(), Vec::new());
        for (place, policy) in found {
            match parse::policy(policy) {
                Ok(policy) => documents.push(Located { place, document: Box::new(policy) }),
                Err(found) => errors.extend(
                    found.into_iter().map(
                        |error| {
                            if place.is_empty() { error } else { error.with_origin(place.clone()) }
                        },
                    ),
                ),
            }
        }
        if errors.is_empty() { Ok(documents) } else { Err(errors) }
    }

    fn formats(&self) -> &'static [Format] {
        generate::FORMATS
    }

    fn intended(&self, wanted: &Wanted) -> Result<Intended, Vec<Error>> {
        let plan = generate::Plan::new(wanted)?;
        let document = parse::policy(&plan.trust_policy().value())?;
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

    fn ways(&self) -> Option<Vec<Way>> {
        Some(ways::ways(self))
    }
}
