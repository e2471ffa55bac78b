//! A document that holds trust configurations: its values, and the lines they stand on.

use std::cell::OnceCell;
use std::path::Path;

use federate_core::Error;
use federate_trust::TRUST_DOCUMENT;
use serde_json::Value as Json;

mod lines;
mod yaml;

use lines::Lines;

/// A file, read.
#[derive(Debug)]
pub(super) struct Source {
    /// What it says.
    pub(super) value: Json,
    name: String,
    /// JSON, whose lines are looked for only where there is something to say about them.
    text: String,
    lines: OnceCell<Lines>,
}

impl Source {
    /// Reads JSON, YAML, or the URL-encoded JSON that the IAM API itself returns.
    pub(super) fn read(path: &Path, text: String) -> Result<Self, Error> {
        let name = if path == Path::new("-") { "stdin".to_owned() } else { super::input::name(path) };
        let text = match text.strip_prefix('\u{feff}') {
            Some(rest) => rest.to_owned(),
            None => text,
        };
        let start = text.trim_start();
        if start.is_empty() {
            return Err(Error::new(&TRUST_DOCUMENT, format!("{name} is empty")).with_origin(name));
        }
        if start.get(..3).is_some_and(|start| start.eq_ignore_ascii_case("%7b")) {
            let value = Json::from(start.trim_end());
            return Ok(Self { value, name, text: String::new(), lines: OnceCell::from(Lines::default()) });
        }
        let extension = path.extension().map(|extension| extension.to_string_lossy().to_ascii_lowercase());
        let is_yaml = matches!(extension.as_deref(), Some("yaml" | "yml"));
        let is_json = extension.as_deref() == Some("json") || start.starts_with(['{', '[', '"']);
        if is_json && !is_yaml {
            return match federate_trust::json(&text) {
                Ok(value) => Ok(Self { value, name, text, lines: OnceCell::new() }),
                Err(error) => {
                    let told = if error.is_data() { "is ambiguous JSON" } else { "is not JSON" };
                    Err(Error::new(&TRUST_DOCUMENT, format!("{name} {told}"))
                        .with_cause(error.to_string())
                        .with_origin(format!("{name}:{}", error.line())))
                }
            };
        }
        match yaml::read(&text) {
            Ok((value, _)) if !is_yaml && !value.is_object() && !value.is_array() => {
                Err(Error::new(&TRUST_DOCUMENT, format!("{name} is neither JSON nor YAML"))
                    .with_origin(format!("{name}:1")))
            }
            Ok((value, lines)) => Ok(Self { value, name, text: String::new(), lines: OnceCell::from(lines) }),
            Err((line, cause)) => {
                let form = if is_yaml { "not YAML" } else { "neither JSON nor YAML" };
                Err(Error::new(&TRUST_DOCUMENT, format!("{name} is {form}"))
                    .with_cause(cause)
                    .with_origin(format!("{name}:{line}")))
            }
        }
    }

    /// The line of what these keys and indices lead to, or of the last of them that the file has; `None` where it is
    /// unknown.
    pub(super) fn line(&self, path: &[String]) -> Option<usize> {
        let lines = self.lines.get_or_init(|| lines::of_json(&self.text));
        lines.follow(path).filter(|line| *line > 0)
    }

    /// An error's `setting` (`Statement[0].Condition.StringLkie`) as the file and line of what it names.
    pub(super) fn locate(&self, error: Error) -> Error {
        let lines = self.lines.get_or_init(|| lines::of_json(&self.text));
        let place = match error.setting().and_then(|setting| lines.find(setting)).filter(|line| *line > 0) {
            Some(line) => format!("{}:{line}", self.name),
            None => self.name.clone(),
        };
        let place = match error.origin() {
            Some(origin) => format!("{place}, {origin}"),
            None => place,
        };
        error.with_origin(place)
    }
}
