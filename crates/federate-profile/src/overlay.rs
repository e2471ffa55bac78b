//! The layers that are not files: `FEDERATE__…` variables and `--set`.

use federate_core::{Env, Error, codes as core_codes};
use figment::value::{Dict, Value};

use crate::codes;
use crate::layer::{KeyPath, Layer, LayerKind, dotted, undotted};
use crate::load::LoadOptions;
use crate::matrix::{self, Surroundings};
use crate::merged::Merged;
use crate::registry::Registry;

const PREFIX: &str = "FEDERATE__";

/// The variables as a layer over what the files say.
pub(crate) fn environment(registry: &Registry, env: &Env, below: &Dict, errors: &mut Vec<Error>) -> Layer {
    let mut layer = Layer::new(LayerKind::Environment, "environment");
    for (name, value) in env.iter() {
        let Some(rest) = name.strip_prefix(PREFIX) else { continue };
        let place = format!("environment variable {name}");
        match resolve(registry, rest, below) {
            Ok(path) => match layer.places.get(&path) {
                Some(other) => errors.push(
                    Error::new(&codes::AMBIGUOUS_VARIABLE, format!("{name} sets the same key as {other}"))
                        .with_setting(dotted(&path))
                        .with_origin(place)
                        .with_help("remove one of them"),
                ),
                None => layer.set(&path, value_of(value, || registry.wants_text(&path, below)), place),
            },
            Err(error) => errors.push(error.with_origin(place)),
        }
    }
    layer
}

/// The keys that a variable's segments name: any case, `_` also for `-`.
fn resolve(registry: &Registry, text: &str, below: &Dict) -> Result<KeyPath, Error> {
    let mut path: KeyPath = Vec::new();
    let mut here = Some(below);
    if text.matches("__").count() > DEEPEST {
        return Err(too_deep(&format!("{PREFIX}{text}")));
    }
    for segment in text.split("__") {
        if segment.is_empty() {
            return Err(Error::new(&codes::UNKNOWN_KEY, format!("{PREFIX}{text} has an empty key in it"))
                .with_help("two underscores go between keys, like FEDERATE__TARGETS__AWS__REGION"));
        }
        let folded = fold(segment);
        let mut candidates: Vec<String> =
            here.into_iter().flat_map(|dict| dict.keys()).filter(|key| fold(key) == folded).cloned().collect();
        if candidates.is_empty() {
            let kind = here.and_then(|dict| dict.get("type")).and_then(Value::as_str);
            candidates = registry.known_keys(&path, kind).into_iter().filter(|key| fold(key) == folded).collect();
        }
        match candidates.as_slice() {
            [] => path.push(segment.to_ascii_lowercase()),
            [one] => path.push(one.clone()),
            several => {
                return Err(Error::new(
                    &codes::AMBIGUOUS_VARIABLE,
                    format!("{segment} in {PREFIX}{text} could be {}", several.join(" or ")),
                )
                .with_help("use --set with the exact name, or rename one of them"));
            }
        }
        here = here.and_then(|dict| dict.get(path.last()?)).and_then(Value::as_dict);
    }
    Ok(path)
}

fn fold(key: &str) -> String {
    key.to_ascii_lowercase().replace('-', "_")
}

/// Lets a variable that names a target of a matrix find it: `-` cannot stand in a variable's name.
pub(crate) fn name_members(layer: &mut Layer, below: &Merged, options: &LoadOptions, errors: &mut Vec<Error>) {
    let written = below.table(&["targets"]);
    let targets = layer.values.get("targets").and_then(Value::as_dict).into_iter().flatten();
    let unknown = targets.filter(|(name, section)| {
        !written.contains_key(*name) && section.as_dict().is_some_and(|section| !section.contains_key("type"))
    });
    let unknown: Vec<String> = unknown.map(|(name, _)| name.clone()).collect();
    if unknown.is_empty() {
        return;
    }
    let members = members(below, options);
    for name in unknown {
        let found: Vec<&str> =
            members.iter().filter(|member| fold(member) == fold(&name)).map(String::as_str).collect();
        match found.as_slice() {
            [] => {}
            [member] => layer.rename(&["targets".to_owned(), name], member),
            several => {
                let what = format!("{} could be {}", name.to_ascii_uppercase(), several.join(" or "));
                let path = ["targets".to_owned(), name];
                errors.push(
                    Error::new(&codes::AMBIGUOUS_VARIABLE, what)
                        .with_setting(dotted(&path))
                        .with_origin(layer.place(&path))
                        .with_help("use --set with the exact name, or rename one of them"),
                );
            }
        }
    }
}

