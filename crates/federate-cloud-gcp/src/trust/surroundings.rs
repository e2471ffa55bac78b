//! What stands around an object of a file: the Terraform resource that it is of, and what a plan does not know yet.

use std::borrow::Cow;
use std::collections::BTreeMap;

use federate_core::PrincipalLabel;
use federate_trust::walk;
use serde_json::{Map, Value as Json};

use super::resource;

/// What a plan says instead of a value, and what people read then.
pub(super) const UNKNOWN: &str = "known only after apply";

/// Whatever is around the objects of one file.
#[derive(Debug, Default)]
pub(super) struct Surroundings<'a> {
    /// Terraform's resources, by their path.
    resources: BTreeMap<String, &'a Map<String, Json>>,
    /// What a plan does not know of a resource, by its address.
    unknown: BTreeMap<&'a str, &'a Map<String, Json>>,
    /// What policies are of, by the path of the object that names it.
    named: BTreeMap<String, PrincipalLabel>,
}

/// What a Terraform plan repeats: how things were, how they are written, and what is not known or not shown.
pub(super) fn is_elsewhere(path: &str) -> bool {
    const OF_CHANGES: [&str; 4] = ["before", "after_unknown", "before_sensitive", "after_sensitive"];
    let first = path.split('.').next().unwrap_or_default();
    ["prior_state", "configuration", "resource_drift"].contains(&first)
        || path
            .split_once(".change.")
            .is_some_and(|(_, rest)| OF_CHANGES.contains(&rest.split('.').next().unwrap_or("")))
}

/// The document with the policies that Terraform keeps as text, in `policy_data`, as the objects that they are. The data
/// source `google_iam_policy` only writes one, and gives nobody anything.
pub(super) fn with_policies(value: &Json) -> Cow<'_, Json> {
    let mut is_any = false;
    walk(value, &mut |_, map| is_any |= map.get(POLICY).is_some_and(Json::is_string));
    if !is_any {
        return Cow::Borrowed(value);
    }
    let mut value = value.clone();
    read_policies(&mut value);
    Cow::Owned(value)
}

/// What a whole policy stands under.
pub(super) const POLICY: &str = "policy_data";

fn read_policies(value: &mut Json) {
    match value {
        Json::Array(entries) => entries.iter_mut().for_each(read_policies),
        Json::Object(map) => {
            if map.get("type").is_some_and(|kind| kind == "google_iam_policy") {
                return;
            }
            if let Some(text) = map.get(POLICY).and_then(Json::as_str)
                && let Ok(policy @ Json::Object(_)) = serde_json::from_str(text)
            {
                map.insert(POLICY.to_owned(), policy);
            }
            map.values_mut().for_each(read_policies);
        }
        _ => {}
    }
}

impl<'a> Surroundings<'a> {
    /// Looks around in a file.
    pub(super) fn of(value: &'a Json) -> Self {
        let mut all = Self::default();
        walk(value, &mut |path, map| {
            if is_elsewhere(path) {
                return;
            }
            if let Some(address) = map.get("address").and_then(Json::as_str) {
                all.resources.insert(path.to_owned(), map);
                let unknown =
                    map.get("change").and_then(|change| change.get("after_unknown")).and_then(Json::as_object);
                all.unknown.extend(unknown.map(|unknown| (address, unknown)));
            }
            all.named.extend(resource::named(map).map(|label| (path.to_owned(), label)));
        });
        all
    }

    /// The resource whose values stand at this path.
    fn resource(&self, path: &str) -> Option<&'a Map<String, Json>> {
        let resource = path.strip_suffix(".values").or_else(|| path.strip_suffix(".change.after"))?;
        self.resources.get(resource).copied()
    }

    fn text(&self, path: &str, key: &str) -> Option<&'a str> {
        self.resource(path)?.get(key)?.as_str()
    }

    /// The type and the address of the resource whose values stand at this path.
    pub(super) fn type_and_address(&self, path: &str) -> Option<(&'a str, &'a str)> {
        Some((self.text(path, "type")?, self.text(path, "address")?))
    }

    /// What is not known yet of the object at this path: true in the place of each such value.
    pub(super) fn unknown(&self, path: &str) -> Option<&'a Map<String, Json>> {
        self.unknown.get(self.text(path, "address")?).copied()
    }

    /// What the policy at this path is of, by the nearest object around it that says so, or by the path itself.
    pub(super) fn policy_of(&self, path: &str) -> Option<PrincipalLabel> {
        let ends = path.match_indices('.').map(|(at, _)| at);
        let mut around: Vec<&str> = std::iter::once("").chain(ends.map(|at| &path[..at])).chain([path]).collect();
        around.reverse();
        let named = around.iter().find_map(|path| self.named.get(*path)).cloned();
        named.or_else(|| resource::in_path(path))
    }
}

/// Is anything in it not known yet?
pub(super) fn is_unknown(value: Option<&Json>) -> bool {
    match value {
        Some(Json::Bool(unknown)) => *unknown,
        Some(Json::Array(entries)) => entries.iter().any(|entry| is_unknown(Some(entry))),
        Some(Json::Object(map)) => map.values().any(|value| is_unknown(Some(value))),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_elsewhere_in_a_plan() {
        for path in [
            "prior_state.values",
            "configuration.root_module",
            "resource_changes.0.change.before",
            "resource_changes.0.change.before.oidc.0",
            "resource_changes.0.change.after_unknown",
        ] {
            assert!(is_elsewhere(path), "{path}");
        }
        for path in ["", "planned_values.root_module", "resource_changes.0", "resource_changes.0.change.after.oidc.0"] {
            assert!(!is_elsewhere(path), "{path}");
        }
    }
}
