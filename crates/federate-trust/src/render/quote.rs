//! Any text as a literal of a language.

use std::fmt::Write as _;

/// JSON, and so TypeScript and YAML: characters that one of them takes for a line's end, or that cannot be seen, are
/// escaped.
pub fn json(text: &str) -> String {
    let mut out = String::from("\"");
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            hidden if is_hidden(hidden) => {
                let _ = write!(out, "\\u{:04x}", u32::from(hidden));
            }
            other => out.push(other),
        }
    }
    out.push('"');
    out
}

/// HCL (Terraform), where `${` and `%{` begin templates.
pub fn hcl(text: &str) -> String {
    let quoted = json(text);
    quoted.replace("${", "$${").replace("%{", "%%{")
}

/// Bicep, in single quotes, where `${` begins an expression.
pub fn bicep(text: &str) -> String {
    let mut out = String::from("'");
    for character in text.chars() {
        match character {
            '\'' => out.push_str("\\'"),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            hidden if is_hidden(hidden) => {
                let _ = write!(out, "\\u{{{:x}}}", u32::from(hidden));
            }
            other => out.push(other),
        }
    }
    out.push('\'');
    out.replace("${", "\\${")
}

/// A POSIX shell's word, in single quotes where it has to be.
pub fn sh(text: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./:,@".contains(&byte);
    if !text.is_empty() && text.bytes().all(is_plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', "'\\''"))
}

/// What a script says to shellcheck where one of its texts looks like something that a shell should have replaced; empty
/// where none does.
pub fn sh_literal<'a>(texts: impl IntoIterator<Item = &'a str>) -> &'static str {
    let is_odd = texts.into_iter().any(|text| text.contains(['$', '`']));
    if is_odd { "# shellcheck disable=SC2016\n" } else { "" }
}

/// Part of a comment: one line, with nothing in it that cannot be seen.
pub fn comment(text: &str) -> String {
    text.chars().map(|character| if is_hidden(character) { ' ' } else { character }).collect()
}

/// Is it a control character, a line's end in some language, or something that turns the direction of what is read?
fn is_hidden(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn hostile_texts_stay_texts() {
        let hostile = "a\"b'c\\d${e}%{f}`g`\n$(h)\u{2028}";
        assert_eq!(json(hostile), r#""a\"b'c\\d${e}%{f}`g`\n$(h)\u2028""#);
        assert_eq!(hcl(hostile), r#""a\"b'c\\d$${e}%%{f}`g`\n$(h)\u2028""#);
        assert_eq!(bicep(hostile), r#"'a"b\'c\\d\${e}%{f}`g`\n$(h)\u{2028}'"#);
        assert_eq!(sh(hostile), "'a\"b'\\''c\\d${e}%{f}`g`\n$(h)\u{2028}'");
        assert_eq!(sh("plain-1.2/x:y,z@w"), "plain-1.2/x:y,z@w");
        assert_eq!(sh(""), "''");
        assert_eq!(comment("a\n$(b)\r\u{202e}c"), "a $(b)  c");
    }

    proptest! {
        #[test]
        fn what_is_quoted_as_json_is_read_again(text in "\\PC{0,24}|[\\x00-\\x1f\"\\\\$%{}'`]{0,12}") {
            prop_assert_eq!(serde_json::from_str::<String>(&json(&text)).unwrap(), text);
        }
    }
}
