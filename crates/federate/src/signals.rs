//! Children, and the signals that are meant for them.
//!
//! What the terminal sends (Ctrl-C; hang-up, unless federate leads the session) reaches every process of the foreground
//! group by itself; passing it on would deliver it twice. What another process sends to federate alone (`kill`, a CI
//! runner that cancels) is passed on. A hang-up that was ignored when federate began (`nohup`) stays ignored, for the command
//! as well. An interrupt does not: a script's `&` ignores it for whatever is started so, whether it is meant or not.
//! Several children at once have a process group each, which the terminal does not reach: there everything is passed on,
//! to the whole group, so that nothing that a child started is left behind.

use std::collections::BTreeMap;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::process::{Child, Command, ExitStatus};
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;
use std::{io, thread};

use rustix::process::{Pid, Signal, WaitOptions, kill_process, kill_process_group};
use signal_hook::consts::{SIGCONT, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP, SIGUSR1, SIGUSR2};
use signal_hook::iterator::SignalsInfo;
use signal_hook::iterator::exfiltrator::origin::{Origin, WithOrigin};
use signal_hook::low_level::emulate_default_handler;
use signal_hook::low_level::siginfo::Cause;
use tokio::sync::oneshot;

use crate::guardian::Guardian;
use crate::processes::is_session_leader;

/// What means the end, unless a child thinks otherwise.
const ENDING: [i32; 4] = [SIGHUP, SIGINT, SIGQUIT, SIGTERM];

/// Takes the signals from now on: before the first private file is made, until the process ends.
#[derive(Debug)]
pub(crate) struct SignalGuard {
    children: Arc<Children>,
    has_groups: bool,
}

/// The children that live.
#[derive(Debug, Default)]
struct Children {
    /// By process id, and who wants to know of their end.
    living: Mutex<BTreeMap<i32, Option<oneshot::Sender<ExitStatus>>>>,
    /// The first signal, and the first one that ends a process.
    first: AtomicI32,
    ending: AtomicI32,
    /// Ends them where this process is killed. Started for the first child.
    guardian: OnceLock<Option<Mutex<Guardian>>>,
}

impl Children {
    fn living(&self) -> MutexGuard<'_, BTreeMap<i32, Option<oneshot::Sender<ExitStatus>>>> {
        self.living.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn guardian(&self) -> Option<MutexGuard<'_, Guardian>> {
        let guardian = self.guardian.get_or_init(|| Guardian::start().map(Mutex::new));
        guardian.as_ref().map(|guardian| guardian.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn ended(&self, pid: i32, status: ExitStatus) {
        if let Some(mut guardian) = self.guardian() {
            guardian.ended(pid);
        }
        if let Some(Some(sender)) = self.living().remove(&pid) {
            let _ = sender.send(status);
        }
    }

    fn pass_on(&self, origin: &Origin, has_groups: bool) {
        // Whoever starts a child holds this: it either sees the signal, or its child is seen here.
        let living = self.living();
        let _ = self.first.compare_exchange(0, origin.signal, Ordering::SeqCst, Ordering::SeqCst);
        if ENDING.contains(&origin.signal) {
            let _ = self.ending.compare_exchange(0, origin.signal, Ordering::SeqCst, Ordering::SeqCst);
        }
        // Of a terminal that is gone the kernel tells the leader of its session alone.
        let is_ours_alone = origin.signal == SIGHUP && is_session_leader();
        let sent_by_process = !is_from_terminal(&origin.cause) || is_ours_alone;
        for pid in living.keys() {
            if has_groups {
                forward_to_group(*pid, origin.signal);
            } else if sent_by_process && origin.process.as_ref().is_none_or(|process| process.pid != *pid) {
                forward(*pid, origin.signal);
            }
        }
    }
}

impl SignalGuard {
    /// Starts to take signals, for one child at a time.
    pub(crate) fn install() -> io::Result<Self> {
        Self::start(false)
    }

    /// Starts to take signals, for many children at once, each in a process group of its own.
    pub(crate) fn install_for_groups() -> io::Result<Self> {
        Self::start(true)
    }

    fn start(has_groups: bool) -> io::Result<Self> {
        let children = Arc::new(Children::default());
        let mut wanted = vec![SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2];
        if has_groups {
            wanted.extend([SIGTSTP, SIGCONT]);
        }
        if is_hang_up_ignored(&std::fs::read_to_string("/proc/self/status").unwrap_or_default()) {
            wanted.retain(|signal| *signal != SIGHUP);
        }
        let mut signals = SignalsInfo::<WithOrigin>::new(wanted)?;
        let known = children.clone();
        thread::spawn(move || {
            for origin in &mut signals {
                known.pass_on(&origin, has_groups);
                if origin.signal == SIGTSTP {
                    // Stops this process until the terminal's user wants it to go on.
                    let _ = emulate_default_handler(SIGTSTP);
                }
            }
        });
        Ok(Self { children, has_groups })
    }

