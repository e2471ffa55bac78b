//! `federate aws-config`: targets as profiles in the config file of their cloud's SDKs.

use federate_core::{Error, Reporter as _, SdkConfig, SdkProfile, codes};
use federate_profile::Profile;

use crate::args::AwsConfig;
use crate::edited::{Edited, Neighbours};
use crate::invocation;
use crate::report::Failure;
use crate::setup::{Start, located};

pub(crate) fn run(start: &Start, arguments: AwsConfig) -> Result<u8, Failure> {
    let is_everything = arguments.change.remove && arguments.targets.target.is_empty();
    let profile = start.load(&[])?;
    let targets = if is_everything { Vec::new() } else { selected(start, &profile, &arguments.targets.target)? };
    let config = config_of(start, &profile, &targets)?;
    let file = match arguments.file {
        Some(path) => path,
        None => config.file(&start.context(&profile)?)?,
    };
    let edited = Edited::new(file, Neighbours::Unaware, None)?;
    let name = |target: &str| format!("{}{target}", arguments.prefix);
    if arguments.change.remove {
        let meant: Vec<String> = targets.iter().map(|target| name(target)).collect();
        let is_meant = |found: &str| {
            if is_everything { found.starts_with(&arguments.prefix) } else { meant.iter().any(|one| one == found) }
        };
        return edited.apply(start, &arguments.change, &|text| Ok(config.without_profiles(text, &is_meant)));
    }
    let mut profiles = Vec::new();
    for target in &targets {
        profiles.push(SdkProfile {
            name: name(target),
            program: invocation::of(start, &profile, "credential-process", target)?,
            settings: profile.as_written(target).map_err(|errors| located(&profile, errors))?.sdk_settings(),
        });
    }
    let names: Vec<String> = profiles.iter().map(|one| one.name.clone()).collect();
    for warning in config.outranked(&start.context(&profile)?, &names) {
        start.stderr.warn(&warning);
    }
    edited.apply(start, &arguments.change, &|text| {
        let written = config.with_profiles(text, &profiles, arguments.change.force);
        Ok(written.map_err(|errors| errors.into_iter().map(|error| edited.blame(error)).collect::<Vec<_>>())?)
    })
}

fn config_of<'a>(start: &'a Start, profile: &Profile, targets: &[String]) -> Result<&'a dyn SdkConfig, Error> {
    let of_kind = |kind: &str| start.registry.cloud(kind).and_then(|cloud| cloud.sdk_config());
    let all = || start.registry.targets().iter().find_map(|target| of_kind(target.kind));
    let found = match targets.first() {
        Some(target) => profile.target_kind(target).and_then(of_kind),
        None => all(),
    };
    found.ok_or_else(|| Error::new(&codes::USAGE, "no cloud has SDKs with a config file"))
}

/// The targets that `-t` names, else all that can be written.
fn selected(start: &Start, profile: &Profile, patterns: &[String]) -> Result<Vec<String>, Error> {
    let has_file = |target: &String| {
        let cloud = profile.target_kind(target).and_then(|kind| start.registry.cloud(kind));
        cloud.is_some_and(|cloud| cloud.sdk_config().is_some())
    };
    if patterns.is_empty() {
        let all: Vec<String> = profile.target_names().into_iter().map(str::to_owned).filter(has_file).collect();
        if all.is_empty() {
            return Err(Error::new(
                &codes::USAGE,
                format!("the profile {} has no target whose SDKs read such a file", profile.label()),
            )
            .with_help("add an AWS target, or choose another profile with -p"));
        }
        return Ok(all);
    }
    let chosen = profile.matching(patterns)?;
    match chosen.iter().find(|target| !has_file(target)) {
        None => Ok(chosen),
        Some(target) => Err(Error::new(
            &codes::USAGE,
            format!(
                "the target `{target}` has type `{}`, whose SDKs know no program for credentials in a config file",
                profile.target_kind(target).unwrap_or_default()
            ),
        )
        .with_help("select AWS targets with -t")),
    }
}
