//! The loopback server and clients that do not behave.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use federate_http::{Answer, Handler, Incoming, Limits, LoopbackServer, ServerTls, WhenFull};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::support::{Authority, Server, client, get, send, status};

/// Sends these bytes and reads until the server closes.
async fn say(port: u16, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8_lossy(&answer).into_owned()
}

async fn serves(server: &Server) -> bool {
    let request = get(&server.url("http", "/still-there"));
    matches!(timeout(Duration::from_secs(5), send(&client(&[]), &request)).await, Ok(Ok(_)))
}

#[tokio::test]
async fn a_body_above_one_mebibyte_is_refused() {
    let server = Server::start(None, vec![status(200)]).await;
    let head =
        |length: usize| format!("POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n");
    let announced = say(server.port, head(1024 * 1024 + 1).as_bytes()).await;
    assert!(announced.starts_with("HTTP/1.1 413 "), "{announced}");
    let chunk = format!("100001\r\n{}", "x".repeat(1024 * 1024 + 1));
    let chunked = format!("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n{chunk}");
    let unannounced = say(server.port, chunked.as_bytes()).await;
    assert!(unannounced.starts_with("HTTP/1.1 413 "), "{unannounced}");
    assert!(server.seen().is_empty());
    let fitting = format!("{}{}", head(1024 * 1024), "x".repeat(1024 * 1024));
    let answer = say(server.port, fitting.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert_eq!(server.seen()[0].body.len(), 1024 * 1024);
}

#[tokio::test]
async fn nonsense_ends_its_own_connection_only() {
    let server = Server::start(None, vec![status(200)]).await;
    for nonsense in ["\x16\x03\x01 hello", "GET\r\n\r\n", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: x\r\n\r\n"] {
        let answer = say(server.port, nonsense.as_bytes()).await;
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 400 "), "{answer}");
    }
    assert!(serves(&server).await);
    assert_eq!(server.seen().len(), 1);
}

#[tokio::test]
async fn bad_handshakes_end_their_own_connection_only() {
    let authority = Authority::new();
    let server = Server::start(Some(authority.tls(&["127.0.0.1"])), vec![status(200)]).await;
    let answer = say(server.port, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert!(!answer.contains("HTTP"), "{answer}");
    let trusting = client(&[("SSL_CERT_FILE", &authority.file_name())]);
    assert!(send(&trusting, &get(&server.url("https", "/"))).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn slow_clients_are_cut_off() {
    let server = Server::start(None, vec![status(200)]).await;
    let begin = tokio::time::Instant::now();
    say(server.port, b"GET / HTTP/1.1\r\nHost: x\r\n").await;
    assert!(begin.elapsed() >= Duration::from_secs(10) && begin.elapsed() < Duration::from_secs(20));
    let answer = say(server.port, b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nhalf").await;
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    assert!(server.seen().is_empty());
}

#[tokio::test]
async fn there_are_256_connections_at_once() {
    let server = Server::start(None, vec![status(200)]).await;
    let mut idle = Vec::new();
    for _ in 0..256 {
        let mut stream = TcpStream::connect(("127.0.0.1", server.port)).await.unwrap();
        stream.write_all(b"G").await.unwrap();
        idle.push(stream);
    }
    let request: &[u8] = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    let mut late = TcpStream::connect(("127.0.0.1", server.port)).await.unwrap();
    late.write_all(request).await.unwrap();
    let mut answer = [0; 12];
    assert!(timeout(Duration::from_millis(300), late.read_exact(&mut answer)).await.is_err(), "one too many waits");
    idle.pop();
    timeout(Duration::from_secs(5), late.read_exact(&mut answer)).await.unwrap().unwrap();
    assert_eq!(&answer, b"HTTP/1.1 200");
}

/// Answers at once, but for `/slow`, which takes a second.
struct Ready;

#[async_trait]
impl Handler for Ready {
    async fn handle(&self, request: Incoming) -> Answer {
        if request.path == "/slow" {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        status(200)
    }
}

async fn small(connections: usize) -> Server {
    let limits = Limits { connections, head: 8 * 1024, body: 0, when_full: WhenFull::CloseIdle, ..Limits::default() };
    Server::within(limits, None, Arc::new(Ready)).await
}

const ASK: &[u8] = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n";

#[tokio::test]
async fn whoever_holds_connections_keeps_nobody_out() {
    let server = small(8).await;
    let mut known = TcpStream::connect(("127.0.0.1", server.port)).await.unwrap();
    let mut answer = [0; 1024];
    known.write_all(ASK).await.unwrap();
    assert!(known.read(&mut answer).await.unwrap() > 12);
    let mut slow = TcpStream::connect(("127.0.0.1", server.port)).await.unwrap();
    slow.write_all(b"GET /slow HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await.unwrap();
    let mut held = Vec::new();
    for number in 0..200 {
        let mut stream = TcpStream::connect(("127.0.0.1", server.port)).await.unwrap();
        if number % 2 == 0 {
            stream.write_all(b"GET / HT").await.unwrap();
        }
        held.push(stream);
        if number % 20 == 0 {
            let answer = timeout(Duration::from_secs(5), say(server.port, &[ASK, b"\x16"].concat())).await.unwrap();
            assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        }
    }
    // One that has asked before is let go last, and one that is being answered not at all.
    known.write_all(ASK).await.unwrap();
    assert!(known.read(&mut answer).await.unwrap() > 12, "it was closed before others that never asked");
    let mut all = Vec::new();
    slow.read_to_end(&mut all).await.unwrap();
    assert!(all.starts_with(b"HTTP/1.1 200 "), "{}", String::from_utf8_lossy(&all));
}

#[tokio::test]
async fn oversized_and_odd_requests_are_refused_unread() {
    let server = small(8).await;
    let long = "x".repeat(9 * 1024);
    for (request, expected) in [
        (format!("GET / HTTP/1.1\r\nHost: x\r\nX: {long}\r\n\r\n"), "HTTP/1.1 431 "),
        (format!("GET /{long} HTTP/1.1\r\nHost: x\r\n\r\n"), "HTTP/1.1 431 "),
        ("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nx".to_owned(), "HTTP/1.1 413 "),
        ("GET http://evil.test/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".to_owned(), "HTTP/1.1 400 "),
        ("CONNECT evil.test:443 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".to_owned(), "HTTP/1.1 400 "),
    ] {
        let answer = timeout(Duration::from_secs(5), say(server.port, request.as_bytes())).await.unwrap();
        assert!(answer.starts_with(expected), "{expected}: {answer}");
    }
    let answer = say(server.port, b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
}

#[tokio::test(start_paused = true)]
async fn an_idle_connection_is_cut_off_after_its_last_request() {
    let server = small(8).await;
    let mut stream = TcpStream::connect(("127.0.0.1", server.port)).await.unwrap();
    stream.write_all(ASK).await.unwrap();
    let mut answer = Vec::new();
    let begin = tokio::time::Instant::now();
    stream.read_to_end(&mut answer).await.unwrap();
    assert!(answer.starts_with(b"HTTP/1.1 200 ") && begin.elapsed() < Duration::from_secs(20));
}

struct Faulty;

#[async_trait]
impl Handler for Faulty {
    async fn handle(&self, request: Incoming) -> Answer {
        match request.path.as_str() {
            "/panic" => panic!("on purpose"),
            "/header" => status(200).with_header("x", "line\nbreak"),
            "/status" => status(1),
            _ => status(200),
        }
    }
}

#[tokio::test]
async fn a_faulty_handler_neither_ends_the_server_nor_makes_a_success() {
    let server = Server::handled(None, Arc::new(Faulty)).await;
    let ask = |path: &str| format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    assert_eq!(say(server.port, ask("/panic").as_bytes()).await, "");
    for path in ["/header", "/status"] {
        let answer = say(server.port, ask(path).as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 500 "), "{answer}");
    }
    assert!(serves(&server).await);
}

#[tokio::test]
async fn dropping_it_ends_its_connections_and_frees_the_port() {
    let server = Server::start(None, vec![status(200)]).await;
    let port = server.port;
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    stream.read_exact(&mut [0; 12]).await.unwrap();
    let taken = LoopbackServer::bind(port).await.unwrap_err();
    assert!(taken.what().contains(&port.to_string()), "{taken:?}");
    drop(server);
    let _ = timeout(Duration::from_secs(5), stream.read_to_end(&mut Vec::new())).await.unwrap();
    assert!(TcpStream::connect(("127.0.0.1", port)).await.is_err());
}

#[test]
fn a_key_has_to_belong_to_its_certificate() {
    let key = |name: &str| rcgen::generate_simple_self_signed([name.to_owned()]).unwrap();
    let (one, two) = (key("one.test"), key("two.test"));
    assert!(ServerTls::from_pem(&one.cert.pem(), &one.signing_key.serialize_pem()).is_ok());
    for (chain, key) in [
        (one.cert.pem(), two.signing_key.serialize_pem()),
        (String::new(), two.signing_key.serialize_pem()),
        (one.cert.pem(), "canary".to_owned()),
    ] {
        let error = ServerTls::from_pem(&chain, &key).unwrap_err();
        assert_eq!(error.code().name, "network-tls");
        assert!(!format!("{error:?}").contains("canary"), "{error:?}");
    }
}

#[test]
fn debug_shows_no_values() {
    let incoming = Incoming {
        method: "POST".to_owned(),
        path: "/token".to_owned(),
        query: vec![("a".to_owned(), "canary".to_owned())],
        raw_query: "a=canary".to_owned(),
        headers: vec![("authorization".to_owned(), "canary".to_owned())],
        body: b"token=canary".to_vec(),
    };
    let answer = Answer::json(200, &serde_json::json!({"token": "canary"})).with_header("x", "canary");
    assert_eq!(format!("{incoming:?} {answer:?}"), "POST /token Answer(200, 18 bytes)");
}
