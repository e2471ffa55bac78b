//! Changing a file that belongs to the user: under a lock, in one step, with its mode, and only where something changes.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use federate_core::{Error, Reporter as _};
use serde_json::json;

use crate::args::Change;
use crate::commands::written;
use crate::private::replaceable;
use crate::report::{Failure, Output, pretty, print_result};
use crate::setup::Start;

/// A file of the user's cannot be changed.
pub(crate) static FILE_UNUSABLE: federate_core::Code = federate_core::Code {
    name: "file-unusable",
    category: federate_core::Category::Usage,
    meaning: "A config file of another program cannot be read, understood, locked or written.",
};

/// How other programs that write the file keep out of one another's way.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Neighbours {
    /// They do not.
    Unaware,
    /// A file `NAME.lock`, which only one of them can create (kubectl).
    LockFile,
}

/// A file to change.
pub(crate) struct Edited {
    /// What the user named.
    named: PathBuf,
    /// What is replaced: where a link leads.
    path: PathBuf,
    neighbours: Neighbours,
    /// The mode that the file gets, whatever it had.
    mode: Option<u32>,
}

const NEW_MODE: u32 = 0o600;
const PATIENCE: Duration = Duration::from_secs(10);

impl Edited {
    /// The file at this path, which need not be there yet.
    pub(crate) fn new(named: PathBuf, neighbours: Neighbours, mode: Option<u32>) -> Result<Self, Error> {
        let named = std::path::absolute(&named).unwrap_or(named);
        let is_link = fs::symlink_metadata(&named).is_ok_and(|metadata| metadata.is_symlink());
        let path = if is_link { fs::canonicalize(&named) } else { Ok(named.clone()) };
        match path {
            Ok(path) if replaceable(&path).is_err() => {
                Err(Error::new(&FILE_UNUSABLE, format!("{} is not a file, so it cannot be replaced", named.display()))
                    .with_help("name another file with --file"))
            }
            Ok(path) => Ok(Self { named, path, neighbours, mode }),
            Err(error) => Err(unusable(&named, "the link leads nowhere", &error)),
        }
    }

    /// The error, with the file as the place to look at.
    pub(crate) fn blame(&self, error: Error) -> Error {
        error.with_origin(self.named.display().to_string())
    }

    /// Makes the change, or shows what it would be.
    pub(crate) fn apply(
        &self,
        start: &Start,
        change: &Change,
        edit: &dyn Fn(&str) -> Result<String, Failure>,
    ) -> Result<u8, Failure> {
        let is_change = !change.dry_run && !change.check;
        let _locks = if is_change { Some(self.lock()?) } else { None };
        let before = self.read()?;
        let after = edit(&before)?;
        let changes = before != after;
        let diff = if change.dry_run { self.diff(&before, &after) } else { String::new() };
        if is_change && (changes || self.has_other_mode()) {
            self.write(&after).map_err(|error| unusable(&self.path, "it cannot be written", &error))?;
        }
        let shown = self.named.display();
        match (start.global.output, change.dry_run) {
            (Output::Json, is_dry) => {
                let mut document = json!({ "file": self.named, "changed": changes });
                if is_dry {
                    document["diff"] = json!(diff);
                }
                written(print_result(&pretty(&document)))?;
            }
            (_, true) => drop(written(print_result(&diff))?),
            _ if !changes => start.stderr.note(&format!("{shown} is up to date")),
            _ if change.check => start.stderr.note(&format!("{shown} is not up to date")),
            _ => start.stderr.note(&format!("{shown} is written")),
        }
        Ok(u8::from(change.check && changes))
    }

    fn read(&self) -> Result<String, Error> {
        match fs::read(&self.path) {
            Ok(bytes) => String::from_utf8(bytes).map_err(|_| {
                Error::new(&FILE_UNUSABLE, format!("{} is not UTF-8", self.named.display()))
                    .with_help("name another file with --file")
            }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(String::new()),
            Err(error) => Err(unusable(&self.named, "it cannot be read", &error)),
        }
    }

    fn diff(&self, before: &str, after: &str) -> String {
        let name = self.named.display().to_string();
        similar::TextDiff::from_lines(before, after).unified_diff().header(&name, &name).to_string()
    }

    fn folder(&self) -> &Path {
        self.path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
    }

    fn lock(&self) -> Result<Locks, Error> {
        let folder = self.folder();
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)
            .map_err(|error| unusable(folder, "the directory cannot be made", &error))?;
        // The directory's own lock: nothing is left behind, and a killed process leaves it free.
        let lock = File::open(folder).and_then(|folder| folder.lock().map(|()| folder));
        let lock = lock.map_err(|error| unusable(folder, "the directory cannot be locked", &error))?;
        let lock_file = match self.neighbours {
            Neighbours::Unaware => None,
            Neighbours::LockFile => Some(self.lock_file()?),
        };
        Ok(Locks { _own: lock, _lock_file: lock_file })
    }

    fn lock_file(&self) -> Result<LockFile, Error> {
        let mut name = self.path.as_os_str().to_owned();
        name.push(".lock");
        let path = PathBuf::from(name);
        let until = Instant::now() + PATIENCE;
        loop {
            match OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path) {
                Ok(_) => return Ok(LockFile(path)),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists && Instant::now() < until => {
                    std::thread::sleep(Duration::from_millis(50));
                }
                Err(error) => {
                    return Err(unusable(&path, "the lock cannot be taken", &error)
                        .with_help("if no kubectl is at work, a killed one left it: remove the file"));
                }
            }
        }
    }

    fn has_other_mode(&self) -> bool {
        let found = fs::metadata(&self.path).map(|metadata| metadata.mode() & 0o777);
        self.mode.is_some_and(|wanted| found.is_ok_and(|found| found != wanted))
    }

    fn write(&self, text: &str) -> io::Result<()> {
        let before = fs::metadata(&self.path).ok();
        let mode = self.mode.or(before.as_ref().map(|metadata| metadata.mode() & 0o7777)).unwrap_or(NEW_MODE);
        let mut file = tempfile::Builder::new().prefix(".federate-").tempfile_in(self.folder())?;
        file.write_all(text.as_bytes())?;
        if let Some(before) = before.filter(|before| before.uid() != rustix::process::geteuid().as_raw()) {
            // Root changes another user's file: it stays theirs.
            std::os::unix::fs::fchown(file.as_file(), Some(before.uid()), Some(before.gid()))?;
        }
        file.as_file().set_permissions(fs::Permissions::from_mode(mode))?;
        file.as_file().sync_all()?;
        file.persist(&self.path).map_err(|error| error.error)?;
        Ok(())
    }
}

struct Locks {
    _own: File,
    _lock_file: Option<LockFile>,
}

struct LockFile(PathBuf);

impl Drop for LockFile {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

fn unusable(path: &Path, what: &str, error: &io::Error) -> Error {
    Error::new(&FILE_UNUSABLE, format!("{}: {what}", path.display())).with_cause(error.to_string())
}
