//! A child that asks an endpoint, and a client that asks it as plainly, or as badly, as it likes.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::support::{Done, finish};

/// `federate sandbox … -- federate COMMAND`, which printed `name=value` lines and then waits until its stdin ends.
pub(crate) struct Served {
    child: Child,
    stdin: Option<ChildStdin>,
    pub(crate) variables: BTreeMap<String, String>,
    pub(crate) runtime: tempfile::TempDir,
}

/// What a child runs that tells its variables.
pub(crate) const TELL: &str = "echo FEDERATE_PID=$PPID; echo CHILD_PID=$$; env; echo; exec cat";

/// A federate of the repository's sample profiles, in an environment of its own.
pub(crate) fn federate(home: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_federate"));
    command
        .args(arguments)
        .env_clear()
        .env("HOME", home)
        .env("XDG_RUNTIME_DIR", home)
        .env("PATH", "/usr/local/bin:/usr/bin:/bin")
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
        .stdin(Stdio::null());
    command
}

/// The words of a sandbox around a command.
pub(crate) fn in_sandbox<'a>(sandbox: &[&'a str], command: &[&'a str]) -> Vec<&'a str> {
    [&["sandbox"], sandbox, &["--", "federate"], command].concat()
}

impl Served {
    /// `federate exec EXEC -- sh`, in a sandbox, whose child tells its variables.
    pub(crate) fn exec(sandbox: &[&str], exec: &[&str]) -> Self {
        Self::start_in(
            tempfile::tempdir().unwrap(),
            &in_sandbox(sandbox, &[&["exec"], exec, &["--", "sh", "-c", TELL]].concat()),
        )
    }

    /// Another program that starts federate.
    pub(crate) fn start_program(program: &str, arguments: &[&str]) -> Self {
        let runtime = tempfile::tempdir().unwrap();
        let mut command = Command::new(program);
        let usual = federate(runtime.path(), &[]);
        command.args(arguments).env_clear().current_dir(usual.get_current_dir().unwrap());
        command.envs(usual.get_envs().filter_map(|(name, value)| Some((name, value?))));
        Self::of(runtime, command)
    }

    pub(crate) fn start_in(runtime: tempfile::TempDir, arguments: &[&str]) -> Self {
        let command = federate(runtime.path(), arguments);
        Self::of(runtime, command)
    }

    fn of(runtime: tempfile::TempDir, mut command: Command) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut variables = BTreeMap::new();
        for line in lines.by_ref().map(Result::unwrap) {
            match line.split_once('=') {
                Some((name, value)) => {
                    let name = name.trim_start_matches("export ");
                    drop(variables.insert(name.to_owned(), value.trim_matches('\'').to_owned()));
                }
                None if line.is_empty() => break,
                None => {}
            }
        }
        if let Some(pid) = variables.get("CHILD_PID") {
            // A shell may have a signal wait for what it does, and then become another program.
            eventually("the shell has become cat", || {
                std::fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|name| name.trim() != "sh")
            });
        }
        let stdin = child.stdin.take();
        Self { child, stdin, variables, runtime }
    }

    pub(crate) fn get(&self, name: &str) -> &str {
        self.variables.get(name).map(String::as_str).unwrap_or_else(|| panic!("{name}: {:?}", self.variables.keys()))
    }

    /// `127.0.0.1:PORT` of an address in a variable, and the path.
    pub(crate) fn place(&self, name: &str) -> (String, String) {
        let rest = self.get(name).strip_prefix("http://").unwrap();
        let (host, path) = rest.split_once('/').unwrap();
        (host.to_owned(), format!("/{path}"))
    }

    /// What the AWS SDKs ask.
    pub(crate) fn container(&self) -> (u16, Value) {
        let (host, path) = self.place("AWS_CONTAINER_CREDENTIALS_FULL_URI");
        let secret = format!("Authorization: {}", self.get("AWS_CONTAINER_AUTHORIZATION_TOKEN"));
        get(&host, &path, &[&secret])
    }

    /// Does anybody still know the child's secret? Another process may have got the port meanwhile.
    pub(crate) fn is_served(&self) -> bool {
        let (host, path) = self.place("AWS_CONTAINER_CREDENTIALS_FULL_URI");
        let secret = self.get("AWS_CONTAINER_AUTHORIZATION_TOKEN");
        let request =
            format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nAuthorization: {secret}\r\n\r\n");
        TcpStream::connect(&host).is_ok_and(|stream| say_on(stream, request.as_bytes()).starts_with("HTTP/1.1 200 "))
    }

    /// What azure-identity and the az CLI ask.
    pub(crate) fn identity(&self, resource: &str) -> (u16, Value) {
        let (host, path) = self.place("IDENTITY_ENDPOINT");
        let secret = format!("X-IDENTITY-HEADER: {}", self.get("IDENTITY_HEADER"));
        get(&host, &format!("{path}?api-version=2019-08-01&resource={resource}"), &[&secret])
    }

    /// Ends the child and waits for federate.
    pub(crate) fn finish(mut self) -> Done {
        drop(self.stdin.take());
        self.done()
    }

    /// Waits until a process that was sent a signal is gone.
    pub(crate) fn ends(&self, signal: &str, pid: &str) {
        let pid = self.get(pid);
        let federate = self.get("FEDERATE_PID");
        assert!(comes(|| !lives(pid)), "{signal} does not end {}; federate: {}", told_of(pid), told_of(federate));
    }

    pub(crate) fn signal(&self, signal: &str, pid: &str) {
        assert!(Command::new("kill").args([signal, self.get(pid)]).status().unwrap().success());
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits for federate.
    pub(crate) fn done(self) -> Done {
        let done = finish(self.child.wait_with_output().unwrap());
        for name in ["AWS_CONTAINER_AUTHORIZATION_TOKEN", "IDENTITY_HEADER", "AWS_ID_TOKEN", "AZURE_ID_TOKEN"] {
            let secret = self.variables.get(name).map(String::as_str).filter(|secret| !secret.is_empty());
            let said: String = done.stderr.lines().filter(|line| !line.starts_with("::add-mask::")).collect();
            assert!(!secret.is_some_and(|secret| said.contains(secret)), "{name} shows: {}", done.stderr);
        }
        done
    }
}

