//! One source of settings: its values, and where each of them stands.

use std::collections::BTreeMap;
use std::path::PathBuf;

use federate_core::Error;
use figment::value::{Dict, Map, Value};
use figment::{Metadata, Profile, Provider};

/// A key's path: `["targets", "aws", "role_arn"]`; array positions are numbers.
pub(crate) type KeyPath = Vec<String>;

/// What kind of source it is; decides what it may set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LayerKind {
    /// `/etc/federate/config.toml` or the user's file: the machine's owner speaks.
    Owner,
    /// `base.toml`.
    Base,
    /// `<profile>.toml`.
    Profile,
    /// `<profile>.local.toml`.
    Local,
    /// `FEDERATE__…`.
    Environment,
    /// `--set`.
    Flag,
    /// `AWS_REGION` and its like, which fill gaps.
    Foreign,
}

impl LayerKind {
    /// Are its values texts, to be read as what the key wants?
    pub(crate) fn is_textual(self) -> bool {
        matches!(self, Self::Environment | Self::Flag | Self::Foreign)
    }

    /// Can a stranger's merge request bring it along?
    pub(crate) fn is_of_repository(self) -> bool {
        !matches!(self, Self::Owner)
    }
}

/// One source of settings.
#[derive(Clone, Debug)]
pub(crate) struct Layer {
    pub(crate) kind: LayerKind,
    /// For people: a path relative to the working directory where it is below it, a variable, `--set`.
    pub(crate) shown: String,
    /// The file, if it is one.
    pub(crate) path: Option<PathBuf>,
    pub(crate) values: Dict,
    /// Lines (from 1) of keys in files; in other layers the variable or flag.
    pub(crate) places: BTreeMap<KeyPath, String>,
    /// The keys of matrices in the order in which they are written, which a table forgets.
    pub(crate) matrix_keys: Vec<KeyPath>,
    /// What is wrong with single values of it.
    pub(crate) problems: Vec<Error>,
}

impl Layer {
    /// An empty layer.
    pub(crate) fn new(kind: LayerKind, shown: impl Into<String>) -> Self {
        Self {
            kind,
            shown: shown.into(),
            path: None,
            values: Dict::new(),
            places: BTreeMap::new(),
            matrix_keys: Vec::new(),
            problems: Vec::new(),
        }
    }

    /// Where this layer sets the key, or the nearest table around it.
    pub(crate) fn place(&self, path: &[String]) -> String {
        let place = (1..=path.len()).rev().find_map(|length| self.place_within(&path[..length]));
        place.unwrap_or(&self.shown).clone()
    }

    /// Where the key is; a table that a variable or a flag makes on the way is where the first of its keys is.
    fn place_within(&self, path: &[String]) -> Option<&String> {
        let (found, place) = self.places.range(path.to_vec()..).next()?;
        found.starts_with(path).then_some(place)
    }

    /// Sets a value, making tables on the way.
    pub(crate) fn set(&mut self, path: &[String], value: Value, place: String) {
        fn into(dict: &mut Dict, path: &[String], value: Value) {
            match path {
                [] => {}
                [key] => {
                    dict.insert(key.clone(), value);
                }
                [key, rest @ ..] => {
                    let entry = dict.entry(key.clone()).or_insert_with(|| Value::from(Dict::new()));
                    if !matches!(entry, Value::Dict(..)) {
                        *entry = Value::from(Dict::new());
                    }
                    if let Value::Dict(_, inner) = entry {
                        into(inner, rest, value);
                    }
                }
            }
        }
        into(&mut self.values, path, value);
        self.matrix_keys.extend((is_matrix_key(path)).then(|| path.to_vec()));
        self.places.insert(path.to_vec(), place);
    }

    /// Gives the table at the path another name.
    pub(crate) fn rename(&mut self, path: &[String; 2], name: &str) {
        if let Some(Value::Dict(_, tables)) = self.values.get_mut(&path[0])
            && let Some(table) = tables.remove(&path[1])
        {
            tables.insert(name.to_owned(), table);
        }
        let places = std::mem::take(&mut self.places);
        self.places = places
            .into_iter()
            .map(|(mut key, place)| {
                if key.starts_with(path) {
                    name.clone_into(&mut key[1]);
                }
                (key, place)
            })
            .collect();
    }
}

