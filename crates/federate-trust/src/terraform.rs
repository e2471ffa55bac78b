//! What `terraform show -json` prints: a plan, or a state.
//! <https://developer.hashicorp.com/terraform/internals/json-format>

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json};

/// A resource as it will be, or is.
#[derive(Debug)]
pub struct Resource<'a> {
    /// `module.ci.aws_iam_role.deploy["prod"]`.
    pub address: &'a str,
    /// `aws_iam_role`.
    pub kind: &'a str,
    /// Its attributes, as far as they are known.
    pub values: &'a Map<String, Json>,
    /// The keys and indices that lead to [`Resource::values`] from the top of the file.
    pub path: Vec<String>,
    unknown: Option<&'a Json>,
}

impl Resource<'_> {
    /// Will the attribute be known only after apply?
    pub fn is_unknown(&self, attribute: &str) -> bool {
        let unknown = self.unknown.and_then(|unknown| unknown.get(attribute));
        unknown.is_some_and(|unknown| !is_all_known(unknown))
    }
}

/// `after_unknown` has `true` where a value is not known, in the value's own shape.
fn is_all_known(unknown: &Json) -> bool {
    match unknown {
        Json::Bool(is_unknown) => !is_unknown,
        Json::Array(entries) => entries.iter().all(is_all_known),
        Json::Object(map) => map.values().all(is_all_known),
        _ => true,
    }
}

/// The managed resources of a plan or state, each once; `None` where the document is neither.
pub fn resources(document: &Json) -> Option<Vec<Resource<'_>>> {
    let changes = document.get("resource_changes").and_then(Json::as_array);
    let planned = document.get("planned_values").and_then(|values| values.get("root_module"));
    let root = planned.or_else(|| document.get("values")?.get("root_module"));
    if root.is_none() && changes.is_none() {
        let is_empty_state = document.get("format_version").is_some() && document.get("terraform_version").is_some();
        return is_empty_state.then(Vec::new);
    }
    let mut unknown = BTreeMap::new();
    for change in changes.into_iter().flatten() {
        if let (Some(address), Some(after)) = (text(change, "address"), change["change"].get("after_unknown")) {
            unknown.insert(address, after);
        }
    }
    let mut found = Vec::new();
    match root {
        Some(root) => {
            let top = if planned.is_some() { "planned_values" } else { "values" };
            module(root, vec![top.to_owned(), "root_module".to_owned()], &unknown, &mut found);
        }
        None => {
            for (index, change) in changes.into_iter().flatten().enumerate() {
                if let Some(values) = change["change"].get("after").and_then(Json::as_object) {
                    let path = ["resource_changes", &index.to_string(), "change", "after"].map(str::to_owned).to_vec();
                    found.extend(resource(change, values, path, &unknown));
                }
            }
        }
    }
    Some(found)
}

/// Is the document a plan or state, also as Terraform itself keeps its state? What no role is in says so by that.
pub fn is_one(document: &Json) -> bool {
    let is_kept = || ["terraform_version", "resources", "lineage"].iter().all(|key| document.get(key).is_some());
    resources(document).is_some() || is_kept()
}

fn module<'a>(
    module_of: &'a Json,
    path: Vec<String>,
    unknown: &BTreeMap<&'a str, &'a Json>,
    found: &mut Vec<Resource<'a>>,
) {
    let below = |key: &str, index: usize| {
        let mut path = path.clone();
        path.extend([key.to_owned(), index.to_string()]);
        path
    };
    for (index, entry) in module_of["resources"].as_array().into_iter().flatten().enumerate() {
        if let Some(values) = entry.get("values").and_then(Json::as_object) {
            let mut path = below("resources", index);
            path.push("values".to_owned());
            found.extend(resource(entry, values, path, unknown));
        }
    }
    for (index, child) in module_of["child_modules"].as_array().into_iter().flatten().enumerate() {
        module(child, below("child_modules", index), unknown, found);
    }
}

fn resource<'a>(
    entry: &'a Json,
    values: &'a Map<String, Json>,
    path: Vec<String>,
    unknown: &BTreeMap<&'a str, &'a Json>,
) -> Option<Resource<'a>> {
    if text(entry, "mode").is_some_and(|mode| mode != "managed") {
        return None;
    }
    let address = text(entry, "address").or_else(|| text(entry, "name")).unwrap_or_default();
    let kind = text(entry, "type").unwrap_or_default();
    Some(Resource { address, kind, values, path, unknown: unknown.get(address).copied() })
}

fn text<'a>(value: &'a Json, key: &str) -> Option<&'a str> {
    value.get(key).and_then(Json::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn each_resource_once_with_what_is_not_known() {
        let role = json!({"address": "module.a.aws_iam_role.r", "mode": "managed", "type": "aws_iam_role", "values": {"name": "r"}});
        let data = json!({"address": "data.x.y", "mode": "data", "type": "x", "values": {}});
        let plan = json!({
            "planned_values": {"root_module": {"resources": [data], "child_modules": [{"resources": [role]}]}},
            "resource_changes": [{"address": "module.a.aws_iam_role.r", "mode": "managed", "type": "aws_iam_role",
                "change": {"after": {"name": "r"}, "after_unknown": {"assume_role_policy": true, "tags": {"a": false}}}}],
            "prior_state": {"values": {"root_module": {"resources": [{"address": "old"}]}}},
        });
        let found = resources(&plan).unwrap();
        assert_eq!(found.len(), 1);
        assert!(found[0].is_unknown("assume_role_policy") && !found[0].is_unknown("tags"));
        assert_eq!(found[0].path.join("."), "planned_values.root_module.child_modules.0.resources.0.values");
        let changes = json!({"resource_changes": plan["resource_changes"]});
        assert_eq!(resources(&changes).unwrap()[0].path.join("."), "resource_changes.0.change.after");
        assert!(resources(&json!({"format_version": "1.0", "terraform_version": "1.9"})).unwrap().is_empty());
        assert!(resources(&json!({"Version": "2012-10-17"})).is_none());
    }

    #[test]
    fn plans_and_states_are_told_from_other_documents() {
        let kept = json!({"version": 4, "terraform_version": "1.9.0", "serial": 3, "lineage": "x", "resources": []});
        for (document, expected) in [
            (kept, true),
            (json!({"format_version": "1.0", "terraform_version": "1.9"}), true),
            (json!({"resource_changes": []}), true),
            (json!({"resources": [], "terraform_version": "1.9"}), false),
            (json!({"Version": "2012-10-17"}), false),
        ] {
            assert_eq!(is_one(&document), expected, "{document}");
        }
    }
}
