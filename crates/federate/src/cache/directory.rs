//! The files: entries 0600 in a 0700 directory, each behind a lock that goes with the process that holds it.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use federate_core::Env;
use ring::digest;
use rustix::fs::OFlags;

use super::seal::hex;
use crate::private::{own_directory, root};

/// An entry is a few kilobytes; whatever is larger is none.
const MOST_BYTES: u64 = 256 * 1024;
/// What a process that was killed while writing leaves is removed after this time.
const ABANDONED: Duration = Duration::from_secs(60 * 60);
const TEMPORARY: &str = ".writing-";

/// The directory of entries.
pub(crate) struct CacheDirectory {
    path: PathBuf,
}

/// A lock on one entry. Its file goes when it is dropped; one that a killed process left is taken by the next.
pub(crate) struct Lock {
    path: PathBuf,
    file: File,
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Removed while it is held: whoever waits for it sees that it is gone, and makes a new one.
        let _ = fs::remove_file(&self.path);
        let _ = self.file.unlock();
    }
}

/// One entry, for people.
pub(crate) struct Listed {
    /// Unknown for an entry that this session cannot open.
    pub(crate) target: Option<String>,
    pub(crate) profile: Option<String>,
    pub(crate) kind: Option<String>,
    /// Will the next call be given it?
    pub(crate) is_usable: bool,
    pub(crate) expires: Option<SystemTime>,
}

impl CacheDirectory {
    /// The user's own directory, made where it is not there yet.
    ///
    /// # Errors
    /// Where it is a link, another user's, or open to others.
    pub(crate) fn open(env: &Env) -> io::Result<Self> {
        let path = root(env)?.join("cache");
        own_directory(&path)?;
        Ok(Self { path: path.canonicalize()? })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Under which name the key of this directory's entries is kept.
    pub(crate) fn key_description(&self) -> String {
        let digest = digest::digest(&digest::SHA256, self.path.as_os_str().as_encoded_bytes());
        format!("federate:cache:{}", hex(&digest.as_ref()[..8]))
    }

    fn entry(&self, name: &str) -> PathBuf {
        self.path.join(format!("{name}.entry"))
    }

    /// The names of all entries.
    pub(crate) fn names(&self) -> Vec<String> {
        let files = fs::read_dir(&self.path).into_iter().flatten().flatten();
        let names = files.filter_map(|file| Some(file.file_name().to_str()?.strip_suffix(".entry")?.to_owned()));
        names.collect()
    }

    /// The bytes of an entry; `None` where there is none.
    ///
    /// # Errors
    /// Why it is not used: not a file of this user's alone.
    pub(crate) fn read(&self, name: &str) -> Result<Option<Vec<u8>>, String> {
        let file = match OpenOptions::new().read(true).custom_flags(flags()).open(self.entry(name)) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(format!("it cannot be opened ({error})")),
        };
        check(&file)?;
        let mut bytes = Vec::new();
        file.take(MOST_BYTES).read_to_end(&mut bytes).map_err(|error| format!("it cannot be read ({error})"))?;
        Ok(Some(bytes))
    }

    /// Writes an entry, replacing what was there in one step.
    pub(crate) fn write(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let mut file = tempfile::Builder::new().prefix(TEMPORARY).tempfile_in(&self.path)?;
        file.write_all(bytes)?;
        file.persist(self.entry(name)).map_err(|error| error.error)?;
        Ok(())
    }

    /// Waits for the lock on an entry. `None` where others held it for longer than `patience`.
    pub(crate) async fn lock(&self, name: &str, patience: Duration) -> io::Result<Option<Lock>> {
        let until = Instant::now() + patience;
        let mut pause = Duration::from_millis(2);
        loop {
            if let Some(lock) = self.try_lock(name)? {
                return Ok(Some(lock));
            }
            if Instant::now() + pause > until {
                return Ok(None);
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(Duration::from_millis(40));
        }
    }

    /// Takes a lock that nobody holds for longer than a moment.
    pub(crate) fn lock_at_once(&self, name: &str) -> io::Result<Lock> {
        loop {
            let (path, file) = self.lock_file(name)?;
            file.lock()?;
            if let Some(lock) = verified(path, file)? {
                return Ok(lock);
            }
        }
    }

    fn try_lock(&self, name: &str) -> io::Result<Option<Lock>> {
        let (path, file) = self.lock_file(name)?;
        match file.try_lock() {
            Ok(()) => verified(path, file),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    fn lock_file(&self, name: &str) -> io::Result<(PathBuf, File)> {
        let path = self.path.join(format!("{name}.lock"));
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .custom_flags(flags())
            .open(&path)?;
        Ok((path, file))
    }

    /// Removes entries that have ended, whosever session they were, and what killed processes left.
    pub(crate) fn sweep(&self, now: SystemTime, expiry: &dyn Fn(&[u8]) -> Option<SystemTime>) {
        let has_ended = |name: &str| match self.read(name) {
            Ok(Some(bytes)) => expiry(&bytes).is_none_or(|expires| expires <= now),
            Ok(None) => false,
            Err(_) => true,
        };
        for name in self.names() {
            // Looked at again under the lock: it may just have been replaced.
            if has_ended(&name)
                && let Ok(Some(_lock)) = self.try_lock(&name)
                && has_ended(&name)
            {
                let _ = fs::remove_file(self.entry(&name));
            }
        }
        for file in fs::read_dir(&self.path).into_iter().flatten().flatten() {
            let is_old = file
                .metadata()
                .and_then(|metadata| metadata.modified())
                .is_ok_and(|written| SystemTime::now().duration_since(written).is_ok_and(|age| age > ABANDONED));
            if is_old && file.file_name().to_string_lossy().starts_with(TEMPORARY) {
                let _ = fs::remove_file(file.path());
            }
        }
    }

    /// Removes everything; how many entries there were.
    pub(crate) fn clear(&self) -> io::Result<usize> {
        let mut count = 0;
        for file in fs::read_dir(&self.path)? {
            let path = file?.path();
            // A lock that is held stays: its holder removes it.
            if path.extension().is_some_and(|extension| extension == "lock") {
                continue;
            }
            match fs::remove_file(&path) {
                Ok(()) => count += usize::from(path.extension().is_some_and(|extension| extension == "entry")),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        Ok(count)
    }
}

/// The lock, if the file that it is on is still the one of that name.
fn verified(path: PathBuf, file: File) -> io::Result<Option<Lock>> {
    let held = file.metadata()?;
    match fs::symlink_metadata(&path) {
        Ok(named) if (named.dev(), named.ino()) == (held.dev(), held.ino()) => Ok(Some(Lock { path, file })),
        Ok(_) => Ok(None),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// No links, and no waiting for the other end of a pipe.
fn flags() -> i32 {
    (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed()
}

fn check(file: &File) -> Result<(), String> {
    let metadata = file.metadata().map_err(|error| error.to_string())?;
    if !metadata.is_file() {
        return Err("it is not a file".to_owned());
    }
    if metadata.uid() != rustix::process::geteuid().as_raw() {
        return Err("another user owns it".to_owned());
    }
    if metadata.mode() & 0o077 != 0 {
        return Err(format!("others can read or write it (mode {:03o})", metadata.mode() & 0o777));
    }
    if metadata.len() >= MOST_BYTES {
        return Err("it is too large".to_owned());
    }
    Ok(())
}
