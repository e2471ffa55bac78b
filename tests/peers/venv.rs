//! Where the clients come from: Python environments in `target/peers`, made once.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A client, or why there is none.
#[derive(Clone, Debug)]
pub(crate) enum Peer {
    /// The folder of its programs.
    Ready(PathBuf),
    /// Why it cannot be used.
    Missing(String),
}

const CLIENTS: &[&str] =
    &["moto[server,sts,iam]==5.2.1", "boto3==1.43.11", "awscli==1.45.11", "azure-identity==1.27.0", "azure-core"];
const AZ: &[&str] = &["azure-cli==2.91.0"];

/// Must every client be there?
pub(crate) fn are_required() -> bool {
    std::env::var("FEDERATE_PEERS").is_ok_and(|value| value == "required")
}

/// moto, boto3, the aws CLI and azure-identity.
pub(crate) fn clients() -> Peer {
    environment("clients", CLIENTS)
}

/// The az CLI: of this machine, else installed where that is asked for.
pub(crate) fn az() -> Peer {
    let here = std::env::var_os("PATH")
        .and_then(|path| std::env::split_paths(&path).find(|folder| folder.join("az").is_file()));
    match here {
        Some(folder) => Peer::Ready(folder),
        None if std::env::var("FEDERATE_PEERS_AZ").is_ok_and(|value| value == "install") => environment("az", AZ),
        None => Peer::Missing("there is no az here, and FEDERATE_PEERS_AZ=install does not ask for one".to_owned()),
    }
}

/// A Python environment with these packages. Its name says what is in it, its last file that it is whole, and a lock that
/// nobody else is at it: an environment cannot be renamed.
fn environment(name: &str, packages: &[&str]) -> Peer {
    let version = Command::new("python3").arg("--version").output();
    let Some(version) = version.ok().filter(|output| output.status.success()) else {
        return Peer::Missing("there is no python3".to_owned());
    };
    let key = format!("{}{}", packages.join("\n"), String::from_utf8_lossy(&version.stdout));
    let digest = ring::digest::digest(&ring::digest::SHA256, key.as_bytes());
    let hash: String = digest.as_ref()[..8].iter().map(|byte| format!("{byte:02x}")).collect();
    let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join("../peers");
    match install(&root, &format!("{name}-{hash}"), packages) {
        Ok(bin) => Peer::Ready(bin),
        Err(why) => Peer::Missing(why),
    }
}

fn install(root: &Path, name: &str, packages: &[&str]) -> Result<PathBuf, String> {
    let text = |error: std::io::Error| error.to_string();
    fs::create_dir_all(root).map_err(text)?;
    let root = root.canonicalize().map_err(text)?;
    let lock = File::create(root.join(format!("{name}.lock"))).map_err(text)?;
    lock.lock().map_err(text)?;
    let folder = root.join(name);
    let (bin, complete) = (folder.join("bin"), folder.join(".complete"));
    if complete.exists() {
        return Ok(bin);
    }
    eprintln!("installing {} into {}", packages.join(" "), folder.display());
    // What an interrupted installation left.
    if folder.exists() {
        fs::remove_dir_all(&folder).map_err(text)?;
    }
    run(Command::new("python3").arg("-m").arg("venv").arg(&folder))?;
    let mut pip = Command::new(bin.join("python"));
    run(pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"]).args(packages))?;
    fs::write(complete, "").map_err(text)?;
    Ok(bin)
}

fn run(command: &mut Command) -> Result<(), String> {
    let output = command.stdin(Stdio::null()).output().map_err(|error| error.to_string())?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(format!("{:?} failed: {}", command.get_program(), said.lines().last().unwrap_or_default()))
}
