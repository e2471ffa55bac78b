//! The Kubernetes client for Python, with a kubeconfig that federate wrote, against an API server that notes the bearer.

use std::path::Path;

use federate_http::{Answer, Incoming};

use crate::job::Job;
use crate::recorder::Recorder;
use crate::{Peer, Test, venv};

pub(crate) const TESTS: &[(&str, Test)] = &[("eks", eks), ("aks", aks)];

/// The client in an environment of its own.
pub(crate) fn find() -> Peer {
    venv::programs(include_str!("requirements-kubernetes.txt"))
}

fn api_server(request: &Incoming) -> Answer {
    let is_asked = request.path.trim_end_matches('/') == "/version";
    let has_bearer = request.header("authorization").is_some_and(|value| value.starts_with("Bearer "));
    let version = serde_json::json!({
        "major": "1", "minor": "33", "gitVersion": "v1.33.0", "gitCommit": "c", "gitTreeState": "clean",
        "buildDate": "d", "goVersion": "g", "compiler": "gc", "platform": "linux/amd64",
    });
    if is_asked && has_bearer { Answer::json(200, &version) } else { Answer::json(401, &serde_json::json!({})) }
}

/// Writes the kubeconfig in the sandbox and uses it there; what the client printed, and the bearers that the server saw.
fn asked(programs: &Path, name: &str, arguments: &str) -> (String, Vec<String>) {
    let job = Job::new(programs);
    job.program("kube-version", &format!("#!/usr/bin/env python3\n{}", include_str!("clients/kube_version.py")));
    let certificate = job.workshop.path("ca.pem");
    let server = Recorder::tls(&certificate, api_server);
    let script = format!(
        "federate kubeconfig -q -p dev {arguments} --context {name} --server {} --certificate-authority {} && kube-version {name}",
        server.url,
        certificate.display()
    );
    let printed = job.sandbox_prints(&[], &["sh", "-c", &script]);
    (printed, server.headers("authorization"))
}

fn eks(programs: &Path) {
    let (printed, bearers) = asked(programs, "main", "-t aws --cluster main");
    let expected = "v1.33.0 arn:aws:sts::111122223333:assumed-role/ledger-deploy/dev-";
    assert!(printed.starts_with(expected) && printed.trim_end().ends_with(" 403"), "{printed}");
    assert!(bearers.len() == 1 && bearers[0].starts_with("Bearer k8s-aws-v1."), "{}", bearers.len());
}

fn aks(programs: &Path) {
    let (printed, bearers) = asked(programs, "main", "-t azure");
    assert!(printed.contains("6dae42f8-4368-4678-94ff-3960e28e3630"), "{printed}");
    assert!(bearers.len() == 1 && bearers[0].starts_with("Bearer eyJ"), "{}", bearers.len());
}
