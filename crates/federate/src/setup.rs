//! From the command line to a session: profile, network, policy, masking.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use federate_core::{
    Context, Env, Error, Exchanged, Handover, IdentityProvider, Masking, NetworkSettings, Reporter as _, Secret,
    Session, TargetSource,
};
use federate_http::Client;
use federate_profile::{LoadOptions, Profile, Registry};

use crate::args::Global;
use crate::commands::trust::explained;
use crate::files::Handed;
use crate::host::SystemHost;
use crate::registry::registry;
use crate::report::{Failure, SaidOnce, Stderr, say};

/// What every command starts from; nothing is loaded or connected yet.
pub(crate) struct Start {
    pub(crate) global: Global,
    pub(crate) env: Arc<Env>,
    pub(crate) registry: Registry,
    pub(crate) stderr: Stderr,
}

impl Start {
    /// Takes the snapshot of the environment.
    pub(crate) fn new(global: Global) -> Self {
        let verbosity = if global.quiet { -1 } else { i8::try_from(global.verbose).unwrap_or(i8::MAX) };
        Self {
            global,
            env: Arc::new(std::env::vars_os().collect()),
            registry: registry(),
            stderr: Stderr { verbosity },
        }
    }

    /// How profiles are found and layered. `extra` goes above all layers, as `--set` does.
    pub(crate) fn options(&self, extra: &[String]) -> LoadOptions {
        LoadOptions {
            cwd: std::env::current_dir().unwrap_or_else(|_| PathBuf::from(".")),
            env: self.env.clone(),
            profiles_dir: self.global.profiles_dir.clone(),
            profiles: self.global.profile.clone(),
            set: self.global.set.iter().chain(extra).cloned().collect(),
            allow_local: self.global.allow_local,
            in_ci: self.in_ci(),
            system_config: PathBuf::from("/etc/federate/config.toml"),
        }
    }

    /// Is this a CI job?
    pub(crate) fn in_ci(&self) -> bool {
        self.env.get("CI").is_some_and(|value| value != "false" && value != "0") || self.ci_marker()
    }

    /// Any CI system's own sign that is set even where `CI` is not.
    fn ci_marker(&self) -> bool {
        ["GITLAB_CI", "GITHUB_ACTIONS", "TF_BUILD", "CIRCLECI", "BUILDKITE", "BITBUCKET_BUILD_NUMBER", "JENKINS_URL"]
            .iter()
            .any(|name| self.env.get(name).is_some())
    }

    /// The profile, merged and checked.
    pub(crate) fn load(&self, extra: &[String]) -> Result<Profile, Failure> {
        Ok(federate_profile::load(&self.registry, &self.options(extra))?)
    }

    /// The surroundings in which adapters work under this profile.
    pub(crate) fn context(&self, profile: &Profile) -> Result<Context, Failure> {
        self.context_over(profile, profile.network())
    }

    /// As [`Start::context`], with other time-outs and tries.
    pub(crate) fn context_over(&self, profile: &Profile, network: &NetworkSettings) -> Result<Context, Failure> {
        let client = self.client(network)?;
        let mut policy = profile.policy();
        if let Some(rerouting) = federate_http::rerouting(&self.env)? {
            policy.rerouted = true;
            self.stderr.detail(&format!("every request is led to the sandbox at {}", rerouting.url));
        }
        let exchange_timeout = network.exchange_timeout.0;
        Ok(Context {
            env: self.env.clone(),
            host: Arc::new(SystemHost),
            http: Arc::new(client),
            policy: Arc::new(policy),
            reporter: Arc::new(SaidOnce::new(self.stderr)),
            exchange_timeout,
            deadline: Instant::now() + exchange_timeout,
        })
    }

    /// The network under these settings; nothing is read or connected yet.
    pub(crate) fn client(&self, network: &NetworkSettings) -> Result<Client, Error> {
        let mut client = Client::new(network, &self.env)?;
        for kind in self.registry.targets() {
            for variable in kind.bundle_variables {
                client = client.with_bundle_for(variable, kind.own_host);
            }
        }
        Ok(client)
    }

    /// A session that masks every secret in the log of the CI that this is.
    pub(crate) fn session(&self, context: Context) -> Session {
        let wait = self.global.wait_for_trust.0;
        let masker = self.masker(&context);
        Session::new(context, wait, Box::new(move |secret| masker.hide(secret)))
    }

    /// The CI that this is.
    pub(crate) fn ci(&self, context: &Context) -> Option<Arc<dyn IdentityProvider>> {
        self.registry
            .identities()
            .iter()
            .map(|kind| kind.default_provider())
            .find(|provider| provider.detect(context).is_here())
    }

    /// What hides secrets in the log of the CI that this is.
    fn masker(&self, context: &Context) -> Masker {
        Masker { ci: self.ci(context), reporter: self.stderr, hidden: Mutex::new(BTreeSet::new()) }
    }
}

/// Hides each secret once.
struct Masker {
    ci: Option<Arc<dyn IdentityProvider>>,
    reporter: Stderr,
    hidden: Mutex<BTreeSet<[u8; 32]>>,
}

