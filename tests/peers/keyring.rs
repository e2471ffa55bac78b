//! A system whose kernel keyring is closed: nothing is kept, and everything else works.

use std::path::Path;

use crate::job::in_path;
use crate::workshop::{Canned, SECRET_KEY, Workshop, sts_success};
use crate::{Peer, Test};

pub(crate) const TESTS: &[(&str, Test)] = &[("nothing_is_kept_without_it", nothing_is_kept_without_it)];

/// Python, which can close it to a command.
pub(crate) fn find() -> Peer {
    if !cfg!(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64"))) {
        return Err("only Linux on x86_64 or aarch64 is known to this test".to_owned());
    }
    in_path("python3").ok_or_else(|| "python3 is not in PATH".to_owned())
}

fn nothing_is_kept_without_it(programs: &Path) {
    let sts = Canned::answering(sts_success());
    let mut workshop = Workshop::gitlab_aws(&sts.url);
    workshop.set("FEDERATE_CACHE", "always");
    let script = workshop.path("without_keyring.py");
    std::fs::write(&script, include_str!("clients/without_keyring.py")).unwrap();
    // EPERM, as Docker answers, and ENOSYS, as a kernel without keyrings does.
    for (number, errno) in ["1", "38"].into_iter().enumerate() {
        let run = |arguments: &[&str]| {
            let federate = workshop.command(arguments);
            let mut command = std::process::Command::new(programs.join("python3"));
            command.arg(&script).arg(errno).arg(federate.get_program()).args(federate.get_args());
            let variables = federate.get_envs().filter_map(|(name, value)| Some((name, value?)));
            command.env_clear().envs(variables).current_dir(workshop.path("project"));
            crate::workshop::finish(command.output().unwrap())
        };
        for count in 1..=2 {
            let done = run(&["credential-process"]);
            assert!(done.code == 0 && done.stdout.contains(SECRET_KEY) && done.stderr.is_empty(), "{}", done.stderr);
            assert_eq!(sts.requests().len(), number * 3 + count);
        }
        let told = run(&["credential-process", "-v"]);
        assert!(told.stderr.contains("does not allow the kernel keyring"), "{}", told.stderr);
        let listed = run(&["cache", "list"]);
        assert!(listed.code == 2 && listed.stderr.contains("error[cache-unusable]"), "{}", listed.stderr);
        assert_eq!(run(&["cache", "clear"]).code, 0);
        let kept = std::fs::read_dir(workshop.path("runtime/federate/cache")).into_iter().flatten().count();
        assert_eq!(kept, 0, "nothing is written in clear or otherwise");
    }
}
