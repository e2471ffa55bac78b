//! The forms that boto3 and azure-identity themselves send for the same exchange, compared with ours field by field.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use crate::Test;
use crate::support::{Canned, Workshop, aws_base, http, sts_success};

pub(crate) const TESTS: &[Test] =
    &[("body_as_boto3_sends_it", as_boto3), ("body_as_azure_identity_sends_it", as_azure_identity)];

/// The form of the last request, and its content type without parameters.
fn form(server: &Canned) -> (BTreeMap<String, String>, String) {
    let request = server.requests().pop().unwrap();
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    let content_type =
        head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-type:").map(str::to_owned));
    let content_type = content_type.unwrap().split(';').next().unwrap().trim().to_owned();
    (url::form_urlencoded::parse(body.as_bytes()).into_owned().collect(), content_type)
}

fn python(bin: &Path, script: &str, arguments: &[&str], variables: &[(&str, &str)]) {
    let done = Command::new(bin.join("python"))
        .args(["-c", script])
        .args(arguments)
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .envs(variables.iter().copied())
        .output()
        .unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}

fn as_boto3(bin: &Path) {
    let server = Canned::answering(sts_success());
    let mut workshop = Workshop::gitlab_aws(&server.url);
    let more = "policy = '{\"Version\":\"2012-10-17\",\"Statement\":[]}'\npolicy_arns = [\"arn:aws:iam::aws:policy/ReadOnlyAccess\"]\nduration = \"30m\"\n";
    workshop.profile("base", &format!("{}{more}", aws_base(&server.url)));
    assert_eq!(workshop.run(&["env"]).code, 0);
    let ours = form(&server);
    let script = "\
import sys
import boto3
from botocore import UNSIGNED
from botocore.config import Config
client = boto3.client('sts', endpoint_url=sys.argv[1], region_name='eu-west-1', config=Config(signature_version=UNSIGNED))
client.assume_role_with_web_identity(
    RoleArn='arn:aws:iam::111122223333:role/deploy', RoleSessionName='ci', WebIdentityToken=sys.argv[2], DurationSeconds=1800,
    Policy='{\"Version\":\"2012-10-17\",\"Statement\":[]}', PolicyArns=[{'arn': 'arn:aws:iam::aws:policy/ReadOnlyAccess'}])
";
    python(bin, script, &[&server.url, &ours.0["WebIdentityToken"]], &[]);
    let theirs = form(&server);
    assert_eq!(ours, theirs);
}

fn as_azure_identity(bin: &Path) {
    let answer = http(
        "200 OK",
        "application/json",
        "{\"token_type\":\"Bearer\",\"expires_in\":3599,\"access_token\":\"eyJ.canary.x\"}",
    );
    let server = Canned::answering(answer);
    let mut workshop = Workshop::new();
    let token = federate_core::testing::jwt(&crate::support::with(
        crate::support::gitlab_claims(),
        serde_json::json!({"aud": "api://AzureADTokenExchange"}),
    ));
    workshop.gitlab_job().set("AZURE_ID_TOKEN", &token).profile(
        "base",
        &format!(
            "[targets.azure]\ntype = \"azure\"\ntenant_id = \"00000000-0000-0000-0000-000000000001\"\nclient_id = \"00000000-0000-0000-0000-000000000002\"\nauthority_host = \"{}\"\nresource_manager_url = \"{}\"\nscopes = [\"https://management.azure.com/.default\"]\n",
            server.url, server.url
        ),
    );
    let done = workshop.run(&["exec", "--", "true"]);
    assert_eq!(done.code, 0, "{}", done.stderr);
    let ours = form(&server);
    let file = workshop.path("token");
    std::fs::write(&file, &token).unwrap();
    // azure-identity insists on https; its transport is led to the same server over http.
    let script = "\
import sys
from azure.core.pipeline.transport import RequestsTransport
from azure.identity import WorkloadIdentityCredential
class Loopback(RequestsTransport):
    def send(self, request, **options):
        request.url = request.url.replace('https://', 'http://', 1)
        return super().send(request, **options)
credential = WorkloadIdentityCredential(
    tenant_id='00000000-0000-0000-0000-000000000001', client_id='00000000-0000-0000-0000-000000000002',
    token_file_path=sys.argv[2], authority=sys.argv[1], disable_instance_discovery=True, transport=Loopback())
credential.get_token('https://management.azure.com/.default')
";
    let authority = server.url.replace("http://", "https://");
    python(bin, script, &[&authority, file.to_str().unwrap()], &[]);
    let mut theirs = form(&server);
    // MSAL's telemetry and its own id for a request; nothing that Entra decides by.
    theirs.0.retain(|name, _| !["client_info", "claims"].contains(&name.as_str()));
    assert_eq!(ours, theirs);
}
