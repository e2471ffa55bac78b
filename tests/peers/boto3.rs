//! boto3 finds the credentials where its own chain looks for them.

use std::path::Path;

use crate::Test;
use crate::job::{FEDERATE, Job};

pub(crate) const TESTS: &[(&str, Test)] = &[
    ("under_exec", under_exec),
    ("by_credential_process", by_credential_process),
    ("by_aws_config", by_aws_config),
    ("by_env_in_a_shell", by_env_in_a_shell),
];

const ARN: &str = "arn:aws:sts::111122223333:assumed-role/ledger-deploy/dev-";

fn job(programs: &Path) -> Job {
    let job = Job::new(programs);
    job.program("identity", &format!("#!/usr/bin/env python3\n{}", include_str!("clients/boto3_identity.py")));
    job
}

fn under_exec(programs: &Path) {
    let command = ["federate", "exec", "-t", "aws", "--", "witness", "identity"];
    let printed = job(programs).sandbox_prints(&[], &command);
    assert!(printed.starts_with(&format!("env eu-west-1 {ARN}")), "{printed}");
}

fn by_credential_process(programs: &Path) {
    let job = job(programs);
    let process = format!("credential_process = {} credential-process -t aws", FEDERATE);
    job.aws_config(&format!("[profile ci]\nregion = eu-west-1\n{process}\n"));
    let printed = job.sandbox_prints(&[], &["identity", "ci"]);
    assert!(printed.starts_with(&format!("custom-process eu-west-1 {ARN}")), "{printed}");
}

/// A directory that has to be quoted: botocore splits the command by shell rules, without a shell.
const QUOTED: &str =
    "cp -r profiles \"it's \\$HOME\" && federate --profiles-dir \"it's \\$HOME\" aws-config -q -t aws --prefix 'ci '";

fn by_aws_config(programs: &Path) {
    let job = job(programs);
    job.aws_config("# mine\n[profile ci-aws]\nregion = us-east-1\n");
    let printed = job.sandbox_prints(&[], &["sh", "-c", &format!("{QUOTED} && identity 'ci aws'")]);
    assert!(printed.starts_with(&format!("custom-process eu-west-1 {ARN}")), "{printed}");
    let file = std::fs::read_to_string(job.workshop.path("home/.aws/config")).unwrap();
    assert!(file.starts_with("# mine\n[profile ci-aws]\nregion = us-east-1\n\n[profile \"ci aws\"]\n"), "{file}");
}

fn by_env_in_a_shell(programs: &Path) {
    let script = "variables=$(federate env -f sh -t aws) && eval \"$variables\" && exec witness identity";
    let printed = job(programs).sandbox_prints(&["--ci", "github"], &["sh", "-c", script]);
    assert!(printed.starts_with(&format!("env eu-west-1 {ARN}")), "{printed}");
}
