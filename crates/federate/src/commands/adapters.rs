//! `federate adapters`: what is built in, and what is declared.

use serde_json::json;

use super::written;
use crate::report::{Failure, Output, pretty, print_result};
use crate::setup::Start;

pub(crate) fn run(start: &Start) -> Result<u8, Failure> {
    // Declared adapters stand in the machine's and the user's own files; a broken profile must not hide the built-in ones.
    let externals = start.load(&[]).map(|profile| profile.externals().to_vec()).unwrap_or_default();
    let identities: Vec<_> = start.registry.identities().iter().map(|kind| (kind.kind, kind.summary)).collect();
    let targets: Vec<_> = start.registry.targets().iter().map(|kind| (kind.kind, kind.summary)).collect();
    let text = match start.global.output {
        Output::Json => {
            let list = |kinds: &[(&str, &str)]| {
                kinds.iter().map(|(kind, summary)| json!({ "type": kind, "summary": summary })).collect::<Vec<_>>()
            };
            pretty(&json!({
                "identities": list(&identities),
                "targets": list(&targets),
                "externals": externals.iter().map(|(name, path)| json!({ "name": name, "path": path })).collect::<Vec<_>>(),
            }))
        }
        Output::Text | Output::Sarif => {
            let all = identities.iter().chain(&targets).map(|(kind, _)| *kind);
            let names = all.chain(externals.iter().map(|(name, _)| name.as_str()));
            let width = names.map(|name| name.chars().count()).max().unwrap_or_default();
            let list = |title: &str, kinds: &[(&str, &str)]| {
                kinds
                    .iter()
                    .fold(format!("{title}\n"), |out, (kind, summary)| out + &format!("  {kind:width$} {summary}\n"))
            };
            let mut out = list("identities", &identities) + &list("targets", &targets);
            for (index, (name, path)) in externals.iter().enumerate() {
                if index == 0 {
                    out.push_str("externals declared\n");
                }
                out.push_str(&format!("  {name:width$} {}\n", path.display()));
            }
            out
        }
    };
    written(print_result(&text))
}
