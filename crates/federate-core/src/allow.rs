//! Who is meant to get in, in a form that no cloud and no CI system owns.

use std::fmt;

use crate::claims::Claims;
use crate::issuer::Issuer;

/// A text that must stand exactly so, or a pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern(Vec<Piece>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    /// Any run of characters, also none.
    Any,
    /// One or more ASCII digits: an id that is not known beforehand.
    Digits,
}

/// A piece of a pattern, for clouds that have to say it in a language of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PatternPart<'a> {
    /// This text, literally.
    Text(&'a str),
    /// Any run of characters, also none.
    Any,
    /// One or more ASCII digits.
    Digits,
}

impl Pattern {
    /// The pieces, in order.
    pub fn parts(&self) -> impl Iterator<Item = PatternPart<'_>> {
        self.0.iter().map(|piece| match piece {
            Piece::Text(text) => PatternPart::Text(text),
            Piece::Any => PatternPart::Any,
            Piece::Digits => PatternPart::Digits,
        })
    }

    /// Exactly this text; `*` means itself.
    pub fn exact(text: impl Into<String>) -> Self {
        Self(vec![Piece::Text(text.into())])
    }

    /// Nothing yet; build on with [`Pattern::then`], [`Pattern::then_glob`], [`Pattern::then_digits`].
    pub fn empty() -> Self {
        Self(Vec::new())
    }

    /// Goes on with this text.
    #[must_use]
    pub fn then(mut self, text: impl Into<String>) -> Self {
        self.0.push(Piece::Text(text.into()));
        self
    }

    /// Goes on with this pattern, in which `*` is any run of characters.
    #[must_use]
    pub fn then_glob(mut self, glob: &str) -> Self {
        for (index, text) in glob.split('*').enumerate() {
            if index > 0 {
                self.0.push(Piece::Any);
            }
            if !text.is_empty() {
                self.0.push(Piece::Text(text.to_owned()));
            }
        }
        self
    }

    /// Goes on with one or more digits.
    #[must_use]
    pub fn then_digits(mut self) -> Self {
        self.0.push(Piece::Digits);
        self
    }

    /// Goes on with another pattern.
    #[must_use]
    pub fn then_pattern(mut self, other: &Self) -> Self {
        self.0.extend(other.0.iter().cloned());
        self
    }

    /// The text, if the pattern is one and nothing else.
    pub fn as_exact(&self) -> Option<String> {
        self.0.iter().map(|piece| if let Piece::Text(text) = piece { Some(text.as_str()) } else { None }).collect()
    }

    /// A text that the pattern matches: `any` stands for every run of characters, `digits` for every id.
    pub fn example(&self, any: &str, digits: &str) -> String {
        let texts = self.0.iter().map(|piece| match piece {
            Piece::Text(text) => text.as_str(),
            Piece::Any => any,
            Piece::Digits => digits,
        });
        texts.collect()
    }

    /// Does the pattern match the whole text? Case matters.
    pub fn matches(&self, text: &str) -> bool {
        fn from(pieces: &[Piece], text: &str) -> bool {
            match pieces.split_first() {
                None => text.is_empty(),
                Some((Piece::Text(literal), rest)) => {
                    text.strip_prefix(literal.as_str()).is_some_and(|left| from(rest, left))
                }
                Some((Piece::Any, rest)) => {
                    (0..=text.len()).filter(|at| text.is_char_boundary(*at)).any(|at| from(rest, &text[at..]))
                }
                Some((Piece::Digits, rest)) => {
                    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
                    (1..=digits).rev().any(|at| from(rest, &text[at..]))
                }
            }
        }
        from(&self.0, text)
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for piece in &self.0 {
            match piece {
                Piece::Text(text) => formatter.write_str(text)?,
                Piece::Any => formatter.write_str("*")?,
                Piece::Digits => formatter.write_str("<id>")?,
            }
        }
        Ok(())
    }
}

/// One entry of an `allow` list: the token must come from the issuer, have one of the subjects, and all the claims.
#[derive(Clone, Debug, PartialEq)]
pub struct ClaimPattern {
    /// The adapter that read the entry (`gitlab`).
    pub provider: &'static str,
    /// `iss`.
    pub issuer: Issuer,
    /// The entry for people: `project mygroup/myproject, branch main`.
    pub label: String,
    /// Alternatives for `sub`; empty where the entry is told by other claims alone.
    pub subjects: Vec<Pattern>,
    /// Claims that must all match as well.
    pub claims: Vec<(String, Pattern)>,
    /// Claims that must not be there (an environment, where a branch was asked for).
    pub absent: Vec<String>,
}

