//! Who gets in, however it is written: trust configurations compared by meaning.

use serde_json::{Value as Json, json};

use crate::glob::Glob;
use crate::issuers::Provider;
use crate::subject::told;

/// What is asked of one claim or request key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ask {
    /// It has to be this text.
    Is(String),
    /// It has to match this pattern, `*` and `?` being wildcards.
    Like(Glob, String),
    /// Where it is there, it has to be one of the values (as patterns): a token without it gets in as well.
    IfThere(Vec<(Glob, String)>),
    /// Something else that only equals itself: an operator with its values.
    Other(String, Vec<String>),
}

/// One way in: an issuer, and conditions that must all hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Way {
    /// Which part of the configuration says so.
    pub place: String,
    /// The issuer without `https://`; `None` for any, or for callers who come without a token.
    pub issuer: Option<String>,
    /// Claims and request keys, and what is asked of them.
    pub asks: Vec<(String, Ask)>,
}

/// In which ways two configurations differ.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Comparison {
    /// Who is meant to get in, and does not, or not under the same conditions.
    pub missing: Vec<Way>,
    /// Who gets in, and is not meant to.
    pub too_much: Vec<Way>,
}

impl Comparison {
    /// Do the same get in?
    pub fn is_same(&self) -> bool {
        self.missing.is_empty() && self.too_much.is_empty()
    }
}

/// Holds what is deployed against what is wanted.
pub fn compare(wanted: &[Way], deployed: &[Way]) -> Comparison {
    let uncovered = |ones: &[Way], others: &[Way]| {
        let mut left: Vec<Way> = Vec::new();
        for one in ones.iter().filter(|one| !others.iter().any(|other| other.covers(one))) {
            if !left.iter().any(|known| known.covers(one)) {
                left.push(one.clone());
            }
        }
        left
    };
    Comparison { missing: uncovered(wanted, deployed), too_much: uncovered(deployed, wanted) }
}

impl Ask {
    /// A test of several values as the ways in that it opens, each with one of them.
    pub fn of_pattern(text: &str) -> Self {
        let glob = Glob::parse(text);
        if glob.is_literal() { Self::Is(text.to_owned()) } else { Self::Like(glob, text.to_owned()) }
    }

    /// Does everything that meets the other meet this?
    fn is_met_by(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Is(wide), Self::Is(narrow)) => wide == narrow,
            (Self::Like(wide, _), Self::Is(narrow)) => wide.matches(narrow),
            (Self::Like(wide, _), Self::Like(narrow, _)) => wide.covers(narrow),
            (Self::IfThere(wide), Self::Is(narrow)) => wide.iter().any(|(wide, _)| wide.matches(narrow)),
            (Self::IfThere(wide), Self::Like(narrow, _)) => wide.iter().any(|(wide, _)| wide.covers(narrow)),
            (Self::IfThere(wide), Self::IfThere(narrow)) => {
                narrow.iter().all(|(narrow, _)| wide.iter().any(|(wide, _)| wide.covers(narrow)))
            }
            (Self::Other(..), Self::Other(..)) => self == other,
            _ => false,
        }
    }

    fn operator(&self) -> &str {
        match self {
            Self::Is(_) => "is",
            Self::Like(..) => "is like",
            Self::IfThere(_) => "if it is there, is like",
            Self::Other(operator, _) => operator,
        }
    }

    fn values(&self) -> Vec<&str> {
        match self {
            Self::Is(text) | Self::Like(_, text) => vec![text],
            Self::IfThere(values) => values.iter().map(|(_, text)| text.as_str()).collect(),
            Self::Other(_, values) => values.iter().map(String::as_str).collect(),
        }
    }
}

