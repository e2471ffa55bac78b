//! `trust lint`: who else could get in, and what cannot work.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anstyle::{AnsiColor, Style};
use federate_core::suggest::nearest;
use federate_core::{Error, Reporter as _, codes};
use federate_profile::Profile;
use federate_trust::{Finding, Severity};
use serde_json::json;

use super::{FOUND, folder, input, sarif};
use crate::args::{Level, Lint};
use crate::commands::written;
use crate::registry::trust_models;
use crate::report::{Failure, Output, pretty, print_styled};
use crate::setup::{Start, located};

/// A finding and where it is.
pub(crate) struct InFile {
    pub(crate) file: String,
    /// From 1; `None` where it is not known.
    pub(crate) line: Option<usize>,
    pub(crate) finding: Finding,
}

impl InFile {
    /// `trust/deploy.json:7: statement 1`
    fn place(&self) -> String {
        let line = self.line.map(|line| format!(":{line}")).unwrap_or_default();
        format!("{}{line}: {}", self.file, self.finding.place)
    }
}

/// A file to look at, and what is meant to be in it.
struct Subject {
    path: PathBuf,
    cloud: Option<String>,
    only: Option<String>,
    ignore: BTreeSet<String>,
    target: Option<String>,
    /// It was found in a folder, and may be about something else.
    is_found: bool,
}

impl Subject {
    /// An error with the setting that led to it.
    fn named(&self, error: Error) -> Error {
        match (&self.target, error.setting()) {
            (Some(target), None) => error.with_setting(format!("targets.{target}.trust.policy")),
            _ => error,
        }
    }
}

pub(super) fn run(start: &Start, arguments: &Lint) -> Result<u8, Failure> {
    let ignored = ignored(arguments)?;
    let (profile, subjects) = subjects(start, arguments)?;
    let mut found = Vec::new();
    let mut failures: Vec<Failure> = Vec::new();
    let mut unused: BTreeSet<String> = ignored.iter().map(|id| format!("--ignore {id}")).collect();
    let mut left_out = 0_usize;
    let mut known: BTreeSet<String> = BTreeSet::new();
    let mut others = 0_usize;
    for subject in &subjects {
        known.extend(subject.ignore.iter().cloned());
        match look(subject) {
            Ok(Look::Other(unread)) => {
                others += 1;
                if let Some(why) = unread {
                    start.stderr.warn(&format!("{why}; it is left out"));
                }
            }
            Ok(Look::Trust(seen)) => {
                found.extend(seen.found);
                left_out += seen.left_out;
                unused.extend(seen.unused);
                for doubt in seen.doubts {
                    start.stderr.warn(&doubt);
                }
                for unknown in seen.unknown {
                    start.stderr.note(&format!("{unknown}; nothing is said about that"));
                }
            }
            // The other files are looked at all the same; every problem is reported in one go.
            Err(errors) => failures.push(match &profile {
                Some(profile) => located(profile, errors.into_iter().map(|error| subject.named(error)).collect()),
                None => errors.into(),
            }),
        }
    }
    if let Some(failure) = Failure::joined(failures) {
        return Err(failure);
    }
    let looked_at = subjects.len() - others;
    if looked_at == 0 {
        let folders: Vec<String> = arguments.files.iter().map(|path| path.display().to_string()).collect();
        return Err(Error::new(
            &codes::USAGE,
            format!("no file in {} holds a trust configuration", folders.join(", ")),
        )
        .with_help("looked for in .json, .yaml, .yml, .template and .tfstate files")
        .into());
    }
    let least = severity(arguments.min_severity);
    let mut kept = Vec::new();
    for one in found {
        let is_ignored = ignored.iter().any(|id| id == one.finding.id);
        if is_ignored {
            unused.remove(&format!("--ignore {}", one.finding.id));
        }
        if is_ignored || one.finding.severity < least {
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
                "where": one.place(),
                "message": one.finding.message,
                "fix": one.finding.fix,
            })).collect::<Vec<_>>(),
        })),
        Output::Sarif => pretty(&sarif::report(&kept)),
        Output::Text => kept.iter().map(text).collect(),
    };
    written(print_styled(&text))?;
    let count = |number: usize, what: &str| format!("{number} {what}{}", if number == 1 { "" } else { "s" });
    let (findings, files) = (count(kept.len(), "finding"), count(looked_at, "file"));
    start.stderr.note(&format!("{findings}, {left_out} left out, in {files}"));
    known.extend(ignored);
    let misspelt: Vec<String> = known.into_iter().filter_map(|id| unknown_rule(&id)).collect();
    for warning in &misspelt {
        start.stderr.warn(warning);
    }
    for name in unused {
        start.stderr.note(&format!("{name} left nothing out; it can go"));
    }
    let limit = severity(arguments.fail_on);
    Ok(if kept.iter().any(|one| one.finding.severity >= limit) { FOUND } else { 0 })
}

/// What a file turned out to be.
enum Look {
    Trust(Seen),
    /// It was found in a folder and holds no trust, or why it cannot be read.
    Other(Option<String>),
}

/// What is in one file.
#[derive(Default)]
struct Seen {
    found: Vec<InFile>,
    left_out: usize,
    unused: Vec<String>,
    /// What is known only after apply.
    unknown: Vec<String>,
    /// What no rule names.
    doubts: Vec<String>,
}

