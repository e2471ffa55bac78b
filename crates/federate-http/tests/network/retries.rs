//! How often and when a request is tried again.

use std::time::{Duration, Instant};

use federate_core::Outcome;
use federate_http::Answer;

use crate::support::{Behaviour, Raw, Server, client, client_with, code, get, send, send_within, status};

#[tokio::test]
async fn passing_failures_are_tried_again_until_one_answer_is_final() {
    let answers = vec![status(503), status(500), status(408), status(200)];
    let server = Server::start(None, answers).await;
    let client = client_with(&[], |settings| settings.max_tries = 5);
    assert_eq!(send(&client, &get(&server.url("http", "/"))).await.unwrap().status, 200);
    assert_eq!(server.seen().len(), 4);
}

#[tokio::test]
async fn the_last_answer_is_returned_when_tries_are_used_up() {
    let server = Server::start(None, vec![status(502), status(503)]).await;
    let client = client_with(&[], |settings| settings.max_tries = 3);
    assert_eq!(send(&client, &get(&server.url("http", "/"))).await.unwrap().status, 503);
    assert_eq!(server.seen().len(), 3);
}

#[tokio::test]
async fn a_refusal_is_never_tried_again() {
    for refusal in [400, 401, 403, 404] {
        let server = Server::start(None, vec![status(refusal)]).await;
        assert_eq!(send(&client(&[]), &get(&server.url("http", "/"))).await.unwrap().status, refusal);
        assert_eq!(server.seen().len(), 1);
    }
}

#[tokio::test]
async fn the_request_itself_says_which_answers_are_passing() {
    let passing = Answer::text(400, "text/plain", "IDPCommunicationError");
    let server = Server::start(None, vec![passing, status(200)]).await;
    let request = get(&server.url("http", "/")).with_classify(|response| {
        if response.text().contains("IDPCommunicationError") { Outcome::Retry } else { Outcome::Final }
    });
    assert_eq!(send(&client(&[]), &request).await.unwrap().status, 200);
    assert_eq!(server.seen().len(), 2);
}

#[tokio::test]
async fn the_servers_own_pause_is_kept() {
    let server = Server::start(None, vec![status(429).with_header("retry-after", "1"), status(200)]).await;
    let begin = Instant::now();
    assert_eq!(send(&client(&[]), &get(&server.url("http", "/"))).await.unwrap().status, 200);
    assert!(begin.elapsed() >= Duration::from_secs(1));
}

#[tokio::test]
async fn a_pause_past_the_deadline_is_not_begun() {
    let server = Server::start(None, vec![status(429).with_header("retry-after", "60"), status(200)]).await;
    let begin = Instant::now();
    let response = send_within(&client(&[]), &get(&server.url("http", "/")), Duration::from_secs(10)).await.unwrap();
    assert_eq!(response.status, 429);
    assert_eq!(server.seen().len(), 1);
    assert!(begin.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn after_the_last_try_nothing_sleeps() {
    let server = Server::start(None, vec![status(503).with_header("retry-after", "20")]).await;
    let client = client_with(&[], |settings| settings.max_tries = 1);
    let begin = Instant::now();
    assert_eq!(send(&client, &get(&server.url("http", "/"))).await.unwrap().status, 503);
    assert!(begin.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn the_deadline_ends_a_try_under_way() {
    let raw = Raw::start(Behaviour::Hang).await;
    let begin = Instant::now();
    let result = send_within(&client(&[]), &get(&raw.url()), Duration::from_millis(200)).await;
    assert_eq!(code(result), "network-timeout");
    assert!(begin.elapsed() < Duration::from_secs(5));
    assert_eq!(code(send_within(&client(&[]), &get(&raw.url()), Duration::ZERO).await), "network-timeout");
    assert_eq!(raw.connections(), 1, "without time nothing is asked");
}
