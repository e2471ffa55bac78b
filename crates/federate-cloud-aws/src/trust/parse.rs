//! From JSON to a policy, with every problem named.

use federate_core::Error;
use federate_core::suggest::nearest;
use federate_trust::{Effect, TRUST_DOCUMENT};
use serde_json::{Map, Value as Json};

use super::operator::{self, Operator};
use super::policy::{Condition, Policy, Principal, Statement};
use super::template::{self, Template};

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
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html>
const PRINCIPAL_TYPES: [&str; 4] = ["AWS", "Federated", "Service", "CanonicalUser"];

fn bad(what: impl Into<String>, place: &str) -> Error {
    let error = Error::new(&TRUST_DOCUMENT, what);
    if place.is_empty() { error } else { error.with_setting(place) }
}

/// Reads a policy: an object, or a string that holds one as JSON, URL-encoded or not, as the IAM API returns it.
/// `path` leads to it from the top of the file.
pub(super) fn policy(value: &Json, path: Vec<String>, template: &Template<'_>) -> Result<Policy, Vec<Error>> {
    let mut value = template.resolve(value);
    if let Json::String(text) = &value {
        let inner = federate_trust::json(&decoded(text))
            .map_err(|error| vec![bad("the trust policy is not JSON", "").with_cause(error.to_string())])?;
        value = template.resolve(&inner);
    }
    let Some(map) = value.as_object() else {
        return Err(vec![bad("the trust policy is no object", "")]);
    };
    let mut errors = Vec::new();
    unknown_keys(map, &POLICY_KEYS, "", &mut errors);
    let mut statement_path = [&path[..], &["Statement".to_owned()]].concat();
    let mut is_list = true;
    let statements = match map.get("Statement") {
        Some(Json::Array(statements)) => statements.iter().collect(),
        Some(one @ Json::Object(_)) => {
            is_list = false;
            vec![one]
        }
        _ => {
            errors.push(bad("the trust policy has no Statement", "Statement"));
            Vec::new()
        }
    };
    let mut read = Vec::new();
    for (index, value) in statements.into_iter().enumerate() {
        if is_list {
            statement_path.push(index.to_string());
        }
        read.extend(statement(index, value, statement_path.clone(), &mut errors));
        if is_list {
            statement_path.pop();
        }
    }
    let version = map.get("Version").and_then(Json::as_str).map(str::to_owned);
    if errors.is_empty() { Ok(Policy { version, statements: read, path }) } else { Err(errors) }
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

fn unknown_keys(map: &Map<String, Json>, known: &[&str], place: &str, errors: &mut Vec<Error>) {
    for key in map.keys().filter(|key| !known.contains(&key.as_str())) {
        let mut error = bad(format!("a trust policy has no element `{key}`"), place);
        if let Some(near) = nearest(key, known.iter().copied()) {
            error = error.with_help(format!("did you mean `{near}`?"));
        }
        errors.push(error);
    }
}

fn statement(index: usize, value: &Json, path: Vec<String>, errors: &mut Vec<Error>) -> Option<Statement> {
    let place = format!("Statement[{index}]");
    let Some(map) = value.as_object() else {
        errors.push(bad("a statement has to be an object", &place));
        return None;
    };
    unknown_keys(map, &STATEMENT_KEYS, &place, errors);
    for (one, other) in [("Action", "NotAction"), ("Principal", "NotPrincipal")] {
        if map.contains_key(one) && map.contains_key(other) {
            errors.push(
                bad(
                    format!("a statement has either {one} or {other}, and this one has both"),
                    &format!("{place}.{other}"),
                )
                .with_help("IAM refuses such a policy: leave one of them out"),
            );
        }
    }
    for element in ["Resource", "NotResource"].iter().filter(|element| map.contains_key(**element)) {
        let what = format!("a role's trust policy takes no {element}: it is about the role that it is attached to");
        errors.push(bad(what, &format!("{place}.{element}")).with_help("IAM refuses such a policy: leave it out"));
    }
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
    principal_types(map, &place, errors);
    let Some(principal) = map.get("Principal").or_else(|| map.get("NotPrincipal")).and_then(principal) else {
        errors.push(
            bad("the statement needs a Principal", &format!("{place}.Principal"))
                .with_help("for a CI job: {\"Federated\": \"arn:aws:iam::ACCOUNT:oidc-provider/ISSUER\"}"),
        );
        return None;
    };
    Some(Statement {
        number: index + 1,
        path,
        sid: map.get("Sid").and_then(Json::as_str).map(str::to_owned),
        effect,
        principal: Principal { negated, ..principal },
        actions,
        actions_negated,
        conditions: map.get("Condition").map(|block| conditions(block, &place, errors)).unwrap_or_default(),
        is_open: map.get("Condition").is_some_and(is_partly_open),
    })
}

/// Is there a part of the conditions that only the deployment knows: a whole operator's tests, a key?
fn is_partly_open(block: &Json) -> bool {
    let open_text = |value: &Json| value.as_str().is_some_and(template::is_open);
    open_text(block)
        || block.as_object().into_iter().flatten().any(|(_, tests)| {
            open_text(tests) || tests.as_object().into_iter().flatten().any(|(key, _)| template::is_open(key))
        })
}

/// IAM refuses a principal of any other type. What only the deployment knows (`Fn::If`, `Ref`) may still be one.
fn principal_types(statement: &Map<String, Json>, place: &str, errors: &mut Vec<Error>) {
    for element in ["Principal", "NotPrincipal"] {
        for name in statement.get(element).and_then(Json::as_object).into_iter().flat_map(Map::keys) {
            if PRINCIPAL_TYPES.contains(&name.as_str())
                || name == "Ref"
                || name.contains(':')
                || template::is_open(name)
            {
                continue;
            }
            let help = match nearest(name, PRINCIPAL_TYPES) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("there are {}", PRINCIPAL_TYPES.join(", ")),
            };
            errors.push(
                bad(format!("there is no type of principal `{name}`"), &format!("{place}.{element}.{name}"))
                    .with_help(help),
            );
        }
    }
}

fn principal(value: &Json) -> Option<Principal> {
    match value {
        Json::String(text) => (text == "*").then(|| Principal { anyone: true, ..Principal::default() }),
        Json::Object(map) if !map.is_empty() => {
            let federated = map.get("Federated").map(texts).unwrap_or_else(|| Some(Vec::new()))?;
            let is_anyone =
                |key: &str| map.get(key).and_then(texts).is_some_and(|names| names.iter().any(|name| name == "*"));
            let others = map.iter().filter(|(kind, _)| *kind != "Federated").filter_map(|(_, names)| texts(names));
            Some(Principal {
                negated: false,
                anyone: is_anyone("AWS") || is_anyone("Federated"),
                federated,
                others: others.flatten().collect(),
            })
        }
        _ => None,
    }
}

fn conditions(block: &Json, place: &str, errors: &mut Vec<Error>) -> Vec<Condition> {
    let place = format!("{place}.Condition");
    if block.as_str().is_some_and(template::is_open) {
        return Vec::new();
    }
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
        if tests.as_str().is_some_and(template::is_open) {
            continue;
        }
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
