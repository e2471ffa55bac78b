//! A directory that only this user can read, and that is gone when federate is.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use federate_core::{Env, Secret};

const LOCK: &str = ".lock";
const PREFIX: &str = "run-";

/// A 0700 directory whose files are 0600. It holds a lock while its owner lives: directories without one were left by a
/// federate that was killed, and the next start removes them.
#[derive(Debug)]
pub(crate) struct PrivateDirectory {
    path: PathBuf,
    _lock: File,
}

impl PrivateDirectory {
    /// Makes a new directory.
    pub(crate) fn create(env: &Env) -> io::Result<Self> {
        let root = root(env)?;
        let path = tempfile::Builder::new()
            .prefix(PREFIX)
            .permissions(fs::Permissions::from_mode(0o700))
            .tempdir_in(&root)?
            .keep();
        restrict(&path, 0o700)?;
        // Under its name only once it is locked: another start sweeps what has an unlocked one.
        let unnamed = path.join(".lock-unnamed");
        let lock = OpenOptions::new().create_new(true).write(true).mode(0o600).open(&unnamed)?;
        restrict(&unnamed, 0o600)?;
        lock.lock()?;
        fs::rename(unnamed, path.join(LOCK))?;
        Ok(Self { path, _lock: lock })
    }

    /// The directory's path.
    #[cfg(feature = "sandbox")]
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Makes an empty directory inside.
    pub(crate) fn make_directory(&self, name: &str) -> io::Result<PathBuf> {
        let path = self.path.join(name);
        fs::DirBuilder::new().mode(0o700).create(&path)?;
        restrict(&path, 0o700)?;
        Ok(path)
    }

    /// Writes a file, replacing what was there in one step.
    pub(crate) fn write(&self, name: &str, content: &Secret) -> io::Result<PathBuf> {
        let path = self.path.join(name);
        write_private(&path, content)?;
        Ok(path)
    }
}

impl Drop for PrivateDirectory {
    fn drop(&mut self) {
        // Nothing is left to report to; an unlocked directory is swept at the next start.
        let _ = fs::remove_dir_all(&self.path);
    }
}

/// Is there a file here, or nothing? A rename would put a file in the place of a device or a pipe.
pub(crate) fn replaceable(path: &Path) -> io::Result<()> {
    // What a process has open looks like a link: /dev/stdout.
    let is_open_file = fs::read_link(path).is_ok_and(|to| to.starts_with("/proc"));
    if is_open_file || fs::metadata(path).is_ok_and(|metadata| !metadata.is_file()) {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a file, so it cannot be replaced"));
    }
    Ok(())
}

/// Writes a file that only this user can read, replacing what was there in one step.
pub(crate) fn write_private(path: &Path, content: &Secret) -> io::Result<()> {
    replaceable(path)?;
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = tempfile::Builder::new().prefix(".federate-").tempfile_in(parent)?;
    restrict(file.path(), 0o600)?;
    file.write_all(content.reveal().as_bytes())?;
    file.as_file().sync_data()?;
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}

/// Could [`write_private`] write it?
pub(crate) fn can_be_written(path: &Path) -> io::Result<()> {
    replaceable(path)?;
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // The library's own text names a file that nobody knows.
    let tried = tempfile::Builder::new().prefix(".federate-").tempfile_in(parent);
    tried.map(drop).map_err(|error| error.kind().into())
}

/// Where everything of this user's that others may not read lies while it is needed.
pub(crate) fn root(env: &Env) -> io::Result<PathBuf> {
    let root = root_path(env);
    own_directory(&root)?;
    Ok(root)
}

fn root_path(env: &Env) -> PathBuf {
    let uid = rustix::process::geteuid().as_raw();
    match env.get("XDG_RUNTIME_DIR").map(Path::new).filter(|path| path.is_dir()) {
        Some(runtime) => runtime.join("federate"),
        None => Path::new(env.get("TMPDIR").unwrap_or("/tmp")).join(format!("federate-{uid}")),
    }
}

/// Makes a directory that only this user can enter; one that is there already has to be that.
pub(crate) fn own_directory(path: &Path) -> io::Result<()> {
    match fs::DirBuilder::new().mode(0o700).create(path) {
        Ok(()) => restrict(path, 0o700)?,
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(io::Error::new(error.kind(), format!("{}: {error}", path.display()))),
    }
    is_own(path)
}

