//! From JSON to a policy, with every problem named.

use federate_core::Error;
use federate_core::suggest::nearest;
use federate_trust::{Effect, TRUST_DOCUMENT};
use serde_json::{Map, Value as Json};

use super::operator::{self, Operator};
use super::policy::{Condition, Policy, Principal, Statement};

const POLICY_KEYS: [&str; 3] = ["Version", "Id", "Statement"];
const STATEMENT_KEYS: [&str; 10] = [
    "Sid",
    "Effect",
    "Principal",
    "NotPrincipal",
    "Action",
    "NotAction",
    "Resource",
    "NotResource",
    "Condition",
    "Comment",
];

fn bad(what: impl Into<String>, place: &str) -> Error {
    Error::new(&TRUST_DOCUMENT, what).with_setting(place)
}

/// Reads a policy: an object, or a string that holds one as JSON, URL-encoded or not, as the IAM API returns it.
pub(super) fn policy(value: &Json) -> Result<Policy, Vec<Error>> {
    if let Json::String(text) = value {
        let text = decoded(text);
        let inner: Json = serde_json::from_str(&text)
            .map_err(|error| vec![bad("the trust policy is not JSON", "").with_cause(error.to_string())])?;
        return if inner.is_string() { Err(vec![bad("the trust policy is no object", "")]) } else { policy(&inner) };
    }
    let value = plain(value);
    let Some(map) = value.as_object() else {
        return Err(vec![bad("the trust policy is no object", "")]);
    };
    let mut errors = Vec::new();
    unknown_keys(map, &POLICY_KEYS, "", &mut errors);
    let statements = match map.get("Statement") {
        Some(Json::Array(statements)) => statements.iter().collect(),
        Some(one @ Json::Object(_)) => vec![one],
        _ => {
            errors.push(bad("the trust policy has no Statement", "Statement"));
            Vec::new()
        }
    };
    let statements =
        statements.into_iter().enumerate().filter_map(|(index, value)| statement(index, value, &mut errors)).collect();
    let version = map.get("Version").and_then(Json::as_str).map(str::to_owned);
    if errors.is_empty() { Ok(Policy { version, statements }) } else { Err(errors) }
}

fn decoded(text: &str) -> String {
    if text.trim_start().starts_with('%') {
        let pair = format!("policy={}", text.replace('+', "%2B"));
        if let Some((_, decoded)) = url::form_urlencoded::parse(pair.as_bytes()).next() {
            return decoded.into_owned();
        }
    }
    text.to_owned()
}

/// Functions of CloudFormation that stand for a text that is not known yet become `<…>`, which matches nothing real.
fn plain(value: &Json) -> Json {
    match value {
        Json::Array(entries) => entries.iter().map(plain).collect(),
        Json::Object(map) if map.len() == 1 => {
            let (key, inner) = map.iter().next().map_or(("", &Json::Null), |(key, inner)| (key.as_str(), inner));
            match (key, inner) {
                ("Fn::Sub", Json::String(text)) => substituted(text).into(),
                ("Fn::Sub", Json::Array(parts)) => {
                    substituted(parts.first().and_then(Json::as_str).unwrap_or_default()).into()
                }
                ("Fn::Join", Json::Array(parts)) => {
                    let separator = parts.first().and_then(Json::as_str).unwrap_or_default();
                    let pieces = parts.get(1).map(plain).unwrap_or_default();
                    let texts: Vec<&str> = pieces.as_array().into_iter().flatten().filter_map(Json::as_str).collect();
                    texts.join(separator).into()
                }
                ("Fn::If", Json::Array(parts)) => alternative(parts),
                ("Ref", Json::String(name)) => format!("<{name}>").into(),
                ("Fn::GetAtt", Json::String(name)) => format!("<{name}>").into(),
                (key, _) if key.starts_with("Fn::") => format!("<{key}>").into(),
                _ => Json::Object([(key.to_owned(), plain(inner))].into_iter().collect()),
            }
        }
        Json::Object(map) => Json::Object(map.iter().map(|(key, value)| (key.clone(), plain(value))).collect()),
        other => other.clone(),
    }
}

/// Of two texts the one that says more; what else a condition chooses between is not known.
fn alternative(parts: &[Json]) -> Json {
    match parts.iter().skip(1).map(plain).collect::<Vec<_>>().as_slice() {
        [Json::String(first), Json::String(second)] => {
            let is_open = first.starts_with('<') && first.ends_with('>');
            if is_open { second.as_str().into() } else { first.as_str().into() }
        }
        _ => "<Fn::If>".into(),
    }
}

