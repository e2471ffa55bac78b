//! Packages of npm in `target/peers`, installed once and kept.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::venv::{COMPLETE, folder, name, output};

/// The folder that holds these packages in `node_modules`.
///
/// # Errors
/// Why there is none: no Node, or no package registry in reach.
pub(crate) fn packages(package_json: &str) -> Result<PathBuf, String> {
    let version = output(Command::new("node").arg("--version")).map_err(|why| format!("node is needed: {why}"))?;
    let major = version.trim_start_matches('v').split('.').next().and_then(|major| major.parse::<u32>().ok());
    if major.is_none_or(|major| major < 20) {
        return Err(format!("node is {version}, 20 or later is needed"));
    }
    let folder = folder().join(name(package_json, &version));
    fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    // Two test runs at once: one installs, the other waits. The lock goes with the process, however it ends.
    let lock = File::create(folder.with_extension("lock")).map_err(|error| error.to_string())?;
    lock.lock().map_err(|error| error.to_string())?;
    if !folder.join(COMPLETE).exists() {
        install(&folder, package_json).map_err(|why| format!("the packages cannot be installed: {why}"))?;
        File::create(folder.join(COMPLETE)).map_err(|error| error.to_string())?;
    }
    Ok(folder)
}

fn install(folder: &Path, package_json: &str) -> Result<(), String> {
    eprintln!("installing into {} (once):\n{}", folder.display(), package_json.trim_end());
    fs::write(folder.join("package.json"), package_json).map_err(|error| error.to_string())?;
    // Inherits the environment: the registry may be behind a proxy, or have a CA of its own.
    let npm = ["install", "--ignore-scripts", "--no-audit", "--no-fund", "--no-package-lock", "--loglevel=error"];
    output(Command::new("npm").args(npm).current_dir(folder)).map(drop)
}
