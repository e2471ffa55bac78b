//! `federate exec`: a command with the credentials in its environment only.

mod way;

use std::sync::Arc;

use federate_core::{ChildEnv, Context, Error, Exchanged, NamePattern, Reporter as _, Session, TargetSource, codes};
use federate_profile::Profile;

use crate::args::{Exec, Preparation};
use crate::child::{self, Variables};
use crate::endpoint::{self, Endpoint};
use crate::private::PrivateDirectory;
use crate::report::Failure;
use crate::setup::{Ready, Start, exchange_for_child, handovers, located};
use crate::signals::SignalGuard;

pub(crate) async fn run(start: &Start, arguments: Exec) -> Result<u8, Failure> {
    let profile = load(start, arguments.preparation.az_login, &arguments.targets.target)?;
    let ready = exchange_for_child(start, &profile, &arguments.targets.target).await?;
    let Exec { preparation, command, .. } = &arguments;
    let plain = parts(start, &profile, ready.session.context(), &ready.exchanged)?;
    let served = way::served_kinds(start, &profile, preparation, &ready, &plain)?;
    let mut variables = variables(start, &profile, &ready, preparation);
    if served.is_empty() {
        let surroundings = child::merge(plain)?;
        say_all(start, &surroundings);
        return child::run(&ready.session, variables, surroundings, &ready.handed(), command).await;
    }
    let guard = SignalGuard::install().map_err(|error| child::file_failure("signals cannot be taken", &error))?;
    let directory = child::private_directory(&start.env)?;
    let way = Way { plain, served };
    let (endpoint, surroundings) =
        by_endpoint(start, &profile, &ready, preparation, way, &directory, &mut variables).await?;
    for line in endpoint::deadlines(ready.session.context(), &ready.sources, &ready.exchanged) {
        start.stderr.note(&line);
    }
    say_all(start, &surroundings);
    let handed = ready.handed();
    child::supervise(&guard, &directory, &ready.session, variables, surroundings, &handed, command, endpoint.run())
        .await
}

/// What the child is given of each kind of targets, and of which kinds by an endpoint instead.
struct Way {
    plain: Vec<(String, ChildEnv)>,
    served: Vec<&'static str>,
}

/// The endpoint beside a child, and what the child needs of all its targets.
async fn by_endpoint(
    start: &Start,
    profile: &Profile,
    ready: &Ready,
    preparation: &Preparation,
    way: Way,
    directory: &PrivateDirectory,
    variables: &mut Variables,
) -> Result<(Endpoint, ChildEnv), Failure> {
    let Way { plain, served } = way;
    let (sources, exchanged) = ready.of_kinds(&served);
    let session = ready.session.clone();
    let endpoint = Endpoint::open(start, session, &sources, &exchanged, directory, preparation.isolate).await?;
    let mut all = Vec::new();
    for (kind, part) in plain {
        all.push(match served.iter().find(|served| **served == kind) {
            Some(served) => (kind, served_part(start, profile, ready, served, &endpoint)?),
            None => (kind, part),
        });
    }
    variables.set(GIVEN, "endpoint");
    endpoint.announce(variables);
    Ok((endpoint, child::merge(all)?))
}

/// What the child needs of the targets of one kind when it asks an endpoint.
pub(crate) fn served_part(
    start: &Start,
    profile: &Profile,
    ready: &Ready,
    kind: &str,
    endpoint: &Endpoint,
) -> Result<ChildEnv, Failure> {
    let Some(cloud) = start.registry.cloud(kind) else { return Ok(ChildEnv::default()) };
    let group = ready.handovers(kind);
    cloud
        .served_environment(ready.session.context(), &group, endpoint.address())
        .map_err(|error| located(profile, vec![error]))
}

fn say_all(start: &Start, surroundings: &ChildEnv) {
    for note in &surroundings.notes {
        start.stderr.note(note);
    }
}

/// What a command of `each` finds in its environment.
pub(crate) struct Outfit {
    pub(crate) variables: Variables,
    pub(crate) surroundings: ChildEnv,
    /// What hands the target over where plain variables would not do; the directory holds its secret.
    pub(crate) endpoint: Option<(Endpoint, PrivateDirectory)>,
}

