//! What is deployed, held against what would be generated: by meaning, not by text.

use std::path::Path;

use anstyle::{AnsiColor, Style};
use federate_core::{Error, Reporter as _, codes};
use federate_trust::{Comparison, Intended, Way, compare};
use serde_json::{Value as Json, json};

use crate::args::Generate;
use crate::commands::trust::{FOUND, input};
use crate::commands::written;
use crate::report::{Failure, Output, pretty, print_styled};
use crate::setup::Start;

pub(super) fn run(
    start: &Start,
    arguments: &Generate,
    intended: &Intended,
    cloud: &str,
    file: &Path,
) -> Result<u8, Failure> {
    let deployed = input::document(file, Some(cloud), arguments.only.as_deref(), "--only")?;
    let (Some(wanted), Some(found)) = (intended.document.ways(), deployed.document.ways()) else {
        return Err(Error::new(&codes::USAGE, format!("trust of {cloud} cannot be compared")).into());
    };
    let comparison = compare(&wanted, &found);
    // Copied from another account, say, whose providers are not this one's.
    let elsewhere = match (intended.document.home(), deployed.document.home()) {
        (Some(meant), Some(found)) if meant != found => Some(format!(
            "it trusts the providers of {found}, and nobody gets in by them where the target is: in {meant}"
        )),
        _ => None,
    };
    let is_same = comparison.is_same() && elsewhere.is_none();
    let shown = match start.global.output {
        Output::Json => pretty(&json(&comparison, is_same)),
        Output::Text | Output::Sarif => text(&comparison, is_same, file),
    };
    written(print_styled(&shown))?;
    if let Some(elsewhere) = elsewhere {
        start.stderr.warn(&format!("{}: {elsewhere}", file.display()));
    }
    Ok(if is_same { 0 } else { FOUND })
}

fn json(comparison: &Comparison, is_same: bool) -> Json {
    let list = |ways: &[Way]| ways.iter().map(Way::json).collect::<Vec<_>>();
    json!({
        "same": is_same,
        "missing": list(&comparison.missing),
        "too_much": list(&comparison.too_much),
    })
}

fn text(comparison: &Comparison, is_same: bool, file: &Path) -> String {
    if is_same {
        return format!("{} lets in exactly the allow list\n", file.display());
    }
    let mut out = format!("{} does not let in exactly the allow list\n", file.display());
    let mut part = |title: &str, sign: char, colour: AnsiColor, ways: &[Way]| {
        if ways.is_empty() {
            return;
        }
        let style = Style::new().fg_color(Some(colour.into()));
        out.push_str(&format!("\n{title}:\n"));
        for way in ways {
            out.push_str(&format!("{style}{sign} {}{style:#}\n", way.describe()));
        }
    };
    part("in the allow list, and not let in under these conditions", '-', AnsiColor::Red, &comparison.missing);
    part("let in, and not in the allow list", '+', AnsiColor::Green, &comparison.too_much);
    out
}
