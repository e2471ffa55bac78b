//! The least that a program can do for the same exchange: two requests with reqwest, no policy, no checks, no errors in
//! words. What federate costs is measured against it.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "the measure of how little it takes")]

use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(exchange());
}

async fn exchange() {
    let variable = |name: &str| std::env::var(name).unwrap();
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(variable("SSL_CERT_FILE")).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let versions = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let tls = versions.unwrap().with_root_certificates(roots).with_no_client_auth();
    let client = reqwest::Client::builder().tls_backend_preconfigured(tls).http1_only().no_proxy().build().unwrap();

    let url = format!("{}&audience=sts.amazonaws.com", variable("ACTIONS_ID_TOKEN_REQUEST_URL"));
    let bearer = format!("Bearer {}", variable("ACTIONS_ID_TOKEN_REQUEST_TOKEN"));
    let answer = client.get(url).header("authorization", bearer).send().await.unwrap().bytes().await.unwrap();
    let answer: serde_json::Value = serde_json::from_slice(&answer).unwrap();

    let form = url::form_urlencoded::Serializer::new(String::new())
        .append_pair("Action", "AssumeRoleWithWebIdentity")
        .append_pair("Version", "2011-06-15")
        .append_pair("RoleArn", "arn:aws:iam::111122223333:role/deploy")
        .append_pair("RoleSessionName", "bench")
        .append_pair("WebIdentityToken", answer["value"].as_str().unwrap())
        .finish();
    let sts = client.post(variable("AWS_ENDPOINT_URL_STS")).body(form);
    let answer = sts.header("content-type", "application/x-www-form-urlencoded").send().await.unwrap();
    let answer = answer.bytes().await.unwrap();
    let answer = String::from_utf8_lossy(&answer);
    for name in ["AccessKeyId", "SecretAccessKey", "SessionToken", "Expiration"] {
        let value = answer.split_once(&format!("<{name}>")).unwrap().1.split_once('<').unwrap().0;
        println!("{name}={value}");
    }
}