fn substituted(text: &str) -> String {
    text.replace("${!", "\u{0}").replace("${", "<").replace('}', ">").replace('\u{0}', "${")
}

fn unknown_keys(map: &Map<String, Json>, known: &[&str], place: &str, errors: &mut Vec<Error>) {
    for key in map.keys().filter(|key| !known.contains(&key.as_str())) {
        let mut error = bad(format!("a trust policy has no element `{key}`"), place);
        if let Some(near) = nearest(key, known.iter().copied()) {
            error = error.with_help(format!("did you mean `{near}`?"));
        }
        errors.push(error);
    }
}

fn statement(index: usize, value: &Json, errors: &mut Vec<Error>) -> Option<Statement> {
    let place = format!("Statement[{index}]");
    let Some(map) = value.as_object() else {
        errors.push(bad("a statement has to be an object", &place));
        return None;
    };
    unknown_keys(map, &STATEMENT_KEYS, &place, errors);
    let effect = match map.get("Effect").and_then(Json::as_str) {
        Some("Allow") => Effect::Allow,
        Some("Deny") => Effect::Deny,
        _ => {
            errors.push(bad("Effect has to be Allow or Deny", &format!("{place}.Effect")));
            return None;
        }
    };
    let actions_negated = map.contains_key("NotAction");
    let Some(actions) = map.get("Action").or_else(|| map.get("NotAction")).and_then(texts) else {
        errors.push(bad("the statement needs an Action: a text or a list of texts", &format!("{place}.Action")));
        return None;
    };
    let negated = map.contains_key("NotPrincipal");
    let Some(principal) = map.get("Principal").or_else(|| map.get("NotPrincipal")).and_then(principal) else {
        errors.push(
            bad("the statement needs a Principal", &format!("{place}.Principal"))
                .with_help("for a CI job: {\"Federated\": \"arn:aws:iam::ACCOUNT:oidc-provider/ISSUER\"}"),
        );
        return None;
    };
    Some(Statement {
        number: index + 1,
        sid: map.get("Sid").and_then(Json::as_str).map(str::to_owned),
        effect,
        principal: Principal { negated, ..principal },
        actions,
        actions_negated,
        conditions: map.get("Condition").map(|block| conditions(block, &place, errors)).unwrap_or_default(),
    })
}

fn principal(value: &Json) -> Option<Principal> {
    match value {
        Json::String(text) => (text == "*").then(|| Principal { anyone: true, ..Principal::default() }),
        Json::Object(map) if !map.is_empty() => {
            let federated = map.get("Federated").map(texts).unwrap_or_else(|| Some(Vec::new()))?;
            let is_anyone =
                |key: &str| map.get(key).and_then(texts).is_some_and(|names| names.iter().any(|name| name == "*"));
            Some(Principal { negated: false, anyone: is_anyone("AWS") || is_anyone("Federated"), federated })
        }
        _ => None,
    }
}

fn conditions(block: &Json, place: &str, errors: &mut Vec<Error>) -> Vec<Condition> {
    let place = format!("{place}.Condition");
    let Some(block) = block.as_object() else {
        errors.push(bad("Condition has to be an object of operators", &place));
        return Vec::new();
    };
    let mut found = Vec::new();
    for (name, tests) in block {
        let place = format!("{place}.{name}");
        let Some(operator) = Operator::parse(name) else {
            let mut error = bad(format!("there is no condition operator `{name}`"), &place);
            if let Some(near) = operator::nearest_name(name) {
                error = error.with_help(format!("did you mean `{near}`?"));
            }
            errors.push(error);
            continue;
        };
        let Some(tests) = tests.as_object() else {
            errors.push(bad(format!("{name} has to be an object of condition keys"), &place));
            continue;
        };
        for (key, values) in tests {
            match texts(values) {
                Some(values) => found.push(Condition { operator: operator.clone(), key: key.clone(), values }),
                None => errors.push(bad("the value has to be a text or a list of texts", &format!("{place}.{key}"))),
            }
        }
    }
    found
}

/// A scalar or a list of scalars; numbers and booleans may stand unquoted.
fn texts(value: &Json) -> Option<Vec<String>> {
    let text = |value: &Json| match value {
        Json::String(text) => Some(text.clone()),
        Json::Number(number) => Some(number.to_string()),
        Json::Bool(flag) => Some(flag.to_string()),
        _ => None,
    };
    match value {
        Json::Array(entries) => entries.iter().map(text).collect(),
        one => text(one).map(|text| vec![text]),
    }
}
