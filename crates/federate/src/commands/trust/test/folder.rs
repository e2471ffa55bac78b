//! A folder of jobs.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use federate_core::suggest::nearest;
use federate_core::{Error, codes};
use serde_json::Value as Json;

use super::{Case, job, subject};
use crate::commands::trust::input;

/// What may stand beside `claims`. Notes of one's own may as well, unless they look like one of these misspelt.
const KEYS: &[&str] = &["claims", "expect", "name", "target", "context", "actions"];

/// Every job in the folder, by name: files with `claims` and `expect`, and bare payloads in `allow` and `deny`.
pub(super) fn cases(directory: &Path) -> Result<Vec<Case>, Vec<Error>> {
    let mut cases = Vec::new();
    let mut errors = Vec::new();
    for (folder, is_allowed) in [("", None), ("allow", Some(true)), ("deny", Some(false))] {
        let within = if folder.is_empty() { directory.to_owned() } else { directory.join(folder) };
        if is_allowed.is_some() && !within.is_dir() {
            continue;
        }
        for path in files(&within).map_err(|error| vec![error])? {
            match read(&path, is_allowed) {
                Ok(case) => cases.push(case),
                Err(error) => errors.push(error),
            }
        }
    }
    if errors.is_empty() && cases.is_empty() {
        errors.push(
            Error::new(&codes::USAGE, format!("{} holds no claims", directory.display()))
                .with_help("put JSON files there, each {\"claims\": {…}, \"expect\": \"allow\"}, or bare payloads in its folders allow and deny"),
        );
    }
    if errors.is_empty() { Ok(cases) } else { Err(errors) }
}

fn files(directory: &Path) -> Result<Vec<PathBuf>, Error> {
    let failed = |error: std::io::Error| {
        Error::new(&codes::USAGE, format!("{} cannot be read", directory.display())).with_cause(error.to_string())
    };
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.is_file() && path.extension().is_some_and(|extension| extension == "json") {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

fn read(path: &Path, of_folder: Option<bool>) -> Result<Case, Error> {
    let value = input::json(path)?;
    let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    let wrong = |what: String, help: &str| {
        Error::new(&codes::USAGE, what).with_origin(path.display().to_string()).with_help(help)
    };
    let written =
        value.as_object().filter(|object| object.contains_key("claims")).into_iter().flat_map(|object| object.keys());
    for key in written.filter(|key| !KEYS.contains(&key.as_str())) {
        if let Some(meant) = nearest(key, KEYS.iter().copied()) {
            return Err(wrong(format!("{stem} has `{key}` beside its claims"), &format!("did you mean `{meant}`?")));
        }
    }
    let is_allowed = match (value.get("expect").and_then(Json::as_str), of_folder) {
        (Some("allow"), _) => true,
        (Some("deny"), _) => false,
        (None, Some(is_allowed)) if value.get("expect").is_none() => is_allowed,
        _ => {
            return Err(wrong(
                format!("{stem} does not say whether its job gets in"),
                "add \"expect\": \"allow\" or \"expect\": \"deny\" beside \"claims\", or put the payload into a folder allow or deny",
            ));
        }
    };
    let claims = input::payload(&value, path)?;
    let mut context = BTreeMap::new();
    for (key, value) in value.get("context").and_then(Json::as_object).into_iter().flatten() {
        context.insert(key.clone(), texts(value));
    }
    let actions = value.get("actions").map(texts).unwrap_or_default();
    let targets = value.get("target").map(texts).unwrap_or_default();
    let name = match value.get("name").and_then(Json::as_str) {
        Some(name) => name.to_owned(),
        None => format!("{stem}: {}", subject(&claims)),
    };
    Ok(Case { name, job: job(claims, context, actions), is_allowed, targets, origin: Some(path.display().to_string()) })
}

fn texts(value: &Json) -> Vec<String> {
    match value {
        Json::String(text) => vec![text.clone()],
        Json::Array(many) => many.iter().flat_map(texts).collect(),
        Json::Null => Vec::new(),
        other => vec![other.to_string()],
    }
}
