//! `federate cache`: what is kept for the next call, and getting rid of it.

use std::time::SystemTime;

use federate_core::{Error, Reporter as _};
use serde_json::json;

use super::written;
use crate::args::CacheCommand;
use crate::cache::{CACHE_UNUSABLE, Inventory, Listed, clear, inventory};
use crate::report::{Failure, Output, pretty, print_result};
use crate::setup::Start;

pub(crate) fn run(start: &Start, command: CacheCommand) -> Result<u8, Failure> {
    match command {
        CacheCommand::List => {
            let found = inventory(&start.env, SystemTime::now()).map_err(|why| unusable("used", why))?;
            if found.entries.is_empty() {
                start.stderr.note(&format!("nothing is kept in {}", found.directory.display()));
            }
            written(print_result(&match start.global.output {
                Output::Json => json_of(&found),
                Output::Text | Output::Sarif => text_of(&found),
            }))
        }
        CacheCommand::Clear => {
            let removed = clear(&start.env).map_err(|why| unusable("cleared", why))?;
            if start.global.output == Output::Json {
                return written(print_result(&pretty(&json!({ "removed": removed }))));
            }
            let noun = if removed == 1 { "entry" } else { "entries" };
            start.stderr.note(&format!("removed {removed} {noun}"));
            Ok(0)
        }
    }
}

fn unusable(verb: &str, why: String) -> Error {
    Error::new(&CACHE_UNUSABLE, format!("the cache cannot be {verb}"))
        .with_cause(why)
        .with_help("credentials are exchanged anew at every call; nothing else depends on the cache")
}

fn time(at: Option<SystemTime>) -> Option<String> {
    at.map(|at| humantime::format_rfc3339_seconds(at).to_string())
}

fn json_of(found: &Inventory) -> String {
    let entry = |entry: &Listed| {
        json!({
            "profile": entry.profile, "target": entry.target, "type": entry.kind,
            "expires": time(entry.expires), "usable": entry.is_usable,
        })
    };
    pretty(&json!({
        "directory": found.directory, "key": found.key, "entries": found.entries.iter().map(entry).collect::<Vec<_>>(),
    }))
}

fn text_of(found: &Inventory) -> String {
    let line = |entry: &Listed| {
        let until = time(entry.expires).unwrap_or_else(|| "nobody knows when".to_owned());
        match (&entry.profile, &entry.target, &entry.kind) {
            (Some(profile), Some(target), Some(kind)) => {
                let state = if entry.is_usable { "" } else { ", not handed out any more" };
                format!("{profile} {target} ({kind}) until {until}{state}\n")
            }
            _ => format!("(another session's, or damaged) until {until}\n"),
        }
    };
    found.entries.iter().map(line).collect()
}
