//! Federated identity credentials that are generated admit whom the `allow` list means, and nobody else.

use federate_cloud_azure::AzureTrust;
use federate_trust::{Artifact, Intended, Severity, TrustModel as _, Wanted, compare, format_named};
use proptest::prelude::*;
use serde_json::{Value as Json, json};

use crate::jobs::{self, AUDIENCE, Change, Ci, Entry, entry, lets_in_whom_it_means, wanted_entry};

fn wanted(entries: &[(Ci, Json)]) -> Wanted {
    let settings = json!({
        "tenant_id": "00000000-0000-0000-0000-000000000001", "client_id": "00000000-0000-0000-0000-000000000002",
        "subscription_id": "00000000-0000-0000-0000-000000000003",
    });
    let entries = entries.iter().map(|(ci, keys)| wanted_entry(*ci, keys)).collect();
    Wanted { target: "deploy".to_owned(), settings, entries }
}

fn of(entries: &[Entry]) -> Wanted {
    wanted(&entries.iter().map(|entry| (entry.ci, entry.keys.clone())).collect::<Vec<_>>())
}

fn intended(wanted: &Wanted) -> Result<Intended, String> {
    jobs::intended(&AzureTrust, wanted)
}

fn generate(wanted: &Wanted, format: &str) -> Result<Vec<Artifact>, String> {
    let format = format_named("azure", AzureTrust.formats(), format).unwrap();
    AzureTrust.generate(wanted, format).map_err(|errors| format!("{errors:?}"))
}

/// Can Entra tell this job?
fn is_visible(entry: &Entry) -> bool {
    let has = |key: &str| entry.has(key);
    match entry.ci {
        Ci::GitHub => {
            let has_id = has("repository_id") || has("owner_id");
            has_id || !(entry.has_pattern() || has("workflow"))
        }
        _ => !entry.is_beyond_a_gitlab_subject(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn exactly_the_entry_gets_in(entry in entry(), change in any::<Change>()) {
        let wanted = of(std::slice::from_ref(&entry));
        let intended = match intended(&wanted) {
            Ok(intended) => intended,
            Err(why) => {
                // A wildcard in a name is the other thing that an expression cannot say.
                let is_odd = why.contains("is a wildcard beside");
                prop_assert!(is_odd || !is_visible(&entry), "{} {why}", entry.keys);
                return Ok(());
            }
        };
        prop_assert!(is_visible(&entry), "{} is expressed, though Entra cannot see it", entry.keys);
        let pattern = &wanted.entries[0].pattern;
        lets_in_whom_it_means(&entry, &change, pattern, &intended)?;
    }

    #[test]
    fn the_linter_passes_it(entries in prop::collection::vec(entry(), 1..4)) {
        let Ok(intended) = intended(&of(&entries)) else { return Ok(()) };
        let asked = ["az-pull-request-open", "az-flex-any-branch", "az-flex-tag-wildcard"];
        for finding in intended.document.lint() {
            // A list that names one repository both with its id and without means the name to be left.
            if finding.id == "az-dangling-classic" {
                prop_assert!(entries.len() > 1, "{finding:?}");
                continue;
            }
            // The tests' own audience is not Entra's.
            let is_fine = ["az-mutable-subject", "az-aud-nonstandard"].contains(&finding.id) || asked.contains(&finding.id);
            prop_assert!(is_fine, "{finding:?}");
            prop_assert!(finding.severity < Severity::Medium || entries.iter().any(Entry::is_broad), "{finding:?}");
        }
    }

    #[test]
    fn names_are_unique_and_the_list_says_the_same(entries in prop::collection::vec(entry(), 1..5)) {
        let wanted = of(&entries);
        let Ok(intended) = intended(&wanted) else { return Ok(()) };
        let list: Json = serde_json::from_str(&generate(&wanted, "azure-json").unwrap()[0].text).unwrap();
        let names: Vec<String> = list.as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap().to_lowercase()).collect();
        let mut unique = names.clone();
        unique.sort();
        unique.dedup();
        prop_assert_eq!(unique.len(), names.len());
        for name in &names {
            let is_valid = (3..=120).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
            prop_assert!(is_valid, "{}", name);
        }
        let read = AzureTrust.documents(&list).unwrap().remove(0);
        prop_assert!(compare(&intended.document.ways().unwrap(), &read.document.ways().unwrap()).is_same());
    }
}

#[test]
fn ids_make_flexible_and_immutable_credentials() {
    let keys = json!({"repository": "o/r", "repository_id": 7, "owner_id": 9, "branch": "main"});
    let list = generate(&wanted(&[(Ci::GitHub, keys)]), "azure-json").unwrap();
    let list: Json = serde_json::from_str(&list[0].text).unwrap();
    assert_eq!(
        list[0]["claimsMatchingExpression"]["value"],
        "claims['sub'] eq 'repo:o/r:ref:refs/heads/main' and claims['repository_id'] eq '7' and claims['repository_owner_id'] eq '9'"
    );
    assert_eq!(list[1]["subject"], "repo:o@9/r@7:ref:refs/heads/main");
    assert_eq!(list[1]["audiences"], json!([AUDIENCE]));
}

#[test]
fn what_entra_or_a_tool_cannot_say_is_an_error_that_says_so() {
    for (ci, keys, part) in [
        (Ci::GitHub, json!({"repository": "o/r", "branch_pattern": "release/*"}), "add `repository_id` or `owner_id`"),
        (Ci::GitHub, json!({"repository": "o/r", "branch": "main", "workflow": "w"}), "add `repository_id`"),
        (Ci::GitLab, json!({"project": "g/p", "branch": "main", "protected": true}), "`ref_protected`"),
        (Ci::GitLab, json!({"project": "g/p", "environment": "prod"}), "says nothing of it"),
    ] {
        let error = intended(&wanted(&[(ci, keys)])).unwrap_err();
        assert!(error.contains("trust-not-expressible") && error.contains(part), "{error}");
    }
    let pattern = wanted(&[(Ci::GitLab, json!({"project": "g/p", "branch_pattern": "release/*"}))]);
    assert!(generate(&pattern, "bicep").unwrap_err().contains("managed identities have no flexible credentials"));
    let mut elsewhere = pattern.clone();
    elsewhere.entries[0].pattern.issuer = federate_core::Issuer::parse("https://git.example.com").unwrap();
    assert!(intended(&elsewhere).unwrap_err().contains("takes no patterns for them"));
    let many: Vec<(Ci, Json)> =
        (0..21).map(|at| (Ci::GitLab, json!({"project": "g/p", "branch": format!("b{at}")}))).collect();
    assert!(intended(&wanted(&many)).unwrap_err().contains("21 credentials"));
}
