//! Where the profiles are.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use federate_core::suggest::nearest;
use federate_core::{Env, Error};

use crate::codes;

/// The directory of profiles: as named, else the nearest `.federate/` or `profiles/` with a `base.toml`, from the working
/// directory up to the repository's root.
pub(crate) fn find(cwd: &Path, named: Option<&Path>, env: &Env) -> Result<Option<PathBuf>, Error> {
    let from_variable = env.get("FEDERATE_PROFILES_DIR").map(Path::new);
    if let Some(directory) = named.or(from_variable) {
        let directory = cwd.join(directory);
        if !directory.is_dir() {
            // The command line hands the variable's value over as if it had been given by the flag.
            let is_flag = named.is_some() && named != from_variable;
            let source = if is_flag { "--profiles-dir" } else { "environment variable FEDERATE_PROFILES_DIR" };
            return Err(Error::new(&codes::FILE, format!("{} is not a directory", directory.display()))
                .with_origin(source)
                .with_help("name the directory that holds base.toml"));
        }
        return owned(directory).map(Some);
    }
    let inside_repository = cwd.ancestors().any(|folder| folder.join(".git").exists());
    for folder in cwd.ancestors() {
        for candidate in [folder.join(".federate"), folder.join("profiles")] {
            let is_hidden = candidate.ends_with(".federate");
            if candidate.is_dir() && (is_hidden || candidate.join("base.toml").is_file()) {
                return owned(candidate).map(Some);
            }
        }
        if !inside_repository || folder.join(".git").exists() {
            break;
        }
    }
    Ok(None)
}

/// Refuses a directory that somebody else controls.
fn owned(directory: PathBuf) -> Result<PathBuf, Error> {
    let owner = std::fs::metadata(&directory)
        .map_err(|error| {
            Error::new(&codes::FILE, format!("{} cannot be read", directory.display()))
                .with_origin(directory.display().to_string())
                .with_cause(error.to_string())
        })?
        .uid();
    let own = rustix::process::geteuid().as_raw();
    if owner == 0 || owner == own {
        return Ok(directory);
    }
    Err(Error::new(&codes::FILE, format!("{} belongs to another user (uid {owner})", directory.display()))
        .with_origin(directory.display().to_string())
        .with_help(
            "a profile decides where tokens go, so it must be yours or root's; change the owner, or copy the directory",
        ))
}

/// Is this a name that a profile may have?
pub(crate) fn check_name(name: &str) -> Result<(), Error> {
    let good = !name.is_empty()
        && !name.starts_with('.')
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
    if good {
        return Ok(());
    }
    Err(Error::new(&codes::PROFILE_NAME, format!("`{name}` cannot be the name of a profile"))
        .with_help("names have letters, digits, `.`, `_` and `-`, and do not begin with a dot"))
}

/// The names of the profiles in the directory, sorted.
pub(crate) fn names(directory: &Path) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(directory)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.strip_suffix(".toml").map(str::to_owned))
        .filter(|name| name != "base" && !name.ends_with(".local") && check_name(name).is_ok())
        .collect();
    names.sort();
    names
}

/// There is no such profile: says which there are.
pub(crate) fn missing(name: &str, directory: Option<&Path>, asked_by: &str) -> Error {
    let Some(directory) = directory else {
        return Error::new(
            &codes::PROFILE_MISSING,
            format!("the profile `{name}` was asked for, but there is no directory of profiles"),
        )
        .with_origin(asked_by)
        .with_help("make `profiles/base.toml` in the repository, or name the directory with --profiles-dir");
    };
    let known = names(directory);
    let error = Error::new(&codes::PROFILE_MISSING, format!("there is no profile `{name}` in {}", directory.display()))
        .with_origin(asked_by);
    match nearest(name, known.iter().map(String::as_str)) {
        Some(near) => error.with_help(format!("did you mean `{near}`?")),
        None if known.is_empty() => error.with_help(format!("the directory has no profile yet; make {name}.toml")),
        None => error.with_help(format!("there are {}", known.join(", "))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_directory_up_to_the_repository_wins() {
        let root = tempfile::tempdir().unwrap();
        let make = |path: &str| std::fs::create_dir_all(root.path().join(path)).unwrap();
        make("outer/profiles");
        std::fs::write(root.path().join("outer/profiles/base.toml"), "").unwrap();
        make("outer/repository/.git");
        make("outer/repository/service/deep");
        let find = |path: &str| find(&root.path().join(path), None, &Env::default()).unwrap();
        assert_eq!(find("outer/repository/service/deep"), None, "never beyond the repository");
        make("outer/repository/profiles");
        assert_eq!(
            find("outer/repository/service/deep"),
            None,
            "a folder of that name without base.toml is something else"
        );
        make("outer/repository/.federate");
        assert_eq!(find("outer/repository/service/deep"), Some(root.path().join("outer/repository/.federate")));
        assert_eq!(find("outer"), Some(root.path().join("outer/profiles")));
        make("outer/below");
        assert_eq!(find("outer/below"), None, "outside of a repository only the working directory counts");
    }

    #[test]
    fn names_cannot_climb() {
        for bad in ["../../x", ".hidden", "", "a/b", "a b", "ü"] {
            assert_eq!(check_name(bad).unwrap_err().code().name, "profile-name", "{bad}");
        }
        assert!(check_name("prod-eu.1_x").is_ok());
    }
}