fn look(subject: &Subject) -> Result<Look, Vec<Error>> {
    let cloud = subject.cloud.as_deref();
    let (source, mut documents) = if subject.is_found {
        let source = match input::source(&subject.path) {
            Ok(source) => source,
            // A Helm chart, say; a policy that is broken is told of as well.
            Err(error) => return Ok(Look::Other(Some(unread(&error)))),
        };
        let documents = input::documents_in(&source, cloud)?;
        // A plan or state says all there is to say, also where no role is in it.
        if documents.is_empty() && !federate_trust::terraform::is_one(&source.value) {
            return Ok(Look::Other(None));
        }
        (source, documents)
    } else {
        input::documents(&subject.path, cloud)?
    };
    if let Some(only) = &subject.only {
        let all: Vec<String> =
            documents.iter().map(|located| located.place.clone()).filter(|place| !place.is_empty()).collect();
        documents.retain(|located| located.place.contains(only.as_str()));
        if documents.is_empty() {
            let error = input::unnamed(&subject.path, only, &all);
            return Err(vec![match &subject.target {
                Some(target) => error.with_setting(format!("targets.{target}.trust.only")),
                None => error,
            }]);
        }
    }
    let name = |id: &str| match &subject.target {
        Some(target) => format!("targets.{target}.trust.ignore.{id}"),
        None => format!("--ignore {id}"),
    };
    let mut unused: BTreeSet<&str> = subject.ignore.iter().map(String::as_str).collect();
    let mut seen = Seen::default();
    let file = match &subject.target {
        _ if subject.path == Path::new("-") => "stdin".to_owned(),
        // The loader has made it absolute.
        Some(_) => input::shown(&subject.path),
        None => subject.path.display().to_string(),
    };
    for located in documents {
        seen.unknown.extend(located.document.unknown().into_iter().map(|unknown| format!("{file}: {unknown}")));
        seen.doubts.extend(located.document.doubts().into_iter().map(|doubt| match located.place.as_str() {
            "" => format!("{file}: {doubt}"),
            place => format!("{file}: {place}, {doubt}"),
        }));
        for mut finding in located.document.lint() {
            if subject.ignore.contains(finding.id) {
                unused.remove(finding.id);
                seen.left_out += 1;
                continue;
            }
            if !located.place.is_empty() {
                finding.place = format!("{}, {}", located.place, finding.place);
            }
            let line = source.line(&finding.path).filter(|_| !finding.path.is_empty());
            seen.found.push(InFile { file: file.clone(), line, finding });
        }
    }
    seen.unused = unused.into_iter().map(name).collect();
    Ok(Look::Trust(seen))
}

fn unread(error: &Error) -> String {
    let cause = error.cause().map(|cause| format!(": {cause}")).unwrap_or_default();
    format!("{}{cause}", error.what())
}

/// The findings in the file that a target names as its trust; `None` where it names none.
///
/// # Errors
/// `trust-document`, and those of reading the file.
pub(crate) fn of_target(profile: &Profile, target: &str) -> Option<Result<Vec<InFile>, Vec<Error>>> {
    let found = |look| match look {
        Look::Trust(seen) => seen.found,
        Look::Other(_) => Vec::new(),
    };
    subject(profile, target).map(|subject| look(&subject).map(found))
}

fn subject(profile: &Profile, target: &str) -> Option<Subject> {
    let section = profile.trust(target)?;
    Some(Subject {
        path: section.policy.clone()?,
        cloud: profile.target_kind(target).map(str::to_owned),
        only: section.only.clone(),
        ignore: section.ignore.keys().cloned().collect(),
        target: Some(target.to_owned()),
        is_found: false,
    })
}

/// The files named, else those that the profile's targets name.
fn subjects(start: &Start, arguments: &Lint) -> Result<(Option<Profile>, Vec<Subject>), Failure> {
    if !arguments.files.is_empty() {
        let given = |path: PathBuf, is_found: bool| Subject {
            path,
            cloud: arguments.cloud.clone(),
            only: None,
            ignore: BTreeSet::new(),
            target: None,
            is_found,
        };
        input::models(arguments.cloud.as_deref())?;
        let mut subjects = Vec::new();
        for path in &arguments.files {
            if path.is_dir() {
                subjects.extend(folder::files(path)?.into_iter().map(|path| given(path, true)));
            } else {
                subjects.push(given(path.clone(), false));
            }
        }
        return Ok((None, subjects));
    }
    let profile = start.load(&[])?;
    let names = if arguments.targets.target.is_empty() {
        profile.target_names().into_iter().map(str::to_owned).collect()
    } else {
        profile.matching(&arguments.targets.target)?
    };
    let subjects: Vec<Subject> = names.iter().filter_map(|name| subject(&profile, name)).collect();
    if subjects.is_empty() {
        return Err(Error::new(&codes::USAGE, "no FILE is given, and no target names its trust")
            .with_help("name a file, or add `policy = \"trust/deploy.json\"` to [targets.NAME.trust]")
            .into());
    }
    Ok((Some(profile), subjects))
}

/// What to say of an id that no rule has.
fn unknown_rule(id: &str) -> Option<String> {
    let ids: Vec<&str> = trust_models().iter().flat_map(|model| model.rules()).map(|rule| rule.id).collect();
    if ids.contains(&id) {
        return None;
    }
    let near = nearest(id, ids.iter().copied()).map(|near| format!(", did you mean `{near}`?")).unwrap_or_default();
    Some(format!("no finding is called `{id}`{near}"))
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
        "{style}{name}[{}]{style:#}: {}\n  where: {}\n  fix: {}\n",
        finding.id,
        finding.message,
        one.place(),
        finding.fix
    )
}