/// Why a token does not match an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mismatch {
    /// The claim.
    pub claim: String,
    /// What the entry asks for.
    pub expected: String,
    /// What the token says, if anything.
    pub actual: Option<String>,
}

impl fmt::Display for Mismatch {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let actual = self.actual.as_deref().map_or_else(|| "missing".to_owned(), |actual| format!("`{actual}`"));
        write!(formatter, "`{}` is {actual}, expected {}", self.claim, self.expected)
    }
}

impl ClaimPattern {
    /// Everything in which the token differs from the entry; empty if the entry admits it.
    pub fn mismatches(&self, claims: &Claims) -> Vec<Mismatch> {
        let mut found = Vec::new();
        if claims.issuer() != Some(self.issuer.as_str()) {
            found.push(Mismatch {
                claim: "iss".to_owned(),
                expected: format!("`{}`", self.issuer),
                actual: claims.issuer().map(str::to_owned),
            });
        }
        let subject = claims.subject();
        if !self.subjects.is_empty()
            && !subject.is_some_and(|subject| self.subjects.iter().any(|pattern| pattern.matches(subject)))
        {
            let expected = self.subjects.iter().map(|pattern| format!("`{pattern}`")).collect::<Vec<_>>().join(" or ");
            found.push(Mismatch { claim: "sub".to_owned(), expected, actual: subject.map(str::to_owned) });
        }
        for (name, pattern) in &self.claims {
            let actual = claims.text(name);
            if !actual.as_deref().is_some_and(|actual| pattern.matches(actual)) {
                found.push(Mismatch { claim: name.clone(), expected: format!("`{pattern}`"), actual });
            }
        }
        for name in &self.absent {
            if let Some(actual) = claims.text(name) {
                found.push(Mismatch {
                    claim: name.clone(),
                    expected: "no such claim".to_owned(),
                    actual: Some(actual),
                });
            }
        }
        found
    }

    /// Does the entry let this token in?
    pub fn admits(&self, claims: &Claims) -> bool {
        self.mismatches(claims).is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn patterns_match_whole_texts() {
        let glob = Pattern::empty().then("ref:").then_glob("release/*");
        assert!(glob.matches("ref:release/1") && glob.matches("ref:release/"));
        assert!(!glob.matches("ref:release") && !glob.matches("xref:release/1"));
        assert!(!Pattern::exact("a*").matches("ab") && Pattern::exact("a*").matches("a*"));
        let ids = Pattern::empty().then("repo:o@").then_digits().then("/r@").then_digits().then(":x");
        assert!(ids.matches("repo:o@12/r@7:x"));
        assert!(!ids.matches("repo:o@/r@7:x") && !ids.matches("repo:o@12x/r@7:x"));
        assert_eq!(ids.to_string(), "repo:o@<id>/r@<id>:x");
        assert_eq!(ids.as_exact(), None);
        assert_eq!(ids.example("", "7"), "repo:o@7/r@7:x");
        assert!(glob.matches(&glob.example("main", "")));
        assert_eq!(Pattern::exact("x").then("y").as_exact().as_deref(), Some("xy"));
    }

    #[test]
    fn all_mismatches_are_named() {
        let entry = ClaimPattern {
            provider: "gitlab",
            issuer: Issuer::parse("https://gitlab.com").unwrap(),
            label: "project g/p, branch main".to_owned(),
            subjects: vec![Pattern::exact("project_path:g/p:ref_type:branch:ref:main")],
            claims: vec![("ref_protected".to_owned(), Pattern::exact("true"))],
            absent: Vec::new(),
        };
        let claims = |value: serde_json::Value| Claims::new(value.as_object().unwrap().clone());
        assert!(entry.admits(&claims(json!({"iss": "https://gitlab.com", "sub": "project_path:g/p:ref_type:branch:ref:main", "ref_protected": "true"}))));
        let wrong = entry.mismatches(&claims(json!({"iss": "https://evil.test", "sub": "x"})));
        assert_eq!(
            wrong.iter().map(|mismatch| mismatch.claim.as_str()).collect::<Vec<_>>(),
            ["iss", "sub", "ref_protected"]
        );
        assert_eq!(wrong[2].to_string(), "`ref_protected` is missing, expected `true`");
    }
}
