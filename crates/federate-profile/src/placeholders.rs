//! `{env:…}`, `{claim:…}`, `{profile}`, `{target}` in a section's texts, each where its adapter lets it stand.

use federate_core::suggest::nearest;
use federate_core::template::{self, Part};
use federate_core::{Claims, Env, Error, IdToken, PlaceholderRule, codes as core_codes};
use figment::value::Value;

use crate::codes;
use crate::layer::{KeyPath, dotted};
use crate::registry::Registry;

/// Variables of which everybody knows that they hold a credential.
const CREDENTIALS: &[&str] = &[
    "ARM_ACCESS_KEY",
    "AWS_BEARER_TOKEN_BEDROCK",
    "CIRCLE_OIDC_TOKEN_V2",
    "CI_JOB_JWT",
    "CI_JOB_JWT_V1",
    "CI_JOB_JWT_V2",
    "CI_REPOSITORY_URL",
    "DOCKER_AUTH_CONFIG",
    "HTTPS_PROXY",
    "HTTP_PROXY",
    "SYSTEM_ACCESSTOKEN",
];

/// Endings that nobody gives to anything but a credential.
const CREDENTIAL_ENDINGS: &[&str] =
    &["_PASSWORD", "_SECRET", "_SECRET_KEY", "_SECRET_ACCESS_KEY", "_PRIVATE_KEY", "_TOKEN", "_API_KEY"];

/// What placeholders are filled with.
pub(crate) struct Filling<'a> {
    pub(crate) env: &'a Env,
    pub(crate) profile: &'a str,
    pub(crate) target: &'a str,
    /// `None` leaves `{claim:…}` as written.
    pub(crate) claims: Option<&'a Claims>,
}

/// Checks that every placeholder stands where it may. `matrix` has the keys of the section's matrix, if it has one.
pub(crate) fn check(
    registry: &Registry,
    rule: fn(&str) -> PlaceholderRule,
    section: &Value,
    matrix: Option<&[String]>,
) -> Vec<Error> {
    let mut errors = Vec::new();
    walk(section, &mut Vec::new(), &mut |path, text| {
        let found = check_text(registry, rule(&rule_key(path)), text, matrix);
        errors.extend(found.into_iter().map(|error| error.with_setting(dotted(path))));
    });
    errors
}

fn check_text(registry: &Registry, rule: PlaceholderRule, text: &str, matrix: Option<&[String]>) -> Vec<Error> {
    if matches!(rule, PlaceholderRule::Raw) {
        return Vec::new();
    }
    let invalid = |what: String| Error::new(&core_codes::PLACEHOLDER_INVALID, what);
    let parts = match template::parse(text) {
        Ok(parts) => parts,
        Err(what) => return vec![invalid(what)],
    };
    if matches!(rule, PlaceholderRule::Forbidden) {
        return refused(text, &parts).into_iter().collect();
    }
    let check = |part: &Part| match part {
        Part::Claim(name) if matches!(rule, PlaceholderRule::ImmutableClaims) && !registry.is_immutable_claim(name) => {
            let what = format!("`{{claim:{name}}}` may not stand here: whoever starts the job can choose its value");
            Some(invalid(what).with_help(
                "only ids that nobody can choose may decide whom the job becomes (project_id, repository_id, …)",
            ))
        }
        Part::Env(name) if known_credential(name) => Some(credential(name)),
        Part::Matrix(key) => known_key(key, matrix).err(),
        _ => None,
    };
    parts.iter().filter_map(check).collect()
}

/// Refuses a placeholder where none may stand; `None` for a text without any.
pub(crate) fn forbidden(text: &str) -> Option<Error> {
    refused(text, &template::parse(text).ok()?)
}

fn refused(text: &str, parts: &[Part]) -> Option<Error> {
    let has_placeholder = parts.iter().any(|part| !matches!(part, Part::Text(_)));
    has_placeholder.then(|| {
        Error::new(
            &core_codes::PLACEHOLDER_INVALID,
            format!("no placeholder may stand here, and `{text}` has one"),
        )
        .with_help("endpoints, hosts, issuers, audiences and paths decide where tokens go, and `allow` who gets in, so they are written out; use a profile for each")
    })
}

