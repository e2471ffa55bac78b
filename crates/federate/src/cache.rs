//! Credentials that one call leaves for the next: encrypted in a private directory, with a key that is never in a file.
//!
//! Without a place for the key there is no cache. An entry counts only for a call whose every input is the same, and only
//! while its credentials are good for some time yet; one exchange is under way at a time, however many calls wait for it.

mod directory;
mod entry;
mod fingerprint;
mod key_store;
mod seal;

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use federate_core::{Credentials, Env, Reporter as _, Session, TargetSource};
use federate_profile::Profile;

pub(crate) use directory::Listed;

use crate::args::Keep;
use crate::cache::directory::CacheDirectory;
use crate::cache::entry::{Entry, lasts};
use crate::cache::key_store::{KeyStore, SessionKeyring};
use crate::cache::seal::Seal;
use crate::report::Failure;
use crate::setup::{Start, exchange_all, located, select};

/// Longer than any credentials live; the kernel forgets the key by itself if nothing is kept for so long.
const KEY_LIFE: Duration = Duration::from_secs(13 * 60 * 60);

/// The cache cannot be used.
pub(crate) static CACHE_UNUSABLE: federate_core::Code = federate_core::Code {
    name: "cache-unusable",
    category: federate_core::Category::Usage,
    meaning: "The credential cache cannot be used: there is no kernel keyring to keep its key in, or its directory is not this user's alone.",
};

/// One target's credentials, from the cache or from an exchange.
pub(crate) struct Obtained {
    pub(crate) session: Session,
    pub(crate) source: Arc<dyn TargetSource>,
    pub(crate) credentials: Credentials,
}

/// The credentials of one target, out of the cache if it is wanted and has them.
pub(crate) async fn obtain(start: &Start, profile: &Profile, name: &str, keep: Keep) -> Result<Obtained, Failure> {
    let (session, mut sources) = select(start, profile, &[name.to_owned()])?;
    let is_wanted = match keep {
        Keep::Always => true,
        Keep::Auto => !start.in_ci(),
        Keep::Never => false,
    };
    let credentials = if is_wanted {
        // An entry must not outlive a policy that forbids it, nor be found where an exchange would be refused.
        session.permitted(&sources).map_err(|errors| located(profile, errors))?;
        match Cache::open(&start.env, &SessionKeyring) {
            Ok(cache) => cache.obtain(start, profile, &session, &sources).await?,
            Err(why) => {
                let why = format!("nothing is kept for the next call: {why}");
                if keep == Keep::Always {
                    start.stderr.note(&why)
                } else {
                    start.stderr.detail(&why)
                }
                exchanged(profile, &session, &sources).await?
            }
        }
    } else {
        exchanged(profile, &session, &sources).await?
    };
    Ok(Obtained { session, source: sources.swap_remove(0), credentials })
}

async fn exchanged(
    profile: &Profile,
    session: &Session,
    sources: &[Arc<dyn TargetSource>],
) -> Result<Credentials, Failure> {
    let mut exchanged = exchange_all(profile, session, sources).await?;
    Ok(exchanged.swap_remove(0).credentials)
}

/// The cache of this session: its directory, and the key that opens its entries.
pub(crate) struct Cache<'a> {
    directory: CacheDirectory,
    keys: &'a dyn KeyStore,
    description: String,
    seal: Seal,
}

impl<'a> Cache<'a> {
    /// Opens the cache; makes directory and key where there is none yet.
    ///
    /// # Errors
    /// Why there can be none, in a sentence.
    pub(crate) fn open(env: &Env, keys: &'a dyn KeyStore) -> Result<Self, String> {
        let directory = CacheDirectory::open(env).map_err(|error| error.to_string())?;
        let description = directory.key_description();
        let master = match keys.find(&description)? {
            Some(master) => master,
            None => {
                // Two processes that each make a key would lose what the other has sealed.
                let _lock = directory.lock_at_once("key").map_err(|error| error.to_string())?;
                match keys.find(&description)? {
                    Some(master) => master,
                    None => {
                        let master = seal::new_master()?;
                        keys.keep(&description, &master, KEY_LIFE)?;
                        keys.find(&description)?
                            .ok_or("the kernel keyring does not keep the key beyond this process")?
                    }
                }
            }
        };
        Ok(Self { directory, keys, description, seal: Seal::new(&master) })
    }

