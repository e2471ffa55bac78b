//! The forms that boto3 and azure-identity send for an exchange, and ours, field by field.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use federate_core::testing::jwt;
use federate_http::{Answer, Incoming};
use serde_json::{Value as Json, json};

use crate::Test;
use crate::job::Job;
use crate::recorder::Recorder;
use crate::workshop::{SECRET_KEY, SESSION_TOKEN, aws_base, finish, gitlab_claims, sts_success, with};

pub(crate) const TESTS: &[(&str, Test)] = &[
    ("boto3_assume_role_with_web_identity", boto3_assume_role_with_web_identity),
    ("boto3_by_its_own_variables", boto3_by_its_own_variables),
    ("boto3_assume_role", boto3_assume_role),
    ("azure_identity_client_assertion", azure_identity_client_assertion),
];

type Form = Vec<(String, String)>;

/// STS, which says yes to both ways of assuming a role.
fn sts(request: &Incoming) -> Answer {
    let action = request.form().into_iter().find(|(name, _)| name == "Action").unwrap().1;
    let whole = sts_success();
    let body = whole.split_once("\r\n\r\n").unwrap().1.replace("AssumeRoleWithWebIdentity", &action);
    Answer::text(200, "text/xml", body)
}

const POLICY: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:Get*","Resource":"*"}]}"#;
const POLICY_ARN: &str = "arn:aws:iam::aws:policy/ReadOnlyAccess";

/// What federate sends to STS under this profile, as the variables stand in a GitLab job.
fn ours(programs: &Path, settings: &str) -> Vec<Form> {
    let recorder = Recorder::plain(sts);
    let mut job = Job::new(programs);
    let base = format!("{}{settings}", aws_base(&recorder.url));
    job.workshop.profile("base", &base).gitlab_job().set("AWS_ID_TOKEN", &token());
    job.note_tokens();
    let done = job.federate(&["exec", "--", "true"]);
    assert_eq!(done.code, 0, "{}", done.stderr);
    recorder.forms()
}

/// The same token in every request of this process, whenever it is made.
fn token() -> String {
    static TOKEN: std::sync::OnceLock<String> = std::sync::OnceLock::new();
    TOKEN.get_or_init(|| jwt(&gitlab_claims())).clone()
}

/// What a Python client sends to STS, with these variables and this on its stdin.
fn theirs(programs: &Path, script: &str, argument: &str, variables: &[(&str, &str)], stdin: &Json) -> Form {
    let recorder = Recorder::plain(sts);
    let job = Job::new(programs);
    let mut command = Command::new(programs.join("python3"));
    command.args(["-c", script, argument]).env_clear().env("HOME", job.workshop.path("home"));
    command.env("AWS_ENDPOINT_URL_STS", &recorder.url).env("AWS_DEFAULT_REGION", "eu-west-1");
    command.env("AWS_EC2_METADATA_DISABLED", "true").env("WITNESSED", "/dev/null").envs(variables.iter().copied());
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(stdin.to_string().as_bytes()).unwrap();
    let done = finish(child.wait_with_output().unwrap());
    recorder.forms().into_iter().next().unwrap_or_else(|| panic!("nothing was sent: {}", done.stderr))
}

fn boto3_assume_role_with_web_identity(programs: &Path) {
    let parameters = json!({
        "RoleArn": "arn:aws:iam::111122223333:role/deploy",
        "RoleSessionName": "ci",
        "WebIdentityToken": token(),
        "DurationSeconds": 2700,
        "Policy": POLICY,
        "PolicyArns": [{"arn": POLICY_ARN}, {"arn": "arn:aws:iam::111122223333:policy/own"}],
    });
    let script = include_str!("clients/boto3_send.py");
    let boto3 = theirs(programs, script, "assume_role_with_web_identity", &[], &parameters);
    let settings = format!(
        "duration = \"45m\"\npolicy = '{POLICY}'\npolicy_arns = [\"{POLICY_ARN}\", \"arn:aws:iam::111122223333:policy/own\"]\n"
    );
    assert_eq!(ours(programs, &settings), [boto3]);
}

