//! Why this job cannot ask for a token, as far as its environment tells.

use std::path::Path;

use federate_core::{Context, Error, codes};
use serde_json::Value as Json;

use crate::request::{TOKEN_VARIABLE, URL_VARIABLE};

const PERMISSIONS: &str =
    "add to the job (or to the whole workflow):\n  permissions:\n    id-token: write\n    contents: read";

/// The variables are not there: says which case it is.
pub(crate) fn missing(context: &Context) -> Error {
    let (url, token) = (context.env.is_set(URL_VARIABLE), context.env.is_set(TOKEN_VARIABLE));
    if url != token {
        let (there, gone) = if url { (URL_VARIABLE, TOKEN_VARIABLE) } else { (TOKEN_VARIABLE, URL_VARIABLE) };
        return Error::new(&codes::TOKEN_MISSING, format!("{there} is set, but {gone} is not or is empty")).with_help(
            "GitHub sets both or none; a wrapper (sudo, docker run, a container action) kept one of them: pass both on",
        );
    }
    let what = "GitHub gave this job no right to ask for an ID token";
    if context.env.get("GITHUB_ACTOR") == Some("dependabot[bot]") {
        return Error::new(&codes::TOKEN_MISSING, what)
            .with_cause("the run was started by Dependabot, and such runs get a read-only token and no ID tokens")
            .with_help("run the part that needs the cloud after merging, or on an event that a person starts")
            .with_help(format!("for such a run, {PERMISSIONS}"));
    }
    if is_fork(context) {
        return Error::new(&codes::TOKEN_MISSING, what)
            .with_cause("the run belongs to a pull request from a fork, and GitHub gives those no `id-token: write`, whatever the workflow says")
            .with_help("run the part that needs the cloud after merging, or on a branch of this repository; `pull_request_target` would get a token, but must never run the fork's code")
            .with_help(format!("for such a run, {PERMISSIONS}"));
    }
    Error::new(&codes::TOKEN_MISSING, what)
        .with_cause(format!("{URL_VARIABLE} and {TOKEN_VARIABLE} are not set"))
        .with_help(PERMISSIONS)
        .with_help("in a reusable workflow, the job that calls it must have the permission; in a pull request from a fork there is none to be had")
}

fn is_fork(context: &Context) -> bool {
    if !context.env.get("GITHUB_EVENT_NAME").is_some_and(|event| event.starts_with("pull_request")) {
        return false;
    }
    let event = context.env.get("GITHUB_EVENT_PATH").and_then(|path| context.host.read(Path::new(path)).ok());
    let Some(event) = event.and_then(|bytes| serde_json::from_slice::<Json>(&bytes).ok()) else { return false };
    let name = |side: &str| event.pointer(&format!("/pull_request/{side}/repo/full_name")).and_then(Json::as_str);
    match (name("head"), name("base")) {
        (Some(head), Some(base)) => head != base,
        // The fork was deleted meanwhile.
        (None, Some(_)) => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use federate_core::Policy;
    use federate_core::testing::fixture_with;

    fn said(variables: &[(&str, &str)], event: &str) -> String {
        let files = [("/event.json".into(), event.as_bytes().to_vec())].into_iter().collect();
        format!("{:?}", missing(&fixture_with(variables, Policy::default(), files).context))
    }

    const PULL_REQUEST: &[(&str, &str)] =
        &[("GITHUB_EVENT_NAME", "pull_request"), ("GITHUB_EVENT_PATH", "/event.json")];

    #[test]
    fn the_cases_are_told_apart() {
        let fork = r#"{"pull_request":{"head":{"repo":{"full_name":"stranger/ledger"}},"base":{"repo":{"full_name":"quarry-street/ledger"}}}}"#;
        let own = fork.replace("stranger", "quarry-street");
        let forked = said(PULL_REQUEST, fork);
        assert!(forked.contains("from a fork, and GitHub gives") && forked.contains("id-token: write\n"), "{forked}");
        assert!(said(PULL_REQUEST, &own).contains("permissions:\n    id-token: write"));
        assert!(said(&[("GITHUB_ACTOR", "dependabot[bot]")], "").contains("Dependabot"));
        assert!(said(&[], "not JSON").contains("permissions:"));
        assert!(said(&[(URL_VARIABLE, "https://x")], "").contains("ACTIONS_ID_TOKEN_REQUEST_TOKEN is not"));
    }
}
