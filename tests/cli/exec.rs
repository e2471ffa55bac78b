//! `exec`: the child's environment, its exit code, and what is left of its files.

use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Stdio;
use std::time::Duration;

use federate_core::testing::jwt;
use serde_json::json;

use crate::support::{
    Canned, SECRET_KEY, SESSION_TOKEN, Workshop, azure_base, entra_success, finish, gitlab_claims, http, leftovers,
    sts_success, with,
};

fn workshop() -> (Canned, Workshop) {
    let sts = Canned::answering(sts_success());
    let workshop = Workshop::gitlab_aws(&sts.url);
    (sts, workshop)
}

#[test]
fn the_child_has_the_credentials_and_nothing_that_outranks_them() {
    let (sts, mut workshop) = workshop();
    workshop.set("AWS_PROFILE", "stale").set("AWS_ACCESS_KEY_ID", "AKIASTALE").set("AWS_ROLE_ARN", "stale");
    let done = workshop.run(&["exec", "--", "env"]);
    assert_eq!(done.code, 0, "{}", done.stderr);
    for expected in [
        "AWS_ACCESS_KEY_ID=ASIAEXAMPLEKEYID0001",
        &format!("AWS_SECRET_ACCESS_KEY={SECRET_KEY}"),
        &format!("AWS_SESSION_TOKEN={SESSION_TOKEN}"),
        "AWS_REGION=eu-west-1",
    ] {
        assert!(done.stdout.lines().any(|line| line == expected), "{expected}: {}", done.stdout);
    }
    assert!(!done.stdout.contains("stale") && !done.stdout.contains("AKIASTALE"), "{}", done.stdout);
    let requests = sts.requests();
    assert!(requests[0].starts_with("POST / HTTP/1.1"), "the token belongs into the body: {}", requests[0]);
    let kept = workshop.run(&["exec", "--keep-env", "--", "env"]);
    assert!(kept.stdout.contains("AWS_PROFILE=stale"), "{}", kept.stdout);
}

#[test]
fn isolate_takes_the_jobs_identity_away() {
    let (_sts, workshop) = workshop();
    let done = workshop.run(&["exec", "--isolate", "--", "env"]);
    assert_eq!(done.code, 0, "{}", done.stderr);
    assert!(!done.stdout.contains("AWS_ID_TOKEN"), "{}", done.stdout);
    assert!(workshop.run(&["exec", "--", "env"]).stdout.contains("AWS_ID_TOKEN"));
}

#[test]
fn an_isolated_federate_is_not_told_to_ask_for_a_token() {
    let (_sts, workshop) = workshop();
    let federate = env!("CARGO_BIN_EXE_federate");
    for inner in [&["credential-process"][..], &["token"]] {
        let done = workshop.run(&[&["exec", "--isolate", "--", federate], inner].concat());
        assert_eq!(done.code, 3, "{}", done.stderr);
        assert!(
            done.stderr.contains("token-missing") && done.stderr.contains("inside of `federate"),
            "{}",
            done.stderr
        );
        assert!(!done.stderr.contains("id_tokens"), "{}", done.stderr);
    }
}

#[test]
fn exit_codes_are_the_childs() {
    let (_sts, workshop) = workshop();
    for (script, code) in [("exit 0", 0), ("exit 3", 3), ("kill -TERM $$", 143), ("kill -KILL $$", 137)] {
        assert_eq!(workshop.run(&["exec", "--", "sh", "-c", script]).code, code, "{script}");
    }
    assert_eq!(workshop.run(&["exec", "--", "no-such-command-anywhere"]).code, 127);
    assert_eq!(workshop.run(&["exec", "--", "/"]).code, 126);
    assert_eq!(workshop.run(&["exec", "--no-such-flag", "--", "true"]).code, 125);
    assert_eq!(workshop.run(&["exec"]).code, 125);
}

#[test]
fn arguments_reach_the_child_as_they_are() {
    let (_sts, workshop) = workshop();
    let done = workshop.run(&["exec", "--", "printf", "%s|", "$HOME", "a b", "", "*", "`id`", "-p"]);
    assert_eq!(done.stdout, "$HOME|a b||*|`id`|-p|");
}

/// An Azure job in the sandbox whose child tells about its token file and then waits.
fn azure_child(script: &str) -> (tempfile::TempDir, std::process::Child) {
    let runtime = tempfile::tempdir().unwrap();
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_federate"));
    command
        .args(["sandbox", "--", "federate", "exec", "-p", "prod", "-t", "azure", "--", "sh", "-c", script])
        .env_clear()
        .env("HOME", runtime.path())
        .env("XDG_RUNTIME_DIR", runtime.path())
        .env("PATH", "/usr/local/bin:/usr/bin:/bin")
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let child = command.spawn().unwrap();
    (runtime, child)
}