impl Masker {
    fn hide(&self, secret: &Secret) {
        let Some(ci) = &self.ci else { return };
        let digest = ring::digest::digest(&ring::digest::SHA256, secret.reveal().as_bytes());
        let key = <[u8; 32]>::try_from(digest.as_ref()).unwrap_or_default();
        let mut hidden = self.hidden.lock().unwrap_or_else(PoisonError::into_inner);
        let is_first = hidden.is_empty();
        if !hidden.insert(key) {
            return;
        }
        match ci.mask(secret) {
            Masking::Commands(lines) => lines.iter().for_each(|line| say(line)),
            Masking::Unsupported if is_first => {
                self.reporter.warn(&format!("{} cannot hide values in its log at run time: a command that prints these credentials shows them to whoever reads the log", ci.kind()));
            }
            Masking::Unsupported => {}
        }
    }
}

/// Selected targets, exchanged.
pub(crate) struct Ready {
    pub(crate) session: Arc<Session>,
    pub(crate) sources: Vec<Arc<dyn TargetSource>>,
    pub(crate) exchanged: Vec<Exchanged>,
}

impl Ready {
    /// The targets of one kind on their way to a child.
    pub(crate) fn handovers(&self, kind: &str) -> Vec<Handover<'_>> {
        handovers(&self.exchanged, kind)
    }

    /// What keeps a child's token files fresh.
    pub(crate) fn handed(&self) -> Vec<Handed> {
        handed(&self.sources, &self.exchanged)
    }

    /// The targets of these kinds alone.
    pub(crate) fn of_kinds(&self, kinds: &[&str]) -> (Vec<Arc<dyn TargetSource>>, Vec<Exchanged>) {
        let pairs = self.sources.iter().zip(&self.exchanged).filter(|(_, one)| kinds.contains(&one.target.kind()));
        pairs.map(|(source, one)| (source.clone(), one.clone())).unzip()
    }
}

/// The targets of one kind on their way to a child.
pub(crate) fn handovers<'a>(exchanged: &'a [Exchanged], kind: &str) -> Vec<Handover<'a>> {
    let group = exchanged.iter().filter(|one| one.target.kind() == kind);
    group
        .map(|one| Handover {
            target: &one.name,
            credentials: &one.credentials,
            token: &one.token,
            renewal: &one.renewal,
        })
        .collect()
}

/// What keeps a child's token files fresh.
pub(crate) fn handed(sources: &[Arc<dyn TargetSource>], exchanged: &[Exchanged]) -> Vec<Handed> {
    let pairs = sources.iter().zip(exchanged);
    pairs.map(|(source, one)| (source.clone(), one.token.clone(), one.renewal.clone())).collect()
}

/// Selects and exchanges; errors point at the profile's lines.
pub(crate) async fn exchange(start: &Start, profile: &Profile, patterns: &[String]) -> Result<Ready, Failure> {
    let (session, sources) = select(start, profile, patterns)?;
    exchange_selected(profile, session, sources).await
}

/// As [`exchange`], for one child that is to have all of them: what cannot stand together is refused first.
pub(crate) async fn exchange_for_child(
    start: &Start,
    profile: &Profile,
    patterns: &[String],
) -> Result<Ready, Failure> {
    let (session, sources) = select(start, profile, patterns)?;
    compatible(start, session.context(), &sources).map_err(|error| located(profile, vec![error]))?;
    exchange_selected(profile, session, sources).await
}

/// Refuses targets that one child cannot have together, as far as it can be known before the exchange.
pub(crate) fn compatible(start: &Start, context: &Context, sources: &[Arc<dyn TargetSource>]) -> Result<(), Error> {
    for kind in start.registry.targets() {
        let group: Vec<_> = sources
            .iter()
            .filter(|source| source.unbound().kind() == kind.kind)
            .filter_map(|source| Some((source.name(), source.unbound().foreseen(context)?)))
            .collect();
        (kind.cloud)().compatible(&group)?;
    }
    Ok(())
}

async fn exchange_selected(
    profile: &Profile,
    session: Session,
    sources: Vec<Arc<dyn TargetSource>>,
) -> Result<Ready, Failure> {
    let exchanged = exchange_all(profile, &session, &sources).await?;
    Ok(Ready { session: Arc::new(session), sources, exchanged })
}

/// Exchanges for targets that are selected already.
pub(crate) async fn exchange_all(
    profile: &Profile,
    session: &Session,
    sources: &[Arc<dyn TargetSource>],
) -> Result<Vec<Exchanged>, Failure> {
    match session.exchange_all(sources).await {
        Ok(exchanged) => Ok(exchanged),
        Err(errors) => Err(located(profile, explained(profile, session, sources, errors).await)),
    }
}

/// Selects the targets and opens a session, without the network.
pub(crate) fn select(
    start: &Start,
    profile: &Profile,
    patterns: &[String],
) -> Result<(Session, Vec<Arc<dyn TargetSource>>), Failure> {
    let context = start.context(profile)?;
    let names = profile.matching(patterns)?;
    let sources = profile.select(&context, &names).map_err(|errors| located(profile, errors))?;
    let session = start.session(context).with_concurrency(profile.network().max_concurrency);
    Ok((session, sources))
}

/// Errors with the file and line of the setting that they name.
pub(crate) fn located(profile: &Profile, errors: Vec<Error>) -> Failure {
    Failure::new(errors.into_iter().map(|error| profile.locate(error)).collect())
}
