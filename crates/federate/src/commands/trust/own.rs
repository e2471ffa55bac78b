//! What a target's own section says about its trust, as something that decides.

use federate_core::{Audiences, ClaimPattern, Context, Error};
use federate_profile::Profile;
use federate_trust::{Job, Located, Verdict};

use super::{allow, input};

/// A target's trust.
pub(crate) struct Trusted {
    /// The `allow` list.
    pub(crate) entries: Vec<ClaimPattern>,
    /// The deployed configuration, where the section names its file.
    pub(crate) document: Option<(String, Located)>,
}

/// Reads a target's trust.
///
/// # Errors
/// Of the `allow` list and of the file, with the setting to look at.
pub(crate) fn of_target(profile: &Profile, context: &Context, name: &str) -> Result<Trusted, Vec<Error>> {
    let entries = profile.allow(context, name)?;
    let section = profile.trust(name);
    let document = match section.and_then(|section| Some((section, section.policy.as_deref()?))) {
        None => None,
        Some((section, path)) => {
            let located = input::document(
                path,
                profile.target_kind(name),
                section.only.as_deref(),
                "`only` beside `policy` in the profile",
            );
            let place = |error: Error| error.with_setting(format!("targets.{name}.trust.policy"));
            let located = located.map_err(|errors| errors.into_iter().map(place).collect::<Vec<_>>())?;
            Some((input::shown(path), located))
        }
    };
    Ok(Trusted { entries, document })
}

impl Trusted {
    /// Does the section say anything at all?
    pub(crate) fn is_known(&self) -> bool {
        self.document.is_some() || !self.entries.is_empty()
    }

    /// What it is called in sentences.
    pub(crate) fn source(&self) -> &str {
        self.document.as_ref().map_or("trust.allow", |(file, _)| file)
    }

    /// Decides: by the deployed configuration where it is known, else by the `allow` list.
    pub(crate) fn evaluate(&self, audiences: &Audiences, job: &Job) -> Verdict {
        let meant = allow::evaluate(&self.entries, audiences, &job.claims);
        let Some((file, located)) = &self.document else { return meant };
        let mut verdict = located.document.evaluate(job);
        if !self.entries.is_empty() && meant.decision != verdict.decision {
            let contradiction = if meant.is_allowed() {
                format!("trust.allow means to let this job in, and {file} does not")
            } else {
                format!("trust.allow means to keep this job out, and {file} lets it in")
            };
            verdict.warning = Some(match verdict.warning.take() {
                Some(known) => format!("{known}; {contradiction}"),
                None => contradiction,
            });
        }
        verdict
    }
}
