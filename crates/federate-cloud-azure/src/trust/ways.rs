//! Who gets in by an application's credentials, however they are written.

use federate_trust::{Ask, Way};

use super::credential::{Credential, Test};
use super::expression::{Operator, Term};
use super::lint::unsupported;

/// All ways in: one for every credential and audience. What Entra rejects lets nobody in.
pub(super) fn ways(credentials: &[Credential]) -> Vec<Way> {
    let mut found = Vec::new();
    for credential in credentials {
        let asks: Vec<(String, Ask)> = match &credential.test {
            Test::Subject(subject) => vec![("sub".to_owned(), Ask::Is(subject.clone()))],
            Test::Expression { terms: Ok(terms), .. } if unsupported(&credential.issuer, terms).is_none() => {
                terms.iter().map(ask).collect()
            }
            Test::Expression { .. } => continue,
        };
        for audience in &credential.audiences {
            let mut asks = asks.clone();
            asks.push(("aud".to_owned(), Ask::Is(audience.clone())));
            let issuer = credential.issuer.strip_prefix("https://").unwrap_or(&credential.issuer);
            found.push(Way { place: credential.label(), issuer: Some(issuer.to_owned()), asks });
        }
    }
    found
}

fn ask(term: &Term) -> (String, Ask) {
    let ask = match term.operator {
        Operator::Eq => Ask::Is(term.value.clone()),
        Operator::Matches => Ask::of_pattern(&term.value),
    };
    (term.claim.clone(), ask)
}
