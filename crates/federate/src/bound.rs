//! A child that does not outlive federate: where federate is killed and cannot end it, the kernel does.
//!
//! A process can ask for that only by itself, so federate is started once more in its place, asks, and becomes the command.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use crate::child::Variables;

/// The first word of the command line in between; no command of federate's.
const WORD: &str = "become-bound-to";

/// The command in exactly this environment.
///
/// # Errors
/// As `execvp`: not found, not executable.
pub(crate) fn command(variables: &Variables, program: &OsString, arguments: &[OsString]) -> io::Result<Command> {
    if !cfg!(target_os = "linux") {
        let mut command = variables.command(program);
        command.args(arguments);
        return Ok(command);
    }
    find(program, variables.get("PATH"))?;
    let mut command = variables.command(&"/proc/self/exe".into());
    command.arg(WORD).arg(std::process::id().to_string()).arg(program).args(arguments);
    Ok(command)
}

/// Becomes the command, if this command line is the one in between; returns an exit code where it cannot.
pub(crate) fn become_command(words: &[OsString]) -> Option<u8> {
    let [_, word, parent, program, arguments @ ..] = words else { return None };
    if word != WORD {
        return None;
    }
    #[cfg(target_os = "linux")]
    {
        use rustix::process::{Signal, getppid, set_parent_process_death_signal};
        let asked = set_parent_process_death_signal(Some(Signal::TERM));
        let is_there = getppid().is_some_and(|pid| parent.to_str() == Some(&pid.as_raw_nonzero().to_string()));
        if asked.is_ok() && !is_there {
            return Some(143);
        }
    }
    #[cfg(not(target_os = "linux"))]
    let _ = parent;
    use std::os::unix::process::CommandExt as _;
    let error = Command::new(program).args(arguments).exec();
    Some(crate::child::start_failure(program, &error).print())
}

/// Would `execvp` find it?
fn find(program: &OsStr, path: Option<&OsStr>) -> io::Result<()> {
    let is_executable = |file: &Path| {
        file.metadata().is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
    };
    let failed = |kind: io::ErrorKind| Err(io::Error::from(kind));
    if program.as_encoded_bytes().contains(&b'/') {
        let file = Path::new(program);
        return match (is_executable(file), file.exists()) {
            (true, _) => Ok(()),
            (false, true) => failed(io::ErrorKind::PermissionDenied),
            (false, false) => failed(io::ErrorKind::NotFound),
        };
    }
    let mut outcome = io::ErrorKind::NotFound;
    for folder in std::env::split_paths(path.unwrap_or(OsStr::new("/bin:/usr/bin"))) {
        let file = folder.join(program);
        if is_executable(&file) {
            return Ok(());
        }
        if file.is_file() {
            outcome = io::ErrorKind::PermissionDenied;
        }
    }
    failed(outcome)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_found_as_by_execvp() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("plain"), "").unwrap();
        let path = std::env::join_paths([folder.path(), Path::new("/bin")]).unwrap();
        let kind = |program: &str| find(OsStr::new(program), Some(&path)).err().map(|error| error.kind());
        assert_eq!(kind("sh"), None);
        assert_eq!(kind("/bin/sh"), None);
        assert_eq!(kind("plain"), Some(io::ErrorKind::PermissionDenied));
        assert_eq!(kind("/"), Some(io::ErrorKind::PermissionDenied));
        assert_eq!(kind("no-such-command"), Some(io::ErrorKind::NotFound));
        assert_eq!(kind("./no-such-command"), Some(io::ErrorKind::NotFound));
    }

    #[test]
    fn other_command_lines_are_left_alone() {
        let words = |words: &[&str]| words.iter().map(OsString::from).collect::<Vec<_>>();
        assert_eq!(become_command(&words(&["federate"])), None);
        assert_eq!(become_command(&words(&["federate", "exec", "1", "sh"])), None);
        assert_eq!(become_command(&words(&["federate", WORD, "1", "sh"])), Some(143), "its parent is another one");
    }
}
