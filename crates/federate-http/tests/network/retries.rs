//! How often and when a request is tried again.

use std::time::{Duration, Instant};

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use federate_core::Outcome;
use federate_http::{Answer, Handler, Incoming};

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

/// Throttles the first of every two requests.
struct EveryOther(AtomicUsize);

#[async_trait]
impl Handler for EveryOther {
    async fn handle(&self, _: Incoming) -> Answer {
        status(if self.0.fetch_add(1, Ordering::SeqCst).is_multiple_of(2) { 429 } else { 200 })
    }
}

#[tokio::test]
async fn a_service_that_throttles_half_of_the_requests_serves_all_in_the_end() {
    let server = Server::handled(None, Arc::new(EveryOther(AtomicUsize::new(0)))).await;
    let client = Arc::new(client_with(&[], |settings| settings.max_tries = 3));
    let url = server.url("http", "/");
    let mut sends = tokio::task::JoinSet::new();
    for _ in 0..60 {
        let (client, url) = (client.clone(), url.clone());
        sends.spawn(async move { send(&client, &get(&url)).await.unwrap().status });
    }
    assert_eq!(sends.join_all().await, [200; 60]);
}

#[tokio::test]
async fn a_service_that_throttles_everything_is_given_up() {
    let server = Server::start(None, vec![status(429)]).await;
    let client = client_with(&[], |settings| settings.max_tries = 3);
    assert_eq!(send(&client, &get(&server.url("http", "/"))).await.unwrap().status, 429);
    assert_eq!(server.seen().len(), 3);
}

#[tokio::test]
async fn one_pause_holds_for_everybody_who_asks_the_host() {
    let server = Server::start(None, vec![status(429).with_header("retry-after", "1"), status(200)]).await;
    let client = client(&[]);
    let begin = Instant::now();
    let url = server.url("http", "/");
    let first = get(&url);
    let (first, second) = tokio::join!(send(&client, &first), async {
        while server.seen().is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
        send(&client, &get(&url)).await
    });
    assert_eq!((first.unwrap().status, second.unwrap().status), (200, 200));
    assert!(begin.elapsed() >= Duration::from_secs(1));
    assert_eq!(server.seen().len(), 3, "the second did not ask in between");
}
