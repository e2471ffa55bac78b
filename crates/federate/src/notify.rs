//! Telling others that this process is ready: a file descriptor that they gave it, or systemd's socket.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::net::UnixDatagram;

use federate_core::{Env, Error, codes};
#[cfg(target_os = "linux")]
use rustix::io::Errno;

/// systemd's variable (`sd_notify(3)`).
const SOCKET: &str = "NOTIFY_SOCKET";

const HELP: &str = "give a descriptor that the shell opened for it, as in `federate serve --ready-fd 3 3>ready`";

/// Is there something to write to? Asked before there is anything to say.
pub(crate) fn check(fd: Option<u32>) -> Result<(), Error> {
    if let Some(fd @ (0 | 1)) = fd {
        let what = if fd == 0 { "is what federate reads" } else { "is where the variables go" };
        return Err(Error::new(&codes::USAGE, format!("--ready-fd {fd} {what}")).with_help(HELP));
    }
    match fd.map(open) {
        Some(Err(error)) => {
            Err(Error::new(&codes::USAGE, format!("--ready-fd {} cannot be written to", fd.unwrap_or_default()))
                .with_cause(error.to_string())
                .with_help(HELP))
        }
        _ => Ok(()),
    }
}

/// Says that requests are answered.
pub(crate) fn ready(fd: Option<u32>, env: &Env, address: &str) -> io::Result<()> {
    if let Some(fd) = fd {
        open(fd)?.write_all(format!("ready {address}\n").as_bytes())?;
    }
    systemd(env, &format!("READY=1\nSTATUS=answering at {address}\n"))
}

/// Says that they no longer are. Whoever is told nothing sees the process end.
pub(crate) fn stopping(env: &Env) {
    let _ = systemd(env, "STOPPING=1\n");
}

fn open(fd: u32) -> io::Result<File> {
    // Appending: a file that somebody else writes to as well keeps what is there.
    match OpenOptions::new().append(true).open(format!("/dev/fd/{fd}")) {
        // A socket, which has no name to be opened by: what Node.js calls a pipe is one.
        #[cfg(target_os = "linux")]
        Err(error) if error.raw_os_error() == Some(Errno::NXIO.raw_os_error()) => copied(fd).or(Err(error)),
        other => other,
    }
}

/// The descriptor once more.
#[cfg(target_os = "linux")]
fn copied(fd: u32) -> io::Result<File> {
    use rustix::process::{PidfdFlags, PidfdGetfdFlags, getpid, pidfd_getfd, pidfd_open};
    let own = pidfd_open(getpid(), PidfdFlags::empty())?;
    let fd = i32::try_from(fd).map_err(io::Error::other)?;
    Ok(pidfd_getfd(own, fd, PidfdGetfdFlags::empty())?.into())
}

fn systemd(env: &Env, message: &str) -> io::Result<()> {
    let Some(path) = env.get(SOCKET) else { return Ok(()) };
    let socket = UnixDatagram::unbound()?;
    match path.strip_prefix('@') {
        None => socket.send_to(message.as_bytes(), path)?,
        #[cfg(target_os = "linux")]
        Some(name) => {
            use std::os::linux::net::SocketAddrExt as _;
            let address = std::os::unix::net::SocketAddr::from_abstract_name(name)?;
            socket.send_to_addr(message.as_bytes(), &address)?
        }
        #[cfg(not(target_os = "linux"))]
        Some(_) => 0,
    };
    Ok(())
}

#[cfg(test)]
#[allow(clippy::print_stderr, reason = "what is left out has to be seen")]
mod tests {
    use super::*;

    #[test]
    fn systemd_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        let env: Env = [(SOCKET, &path)].into_iter().collect();
        ready(None, &env, "http://127.0.0.1:1").unwrap();
        let mut text = [0; 100];
        let length = socket.recv(&mut text).unwrap();
        assert!(text[..length].starts_with(b"READY=1\n"));
        stopping(&env);
        let length = socket.recv(&mut text).unwrap();
        assert_eq!(&text[..length], b"STOPPING=1\n");
        assert!(ready(None, &Env::default(), "x").is_ok(), "nobody has to be there");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_descriptor_can_be_a_socket() {
        use std::io::Read as _;
        use std::os::fd::AsRawFd as _;
        let (mut reader, writer) = std::os::unix::net::UnixStream::pair().unwrap();
        let fd = u32::try_from(writer.as_raw_fd()).unwrap();
        if copied(fd).is_err() {
            eprintln!("SKIPPED: a container's rules forbid pidfd_getfd(2) here");
            return;
        }
        check(Some(fd)).unwrap();
        ready(Some(fd), &Env::default(), "http://127.0.0.1:1").unwrap();
        drop(writer);
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        assert_eq!(text, "ready http://127.0.0.1:1\n");
    }

    #[test]
    fn a_descriptor_that_is_not_there_is_an_error() {
        assert_eq!(check(Some(4_000_000)).unwrap_err().code().name, "usage");
        assert!(check(None).is_ok());
    }
}
