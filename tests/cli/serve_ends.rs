//! However a served child or its federate ends: nothing is left, and nobody lives on.

#![allow(clippy::print_stderr, reason = "what is left out has to be seen")]

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::served::{Served, TELL, eventually, federate, in_sandbox, is_hang_up_ignored, lives, private};
use crate::support::finish;

const NOTHING: Vec<PathBuf> = Vec::new();

fn served() -> Served {
    Served::exec(&["-p", "dev"], &["--serve"])
}

#[test]
fn a_child_that_is_killed_takes_the_endpoint_along() {
    let served = served();
    assert!(served.is_served());
    served.signal("-KILL", "CHILD_PID");
    let runtime = served.runtime.path().to_owned();
    let file = served.get("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE").to_owned();
    eventually("the files are gone", || !Path::new(&file).exists());
    eventually("nobody serves", || !served.is_served());
    let done = served.finish();
    assert_eq!(done.code, 137, "{}", done.stderr);
    assert!(!runtime.join("federate").exists() || private(&runtime) == NOTHING);
}

#[test]
fn a_federate_that_is_told_to_end_passes_it_on() {
    for (signal, number) in [("-TERM", 15), ("-INT", 2), ("-HUP", 1)] {
        if signal == "-HUP" && is_hang_up_ignored() {
            eprintln!("SKIPPED: {signal} is ignored by whoever started the tests");
            continue;
        }
        let served = served();
        served.signal(signal, "FEDERATE_PID");
        served.ends(signal, "CHILD_PID");
        let file = served.get("AZURE_FEDERATED_TOKEN_FILE").to_owned();
        eventually("nobody serves", || !served.is_served());
        let done = served.finish();
        assert_eq!(done.code, 128 + number, "{signal}: {}", done.stderr);
        assert!(!Path::new(&file).exists(), "{signal}");
    }
}

