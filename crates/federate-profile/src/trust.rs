//! `[targets.T.trust]`: who is meant to get in, where what is deployed stands, and what must hold of it.

use std::collections::BTreeMap;
use std::path::PathBuf;

use federate_core::suggest::nearest;
use federate_core::{Error, codes as core_codes};
use figment::value::Value;
use serde_json::{Map, Value as Json};

use crate::profile::json as json_of;
use crate::{codes, placeholders};

const KEYS: [&str; 5] = ["allow", "policy", "only", "ignore", "test"];
const TEST_KEYS: [&str; 5] = ["name", "claims", "expect", "context", "actions"];

/// What a target's section says about its trust.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TrustSection {
    pub(crate) allow: Vec<Json>,
    /// The file that holds the trust as it is deployed: a policy, a template, what the cloud's tools print.
    pub policy: Option<PathBuf>,
    /// Where the file holds several: the one whose name or place has this in it.
    pub only: Option<String>,
    /// Lint findings that are meant to be, by id, with the reason.
    pub ignore: BTreeMap<String, String>,
    /// What must hold of the trust.
    pub tests: Vec<TrustTest>,
}

/// A job, and whether it has to get in.
#[derive(Clone, Debug, PartialEq)]
pub struct TrustTest {
    /// What people call it.
    pub name: Option<String>,
    /// The job's ID token's payload.
    pub claims: TestClaims,
    /// Must it get in?
    pub is_allowed: bool,
    /// Request keys that do not come from the token.
    pub context: BTreeMap<String, Vec<String>>,
    /// What is to be done; the cloud's usual exchange where empty.
    pub actions: Vec<String>,
}

/// Where a test's claims stand.
#[derive(Clone, Debug, PartialEq)]
pub enum TestClaims {
    /// In the profile itself.
    Inline(Map<String, Json>),
    /// In a file.
    File(PathBuf),
}

/// Reads the section; `resolve` makes a path that the value holds start at the file that declares it.
pub(crate) fn read(trust: &Value, resolve: &dyn Fn(&Value, &str) -> PathBuf) -> Result<TrustSection, Vec<Error>> {
    let Some(table) = trust.as_dict() else {
        return Err(vec![
            Error::new(&codes::WRONG_TYPE, "`trust` must be a table")
                .with_setting("trust")
                .with_help("write it as [targets.NAME.trust]"),
        ]);
    };
    let mut errors: Vec<Error> = unknown_keys(table.keys(), "trust", &KEYS);
    let mut section = TrustSection::default();
    if let Some(value) = table.get("allow") {
        section.allow = read_allow(value).unwrap_or_else(|problems| {
            errors.extend(problems);
            Vec::new()
        });
    }
    match table.get("policy").map(|value| (value, value.as_str())) {
        None => {}
        Some((value, Some(text))) if !text.is_empty() => {
            errors.extend(placeholders::forbidden(text).map(|error| error.with_setting("trust.policy")));
            section.policy = Some(resolve(value, text));
        }
        Some(_) => errors.push(
            wrong("trust.policy", "`policy` must be the name of a file")
                .with_help("write it like policy = \"trust/deploy.json\""),
        ),
    }
    match table.get("only").map(Value::as_str) {
        None => {}
        Some(Some(text)) => section.only = Some(text.to_owned()),
        Some(None) => errors.push(wrong("trust.only", "`only` must be a string").with_help("write it in quotes")),
    }
    match table.get("ignore").map(json_of) {
        None => {}
        Some(Json::Object(reasons)) => {
            for (id, reason) in reasons {
                match reason.as_str().map(str::trim).filter(|reason| !reason.is_empty()) {
                    Some(reason) => drop(section.ignore.insert(id, reason.to_owned())),
                    None => errors.push(
                        wrong(&format!("trust.ignore.{id}"), format!("ignoring `{id}` needs a reason"))
                            .with_help("write it like org-wide = \"the whole organization deploys here\""),
                    ),
                }
            }
        }
        Some(_) => errors.push(
            wrong("trust.ignore", "`ignore` must be a table")
                .with_help("write it like ignore = { org-wide = \"the whole organization deploys here\" }"),
        ),
    }
    match table.get("test") {
        None => {}
        Some(Value::Array(_, tests)) => {
            for (index, test) in tests.iter().enumerate() {
                match read_test(test, &format!("trust.test.{index}"), resolve) {
                    Ok(test) => section.tests.push(test),
                    Err(problems) => errors.extend(problems),
                }
            }
        }
        Some(_) => errors.push(
            wrong("trust.test", "`test` must be a list of tables")
                .with_help("write each as [[targets.NAME.trust.test]]"),
        ),
    }
    if errors.is_empty() { Ok(section) } else { Err(errors) }
}