fn boto3_by_its_own_variables(programs: &Path) {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), token()).unwrap();
    let path = file.path().display().to_string();
    let variables = [
        ("AWS_ROLE_ARN", "arn:aws:iam::111122223333:role/deploy"),
        ("AWS_ROLE_SESSION_NAME", "ci"),
        ("AWS_WEB_IDENTITY_TOKEN_FILE", path.as_str()),
    ];
    let boto3 = theirs(programs, include_str!("clients/boto3_identity.py"), "", &variables, &Json::Null);
    let mut federate = ours(programs, "").remove(0);
    // On purpose: boto3 leaves the duration to STS, whose default is an hour; federate always says what the profile says.
    let duration = federate.iter().position(|(name, _)| name == "DurationSeconds").unwrap();
    assert_eq!(federate.remove(duration).1, "3600");
    assert_eq!(federate, boto3);
}

fn boto3_assume_role(programs: &Path) {
    let parameters = json!({
        "RoleArn": "arn:aws:iam::444455556666:role/audit",
        "RoleSessionName": "hop",
        "DurationSeconds": 900,
        "ExternalId": "a/b+c=d",
        "SourceIdentity": "ci-4711",
        "Tags": [{"Key": "cost", "Value": "12 €"}, {"Key": "team", "Value": "Kühe & Söhne"}],
        "TransitiveTagKeys": ["team"],
        "PolicyArns": [{"arn": POLICY_ARN}],
    });
    let keys = [
        ("AWS_ACCESS_KEY_ID", "ASIAEXAMPLEKEYID0001"),
        ("AWS_SECRET_ACCESS_KEY", SECRET_KEY),
        ("AWS_SESSION_TOKEN", SESSION_TOKEN),
    ];
    let boto3 = theirs(programs, include_str!("clients/boto3_send.py"), "assume_role", &keys, &parameters);
    let settings = format!(
        "duration = \"15m\"\npolicy_arns = [\"{POLICY_ARN}\"]\nchain = [{{ role_arn = \"arn:aws:iam::444455556666:role/audit\", \
         session_name = \"hop\", external_id = \"a/b+c=d\", source_identity = \"ci-4711\", transitive_tags = [\"team\"], \
         tags = {{ cost = \"12 €\", team = \"Kühe & Söhne\" }} }}]\n"
    );
    assert_eq!(ours(programs, &settings)[1], boto3);
}

const TENANT: &str = "00000000-0000-0000-0000-000000000001";
const CLIENT: &str = "00000000-0000-0000-0000-000000000002";

fn entra(_: &Incoming) -> Answer {
    let access = jwt(&json!({"tid": TENANT, "appid": CLIENT, "aud": "https://management.azure.com"}));
    Answer::json(200, &json!({"token_type": "Bearer", "expires_in": 3599, "access_token": access}))
}

fn azure_identity_client_assertion(programs: &Path) {
    let mut job = Job::new(programs);
    let certificate = job.workshop.path("entra.pem");
    let recorder = Recorder::tls(&certificate, entra);
    let token = jwt(&with(gitlab_claims(), json!({"aud": "api://AzureADTokenExchange"})));
    let base = format!(
        "[targets.azure]\ntype = \"azure\"\ntenant_id = \"{TENANT}\"\nclient_id = \"{CLIENT}\"\nauthority_host = \"{}\"\n",
        recorder.url
    );
    let certificate = certificate.display().to_string();
    job.workshop.profile("base", &base).gitlab_job().set("AWS_ID_TOKEN", &token);
    job.workshop.set("SSL_CERT_FILE", &certificate).set("REQUESTS_CA_BUNDLE", &certificate);
    job.note_tokens();
    job.program("azure-token", &format!("#!/usr/bin/env python3\n{}", include_str!("clients/azure_token.py")));
    let ask = ["azure-token", "WorkloadIdentityCredential", "https://management.azure.com/.default"];
    let done = job.federate(&[&["exec", "--", "witness"], &ask[..]].concat());
    assert_eq!(done.code, 0, "{}", done.stderr);
    let [federate, azure_identity] = recorder.forms().try_into().unwrap();
    assert_eq!(federate, azure_identity);
}
