//! How other programs are to call federate: an absolute path, and arguments that do not depend on where it is called.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use federate_core::{Error, codes};
use federate_profile::Profile;

use crate::setup::Start;

/// Program and arguments for `SUBCOMMAND -t TARGET` under the profile that is loaded.
///
/// # Errors
/// `usage` for paths that are not UTF-8.
pub(crate) fn of(start: &Start, profile: &Profile, subcommand: &str, target: &str) -> Result<Vec<String>, Error> {
    let mut words = vec![text(own_path()?)?, subcommand.to_owned()];
    if let Some(directory) = profile.directory() {
        words.extend([
            "--profiles-dir".to_owned(),
            text(std::path::absolute(directory).map_err(|error| unknown(&error))?)?,
        ]);
    }
    for name in profile.names() {
        words.extend(["-p".to_owned(), name.clone()]);
    }
    for setting in &start.global.set {
        words.extend(["--set".to_owned(), setting.clone()]);
    }
    if start.global.allow_local {
        words.push("--allow-local".to_owned());
    }
    words.extend(["-t".to_owned(), target.to_owned()]);
    Ok(words)
}

/// Where this program lies, by the name that it was called by: a package manager's link outlives the file that it leads to.
fn own_path() -> Result<PathBuf, Error> {
    let file = std::env::current_exe().map_err(|error| unknown(&error))?;
    let called = std::env::args_os().next().unwrap_or_default();
    let is_ours = |path: &PathBuf| path.canonicalize().ok() == file.canonicalize().ok();
    Ok(candidates(called).into_iter().find(is_ours).unwrap_or(file))
}

fn candidates(called: OsString) -> Vec<PathBuf> {
    if Path::new(&called).components().count() > 1 {
        return std::path::absolute(&called).into_iter().collect();
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).filter(|folder| folder.is_absolute()).map(|folder| folder.join(&called)).collect()
}

fn text(path: PathBuf) -> Result<String, Error> {
    path.into_os_string().into_string().map_err(|path| {
        Error::new(&codes::USAGE, format!("the path {} is not UTF-8", path.display()))
            .with_help("other programs' config files cannot name it; use another directory")
    })
}

fn unknown(error: &std::io::Error) -> Error {
    Error::new(&codes::USAGE, "federate does not know where it lies").with_cause(error.to_string())
}