/// As under `docker exec`: the kernel cannot name the session's leader to anybody in the container.
#[test]
fn a_session_that_is_led_outside_of_the_container_is_none_of_ours() {
    let container = ["--map-root-user", "--fork", "--pid", "--mount-proc"];
    if is_hang_up_ignored()
        || !Command::new("unshare").args(container).arg("true").status().is_ok_and(|is| is.success())
    {
        eprintln!("SKIPPED: no process namespace can be made (unshare, util-linux), or a hang-up is ignored here");
        return;
    }
    let home = tempfile::tempdir().unwrap();
    let words = ["exec", "-p", "dev", "--serve", "--", "sh", "-c", "env kill -HUP $PPID; exec sleep 600"];
    let run = federate(home.path(), &in_sandbox(&["-p", "dev"], &words));
    let mut contained = Command::new("unshare");
    // The shell is the container's first process, so that federate is an ordinary one.
    contained.args(container).args(["sh", "-c", "\"$@\"; exit $?", "sh"]).arg(run.get_program()).args(run.get_args());
    contained.env_clear().envs(run.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let done = finish(contained.current_dir(run.get_current_dir().unwrap()).output().unwrap());
    assert_eq!(done.code, 129, "{}", done.stderr);
    assert!(!done.stderr.contains("panicked"), "{}", done.stderr);
    assert_eq!(private(home.path()), NOTHING);
}

#[test]
fn a_signal_that_is_ignored_stays_ignored() {
    let federate = env!("CARGO_BIN_EXE_federate");
    let script = format!(
        "trap '' HUP; {federate} sandbox -p dev -- {federate} exec -p dev --serve -- sh -c '{TELL}'; echo ended $? >&2"
    );
    let served = Served::start_program("sh", &["-c", &script]);
    served.signal("-HUP", "FEDERATE_PID");
    served.signal("-HUP", "CHILD_PID");
    assert!(served.is_served() && lives(served.get("CHILD_PID")));
    let done = served.finish();
    assert!(done.stderr.ends_with("ended 0\n"), "{}", done.stderr);
}

#[test]
fn no_umask_opens_private_files_to_others_or_shuts_them_to_the_command() {
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    for umask in ["000", "777"] {
        let words = in_sandbox(&["-p", "dev"], &["exec", "--serve", "--", "sh", "-c", TELL]);
        let words = [&["-c", "umask $1; shift; exec \"$@\"", "sh", umask, env!("CARGO_BIN_EXE_federate")], &words[..]];
        let served = Served::start_program("sh", &words.concat());
        let file = PathBuf::from(served.get("AZURE_FEDERATED_TOKEN_FILE"));
        let directory = file.parent().unwrap();
        assert_eq!((mode(&file), mode(directory), mode(directory.parent().unwrap())), (0o600, 0o700, 0o700), "{umask}");
        assert_eq!(mode(Path::new(served.get("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"))), 0o600, "{umask}");
        assert_eq!(served.finish().code, 0, "{umask}");
    }
}

#[test]
fn a_federate_that_is_killed_leaves_private_files_until_the_next_start_and_no_orphan() {
    let served = served();
    served.signal("-KILL", "FEDERATE_PID");
    served.ends("-KILL of federate", "CHILD_PID");
    eventually("nobody serves", || !served.is_served());
    let file = PathBuf::from(served.get("AZURE_FEDERATED_TOKEN_FILE"));
    let directory = file.parent().unwrap().to_owned();
    // The sandbox that federate ran in may sweep them at any moment.
    let mode = |path: &Path| std::fs::metadata(path).map(|metadata| metadata.permissions().mode() & 0o777);
    assert_eq!(mode(&directory).unwrap_or(0o700), 0o700);
    assert_eq!(mode(&file).unwrap_or(0o600), 0o600);
    let home = served.runtime.path().to_owned();
    // One that needs no private directory of its own, either.
    assert_eq!(finish(federate(&home, &["profile", "list"]).output().unwrap()).code, 0);
    assert!(!directory.exists(), "the next start sweeps");
    assert_eq!(served.finish().code, 137);
    assert_eq!(private(&home), NOTHING);
}

#[test]
fn what_a_shell_started_ends_with_a_killed_federate() {
    // A shell of its own and its child, a session of its own, no environment.
    let script = "cd \"$HOME\"; echo $PPID >pid0; sh -c 'echo $$ >pid1; sleep 600 & echo $! >pid2; wait' & \
                  setsid sh -c 'echo $$ >pid3; exec sleep 600' & env -i /bin/sh -c 'echo $$ >pid4; exec /bin/sleep 600' & wait";
    let exec = ["exec", "-p", "dev", "--serve", "--", "sh", "-c", script];
    let each = ["each", "-p", "dev", "-t", "aws", "--", "sh", "-c", script];
    for words in [&exec[..], &each[..]] {
        let home = tempfile::tempdir().unwrap();
        let read = |name: &str| std::fs::read_to_string(home.path().join(name)).unwrap_or_default().trim().to_owned();
        let mut sandbox = federate(home.path(), &in_sandbox(&["-p", "dev"], words));
        let mut sandbox = sandbox.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let pids = || ["pid1", "pid2", "pid3", "pid4"].map(read);
        eventually("all tell their ids", || pids().iter().all(|pid| !pid.is_empty()));
        let pids = pids();
        assert!(pids.iter().all(|pid| lives(pid)), "{pids:?}");
        assert!(Command::new("kill").args(["-KILL", &read("pid0")]).status().unwrap().success());
        eventually("all that was started ends", || !pids.iter().any(|pid| lives(pid)));
        assert_eq!(sandbox.wait().unwrap().code(), Some(137));
    }
}

/// `script` (util-linux) gives its command a terminal of its own.
fn on_a_terminal(home: &Path, command: &str) -> Option<std::process::Child> {
    let found = ["/usr/bin/script", "/bin/script"].into_iter().find(|path| Path::new(path).exists());
    let Some(script) = found else {
        eprintln!("SKIPPED: script (util-linux) is not there, so there is no terminal");
        return None;
    };
    let mut run = federate(home, &[]);
    let environment: Vec<_> =
        run.get_envs().filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned()))).collect();
    run = Command::new(script);
    run.args(["-qefc", command, "/dev/null"])
        .env_clear()
        .envs(environment)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    run.current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."));
    Some(run.spawn().unwrap())
}

#[test]
fn a_terminal_that_is_closed_or_interrupted_ends_both() {
    // A shell leads the terminal's session, or federate does.
    for (by_key, before) in [(true, ""), (false, "true; "), (false, "exec "), (true, "exec ")] {
        let home = tempfile::tempdir().unwrap();
        let told = home.path().join("told");
        let command = format!(
            "{before}{0} sandbox -p dev -- federate exec -p dev --serve -- sh -c 'echo $PPID $$ $AZURE_FEDERATED_TOKEN_FILE >{1}.tmp; mv {1}.tmp {1}; exec sleep 600'",
            env!("CARGO_BIN_EXE_federate"),
            told.display(),
        );
        if !by_key && is_hang_up_ignored() {
            eprintln!("SKIPPED: a hang-up is ignored by whoever started the tests");
            continue;
        }
        let Some(mut terminal) = on_a_terminal(home.path(), &command) else { return };
        eventually("the child tells", || told.exists());
        let text = std::fs::read_to_string(&told).unwrap();
        let [federate, child, file] = text.split_whitespace().collect::<Vec<_>>()[..] else { panic!("{text}") };
        assert!(lives(federate) && lives(child) && Path::new(file).exists());
        if by_key {
            use std::io::Write as _;
            terminal.stdin.as_mut().unwrap().write_all(b"\x03").unwrap();
        } else {
            // The end that the terminal hangs on goes away.
            terminal.kill().unwrap();
        }
        eventually("both end", || !lives(federate) && !lives(child));
        eventually("the token file goes", || !Path::new(file).exists());
        eventually("all files go", || private(home.path()) == NOTHING);
        let _ = terminal.kill();
        let _ = terminal.wait();
    }
}
