//! Answers that are accepted, and those that are not.

use std::time::{Duration, Instant};

use federate_core::{Field, Reach, Request, Secret};
use federate_http::Answer;
use tokio::net::TcpListener;
use url::Url;

use crate::support::{Behaviour, Raw, Server, client, client_with, code, get, millis, send, status};

const MEBIBYTE: usize = 1024 * 1024;

#[tokio::test]
async fn an_answer_comes_whole_and_connections_are_used_again() {
    let raw =
        Raw::start(Behaviour::Keep(b"HTTP/1.1 201 Created\r\nX-Id: 7\r\nContent-Length: 2\r\n\r\nok".to_vec())).await;
    let client = client(&[]);
    for _ in 0..3 {
        let response = send(&client, &get(&raw.url())).await.unwrap();
        assert_eq!((response.status, response.header("x-id"), &*response.text()), (201, Some("7"), "ok"));
    }
    assert_eq!(raw.connections(), 1);
}

#[tokio::test]
async fn a_request_is_sent_as_it_was_planned() {
    let server = Server::start(None, vec![status(200)]).await;
    let fields = vec![("A".to_owned(), "1 2".into()), ("T".to_owned(), Field::Secret(Secret::new("canary&")))];
    let url = Url::parse(&server.url("http", "/a%20b?c=d%26e&f")).unwrap();
    let request = Request::form("Post", url, Reach::BuiltIn, fields).with_header("X-Own", Secret::new("canary"));
    send(&client(&[]), &request).await.unwrap();
    let seen = server.seen().remove(0);
    assert_eq!((seen.method.as_str(), seen.path.as_str(), seen.raw_query.as_str()), ("POST", "/a%20b", "c=d%26e&f"));
    assert_eq!(seen.query, [("c".to_owned(), "d&e".to_owned()), ("f".to_owned(), String::new())]);
    assert_eq!(seen.form(), [("A".to_owned(), "1 2".to_owned()), ("T".to_owned(), "canary&".to_owned())]);
    assert_eq!(seen.header("x-own"), Some("canary"));
    assert_eq!(seen.header("user-agent"), Some(concat!("federate/", env!("CARGO_PKG_VERSION"))));
    assert_eq!(seen.header("host"), Some(format!("127.0.0.1:{}", server.port).as_str()));
}

#[tokio::test]
async fn a_redirect_is_an_error_that_names_the_host() {
    let target = Server::start(None, vec![status(200)]).await;
    for redirect in [301, 302, 303, 307, 308] {
        let away = status(redirect).with_header("location", target.url("http", "/stolen?token=canary"));
        let server = Server::start(None, vec![away]).await;
        let error = send(&client(&[]), &get(&server.url("http", "/"))).await.unwrap_err();
        assert_eq!(error.code().name, "network-redirect");
        assert!(error.what().ends_with("a redirect to http://127.0.0.1"), "{error:?}");
        assert_eq!(server.seen().len(), 1, "not worth another try");
    }
    assert!(target.seen().is_empty(), "never followed");
}

#[tokio::test]
async fn an_answer_ends_at_one_mebibyte() {
    let body = "x".repeat(2 * MEBIBYTE);
    let sized = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    let until_closed = format!("HTTP/1.1 200 OK\r\n\r\n{body}");
    let chunked =
        format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n{body}\r\n0\r\n\r\n", body.len());
    for answer in [sized, until_closed, chunked] {
        let raw = Raw::start(Behaviour::Say(answer.into_bytes())).await;
        assert_eq!(code(send(&client(&[]), &get(&raw.url())).await), "response-too-large");
        assert_eq!(raw.connections(), 1, "not worth another try");
    }
    let server = Server::start(None, vec![Answer::text(200, "text/plain", "x".repeat(MEBIBYTE))]).await;
    assert_eq!(send(&client(&[]), &get(&server.url("http", "/"))).await.unwrap().body.len(), MEBIBYTE);
}

#[tokio::test]
async fn broken_connections_are_unreachable_after_all_tries() {
    let half = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this".to_vec();
    for behaviour in [
        Behaviour::Reset,
        Behaviour::Say(Vec::new()),
        Behaviour::Say(half),
        Behaviour::Say(b"nonsense\r\n\r\n".to_vec()),
    ] {
        let raw = Raw::start(behaviour).await;
        let error = send(&client(&[]), &get(&raw.url())).await.unwrap_err();
        assert_eq!(error.code().name, "network-unreachable");
        assert!(error.cause().unwrap().ends_with("(after 2 tries)"), "{error:?}");
        assert_eq!(raw.connections(), 2);
    }
}

#[tokio::test]
async fn a_closed_port_and_an_unknown_name_are_unreachable() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let error = send(&client(&[]), &get(&format!("https://127.0.0.1:{port}/"))).await.unwrap_err();
    assert_eq!(error.code().name, "network-unreachable");
    assert!(error.cause().unwrap().contains("refused"), "{error:?}");

    let error = send(&client(&[]), &get("https://does-not-exist.invalid/?x=canary")).await.unwrap_err();
    assert_eq!(error.code().name, "network-unreachable");
    assert!(error.what().contains("the name of does-not-exist.invalid does not resolve"), "{error:?}");
}

#[tokio::test]
async fn a_slow_answer_is_a_timeout_that_says_how_long() {
    let raw = Raw::start(Behaviour::Hang).await;
    let client = client_with(&[], |settings| settings.request_timeout = millis(150));
    let begin = Instant::now();
    let error = send(&client, &get(&raw.url())).await.unwrap_err();
    assert_eq!(error.code().name, "network-timeout");
    assert!(error.what().contains("within 150ms to GetThing"), "{error:?}");
    assert_eq!(raw.connections(), 2);
    assert!(begin.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn a_handshake_that_hangs_is_a_timeout_of_connecting() {
    let raw = Raw::start(Behaviour::Hang).await;
    let client = client_with(&[], |settings| {
        settings.connect_timeout = millis(150);
        settings.max_tries = 1;
    });
    let error = send(&client, &get(&format!("https://127.0.0.1:{}/", raw.port))).await.unwrap_err();
    assert_eq!(error.code().name, "network-timeout");
    assert!(error.what().contains("did not accept a connection within 150ms for GetThing"), "{error:?}");
}
