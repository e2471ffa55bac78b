//! From a target's `allow` list to what its cloud must be given.

use federate_core::suggest::nearest;
use federate_core::template::is_literal;
use federate_core::{ClaimPattern, Error, Pattern, codes};
use serde::de::DeserializeOwned;
use serde_json::Value as Json;

use crate::issuers::Provider;
use crate::model::TrustDocument;
use crate::subject::told;

/// Who is meant to become which target.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// The target's name in the profile.
    pub target: String,
    /// The target's own settings, defaults included. Placeholders that cannot be filled yet stand as written.
    pub settings: Json,
    /// The `allow` list, never empty.
    pub entries: Vec<WantedEntry>,
}

impl Wanted {
    /// The settings as the adapter's own type.
    ///
    /// # Errors
    /// `setting-invalid` where they are not of it.
    pub fn settings_as<T: DeserializeOwned>(&self) -> Result<T, Vec<Error>> {
        serde_json::from_value(self.settings.clone()).map_err(|error| {
            vec![
                Error::new(&codes::SETTING_INVALID, "the target's settings cannot be used")
                    .with_cause(error.to_string()),
            ]
        })
    }
}

/// A problem for each setting whose placeholders are not filled, where they decide who becomes what. `noun` says what such a
/// setting is: `ARN`, `id`.
pub fn unfilled<'a>(settings: impl IntoIterator<Item = (String, &'a String)>, noun: &str) -> Vec<Error> {
    let open = settings.into_iter().filter(|(_, text)| !is_literal(text));
    open.map(|(key, text)| {
        let what = format!("`{text}` has a placeholder that is not filled, so what to generate is not known");
        Error::new(&codes::SETTING_INVALID, what).with_setting(key).with_help(format!(
            "set the variable that it names, or write the {noun} out with --set; `{{claim:…}}` is known in a job only"
        ))
    })
    .collect()
}

/// One entry of the list.
#[derive(Clone, Debug)]
pub struct WantedEntry {
    /// Who gets in.
    pub pattern: ClaimPattern,
    /// The audiences that the tokens carry, best first.
    pub audiences: Vec<String>,
}

/// A form in which a cloud's tools take their configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Format {
    /// The name in `--format`.
    pub name: &'static str,
    /// One line about it.
    pub summary: &'static str,
}

/// The trust that a list means, in the cloud's own terms.
#[derive(Debug)]
pub struct Intended {
    /// What decides; the artifacts of every format hold exactly this.
    pub document: Box<dyn TrustDocument>,
    /// What the cloud cannot tell, and who stays outside for it. Nobody but the list's own gets in.
    pub notes: Vec<String>,
}

/// A file to apply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Artifact {
    /// Its name, relative, with `/` between folders.
    pub path: String,
    /// Its whole text.
    pub text: String,
    /// Is it a program?
    pub is_executable: bool,
}

impl Artifact {
    /// A file that is read, not run.
    pub fn new(path: impl Into<String>, text: impl Into<String>) -> Self {
        Self { path: path.into(), text: text.into(), is_executable: false }
    }

    /// A script.
    pub fn script(path: impl Into<String>, text: impl Into<String>) -> Self {
        Self { is_executable: true, ..Self::new(path, text) }
    }
}

/// The format of this name.
///
/// # Errors
/// `usage`, with the nearest name, or all of them.
pub fn format_named(kind: &str, formats: &'static [Format], name: &str) -> Result<&'static Format, Error> {
    if let Some(format) = formats.iter().find(|format| format.name == name) {
        return Ok(format);
    }
    let names: Vec<&str> = formats.iter().map(|format| format.name).collect();
    let error = Error::new(&codes::USAGE, format!("`{name}` is not a format for {kind}"));
    let error = match nearest(name, names.iter().copied()) {
        Some(near) => error.with_help(format!("did you mean `{near}`?")),
        None => error,
    };
    Err(error.with_help(format!("there are {}", names.join(", "))))
}

/// What becomes of an entry's claims where a cloud sees only some of them beside the subject.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Split {
    /// Claims that the cloud tests by themselves.
    pub tested: Vec<(String, Pattern)>,
    /// Claims that nothing tells: the cloud does not see them, and the subject does not say them.
    pub untold: Vec<String>,
    /// Claims that the subject says, but another value of theirs would have made the same subject.
    pub doubtful: Vec<String>,
}

/// Sorts an entry's claims for one of its subjects: those that the cloud sees, and those that the subject says already.
pub fn split_claims(entry: &ClaimPattern, subject: Option<&Pattern>, is_visible: &dyn Fn(&str) -> bool) -> Split {
    let provider = Provider::new(entry.issuer.as_str());
    let said = subject.map(|subject| told(&provider, &subject.example("*", "*"))).unwrap_or_default();
    let mut split = Split::default();
    for (name, pattern) in &entry.claims {
        let value = pattern.example("*", "*");
        if is_visible(name) {
            split.tested.push((name.clone(), pattern.clone()));
            continue;
        }
        match said.iter().find(|one| one.claim == name && one.value == value) {
            Some(one) if one.is_certain => {}
            Some(_) => split.doubtful.push(name.clone()),
            None => split.untold.push(name.clone()),
        }
    }
    split
}