/// The `allow` list, its entries as JSON for the identity adapters.
fn read_allow(value: &Value) -> Result<Vec<Json>, Vec<Error>> {
    let Value::Array(_, entries) = value else {
        return Err(vec![wrong("trust.allow", "`allow` must be a list of tables").with_help(
            "write it like allow = [{ identity = \"gitlab\", project = \"group/project\", branch = \"main\" }]",
        )]);
    };
    Ok(entries.iter().map(json_of).collect())
}

fn read_test(value: &Value, place: &str, resolve: &dyn Fn(&Value, &str) -> PathBuf) -> Result<TrustTest, Vec<Error>> {
    let Some(table) = value.as_dict() else {
        return Err(vec![wrong(place, "a test must be a table")]);
    };
    let mut errors = unknown_keys(table.keys(), place, &TEST_KEYS);
    let missing = |key: &str, help: &str| {
        Error::new(&core_codes::SETTING_MISSING, format!("the test has no `{key}`")).with_setting(place).with_help(help)
    };
    let claims = match table.get("claims") {
        Some(value) => match (value.as_str(), json_of(value)) {
            (Some(path), _) => {
                let refused = placeholders::forbidden(path);
                errors.extend(refused.map(|error| error.with_setting(format!("{place}.claims"))));
                Some(TestClaims::File(resolve(value, path)))
            }
            (None, Json::Object(payload)) => Some(TestClaims::Inline(payload)),
            _ => {
                errors.push(
                    wrong(&format!("{place}.claims"), "`claims` must be a table, or the name of a file")
                        .with_help("give a token's payload, as `federate token` prints it"),
                );
                None
            }
        },
        None => {
            errors.push(missing("claims", "add the payload of a job's token: claims = { iss = \"…\", sub = \"…\" }"));
            None
        }
    };
    let is_allowed = match table.get("expect").map(Value::as_str) {
        Some(Some("allow")) => Some(true),
        Some(Some("deny")) => Some(false),
        Some(_) => {
            errors.push(
                wrong(&format!("{place}.expect"), "`expect` must be \"allow\" or \"deny\"")
                    .with_help("say whether a job with these claims has to get in"),
            );
            None
        }
        None => {
            errors.push(missing("expect", "add expect = \"allow\" or expect = \"deny\""));
            None
        }
    };
    let name = match table.get("name").map(Value::as_str) {
        None => None,
        Some(Some(name)) => Some(name.to_owned()),
        Some(None) => {
            errors.push(wrong(&format!("{place}.name"), "`name` must be a string"));
            None
        }
    };
    let mut context = BTreeMap::new();
    match table.get("context").map(json_of) {
        None => {}
        Some(Json::Object(keys)) => {
            for (key, value) in keys {
                match texts(&value) {
                    Some(values) => drop(context.insert(key, values)),
                    None => errors.push(wrong(&format!("{place}.context.{key}"), format!("`{key}` must be text"))),
                }
            }
        }
        Some(_) => errors.push(
            wrong(&format!("{place}.context"), "`context` must be a table")
                .with_help("write it like context = { \"aws:SourceIp\" = \"203.0.113.9\" }"),
        ),
    }
    let actions = match table.get("actions").map(|value| texts(&json_of(value))) {
        None => Vec::new(),
        Some(Some(actions)) => actions,
        Some(None) => {
            errors.push(wrong(&format!("{place}.actions"), "`actions` must be a list of names"));
            Vec::new()
        }
    };
    match (claims, is_allowed) {
        (Some(claims), Some(is_allowed)) if errors.is_empty() => {
            Ok(TrustTest { name, claims, is_allowed, context, actions })
        }
        _ => Err(errors),
    }
}

