//! The main job on the sample profiles: a job becomes a role and an application, or is told why not.

use std::process::Command;

use crate::support::{Done, finish};

/// `federate sandbox ARGUMENTS` in the repository, in an environment of its own.
fn sandbox(arguments: &[&str]) -> Done {
    sandbox_with(arguments, &[])
}

/// The same, with these variables.
fn sandbox_with(arguments: &[&str], variables: &[(&str, &str)]) -> Done {
    let home = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_federate"));
    command
        .arg("sandbox")
        .args(arguments)
        .env_clear()
        .env("HOME", home.path())
        .env("XDG_RUNTIME_DIR", home.path())
        .env("PATH", "/usr/local/bin:/usr/bin:/bin")
        .envs(variables.iter().copied())
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."));
    finish(command.output().unwrap())
}

#[test]
fn a_job_on_main_becomes_a_role_and_an_application() {
    let done = sandbox(&["--", "federate", "whoami", "-p", "prod"]);
    assert_eq!(done.code, 0, "{}", done.stderr);
    assert!(done.stdout.contains("arn:aws:sts::333344445555:assumed-role/ledger-deploy/prod-"), "{}", done.stdout);
    assert!(done.stdout.contains("application 00000000-0000-0000-0000-000000000022 in tenant"), "{}", done.stdout);
}

#[test]
fn a_job_on_another_branch_is_refused_with_the_reason() {
    let done = sandbox(&["--claim", "ref=feature", "--", "federate", "whoami", "-p", "prod"]);
    assert_eq!(done.code, 4, "{}", done.stderr);
    assert_eq!(done.stdout, "");
    for expected in
        ["aws-access-denied", "azure-no-matching-credential", "AADSTS700213", "ref:feature", "profiles/prod.toml:3"]
    {
        assert!(done.stderr.contains(expected), "{expected}: {}", done.stderr);
    }
    let dev = sandbox(&["--claim", "ref=feature", "--", "federate", "whoami", "-p", "dev"]);
    assert_eq!(dev.code, 0, "{}", dev.stderr);
}

#[test]
fn the_command_sees_the_layers_that_the_clouds_were_made_of() {
    let role = "arn:aws:iam::333344445555:role/other";
    let words = ["--", "federate", "whoami", "-p", "prod", "-t", "aws"];
    let flag = sandbox(&[&["--set", &format!("targets.aws.role_arn={role}")], &words[..]].concat());
    let variable = sandbox_with(&words, &[("FEDERATE__TARGETS__AWS__ROLE_ARN", role)]);
    for done in [flag, variable] {
        assert_eq!(done.code, 0, "{}", done.stderr);
        assert!(done.stdout.contains("assumed-role/other/"), "{}", done.stdout);
    }
    let token = sandbox(&["-q", "--", "sh", "-c", "printenv AWS_ID_TOKEN"]).stdout;
    let real = [("FEDERATE__REAL", token.trim()), ("FEDERATE_CI", "gitlab"), ("SYSTEM_ACCESSTOKEN", "canary")];
    let left = sandbox_with(&["-q", "--", "env"], &real).stdout;
    assert!(!left.contains(token.trim()) && !left.contains("canary") && !left.contains("FEDERATE_CI"), "{left}");
}

#[test]
fn a_github_job_needs_the_environment() {
    let words = ["--", "federate", "whoami", "-p", "prod"];
    assert_eq!(sandbox(&[&["--ci", "github"], &words[..]].concat()).code, 4);
    let done = sandbox(&[&["--ci", "github", "--claim", "environment=production"], &words[..]].concat());
    assert_eq!(done.code, 0, "{}", done.stderr);
}

#[test]
fn the_guided_run_shows_both() {
    let done = sandbox(&["-p", "prod", "--tour"]);
    assert_eq!(done.code, 0, "{}", done.stderr);
    let all = format!("{}{}", done.stdout, done.stderr);
    assert!(all.contains("assumed-role/ledger-deploy") && all.contains("(exit code 4)"), "{all}");
    // What it prints can be typed.
    for typed in
        ["$ federate token -p prod -t aws\n", "$ federate whoami -p prod\n", "$ federate exec -p prod -- sh -c 'env |"]
    {
        assert!(all.contains(typed), "{typed}: {all}");
    }
}

#[test]
fn the_guided_run_of_a_profile_for_every_branch_shows_a_strangers_job() {
    for (ci, claim) in [("gitlab", "project_path=mallory/ledger"), ("github", "repository=mallory/ledger")] {
        let done = sandbox(&["-p", "dev", "--tour", "--ci", ci]);
        assert_eq!(done.code, 0, "{}", done.stderr);
        assert!(done.stderr.contains("(exit code 0)") && done.stderr.contains("(exit code 4)"), "{}", done.stderr);
        assert!(done.stderr.contains(&format!("--claim {claim}")), "{}", done.stderr);
    }
}

#[test]
fn a_childs_exit_code_is_the_sandboxs() {
    assert_eq!(sandbox(&["--", "sh", "-c", "exit 7"]).code, 7);
    assert_eq!(sandbox(&["--", "no-such-command-anywhere"]).code, 127);
    assert_eq!(sandbox(&["--ci", "jenkinz", "--", "true"]).code, 125);
}
