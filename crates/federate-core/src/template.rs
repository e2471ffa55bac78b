//! Placeholders in settings: `{env:NAME}`, `{claim:NAME}`, `{matrix:KEY}`, `{profile}`, `{target}`; `{{` is a literal brace.

/// One piece of a text with placeholders.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// Literal text.
    Text(String),
    /// `{env:NAME}`: an environment variable.
    Env(String),
    /// `{claim:NAME}`: a claim of the ID token.
    Claim(String),
    /// `{matrix:KEY}`: a value of the matrix that made the target.
    Matrix(String),
    /// `{profile}`: the profile's name.
    Profile,
    /// `{target}`: the target's name.
    Target,
}

/// Reads a text into its parts.
///
/// # Errors
/// One sentence for a brace that opens no known placeholder.
pub fn parse(text: &str) -> Result<Vec<Part>, String> {
    let mut parts = Vec::new();
    let mut literal = String::new();
    let mut rest = text;
    while let Some(open) = rest.find('{') {
        literal.push_str(&rest[..open]);
        rest = &rest[open + 1..];
        if let Some(after) = rest.strip_prefix('{') {
            literal.push('{');
            rest = after;
            continue;
        }
        let Some(close) = rest.find('}') else {
            return Err(format!(
                "`{text}` opens a placeholder with `{{` and never closes it; a literal brace is written `{{{{`"
            ));
        };
        let inside = &rest[..close];
        rest = &rest[close + 1..];
        let part = match inside.split_once(':') {
            // Filling is one pass: a placeholder inside of another would be taken for its name.
            _ if inside.contains('{') => {
                return Err(format!(
                    "`{text}` has a placeholder inside of another, and a literal brace is written `{{{{`"
                ));
            }
            Some(("env", name)) if !name.is_empty() => Part::Env(name.to_owned()),
            Some(("claim", name)) if !name.is_empty() => Part::Claim(name.to_owned()),
            Some(("matrix", key)) if !key.is_empty() => Part::Matrix(key.to_owned()),
            None if inside == "profile" => Part::Profile,
            None if inside == "target" => Part::Target,
            _ => {
                return Err(format!(
                    "`{{{inside}}}` is not a placeholder; there are {{env:NAME}}, {{claim:NAME}}, {{matrix:KEY}}, {{profile}} and {{target}}, and a literal brace is written `{{{{`"
                ));
            }
        };
        if !literal.is_empty() {
            parts.push(Part::Text(std::mem::take(&mut literal)));
        }
        parts.push(part);
    }
    literal.push_str(rest);
    if !literal.is_empty() {
        parts.push(Part::Text(literal));
    }
    Ok(parts)
}

/// Is there no brace in the text at all, so that it means itself and can be validated as it stands?
pub fn is_literal(text: &str) -> bool {
    !text.contains('{')
}

/// Could the text, its placeholders filled with anything but `/`, be this value? For a sandbox that has to recognise a
/// role by its template. A text that cannot be parsed matches itself alone.
pub fn could_be(text: &str, value: &str) -> bool {
    fn from(parts: &[Part], value: &str) -> bool {
        match parts.split_first() {
            None => value.is_empty(),
            Some((Part::Text(literal), rest)) => {
                value.strip_prefix(literal.as_str()).is_some_and(|left| from(rest, left))
            }
            Some((_, rest)) => {
                let longest = value.find('/').unwrap_or(value.len());
                (1..=longest).filter(|at| value.is_char_boundary(*at)).any(|at| from(rest, &value[at..]))
            }
        }
    }
    parse(text).map_or(text == value, |parts| from(&parts, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_placeholders_and_literal_braces() {
        assert_eq!(
            parse("a-{env:X}-{claim:project_id}{{b}").unwrap(),
            [
                Part::Text("a-".into()),
                Part::Env("X".into()),
                Part::Text("-".into()),
                Part::Claim("project_id".into()),
                Part::Text("{b}".into())
            ]
        );
        assert_eq!(parse("{profile}/{target}").unwrap(), [Part::Profile, Part::Text("/".into()), Part::Target]);
        assert_eq!(parse("{matrix:account}").unwrap(), [Part::Matrix("account".into())]);
        assert_eq!(parse("").unwrap(), []);
        assert_eq!(
            parse("{claim:https://aws.amazon.com/x}").unwrap(),
            [Part::Claim("https://aws.amazon.com/x".into())]
        );
    }

    #[test]
    fn says_what_is_wrong() {
        assert!(parse("{env:X").unwrap_err().contains("never closes"));
        assert!(parse("{branch}").unwrap_err().contains("{claim:NAME}"));
        assert!(parse("{env:}").unwrap_err().contains("not a placeholder"));
        assert!(parse("{env:{claim:sub}}").unwrap_err().contains("inside of another"));
        assert!(parse("{env:A{{b}").unwrap_err().contains("inside of another"));
    }

    #[test]
    fn a_template_recognises_its_values() {
        assert!(could_be("arn:aws:iam::1:role/{env:ROLE}", "arn:aws:iam::1:role/deploy"));
        assert!(!could_be("arn:aws:iam::1:role/{env:ROLE}", "arn:aws:iam::1:role/"));
        assert!(!could_be("arn:aws:iam::1:role/{env:ROLE}", "arn:aws:iam::1:role/path/deploy"));
        assert!(could_be("plain", "plain") && !could_be("plain", "plainer"));
    }

    proptest::proptest! {
        #[test]
        fn parsing_never_panics(text in ".{0,80}") {
            let _ = parse(&text);
        }
    }
}
