//! `trust lint`: who else could get in, and what cannot work.

use anstyle::{AnsiColor, Style};
use federate_core::{Error, Reporter as _, codes};
use federate_trust::{Finding, Severity};
use serde_json::json;

use super::{FOUND, input, sarif};
use crate::args::{Level, Lint};
use crate::commands::written;
use crate::report::{Failure, Output, pretty, print_styled};
use crate::setup::Start;

/// A finding and the file that it is in.
pub(super) struct InFile {
    pub(super) file: String,
    pub(super) finding: Finding,
}

pub(super) fn run(start: &Start, arguments: &Lint) -> Result<u8, Failure> {
    let ignored = ignored(arguments)?;
    let mut found = Vec::new();
    let mut failures: Vec<Failure> = Vec::new();
    for path in &arguments.files {
        let documents = match input::documents(path, arguments.cloud.as_deref()) {
            Ok(documents) => documents,
            // The other files are looked at all the same; every problem is reported in one go.
            Err(failure) => {
                failures.push(failure);
                continue;
            }
        };
        for located in documents {
            found.extend(located.document.lint().into_iter().map(|mut finding| {
                if !located.place.is_empty() {
                    finding.place = format!("{}, {}", located.place, finding.place);
                }
                InFile { file: path.display().to_string(), finding }
            }));
        }
    }
    if let Some(failure) = Failure::joined(failures) {
        return Err(failure);
    }
    let least = severity(arguments.min_severity);
    let (mut kept, mut left_out) = (Vec::new(), 0_usize);
    for one in found {
        if ignored.contains(&one.finding.id.to_owned()) || one.finding.severity < least {
            left_out += 1;
        } else {
            kept.push(one);
        }
    }
    let text = match start.global.output {
        Output::Json => pretty(&json!({
            "findings": kept.iter().map(|one| json!({
                "id": one.finding.id,
                "severity": one.finding.severity,
                "where": format!("{}: {}", one.file, one.finding.place),
                "message": one.finding.message,
                "fix": one.finding.fix,
            })).collect::<Vec<_>>(),
        })),
        Output::Sarif => pretty(&sarif::report(&kept)),
        Output::Text => kept.iter().map(text).collect(),
    };
    written(print_styled(&text))?;
    start.stderr.note(&format!("{} findings, {left_out} left out, in {} files", kept.len(), arguments.files.len()));
    let limit = severity(arguments.fail_on);
    Ok(if kept.iter().any(|one| one.finding.severity >= limit) { FOUND } else { 0 })
}

fn ignored(arguments: &Lint) -> Result<Vec<String>, Error> {
    let read = |text: &String| match text.split_once('=') {
        Some((id, reason)) if !id.is_empty() && !reason.trim().is_empty() => Ok(id.to_owned()),
        _ => Err(Error::new(&codes::USAGE, format!("--ignore {text} does not say why"))
            .with_help("write it like --ignore 'org-wide=the whole organization deploys here'")),
    };
    arguments.ignore.iter().map(read).collect()
}

fn severity(level: Level) -> Severity {
    match level {
        Level::Info => Severity::Info,
        Level::Low => Severity::Low,
        Level::Medium => Severity::Medium,
        Level::High => Severity::High,
        Level::Critical => Severity::Critical,
    }
}

fn text(one: &InFile) -> String {
    let finding = &one.finding;
    let (name, colour) = match finding.severity {
        Severity::Info => ("info", AnsiColor::Blue),
        Severity::Low => ("low", AnsiColor::Cyan),
        Severity::Medium => ("medium", AnsiColor::Yellow),
        Severity::High => ("high", AnsiColor::Red),
        Severity::Critical => ("critical", AnsiColor::Magenta),
    };
    let style = Style::new().fg_color(Some(colour.into())).bold();
    format!(
        "{style}{name}[{}]{style:#}: {}\n  where: {}: {}\n  fix: {}\n",
        finding.id, finding.message, one.file, finding.place, finding.fix
    )
}
