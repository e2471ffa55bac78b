//! What the trust commands cost: whole processes, as targets in milliseconds.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

/// As many policies as an account with a great many roles has.
const POLICIES: usize = 1000;

const POLICY: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Federated":"arn:aws:iam::111122223333:oidc-provider/token.actions.githubusercontent.com"},"Action":"sts:AssumeRoleWithWebIdentity","Condition":{"StringEquals":{"token.actions.githubusercontent.com:aud":"sts.amazonaws.com"},"StringLike":{"token.actions.githubusercontent.com:sub":["repo:octo-org/octo-repo:*","repo:octo-org/*:ref:refs/heads/main"]}}}]}"#;
const CLAIMS: &str = r#"{"iss":"https://token.actions.githubusercontent.com","aud":"sts.amazonaws.com","sub":"repo:octo-org/octo-repo:ref:refs/heads/main"}"#;

/// Each command's name and the median of its runs, in milliseconds.
pub(crate) fn medians(federate: &str, environment: &BTreeMap<String, String>) -> Vec<(String, f64)> {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write("policy.json", POLICY);
    write("claims.json", CLAIMS);
    let role = |index| format!(r#"{{"RoleName":"role-{index}","AssumeRolePolicyDocument":{POLICY}}}"#);
    let roles: Vec<String> = (0..POLICIES).map(role).collect();
    write("roles.json", &format!(r#"{{"Roles":[{}]}}"#, roles.join(",\n")));
    let names: Vec<String> = (0..POLICIES).map(|index| format!("policy-{index}.json")).collect();
    names.iter().for_each(|name| write(name, POLICY));

    let explain = ["trust", "explain", "--cloud", "aws", "--policy", "policy.json", "--claims", "claims.json"];
    let lint = ["trust", "lint", "--fail-on", "critical"];
    let files: Vec<&str> = lint.into_iter().chain(names.iter().map(String::as_str)).collect();
    let measured = |words: &[&str], rounds: usize| {
        let mut times: Vec<f64> = (0..rounds).map(|_| time(federate, words, folder.path(), environment)).collect();
        times.sort_by(f64::total_cmp);
        times[rounds / 2]
    };
    vec![
        ("trust explain, one policy".to_owned(), measured(&explain, 100)),
        (format!("trust lint, {POLICIES} policies in one file"), measured(&[&lint[..], &["roles.json"]].concat(), 10)),
        (format!("trust lint, {POLICIES} files"), measured(&files, 10)),
    ]
}

fn time(federate: &str, words: &[&str], folder: &Path, environment: &BTreeMap<String, String>) -> f64 {
    let mut command = Command::new(federate);
    command.args(words).env_clear().envs(environment).current_dir(folder);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let start = Instant::now();
    let status = command.status().unwrap();
    let took = start.elapsed().as_secs_f64() * 1e3;
    assert!(status.success(), "federate {} failed: {status}", words[..2].join(" "));
    took
}
