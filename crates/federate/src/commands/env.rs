//! `federate env`: the variables, for a shell or a CI system.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;

use federate_core::{ChildEnv, Error, Exchanged, FileContent, Reporter as _, Secret, codes};

use super::exec::{outranking, surroundings};
use super::written;
use crate::args::Env;
use crate::child::value_text;
use crate::formats::{Format, Variable};
use crate::private::write_private;
use crate::report::{Failure, print_result};
use crate::setup::{Start, exchange_for_child};

pub(crate) async fn run(start: &Start, arguments: Env) -> Result<u8, Failure> {
    let output = Output::new(start, arguments.format, arguments.write)?;
    let profile = start.load(&[])?;
    let ready = exchange_for_child(start, &profile, &arguments.targets.target).await?;
    let surroundings = surroundings(start, &profile, ready.session.context(), &ready.exchanged)?;
    let paths = place_files(start, &arguments, &surroundings)?;
    let mut variables: Vec<Variable> = surroundings
        .set
        .iter()
        .map(|(name, value)| {
            let (value, is_secret) = value_text(value, &paths);
            Variable { name: name.clone(), value, is_secret }
        })
        .collect();
    // The request token that Terraform is given came from the CI, not of an exchange.
    variables.iter().filter(|variable| variable.is_secret).for_each(|variable| ready.session.hide(&variable.value));
    let unset = unset_by(start, &ready.exchanged, &variables);
    output.warn_of(start, &unset);
    if arguments.format == Format::Gitlab && !arguments.allow_artifact_secrets {
        let left_out: Vec<String> =
            variables.iter().filter(|variable| variable.is_secret).map(|variable| variable.name.clone()).collect();
        variables.retain(|variable| !variable.is_secret);
        if !left_out.is_empty() {
            start.stderr.warn(&format!(
                "left out, because a dotenv report is an artifact that others can download: {}; use `federate exec` in the job that needs them, or --allow-artifact-secrets",
                left_out.join(", ")
            ));
        }
    }
    for note in &surroundings.notes {
        start.stderr.note(note);
    }
    written(output.put(&variables, &unset)?)
}

/// Variables of this environment that would outrank the new ones.
pub(crate) fn unset_by(start: &Start, exchanged: &[Exchanged], variables: &[Variable]) -> Vec<String> {
    let patterns = outranking(start, exchanged);
    let is_meant = |name: &str| patterns.iter().any(|pattern| pattern.matches(name));
    let names = start.env.iter().map(|(name, _)| name);
    names
        .filter(|name| is_meant(name) && !variables.iter().any(|variable| variable.name == *name))
        .map(str::to_owned)
        .collect()
}

/// Where variables go: stdout, or the CI's own file.
pub(crate) struct Output {
    format: Format,
    file: Option<String>,
}

impl Output {
    /// Checks that there is such a file where one is asked for.
    pub(crate) fn new(start: &Start, format: Format, write: bool) -> Result<Self, Error> {
        if !write {
            return Ok(Self { format, file: None });
        }
        let Some(variable) = format.file_variable() else {
            return Err(Error::new(&codes::USAGE, "--write needs a format whose CI has a file for variables")
                .with_help("use -f github or -f circleci"));
        };
        match start.env.get(variable) {
            Some(path) => Ok(Self { format, file: Some(path.to_owned()) }),
            None => Err(Error::new(
                &codes::USAGE,
                format!("--write appends to the file that {variable} names, but {variable} is not set"),
            )
            .with_help("leave out --write to print instead")),
        }
    }

    /// Says what the format cannot take away.
    pub(crate) fn warn_of(&self, start: &Start, unset: &[String]) {
        let cannot = matches!(
            self.format,
            Format::Dotenv | Format::Json | Format::Github | Format::Gitlab | Format::AzureDevops
        );
        if cannot && !unset.is_empty() {
            start.stderr.warn(&format!("set in this environment, and this format cannot unset them, though they may outrank the new credentials: {}", unset.join(", ")));
        }
    }

    /// Prints or appends. The inner result is that of stdout.
    pub(crate) fn put(&self, variables: &[Variable], unset: &[String]) -> Result<std::io::Result<()>, Error> {
        let text = self.format.render(variables, unset)?;
        let Some(path) = &self.file else { return Ok(print_result(text.reveal())) };
        let text = if has_an_open_line(path) { Secret::new(format!("\n{}", text.reveal())) } else { text };
        let file = OpenOptions::new().append(true).create(true).mode(0o600).open(path);
        let appended = file.and_then(|mut file| file.write_all(text.reveal().as_bytes()));
        appended.map(Ok).map_err(|error| {
            Error::new(&codes::USAGE, format!("{path} cannot be appended to")).with_cause(error.to_string())
        })
    }
}

/// Did whoever wrote there before leave the last line open?
fn has_an_open_line(path: &str) -> bool {
    let is_file = std::fs::metadata(path).is_ok_and(|metadata| metadata.is_file());
    is_file && std::fs::read(path).is_ok_and(|text| text.last().is_some_and(|last| *last != b'\n'))
}

fn place_files(
    start: &Start,
    arguments: &Env,
    surroundings: &ChildEnv,
) -> Result<BTreeMap<String, std::path::PathBuf>, Failure> {
    let mut paths = BTreeMap::new();
    for file in &surroundings.files {
        match &file.content {
            FileContent::IdToken { token, .. } => {
                let Some(path) = &arguments.token_file else {
                    return Err(Error::new(
                        &codes::USAGE,
                        "these targets are handed over in a token file, and `env` does not know where to leave it",
                    )
                    .with_help(
                        "give --token-file PATH (the file stays there), or use `federate exec`, which removes it",
                    )
                    .into());
                };
                let path = std::path::absolute(path).unwrap_or_else(|_| path.clone());
                write_private(&path, token).map_err(|error| {
                    Error::new(&codes::USAGE, format!("the token file {} cannot be written", path.display()))
                        .with_cause(error.to_string())
                })?;
                paths.insert(file.id.clone(), path);
            }
            FileContent::Directory => {
                start.stderr.warn("the az CLI is not logged in by `env`; use `federate exec`");
            }
            FileContent::Text(_) => {
                return Err(Error::new(
                    &codes::USAGE,
                    "several targets of one cloud need private files, which `env` does not leave behind",
                )
                .with_help("select one of them with -t, or use `federate exec`")
                .into());
            }
        }
    }
    Ok(paths)
}
