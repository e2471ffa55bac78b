//! Rerouting: every request leads to one loopback origin, trusted by its own CA alone.

use crate::support::{Authority, Behaviour, Raw, Server, client, get, send, status};

struct Sandbox {
    authority: Authority,
    server: Server,
}

impl Sandbox {
    async fn start() -> Self {
        let authority = Authority::new();
        let server = Server::start(Some(authority.tls(&["127.0.0.1"])), vec![status(200)]).await;
        Self { authority, server }
    }

    fn url(&self) -> String {
        self.server.url("https", "")
    }
}

#[tokio::test]
async fn every_host_leads_to_the_sandbox_and_keeps_its_name() {
    let sandbox = Sandbox::start().await;
    let proxy = Raw::start(Behaviour::Hang).await;
    let proxy_url = format!("http://127.0.0.1:{}", proxy.port);
    let client = client(&[
        ("FEDERATE_SANDBOX_URL", &*sandbox.url()),
        ("FEDERATE_SANDBOX_CA", &sandbox.authority.file_name()),
        ("HTTPS_PROXY", &proxy_url),
    ]);
    for (url, host, path) in [
        ("https://sts.eu-west-1.amazonaws.com/a%20b?c=d", "sts.eu-west-1.amazonaws.com", "/a%20b"),
        ("https://ghes.example.test:8443/token", "ghes.example.test:8443", "/token"),
        ("http://127.0.0.1:1/plain", "127.0.0.1:1", "/plain"),
    ] {
        send(&client, &get(url)).await.unwrap();
        let seen = sandbox.server.seen().pop().unwrap();
        assert_eq!((seen.header("host"), seen.path.as_str()), (Some(host), path));
    }
    send(&client, &get(&sandbox.server.url("https", "/own"))).await.unwrap();
    let seen = sandbox.server.seen().pop().unwrap();
    assert_eq!(seen.header("host"), Some(format!("127.0.0.1:{}", sandbox.server.port).as_str()));
    assert_eq!(proxy.connections(), 0, "loopback is never proxied");
}

#[tokio::test]
async fn no_other_ca_counts_there() {
    let (sandbox, other) = (Sandbox::start().await, Authority::new());
    let request = get("https://sts.example.test/");
    let wrong = client(&[
        ("FEDERATE_SANDBOX_URL", &*sandbox.url()),
        ("FEDERATE_SANDBOX_CA", &other.file_name()),
        ("SSL_CERT_FILE", &sandbox.authority.file_name()),
    ]);
    let error = send(&wrong, &request).await.unwrap_err();
    assert_eq!(error.code().name, "network-tls");
    assert!(error.what().contains("sts.example.test through the sandbox at 127.0.0.1:"), "{error:?}");

    let missing = client(&[("FEDERATE_SANDBOX_URL", &*sandbox.url()), ("FEDERATE_SANDBOX_CA", "/nowhere/ca.pem")]);
    let error = send(&missing, &request).await.unwrap_err();
    assert!(error.what().contains("FEDERATE_SANDBOX_CA=/nowhere/ca.pem"), "{error:?}");
    assert!(sandbox.server.seen().is_empty());
}
