//! The files below a folder that may hold trust.

use std::fs;
use std::path::{Path, PathBuf};

use federate_core::{Error, codes};

/// What policies, templates, plans and states are called.
const ENDINGS: [&str; 5] = ["json", "yaml", "yml", "template", "tfstate"];

/// What tools leave beside one's own files, besides what is hidden.
const NOT_OURS: [&str; 1] = ["node_modules"];

/// All of them in the order of their names. Links to folders are not followed, as they may lead around in a circle.
///
/// # Errors
/// `usage`, where a folder cannot be read: nothing may be left out without a word.
pub(super) fn files(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let failed = |error: std::io::Error| {
        Error::new(&codes::USAGE, format!("{} cannot be read", folder.display())).with_cause(error.to_string())
    };
    let mut entries = fs::read_dir(folder).and_then(Iterator::collect::<Result<Vec<_>, _>>).map_err(failed)?;
    entries.sort_by_key(fs::DirEntry::file_name);
    let mut found = Vec::new();
    for entry in entries {
        let (name, path) = (entry.file_name().to_string_lossy().into_owned(), entry.path());
        if name.starts_with('.') || NOT_OURS.contains(&name.as_str()) {
            continue;
        }
        if entry.file_type().map_err(failed)?.is_dir() {
            found.extend(files(&path)?);
        } else if name.rsplit_once('.').is_some_and(|(_, ending)| ENDINGS.contains(&ending)) && path.is_file() {
            found.push(path);
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_hold_trust() {
        let folder = tempfile::tempdir().unwrap();
        for name in
            ["b.json", "a/c.yaml", "a/.git/x.json", "node_modules/p/package.json", "main.tf", "a/terraform.tfstate"]
        {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        std::os::unix::fs::symlink(folder.path(), folder.path().join("circle")).unwrap();
        let found = files(folder.path()).unwrap();
        let found: Vec<_> =
            found.iter().map(|path| path.strip_prefix(folder.path()).unwrap().to_str().unwrap()).collect();
        assert_eq!(found, ["a/c.yaml", "a/terraform.tfstate", "b.json"]);
        assert!(files(&folder.path().join("none")).is_err());
    }
}
