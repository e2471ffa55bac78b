//! What is in force, and where it comes from.

use std::collections::BTreeMap;

use figment::value::Value;
use serde_json::Value as Json;

use crate::check::texts;
use crate::layer::{dotted, is_matrix_key};
use crate::profile::{Profile, json};

/// A setting with its effective value.
#[derive(Clone, Debug, PartialEq)]
pub struct Effective {
    /// Its path: `targets.aws.role_arn`.
    pub path: String,
    /// Its value, placeholders as written.
    pub value: Json,
    /// File and line, variable, flag, or `default`.
    pub origin: String,
}

impl Profile {
    /// Every setting with its effective value and origin, sorted by path.
    pub fn effective(&self) -> Vec<Effective> {
        let mut all = BTreeMap::new();
        let root = self.merged.table(&[]);
        collect(&Value::from(root), &mut Vec::new(), &mut |path, value| {
            let origin = self.merged.origin(path).unwrap_or_default();
            let is_list =
                path[0] == "default_targets" || (is_matrix_key(path) && !["file", "name"].contains(&&*path[3]));
            let value = match texts(value, true).filter(|_| is_list && self.is_text(value)) {
                Some(texts) => texts.into(),
                None => json(value),
            };
            all.insert(dotted(path), Effective { path: dotted(path), value, origin });
        });
        let mut defaults = |prefix: &[&str], shown: &Json| {
            for (key, value) in shown.as_object().into_iter().flatten() {
                let path: Vec<String> = prefix.iter().map(|part| (*part).to_owned()).chain([key.clone()]).collect();
                let set = self.merged.get(&path.iter().map(String::as_str).collect::<Vec<_>>()).is_some();
                if !set && !value.is_null() {
                    all.insert(
                        dotted(&path),
                        Effective { path: dotted(&path), value: value.clone(), origin: "default".to_owned() },
                    );
                }
            }
        };
        for (name, section) in &self.identities {
            defaults(&["identities", name], &section.shown);
        }
        for (name, section) in self.targets.iter().filter(|(name, _)| !self.made.contains_key(*name)) {
            defaults(&["targets", name], &section.shown);
        }
        let network = serde_json::to_value(self.network()).unwrap_or_default();
        defaults(&["network"], &network);
        // A variable's text is shown as what its key made of it.
        let section = |table: &str, name: &String| vec![table.to_owned(), name.clone()];
        for (section, shown) in self
            .identities
            .iter()
            .map(|(name, read)| (section("identities", name), &read.shown))
            .chain(self.targets.iter().map(|(name, read)| (section("targets", name), &read.shown)))
            .chain([(vec!["network".to_owned()], &network)])
        {
            for (key, value) in shown.as_object().into_iter().flatten() {
                let path = [section.as_slice(), std::slice::from_ref(key)].concat();
                let keys: Vec<&str> = path.iter().map(String::as_str).collect();
                let is_text = self.merged.get(&keys).is_some_and(|value| self.is_text(value));
                if let Some(effective) = all.get_mut(&dotted(&path)).filter(|_| is_text) {
                    effective.value = value.clone();
                }
            }
        }
        for (name, made) in &self.made {
            for one in self.effective_of(name, made) {
                all.insert(one.path.clone(), one);
            }
        }
        all.into_values().collect()
    }
}

fn collect(value: &Value, path: &mut Vec<String>, see: &mut dyn FnMut(&[String], &Value)) {
    match value {
        Value::Dict(_, dict) => {
            for (key, item) in dict {
                path.push(key.clone());
                collect(item, path, see);
                path.pop();
            }
        }
        leaf => see(path, leaf),
    }
}
