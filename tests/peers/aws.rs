//! The aws CLI and boto3 with credentials from `exec`, `env` and `credential-process`, asking the sandbox's STS.

use std::path::Path;

use crate::Test;
use crate::workshop::Job;

pub(crate) const TESTS: &[Test] = &[
    ("aws_cli_as_child", aws_cli_as_child),
    ("aws_cli_after_env", aws_cli_after_env),
    ("aws_cli_with_credential_process", aws_cli_with_credential_process),
    ("aws_cli_with_two_targets", aws_cli_with_two_targets),
    ("boto3_as_child", boto3_as_child),
];

const ROLE: &str = "arn:aws:sts::333344445555:assumed-role/ledger-deploy/prod-";
const ASK: [&str; 5] = ["aws", "sts", "get-caller-identity", "--output", "json"];

fn aws_cli_as_child(bin: &Path) {
    let words = ["sandbox", "--", "federate", "exec", "-p", "prod", "-t", "aws", "--"];
    let done = Job::new(bin).federate(&[&words[..], &ASK[..]].concat());
    assert!(done.stdout.contains(ROLE), "{}", done.stdout);
}

fn aws_cli_after_env(bin: &Path) {
    let script = format!("eval \"$(federate env -p prod -t aws -f sh)\" && {}", ASK.join(" "));
    let done = Job::new(bin).federate(&["sandbox", "--", "sh", "-c", &script]);
    assert!(done.stdout.contains(ROLE), "{}", done.stdout);
}

fn aws_cli_with_credential_process(bin: &Path) {
    let job = Job::new(bin);
    let config = job.file(
        "aws-config",
        "[profile ci]\nregion = eu-west-1\ncredential_process = federate credential-process -p prod -t aws\n",
    );
    let script = format!("AWS_CONFIG_FILE={} {} --profile ci", config.display(), ASK.join(" "));
    let done = job.federate(&["sandbox", "--", "sh", "-c", &script]);
    assert!(done.stdout.contains(ROLE), "{}", done.stdout);
}

fn aws_cli_with_two_targets(bin: &Path) {
    let second = "targets.audit={type='aws', role_arn='arn:aws:iam::333344445555:role/audit', region='eu-central-1', session_name='audit', trust={allow=[{identity='gitlab', project='quarry-street/ledger', branch='main'}]}}";
    let script =
        format!("{ask} && {ask} --profile audit && aws configure get region --profile audit", ask = ASK.join(" "));
    let done = Job::new(bin).federate(&[
        "sandbox", "-p", "prod", "--set", second, "--", "federate", "exec", "-p", "prod", "--set", second, "-t", "aws",
        "-t", "audit", "--", "sh", "-c", &script,
    ]);
    assert!(done.stdout.contains(ROLE) && done.stdout.contains("assumed-role/audit/audit"), "{}", done.stdout);
    assert!(done.stdout.contains("eu-central-1"), "{}", done.stdout);
}

fn boto3_as_child(bin: &Path) {
    let job = Job::new(bin);
    let script = job.file("who.py", "import boto3\nprint(boto3.client('sts').get_caller_identity()['Arn'])\n");
    let script = script.display().to_string();
    let done = job.federate(&["sandbox", "--", "federate", "exec", "-p", "prod", "-t", "aws", "--", "python", &script]);
    assert!(done.stdout.contains(ROLE), "{}", done.stdout);
}
