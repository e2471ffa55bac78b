//! Who descends from whom, and who leads a session: on Linux from `/proc`.

use std::collections::BTreeMap;

/// A process's id, its parent, its process group and its session.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Kin {
    pub(crate) pid: i32,
    pub(crate) parent: i32,
    pub(crate) group: i32,
    pub(crate) session: i32,
}

impl Kin {
    /// Of this process. `None` where `/proc` is not there.
    fn own() -> Option<Self> {
        Self::read("self")
    }

    fn read(process: &str) -> Option<Self> {
        Self::parse(&std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?)
    }

    /// Reads `/proc/PID/stat` (proc_pid_stat(5)): `PID (NAME) STATE PPID PGRP SESSION …`, where the name may hold anything.
    fn parse(stat: &str) -> Option<Self> {
        let (pid, rest) = stat.split_once(" (")?;
        let mut fields =
            rest.rsplit_once(')')?.1.split_ascii_whitespace().skip(1).map_while(|field| field.parse().ok());
        let (parent, group, session) = (fields.next()?, fields.next()?, fields.next()?);
        Some(Self { pid: pid.parse().ok()?, parent, group, session })
    }
}

/// Does this process lead its session, as in `ssh -t HOST federate …` or a container with a terminal?
///
/// Where the leader lives outside of a container, Linux's getsid(2) gives 0, which rustix's `Pid` cannot hold.
pub(crate) fn is_session_leader() -> bool {
    if cfg!(target_os = "linux") {
        Kin::own().is_some_and(|own| own.pid == own.session)
    } else {
        rustix::process::getsid(None).is_ok_and(|session| session == rustix::process::getpid())
    }
}

/// All processes that can be seen. `None` where `/proc` is not there, or counts as another container does.
pub(crate) fn all() -> Option<BTreeMap<i32, Kin>> {
    Kin::own().filter(|own| i64::from(own.pid) == i64::from(std::process::id()))?;
    let entries = std::fs::read_dir("/proc").ok()?.flatten();
    let kin =
        entries.filter_map(|entry| Kin::read(entry.file_name().to_str().filter(|name| name.parse::<i32>().is_ok())?));
    Some(kin.map(|kin| (kin.pid, kin)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_may_hold_anything() {
        let kin = Kin { pid: 42, parent: 7, group: 8, session: 0 };
        assert_eq!(Kin::parse("42 (a) b (c)) S 7 8 0 -1"), Some(kin));
        assert_eq!(Kin::parse("42 (half"), None);
        assert_eq!(Kin::parse("42 (half) S 7 8"), None);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn this_process_is_seen() {
        let pid = i32::try_from(std::process::id()).unwrap();
        let own = all().unwrap()[&pid];
        assert_eq!(is_session_leader(), own.session == pid);
    }
}