/// Is this a key of the section's matrix?
///
/// # Errors
/// `placeholder-invalid`.
pub(crate) fn known_key(key: &str, matrix: Option<&[String]>) -> Result<(), Error> {
    let Some(keys) = matrix else {
        let what = format!("`{{matrix:{key}}}` stands for a value of the target's matrix, and this target has none");
        return Err(Error::new(&core_codes::PLACEHOLDER_INVALID, what)
            .with_help(format!("write the value, or add it: matrix = {{ {key} = [\"…\"] }}")));
    };
    if keys.iter().any(|known| known == key) {
        return Ok(());
    }
    let error = Error::new(&core_codes::PLACEHOLDER_INVALID, format!("the matrix has no `{key}`"));
    Err(match nearest(key, keys.iter().map(String::as_str)) {
        Some(near) => error.with_help(format!("did you mean `{{matrix:{near}}}`?")),
        None => error.with_help(format!("it has {}", keys.join(", "))),
    })
}

/// Fills `{matrix:…}` alone; what is left is read as a template again, so braces of the values are doubled.
pub(crate) fn fill_matrix(
    rule: fn(&str) -> PlaceholderRule,
    section: &Value,
    value: &dyn Fn(&str) -> Result<String, Error>,
) -> Result<Value, Vec<Error>> {
    let mut errors = Vec::new();
    let filled = map(section, &mut Vec::new(), &mut |path, text| {
        if matches!(rule(&rule_key(path)), PlaceholderRule::Raw) || !text.contains("{matrix:") {
            return text.to_owned();
        }
        fill_matrix_text(text, value).unwrap_or_else(|error| {
            errors.push(error.with_setting(dotted(path)));
            text.to_owned()
        })
    });
    if errors.is_empty() { Ok(filled) } else { Err(errors) }
}

/// As [`fill_matrix`], for one text.
pub(crate) fn fill_matrix_text(text: &str, value: &dyn Fn(&str) -> Result<String, Error>) -> Result<String, Error> {
    let parts = template::parse(text).map_err(|what| Error::new(&core_codes::PLACEHOLDER_INVALID, what))?;
    parts
        .iter()
        .map(|part| match part {
            Part::Text(text) => Ok(text.replace('{', "{{")),
            Part::Matrix(key) => Ok(value(key)?.replace('{', "{{")),
            Part::Env(name) => Ok(format!("{{env:{name}}}")),
            Part::Claim(name) => Ok(format!("{{claim:{name}}}")),
            Part::Profile => Ok("{profile}".to_owned()),
            Part::Target => Ok("{target}".to_owned()),
        })
        .collect()
}

/// Fills the placeholders of a section.
///
/// # Errors
/// `env-unset`, `claim-unknown`, `env-credential`, each naming its key.
pub(crate) fn fill(
    rule: fn(&str) -> PlaceholderRule,
    section: &Value,
    filling: &Filling<'_>,
) -> Result<Value, Vec<Error>> {
    let mut errors = Vec::new();
    let filled = map(section, &mut Vec::new(), &mut |path, text| {
        fill_text(rule(&rule_key(path)), text, filling).unwrap_or_else(|found| {
            errors.extend(found.into_iter().map(|error| error.with_setting(dotted(path))));
            text.to_owned()
        })
    });
    if errors.is_empty() { Ok(filled) } else { Err(errors) }
}

/// Fills what can be filled; the other placeholders stand as written.
pub(crate) fn fill_known(rule: fn(&str) -> PlaceholderRule, section: &Value, filling: &Filling<'_>) -> Value {
    map(section, &mut Vec::new(), &mut |path, text| {
        fill_text(rule(&rule_key(path)), text, filling).unwrap_or_else(|_| text.to_owned())
    })
}

fn fill_text(rule: PlaceholderRule, text: &str, filling: &Filling<'_>) -> Result<String, Vec<Error>> {
    if matches!(rule, PlaceholderRule::Raw) || template::is_literal(text) {
        return Ok(text.to_owned());
    }
    let invalid = |what| vec![Error::new(&core_codes::PLACEHOLDER_INVALID, what)];
    let parts = template::parse(text).map_err(invalid)?;
    let waits = filling.claims.is_none() && parts.iter().any(|part| matches!(part, Part::Claim(_)));
    // What is filled later is read as a template again, so a brace of its own must stay doubled until then.
    let literal = |text: &str| if waits { text.replace('{', "{{") } else { text.to_owned() };
    let mut filled = String::new();
    let mut errors = Vec::new();
    for part in &parts {
        let value = match part {
            Part::Text(text) => Ok(literal(text)),
            Part::Env(name) => variable(filling.env, name).map(|value| literal(&value)),
            Part::Profile => Ok(filling.profile.to_owned()),
            Part::Target => Ok(filling.target.to_owned()),
            Part::Matrix(key) => known_key(key, None).map(|()| String::new()),
            Part::Claim(name) => match filling.claims {
                None => Ok(format!("{{claim:{name}}}")),
                Some(claims) => claim(claims, name),
            },
        };
        match value {
            Ok(value) => filled.push_str(&value),
            Err(error) => errors.push(error),
        }
    }
    let had_placeholder = parts.iter().any(|part| !matches!(part, Part::Text(_)));
    match rule {
        _ if !errors.is_empty() => Err(errors),
        PlaceholderRule::Sanitised(sanitise) if had_placeholder && !waits => Ok(sanitise(&filled)),
        _ => Ok(filled),
    }
}

