//! The az CLI reads no token file: `exec --az-login` logs it in, at a cloud that it does not know.

use std::path::Path;

use serde_json::Value as Json;

use crate::job::{Job, in_path};
use crate::{Peer, Test, venv};

pub(crate) const TESTS: &[(&str, Test)] = &[
    ("is_logged_in_under_exec", is_logged_in_under_exec),
    ("is_logged_in_by_the_profile_in_a_github_job", is_logged_in_by_the_profile_in_a_github_job),
    ("its_refusal_keeps_the_command_from_running", its_refusal_keeps_the_command_from_running),
    ("signs_in_as_the_endpoints_identity_across_renewals", signs_in_as_the_endpoints_identity_across_renewals),
];

pub(crate) fn find() -> Peer {
    if std::env::var("FEDERATE_PEERS_AZ").is_ok_and(|value| value == "install") {
        return venv::programs(include_str!("requirements-az.txt"));
    }
    in_path("az").ok_or_else(|| "az is not in PATH; FEDERATE_PEERS_AZ=install installs it (780 MB)".to_owned())
}

/// A job whose `az` notes its arguments first.
fn job(programs: &Path) -> Job {
    let job = Job::new(programs);
    let az = programs.join("az");
    // It would report its own use to Microsoft.
    let quiet = "export AZURE_CORE_COLLECT_TELEMETRY=false";
    job.program(
        "az",
        &format!("#!/bin/sh\n{quiet}\nprintf '%s ' \"$@\" >>\"$HOME/arguments\"\nexec '{}' \"$@\"\n", az.display()),
    );
    job
}

fn arguments(job: &Job) -> String {
    std::fs::read_to_string(job.workshop.path("home/arguments")).unwrap_or_default()
}

fn json(stdout: &str) -> Json {
    serde_json::from_str(stdout).unwrap_or_else(|_| panic!("{stdout}"))
}

fn is_logged_in_under_exec(programs: &Path) {
    let job = job(programs);
    let script = "stat -c %a \"$AZURE_CONFIG_DIR\" >mode && az account show >account && az account list >accounts \
                  && az account get-access-token --query tokenType";
    let exec = ["federate", "exec", "-t", "azure", "--az-login", "--", "witness", "sh", "-c", script];
    let done = job.sandbox(&[], &exec);
    assert_eq!((done.code, done.stdout.trim()), (0, "\"Bearer\""), "{}", done.stderr);
    let printed = |name: &str| std::fs::read_to_string(job.workshop.path("project").join(name)).unwrap();
    assert_eq!(printed("mode").trim(), "700");
    let account = json(&printed("account"));
    assert_eq!(account["id"], "00000000-0000-0000-0000-000000000003");
    assert_eq!(account["tenantId"], "00000000-0000-0000-0000-000000000001");
    assert_eq!(account["user"]["name"], "00000000-0000-0000-0000-000000000002");
    let accounts = json(&printed("accounts"));
    assert_eq!((accounts.as_array().map(Vec::len), &accounts[0]["isDefault"]), (Some(1), &Json::Bool(true)));
    // The token is a file's content; `Job` saw to it that no token is among the arguments.
    assert!(arguments(&job).contains("--federated-token @/"), "{}", arguments(&job));
}

fn is_logged_in_by_the_profile_in_a_github_job(programs: &Path) {
    let mut job = job(programs);
    job.workshop.profile("az", "extends = [\"dev\"]\n[targets.azure]\naz_login = true\n");
    let exec = ["federate", "exec", "-t", "azure", "--", "witness", "az", "account", "show"];
    let done = job.sandbox(&["-p", "az", "--ci", "github"], &exec);
    assert_eq!(done.code, 0, "{}", done.stderr);
    assert_eq!(json(&done.stdout)["user"]["type"], "servicePrincipal");
}

fn its_refusal_keeps_the_command_from_running(programs: &Path) {
    let mut job = job(programs);
    // A subscription that the application cannot see: the exchange works, `az account set` does not.
    job.workshop.profile("az", "extends = [\"dev\"]\n");
    let elsewhere = "targets.azure.subscription_id=\"00000000-0000-0000-0000-00000000000f\"";
    let exec = ["federate", "--set", elsewhere, "exec", "-t", "azure", "--az-login", "--", "touch", "ran"];
    let done = job.sandbox(&[], &exec);
    assert_eq!(done.code, 125, "{}", done.stderr);
    assert!(done.stderr.contains("error[setup-failed]: `az account set` failed"), "{}", done.stderr);
    assert!(!job.workshop.path("project/ran").exists());
}

fn signs_in_as_the_endpoints_identity_across_renewals(programs: &Path) {
    let job = job(programs);
    // Asks Resource Manager with a token of that moment.
    let script = "az account show >account && for round in 1 2 3 4 5 6 7; do az rest --url '/subscriptions?api-version=2022-12-01' -o none || exit 9; sleep 2; done \
                  && az account get-access-token --resource https://vault.azure.net --query tokenType";
    let exec = ["federate", "exec", "-t", "azure", "--az-login", "--isolate", "--", "witness", "sh", "-c", script];
    let done = job.sandbox(&["--credential-lifetime", "4s"], &exec);
    assert_eq!((done.code, done.stdout.trim()), (0, "\"Bearer\""), "{}", done.stderr);
    let asked = done.stderr.matches("access token for https://management.core.windows.net").count();
    assert!(asked > 3, "{asked} tokens: {}", done.stderr);
    let answered = done.stderr.matches("Resource Manager subscriptions -> 200").count();
    assert!(answered >= 7, "{answered} answers: {}", done.stderr);
    let account = json(&std::fs::read_to_string(job.workshop.path("project/account")).unwrap());
    assert_eq!(account["id"], "00000000-0000-0000-0000-000000000003");
    assert_eq!(account["user"]["assignedIdentityInfo"], "MSI");
    assert!(arguments(&job).contains("login --identity") && !arguments(&job).contains("--federated-token"));
}