/// Sends these bytes and reads until the server closes.
pub(crate) fn say(host: &str, bytes: &[u8]) -> String {
    say_on(TcpStream::connect(host).unwrap(), bytes)
}

fn say_on(mut stream: TcpStream, bytes: &[u8]) -> String {
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    // The server may close before it has read all.
    let _ = stream.write_all(bytes);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

/// A plain GET; status and document.
pub(crate) fn get(host: &str, path: &str, headers: &[&str]) -> (u16, Value) {
    let headers: String = headers.iter().map(|header| format!("{header}\r\n")).collect();
    let answer =
        say(host, format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{headers}\r\n").as_bytes());
    let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_default();
    let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    (status, serde_json::from_str(body).unwrap_or_default())
}

/// Waits until it holds, for a machine's worst day.
pub(crate) fn eventually(what: &str, holds: impl Fn() -> bool) {
    assert!(comes(holds), "{what}");
}

/// Does it hold in the end?
fn comes(holds: impl Fn() -> bool) -> bool {
    for _ in 0..1200 {
        if holds() {
            return true;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    false
}

/// What the kernel knows of a process: state, and which signals wait, are blocked, ignored, taken.
pub(crate) fn told_of(pid: &str) -> String {
    let read = |name: &str| std::fs::read_to_string(format!("/proc/{pid}/{name}")).unwrap_or_default();
    let status = read("status");
    let lines = status.lines().filter(|line| {
        let (name, _) = line.split_once(':').unwrap_or_default();
        ["State", "PPid", "Threads", "SigPnd", "ShdPnd", "SigBlk", "SigIgn", "SigCgt"].contains(&name)
    });
    format!("{pid} {:?} {:?}", read("cmdline").replace('\0', " "), lines.collect::<Vec<_>>())
}

/// Is a hang-up ignored by this process, and so by all that it starts?
pub(crate) fn is_hang_up_ignored() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:")).unwrap_or_default();
    u64::from_str_radix(mask.trim(), 16).is_ok_and(|mask| mask & 1 != 0)
}

/// Is there a process of this id that has not ended?
pub(crate) fn lives(pid: &str) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    !status.is_empty() && !status.lines().any(|line| line.starts_with("State:") && line.contains("zombie"))
}

/// The private directories of a runtime directory.
pub(crate) fn private(runtime: &Path) -> Vec<PathBuf> {
    crate::support::leftovers(runtime)
}
