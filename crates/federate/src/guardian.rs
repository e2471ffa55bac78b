//! Ends what federate started where federate is killed and cannot: a small process beside it that waits for its end.
//!
//! It is federate once more, with nothing of the job's environment, outside of the terminal's session. It learns of each
//! child through a pipe that only federate holds open. Where that closes with children in it, they and all that descends
//! from them are told to end (SIGTERM, once each: a second one makes Terraform give up its state).

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::io::{self, BufRead, Write as _};
use std::process::{ChildStdin, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use crate::processes::{self, Kin};

/// The first word of the guardian's command line; no command of federate's.
const WORD: &str = "watch-over";

/// The way to tell the guardian.
#[derive(Debug)]
pub(crate) struct Guardian(ChildStdin);

impl Guardian {
    /// Starts one. `None` where there is none: not on Linux, which alone tells who descends from whom; not where the end
    /// of federate ends the whole container; not where no process can be started, which the command itself will say.
    pub(crate) fn start() -> Option<Self> {
        if !cfg!(target_os = "linux") || std::process::id() == 1 {
            return None;
        }
        let mut command = Command::new("/proc/self/exe");
        command.arg(WORD).env_clear().current_dir("/");
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        command.spawn().ok()?.stdin.take().map(Self)
    }

    pub(crate) fn began(&mut self, pid: i32) {
        self.tell('+', pid);
    }

    pub(crate) fn ended(&mut self, pid: i32) {
        self.tell('-', pid);
    }

    fn tell(&mut self, what: char, pid: i32) {
        // One write a line, so that none is torn. A guardian that was killed is not missed.
        let _ = self.0.write_all(format!("{what}{pid}\n").as_bytes());
    }
}

/// Is the guardian, if this command line is one's; returns its exit code.
pub(crate) fn watch(words: &[OsString]) -> Option<u8> {
    let [_, word] = words else { return None };
    if word != WORD {
        return None;
    }
    // What a terminal sends is not meant for it.
    let _ = rustix::process::setsid();
    let children = left(io::stdin().lock());
    if children.is_empty() {
        return Some(0);
    }
    let doomed = match processes::all() {
        Some(all) => family(&children, &all),
        None => children,
    };
    for pid in doomed.into_iter().filter_map(Pid::from_raw) {
        let _ = kill_process(pid, Signal::TERM);
        // A stopped one hears of it only then.
        let _ = kill_process(pid, Signal::CONT);
    }
    Some(0)
}

/// The children that had not ended when nobody could tell any more.
fn left(told: impl BufRead) -> BTreeSet<i32> {
    let mut children = BTreeSet::new();
    for line in told.lines().map_while(Result::ok) {
        match line.split_at_checked(1) {
            Some(("+", pid)) => drop(pid.parse().map(|pid| children.insert(pid))),
            Some(("-", pid)) => drop(pid.parse().map(|pid| children.remove(&pid))),
            _ => {}
        }
    }
    children
}

/// The children, whoever is in a process group that one of them leads, and all that descend from these.
fn family(children: &BTreeSet<i32>, processes: &BTreeMap<i32, Kin>) -> BTreeSet<i32> {
    let is_near = |pid: &i32, kin: &Kin| children.contains(pid) || children.contains(&kin.group);
    let mut family: BTreeSet<i32> =
        processes.iter().filter(|(pid, kin)| is_near(pid, kin)).map(|(pid, _)| *pid).collect();
    loop {
        let known = family.len();
        family.extend(
            processes.iter().filter(|(_, kin)| family.contains(&kin.parent)).map(|(pid, _)| *pid).collect::<Vec<_>>(),
        );
        if family.len() == known {
            return family;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn children_that_have_not_ended_are_left() {
        assert_eq!(left(&b"+10\n+11\n-10\nnonsense\n+12"[..]), BTreeSet::from([11, 12]));
        assert_eq!(left(&b"+10\n-10\n"[..]), BTreeSet::new());
    }

    #[test]
    fn a_family_is_all_that_descends() {
        let processes = [(10, 1, 5), (11, 10, 5), (12, 11, 12), (13, 1, 20), (20, 1, 20), (30, 1, 5), (31, 30, 5)];
        let processes =
            processes.into_iter().map(|(pid, parent, group)| (pid, Kin { pid, parent, group, session: 5 })).collect();
        assert_eq!(family(&BTreeSet::from([10]), &processes), BTreeSet::from([10, 11, 12]));
        assert_eq!(family(&BTreeSet::from([20]), &processes), BTreeSet::from([13, 20]));
        assert_eq!(family(&BTreeSet::from([99]), &processes), BTreeSet::new(), "it ended by itself");
    }

    #[test]
    fn other_command_lines_are_left_alone() {
        let words = |words: &[&str]| words.iter().map(OsString::from).collect::<Vec<_>>();
        assert_eq!(watch(&words(&["federate"])), None);
        assert_eq!(watch(&words(&["federate", "exec", "sh"])), None);
        assert_eq!(watch(&words(&["federate", "exec"])), None);
    }
}