fn variable(env: &Env, name: &str) -> Result<String, Error> {
    if known_credential(name) {
        return Err(credential(name));
    }
    match env.get(name) {
        Some(value) if IdToken::looks_like_one(value) => Err(credential(name)),
        Some(value) => Ok(value.to_owned()),
        None => Err(Error::new(&core_codes::ENV_UNSET, format!("`{{env:{name}}}` names a variable that is not set"))
            .with_help(format!("set {name} in the job, or write the value into a layer"))),
    }
}

fn claim(claims: &Claims, name: &str) -> Result<String, Error> {
    let Some(value) = claims.text(name) else {
        let error = Error::new(
            &core_codes::CLAIM_UNKNOWN,
            format!("`{{claim:{name}}}` names a claim that the ID token does not carry"),
        );
        return Err(match nearest(name, claims.names()) {
            Some(near) => error.with_help(format!("did you mean `{near}`?")),
            None => error.with_help(format!("it carries {}", claims.names().collect::<Vec<_>>().join(", "))),
        });
    };
    if value.chars().any(char::is_control) {
        return Err(Error::new(&core_codes::CLAIM_UNKNOWN, format!("the claim `{name}` holds control characters"))
            .with_help("this cannot be part of a setting"));
    }
    Ok(value)
}

fn known_credential(name: &str) -> bool {
    let upper = name.to_ascii_uppercase();
    CREDENTIALS.contains(&upper.as_str()) || CREDENTIAL_ENDINGS.iter().any(|ending| upper.ends_with(ending))
}

fn credential(name: &str) -> Error {
    Error::new(&codes::ENV_CREDENTIAL, format!("`{{env:{name}}}` names a variable that holds a credential"))
        .with_help("settings are shown, logged and sent; they never hold credentials")
}

/// The key that a rule is for: positions in arrays do not matter.
fn rule_key(path: &[String]) -> String {
    path.iter().filter(|part| part.parse::<usize>().is_err()).map(String::as_str).collect::<Vec<_>>().join(".")
}

fn walk(value: &Value, path: &mut KeyPath, see: &mut dyn FnMut(&[String], &str)) {
    map(value, path, &mut |path, text| {
        see(path, text);
        String::new()
    });
}

