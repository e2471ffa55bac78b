//! An endpoint with many clients, some of which do not behave.

#![allow(clippy::print_stderr, reason = "what is left out has to be seen")]

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use crate::served::Served;

/// One request on a connection that is kept; the whole answer.
fn ask(stream: &mut TcpStream, request: &[u8]) -> String {
    stream.write_all(request).unwrap();
    let mut received = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let count = stream.read(&mut buffer).unwrap();
        received.extend_from_slice(&buffer[..count]);
        let text = String::from_utf8_lossy(&received);
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
            if body.len() >= length.parse().unwrap() {
                return text.into_owned();
            }
        }
        assert!(count > 0, "the connection ended: {text}");
    }
}

#[test]
fn a_thousand_requests_over_fifty_connections_are_all_right() {
    let served = Served::exec(&["-p", "dev", "--credential-lifetime", "2s"], &["--serve"]);
    let (host, path) = served.place("AWS_CONTAINER_CREDENTIALS_FULL_URI");
    let secret = served.get("AWS_CONTAINER_AUTHORIZATION_TOKEN");
    let aws = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: {secret}\r\n\r\n");
    let (_, path) = served.place("IDENTITY_ENDPOINT");
    let azure = format!(
        "GET {path}?api-version=2019-08-01&resource=https://vault.azure.net HTTP/1.1\r\nHost: {host}\r\nX-Identity-Header: {secret}\r\n\r\n"
    );
    let right: usize = std::thread::scope(|scope| {
        let (host, aws, azure) = (&host, &aws, &azure);
        let threads: Vec<_> = (0..50)
            .map(|_| {
                scope.spawn(move || {
                    let mut stream = TcpStream::connect(host).unwrap();
                    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
                    let is_right = |number: usize| {
                        let (request, part) = if number.is_multiple_of(2) {
                            (aws, "\"RoleArn\":\"arn:aws:iam::111122223333:role/ledger-deploy\"")
                        } else {
                            (azure, "\"client_id\":\"00000000-0000-0000-0000-000000000002\"")
                        };
                        let answer = ask(&mut stream, request.as_bytes());
                        answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.contains(part) && answer.ends_with('}')
                    };
                    (0..20).map(is_right).filter(|right| *right).count()
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    assert_eq!(right, 1000);
    assert_eq!(served.finish().code, 0);
}

/// How many files this process may have open.
fn open_files() -> usize {
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files")).unwrap_or_default();
    line.split_whitespace().next().and_then(|number| number.parse().ok()).unwrap_or(256)
}

#[test]
fn ten_thousand_idle_connections_and_slow_ones_keep_nobody_out() {
    let served = Served::exec(&["-p", "dev"], &["--serve", "-t", "aws"]);
    let (host, path) = served.place("AWS_CONTAINER_CREDENTIALS_FULL_URI");
    let many = 10_000.min(open_files().saturating_sub(500));
    if many < 10_000 {
        eprintln!("SKIPPED in part: {many} connections instead of 10000, for `ulimit -n` is {}", open_files());
    }
    let mut held = Vec::with_capacity(many);
    for number in 0..many {
        // The kernel drops what comes faster than it is accepted, and tries again after a second.
        let mut stream = TcpStream::connect(&host).unwrap();
        if number % 3 == 0 {
            let _ = stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nX: ").as_bytes());
        }
        held.push(stream);
        if number % 500 == 0 {
            let (status, document) = served.container();
            assert_eq!(status, 200, "after {number} connections: {document}");
        }
    }
    for _ in 0..20 {
        assert_eq!(served.container().0, 200);
    }
    // Byte by byte, for ever: cut off, and nothing is answered.
    let mut slow = TcpStream::connect(&host).unwrap();
    slow.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let mut sent = 0;
    while slow.write_all(b"G").is_ok() && sent < 200 {
        sent += 1;
        std::thread::sleep(Duration::from_millis(100));
    }
    let mut answer = Vec::new();
    let _ = slow.read_to_end(&mut answer);
    assert!(sent < 200, "it was never cut off");
    assert!(!String::from_utf8_lossy(&answer).contains("AccessKeyId"));
    drop(held);
    assert_eq!(served.container().0, 200);
    assert_eq!(served.finish().code, 0);
}
