//! `federate profile`: list, show, validate, schema.

use federate_core::Reporter as _;
use serde_json::{Value as Json, json};

use super::written;
use crate::args::Profile;
use crate::report::{Failure, Output, one_line, pretty, print_result};
use crate::setup::Start;

pub(crate) fn run(start: &Start, command: Profile) -> Result<u8, Failure> {
    match command {
        Profile::List => list(start),
        Profile::Show { origin } => show(start, origin),
        Profile::Validate => validate(start),
        Profile::Schema => written(print_result(&pretty(&federate_profile::schema(&start.registry)))),
    }
}

fn list(start: &Start) -> Result<u8, Failure> {
    let listed = federate_profile::list(&start.registry, &start.options(&[]))?;
    let text = match start.global.output {
        Output::Json => pretty(&Json::Array(
            listed
                .iter()
                .map(|one| json!({ "name": one.name, "path": one.path, "extends": one.extends, "default": one.is_default, "targets": one.targets }))
                .collect(),
        )),
        Output::Text | Output::Sarif => listed
            .iter()
            .map(|one| {
                let extends = if one.extends.is_empty() { String::new() } else { format!(" extends {}", one.extends.join(", ")) };
                let default = if one.is_default { " (default)" } else { "" };
                format!("{}{default}{extends}: {}\n", one.name, one_line(&names(&one.targets)))
            })
            .collect(),
    };
    written(print_result(&text))
}

/// A matrix makes many.
fn names(targets: &[String]) -> String {
    const SHOWN: usize = 20;
    match targets.len().checked_sub(SHOWN) {
        Some(more) if more > 5 => format!("{} and {more} more", targets[..SHOWN].join(", ")),
        _ => targets.join(", "),
    }
}

fn show(start: &Start, origin: bool) -> Result<u8, Failure> {
    let profile = start.load(&[])?;
    let effective = profile.effective();
    let text = match (start.global.output, origin) {
        (Output::Json, true) => pretty(&Json::Array(
            effective.iter().map(|one| json!({ "key": one.path, "value": one.value, "origin": one.origin })).collect(),
        )),
        (Output::Json, false) => {
            pretty(&Json::Object(effective.iter().map(|one| (one.path.clone(), one.value.clone())).collect()))
        }
        (Output::Text | Output::Sarif, true) => {
            let lines: Vec<(String, &str)> = effective
                .iter()
                .map(|one| (format!("{} = {}", one_line(&one.path), one.value), one.origin.as_str()))
                .collect();
            let width = lines
                .iter()
                .map(|(line, _)| line.chars().count())
                .filter(|width| *width <= 80)
                .max()
                .unwrap_or_default();
            lines.iter().map(|(line, origin)| format!("{line:width$}  # {origin}\n")).collect()
        }
        (Output::Text | Output::Sarif, false) => {
            effective.iter().map(|one| format!("{} = {}\n", one_line(&one.path), one.value)).collect()
        }
    };
    written(print_result(&text))
}

fn validate(start: &Start) -> Result<u8, Failure> {
    let checked = federate_profile::validate(&start.registry, &start.options(&[]))?;
    match start.global.output {
        Output::Json => return written(print_result(&pretty(&json!({ "valid": checked })))),
        Output::Text | Output::Sarif => start.stderr.note(&format!("valid: {}", checked.join(", "))),
    }
    Ok(0)
}
