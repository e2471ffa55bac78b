//! Telling others that this process is ready: a file descriptor that they gave it, or systemd's socket.

use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::os::unix::net::UnixDatagram;

use federate_core::{Env, Error, codes};

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

fn open(fd: u32) -> io::Result<std::fs::File> {
    // Appending: a file that somebody else writes to as well keeps what is there.
    OpenOptions::new().append(true).open(format!("/dev/fd/{fd}"))
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

    #[test]
    fn a_descriptor_that_is_not_there_is_an_error() {
        assert_eq!(check(Some(4_000_000)).unwrap_err().code().name, "usage");
        assert!(check(None).is_ok());
    }
}
