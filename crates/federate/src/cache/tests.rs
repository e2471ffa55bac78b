//! The cache as a whole, with a key store in memory.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use federate_core::Secret;

use super::*;
use crate::cache::key_store::Master;

#[derive(Default)]
struct InMemory(RefCell<BTreeMap<String, Master>>);

impl KeyStore for InMemory {
    fn find(&self, description: &str) -> Result<Option<Master>, String> {
        Ok(self.0.borrow().get(description).cloned())
    }
    fn keep(&self, description: &str, master: &Master, _life: Duration) -> Result<(), String> {
        self.0.borrow_mut().insert(description.to_owned(), master.clone());
        Ok(())
    }
    fn prolong(&self, _description: &str, _life: Duration) -> Result<(), String> {
        Ok(())
    }
    fn forget(&self, description: &str) -> Result<(), String> {
        self.0.borrow_mut().remove(description);
        Ok(())
    }
}

/// A keyring that takes keys and does not keep them, as one that ends with each process.
struct Forgetful;

impl KeyStore for Forgetful {
    fn find(&self, _description: &str) -> Result<Option<Master>, String> {
        Ok(None)
    }
    fn keep(&self, _description: &str, _master: &Master, _life: Duration) -> Result<(), String> {
        Ok(())
    }
    fn prolong(&self, _description: &str, _life: Duration) -> Result<(), String> {
        Ok(())
    }
    fn forget(&self, _description: &str) -> Result<(), String> {
        Ok(())
    }
}

fn env(runtime: &Path) -> Env {
    [("XDG_RUNTIME_DIR", runtime)].into_iter().collect()
}

fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_777_888_800)
}

fn keep(cache: &Cache<'_>, name: &str, minutes: u64) {
    let expires = now() + Duration::from_secs(minutes * 60);
    let credentials = Credentials::new("aws", Some(expires)).with_secret("token", Secret::new("canary"));
    let entry = Entry::new("aws", "prod", &credentials, now(), expires);
    let sealed = cache.seal.seal(name, expires, &entry.text()).unwrap();
    cache.directory.write(name, &sealed).unwrap();
}

#[test]
fn what_is_kept_is_found_under_its_own_name_and_while_it_lasts() {
    let (runtime, keys) = (tempfile::tempdir().unwrap(), InMemory::default());
    let cache = Cache::open(&env(runtime.path()), &keys).unwrap();
    let (name, other) = (name_of(&cache, "one"), name_of(&cache, "two"));
    keep(&cache, &name, 60);
    let found = cache.read(&name, "aws", now()).unwrap().unwrap();
    assert_eq!(found.secret("token").map(Secret::reveal), Some("canary"));
    assert!(cache.read(&other, "aws", now()).unwrap().is_none());
    assert!(cache.read(&name, "aws", now() + Duration::from_secs(50 * 60)).unwrap().is_none());
    assert!(cache.read(&name, "azure", now()).is_err());
    let again = Cache::open(&env(runtime.path()), &keys).unwrap();
    assert!(again.read(&name, "aws", now()).unwrap().is_some(), "the key is the session's, not the process's");
}

#[test]
fn without_a_place_for_the_key_there_is_no_cache() {
    let runtime = tempfile::tempdir().unwrap();
    let why = Cache::open(&env(runtime.path()), &Forgetful).err().unwrap();
    assert!(why.contains("does not keep the key"), "{why}");
}

#[test]
fn a_lost_key_makes_entries_worthless() {
    let (runtime, keys) = (tempfile::tempdir().unwrap(), InMemory::default());
    let cache = Cache::open(&env(runtime.path()), &keys).unwrap();
    let name = name_of(&cache, "one");
    keep(&cache, &name, 60);
    keys.forget(&cache.description).unwrap();
    let next = Cache::open(&env(runtime.path()), &keys).unwrap();
    assert_eq!(next.read(&name, "aws", now()).err().unwrap(), "another session kept it");
    assert_ne!(name_of(&next, "one"), name);
}

#[test]
fn files_that_others_could_have_written_do_not_count() {
    let (runtime, keys) = (tempfile::tempdir().unwrap(), InMemory::default());
    let cache = Cache::open(&env(runtime.path()), &keys).unwrap();
    let name = name_of(&cache, "one");
    keep(&cache, &name, 60);
    let path = cache.directory.path().join(format!("{name}.entry"));
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
    assert!(cache.read(&name, "aws", now()).err().unwrap().contains("mode 640"));
    let elsewhere = runtime.path().join("elsewhere");
    std::fs::rename(&path, &elsewhere).unwrap();
    std::fs::set_permissions(&elsewhere, std::fs::Permissions::from_mode(0o600)).unwrap();
    std::os::unix::fs::symlink(&elsewhere, &path).unwrap();
    assert!(cache.read(&name, "aws", now()).is_err(), "a link");
    keep(&cache, &name, 60);
    assert!(cache.read(&name, "aws", now()).unwrap().is_some(), "it is replaced");
    let folder = cache.directory.path().to_owned();
    std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o755)).unwrap();
    assert!(Cache::open(&env(runtime.path()), &keys).is_err());
}

#[test]
fn what_has_ended_is_swept_and_what_lives_is_not() {
    let (runtime, keys) = (tempfile::tempdir().unwrap(), InMemory::default());
    let cache = Cache::open(&env(runtime.path()), &keys).unwrap();
    let (old, new, held) = (name_of(&cache, "old"), name_of(&cache, "new"), name_of(&cache, "held"));
    keep(&cache, &old, 20);
    keep(&cache, &new, 60);
    keep(&cache, &held, 20);
    std::fs::write(cache.directory.path().join("strange.entry"), "no entry").unwrap();
    let _lock = cache.directory.lock_at_once(&held).unwrap();
    cache.directory.sweep(now() + Duration::from_secs(30 * 60), &|bytes| seal::expiry(bytes));
    let mut left = cache.directory.names();
    left.sort();
    let mut expected = vec![new, held];
    expected.sort();
    assert_eq!(left, expected);
    assert_eq!(cache.directory.clear().unwrap(), 2);
}

#[test]
fn a_lock_is_held_by_one_and_leaves_nothing() {
    let (runtime, keys) = (tempfile::tempdir().unwrap(), InMemory::default());
    let cache = Cache::open(&env(runtime.path()), &keys).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async {
        let held = cache.directory.lock("x", Duration::ZERO).await.unwrap().unwrap();
        assert!(cache.directory.lock("x", Duration::from_millis(5)).await.unwrap().is_none());
        drop(held);
        drop(cache.directory.lock("x", Duration::from_millis(5)).await.unwrap().unwrap());
    });
    assert_eq!(std::fs::read_dir(cache.directory.path()).unwrap().count(), 0);
}
