//! Where credentials stand: by themselves, in what az and Graph print, in templates, plans and states.

use std::collections::BTreeMap;

use federate_core::Error;
use federate_trust::{Located, terraform, walk_keys};
use serde_json::{Map, Value as Json};

use super::Credentials;
use super::credential::Credential;

/// Terraform's resources, and what of them has to be known. azapi's hold what ARM is sent.
const RESOURCES: [&str; 4] = [
    "azuread_application_federated_identity_credential",
    "azuread_application_flexible_federated_identity_credential",
    "azurerm_federated_identity_credential",
    "azapi_resource",
];
const ATTRIBUTES: [&str; 4] = ["issuer", "subject", "claims_matching_expression", "body"];
/// What says whose credential it is: an application's or identity's id.
const PARENTS: [&str; 4] = ["application_id", "application_object_id", "parent_id", "user_assigned_identity_id"];

/// Every application's or identity's credentials in a document.
pub(super) fn documents(value: &Json) -> Result<Vec<Located>, Vec<Error>> {
    let mut found = Vec::new();
    let mut errors = Vec::new();
    match terraform::resources(value) {
        Some(resources) => of_terraform(&resources, &mut found, &mut errors),
        None => {
            let mut group = Credentials { all: Vec::new(), unknown: Vec::new() };
            read(value, &[], &mut group.all, &mut errors);
            found.push((String::new(), group));
        }
    }
    if !errors.is_empty() {
        return Err(errors);
    }
    found.retain(|(_, group)| !group.all.is_empty() || !group.unknown.is_empty());
    // Whose they are matters only where there are several.
    let is_one = found.len() == 1;
    let located = found
        .into_iter()
        .map(|(place, group)| Located { place: if is_one { String::new() } else { place }, document: Box::new(group) });
    Ok(located.collect())
}

/// The credentials in a value that stands at this path.
fn read(value: &Json, at: &[String], found: &mut Vec<Credential>, errors: &mut Vec<Error>) {
    walk_keys(value, &mut |path, map| {
        if Credential::is_one(map) {
            let path = [at, path].concat();
            match Credential::read(&path, &named(value, map, &path)) {
                Ok(credential) => found.push(credential),
                Err(problems) => errors.extend(problems),
            }
        }
    });
}

/// ARM keeps a resource's name beside its `properties`.
fn named(value: &Json, map: &Map<String, Json>, path: &[String]) -> Map<String, Json> {
    let mut map = map.clone();
    let is_named = ["name", "displayName", "display_name"].iter().any(|key| map.contains_key(*key));
    if let Some((last, above)) = path.split_last().filter(|(last, _)| !is_named && *last == "properties") {
        let _ = last;
        let pointer: String =
            above.iter().map(|key| format!("/{}", key.replace('~', "~0").replace('/', "~1"))).collect();
        if let Some(name) = value.pointer(&pointer).and_then(|resource| resource.get("name")) {
            map.insert("name".to_owned(), name.clone());
        }
    }
    map
}

fn of_terraform(
    resources: &[terraform::Resource<'_>],
    found: &mut Vec<(String, Credentials)>,
    errors: &mut Vec<Error>,
) {
    let mut groups: BTreeMap<String, Credentials> = BTreeMap::new();
    let is_credential =
        |resource: &&terraform::Resource<'_>| RESOURCES.contains(&resource.kind) || Credential::is_one(resource.values);
    for resource in resources.iter().filter(is_credential) {
        let kind = resource.values.get("type").and_then(Json::as_str);
        if resource.kind == "azapi_resource" && !kind.is_some_and(|kind| kind.contains("federatedIdentityCredentials"))
        {
            continue;
        }
        let owner = PARENTS.iter().find_map(|key| resource.values.get(*key)?.as_str());
        let group = groups
            .entry(owner.unwrap_or(resource.address).to_owned())
            .or_insert_with(|| Credentials { all: Vec::new(), unknown: Vec::new() });
        let unknown: Vec<&str> = ATTRIBUTES.into_iter().filter(|key| resource.is_unknown(key)).collect();
        if !unknown.is_empty() {
            group.unknown.push(format!("{}: {} is known only after apply", resource.address, unknown.join(", ")));
            continue;
        }
        let mut values = resource.values.clone();
        // The first azapi releases kept the body as text.
        if let Some(body) = values.get("body").and_then(Json::as_str).and_then(|text| serde_json::from_str(text).ok()) {
            values.insert("body".to_owned(), body);
        }
        // Terraform prints what is not set as null or empty.
        for key in ["subject", "claims_matching_expression"] {
            if values.get(key).is_some_and(|value| value.is_null() || value == "") {
                values.remove(key);
            }
        }
        let before = group.all.len();
        read(&Json::Object(values), &resource.path, &mut group.all, errors);
        for credential in &mut group.all[before..] {
            if credential.name.is_empty() || credential.name.contains("values") {
                credential.name = resource.address.to_owned();
            }
        }
    }
    found.extend(groups);
}
