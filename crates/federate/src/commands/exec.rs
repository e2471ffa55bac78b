//! `federate exec`: a command with the credentials in its environment only.

use std::sync::Arc;

use federate_core::{
    ChildEnv, Context, Error, Exchanged, Handover, NamePattern, Reporter as _, Session, TargetSource, codes,
};
use federate_profile::Profile;

use crate::args::{Exec, Preparation};
use crate::child::{self, Holder, Variables};
use crate::report::Failure;
use crate::setup::{Start, exchange_for_child, located};

pub(crate) async fn run(start: &Start, arguments: Exec) -> Result<u8, Failure> {
    let profile = load(start, arguments.preparation.az_login, &arguments.targets.target)?;
    let ready = exchange_for_child(start, &profile, &arguments.targets.target).await?;
    let (variables, surroundings) =
        outfit(start, &profile, &ready.session, &ready.sources, &ready.exchanged, &arguments.preparation)?;
    for note in &surroundings.notes {
        start.stderr.note(note);
    }
    let sources = holders(&ready.sources, &ready.exchanged);
    child::run(&ready.session, variables, surroundings, &sources, &arguments.command).await
}

/// What a command for these targets finds in its environment, and the private files that it needs.
pub(crate) fn outfit(
    start: &Start,
    profile: &Profile,
    session: &Session,
    sources: &[Arc<dyn TargetSource>],
    exchanged: &[Exchanged],
    preparation: &Preparation,
) -> Result<(Variables, ChildEnv), Failure> {
    let surroundings = surroundings(start, profile, session.context(), exchanged)?;
    if preparation.isolate
        && surroundings.files.iter().any(|file| matches!(file.content, federate_core::FileContent::IdToken { .. }))
    {
        return Err(Error::new(
            &codes::USAGE,
            "--isolate keeps ID tokens from the command, but a selected target can only be handed over as one",
        )
        .with_help("leave out --isolate, or select targets that hand over credentials (AWS)")
        .into());
    }
    let mut variables = Variables::inherit(&start.env);
    if !preparation.keep_env {
        let patterns = outranking(start, exchanged);
        let dropped = variables.drop_matching(&patterns);
        if !dropped.is_empty() {
            start.stderr.detail(&format!("dropped from the command's environment: {}", dropped.join(", ")));
        }
    }
    if preparation.isolate {
        let defaults = start.registry.identities().iter().map(|kind| kind.default_provider());
        let providers = defaults.chain(sources.iter().map(|source| Arc::clone(&source.identity().provider)));
        for provider in providers {
            provider.job_variables(session.context()).iter().for_each(|name| variables.remove(name));
        }
    }
    if !profile.names().is_empty() {
        variables.set("FEDERATE_PROFILE", profile.names().join(","));
    }
    variables.set("FEDERATE_TARGETS", exchanged.iter().map(|one| one.name.as_str()).collect::<Vec<_>>().join(","));
    variables.set(GIVEN, "environment");
    // Those of a surrounding `each` are not this command's.
    OWN_OF_EACH.iter().for_each(|name| variables.remove(name));
    Ok((variables, surroundings))
}

/// The targets with what a token file is renewed by.
pub(crate) fn holders(sources: &[Arc<dyn TargetSource>], exchanged: &[Exchanged]) -> Vec<Holder> {
    sources
        .iter()
        .zip(exchanged)
        .map(|(source, exchanged)| (Arc::clone(source), Arc::clone(&exchanged.token), exchanged.renewal.clone()))
        .collect()
}

/// What `each` tells a command about its target: name, account, region.
pub(crate) const OWN_OF_EACH: [&str; 3] = ["FEDERATE_TARGET", "FEDERATE_ACCOUNT", "FEDERATE_REGION"];

/// Set for the child, so that `federate whoami` inside it reports on the credentials that it was given.
pub(crate) const GIVEN: &str = "FEDERATE_CREDENTIALS";

/// The profile, with `az_login` set in the targets that know it if the command line asks for it.
pub(crate) fn load(start: &Start, az_login: bool, patterns: &[String]) -> Result<Profile, Failure> {
    let profile = start.load(&[])?;
    if !az_login {
        return Ok(profile);
    }
    let settings: Vec<String> = profile
        .matching(patterns)?
        .iter()
        .filter(|target| profile.accepts(target, "az_login"))
        .map(|target| format!("targets.\"{target}\".az_login=true"))
        .collect();
    if settings.is_empty() {
        return Err(Error::new(&codes::USAGE, "--az-login was given, but no selected target can log the az CLI in")
            .with_help("select an Azure target with -t")
            .into());
    }
    start.load(&settings)
}

/// What the child needs of all clouds together.
pub(crate) fn surroundings(
    start: &Start,
    profile: &Profile,
    context: &Context,
    exchanged: &[Exchanged],
) -> Result<ChildEnv, Failure> {
    let mut parts = Vec::new();
    for kind in kinds(exchanged) {
        let Some(cloud) = start.registry.cloud(kind) else { continue };
        let group: Vec<Handover<'_>> = exchanged
            .iter()
            .filter(|one| one.target.kind() == kind)
            .map(|one| Handover {
                target: &one.name,
                credentials: &one.credentials,
                token: &one.token,
                renewal: &one.renewal,
            })
            .collect();
        let part = cloud.environment(context, &group).map_err(|error| located(profile, vec![error]))?;
        parts.push((kind.to_owned(), part));
    }
    Ok(child::merge(parts)?)
}

/// What must not stand beside the new credentials.
pub(crate) fn outranking(start: &Start, exchanged: &[Exchanged]) -> Vec<NamePattern> {
    kinds(exchanged)
        .into_iter()
        .filter_map(|kind| start.registry.cloud(kind))
        .flat_map(|cloud| cloud.outranking())
        .collect()
}

fn kinds(exchanged: &[Exchanged]) -> Vec<&'static str> {
    let mut kinds: Vec<&'static str> = Vec::new();
    for one in exchanged {
        if !kinds.contains(&one.target.kind()) {
            kinds.push(one.target.kind());
        }
    }
    kinds
}