    async fn obtain(
        &self,
        start: &Start,
        profile: &Profile,
        session: &Session,
        sources: &[Arc<dyn TargetSource>],
    ) -> Result<Credentials, Failure> {
        let Some(source) = sources.first() else { return exchanged(profile, session, sources).await };
        let Ok(fingerprint) = fingerprint::of(start, profile, session, source.as_ref()).await else {
            // What keeps it from being made keeps the exchange from succeeding, which says so better.
            return exchanged(profile, session, sources).await;
        };
        let name = self.seal.name(&fingerprint);
        let kind = source.unbound().kind();
        if let Some(credentials) = self.look_up(start, session, &name, kind) {
            return Ok(credentials);
        }
        let patience = session.context().exchange_timeout;
        let lock = match self.directory.lock(&name, patience).await {
            Ok(lock) => lock,
            Err(error) => {
                start.stderr.detail(&format!("the cache cannot be locked: {error}"));
                None
            }
        };
        if lock.is_none() {
            start.stderr.detail("nothing is kept for the next call: another call holds the lock");
            return exchanged(profile, session, sources).await;
        }
        if let Some(credentials) = self.look_up(start, session, &name, kind) {
            return Ok(credentials);
        }
        let credentials = exchanged(profile, session, sources).await?;
        let now = session.context().host.now();
        match self.store(source.name(), profile, &name, &credentials, now) {
            Ok(true) => start.stderr.detail("the credentials are kept for the next call"),
            Ok(false) => start.stderr.detail("the credentials end too soon to be kept for the next call"),
            Err(why) => start.stderr.detail(&format!("nothing is kept for the next call: {why}")),
        }
        Ok(credentials)
    }

    fn look_up(&self, start: &Start, session: &Session, name: &str, kind: &'static str) -> Option<Credentials> {
        let context = session.context();
        match self.read(name, kind, context.host.now()) {
            Ok(credentials) => {
                let credentials = credentials?;
                credentials.secrets().for_each(|secret| session.hide(secret));
                start.stderr.detail("the credentials are those that an earlier call kept");
                Some(credentials)
            }
            Err(why) => {
                start.stderr.detail(&format!("an entry of the cache is not used: {why}"));
                None
            }
        }
    }

    /// The credentials kept under this name, if they are good for some time yet.
    fn read(&self, name: &str, kind: &'static str, now: SystemTime) -> Result<Option<Credentials>, String> {
        let Some(sealed) = self.directory.read(name)? else { return Ok(None) };
        let (expires, text) = self.seal.open(name, &sealed)?;
        let entry = Entry::parse(&text, expires)?;
        if entry.kind != kind {
            return Err("it is of another kind".to_owned());
        }
        Ok(lasts(entry.kept, entry.expires, now).then(|| entry.credentials(kind)))
    }

    /// Whether the credentials last long enough to be kept, after they were.
    fn store(
        &self,
        target: &str,
        profile: &Profile,
        name: &str,
        credentials: &Credentials,
        now: SystemTime,
    ) -> Result<bool, String> {
        let Some(expires) = credentials.expires.filter(|expires| lasts(now, *expires, now)) else { return Ok(false) };
        self.directory.sweep(now, &|bytes| seal::expiry(bytes));
        let entry = Entry::new(target, &profile.label(), credentials, now, expires);
        let sealed = self.seal.seal(name, expires, &entry.text())?;
        self.directory.write(name, &sealed).map_err(|error| error.to_string())?;
        // An entry is worth nothing without its key, which therefore lives as long.
        self.keys.prolong(&self.description, KEY_LIFE)?;
        Ok(true)
    }
}

/// What is there, for `federate cache list`. Without secrets.
pub(crate) struct Inventory {
    pub(crate) directory: std::path::PathBuf,
    pub(crate) key: String,
    pub(crate) entries: Vec<Listed>,
}

/// Lists what is kept.
///
/// # Errors
/// Why there can be no cache.
pub(crate) fn inventory(env: &Env, now: SystemTime) -> Result<Inventory, String> {
    let directory = CacheDirectory::open(env).map_err(|error| error.to_string())?;
    let description = directory.key_description();
    let seal = SessionKeyring.find(&description)?.map(|master| Seal::new(&master));
    let mut entries: Vec<Listed> = Vec::new();
    for name in directory.names() {
        let Ok(Some(sealed)) = directory.read(&name) else { continue };
        let opened = seal.as_ref().and_then(|seal| {
            let (expires, text) = seal.open(&name, &sealed).ok()?;
            Entry::parse(&text, expires).ok()
        });
        entries.push(Listed {
            target: opened.as_ref().map(|entry| entry.target.clone()),
            profile: opened.as_ref().map(|entry| entry.profile.clone()),
            kind: opened.as_ref().map(|entry| entry.kind.clone()),
            is_usable: opened.as_ref().is_some_and(|entry| lasts(entry.kept, entry.expires, now)),
            expires: seal::expiry(&sealed),
        });
    }
    entries.sort_by(|one, other| (&one.profile, &one.target).cmp(&(&other.profile, &other.target)));
    Ok(Inventory { directory: directory.path().to_owned(), key: description, entries })
}

/// Removes all entries and this session's key; how many entries there were.
///
/// # Errors
/// What could not be removed, and why.
pub(crate) fn clear(env: &Env) -> Result<usize, String> {
    let directory = CacheDirectory::open(env).map_err(|error| error.to_string())?;
    let removed = directory.clear().map_err(|error| error.to_string())?;
    // Where there is no keyring there is no key in it.
    if SessionKeyring.find(&directory.key_description()).is_ok() {
        SessionKeyring.forget(&directory.key_description())?;
    }
    Ok(removed)
}

#[cfg(test)]
mod tests;

/// The name of an entry from its fingerprint; here so that tests can say it.
#[cfg(test)]
fn name_of(cache: &Cache<'_>, text: &str) -> String {
    cache.seal.name(&seal::Fingerprint::of(&federate_core::Secret::new(text)))
}
