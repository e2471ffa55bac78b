//! All layers merged, every value still knowing its layer.

use std::path::{Path, PathBuf};

use figment::Figment;
use figment::value::{Dict, Value};

use crate::layer::{Layer, LayerKind, Numbered};

/// The merged values and the layers that they come from.
#[derive(Clone, Debug)]
pub(crate) struct Merged {
    figment: Figment,
    layers: Vec<Layer>,
    root: Value,
}

impl Merged {
    /// Merges layers, the lowest first; those of the kind `Foreign` only fill gaps.
    pub(crate) fn new(layers: Vec<Layer>) -> Self {
        let mut figment = Figment::new();
        for (index, layer) in layers.iter().enumerate() {
            let provider = Numbered(index, layer);
            figment = if layer.kind == LayerKind::Foreign { figment.join(provider) } else { figment.merge(provider) };
        }
        let root = figment.find_value("").unwrap_or_else(|_| Value::from(Dict::new()));
        Self { figment, layers, root }
    }

    /// The same with one more layer at the bottom.
    pub(crate) fn with_foreign(self, layer: Layer) -> Self {
        let mut layers = self.layers;
        layers.push(layer);
        Self::new(layers)
    }

    /// The layers.
    pub(crate) fn layers(&self) -> &[Layer] {
        &self.layers
    }

    /// The keys of a target's matrix, in the order in which the lowest layers write them.
    pub(crate) fn matrix_keys(&self, target: &str) -> Vec<String> {
        let written = self.layers.iter().flat_map(|layer| &layer.matrix_keys);
        let mut keys: Vec<String> = Vec::new();
        for key in written.filter(|path| path[1] == target).map(|path| path[3].clone()) {
            if !keys.contains(&key) {
                keys.push(key);
            }
        }
        let others = self.table(&["targets", target, "matrix"]).into_keys().filter(|key| !keys.contains(key));
        let others: Vec<String> = others.collect();
        keys.extend(others);
        keys
    }

    /// The value at the path.
    pub(crate) fn get(&self, path: &[&str]) -> Option<&Value> {
        path.iter().try_fold(&self.root, |value, key| match value {
            Value::Dict(_, dict) => dict.get(*key),
            Value::Array(_, items) => items.get(key.parse::<usize>().ok()?),
            _ => None,
        })
    }

    /// The table at the path, empty where there is none.
    pub(crate) fn table(&self, path: &[&str]) -> Dict {
        self.get(path).and_then(Value::as_dict).cloned().unwrap_or_default()
    }

    /// The layer that a value comes from.
    pub(crate) fn layer_of(&self, value: &Value) -> Option<&Layer> {
        let number: usize = self.figment.get_metadata(value.tag())?.name.parse().ok()?;
        self.layers.get(number)
    }

    /// A path that a setting holds, from the folder of the file that declares it.
    pub(crate) fn path_beside(&self, value: &Value, path: &str) -> PathBuf {
        let folder = self.layer_of(value).and_then(|layer| layer.path.as_deref()).and_then(Path::parent);
        folder.map_or_else(|| PathBuf::from(path), |folder| folder.join(path))
    }

    /// Where the value at the path was set: a table is where the key that tells its kind is, else where it stands highest.
    pub(crate) fn origin(&self, path: &[String]) -> Option<String> {
        (1..=path.len()).rev().find_map(|length| {
            let part = &path[..length];
            let keys: Vec<&str> = part.iter().map(String::as_str).collect();
            let value = self.get(&keys)?;
            // A merged table carries the highest layer's mark, though a lower one may have made it.
            if let Value::Dict(_, dict) = value
                && let Some(kind) = dict.get("type")
            {
                let mut kind_path = part.to_vec();
                kind_path.push("type".to_owned());
                return Some(self.layer_of(kind)?.place(&kind_path));
            }
            let layer = self.layer_of(value)?;
            Some(layer.place(part))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layer::undotted;

    fn layer(text: &str, name: &str) -> Layer {
        crate::file::parse(text, LayerKind::Base, name).unwrap()
    }

    #[test]
    fn tables_merge_and_arrays_replace() {
        let merged =
            Merged::new(vec![layer("[t]\na = 1\nl = [1, 2]\n", "low"), layer("\n[t]\nb = 2\nl = [3]\n", "high")]);
        let origin = |path: &str| merged.origin(&undotted(path)).unwrap();
        assert_eq!(merged.get(&["t", "l"]).unwrap().as_array().unwrap().len(), 1);
        assert_eq!(
            (origin("t.a").as_str(), origin("t.b").as_str(), origin("t.l").as_str()),
            ("low:2", "high:3", "high:4")
        );
        assert_eq!(origin("t.a.deeper"), "low:2");
    }

    #[test]
    fn foreign_values_only_fill_gaps() {
        let mut foreign = Layer::new(LayerKind::Foreign, "environment");
        foreign.set(&undotted("t.a"), Value::from(9_i64), "AWS_A".into());
        foreign.set(&undotted("t.z"), Value::from(9_i64), "AWS_Z".into());
        let merged = Merged::new(vec![layer("[t]\na = 1\n", "low")]).with_foreign(foreign);
        assert_eq!(merged.get(&["t", "a"]).unwrap().to_i128(), Some(1));
        assert_eq!(merged.origin(&undotted("t.z")).unwrap(), "AWS_Z");
    }
}
