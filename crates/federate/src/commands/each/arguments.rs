//! `{target}`, `{account}` and `{region}` in a command's arguments.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};

use federate_core::{Error, Place, codes};

const TOKENS: [&str; 3] = ["{target}", "{account}", "{region}"];

/// Where a token begins, and which one it is. `${target}`, `{{target}}` and everything else in braces is somebody else's.
fn find(text: &[u8], from: usize) -> Option<(usize, &'static str)> {
    (from..text.len()).find_map(|at| {
        let token = TOKENS.into_iter().find(|token| text[at..].starts_with(token.as_bytes()))?;
        let is_foreign = at.checked_sub(1).is_some_and(|before| matches!(text[before], b'$' | b'{'))
            || text.get(at + token.len()) == Some(&b'}');
        (!is_foreign).then_some((at, token))
    })
}

fn value<'a>(token: &str, target: &'a str, place: &'a Place) -> Option<&'a str> {
    match token {
        "{target}" => Some(target),
        "{account}" => place.account.as_deref(),
        _ => place.region.as_deref(),
    }
}

/// Does the target have everything that the arguments name?
///
/// # Errors
/// `usage`, with the target and what it lacks.
pub(super) fn check(command: &[OsString], target: &str, place: &Place) -> Result<(), Error> {
    for argument in command {
        let text = argument.as_bytes();
        let mut from = 0;
        while let Some((at, token)) = find(text, from) {
            if value(token, target, place).is_none() {
                let what = token.trim_matches(['{', '}']);
                return Err(Error::new(&codes::USAGE, format!("the arguments name {token}, and the target `{target}` has no {what}"))
                    .with_help(format!("set its {what} in the profile, leave the target out with a narrower -t, or write {{{token}}} to leave the text as it is")));
            }
            from = at + token.len();
        }
    }
    Ok(())
}

/// The argument for one target. Only the exact tokens are replaced, and only once.
pub(super) fn filled(argument: &OsStr, target: &str, place: &Place) -> OsString {
    let text = argument.as_bytes();
    let mut filled = Vec::with_capacity(text.len());
    let mut from = 0;
    while let Some((at, token)) = find(text, from) {
        filled.extend_from_slice(&text[from..at]);
        filled.extend_from_slice(value(token, target, place).unwrap_or(token).as_bytes());
        from = at + token.len();
    }
    filled.extend_from_slice(&text[from..]);
    OsString::from_vec(filled)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place() -> Place {
        Place { account: Some("111122223333".to_owned()), region: Some("{target}".to_owned()) }
    }

    #[test]
    fn only_the_exact_tokens_are_replaced() {
        for (written, expected) in [
            ("-backend-config=key={account}/{target}.tfstate", "-backend-config=key=111122223333/t.tfstate"),
            ("{target}{target}", "tt"),
            ("{region}", "{target}"),
            ("jsonpath='{.items}'", "jsonpath='{.items}'"),
            ("{targets}", "{targets}"),
            ("{ target }", "{ target }"),
            ("${target} ${account:-x}", "${target} ${account:-x}"),
            ("{{target}}", "{{target}}"),
            ("{Target}{target", "{Target}{target"),
            ("{}", "{}"),
            ("", ""),
        ] {
            assert_eq!(filled(OsStr::new(written), "t", &place()), OsStr::new(expected), "{written}");
        }
        let raw = OsStr::from_bytes(b"\xff{target}\xfe");
        assert_eq!(filled(raw, "t", &place()).as_bytes(), b"\xfft\xfe");
    }

    #[test]
    fn what_a_target_lacks_is_told_before_anything_runs() {
        let command = |text: &str| vec![OsString::from("echo"), OsString::from(text)];
        assert!(check(&command("{account} {region}"), "t", &place()).is_ok());
        let error = check(&command("x {region}"), "t", &Place::default()).unwrap_err();
        assert_eq!(error.what(), "the arguments name {region}, and the target `t` has no region");
        assert!(error.help()[0].contains("{{region}}"), "{error:?}");
        assert!(check(&command("{{region}} ${region} {target}"), "t", &Place::default()).is_ok());
    }
}
