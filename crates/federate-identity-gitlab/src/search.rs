//! Finding the token among the job's variables.

use federate_core::{Audiences, Context, Error, IdToken, Issuer, Secret, codes};

use crate::help::id_tokens;

/// Of servers before 17.0, in every job; honoured last.
const LEGACY: &str = "CI_JOB_JWT_V2";
/// Of the same servers; without an audience, so of no use to a cloud.
const USELESS: &[&str] = &["CI_JOB_JWT", "CI_JOB_JWT_V1"];

struct Candidate {
    variable: String,
    token: IdToken,
}

/// Everything in the environment that is, or was meant to be, an ID token.
#[derive(Default)]
struct Found {
    ours: Vec<Candidate>,
    foreign: Vec<(String, String)>,
    broken: Vec<(String, Error)>,
    legacy: Option<Candidate>,
}

/// The token of the variable that the profile names.
pub(crate) fn named(
    context: &Context,
    issuer: &Issuer,
    variable: &str,
    audiences: &Audiences,
) -> Result<IdToken, Error> {
    let Some(raw) = context.env.get(variable) else {
        let state = if context.env.is_set(variable) { "is empty" } else { "is not set" };
        return Err(Error::new(&codes::TOKEN_MISSING, format!("{variable} is to hold the ID token, but it {state}"))
            .with_setting("token_env")
            .with_help(id_tokens(Some(variable), audiences.first()))
            .with_help("a variable that is declared and yet missing means that the GitLab server could not sign: ask its administrator"));
    };
    let token = IdToken::parse(Secret::new(raw), format!("environment variable {variable}"))?;
    token.check_issuer(issuer)?;
    Ok(token)
}

/// The token of this issuer whose audience fits: one audience before a list, `CI_JOB_JWT_V2` last.
pub(crate) fn fitting(context: &Context, issuer: &Issuer, audiences: &Audiences) -> Result<IdToken, Error> {
    let found = look_around(context, issuer);
    let mut fitting: Vec<&Candidate> =
        found.ours.iter().filter(|candidate| audiences.fits(&candidate.token.claims().audiences())).collect();
    let best = fitting.iter().map(|candidate| breadth(&candidate.token)).min();
    fitting.retain(|candidate| Some(breadth(&candidate.token)) == best);
    match fitting.as_slice() {
        [] => {}
        [first, rest @ ..] => {
            if let Some(other) = rest.iter().find(|other| other.token.raw().reveal() != first.token.raw().reveal()) {
                return Err(Error::new(
                    &codes::TOKEN_AMBIGUOUS,
                    format!("{} and {} hold different ID tokens for the same audience", first.variable, other.variable),
                )
                .with_setting("token_env")
                .with_help(format!(
                    "name one: `token_env = \"{}\"` in the profile's GitLab identity",
                    first.variable
                )));
            }
            return Ok(first.token.clone());
        }
    }
    if let Some(legacy) = found.legacy.as_ref().filter(|legacy| audiences.fits(&legacy.token.claims().audiences())) {
        return Ok(legacy.token.clone());
    }
    Err(nothing_fits(found, issuer, audiences))
}

/// For how many a token is: made for one, a list that happens to have one, a list.
fn breadth(token: &IdToken) -> usize {
    let is_list = token.claims().get("aud").is_some_and(serde_json::Value::is_array);
    if is_list { token.claims().audiences().len().min(2) } else { 0 }
}

/// The variables that hold tokens of this issuer.
pub(crate) fn variables(context: &Context, issuer: &Issuer) -> Vec<String> {
    let found = look_around(context, issuer);
    found
        .ours
        .into_iter()
        .chain(found.legacy)
        .map(|candidate| candidate.variable)
        .chain(USELESS.iter().filter(|name| context.env.is_set(name)).map(|name| (*name).to_owned()))
        .collect()
}

fn look_around(context: &Context, issuer: &Issuer) -> Found {
    let mut found = Found::default();
    for (name, value) in context.env.iter() {
        let meant_as_one = name.ends_with("_ID_TOKEN") || name == LEGACY;
        if USELESS.contains(&name) || !(meant_as_one || IdToken::looks_like_one(value)) {
            continue;
        }
        match IdToken::parse(Secret::new(value), format!("environment variable {name}")) {
            Ok(token) if token.claims().issuer() == Some(issuer.as_str()) => {
                let candidate = Candidate { variable: name.to_owned(), token };
                if name == LEGACY { found.legacy = Some(candidate) } else { found.ours.push(candidate) }
            }
            Ok(token) => {
                found.foreign.push((name.to_owned(), token.claims().issuer().unwrap_or("no issuer").to_owned()))
            }
            Err(error) => found.broken.push((name.to_owned(), error)),
        }
    }
    found
}