impl Way {
    /// Does everybody who gets in by the other get in by this as well?
    fn covers(&self, other: &Self) -> bool {
        if self.issuer.is_some() && self.issuer != other.issuer {
            return false;
        }
        // What the other's subject says in the words of other claims is asked there too.
        let provider = Provider::new(other.issuer.as_deref().unwrap_or_default());
        let implied: Vec<(String, Ask)> = other
            .asks
            .iter()
            .filter_map(|(key, ask)| match ask {
                Ask::Is(text) if key == "sub" => Some(text),
                _ => None,
            })
            .flat_map(|subject| told(&provider, subject))
            .filter(|said| said.is_certain)
            .map(|said| (said.claim.to_owned(), Ask::Is(said.value)))
            .collect();
        self.asks.iter().all(|(key, ask)| {
            other.asks.iter().chain(&implied).any(|(their_key, theirs)| key == their_key && ask.is_met_by(theirs))
        })
    }

    /// For people, one line.
    pub fn describe(&self) -> String {
        let who = self.issuer.as_deref().map_or_else(|| "anyone".to_owned(), |issuer| format!("tokens of {issuer}"));
        let asks: Vec<String> = self
            .asks
            .iter()
            .map(|(key, ask)| format!("{key} {} {}", ask.operator(), ask.values().join(" | ")))
            .collect();
        if asks.is_empty() { format!("{who}, whatever they say") } else { format!("{who} whose {}", asks.join(", ")) }
    }

    /// For programs.
    pub fn json(&self) -> Json {
        let conditions: Vec<Json> = self
            .asks
            .iter()
            .map(|(key, ask)| json!({ "key": key, "operator": ask.operator(), "values": ask.values() }))
            .collect();
        json!({ "where": self.place, "issuer": self.issuer, "conditions": conditions })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GITHUB: &str = "token.actions.githubusercontent.com";

    fn way(asks: &[(&str, Ask)]) -> Way {
        let asks = asks.iter().map(|(key, ask)| ((*key).to_owned(), ask.clone())).collect();
        Way { place: "x".to_owned(), issuer: Some(GITHUB.to_owned()), asks }
    }

    fn is(text: &str) -> Ask {
        Ask::of_pattern(text)
    }

    #[test]
    fn order_and_redundant_conditions_do_not_matter() {
        let main = is("repo:o/r:ref:refs/heads/main");
        let full = way(&[("aud", is("a")), ("sub", main.clone()), ("repository", is("o/r"))]);
        let short = way(&[("sub", main), ("aud", is("a"))]);
        assert!(compare(std::slice::from_ref(&full), std::slice::from_ref(&short)).is_same());
        let id = way(&[("sub", is("repo:o/r:ref:refs/heads/main")), ("aud", is("a")), ("repository_id", is("7"))]);
        assert_eq!(compare(&[id], &[short]).too_much.len(), 1);
    }

    #[test]
    fn wider_and_narrower_are_told() {
        let main = way(&[("sub", is("repo:o/r:ref:refs/heads/main"))]);
        let wide = way(&[("sub", is("repo:o/r:*"))]);
        let found = compare(std::slice::from_ref(&main), std::slice::from_ref(&wide));
        assert!(found.missing.is_empty() && found.too_much == [wide.clone()]);
        assert!(found.too_much[0].describe().contains("sub is like repo:o/r:*"));
        let office = Ask::Other("IpAddress".to_owned(), vec!["203.0.113.0/24".to_owned()]);
        let narrow = way(&[("sub", is("repo:o/r:ref:refs/heads/main")), ("aws:sourceip", office)]);
        let found = compare(std::slice::from_ref(&main), &[narrow]);
        assert!(found.too_much.is_empty() && found.missing.len() == 1);
        let lax = way(&[("sub", Ask::IfThere(vec![(Glob::literal("repo:o/r:ref:refs/heads/main"), String::new())]))]);
        assert_eq!(compare(&[main], &[lax]).too_much.len(), 1);
        let anyone = Way { issuer: None, ..way(&[]) };
        assert_eq!(compare(&[wide], &[anyone]).too_much.len(), 1);
    }
}
