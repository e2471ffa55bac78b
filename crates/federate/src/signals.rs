//! A child in our own process group, and the signals that are meant for it.
//!
//! What the terminal sends (Ctrl-C, hang-up) reaches every process of the foreground group by itself; passing it on
//! would deliver it twice. What another process sends to federate alone (`kill`, a CI runner that cancels) is passed on.

use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, Command, ExitStatus};
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use std::{io, thread};

use rustix::process::{Pid, Signal, WaitOptions, kill_process};
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2};
use signal_hook::iterator::SignalsInfo;
use signal_hook::iterator::exfiltrator::origin::WithOrigin;
use signal_hook::low_level::siginfo::Cause;
use tokio::sync::oneshot;

/// Takes the signals from now on: before the first private file is made, until the process ends.
#[derive(Debug)]
pub(crate) struct SignalGuard {
    child: Arc<AtomicI32>,
    first: Arc<AtomicI32>,
}

impl SignalGuard {
    /// Starts to take signals.
    pub(crate) fn install() -> io::Result<Self> {
        let guard = Self { child: Arc::new(AtomicI32::new(0)), first: Arc::new(AtomicI32::new(0)) };
        let mut signals = SignalsInfo::<WithOrigin>::new([SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2])?;
        let (child, first) = (guard.child.clone(), guard.first.clone());
        thread::spawn(move || {
            for origin in &mut signals {
                let _ = first.compare_exchange(0, origin.signal, Ordering::SeqCst, Ordering::SeqCst);
                let sent_by_process = matches!(origin.cause, Cause::Sent(_));
                let pid = child.load(Ordering::SeqCst);
                if sent_by_process && origin.process.as_ref().is_none_or(|process| process.pid != pid) {
                    forward(pid, origin.signal);
                }
            }
        });
        Ok(guard)
    }

    /// The first signal that came, if any: while nothing ran that could have been passed it.
    pub(crate) fn interrupted(&self) -> Option<i32> {
        Some(self.first.load(Ordering::SeqCst)).filter(|signal| *signal != 0)
    }

    /// Starts the command; its end comes through the channel.
    pub(crate) fn spawn(&self, command: &mut Command) -> io::Result<oneshot::Receiver<ExitStatus>> {
        let before = self.interrupted();
        let child = command.spawn()?;
        let pid = i32::try_from(child.id()).unwrap_or_default();
        self.child.store(pid, Ordering::SeqCst);
        // A signal between the check and the store found no child to go to.
        if let (None, Some(signal)) = (before, self.interrupted()) {
            forward(pid, signal);
        }
        let (sender, receiver) = oneshot::channel();
        let slot = self.child.clone();
        thread::spawn(move || {
            let status = wait(child);
            slot.store(0, Ordering::SeqCst);
            let _ = sender.send(status);
        });
        Ok(receiver)
    }
}

fn forward(pid: i32, signal: i32) {
    if let (Some(pid), Some(signal)) = (Pid::from_raw(pid).filter(|_| pid > 0), Signal::from_named_raw(signal)) {
        // The child may just have ended.
        let _ = kill_process(pid, signal);
    }
}

fn wait(mut child: Child) -> ExitStatus {
    if std::process::id() == 1 {
        // As the first process of a container we inherit every orphan, and must collect it.
        loop {
            match rustix::process::wait(WaitOptions::empty()) {
                Ok(Some((pid, status)))
                    if pid.as_raw_nonzero().get() == i32::try_from(child.id()).unwrap_or_default() =>
                {
                    return ExitStatus::from_raw(status.as_raw());
                }
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(_) => break,
            }
        }
    }
    child.wait().unwrap_or_else(|_| ExitStatus::from_raw(0x7f00))
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
}
