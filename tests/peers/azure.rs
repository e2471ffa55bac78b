//! azure-identity and az as children of `exec`, asking the sandbox's Entra and Resource Manager.

use std::path::Path;

use crate::Test;
use crate::workshop::Job;

pub(crate) const TESTS: &[Test] =
    &[("azure_identity_as_child", azure_identity_as_child), ("azure_identity_is_refused", azure_identity_is_refused)];
pub(crate) const AZ_TESTS: &[Test] = &[("az_is_logged_in", az_is_logged_in)];

const SCRIPT: &str = "\
import base64, json
from azure.identity import DefaultAzureCredential, WorkloadIdentityCredential
for credential in (WorkloadIdentityCredential(), DefaultAzureCredential()):
    token = credential.get_token('https://management.azure.com/.default').token
    claims = token.split('.')[1]
    claims = json.loads(base64.urlsafe_b64decode(claims + '=' * (-len(claims) % 4)))
    print(claims['appid'], claims['tid'])
";

fn azure_identity_as_child(bin: &Path) {
    let job = Job::new(bin);
    let script = job.file("who.py", SCRIPT).display().to_string();
    let done =
        job.federate(&["sandbox", "--", "federate", "exec", "-p", "prod", "-t", "azure", "--", "python", &script]);
    let expected = "00000000-0000-0000-0000-000000000022 00000000-0000-0000-0000-000000000001";
    assert_eq!(done.stdout.lines().collect::<Vec<_>>(), [expected, expected]);
}

/// The sandbox's refusal reads to Microsoft's own client as the real one's does.
fn azure_identity_is_refused(bin: &Path) {
    let job = Job::new(bin);
    let script = job.file("who.py", SCRIPT).display().to_string();
    // The token is for dev's application; its file is then used for production's.
    let swap = format!("AZURE_CLIENT_ID=00000000-0000-0000-0000-000000000022 python {script}");
    let done = job.try_federate(&[
        "sandbox",
        "--claim",
        "ref=feature",
        "--",
        "federate",
        "exec",
        "-p",
        "dev",
        "-t",
        "azure",
        "--",
        "sh",
        "-c",
        &swap,
    ]);
    assert_ne!(done.code, 0);
    assert!(done.stderr.contains("AADSTS700213"), "{}", done.stderr);
}

fn az_is_logged_in(bin: &Path) {
    let done = Job::new(bin).federate(&[
        "sandbox",
        "--",
        "federate",
        "exec",
        "-p",
        "prod",
        "-t",
        "azure",
        "--az-login",
        "--",
        "az",
        "account",
        "show",
        "-o",
        "json",
    ]);
    assert!(done.stdout.contains("00000000-0000-0000-0000-000000000023"), "{}", done.stdout);
    assert!(done.stdout.contains("00000000-0000-0000-0000-000000000022"), "{}", done.stdout);
}
