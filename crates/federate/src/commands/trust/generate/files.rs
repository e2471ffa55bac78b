//! Generated files: on stdout, or in a folder.

use std::io::Write as _;
use std::path::Path;

use federate_core::{Error, Reporter as _, codes};
use federate_trust::Artifact;

use crate::commands::written;
use crate::report::Failure;
use crate::setup::Start;

/// Prints the first file, byte by byte.
pub(super) fn print(artifacts: &[Artifact]) -> Result<u8, Failure> {
    let text = artifacts.first().map(|file| file.text.as_str()).unwrap_or_default();
    let mut out = std::io::stdout().lock();
    written(out.write_all(text.as_bytes()).and_then(|()| out.flush()))
}

/// Writes all files. What is there and differs is somebody's work, and stays unless it is to be replaced.
pub(super) fn write(start: &Start, folder: &Path, artifacts: &[Artifact], force: bool) -> Result<u8, Failure> {
    let paths: Vec<_> = artifacts.iter().map(|file| folder.join(&file.path)).collect();
    let differs = |path: &Path, file: &Artifact| {
        path.symlink_metadata().is_ok() && std::fs::read(path).ok().as_deref() != Some(file.text.as_bytes())
    };
    let changed: Vec<String> = paths
        .iter()
        .zip(artifacts)
        .filter(|(path, file)| !force && differs(path, file))
        .map(|(path, _)| path.display().to_string())
        .collect();
    if !changed.is_empty() {
        return Err(Error::new(&codes::USAGE, format!("{} would be replaced by something else", changed.join(", ")))
            .with_help("name another folder, or replace them with --force")
            .into());
    }
    for (path, file) in paths.iter().zip(artifacts) {
        save(path, file).map_err(|error| {
            Error::new(&codes::USAGE, format!("{} cannot be written", path.display())).with_cause(error.to_string())
        })?;
        start.stderr.note(&format!("wrote {}", path.display()));
    }
    Ok(0)
}

fn save(path: &Path, file: &Artifact) -> std::io::Result<()> {
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent)?;
    }
    std::fs::write(path, &file.text)?;
    #[cfg(unix)]
    if file.is_executable {
        use std::os::unix::fs::PermissionsExt as _;
        let mut permissions = std::fs::metadata(path)?.permissions();
        permissions.set_mode(permissions.mode() | ((permissions.mode() & 0o444) >> 2));
        std::fs::set_permissions(path, permissions)?;
    }
    Ok(())
}