#[test]
fn a_token_file_is_private_and_goes_with_the_child() {
    let (runtime, child) = azure_child(
        "stat -c '%a' \"$AZURE_FEDERATED_TOKEN_FILE\"; dirname \"$AZURE_FEDERATED_TOKEN_FILE\" | xargs stat -c '%a'; echo \"$AZURE_FEDERATED_TOKEN_FILE\"; exit 9",
    );
    let done = finish(child.wait_with_output().unwrap());
    assert_eq!(done.code, 9, "{}", done.stderr);
    let lines: Vec<&str> = done.stdout.lines().collect();
    assert_eq!(lines[..2], ["600", "700"], "{}", done.stdout);
    assert!(!std::path::Path::new(lines[2]).exists(), "the token file was left behind");
    assert_eq!(leftovers(runtime.path()), Vec::<std::path::PathBuf>::new());
}

#[test]
fn a_token_file_goes_when_the_job_is_cancelled() {
    let (runtime, mut child) = azure_child("echo \"$AZURE_FEDERATED_TOKEN_FILE $PPID\"; exec sleep 60");
    let mut told = Vec::new();
    let mut byte = [0_u8];
    while child.stdout.as_mut().unwrap().read(&mut byte).unwrap() == 1 && byte[0] != b'\n' {
        told.push(byte[0]);
    }
    let told = String::from_utf8(told).unwrap();
    let (file, federate) = told.split_once(' ').unwrap();
    assert_eq!(std::fs::metadata(file).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(std::process::Command::new("kill").args(["-TERM", federate]).status().unwrap().success());
    let mut waited = Duration::ZERO;
    while std::path::Path::new(file).exists() && waited < Duration::from_secs(20) {
        std::thread::sleep(Duration::from_millis(50));
        waited += Duration::from_millis(50);
    }
    assert!(!std::path::Path::new(file).exists(), "the token file was left behind");
    let done = finish(child.wait_with_output().unwrap());
    assert_eq!(done.code, 143, "{}", done.stderr);
    assert_eq!(leftovers(runtime.path()), Vec::<std::path::PathBuf>::new());
}

#[test]
fn two_principals_of_one_variable_are_refused_before_the_network() {
    let entra = Canned::answering(http("200 OK", "application/json", "{}"));
    let target = |name: &str, client: u8| {
        format!(
            "[targets.{name}]\ntype = \"azure\"\ntenant_id = \"00000000-0000-0000-0000-000000000001\"\nclient_id = \"00000000-0000-0000-0000-00000000000{client}\"\nauthority_host = \"{}\"\nresource_manager_url = \"{}\"\n",
            entra.url, entra.url
        )
    };
    let mut workshop = Workshop::new();
    workshop.profile("base", &format!("{}{}", target("one", 1), target("two", 2))).gitlab_job();
    let azure = jwt(&with(gitlab_claims(), json!({"aud": "api://AzureADTokenExchange"})));
    workshop.set("AZURE_ID_TOKEN", &azure);
    let done = workshop.run_quietly(&["exec", "-t", "one", "-t", "two", "-o", "json", "--", "true"]);
    assert_eq!(done.code, 125, "{}", done.stderr);
    for expected in ["azure-target-conflict", "`one` and `two`", "AZURE_CLIENT_ID"] {
        assert!(done.stderr.contains(expected), "{expected}: {}", done.stderr);
    }
    assert_eq!(workshop.run_quietly(&["env", "-t", "*", "--token-file", "token"]).code, 2);
    assert!(entra.requests().is_empty(), "{:?}", entra.requests());
}

#[test]
fn an_az_that_is_not_there_is_no_command_that_was_not_found() {
    let entra = Canned::answering(entra_success());
    let mut workshop = Workshop::new();
    let claims = with(gitlab_claims(), json!({"aud": "api://AzureADTokenExchange"}));
    workshop.profile("base", &azure_base(&entra.url)).gitlab_job().set("AWS_ID_TOKEN", &jwt(&claims));
    workshop.set("PATH", "/nonexistent");
    let done = workshop.run_quietly(&["exec", "--az-login", "--", "/bin/echo", "ran"]);
    assert_eq!((done.code, done.stdout.as_str()), (125, ""), "{}", done.stderr);
    assert!(
        done.stderr.contains("error[setup-failed]") && done.stderr.contains("is `az` installed"),
        "{}",
        done.stderr
    );
}

#[test]
fn a_federate_inside_finds_the_profiles_that_were_named() {
    let (_sts, workshop) = workshop();
    std::fs::create_dir(workshop.path("elsewhere")).unwrap();
    let mut command =
        workshop.command(&["--profiles-dir", "../project/profiles", "exec", "-t", "aws", "--", "sh", "-c"]);
    command.arg(format!("cd / && {} plan -o json", env!("CARGO_BIN_EXE_federate")));
    let done = finish(command.current_dir(workshop.path("elsewhere")).output().unwrap());
    assert!(done.code == 0 && done.stdout.contains("arn:aws:iam::111122223333:role/deploy"), "{}", done.stderr);
}