fn map(value: &Value, path: &mut KeyPath, change: &mut dyn FnMut(&[String], &str) -> String) -> Value {
    let mut below = |key: String, item: &Value, change: &mut dyn FnMut(&[String], &str) -> String| {
        path.push(key);
        let mapped = map(item, path, change);
        path.pop();
        mapped
    };
    match value {
        Value::String(tag, text) => Value::String(*tag, change(path, text)),
        Value::Dict(tag, dict) => {
            Value::Dict(*tag, dict.iter().map(|(key, item)| (key.clone(), below(key.clone(), item, change))).collect())
        }
        Value::Array(tag, items) => Value::Array(
            *tag,
            items.iter().enumerate().map(|(index, item)| below(index.to_string(), item, change)).collect(),
        ),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::registry;
    use serde_json::json;

    fn rule(key: &str) -> PlaceholderRule {
        match key {
            "endpoint" => PlaceholderRule::Forbidden,
            "policy" => PlaceholderRule::Raw,
            "role" | "chain.role" => PlaceholderRule::ImmutableClaims,
            "session" => PlaceholderRule::Sanitised(|text| text.replace('/', "-")),
            _ => PlaceholderRule::Any,
        }
    }

    fn section(key: &str, text: &str) -> Value {
        Value::from([(key.to_owned(), Value::from(text.to_owned()))].into_iter().collect::<figment::value::Dict>())
    }

    fn filled(key: &str, text: &str, claims: Option<serde_json::Value>) -> Result<String, String> {
        let env: Env = [("ROLE", "deploy"), ("BRACE", "{claim:ref}"), ("TOKEN_LIKE", "eyJhbGciOiJub25lIn0.e30.c2ln")]
            .into_iter()
            .collect();
        let claims = claims.map(|claims| Claims::new(claims.as_object().unwrap().clone()));
        let filling = Filling { env: &env, profile: "prod", target: "aws", claims: claims.as_ref() };
        let value = fill(rule, &section(key, text), &filling).map_err(|errors| errors[0].code().name.to_owned())?;
        Ok(value.find(key).unwrap().as_str().unwrap().to_owned())
    }

    #[test]
    fn one_pass_and_no_more() {
        assert_eq!(filled("x", "{env:ROLE}-{profile}-{target}-{{x}", None).unwrap(), "deploy-prod-aws-{x}");
        assert_eq!(filled("x", "{env:BRACE}", Some(json!({"ref": "main"}))).unwrap(), "{claim:ref}");
        // Twice, as a command does it: variables first, claims once the token is there.
        let first = filled("x", "{env:BRACE}-{claim:ref}-{{", None).unwrap();
        assert_eq!(filled("x", &first, Some(json!({"ref": "main"}))).unwrap(), "{claim:ref}-main-{");
        assert_eq!(filled("policy", "{\"a\": \"${aws:username}\"}", None).unwrap(), "{\"a\": \"${aws:username}\"}");
    }

    #[test]
    fn names_built_from_placeholders_are_sanitised_and_literal_ones_are_not() {
        assert_eq!(filled("session", "ci/{claim:ref}", Some(json!({"ref": "a/b"}))).unwrap(), "ci-a-b");
        assert_eq!(filled("session", "a/b", Some(json!({}))).unwrap(), "a/b");
    }

    #[test]
    fn values_of_a_matrix_are_not_read_again() {
        let value = |key: &str| Ok(format!("<{key}:{{env:ROLE}}>"));
        let filled = fill_matrix(rule, &section("x", "{matrix:a}-{claim:ref}-{{matrix:b}-{target}"), &value).unwrap();
        assert_eq!(filled.find("x").unwrap().as_str().unwrap(), "<a:{{env:ROLE}>-{claim:ref}-{{matrix:b}-{target}");
        let raw = fill_matrix(rule, &section("policy", "{\"a\": \"{matrix:a}\"}"), &value).unwrap();
        assert_eq!(raw.find("policy").unwrap().as_str().unwrap(), "{\"a\": \"{matrix:a}\"}");
    }

    #[test]
    fn what_cannot_be_filled_is_an_error() {
        assert_eq!(filled("x", "{env:NOT_SET}", None).unwrap_err(), "env-unset");
        assert_eq!(filled("x", "{claim:reff}", Some(json!({"ref": "main"}))).unwrap_err(), "claim-unknown");
        assert_eq!(filled("x", "{claim:bad}", Some(json!({"bad": "a\nb"}))).unwrap_err(), "claim-unknown");
        for name in
            ["AWS_SECRET_ACCESS_KEY", "CI_JOB_TOKEN", "AWS_ID_TOKEN", "MY_PASSWORD", "https_proxy", "TOKEN_LIKE"]
        {
            assert_eq!(filled("x", &format!("{{env:{name}}}"), None).unwrap_err(), "env-credential", "{name}");
        }
    }

    #[test]
    fn placeholders_stand_only_where_they_may() {
        let check = |key: &str, text: &str| {
            let keys = ["account".to_owned()];
            check(&registry(), rule, &section(key, text), Some(&keys)).first().map(|error| error.what().to_owned())
        };
        assert_eq!(check("x", "{matrix:account}"), None);
        assert!(check("x", "{matrix:acount}").unwrap().contains("no `acount`"));
        assert!(check("endpoint", "https://{matrix:account}.test").unwrap().contains("no placeholder"));
        assert!(check("endpoint", "https://{env:HOST}").unwrap().contains("no placeholder"));
        assert!(check("role", "role/{claim:ref}").unwrap().contains("can choose its value"));
        assert_eq!(check("role", "role/{claim:project_id}"), None);
        assert!(check("x", "{nonsense}").unwrap().contains("not a placeholder"));
        assert!(check("x", "{env:GITHUB_TOKEN}").unwrap().contains("credential"));
    }
}