fn nothing_fits(mut found: Found, issuer: &Issuer, audiences: &Audiences) -> Error {
    let lines = id_tokens(None, audiences.first());
    let broken_notes: Vec<String> = found.broken.iter().map(|(name, error)| format!("{name}: {error}")).collect();
    found.ours.extend(found.legacy.take());
    let error = if !found.ours.is_empty() {
        let seen: Vec<String> = found
            .ours
            .iter()
            .map(|candidate| format!("{} is for {}", candidate.variable, shown(&candidate.token)))
            .collect();
        Error::new(&codes::TOKEN_AUDIENCE, format!("none of this job's ID tokens is for {audiences}"))
            .with_cause(seen.join("; "))
            .with_help(lines)
    } else if let [(_, only)] = found.broken.as_slice() {
        return only.clone().with_help(lines);
    } else if !found.foreign.is_empty() {
        let seen: Vec<String> = found.foreign.iter().map(|(name, issuer)| format!("{name} is from {issuer}")).collect();
        Error::new(&codes::TOKEN_ISSUER, format!("this job has no ID token from {issuer}"))
            .with_cause(seen.join("; "))
            .with_setting("issuer")
            .with_help("if this is the right GitLab, write the issuer of its tokens into `issuer` of the profile's GitLab identity")
            .with_help(lines)
    } else {
        Error::new(&codes::TOKEN_MISSING, "this job has no ID token")
            .with_help(lines)
            .with_help("if the lines are there already, the GitLab server could not sign (GitLab leaves the variable out then): ask its administrator")
    };
    if broken_notes.is_empty() { error } else { error.with_help(format!("not usable: {}", broken_notes.join("; "))) }
}

fn shown(token: &IdToken) -> String {
    let audiences = token.claims().audiences();
    if audiences.is_empty() { "no audience".to_owned() } else { audiences.join(" and ") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use federate_core::testing::{fixture, jwt};
    use serde_json::{Value, json};

    fn issuer() -> Issuer {
        Issuer::parse("https://gitlab.com").unwrap()
    }

    fn token(audience: Value, jti: &str) -> String {
        jwt(&json!({"iss": "https://gitlab.com", "aud": audience, "jti": jti, "secret": "canary"}))
    }

    fn find(variables: &[(&str, &str)]) -> Result<IdToken, Error> {
        fitting(&fixture(variables, |_| false).context, &issuer(), &Audiences::one("aws"))
    }

    fn refusal(variables: &[(&str, &str)]) -> (String, String) {
        let error = find(variables).unwrap_err();
        let text = format!("{error:?}");
        assert!(!text.contains("canary") && !text.contains("eyJ"), "{text}");
        (error.code().name.to_owned(), text)
    }

    #[test]
    fn takes_the_one_that_fits_and_a_single_audience_before_a_list() {
        let (one, list, other) =
            (token(json!("aws"), "1"), token(json!(["aws", "x"]), "2"), token(json!("azure"), "3"));
        let found = find(&[("A", &list), ("B", &one), ("C", &other)]).unwrap();
        assert_eq!(found.source(), "environment variable B");
        assert_eq!(find(&[("A", &list), ("C", &other)]).unwrap().source(), "environment variable A");
        let list_of_one = token(json!(["aws"]), "4");
        assert_eq!(find(&[("A", &list_of_one), ("B", &one)]).unwrap().source(), "environment variable B");
        assert_eq!(find(&[("A", &list), ("B", &list_of_one)]).unwrap().source(), "environment variable B");
    }

    #[test]
    fn two_different_tokens_that_fit_alike_are_named() {
        let (one, two) = (token(json!("aws"), "1"), token(json!("aws"), "2"));
        let (code, text) = refusal(&[("A", &one), ("B", &two)]);
        assert!(code == "token-ambiguous" && text.contains("A and B"), "{text}");
        assert!(find(&[("A", &one), ("B", &one)]).is_ok(), "the same token twice is one token");
    }

    #[test]
    fn the_legacy_variable_comes_last_and_its_predecessor_never() {
        let (old, new) = (token(json!("aws"), "1"), token(json!("aws"), "2"));
        assert_eq!(find(&[("CI_JOB_JWT_V2", &old), ("Z", &new)]).unwrap().source(), "environment variable Z");
        assert_eq!(find(&[("CI_JOB_JWT_V2", &old)]).unwrap().source(), "environment variable CI_JOB_JWT_V2");
        assert_eq!(refusal(&[("CI_JOB_JWT", &old)]).0, "token-missing");
    }

    #[test]
    fn what_is_missing_is_said_with_the_lines_to_add() {
        let (code, text) = refusal(&[]);
        assert_eq!(code, "token-missing");
        assert!(text.contains("id_tokens:\n    AWS_ID_TOKEN:\n      aud: aws"), "{text}");
        let (code, text) = refusal(&[("AZURE_ID_TOKEN", &token(json!("azure"), "1"))]);
        assert!(code == "token-audience" && text.contains("AZURE_ID_TOKEN is for azure"), "{text}");
        let foreign = jwt(&json!({"iss": "https://gitlab.example.com", "aud": "aws"}));
        let (code, text) = refusal(&[("X", &foreign)]);
        assert!(code == "token-issuer" && text.contains("X is from https://gitlab.example.com"), "{text}");
    }

    #[test]
    fn a_broken_token_is_not_no_token() {
        let whole = token(json!("aws"), "1");
        for broken in ["canary", &whole[..whole.len() / 2], &format!("{whole}=="), &"x".repeat(20_480)] {
            assert_eq!(refusal(&[("AWS_ID_TOKEN", broken)]).0, "token-malformed");
        }
    }

    #[test]
    fn a_named_variable_is_the_only_one() {
        let right = token(json!("aws"), "1");
        let fixture = fixture(&[("A", &right), ("EMPTY", "")], |_| false);
        let ask = |name: &str| named(&fixture.context, &issuer(), name, &Audiences::one("aws"));
        assert!(ask("A").is_ok());
        assert!(ask("EMPTY").unwrap_err().what().contains("is empty"));
        assert!(ask("B").unwrap_err().what().contains("is not set"));
        assert_eq!(variables(&fixture.context, &issuer()), ["A"]);
    }
}