/// What a command for one target finds in its environment, by the simplest way that lasts.
pub(crate) async fn outfit(
    start: &Start,
    profile: &Profile,
    session: &Arc<Session>,
    source: &Arc<dyn TargetSource>,
    given: &Exchanged,
    preparation: &Preparation,
) -> Result<Outfit, Failure> {
    let ready = Ready { session: session.clone(), sources: vec![source.clone()], exchanged: vec![given.clone()] };
    let plain = parts(start, profile, session.context(), &ready.exchanged)?;
    let served = way::served_kinds(start, profile, preparation, &ready, &plain)?;
    let mut variables = variables(start, profile, &ready, preparation);
    if served.is_empty() {
        return Ok(Outfit { variables, surroundings: child::merge(plain)?, endpoint: None });
    }
    let directory = child::private_directory(&start.env)?;
    let way = Way { plain, served };
    let (endpoint, surroundings) =
        by_endpoint(start, profile, &ready, preparation, way, &directory, &mut variables).await?;
    Ok(Outfit { variables, surroundings, endpoint: Some((endpoint, directory)) })
}

/// The child's variables, apart from what its targets need.
fn variables(start: &Start, profile: &Profile, ready: &Ready, preparation: &Preparation) -> Variables {
    let Ready { session, sources, exchanged } = ready;
    let mut variables = Variables::inherit(&start.env);
    if !preparation.keep_env {
        let patterns = outranking(start, exchanged);
        let dropped = variables.drop_matching(&patterns);
        if !dropped.is_empty() {
            start.stderr.detail(&format!("dropped from the command's environment: {}", dropped.join(", ")));
        }
    }
    // What a surrounding federate's endpoint hands out, and what a surrounding `each` says, is about other credentials.
    for name in [endpoint::ADDRESS, endpoint::SECRET_FILE].iter().chain(&OWN_OF_EACH) {
        variables.remove(name);
    }
    if preparation.isolate {
        job_variables(start, session.context(), sources).iter().for_each(|name| variables.remove(name));
        variables.set(ISOLATED, "1");
    }
    if !profile.names().is_empty() {
        variables.set("FEDERATE_PROFILE", profile.names().join(","));
    }
    // Named, it would not be found by looking around; and the command may look around elsewhere.
    if let Some(directory) = start.global.profiles_dir.as_deref() {
        variables.set("FEDERATE_PROFILES_DIR", std::path::absolute(directory).unwrap_or_else(|_| directory.to_owned()));
    }
    variables.set("FEDERATE_TARGETS", exchanged.iter().map(|one| one.name.as_str()).collect::<Vec<_>>().join(","));
    variables.set(GIVEN, "environment");
    variables
}

/// The variables that carry the job's own identity.
pub(crate) fn job_variables(start: &Start, context: &Context, sources: &[Arc<dyn TargetSource>]) -> Vec<String> {
    let defaults = start.registry.identities().iter().flat_map(|kind| kind.default_provider().job_variables(context));
    let own = sources.iter().flat_map(|source| source.identity().provider.job_variables(context));
    defaults.chain(own).collect()
}

/// What `each` tells a command about its target: name, account, region.
pub(crate) const OWN_OF_EACH: [&str; 3] = ["FEDERATE_TARGET", "FEDERATE_ACCOUNT", "FEDERATE_REGION"];

/// Set for the child, so that `federate whoami` inside it reports on the credentials that it was given.
pub(crate) const GIVEN: &str = "FEDERATE_CREDENTIALS";

/// Set for a child from which the job's identity is kept, so that a federate inside it does not advise to ask for a token.
pub(crate) const ISOLATED: &str = "FEDERATE_ISOLATED";

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
    Ok(child::merge(parts(start, profile, context, exchanged)?)?)
}

/// What the child needs of each cloud.
fn parts(
    start: &Start,
    profile: &Profile,
    context: &Context,
    exchanged: &[Exchanged],
) -> Result<Vec<(String, ChildEnv)>, Failure> {
    let mut parts = Vec::new();
    for kind in kinds(exchanged) {
        let Some(cloud) = start.registry.cloud(kind) else { continue };
        let group = handovers(exchanged, kind);
        let part = cloud.environment(context, &group).map_err(|error| located(profile, vec![error]))?;
        parts.push((kind.to_owned(), part));
    }
    Ok(parts)
}

/// What must not stand beside the new credentials.
pub(crate) fn outranking(start: &Start, exchanged: &[Exchanged]) -> Vec<NamePattern> {
    kinds(exchanged)
        .into_iter()
        .filter_map(|kind| start.registry.cloud(kind))
        .flat_map(|cloud| cloud.outranking())
        .collect()
}

pub(crate) fn kinds(exchanged: &[Exchanged]) -> Vec<&'static str> {
    let mut kinds: Vec<&'static str> = Vec::new();
    for one in exchanged {
        if !kinds.contains(&one.target.kind()) {
            kinds.push(one.target.kind());
        }
    }
    kinds
}
