//! What an IAM policy is of: whom its members become, or what they may act on.

use federate_core::PrincipalLabel;
use serde_json::{Map, Value as Json};

use super::surroundings::{Surroundings, UNKNOWN, is_unknown};

const ACCOUNTS: &str = "gserviceaccount.com";

/// Where it lives, as the graph heads it.
pub(super) fn project(id: &str) -> String {
    format!("Google Cloud project {id}")
}

/// `deploy@example-prj.iam.gserviceaccount.com`, also behind `projects/example-prj/serviceAccounts/`.
pub(super) fn account(text: &str) -> Option<PrincipalLabel> {
    let (before, last) = text.rsplit_once('/').unwrap_or(("", text));
    if let Some((name, host)) = last.split_once('@').filter(|(_, host)| host.ends_with(ACCOUNTS)) {
        let place = match host {
            // The two that every project has of itself.
            "appspot.gserviceaccount.com" => name,
            "developer.gserviceaccount.com" => name.split('-').next().unwrap_or(name),
            _ => host.split('.').next().unwrap_or(host),
        };
        let (name, id) = (name.to_owned(), last.to_owned());
        return Some(PrincipalLabel { place: project(place), noun: "service account", name, id, detail: None });
    }
    // The number of an account.
    let place = before.strip_suffix("/serviceAccounts")?.rsplit('/').next().filter(|place| *place != "-");
    let place = place.map_or_else(String::new, project);
    Some(PrincipalLabel { place, noun: "service account", name: last.to_owned(), id: last.to_owned(), detail: None })
}

/// What an object says that it is, or is of: a service account as gcloud lists it, a Terraform resource's, a result of
/// `gcloud asset search-all-iam-policies`.
pub(super) fn named(map: &Map<String, Json>) -> Option<PrincipalLabel> {
    let text = |key: &str| map.get(key).and_then(Json::as_str);
    if let Some(found) = text("service_account_id").or(text("email")).or(text("name")).and_then(account) {
        return Some(found);
    }
    let resource = text("resource")?.strip_prefix("//")?;
    account(resource).or_else(|| {
        let name = resource.rsplit('/').next().unwrap_or(resource).to_owned();
        Some(PrincipalLabel { place: String::new(), noun: "resource", name, id: resource.to_owned(), detail: None })
    })
}

/// The service account by whose address a policy is kept: `{"deploy@example-prj.iam.gserviceaccount.com": {…}}`.
pub(super) fn in_path(path: &str) -> Option<PrincipalLabel> {
    let end = path.rfind(ACCOUNTS)? + ACCOUNTS.len();
    let at = path[..end].rfind('@')?;
    let start = path[..at].rfind('.').map_or(0, |dot| dot + 1);
    account(&path[start..end])
}

/// Terraform's resources with a policy, as their type and the key of what they are of.
const TYPES: [(&str, &str, &str); 4] = [
    ("google_project_iam_", "project", "project"),
    ("google_folder_iam_", "folder", "folder"),
    ("google_organization_iam_", "organization", "org_id"),
    ("google_storage_bucket_iam_", "bucket", "bucket"),
];

/// What the policy at this path is of; `None` where the file does not say.
pub(super) fn of_policy(path: &str, map: &Map<String, Json>, around: &Surroundings<'_>) -> Option<PrincipalLabel> {
    let Some((kind, address)) = around.type_and_address(path) else { return around.policy_of(path) };
    let labelled = |noun: &'static str, name: &str| {
        let place = if noun == "project" { project(name) } else { String::new() };
        PrincipalLabel { place, noun, name: name.to_owned(), id: format!("{noun} {name}"), detail: None }
    };
    if let Some(found) = named(map) {
        return Some(found);
    }
    for (prefix, noun, key) in TYPES {
        if let Some(name) = map.get(key).and_then(Json::as_str).filter(|_| kind.starts_with(prefix)) {
            return Some(labelled(noun, name));
        }
    }
    let is_account = kind.starts_with("google_service_account_iam_");
    let mut label = labelled(if is_account { "service account" } else { "resource" }, address);
    let unknown = around.unknown(path).is_some_and(|unknown| is_unknown(unknown.get("service_account_id")));
    label.detail = unknown.then(|| format!("its name is {UNKNOWN}"));
    Some(label)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn service_accounts_are_named_with_their_project() {
        for (text, name, place) in [
            ("deploy@example-prj.iam.gserviceaccount.com", "deploy", "example-prj"),
            ("projects/-/serviceAccounts/deploy@example-prj.iam.gserviceaccount.com", "deploy", "example-prj"),
            ("example-prj@appspot.gserviceaccount.com", "example-prj", "example-prj"),
            ("123-compute@developer.gserviceaccount.com", "123-compute", "123"),
            ("projects/example-prj/serviceAccounts/1234", "1234", "example-prj"),
        ] {
            let label = account(text).unwrap();
            assert_eq!((label.name, label.place), (name.to_owned(), project(place)), "{text}");
        }
        for other in ["mira@example.com", "projects/1/locations/global/workloadIdentityPools/ci", ""] {
            assert_eq!(account(other), None, "{other}");
        }
    }

    #[test]
    fn a_policy_is_of_what_stands_around_it() {
        let account = "a-b@prj.iam.gserviceaccount.com";
        let mut by_address = Map::new();
        by_address.insert(account.to_owned(), json!({"bindings": [{"members": []}]}));
        for (value, path) in [
            (json!({"x": {"email": account, "policy": {"bindings": [{}]}}}), "x.policy.bindings.0"),
            (
                json!([{"resource": format!("//iam.googleapis.com/projects/p/serviceAccounts/{account}"), "policy": {}}]),
                "0.policy",
            ),
            (Json::from(by_address), &format!("{account}.bindings.0")),
        ] {
            let around = Surroundings::of(&value);
            let label = of_policy(path, &Map::new(), &around);
            assert_eq!(label.unwrap().id, account, "{value}");
        }
        let elsewhere = json!({"account": {"email": account}, "policy": {}});
        assert_eq!(of_policy("policy", &Map::new(), &Surroundings::of(&elsewhere)), None);
    }
}
