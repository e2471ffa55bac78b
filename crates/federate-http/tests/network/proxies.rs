//! Proxies from the environment: used for the world, never for loopback, and their passwords never shown.

use crate::support::{Authority, Behaviour, Raw, Server, client, get, send, status};

const HOST: &str = "sts.example.test";

fn proxy_url(port: u16) -> String {
    format!("http://user:canary%20word@127.0.0.1:{port}")
}

#[tokio::test]
async fn a_host_of_the_world_is_reached_through_the_proxy() {
    let authority = Authority::new();
    let server = Server::start(Some(authority.tls(&[HOST])), vec![status(200)]).await;
    let proxy = Raw::start(Behaviour::Tunnel(server.port)).await;
    let env = [("HTTPS_PROXY", &*proxy_url(proxy.port)), ("SSL_CERT_FILE", &authority.file_name())];
    assert_eq!(send(&client(&env), &get(&format!("https://{HOST}/?token=canary"))).await.unwrap().status, 200);
    let head = proxy.heads().remove(0);
    assert!(head.starts_with("CONNECT sts.example.test:443 HTTP/1.1\r\n"), "{head}");
    // base64 of `user:canary word`
    assert!(head.to_ascii_lowercase().contains("proxy-authorization: basic dxnlcjpjyw5hcnkgd29yza=="), "{head}");
    assert!(!head.contains("authorization: canary-header"), "only the server sees the request's own headers");
    assert_eq!(server.seen()[0].header("host"), Some(HOST));
    assert_eq!(server.seen()[0].header("proxy-authorization"), None);
}

#[tokio::test]
async fn loopback_is_never_proxied() {
    let authority = Authority::new();
    let server = Server::start(Some(authority.tls(&["127.0.0.1", "localhost"])), vec![status(200)]).await;
    let proxy = Raw::start(Behaviour::Tunnel(server.port)).await;
    let env = [
        ("HTTPS_PROXY", &*proxy_url(proxy.port)),
        ("https_proxy", &*proxy_url(proxy.port)),
        ("SSL_CERT_FILE", &authority.file_name()),
    ];
    assert!(send(&client(&env), &get(&server.url("https", "/"))).await.is_ok());
    let plain = Server::start(None, vec![status(200)]).await;
    assert!(send(&client(&env), &get(&plain.url("http", "/"))).await.is_ok());
    assert_eq!(proxy.connections(), 0);
}

#[tokio::test]
async fn no_proxy_goes_the_straight_way() {
    let proxy = Raw::start(Behaviour::Hang).await;
    let env = [("HTTPS_PROXY", &*proxy_url(proxy.port)), ("NO_PROXY", ".invalid")];
    let error = send(&client(&env), &get("https://does-not-exist.invalid/")).await.unwrap_err();
    assert!(error.what().contains("does not resolve"), "{error:?}");
    assert_eq!(proxy.connections(), 0);
}

#[tokio::test]
async fn a_proxy_that_refuses_is_named_without_its_password() {
    for answer in
        ["HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", "HTTP/1.1 403 Forbidden\r\n\r\n", "", "nonsense"]
    {
        let proxy = Raw::start(Behaviour::Say(answer.as_bytes().to_vec())).await;
        let env = [("HTTPS_PROXY", &*proxy_url(proxy.port))];
        let error = send(&client(&env), &get(&format!("https://{HOST}/"))).await.unwrap_err();
        assert_eq!(error.code().name, "network-unreachable", "{error:?}");
        assert!(error.what().contains(&format!("through the proxy 127.0.0.1:{}", proxy.port)), "{error:?}");
    }
    let env = [("HTTPS_PROXY", "http://user:canary@does-not-exist.invalid:3128")];
    let error = send(&client(&env), &get(&format!("https://{HOST}/"))).await.unwrap_err();
    assert!(error.what().contains("the proxy does-not-exist.invalid:3128"), "{error:?}");
}