/// The targets that the matrices of the files make; a matrix that is wrong is told of elsewhere.
fn members(below: &Merged, options: &LoadOptions) -> Vec<String> {
    let surroundings = Surroundings {
        is_text: &|_| false,
        path_beside: &|value, path| below.path_beside(value, path),
        shown: &|path| options.shown(path),
    };
    let sections = below.table(&["targets"]);
    let matrices = sections.iter().filter_map(|(name, section)| Some((name, section.as_dict()?.get("matrix")?)));
    let read =
        matrices.filter_map(|(name, value)| matrix::read(name, value, &below.matrix_keys(name), &surroundings).ok());
    read.flat_map(|matrix| matrix.members).map(|member| member.name).collect()
}

/// `--set key=value` as a layer; what stands in the variable FEDERATE_SET comes from there.
pub(crate) fn flags(
    registry: &Registry,
    set: &[String],
    variable: Option<&str>,
    below: &Dict,
    errors: &mut Vec<Error>,
) -> Layer {
    let mut layer = Layer::new(LayerKind::Flag, "--set");
    let lines: Vec<&str> = variable.into_iter().flat_map(|text| text.split('\n')).collect();
    // The command line hands the variable's lines over as if they had been given by the flag.
    let from_variable =
        if set.iter().map(String::as_str).take(lines.len()).eq(lines.iter().copied()) { lines.len() } else { 0 };
    for (index, text) in set.iter().enumerate().filter(|(_, text)| !text.trim().is_empty()) {
        let shown = |key: &str| match index < from_variable {
            true => format!("environment variable FEDERATE_SET ({})", key.trim()),
            false => format!("--set {}", key.trim()),
        };
        match assignment(text) {
            Some((path, key, _)) if path.len() > DEEPEST => errors.push(too_deep(&shown(key))),
            Some((path, key, value)) => {
                layer.set(&path, value_of(value, || registry.wants_text(&path, below)), shown(key));
            }
            None => errors.push(
                Error::new(&core_codes::USAGE, format!("{} is not KEY=VALUE", shown(text)))
                    .with_help("write it like --set targets.aws.region=eu-west-1"),
            ),
        }
    }
    layer
}

/// The path, the key as it is written, and the value: the first `=` outside of quotes parts them.
fn assignment(text: &str) -> Option<(KeyPath, &str, &str)> {
    text.match_indices('=').find_map(|(at, _)| {
        let (key, value) = (&text[..at], text[at + 1..].trim());
        let path = undotted(key);
        let is_whole = ['"', '\''].iter().all(|quote| key.matches(*quote).count() % 2 == 0);
        (is_whole && path.iter().all(|part| !part.is_empty())).then_some((path, key, value))
    })
}

/// More keys than any setting has below one another.
const DEEPEST: usize = 32;

fn too_deep(place: &str) -> Error {
    Error::new(&core_codes::USAGE, format!("more than {DEEPEST} keys below one another"))
        .with_origin(place)
        .with_help("write it like targets.aws.region")
}

/// A text stays one where its key wants nothing else, though it looks like JSON: an inline policy is JSON.
fn value_of(text: &str, wants_text: impl FnOnce() -> bool) -> Value {
    let structured = structured(text).filter(|value| matches!(value, Value::String(..)) || !wants_text());
    structured.unwrap_or_else(|| Value::from(text.to_owned()))
}

/// An array, a table or a quoted string, in TOML or JSON; anything else stays a text until its key wants more.
fn structured(text: &str) -> Option<Value> {
    let text = text.trim();
    text.starts_with(['[', '{', '"', '\'']).then(|| toml_value(text).or_else(|| json_value(text))).flatten()
}

/// What a value that came as a text becomes where its key refuses it and wants something else.
pub(crate) fn convert(value: &Value, wanted: &str) -> Option<Value> {
    if wanted.contains("string") {
        return match value {
            Value::Num(..) => value.to_i128().map(|number| Value::from(number.to_string())),
            _ => None,
        };
    }
    let text = value.as_str()?.trim();
    if wanted.contains("sequence") || wanted.contains("array") {
        let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
        return Some(Value::from(items.map(|item| Value::from(item.to_owned())).collect::<Vec<_>>()));
    }
    if wanted.contains("boolean") {
        return match text.to_ascii_lowercase().as_str() {
            "true" | "1" | "yes" | "on" => Some(Value::from(true)),
            "false" | "0" | "no" | "off" => Some(Value::from(false)),
            _ => None,
        };
    }
    toml_value(text).filter(|value| !matches!(value, Value::String(..)))
}

fn toml_value(text: &str) -> Option<Value> {
    let layer = crate::file::parse(&format!("value = {text}\n"), LayerKind::Flag, "").ok()?;
    let mut values = layer.values;
    if values.len() == 1 { values.remove("value") } else { None }
}

