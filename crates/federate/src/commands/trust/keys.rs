//! A token's claims as the conditions that clouds can ask for.

use federate_core::{Claims, Reporter as _};
use serde_json::{Map, Value as Json, json};

use super::{FOUND, input};
use crate::commands::written;
use crate::report::{Failure, Output, pretty, print_styled};
use crate::setup::Start;

/// Prints the conditions; no trust is at hand, so nothing is decided, and nobody may take it for an ALLOW.
pub(super) fn show(start: &Start, cloud: Option<&str>, claims: &Claims) -> Result<u8, Failure> {
    let all: Vec<(&str, Vec<(String, String)>)> =
        input::models(cloud)?.into_iter().map(|model| (model.kind(), model.keys(claims))).collect();
    let shown = match start.global.output {
        Output::Json => {
            let clouds: Map<String, Json> = all.iter().map(|(kind, keys)| ((*kind).to_owned(), object(keys))).collect();
            pretty(&json!({ "decision": null, "keys": clouds }))
        }
        Output::Text | Output::Sarif => {
            all.iter().map(|(kind, keys)| format!("{kind}{}", text(keys))).collect::<Vec<_>>().join("\n")
        }
    };
    written(print_styled(&shown))?;
    start.stderr.note("no trust is at hand, so nothing is decided: give one with --policy, or name it in the profile");
    Ok(FOUND)
}

/// The conditions as one object.
pub(super) fn object(keys: &[(String, String)]) -> Json {
    keys.iter().map(|(key, value)| (key.clone(), Json::from(value.clone()))).collect::<Map<_, _>>().into()
}

/// The conditions, one a line, ready to paste.
pub(super) fn text(keys: &[(String, String)]) -> String {
    if keys.is_empty() {
        return String::new();
    }
    let lines: Vec<String> = keys.iter().map(|(key, value)| format!("  {}: {}", json!(key), json!(value))).collect();
    format!("\nthe token as conditions:\n{}\n", lines.join(",\n"))
}
