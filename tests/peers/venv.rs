//! Python environments in `target/peers`, each made once and kept.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Written last, with the folder's place: an environment without it was cut off while it was made, and one with another
/// place was moved, which none survives.
pub(crate) const COMPLETE: &str = ".complete";

/// The folder with the programs of an environment that holds these requirements.
///
/// # Errors
/// Why there is none: no Python, or no package index in reach.
pub(crate) fn programs(requirements: &str) -> Result<PathBuf, String> {
    let version = output(Command::new("python3").args(["-c", "import sys; print(sys.version, sys.base_prefix)"]))
        .map_err(|why| format!("python3 is needed: {why}"))?;
    let folder = folder().join(name(requirements, &version));
    let programs = folder.join("bin");
    fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    // Two test runs at once: one makes it, the other waits. The lock goes with the process, however it ends.
    let lock = File::create(folder.with_extension("lock")).map_err(|error| error.to_string())?;
    lock.lock().map_err(|error| error.to_string())?;
    let place = folder.display().to_string();
    if fs::read_to_string(folder.join(COMPLETE)).is_ok_and(|made_at| made_at == place) {
        return Ok(programs);
    }
    install(&folder, requirements).map_err(|why| format!("the clients cannot be installed: {why}"))?;
    fs::write(folder.join(COMPLETE), place).map_err(|error| error.to_string())?;
    Ok(programs)
}

/// `target/peers`, wherever `target` is.
pub(crate) fn folder() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("peers")
}

pub(crate) fn name(requirements: &str, python: &str) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, format!("{requirements}\n{python}").as_bytes());
    digest.as_ref().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

fn install(folder: &Path, requirements: &str) -> Result<(), String> {
    eprintln!("installing into {} (once):\n{}", folder.display(), requirements.trim_end());
    // An environment cannot be moved, so it is made in its place, from the start if it was cut off.
    fs::remove_dir_all(folder).map_err(|error| error.to_string())?;
    output(Command::new("python3").args(["-m", "venv"]).arg(folder))?;
    let list = folder.join("requirements.txt");
    fs::write(&list, requirements).map_err(|error| error.to_string())?;
    // Inherits the environment: the package index may be behind a proxy, or have a CA of its own.
    let pip = ["-m", "pip", "install", "--quiet", "--no-input", "--disable-pip-version-check", "-r"];
    output(Command::new(folder.join("bin/python3")).args(pip).arg(list)).map(drop)
}

pub(crate) fn output(command: &mut Command) -> Result<String, String> {
    let Output { status, stdout, stderr } = command.output().map_err(|error| error.to_string())?;
    if status.success() {
        return Ok(String::from_utf8_lossy(&stdout).trim().to_owned());
    }
    let message = String::from_utf8_lossy(&stderr);
    let end: Vec<&str> = message.lines().rev().take(5).collect();
    Err(format!("{status}: {}", end.into_iter().rev().collect::<Vec<_>>().join("\n")))
}