/// Is this `targets.NAME.matrix.KEY`?
pub(crate) fn is_matrix_key(path: &[String]) -> bool {
    path.len() == 4 && path[0] == "targets" && path[2] == "matrix"
}

/// A layer under its number, which is how the merged values know where they come from.
pub(crate) struct Numbered<'a>(pub(crate) usize, pub(crate) &'a Layer);

impl Provider for Numbered<'_> {
    fn metadata(&self) -> Metadata {
        Metadata::named(self.0.to_string())
    }

    fn data(&self) -> figment::Result<Map<Profile, Dict>> {
        Ok(Profile::Default.collect(self.1.values.clone()))
    }
}

/// A path as people write it: `targets.aws.role_arn`, names with dots and other signs in quotes.
pub(crate) fn dotted(path: &[String]) -> String {
    let is_bare =
        |part: &String| !part.is_empty() && part.chars().all(|c| c.is_alphanumeric() || ['_', '-'].contains(&c));
    let quote = |part: &String| if part.contains('"') { '\'' } else { '"' };
    let shown = |part: &String| match is_bare(part) {
        true => part.clone(),
        false => format!("{0}{part}{0}", quote(part)),
    };
    path.iter().map(shown).collect::<Vec<_>>().join(".")
}

/// The parts of a path as people write it, in either kind of quotes where they have dots in them.
pub(crate) fn undotted(text: &str) -> KeyPath {
    let mut parts = Vec::new();
    let mut part = String::new();
    let mut was_quoted = false;
    let mut quote = None;
    let mut end = |part: &mut String, was_quoted: &mut bool| {
        let whole = std::mem::take(part);
        parts.push(if std::mem::take(was_quoted) { whole } else { whole.trim().to_owned() });
    };
    for c in text.chars() {
        match (c, quote) {
            (c, Some(open)) if c == open => quote = None,
            ('"' | '\'', None) if part.trim().is_empty() => {
                part.clear();
                (quote, was_quoted) = (Some(c), true);
            }
            ('.', None) => end(&mut part, &mut was_quoted),
            (c, None) if was_quoted && c.is_whitespace() => {}
            (c, _) => part.push(c),
        }
    }
    end(&mut part, &mut was_quoted);
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_survive_dots_in_names() {
        let path: KeyPath = ["targets", "a.b", "x"].map(str::to_owned).to_vec();
        assert_eq!(dotted(&path), "targets.\"a.b\".x");
        assert_eq!(undotted("targets.\"a.b\".x"), path);
        assert_eq!(undotted("targets . 'a.b' .x "), path);
        for odd in ["a \"b\"", " a ", "", "it's", "a=b"] {
            let path: KeyPath = vec!["t".to_owned(), odd.to_owned(), "x".to_owned()];
            assert_eq!(undotted(&dotted(&path)), path, "{odd}");
        }
    }

    #[test]
    fn a_table_that_a_variable_makes_is_where_the_variable_is() {
        let mut layer = Layer::new(LayerKind::Environment, "environment");
        layer.set(&undotted("targets.new.region"), Value::from(1_i64), "variable X".into());
        for path in ["targets.new", "targets.new.type", "targets"] {
            assert_eq!(layer.place(&undotted(path)), "variable X", "{path}");
        }
        assert_eq!(layer.place(&undotted("targetsx")), "environment");
    }

    #[test]
    fn the_nearest_place_answers_for_what_lies_within() {
        let mut layer = Layer::new(LayerKind::Base, "base.toml");
        layer.set(&undotted("a.b"), Value::from(1_i64), "base.toml:3".into());
        assert_eq!(layer.place(&undotted("a.b.0.c")), "base.toml:3");
        assert_eq!(layer.place(&undotted("z")), "base.toml");
    }
}
