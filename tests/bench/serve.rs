//! `tests/bench/run-serve`: what an endpoint costs that keeps 200 targets fresh, and how evenly it answers.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a program for the people who build federate")]

#[allow(dead_code, reason = "the other measurements use more of it")]
mod cloud;

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

const TARGETS: usize = 200;
/// Short enough that every target is renewed several times while this looks on.
const LIFETIME: Duration = Duration::from_secs(10);
const LOOK: Duration = Duration::from_secs(25);
const CONNECTIONS: usize = 50;
const REQUESTS: usize = 1000;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [federate] = words.as_slice() else {
        println!("usage: bench-serve FEDERATE");
        return ExitCode::from(2);
    };
    let folder = tempfile::tempdir().unwrap();
    let mut child = serve(federate, folder.path());
    let file = folder.path().join("environment");
    let variables = loop {
        let text = std::fs::read_to_string(&file).unwrap_or_default();
        match serde_json::from_str::<BTreeMap<String, String>>(&text) {
            Ok(variables) => break variables,
            Err(_) if child.try_wait().unwrap().is_none() => std::thread::sleep(Duration::from_millis(50)),
            Err(_) => {
                println!("federate did not serve");
                return ExitCode::FAILURE;
            }
        }
    };
    let first = peak(&child);
    std::thread::sleep(LOOK);
    let times = ask_all(&variables);
    let last = peak(&child);
    Command::new("kill").arg(child.id().to_string()).status().unwrap();
    let code = child.wait().unwrap();

    let at = |part: f64| times[((times.len() - 1) as f64 * part) as usize].as_secs_f64() * 1e3;
    println!("{:<58}{:>9.2}", "peak memory once 200 targets were exchanged, MiB", first);
    println!("{:<58}{:>9.2}  {}", "peak memory with 200 refreshing targets, under 30 MiB", last, verdict(last < 30.0));
    println!(
        "{:<58}{:>9}  {}",
        "answers of 1,000 over 50 connections, all right",
        times.len(),
        verdict(times.len() == REQUESTS)
    );
    println!("{:<58}{:>9.2}", "median, milliseconds", at(0.5));
    println!("{:<58}{:>9.2}", "99 of 100 within, milliseconds", at(0.99));
    println!("{:<58}{:>9.2}", "ratio of the two", at(0.99) / at(0.5));
    println!("{:<58}{:>9}", "exit code when told to end", code.code().unwrap_or(-1));
    ExitCode::SUCCESS
}

fn verdict(holds: bool) -> &'static str {
    if holds { "holds" } else { "MISSED" }
}

fn serve(federate: &str, folder: &Path) -> Child {
    let ca = folder.join("ca.pem");
    let url = cloud::start(&ca, Some(LIFETIME));
    let mut profile = String::new();
    for number in 0..TARGETS {
        profile.push_str(&format!(
            "[targets.t{number}]\ntype = \"aws\"\nrole_arn = \"arn:aws:iam::111122223333:role/deploy\"\nregion = \"eu-west-1\"\nsession_name = \"bench\"\nendpoint_url = \"{url}\"\n"
        ));
    }
    std::fs::create_dir_all(folder.join("profiles")).unwrap();
    std::fs::create_dir(folder.join(".git")).unwrap();
    std::fs::write(folder.join("profiles/base.toml"), profile).unwrap();
    let output = std::fs::File::create(folder.join("environment")).unwrap();
    let federate = std::path::absolute(federate).unwrap();
    Command::new(federate)
        .args(["-q", "serve", "-t", "*", "-f", "json"])
        .env_clear()
        .env("PATH", "/usr/local/bin:/usr/bin:/bin")
        .env("HOME", folder)
        .env("XDG_RUNTIME_DIR", folder)
        .env("GITHUB_ACTIONS", "true")
        .env("ACTIONS_ID_TOKEN_REQUEST_URL", format!("{url}/token?api-version=2.0"))
        .env("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "exampleRequestToken0123456789")
        .env("SSL_CERT_FILE", &ca)
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(output)
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// The most memory that it held at once so far, in MiB.
fn peak(child: &Child) -> f64 {
    let text = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or_default();
    line.trim().trim_end_matches(" kB").parse::<f64>().unwrap_or(f64::NAN) / 1024.0
}

/// How long each right answer took, in order.
fn ask_all(variables: &BTreeMap<String, String>) -> Vec<Duration> {
    let url = variables["AWS_CONTAINER_CREDENTIALS_FULL_URI"].strip_prefix("http://").unwrap();
    let (host, path) = url.split_once('/').unwrap();
    let secret = &variables["AWS_CONTAINER_AUTHORIZATION_TOKEN"];
    let mut times: Vec<Duration> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..CONNECTIONS)
            .map(|_| {
                scope.spawn(move || {
                    let mut stream = TcpStream::connect(host).unwrap();
                    stream.set_nodelay(true).unwrap();
                    let request = format!("GET /{path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: {secret}\r\n\r\n");
                    (0..REQUESTS / CONNECTIONS).filter_map(|_| ask(&mut stream, &request)).collect::<Vec<_>>()
                })
            })
            .collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    times.sort();
    times
}

/// The time until the last byte, if the answer holds credentials.
fn ask(stream: &mut TcpStream, request: &str) -> Option<Duration> {
    let begin = Instant::now();
    stream.write_all(request.as_bytes()).ok()?;
    let mut received = String::new();
    let mut buffer = [0; 4096];
    loop {
        let count = stream.read(&mut buffer).ok().filter(|count| *count > 0)?;
        received.push_str(std::str::from_utf8(&buffer[..count]).ok()?);
        let Some((head, body)) = received.split_once("\r\n\r\n") else { continue };
        let length: usize = head.lines().find_map(|line| line.strip_prefix("content-length: "))?.parse().ok()?;
        if body.len() >= length {
            let is_right = head.starts_with("HTTP/1.1 200 ") && body.contains("exampleSecretAccessKey");
            return is_right.then(|| begin.elapsed());
        }
    }
}