/// One text or several.
fn texts(value: &Json) -> Option<Vec<String>> {
    match value {
        Json::String(text) => Some(vec![text.clone()]),
        Json::Bool(_) | Json::Number(_) => Some(vec![value.to_string()]),
        Json::Array(many) => many.iter().map(|one| one.as_str().map(str::to_owned)).collect(),
        Json::Null | Json::Object(_) => None,
    }
}

pub(crate) fn wrong(setting: &str, what: impl Into<String>) -> Error {
    Error::new(&codes::WRONG_TYPE, what).with_setting(setting)
}

fn unknown_keys<'a>(keys: impl Iterator<Item = &'a String>, place: &str, known: &[&'static str]) -> Vec<Error> {
    keys.filter(|key| !known.contains(&key.as_str()))
        .map(|key| {
            let error = Error::new(&codes::UNKNOWN_KEY, format!("`{key}` is not a known key"))
                .with_setting(format!("{place}.{key}"));
            match nearest(key, known.iter().copied()) {
                Some(near) => error.with_help(format!("did you mean `{near}`?")),
                None => error.with_help(format!("known here are {}", known.join(", "))),
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn section(trust: Json) -> Result<TrustSection, Vec<Error>> {
        read(&Value::serialize(trust).unwrap(), &|_, path| PathBuf::from("/base").join(path))
    }

    fn problems(trust: Json) -> String {
        section(trust).unwrap_err().iter().map(|error| format!("{error:?}\n")).collect()
    }

    #[test]
    fn everything_that_it_takes() {
        let read = section(json!({
            "allow": [{"identity": "gitlab", "project": "g/p", "branch": "main"}],
            "policy": "trust/deploy.json",
            "only": "DeployRole",
            "ignore": {"org-wide": "all of us deploy here"},
            "test": [
                {
                    "name": "main gets in", "claims": {"iss": "https://gitlab.com", "aud": "x"}, "expect": "allow",
                    "context": {"aws:SourceIp": "203.0.113.9"},
                },
                {"claims": "claims/feature.json", "expect": "deny", "actions": ["sts:TagSession"]},
            ],
        }))
        .unwrap();
        assert_eq!(read.allow.len(), 1);
        assert_eq!(read.policy, Some(PathBuf::from("/base/trust/deploy.json")));
        assert_eq!(read.ignore["org-wide"], "all of us deploy here");
        assert_eq!(read.only.as_deref(), Some("DeployRole"));
        assert!(
            read.tests[0].is_allowed && matches!(&read.tests[0].claims, TestClaims::Inline(map) if map["aud"] == "x")
        );
        assert_eq!(read.tests[0].context["aws:SourceIp"], ["203.0.113.9"]);
        assert_eq!(read.tests[1].claims, TestClaims::File(PathBuf::from("/base/claims/feature.json")));
        assert_eq!(
            (read.tests[1].is_allowed, read.tests[1].actions.as_slice()),
            (false, &["sts:TagSession".to_owned()][..])
        );
    }

    #[test]
    fn every_problem_is_named_at_its_place() {
        let found = problems(json!({
            "polcy": "x", "only": 1, "ignore": {"org-wide": ""},
            "test": [{"expect": "maybe"}, {"claims": 7, "expct": "allow"}],
        }));
        for part in [
            "did you mean `policy`?",
            "trust.only",
            "trust.ignore.org-wide",
            "trust.test.0.expect",
            "the test has no `claims`",
            "trust.test.1.claims",
            "did you mean `expect`?",
            "the test has no `expect`",
        ] {
            assert!(found.contains(part), "{part}: {found}");
        }
        assert!(problems(json!({"policy": ""})).contains("trust.policy"));
        assert!(problems(json!({"test": 1})).contains("[[targets.NAME.trust.test]]"));
        assert!(problems(json!({"policy": "{env:X}/a.json"})).contains("no placeholder"));
        assert!(problems(json!({"test": [{"claims": "{env:X}.json", "expect": "deny"}]})).contains("no placeholder"));
        assert!(problems(json!({"allow": 1})).contains("list of tables"));
    }
}
