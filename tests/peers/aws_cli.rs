//! The real AWS CLI: as a child, by a credential process, and in a shell that took the variables over.

use std::path::Path;

use serde_json::Value as Json;

use crate::Test;
use crate::job::{FEDERATE, Job};

pub(crate) const TESTS: &[(&str, Test)] = &[
    ("under_exec", under_exec),
    ("under_exec_in_a_github_job", under_exec_in_a_github_job),
    ("by_credential_process", by_credential_process),
    ("by_env_in_a_shell", by_env_in_a_shell),
    ("two_targets_are_two_profiles", two_targets_are_two_profiles),
    ("what_would_outrank_the_credentials_is_gone", what_would_outrank_the_credentials_is_gone),
];

const EXEC: [&str; 6] = ["federate", "exec", "-t", "aws", "--", "witness"];
const ASK: [&str; 3] = ["aws", "sts", "get-caller-identity"];

fn role(stdout: &str) -> (String, String) {
    let document: Json = serde_json::from_str(stdout).unwrap_or_else(|_| panic!("{stdout}"));
    let text = |name: &str| document[name].as_str().unwrap().to_owned();
    let arn = text("Arn");
    let role = arn.split('/').nth(1).unwrap().to_owned();
    (text("Account"), role)
}

fn is_dev(stdout: &str) -> bool {
    role(stdout) == ("111122223333".to_owned(), "ledger-deploy".to_owned())
}

fn under_exec(programs: &Path) {
    let job = Job::new(programs);
    assert!(is_dev(&job.sandbox_prints(&[], &[&EXEC[..], &ASK].concat())));
    let prod = job.sandbox_prints(&["-p", "prod"], &[&EXEC[..], &ASK].concat());
    assert_eq!(role(&prod).0, "333344445555");
}

fn under_exec_in_a_github_job(programs: &Path) {
    assert!(is_dev(&Job::new(programs).sandbox_prints(&["--ci", "github"], &[&EXEC[..], &ASK].concat())));
}

fn by_credential_process(programs: &Path) {
    let job = Job::new(programs);
    job.aws_config(&format!(
        "[profile ci]\nregion = eu-west-1\ncredential_process = {} credential-process -t aws\n",
        FEDERATE
    ));
    assert!(is_dev(&job.sandbox_prints(&[], &[&["env", "AWS_PROFILE=ci"], &ASK[..]].concat())));
    // What federate says of a refusal reaches the person through the AWS CLI.
    let refused =
        job.sandbox(&["-p", "prod", "--claim", "ref=feature"], &[&["env", "AWS_PROFILE=ci"], &ASK[..]].concat());
    assert!(refused.code != 0 && refused.stderr.contains("error[aws-access-denied]"), "{}", refused.stderr);
}

fn by_env_in_a_shell(programs: &Path) {
    let script =
        "variables=$(federate env -f sh -t aws) && eval \"$variables\" && exec witness aws sts get-caller-identity";
    assert!(is_dev(&Job::new(programs).sandbox_prints(&[], &["sh", "-c", script])));
}

fn two_targets_are_two_profiles(programs: &Path) {
    let mut job = Job::new(programs);
    let audit = "extends = [\"dev\"]\n[targets.audit]\ntype = \"aws\"\nrole_arn = \"arn:aws:iam::444455556666:role/audit\"\n\
                 region = \"us-east-1\"\n[targets.audit.trust]\nallow = [{ identity = \"gitlab\", project = \"quarry-street/ledger\", branch_pattern = \"*\" }]\n";
    job.workshop.profile("both", audit);
    job.aws_config("[default]\noutput = json\n");
    let script = "witness aws sts get-caller-identity >plain && witness aws --profile audit sts get-caller-identity >audit \
                  && test \"$(aws --profile audit configure get region)\" = us-east-1";
    let both = ["federate", "exec", "-t", "aws", "-t", "audit", "--", "witness", "sh", "-c", script];
    job.sandbox_prints(&["-p", "both"], &both);
    let printed = |name: &str| std::fs::read_to_string(job.workshop.path("project").join(name)).unwrap();
    assert!(is_dev(&printed("plain")));
    assert_eq!(role(&printed("audit")), ("444455556666".to_owned(), "audit".to_owned()));
}

fn what_would_outrank_the_credentials_is_gone(programs: &Path) {
    let stale = [
        "env",
        "AWS_PROFILE=nobody",
        "AWS_SECURITY_TOKEN=stale",
        "AWS_ROLE_ARN=arn:aws:iam::111122223333:role/stale",
        "AWS_WEB_IDENTITY_TOKEN_FILE=/nowhere",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI=http://127.0.0.1:9/stale",
    ];
    assert!(is_dev(&Job::new(programs).sandbox_prints(&[], &[&stale[..], &EXEC, &ASK].concat())));
}