    /// The first signal that came, if any: while nothing ran that could have been passed it.
    pub(crate) fn interrupted(&self) -> Option<i32> {
        Some(self.children.first.load(Ordering::SeqCst)).filter(|signal| *signal != 0)
    }

    /// The first signal that means the end.
    pub(crate) fn ending(&self) -> Option<i32> {
        Some(self.children.ending.load(Ordering::SeqCst)).filter(|signal| *signal != 0)
    }

    /// Starts the command; its end comes through the channel.
    pub(crate) fn spawn(&self, command: &mut Command) -> io::Result<oneshot::Receiver<ExitStatus>> {
        self.spawn_child(command, |_| ())
    }

    /// As [`SignalGuard::spawn`]; `take` gets the child first, to take its pipes.
    pub(crate) fn spawn_child(
        &self,
        command: &mut Command,
        take: impl FnOnce(&mut Child),
    ) -> io::Result<oneshot::Receiver<ExitStatus>> {
        if self.has_groups {
            command.process_group(0);
        }
        let (sender, receiver) = oneshot::channel();
        // Held while the child begins, so that its end cannot be collected before it is known here.
        let mut living = self.children.living();
        // The guardian is there first, so that only one write lies between a child's beginning and its guard.
        let guardian = self.children.guardian();
        let mut child = command.spawn()?;
        let pid = i32::try_from(child.id()).unwrap_or_default();
        if let Some(mut guardian) = guardian {
            guardian.began(pid);
        }
        living.insert(pid, Some(sender));
        let is_first = living.len() == 1;
        // A signal that came before found no child to go to.
        if let Some(signal) = self.interrupted() {
            if self.has_groups { forward_to_group(pid, signal) } else { forward(pid, signal) }
        }
        drop(living);
        take(&mut child);
        let children = self.children.clone();
        if std::process::id() != 1 {
            thread::spawn(move || {
                let status = child.wait().unwrap_or_else(|_| ExitStatus::from_raw(0x7f00));
                children.ended(pid, status);
            });
        } else if is_first {
            thread::spawn(move || collect_all(&children));
        }
        Ok(receiver)
    }
}

/// Linux tells the terminal's signals apart; elsewhere one that no process is known to have sent counts as the terminal's.
fn is_from_terminal(cause: &Cause) -> bool {
    if cfg!(target_os = "linux") { *cause == Cause::Kernel } else { !matches!(cause, Cause::Sent(_)) }
}

/// Read from the text of `/proc/PID/status` (proc_pid_status(5)), where signal N is bit N-1.
fn is_hang_up_ignored(status: &str) -> bool {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).is_some_and(|mask| mask & (1 << (SIGHUP - 1)) != 0)
}

fn forward(pid: i32, signal: i32) {
    if let (Some(pid), Some(signal)) = (Pid::from_raw(pid).filter(|_| pid > 0), Signal::from_named_raw(signal)) {
        // The child may just have ended.
        let _ = kill_process(pid, signal);
    }
}

fn forward_to_group(pid: i32, signal: i32) {
    if let (Some(pid), Some(named)) = (Pid::from_raw(pid).filter(|_| pid > 0), Signal::from_named_raw(signal)) {
        let _ = kill_process_group(pid, named);
        // Whoever asked for the terminal in the background was stopped, and would never hear of it.
        if ENDING.contains(&signal) {
            let _ = kill_process_group(pid, Signal::CONT);
        }
    }
}

/// As the first process of a container we inherit every orphan, and must collect it. Ends when the last child of ours has.
fn collect_all(children: &Children) {
    loop {
        match rustix::process::wait(WaitOptions::empty()) {
            Ok(Some((pid, status))) => {
                children.ended(pid.as_raw_nonzero().get(), ExitStatus::from_raw(status.as_raw()));
                if children.living().is_empty() {
                    return;
                }
            }
            Ok(None) | Err(rustix::io::Errno::INTR) => {}
            // There is no child; one that began since then is known here.
            Err(_) if children.living().is_empty() => return,
            Err(_) => thread::sleep(Duration::from_millis(10)),
        }
    }
}

/// The child's code, or 128+N if a signal ended it.
pub(crate) fn exit_code(status: ExitStatus) -> u8 {
    let code = status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or_default());
    u8::try_from(code & 0xff).unwrap_or(u8::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_follow_the_shell() {
        assert_eq!(exit_code(ExitStatus::from_raw(7 << 8)), 7);
        assert_eq!(exit_code(ExitStatus::from_raw(15)), 143);
        assert_eq!(exit_code(ExitStatus::from_raw(0)), 0);
    }

    #[test]
    fn an_ignored_hang_up_is_read() {
        let nohup = "Name:\tsh\nSigBlk:\t0000000000000003\nSigIgn:\t0000000000000001\nSigCgt:\t0000000000000002\n";
        assert!(is_hang_up_ignored(nohup));
        assert!(!is_hang_up_ignored("SigBlk:\t0000000000000001\nSigIgn:\t0000000000001006\n"));
        assert!(!is_hang_up_ignored(""));
    }
}
