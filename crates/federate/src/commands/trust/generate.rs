//! `trust generate`: what the cloud must be given so that exactly the `allow` list gets in.

mod check;
mod files;

use federate_core::{Error, Reporter as _, codes};
use federate_profile::Profile;
use federate_trust::{Artifact, Format, Intended, Severity, TrustModel, Wanted, WantedEntry, format_named};
use serde_json::{Value as Json, json};

use super::input;
use crate::args::Generate;
use crate::commands::written;
use crate::report::{Failure, Output, pretty, print_styled};
use crate::setup::{Start, located};

pub(super) fn run(start: &Start, arguments: &Generate) -> Result<u8, Failure> {
    let profile = start.load(&[])?;
    let target = one_target(&profile, arguments)?;
    let model = model(&profile, &target)?;
    let format = arguments.format.as_deref().map(|name| format(model, name)).transpose()?;
    let wanted = wanted(start, &profile, &target)?;
    let place = |errors: Vec<Error>| {
        let section = format!("targets.{target}");
        located(&profile, errors.into_iter().map(|error| error.in_section(&section)).collect())
    };
    let intended = model.intended(&wanted).map_err(place)?;
    for note in &intended.notes {
        start.stderr.note(note);
    }
    if let Some(file) = &arguments.check {
        return check::run(start, arguments, &intended, model.kind(), file);
    }
    let Some(format) = format else {
        return Err(Error::new(&codes::USAGE, "no format is named").into());
    };
    let artifacts = model.generate(&wanted, format).map_err(place)?;
    warn_of_findings(start, &intended);
    match &arguments.dir {
        Some(folder) => files::write(start, folder, &artifacts, arguments.force),
        None => print(start, &target, format, &artifacts, &intended),
    }
}

/// What is generated is for one target.
fn one_target(profile: &Profile, arguments: &Generate) -> Result<String, Failure> {
    let mut names = profile.matching(&arguments.targets.target)?;
    if names.len() == 1 {
        return Ok(names.remove(0));
    }
    Err(Error::new(&codes::USAGE, format!("{} targets are selected, and what is generated is for one", names.len()))
        .with_help(format!("choose one with -t: {}", names.join(", ")))
        .into())
}

fn model(profile: &Profile, target: &str) -> Result<&'static dyn TrustModel, Failure> {
    let models = input::models(profile.target_kind(target))?;
    models.into_iter().next().ok_or_else(|| {
        Error::new(&codes::USAGE, format!("the target `{target}` is of a cloud whose trust is not known")).into()
    })
}

/// The format of this name, or whose it is.
fn format(model: &'static dyn TrustModel, name: &str) -> Result<&'static Format, Error> {
    let own = model.formats();
    if own.is_empty() {
        return Err(Error::new(&codes::USAGE, format!("for {} no trust is generated", model.kind())));
    }
    let others = input::models(None)?.into_iter().filter(|other| other.kind() != model.kind());
    let is_known = |other: &&'static dyn TrustModel| other.formats().iter().any(|format| format.name == name);
    if let Some(other) = others.into_iter().find(is_known).filter(|_| !own.iter().any(|format| format.name == name)) {
        let names: Vec<&str> = own.iter().map(|format| format.name).collect();
        return Err(Error::new(
            &codes::USAGE,
            format!("`{name}` is a format for {}, and the target is of {}", other.kind(), model.kind()),
        )
        .with_help(format!("for {} there are {}", model.kind(), names.join(", "))));
    }
    format_named(model.kind(), own, name)
}

fn wanted(start: &Start, profile: &Profile, target: &str) -> Result<Wanted, Failure> {
    let context = start.context(profile)?;
    let (unbound, settings) = profile.filled_so_far(&context, target).map_err(|errors| located(profile, errors))?;
    let allow = profile.allow_with_audiences(&context, target).map_err(|errors| located(profile, errors))?;
    if allow.is_empty() {
        let error = Error::new(&codes::USAGE, format!("the target `{target}` does not say who is meant to get in"))
            .with_setting(format!("targets.{target}.trust.allow"))
            .with_help(format!(
                "add to the profile:\n[targets.{target}.trust]\nallow = [{{ identity = \"gitlab\", project = \"group/project\", branch = \"main\" }}]"
            ));
        return Err(located(profile, vec![error]));
    }
    let entries = allow
        .into_iter()
        .map(|(pattern, customary)| WantedEntry {
            pattern,
            audiences: unbound.audiences(customary.as_deref()).iter().map(str::to_owned).collect(),
        })
        .collect();
    Ok(Wanted { target: target.to_owned(), settings, entries })
}

/// The list may ask for what the linter does not like; then it is the list's wish, and said.
fn warn_of_findings(start: &Start, intended: &Intended) {
    for finding in intended.document.lint().iter().filter(|finding| finding.severity >= Severity::Medium) {
        start.stderr.warn(&format!(
            "trust lint would say {} of this, because the allow list asks for it: {}",
            finding.id, finding.message
        ));
    }
}

fn print(
    start: &Start,
    target: &str,
    format: &Format,
    artifacts: &[Artifact],
    intended: &Intended,
) -> Result<u8, Failure> {
    match start.global.output {
        Output::Json => {
            let files: Vec<Json> = artifacts
                .iter()
                .map(|file| json!({ "path": file.path, "content": file.text, "executable": file.is_executable }))
                .collect();
            let value = json!({ "target": target, "format": format.name, "files": files, "notes": intended.notes });
            written(print_styled(&pretty(&value)))
        }
        Output::Text | Output::Sarif => {
            if let Some((_, others)) = artifacts.split_first().filter(|(_, others)| !others.is_empty()) {
                let names: Vec<&str> = others.iter().map(|file| file.path.as_str()).collect();
                start.stderr.warn(&format!("{} belong to it too: --dir DIR writes all files", names.join(", ")));
            }
            files::print(artifacts)
        }
    }
}
