//! azure-identity signs in with the token file and the variables that stand beside it.

use std::path::Path;

use crate::Test;
use crate::job::Job;

pub(crate) const TESTS: &[(&str, Test)] = &[
    ("workload_identity_under_exec", workload_identity_under_exec),
    ("the_default_chain_in_a_github_job", the_default_chain_in_a_github_job),
    ("by_env_with_a_token_file", by_env_with_a_token_file),
    ("what_would_outrank_the_token_file_is_gone", what_would_outrank_the_token_file_is_gone),
];

const DEV: &str = "00000000-0000-0000-0000-000000000001 00000000-0000-0000-0000-000000000002";
const EXEC: [&str; 6] = ["federate", "exec", "-t", "azure", "--", "witness"];

fn job(programs: &Path) -> Job {
    let job = Job::new(programs);
    job.program("azure-token", &format!("#!/usr/bin/env python3\n{}", include_str!("clients/azure_token.py")));
    job
}

fn workload_identity_under_exec(programs: &Path) {
    let ask = ["azure-token", "WorkloadIdentityCredential", "https://vault.azure.net/.default"];
    let printed = job(programs).sandbox_prints(&[], &[&EXEC[..], &ask].concat());
    assert_eq!(printed.trim(), format!("{DEV} https://vault.azure.net"));
}

fn the_default_chain_in_a_github_job(programs: &Path) {
    let ask = ["azure-token", "DefaultAzureCredential", "https://management.azure.com/.default"];
    let printed = job(programs).sandbox_prints(&["--ci", "github"], &[&EXEC[..], &ask].concat());
    assert_eq!(printed.trim(), format!("{DEV} https://management.azure.com"));
}

fn by_env_with_a_token_file(programs: &Path) {
    // Such a file outlives `env`: whoever asked for it removes it.
    let script = "variables=$(federate env -f sh -t azure --token-file token) && eval \"$variables\" \
                  && witness azure-token WorkloadIdentityCredential https://management.azure.com/.default \
                  && stat -c %a token && rm token";
    let printed = job(programs).sandbox_prints(&[], &["sh", "-c", script]);
    assert_eq!(printed.trim(), format!("{DEV} https://management.azure.com\n600"));
}

fn what_would_outrank_the_token_file_is_gone(programs: &Path) {
    // azure-identity takes a client secret before a token file.
    let stale = ["env", "AZURE_CLIENT_SECRET=stale", "AZURE_CLIENT_ID=stale", "AZURE_TENANT_ID=stale"];
    let ask = ["azure-token", "DefaultAzureCredential", "https://management.azure.com/.default"];
    let printed = job(programs).sandbox_prints(&[], &[&stale[..], &EXEC, &ask].concat());
    assert_eq!(printed.trim(), format!("{DEV} https://management.azure.com"));
}
