//! Terraform's own backends sign in as its providers do, and need no download.

use std::path::Path;
use std::process::Command;

use crate::Peer;
use crate::Test;
use crate::job::{Job, in_path};

pub(crate) const TESTS: &[(&str, Test)] = &[
    ("the_s3_backend_asks_sts_who_it_is", the_s3_backend_asks_sts_who_it_is),
    ("the_azurerm_backend_reads_the_token_file", the_azurerm_backend_reads_the_token_file),
    ("the_azurerm_backend_asks_github_itself", the_azurerm_backend_asks_github_itself),
    ("the_s3_backend_asks_the_endpoint", the_s3_backend_asks_the_endpoint),
    ("the_azurerm_backend_asks_the_endpoint", the_azurerm_backend_asks_the_endpoint),
];

/// A Terraform that runs and whose backends know OIDC and the variables for endpoints.
pub(crate) fn find() -> Peer {
    let folder = in_path("terraform").ok_or("terraform is not in PATH")?;
    let mut command = Command::new(folder.join("terraform"));
    let version =
        command.args(["version", "-json"]).env_clear().env("HOME", "/nonexistent").env("CHECKPOINT_DISABLE", "1");
    let output = version.output().map_err(|error| format!("terraform does not run: {error}"))?;
    let document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
    let text = document["terraform_version"].as_str().ok_or("terraform does not say its version")?;
    let mut numbers = text.split('.').map_while(|part| part.parse::<u32>().ok());
    match (numbers.next(), numbers.next()) {
        (Some(1), Some(10..)) | (Some(2..), _) => Ok(folder),
        _ => Err(format!("terraform is {text}, 1.10 or later is needed")),
    }
}

fn job(programs: &Path, backend: &str) -> Job {
    let job = Job::new(programs);
    let text = format!("terraform {{\n  backend {backend}\n}}\noutput \"answer\" {{ value = 42 }}\n");
    std::fs::write(job.workshop.path("project/main.tf"), text).unwrap();
    // It would ask HashiCorp for news.
    let program = programs.join("terraform");
    job.program("terraform", &format!("#!/bin/sh\nexport CHECKPOINT_DISABLE=1\nexec '{}' \"$@\"\n", program.display()));
    job
}

const INIT: [&str; 4] = ["terraform", "init", "-no-color", "-input=false"];

fn the_s3_backend_asks_sts_who_it_is(programs: &Path) {
    s3(programs, &["federate", "exec", "-t", "aws", "--", "witness"]);
}

fn the_s3_backend_asks_the_endpoint(programs: &Path) {
    s3(programs, &["federate", "exec", "-v", "--serve", "-t", "aws", "--", "witness"]);
}

fn s3(programs: &Path, exec: &[&str]) {
    let job =
        job(programs, "\"s3\" {\n    bucket = \"state\"\n    key = \"ledger.tfstate\"\n    use_path_style = true\n  }");
    // The bucket lies where nobody listens: asking STS comes first.
    let nowhere = ["env", "AWS_ENDPOINT_URL_S3=http://127.0.0.1:9", "AWS_MAX_ATTEMPTS=1"];
    let done = job.sandbox(&[], &[exec, &nowhere, &INIT].concat());
    assert!(done.stderr.contains("STS GetCallerIdentity -> 200 arn:aws:sts::111122223333:"), "{}", done.stderr);
    assert!(done.stderr.contains("Unable to list objects in S3 bucket"), "{}", done.stderr);
    assert_eq!(job.asked_outside(), 0, "{}", done.stderr);
}

/// Signs in for the storage account, which lies outside of this machine and so is not reached.
fn azurerm(programs: &Path, ci: &str, more: &[&str]) -> String {
    let names =
        "resource_group_name = \"ledger\"\n    storage_account_name = \"ledgerstate\"\n    container_name = \"state\"";
    let job = job(
        programs,
        &format!("\"azurerm\" {{\n    {names}\n    key = \"ledger.tfstate\"\n    use_azuread_auth = true\n  }}"),
    );
    let exec = [&["federate", "exec", "-t", "azure"], more, &["--", "witness"]].concat();
    let done = job.sandbox(&["--ci", ci], &[&exec[..], &INIT].concat());
    assert!(done.stderr.contains("access token for https://storage.azure.com"), "{}", done.stderr);
    assert!(job.asked_outside() > 0 && done.stderr.contains("listing blobs"), "{}", done.stderr);
    done.stderr
}

fn the_azurerm_backend_reads_the_token_file(programs: &Path) {
    azurerm(programs, "gitlab", &[]);
}

fn the_azurerm_backend_asks_github_itself(programs: &Path) {
    let stderr = azurerm(programs, "github", &[]);
    // Once for federate's own exchange, once for Terraform's.
    assert_eq!(stderr.matches("GitHub ID token for api://AzureADTokenExchange -> 200").count(), 2, "{stderr}");
}

fn the_azurerm_backend_asks_the_endpoint(programs: &Path) {
    for (ci, more) in [("gitlab", "--serve"), ("gitlab", "--isolate"), ("github", "--isolate")] {
        let stderr = azurerm(programs, ci, &["-v", more]);
        assert!(stderr.contains("endpoint: GET /azure/azure/token: 200"), "{ci} {more}: {stderr}");
    }
}
