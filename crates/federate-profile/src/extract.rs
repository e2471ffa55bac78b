//! A section's values as an adapter's typed settings, with every problem found and not only the first.

use federate_core::suggest::nearest;
use federate_core::{Error, codes as core_codes};
use figment::error::{Actual, Kind};
use figment::value::Value;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::codes;
use crate::layer::dotted;
use crate::overlay::convert;

/// How many problems of one section are worth telling.
const ENOUGH: usize = 50;

/// Reads a section. Values for which `is_text` holds came as texts (from a variable or a flag), and are read as numbers,
/// booleans or lists where their key refuses a text.
///
/// # Errors
/// All problems; `setting` is the path inside the section.
pub(crate) fn extract<S: DeserializeOwned>(section: &Value, is_text: &dyn Fn(&Value) -> bool) -> Result<S, Vec<Error>> {
    let Extracted { settings, errors, .. } = read(section, is_text);
    settings.filter(|_| errors.is_empty()).ok_or(errors)
}

/// Reads a section and makes an adapter of it. What the adapter says of the sound values is told beside the problems of
/// the others; what it says of those is not, for they were taken out.
///
/// # Errors
/// All problems; `setting` is the path inside the section.
pub(crate) fn build<S: DeserializeOwned + Serialize, T>(
    section: &Value,
    is_text: &dyn Fn(&Value) -> bool,
    make: impl FnOnce(S) -> Result<T, Vec<Error>>,
) -> Result<(T, serde_json::Value), Vec<Error>> {
    let Extracted { settings, mut errors, unsure } = read(section, is_text);
    let Some(settings) = settings else { return Err(errors) };
    let shown = serde_json::to_value(&settings).unwrap_or_default();
    match make(settings) {
        Ok(made) if errors.is_empty() => Ok((made, shown)),
        Ok(_) => Err(errors),
        Err(found) if errors.is_empty() => Err(found),
        Err(found) => {
            errors.extend(found.into_iter().filter(|error| {
                let key = error.setting().unwrap_or_default().split('.').next().unwrap_or_default();
                error.code() != &core_codes::SETTING_MISSING && !unsure.iter().any(|known| known == key)
            }));
            Err(errors)
        }
    }
}

/// What could be read.
struct Extracted<S> {
    /// The settings, those that were refused left out.
    settings: Option<S>,
    errors: Vec<Error>,
    /// Top-level keys that were refused, or stand in for what is missing.
    unsure: Vec<String>,
}

fn read<S: DeserializeOwned>(section: &Value, is_text: &dyn Fn(&Value) -> bool) -> Extracted<S> {
    let mut value = section.clone();
    let mut errors: Vec<Error> = Vec::new();
    let mut touched: Vec<Vec<String>> = Vec::new();
    let mut misspelt: Vec<&'static str> = Vec::new();
    let mut unsure: Vec<String> = Vec::new();
    let mut settings = None;
    while errors.len() < ENOUGH {
        let problem = match value.deserialize::<S>() {
            Ok(read) => {
                settings = Some(read);
                break;
            }
            Err(problem) => problem,
        };
        let mut path = problem.path.clone();
        match &problem.kind {
            Kind::UnknownField(name, known) => {
                if path.last() != Some(name) {
                    path.push(name.clone());
                }
                let help = match nearest(name, known.iter().copied()) {
                    Some(near) => {
                        misspelt.extend(known.iter().find(|key| **key == near));
                        format!("did you mean `{near}`?")
                    }
                    None => format!("known here are {}", known.join(", ")),
                };
                errors.push(
                    Error::new(&codes::UNKNOWN_KEY, format!("`{name}` is not a known key"))
                        .with_setting(dotted(&path))
                        .with_help(help),
                );
            }
            Kind::MissingField(name) => {
                path.push(name.to_string());
                // A misspelt key also reads as missing: once is enough. So does one that was just refused.
                if !misspelt.contains(&name.as_ref()) && !touched.contains(&path) {
                    errors.push(
                        Error::new(&core_codes::SETTING_MISSING, format!("`{name}` has no value"))
                            .with_setting(dotted(&path))
                            .with_help("set it in a layer of the profile"),
                    );
                }
                unsure.extend(path.first().cloned());
                if !fill(&mut value, &path) {
                    break;
                }
                continue;
            }
            kind => {
                if let (Kind::InvalidType(_, wanted) | Kind::InvalidValue(_, wanted), Some(found)) =
                    (kind, at(&mut value, &path))
                {
                    let converted = if is_text(found) { convert(found, wanted) } else { None };
                    if let Some(mut converted) = converted.filter(|_| !touched.contains(&path)) {
                        retag(&mut converted, found);
                        *found = converted;
                        touched.push(path);
                        continue;
                    }
                }
                errors.push(wrong_type(kind, &path));
            }
        }
        touched.push(path.clone());
        unsure.extend(path.first().cloned());
        if !remove(&mut value, &path) {
            break;
        }
    }
    unsure.extend(misspelt.iter().map(|key| (*key).to_owned()));
    Extracted { settings, errors, unsure }
}

