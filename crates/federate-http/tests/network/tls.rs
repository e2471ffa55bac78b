//! Which certificates are accepted, and what is said about the others.

use federate_http::Client;
use rcgen::date_time_ymd;

use crate::support::{Authority, Behaviour, Raw, Server, client, client_with, get, send, status};

async fn server(authority: &Authority) -> Server {
    Server::start(Some(authority.tls(&["127.0.0.1"])), vec![status(200)]).await
}

async fn is_accepted(client: &Client, server: &Server) -> bool {
    send(client, &get(&server.url("https", "/"))).await.is_ok()
}

#[tokio::test]
async fn a_ca_is_known_by_variable_by_setting_or_by_a_clouds_bundle() {
    let (named, other) = (Authority::new(), Authority::new());
    let server = server(&named).await;
    assert!(is_accepted(&client(&[("SSL_CERT_FILE", &named.file_name())]), &server).await);
    assert!(!is_accepted(&client(&[("SSL_CERT_FILE", &other.file_name())]), &server).await);
    let adding =
        client_with(&[("SSL_CERT_FILE", &other.file_name())], |settings| settings.ca_file = Some(named.file()));
    assert!(is_accepted(&adding, &server).await);
    let bundle = client(&[("CLOUD_CA_BUNDLE", &named.file_name())]).with_bundle_for("CLOUD_CA_BUNDLE", |_| false);
    assert!(is_accepted(&bundle, &server).await, "loopback honours it too");
}

#[tokio::test]
async fn an_unknown_ca_is_refused_at_once_with_advice() {
    let server = server(&Authority::new()).await;
    let error = send(&client(&[]), &get(&server.url("https", "/"))).await.unwrap_err();
    assert_eq!(error.code().name, "network-tls");
    assert!(error.what().contains("GetThing"), "{error:?}");
    assert!(error.cause().unwrap().contains("not trusted here: "), "its signer is named: {error:?}");
    assert!(!error.cause().unwrap().contains("tries"), "not worth another try: {error:?}");
    assert!(error.help()[0].contains("ca_file") && error.help()[0].contains("SSL_CERT_FILE"), "{error:?}");
    assert!(server.seen().is_empty());
}

#[tokio::test]
async fn name_and_time_have_to_fit() {
    let authority = Authority::new();
    let client = client(&[("SSL_CERT_FILE", &authority.file_name())]);
    for (tls, words) in [
        (authority.tls(&["other.example.test"]), "another name"),
        (authority.tls_with(&["127.0.0.1"], |params| params.not_after = date_time_ymd(2001, 1, 1)), "expired"),
        (authority.tls_with(&["127.0.0.1"], |params| params.not_before = date_time_ymd(4000, 1, 1)), "not valid yet"),
    ] {
        let server = Server::start(Some(tls), vec![status(200)]).await;
        let error = send(&client, &get(&server.url("https", "/"))).await.unwrap_err();
        assert_eq!(error.code().name, "network-tls");
        assert!(error.cause().unwrap().contains(words), "{error:?}");
        assert!(server.seen().is_empty());
    }
}

#[tokio::test]
async fn roots_that_cannot_be_read_are_no_fault_of_the_server() {
    let authority = Authority::new();
    let server = server(&authority).await;
    for (client, named) in [
        (client(&[("SSL_CERT_FILE", "/nowhere/ca.pem")]), "SSL_CERT_FILE=/nowhere/ca.pem"),
        (client(&[("SSL_CERT_DIR", "/nowhere")]), "SSL_CERT_DIR=/nowhere"),
        (
            client_with(&[], |settings| settings.ca_file = Some("/nowhere/extra.pem".into())),
            "[network] ca_file=/nowhere/extra.pem",
        ),
    ] {
        let error = send(&client, &get(&server.url("https", "/"))).await.unwrap_err();
        assert_eq!(error.code().name, "network-tls");
        assert!(error.what().contains(named), "{error:?}");
        assert!(error.cause().is_some_and(|cause| !cause.contains("tries")), "{error:?}");
    }
}

#[tokio::test]
async fn a_port_that_speaks_no_tls_is_named_as_such() {
    let server = Server::start(None, vec![status(200)]).await;
    let error = send(&client(&[]), &get(&server.url("https", "/"))).await.unwrap_err();
    assert_eq!(error.code().name, "network-tls", "{error:?}");
    assert!(error.help()[0].contains("https"), "{error:?}");
}

#[tokio::test]
async fn a_connection_that_ends_during_the_handshake_is_worth_another_try() {
    let raw = Raw::start(Behaviour::Reset).await;
    let error = send(&client(&[]), &get(&format!("https://127.0.0.1:{}/", raw.port))).await.unwrap_err();
    assert_eq!(error.code().name, "network-unreachable", "{error:?}");
    assert_eq!(raw.connections(), 2);
}
