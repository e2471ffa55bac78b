//! The real AWS CLI: as a child, by a credential process, and in a shell that took the variables over.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value as Json;
use url::Url;

use crate::Test;
use crate::job::{FEDERATE, Job};

pub(crate) const TESTS: &[(&str, Test)] = &[
    ("under_exec", under_exec),
    ("under_exec_in_a_github_job", under_exec_in_a_github_job),
    ("by_credential_process", by_credential_process),
    ("by_env_in_a_shell", by_env_in_a_shell),
    ("by_aws_config", by_aws_config),
    ("a_token_for_eks_is_the_clis", a_token_for_eks_is_the_clis),
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

fn by_aws_config(programs: &Path) {
    let script = "federate aws-config -q -t aws --prefix ci- && aws --profile ci-aws sts get-caller-identity";
    assert!(is_dev(&Job::new(programs).sandbox_prints(&[], &["sh", "-c", script])));
}

/// What a token for EKS says, but for what differs from token to token; its URL's names and values in their order.
fn eks_token(document: &Json) -> (Json, Vec<(String, String)>) {
    let token = document["status"]["token"].as_str().unwrap().strip_prefix("k8s-aws-v1.").unwrap();
    let url = Url::parse(std::str::from_utf8(&URL_SAFE_NO_PAD.decode(token).unwrap()).unwrap()).unwrap();
    let mut said = document.clone();
    for passing in ["token", "expirationTimestamp"] {
        assert!(said["status"].as_object_mut().unwrap().remove(passing).is_some(), "{passing}");
    }
    let mut pairs = vec![("".to_owned(), url[..url::Position::AfterPath].to_owned())];
    pairs.extend(url.query_pairs().into_owned().map(|(name, value)| {
        let passing = ["X-Amz-Date", "X-Amz-Signature"].contains(&name.as_str());
        (name, if passing { value.len().to_string() } else { value })
    }));
    (said, pairs)
}

fn a_token_for_eks_is_the_clis(programs: &Path) {
    let script = "witness aws eks get-token --cluster-name main --output json && federate kube-token -q -t aws --cluster main --cache=never";
    let info =
        r#"KUBERNETES_EXEC_INFO={"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","spec":{}}"#;
    // The credentials differ, so the key's id and the session token are of one length only.
    let done = Job::new(programs).sandbox(&[], &[&["env", info], &EXEC[..], &["sh", "-c", script]].concat());
    assert_eq!(done.code, 0, "{}", done.stderr);
    let mut documents = serde_json::Deserializer::from_str(&done.stdout).into_iter::<Json>().map(Result::unwrap);
    let (theirs, ours) = (eks_token(&documents.next().unwrap()), eks_token(&documents.next().unwrap()));
    assert_eq!(theirs.0, ours.0);
    let shape = |pairs: &[(String, String)]| -> Vec<(String, String)> {
        pairs
            .iter()
            .map(|(name, value)| {
                let is_key = ["X-Amz-Credential", "X-Amz-Security-Token"].contains(&name.as_str());
                let after_key = value.split_once('/').map_or("", |(_, scope)| scope).to_owned();
                (name.clone(), if is_key { after_key } else { value.clone() })
            })
            .filter(|(name, _)| name != "X-Amz-Security-Token")
            .collect()
    };
    assert_eq!(shape(&theirs.1), shape(&ours.1));
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
