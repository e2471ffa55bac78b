//! Who gets in, one credential after the other, in words.

use federate_trust::{Finding, Grant, Pin, Provider};

use super::credential::{Credential, Test};
use super::expression::Operator;
use super::lint::{is_disputed, lint};

/// Findings that say that a credential lets nobody in.
const DEAD: [&str; 5] =
    ["az-wildcard-literal", "az-subject-never-matches", "az-issuer-mismatch", "az-whitespace", "az-flex-invalid"];

/// Every way in, also those that nobody can take.
pub(super) fn grants(credentials: &[Credential]) -> Vec<Grant> {
    let findings = lint(credentials);
    credentials.iter().map(|credential| grant(credential, &findings)).collect()
}

fn grant(credential: &Credential, findings: &[Finding]) -> Grant {
    let provider = Provider::new(&credential.issuer);
    let (subject, pins): (Option<&str>, Vec<Pin>) = match &credential.test {
        Test::Subject(subject) => (Some(subject), Vec::new()),
        Test::Expression { text, terms: Err(_) } => (Some(text), Vec::new()),
        Test::Expression { terms: Ok(terms), .. } => {
            let subjects = terms.iter().filter(|term| term.claim == "sub");
            let narrowest = subjects.min_by_key(|term| term.operator == Operator::Matches);
            let others = terms.iter().filter(|term| !narrowest.is_some_and(|narrowest| std::ptr::eq(*term, narrowest)));
            let pins = others.map(|term| Pin {
                claim: term.claim.clone(),
                values: vec![term.value.clone()],
                is_pattern: term.operator == Operator::Matches,
            });
            (narrowest.map(|term| term.value.as_str()), pins.collect())
        }
    };
    let label = credential.label();
    let mut grant = Grant::new(&provider, subject, pins, label.clone());
    grant.findings = findings.iter().filter(|finding| finding.place == label).cloned().collect();
    let may_match = is_disputed(credential);
    if let Some(dead) = grant.findings.iter().find(|finding| DEAD.contains(&finding.id) && !may_match) {
        grant.never = Some(dead.message.clone());
    }
    grant
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value as Json, json};

    fn told(credentials: Json) -> Vec<String> {
        let all: Vec<Credential> = credentials
            .as_array()
            .unwrap()
            .iter()
            .map(|one| Credential::read(&[], one.as_object().unwrap()).unwrap())
            .collect();
        let one = |grant: &Grant| {
            let never = if grant.never.is_some() { " never" } else { "" };
            let ids: Vec<&str> = grant.findings.iter().map(|finding| finding.id).collect();
            format!("{}: {}: {} {:?}{never} {ids:?}", grant.issuer, grant.workload, grant.context, grant.conditions)
        };
        grants(&all).iter().map(one).collect()
    }

    #[test]
    fn credentials_are_told_with_what_is_wrong() {
        let issuer = "https://token.actions.githubusercontent.com";
        let audiences = json!(["api://AzureADTokenExchange"]);
        let lines = told(json!([
            {"name": "main", "issuer": issuer, "audiences": audiences, "subject": "repo:acme/api:ref:refs/heads/main"},
            {"name": "star", "issuer": issuer, "audiences": audiences, "subject": "repo:acme/api:*"},
            {"name": "flexible", "issuer": issuer, "audiences": audiences, "claimsMatchingExpression":
                {"value": "claims['sub'] matches 'repo:acme/api:ref:refs/heads/*' and claims['repository_id'] eq '7'"}},
        ]));
        const GITHUB: &str = "token.actions.githubusercontent.com";
        assert_eq!(
            lines,
            [
                format!("{GITHUB}: acme/api: branch main [] [\"az-mutable-subject\"]"),
                format!("{GITHUB}: acme/api: any job [] never [\"az-wildcard-literal\"]"),
                format!("{GITHUB}: acme/api: any branch [\"repository_id is 7\"] [\"az-flex-any-branch\"]"),
            ]
        );
    }
}