fn wrong_type(kind: &Kind, path: &[String]) -> Error {
    let (key, entry) = match path {
        [.., list, last] if last.parse::<usize>().is_ok() => (list.as_str(), "an entry of "),
        [.., last] => (last.as_str(), ""),
        [] => ("the section", ""),
    };
    let what = match kind {
        Kind::InvalidType(found, wanted) | Kind::InvalidValue(found, wanted) => {
            format!("{entry}`{key}` must be {}, and is {}", wanted_in_words(wanted), found_in_words(found))
        }
        Kind::UnknownVariant(found, known) => {
            let error = Error::new(&core_codes::SETTING_INVALID, format!("`{key}` cannot be `{found}`"))
                .with_setting(dotted(path));
            return error.with_help(match nearest(found, known.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("it is one of {}", known.join(", ")),
            });
        }
        Kind::Message(text) => format!("`{key}`: {text}"),
        other => format!("`{key}`: {other}"),
    };
    Error::new(&codes::WRONG_TYPE, what).with_setting(dotted(path))
}

/// What a type is called by people who write TOML.
fn wanted_in_words(wanted: &str) -> &str {
    match wanted {
        "a sequence" => "a list",
        "a map" => "a table",
        _ if wanted.starts_with("struct ") => "a table",
        "u8" | "u16" | "u32" | "u64" | "usize" => "a whole number, 0 or more",
        _ if wanted.starts_with("a nonzero ") => "a whole number, 1 or more",
        other => other,
    }
}

fn found_in_words(found: &Actual) -> String {
    match found {
        Actual::Bool(flag) => format!("{flag}"),
        Actual::Unsigned(number) => format!("the number {number}"),
        Actual::Signed(number) => format!("the number {number}"),
        Actual::Float(number) => format!("the number {number}"),
        Actual::Str(text) => format!("the text `{text}`"),
        Actual::Map => "a table".to_owned(),
        Actual::Seq => "a list".to_owned(),
        other => other.to_string(),
    }
}

fn at<'v>(value: &'v mut Value, path: &[String]) -> Option<&'v mut Value> {
    path.iter().try_fold(value, |value, key| match value {
        Value::Dict(_, dict) => dict.get_mut(key),
        Value::Array(_, items) => items.get_mut(key.parse::<usize>().ok()?),
        _ => None,
    })
}

/// Removes what was refused. An array's element is kept in place as an array without it would shift the others: the
/// whole array goes.
fn remove(value: &mut Value, path: &[String]) -> bool {
    let Some((last, parents)) = path.split_last() else { return false };
    match at(value, parents) {
        Some(Value::Dict(_, dict)) => dict.remove(last).is_some(),
        Some(Value::Array(..)) => remove(value, parents),
        _ => false,
    }
}

/// Puts something where a value is missing, so that the rest can be looked at.
fn fill(value: &mut Value, path: &[String]) -> bool {
    let Some((last, parents)) = path.split_last() else { return false };
    match at(value, parents) {
        Some(Value::Dict(_, dict)) if !dict.contains_key(last) => {
            dict.insert(last.clone(), Value::from(String::new())).is_none()
        }
        _ => false,
    }
}

fn retag(value: &mut Value, like: &Value) {
    let tag = like.tag();
    match value {
        Value::String(own, _)
        | Value::Char(own, _)
        | Value::Bool(own, _)
        | Value::Num(own, _)
        | Value::Empty(own, _)
        | Value::Dict(own, _)
        | Value::Array(own, _) => *own = tag,
    }
    if let Value::Array(_, items) = value {
        for item in items {
            retag(item, like);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layer::LayerKind;
    use federate_core::HumanDuration;
    use serde::Deserialize;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Settings {
        role: String,
        count: Option<u32>,
        flag: Option<bool>,
        list: Option<Vec<String>>,
        life: Option<HumanDuration>,
        steps: Option<Vec<Step>>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Step {
        #[allow(dead_code)]
        arn: String,
    }

    fn value(text: &str) -> Value {
        Value::from(crate::file::parse(text, LayerKind::Base, "f").unwrap().values)
    }

    fn problems(text: &str) -> Vec<String> {
        let errors = extract::<Settings>(&value(text), &|_| false).unwrap_err();
        errors.iter().map(|error| format!("{}: {}", error.setting().unwrap_or_default(), error.what())).collect()
    }

    #[test]
    fn all_problems_at_once() {
        let found = problems(
            "rol = \"x\"\ncount = \"many\"\nflag = 7\nlist = \"a\"\nlife = \"an hour\"\nsteps = [{ arn = \"1\" }, { ann = \"2\" }]\n",
        );
        for key in ["rol", "count", "flag", "list", "life", "steps.1.ann"] {
            assert_eq!(
                found.iter().filter(|line| line.starts_with(&format!("{key}:"))).count(),
                1,
                "{key}: {found:#?}"
            );
        }
        assert_eq!(found.len(), 6, "{found:#?}");
    }

    #[test]
    fn what_is_missing_is_named_once() {
        assert_eq!(problems("count = 1\n"), ["role: `role` has no value"]);
        assert_eq!(problems("steps = [{}]\nrole = \"r\"\n"), ["steps.0.arn: `arn` has no value"]);
    }

    #[test]
    fn texts_are_converted_only_where_they_came_as_texts() {
        let text = "role = \"012345\"\ncount = \"7\"\nflag = \"true\"\nlist = \"a, b\"\nlife = \"3600\"\n";
        let settings: Settings = extract(&value(text), &|_| true).unwrap();
        assert_eq!((settings.role.as_str(), settings.count, settings.flag), ("012345", Some(7), Some(true)));
        assert_eq!(settings.list.unwrap(), ["a", "b"]);
        assert_eq!(settings.life.unwrap().as_secs(), 3600);
        assert!(settings.steps.is_none());
        assert_eq!(problems(text).len(), 3);
    }
}
