//! Clients whose credentials live for seconds, and which ask federate's endpoint for the next ones.

use std::path::Path;

use crate::Test;
use crate::job::Job;

pub(crate) const TESTS: &[(&str, Test)] = &[
    ("the_aws_cli_across_renewals", the_aws_cli_across_renewals),
    ("boto3_across_renewals", boto3_across_renewals),
    ("boto3_across_renewals_of_a_profile", boto3_across_renewals_of_a_profile),
    ("azure_identity_across_renewals", azure_identity_across_renewals),
    ("azure_identity_in_an_isolated_github_job", azure_identity_in_an_isolated_github_job),
    ("the_aws_cli_by_serve_in_a_shell", the_aws_cli_by_serve_in_a_shell),
];

const SECONDS: [&str; 2] = ["--credential-lifetime", "3s"];
const ROLE: &str = "arn:aws:sts::111122223333:assumed-role/ledger-deploy/dev-";
const APPLICATION: &str =
    "00000000-0000-0000-0000-000000000001 00000000-0000-0000-0000-000000000002 https://vault.azure.net";

fn job(programs: &Path) -> Job {
    let job = Job::new(programs);
    for (name, text) in
        [("ask-aws", include_str!("clients/boto3_served.py")), ("ask-azure", include_str!("clients/azure_served.py"))]
    {
        job.program(name, &format!("#!/usr/bin/env python3\n{text}"));
    }
    job
}

fn exec<'a>(more: &[&'a str], command: &[&'a str]) -> Vec<&'a str> {
    [&["federate", "exec"], more, &["--", "witness"], command].concat()
}

fn the_aws_cli_across_renewals(programs: &Path) {
    let job = job(programs);
    // Keys in the user's files would win over the endpoint.
    job.aws_config("[default]\naws_access_key_id = AKIASTALE\naws_secret_access_key = stale\noutput = json\n");
    let script = "for round in 1 2 3 4 5 6; do aws sts get-caller-identity --query Arn || exit 9; sleep 1; done \
                  && aws --profile aws sts get-caller-identity --query Arn";
    let done = job.sandbox(&SECONDS, &exec(&["--serve", "-t", "aws"], &["sh", "-c", script]));
    assert_eq!(done.code, 0, "{}", done.stderr);
    assert_eq!(done.stdout.matches(ROLE).count(), 7, "{}", done.stdout);
    let exchanges = done.stderr.matches("AssumeRoleWithWebIdentity role/ledger-deploy -> 200").count();
    assert!(exchanges > 3, "{exchanges} exchanges: {}", done.stderr);
}

fn boto3_across_renewals(programs: &Path) {
    let printed = job(programs).sandbox_prints(&SECONDS, &exec(&["--serve", "-t", "aws"], &["ask-aws", "3"]));
    assert!(printed.starts_with(&format!("container-role {ROLE}")), "{printed}");
}

fn boto3_across_renewals_of_a_profile(programs: &Path) {
    let mut job = job(programs);
    let audit = "extends = [\"dev\"]\n[targets.audit]\ntype = \"aws\"\nrole_arn = \"arn:aws:iam::444455556666:role/audit\"\n\
                 region = \"us-east-1\"\n[targets.audit.trust]\nallow = [{ identity = \"gitlab\", project = \"quarry-street/ledger\", branch_pattern = \"*\" }]\n";
    job.workshop.profile("both", audit);
    let command = exec(&["--serve", "-t", "aws", "-t", "audit"], &["ask-aws", "3", "audit"]);
    let printed = job.sandbox_prints(&[&["-p", "both"], &SECONDS[..]].concat(), &command);
    assert!(printed.starts_with("custom-process arn:aws:sts::444455556666:assumed-role/audit/"), "{printed}");
}

fn azure_identity_across_renewals(programs: &Path) {
    let printed = job(programs).sandbox_prints(&SECONDS, &exec(&["--serve", "-t", "azure"], &["ask-azure", "3"]));
    assert_eq!(printed.trim(), APPLICATION);
}

fn azure_identity_in_an_isolated_github_job(programs: &Path) {
    // The job's tokens live for seconds as well, and are issued again.
    let sandbox = [&["--ci", "github", "--token-lifetime", "4s"], &SECONDS[..]].concat();
    let printed = job(programs).sandbox_prints(&sandbox, &exec(&["--isolate", "-t", "azure"], &["ask-azure", "3"]));
    assert_eq!(printed.trim(), APPLICATION);
}

fn the_aws_cli_by_serve_in_a_shell(programs: &Path) {
    let script = "eval \"$(federate serve -t aws --pid-file pid &)\" \
                  && for round in 1 2 3 4 5; do witness aws sts get-caller-identity --query Arn || exit 9; sleep 1; done; \
                  kill $(cat pid); while [ -e pid ]; do sleep 0.1; done";
    let printed = job(programs).sandbox_prints(&SECONDS, &["sh", "-c", script]);
    assert_eq!(printed.matches(ROLE).count(), 5, "{printed}");
}
