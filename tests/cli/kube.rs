//! `kube-token` and `kubeconfig`: what kubectl is handed, and what stands in its file.

use std::os::unix::fs::PermissionsExt as _;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::Value;

use crate::support::{Canned, Done, Workshop, leftovers, sts_success};

const PEM: &str = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";

fn workshop() -> (Canned, Workshop) {
    let sts = Canned::answering(sts_success());
    let mut workshop = Workshop::gitlab_aws(&sts.url);
    workshop.profile("prod", "");
    (sts, workshop)
}

/// The ExecCredential, and the URL in its token.
fn decoded(done: &Done) -> (Value, url::Url) {
    assert!(done.code == 0 && done.stderr.is_empty(), "{}", done.stderr);
    let document: Value = serde_json::from_str(&done.stdout).unwrap();
    let token = document["status"]["token"].as_str().unwrap().strip_prefix("k8s-aws-v1.").unwrap().to_owned();
    let url = String::from_utf8(URL_SAFE_NO_PAD.decode(token).unwrap()).unwrap();
    (document, url::Url::parse(&url).unwrap())
}

#[test]
fn a_token_for_eks_is_bound_to_the_cluster_and_short() {
    let (sts, mut workshop) = workshop();
    let done = workshop.run(&["kube-token", "--cluster", "prod"]);
    let (document, url) = decoded(&done);
    assert_eq!(
        (document["kind"].as_str(), document["apiVersion"].as_str()),
        (Some("ExecCredential"), Some("client.authentication.k8s.io/v1"))
    );
    assert!(url.as_str().starts_with(&sts.url), "{url}");
    let signed: Vec<_> = url.query_pairs().filter(|(name, _)| name == "X-Amz-SignedHeaders").collect();
    assert_eq!(signed[0].1, "host;x-k8s-aws-id");
    workshop.set(
        "KUBERNETES_EXEC_INFO",
        r#"{"apiVersion":"client.authentication.k8s.io/v1beta1","kind":"ExecCredential","spec":{"interactive":false}}"#,
    );
    let (older, _) = decoded(&workshop.run(&["kube-token", "--cluster", "prod"]));
    assert_eq!(older["apiVersion"], "client.authentication.k8s.io/v1beta1");
    workshop.set("KUBERNETES_EXEC_INFO", r#"{"apiVersion":"client.authentication.k8s.io/v1alpha1"}"#);
    let refused = workshop.run_quietly(&["kube-token", "--cluster", "prod"]);
    assert!(refused.code == 2 && refused.stderr.contains("v1alpha1"), "{}", refused.stderr);
}

#[test]
fn the_cache_serves_kubectl_too() {
    let (sts, mut workshop) = workshop();
    if linux_keyutils::KeyRing::from_special_id(linux_keyutils::KeyRingIdentifier::Session, false).is_err() {
        return;
    }
    workshop.set("FEDERATE_CACHE", "always");
    let tokens: Vec<Value> = (0..3)
        .map(|_| decoded(&workshop.run(&["kube-token", "--cluster", "prod"])).0["status"]["token"].clone())
        .collect();
    workshop.run(&["credential-process"]);
    assert_eq!((sts.requests().len(), tokens.len()), (1, 3));
    assert_eq!(workshop.run(&["cache", "clear"]).code, 0);
}

#[test]
fn what_no_cluster_takes_is_refused_before_any_network_call() {
    let (sts, mut workshop) = workshop();
    let azure = "[targets.azure]\ntype = \"azure\"\ntenant_id = \"00000000-0000-0000-0000-000000000001\"\nclient_id = \"00000000-0000-0000-0000-000000000002\"\n";
    workshop.profile("azure", azure);
    for (arguments, expected) in [
        (&["kube-token"][..], "bound to one cluster"),
        (&["kube-token", "--cluster", "arn:aws:eks:eu-west-1:1:cluster/x"], "not the name of an EKS cluster"),
        (&["kube-token", "-p", "azure", "-t", "azure", "--cluster", "x"], "leave out --cluster"),
        (&["kube-token", "-p", "azure", "-t", "*"], "for one target"),
        (&["kubeconfig", "--cluster", "x"], "--server"),
        (&["kubeconfig", "--cluster", "x", "--server", "http://api.example"], "not the address"),
        (
            &["kubeconfig", "--cluster", "x", "--server", "https://a", "--certificate-authority-data", "AAAA"],
            "not a PEM",
        ),
    ] {
        let done = workshop.run_quietly(arguments);
        assert!(done.code == 2 && done.stderr.contains(expected), "{arguments:?}: {}", done.stderr);
    }
    assert!(sts.requests().is_empty());
}

/// Every AKS cluster's server application, in the sandbox.
#[test]
fn a_token_for_aks_is_entras() {
    let runtime = tempfile::tempdir().unwrap();
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_federate"))
        .args(["sandbox", "-q", "--", "federate", "kube-token", "-p", "prod", "-t", "azure"])
        .env_clear()
        .env("HOME", runtime.path())
        .env("XDG_RUNTIME_DIR", runtime.path())
        .env("PATH", "/usr/bin:/bin")
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
        .output()
        .unwrap();
    let done = crate::support::finish(output);
    assert_eq!(done.code, 0, "{}", done.stderr);
    let document: Value = serde_json::from_str(&done.stdout).unwrap();
    let token = document["status"]["token"].as_str().unwrap();
    let claims = URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap();
    let claims: Value = serde_json::from_slice(&claims).unwrap();
    assert_eq!(claims["aud"], "6dae42f8-4368-4678-94ff-3960e28e3630");
    let ends = document["status"]["expirationTimestamp"].as_str().unwrap();
    assert!(ends.ends_with('Z') && ends.len() == 20, "{ends}");
    assert_eq!(leftovers(runtime.path()), Vec::<std::path::PathBuf>::new());
}

#[test]
fn a_kubeconfig_keeps_what_it_had() {
    let (sts, workshop) = workshop();
    let kube = workshop.path("home/.kube");
    std::fs::create_dir(&kube).unwrap();
    let user = "# mine\napiVersion: v1\nkind: Config\nclusters:\n- cluster:\n    server: https://old # keep\n  name: old\ncontexts: []\ncurrent-context: old\nusers: []\n";
    std::fs::write(kube.join("config"), user).unwrap();
    std::fs::set_permissions(kube.join("config"), std::fs::Permissions::from_mode(0o644)).unwrap();
    std::fs::write(workshop.path("ca.pem"), PEM).unwrap();
    let ca = workshop.path("ca.pem").display().to_string();
    let arguments = [
        "kubeconfig",
        "-p",
        "prod",
        "--cluster",
        "main",
        "--server",
        "https://api.example",
        "--certificate-authority",
        &ca,
    ];
    let run = |more: &[&str]| workshop.run_quietly(&[&arguments[..], more].concat());
    assert_eq!(run(&["--check"]).code, 1);
    let dry = run(&["--dry-run"]);
    assert!(dry.stdout.contains("+  name: main") && dry.stdout.contains(&STANDARD.encode(PEM)), "{}", dry.stdout);
    let file = || std::fs::read_to_string(kube.join("config")).unwrap();
    assert_eq!(file(), user);
    assert_eq!(run(&[]).code, 0);
    let written = file();
    let folder = workshop.path("project/profiles").display().to_string();
    for line in user.lines().filter(|line| !line.ends_with("[]")) {
        assert!(written.lines().any(|one| one == line), "{line}: {written}");
    }
    for part in [env!("CARGO_BIN_EXE_federate"), "- kube-token", &folder, "- prod", "- main", "interactiveMode: Never"]
    {
        assert!(written.contains(part), "{part}: {written}");
    }
    assert_eq!(kube.join("config").metadata().unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!((run(&["--check"]).code, run(&[]).code), (0, 0));
    assert_eq!(file(), written);
    assert_eq!(run(&["--use-context"]).code, 0);
    assert!(file().contains("current-context: main"));
    assert_eq!(workshop.run_quietly(&["kubeconfig", "--context", "main", "--remove"]).code, 0);
    assert_eq!(file(), user.replace("current-context: old", "current-context: \"\""));
    assert_eq!(std::fs::read_dir(&kube).unwrap().count(), 1, "no lock is left");
    assert!(sts.requests().is_empty());
}

#[test]
fn a_kubeconfig_that_cannot_be_changed_is_left_alone() {
    let (_sts, mut workshop) = workshop();
    let file = workshop.path("home/flow");
    let text = "{clusters: [], users: [{name: x, user: {}}]} # flow\n";
    std::fs::write(&file, text).unwrap();
    let path = format!("/nonexistent:{}", file.display());
    workshop.set("KUBECONFIG", &path);
    let done = workshop.run_quietly(&["kubeconfig", "--cluster", "main", "--server", "https://api.example"]);
    assert!(done.code == 2 && done.stderr.contains("error[file-unusable]"), "{}", done.stderr);
    assert!(done.stderr.contains("KUBECONFIG=PATH:OTHER"), "{}", done.stderr);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), text);
}
