//! The language of flexible credentials: `claims['x'] eq|matches '…'`, joined by `and`.
//! <https://learn.microsoft.com/entra/workload-id/workload-identities-flexible-federated-identity-credentials>

use federate_core::suggest::nearest;
use federate_trust::Glob;

/// One comparison.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Term {
    pub(super) claim: String,
    pub(super) operator: Operator,
    pub(super) value: String,
}

/// How it compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operator {
    /// Byte by byte.
    Eq,
    /// With `*` for any run of characters and `?` for one.
    Matches,
}

impl Operator {
    /// As written.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Eq => "eq",
            Self::Matches => "matches",
        }
    }
}

impl Term {
    /// Does the claim's value fit?
    pub(super) fn holds(&self, actual: &str) -> bool {
        match self.operator {
            Operator::Eq => self.value == actual,
            Operator::Matches => Glob::parse(&self.value).matches(actual),
        }
    }
}

/// Reads an expression, or says what Entra would reject in it.
pub(super) fn parse(text: &str) -> Result<Vec<Term>, String> {
    let mut terms = Vec::new();
    let mut rest = text.trim();
    loop {
        let (term, behind) = term(rest)?;
        terms.push(term);
        if behind.is_empty() {
            return Ok(terms);
        }
        let (word, _) = word(behind.trim_start());
        if word != "and" {
            return Err(format!("`{word}`: terms are joined by `and`, and there is nothing else to join them by"));
        }
        rest = spaced(behind, "and")?;
    }
}

fn term(text: &str) -> Result<(Term, &str), String> {
    let shape = "a term is claims['NAME'] eq 'VALUE' or claims['NAME'] matches 'PATTERN'";
    let rest = text.strip_prefix("claims[").ok_or_else(|| format!("{shape}; this begins with `{}`", word(text).0))?;
    let (claim, rest) = quoted(rest)?;
    let rest = rest.strip_prefix(']').ok_or_else(|| format!("{shape}; a ] is missing"))?;
    let (name, _) = word(rest.trim_start());
    let operator = match name {
        "eq" => Operator::Eq,
        "matches" => Operator::Matches,
        other => {
            let near = nearest(other, ["eq", "matches"]).map(|near| format!(", did you mean `{near}`?"));
            return Err(format!("there is no operator `{other}`: eq and matches are all{}", near.unwrap_or_default()));
        }
    };
    let (value, rest) = quoted(spaced(rest, name)?)?;
    Ok((Term { claim, operator, value }, rest))
}

/// What stands behind the word, which is "separated from the claim lookup and comparand by a single space".
fn spaced<'a>(text: &'a str, word: &str) -> Result<&'a str, String> {
    let behind = text.strip_prefix(' ').and_then(|text| text.strip_prefix(word));
    let behind = behind.and_then(|text| if text.is_empty() { Some(text) } else { text.strip_prefix(' ') });
    let behind = behind.filter(|text| !text.starts_with(char::is_whitespace));
    behind.ok_or_else(|| format!("one space stands on either side of `{word}`, and no more"))
}

fn word(text: &str) -> (&str, &str) {
    text.split_at(text.find(char::is_whitespace).unwrap_or(text.len()))
}

/// A text in single quotes; a doubled quote stands for one.
fn quoted(text: &str) -> Result<(String, &str), String> {
    let Some(mut rest) = text.strip_prefix('\'') else {
        return Err(format!("values and names stand in single quotes; this is `{}`", word(text).0));
    };
    let mut value = String::new();
    loop {
        let Some((before, behind)) = rest.split_once('\'') else {
            return Err("a single quote is not closed".to_owned());
        };
        value.push_str(before);
        match behind.strip_prefix('\'') {
            Some(more) => {
                value.push('\'');
                rest = more;
            }
            None => return Ok((value, behind)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_are_read() {
        let terms = parse("claims['sub'] matches 'repo:o/r:*' and claims['repository_id'] eq '7'").unwrap();
        assert_eq!(terms.len(), 2);
        assert!(terms[0].holds("repo:o/r:pull_request") && !terms[1].holds("8"));
        assert_eq!(parse("claims['sub'] eq 'it''s'").unwrap()[0].value, "it's");
    }

    #[test]
    fn what_entra_rejects_is_named() {
        for (text, expected) in [
            ("claims['sub'] eq 'a' or claims['sub'] eq 'b'", "or"),
            ("claims['sub'] startsWith 'a'", "startsWith"),
            ("claims[\"sub\"] eq \"a\"", "single quotes"),
            ("claims['sub'] eq 'a", "not closed"),
            ("claims['sub'] eq 'a' and", "a term is"),
            ("sub eq 'a'", "a term is"),
            ("", "a term is"),
            ("claims['sub' eq 'a'", "]"),
            ("claims['sub'] match 'a'", "matches"),
            ("claims['sub']  eq 'a'", "one space"),
            ("claims['sub'] eq  'a'", "one space"),
            ("claims['sub']\teq 'a'", "one space"),
            ("claims['sub'] eq 'a'  and claims['sub'] eq 'a'", "one space"),
            ("claims['sub'] eq 'a'and claims['sub'] eq 'a'", "one space"),
            ("claims['sub'] eq 'a'\nand claims['sub'] eq 'a'", "one space"),
            ("claims[ 'sub'] eq 'a'", "single quotes"),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }
}