fn json_value(text: &str) -> Option<Value> {
    Value::serialize(serde_json::from_str::<serde_json::Value>(text).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::registry;

    fn below() -> Dict {
        crate::file::parse(
            "[targets.my-target]\ntype = \"cloud\"\n[targets.a_b]\n[targets.a-b]\n",
            LayerKind::Base,
            "b",
        )
        .unwrap()
        .values
    }

    fn path(variable: &str) -> Result<String, String> {
        resolve(&registry(), variable, &below())
            .map(|path| crate::layer::dotted(&path))
            .map_err(|error| error.what().to_owned())
    }

    #[test]
    fn segments_match_in_any_case_and_underscores_match_hyphens() {
        assert_eq!(path("TARGETS__MY_TARGET__ROLE").unwrap(), "targets.my-target.role");
        assert_eq!(path("targets__My-Target__Role").unwrap(), "targets.my-target.role");
        assert_eq!(path("DEFAULT_TARGETS").unwrap(), "default_targets");
        assert!(path("TARGETS__A_B__ROLE").unwrap_err().contains("could be"));
        assert!(path("TARGETS____ROLE").unwrap_err().contains("empty key"));
    }

    #[test]
    fn texts_become_what_the_key_wants() {
        let text = |text: &str| Value::from(text.to_owned());
        let list = convert(&text("a, b"), "a sequence").unwrap();
        assert_eq!(list.as_array().unwrap().len(), 2);
        for (word, flag) in [("true", true), ("1", true), ("ON", true), ("0", false), ("no", false)] {
            assert_eq!(convert(&text(word), "a boolean").unwrap().to_bool(), Some(flag), "{word}");
        }
        assert!(convert(&text("maybe"), "a boolean").is_none());
        assert_eq!(convert(&text("7"), "u32").unwrap().to_i128(), Some(7));
        assert!(convert(&text("eu-west-1"), "u32").is_none());
        assert_eq!(convert(&Value::from(12_i64), "a string").unwrap().as_str(), Some("12"));
        assert!(convert(&structured("{x = 1}").unwrap(), "a string").is_none());
    }

    fn set(texts: &[&str], variable: Option<&str>) -> (Layer, Vec<Error>) {
        let mut errors = Vec::new();
        let texts: Vec<String> = texts.iter().map(|text| (*text).to_owned()).collect();
        (flags(&registry(), &texts, variable, &below(), &mut errors), errors)
    }

    #[test]
    fn flags_are_keys_and_values() {
        let value = |text: &str, path: &str| {
            let (layer, errors) = set(&[text], None);
            assert!(errors.is_empty(), "{errors:?}");
            let value = undotted(path).iter().fold(Value::from(layer.values), |value, key| {
                value.as_dict().and_then(|dict| dict.get(key)).cloned().unwrap()
            });
            value.as_str().map(str::to_owned)
        };
        assert_eq!(value("a.b=012345", "a.b").unwrap(), "012345");
        assert_eq!(value(" a . b = x=y ", "a.b").unwrap(), "x=y");
        assert_eq!(value("a.'b.c=d'=x", "a.\"b.c=d\"").unwrap(), "x");
        assert_eq!(value("targets.my-target.role={\"a\":1}", "targets.my-target.role").unwrap(), "{\"a\":1}");
        assert_eq!(value("targets.my-target.role='x'", "targets.my-target.role").unwrap(), "x");
        let deep = format!("{}=1", ["a"; 1000].join("."));
        let (_, errors) = set(&["nonsense", "=x", "a..b=1", &deep], None);
        assert_eq!(errors.len(), 4, "{errors:?}");
    }

    #[test]
    fn what_the_variable_sets_comes_from_the_variable() {
        let places =
            |texts: &[&str], variable: &str| set(texts, Some(variable)).0.places.into_values().collect::<Vec<_>>();
        assert_eq!(
            places(&["a=1", "", "b=2", "c=3"], "a=1\n\nb=2"),
            ["environment variable FEDERATE_SET (a)", "environment variable FEDERATE_SET (b)", "--set c"]
        );
        assert_eq!(places(&["a=1"], "b=2"), ["--set a"]);
    }

    #[test]
    fn two_variables_for_one_key_are_refused() {
        let env = [("FEDERATE__A__B", "1"), ("FEDERATE__a__b", "2")].into_iter().collect();
        let mut errors = Vec::new();
        environment(&registry(), &env, &below(), &mut errors);
        assert_eq!(errors[0].code().name, "ambiguous-variable");
        assert_eq!(errors[0].origin(), Some("environment variable FEDERATE__a__b"));
    }
}
