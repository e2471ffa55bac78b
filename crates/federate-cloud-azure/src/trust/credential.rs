//! One federated identity credential, read from what az, Graph, ARM and Terraform print.

use federate_core::Error;
use federate_trust::TRUST_DOCUMENT;
use serde_json::{Map, Value as Json};

use super::expression::{self, Term};

/// One credential.
#[derive(Debug)]
pub(super) struct Credential {
    pub(super) name: String,
    pub(super) issuer: String,
    pub(super) audiences: Vec<String>,
    pub(super) test: Test,
    /// The keys and indices that lead to it from the top of the file.
    pub(super) path: Vec<String>,
}

/// Graph and az, and Terraform's `azuread_application_flexible_federated_identity_credential`.
const EXPRESSIONS: [&str; 2] = ["claimsMatchingExpression", "claims_matching_expression"];

/// How it tells tokens of its issuer apart.
#[derive(Debug)]
pub(super) enum Test {
    /// The subject, byte by byte.
    Subject(String),
    /// A flexible credential: its terms, or why Entra rejects it.
    Expression { text: String, terms: Result<Vec<Term>, String> },
}

impl Credential {
    /// Does the object look like a credential?
    pub(super) fn is_one(map: &Map<String, Json>) -> bool {
        map.contains_key("issuer") && ["subject"].iter().chain(&EXPRESSIONS).any(|key| map.contains_key(*key))
    }

    /// Reads it.
    pub(super) fn read(path: &[String], map: &Map<String, Json>) -> Result<Self, Vec<Error>> {
        let mut errors = Vec::new();
        let mut bad = |what: &str, key: &str| {
            let place = [path, &[key.to_owned()]].concat().join(".");
            errors.push(Error::new(&TRUST_DOCUMENT, what.to_owned()).with_setting(place));
        };
        let text = |key: &str| map.get(key).and_then(Json::as_str).map(str::to_owned);
        let issuer = text("issuer");
        if issuer.is_none() {
            bad("the issuer has to be a text", "issuer");
        }
        let audiences = match map.get("audiences").or_else(|| map.get("audience")) {
            Some(Json::String(one)) => Some(vec![one.clone()]),
            Some(Json::Array(many)) => many.iter().map(|one| one.as_str().map(str::to_owned)).collect(),
            _ => None,
        };
        if audiences.is_none() {
            bad("a credential needs audiences: a list of one text", "audiences");
        }
        let subject = map.get("subject").filter(|subject| !subject.is_null());
        let expression = EXPRESSIONS.iter().find_map(|key| map.get(*key)).filter(|expression| !expression.is_null());
        let test = match (subject, expression) {
            (Some(Json::String(subject)), None) => Some(Test::Subject(subject.clone())),
            (subject, Some(expression)) => {
                let value = expression.get("value").unwrap_or(expression).as_str().map(str::to_owned);
                value.map(|text| {
                    let both = subject.is_some_and(|subject| subject.as_str() != Some(""));
                    let terms = if both {
                        Err("a credential has a subject or an expression, not both".to_owned())
                    } else {
                        expression::parse(&text)
                    };
                    Test::Expression { text, terms }
                })
            }
            _ => None,
        };
        if test.is_none() {
            bad("a credential needs a subject (a text) or a claimsMatchingExpression (with a value)", "subject");
        }
        let name = ["name", "displayName", "display_name"].iter().find_map(|key| text(key));
        match (issuer, audiences, test) {
            (Some(issuer), Some(audiences), Some(test)) => {
                Ok(Self { name: name.unwrap_or_else(|| path.join(".")), issuer, audiences, test, path: path.to_vec() })
            }
            _ => Err(errors),
        }
    }

    /// What a finding is about.
    pub(super) fn path_of(&self, id: &str) -> Vec<String> {
        let key = match (id, &self.test) {
            ("az-issuer-mismatch", _) => "issuer",
            ("az-aud-nonstandard", _) => "audiences",
            (_, Test::Subject(_)) => "subject",
            (_, Test::Expression { .. }) => EXPRESSIONS[0],
        };
        [&self.path[..], &[key.to_owned()]].concat()
    }

    /// For people.
    pub(super) fn label(&self) -> String {
        if self.name.is_empty() { "credential".to_owned() } else { format!("credential {}", self.name) }
    }
}