/// What was made gets this very mode: a umask can take away what its owner needs.
fn restrict(path: &Path, mode: u32) -> io::Result<()> {
    if fs::symlink_metadata(path)?.mode() & 0o777 == mode {
        return Ok(());
    }
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
}

fn is_own(path: &Path) -> io::Result<()> {
    let metadata = fs::symlink_metadata(path)?;
    let uid = rustix::process::geteuid().as_raw();
    if !metadata.is_dir() || metadata.uid() != uid || metadata.mode() & 0o077 != 0 {
        let why = format!("{} is not a directory of this user's with mode 0700; remove it", path.display());
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, why));
    }
    Ok(())
}

/// Removes what killed processes left, if they left anything.
pub(crate) fn sweep(env: &Env) {
    let root = root_path(env);
    if is_own(&root).is_err() {
        return;
    }
    let Ok(entries) = fs::read_dir(root) else { return };
    for entry in entries.flatten().filter(|entry| entry.file_name().to_string_lossy().starts_with(PREFIX)) {
        let path = entry.path();
        // A directory without a lock file is just being made, or being removed by its owner.
        let Ok(lock) = File::open(path.join(LOCK)) else { continue };
        if lock.try_lock().is_ok() {
            let _ = fs::remove_dir_all(&path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env(runtime: &Path) -> Env {
        [("XDG_RUNTIME_DIR", runtime)].into_iter().collect()
    }

    #[test]
    fn files_are_private_and_go_with_the_directory() {
        let runtime = tempfile::tempdir().unwrap();
        let directory = PrivateDirectory::create(&env(runtime.path())).unwrap();
        let file = directory.write("token", &Secret::new("one")).unwrap();
        directory.write("token", &Secret::new("two")).unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), "two");
        assert_eq!(fs::metadata(&file).unwrap().mode() & 0o777, 0o600);
        assert_eq!(fs::metadata(directory.path()).unwrap().mode() & 0o777, 0o700);
        let path = directory.path().to_owned();
        drop(directory);
        assert!(!path.exists());
    }

    #[test]
    fn a_device_or_a_pipe_is_not_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let _socket = std::os::unix::net::UnixListener::bind(path("socket")).unwrap();
        std::os::unix::fs::symlink("/dev/null", path("link")).unwrap();
        std::os::unix::fs::symlink("/proc/self/fd/1", path("stdout")).unwrap();
        for special in ["socket", "link", "stdout", "."] {
            let before = fs::symlink_metadata(path(special)).unwrap().ino();
            assert!(write_private(&path(special), &Secret::new("x")).is_err(), "{special}");
            assert!(can_be_written(&path(special)).is_err(), "{special}");
            assert_eq!(fs::symlink_metadata(path(special)).unwrap().ino(), before, "{special}");
        }
        assert!(replaceable(&path("none")).is_ok() && write_private(&path("none"), &Secret::new("x")).is_ok());
    }

    #[test]
    fn what_a_killed_process_left_is_swept_and_what_lives_is_not() {
        let runtime = tempfile::tempdir().unwrap();
        let living = PrivateDirectory::create(&env(runtime.path())).unwrap();
        let dead = runtime.path().join("federate").join("run-dead");
        fs::create_dir(&dead).unwrap();
        fs::write(dead.join(LOCK), "").unwrap();
        sweep(&env(runtime.path()));
        assert!(living.path().exists() && !dead.exists());
    }

    #[test]
    fn a_root_that_others_can_read_is_refused() {
        use std::os::unix::fs::PermissionsExt as _;
        let runtime = tempfile::tempdir().unwrap();
        let root = runtime.path().join("federate");
        fs::create_dir(&root).unwrap();
        fs::set_permissions(&root, fs::Permissions::from_mode(0o755)).unwrap();
        assert!(PrivateDirectory::create(&env(runtime.path())).is_err());
        let dead = root.join("run-dead");
        fs::create_dir(&dead).unwrap();
        fs::write(dead.join(LOCK), "").unwrap();
        sweep(&env(runtime.path()));
        assert!(dead.exists(), "whose it is, is not known");
    }
}
