//! The layers that are not files: `FEDERATE__…` variables and `--set`.

use federate_core::{Env, Error, codes as core_codes};
use figment::value::{Dict, Value};

use crate::codes;
use crate::layer::{KeyPath, Layer, LayerKind, undotted};
use crate::registry::Registry;

const PREFIX: &str = "FEDERATE__";

/// The variables as a layer over what the files say.
pub(crate) fn environment(registry: &Registry, env: &Env, below: &Dict, errors: &mut Vec<Error>) -> Layer {
    let mut layer = Layer::new(LayerKind::Environment, "environment");
    for (name, value) in env.iter() {
        let Some(rest) = name.strip_prefix(PREFIX) else { continue };
        let place = format!("environment variable {name}");
        match resolve(registry, rest, below) {
            Ok(path) => layer.set(&path, structured(value).unwrap_or_else(|| Value::from(value.to_owned())), place),
            Err(error) => errors.push(error.with_origin(place)),
        }
    }
    layer
}

/// The keys that a variable's segments name: any case, `_` also for `-`.
fn resolve(registry: &Registry, text: &str, below: &Dict) -> Result<KeyPath, Error> {
    let mut path: KeyPath = Vec::new();
    let mut here = Some(below);
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

/// `--set key=value` as a layer.
pub(crate) fn flags(set: &[String], errors: &mut Vec<Error>) -> Layer {
    let mut layer = Layer::new(LayerKind::Flag, "--set");
    for text in set {
        match text.split_once('=') {
            Some((key, value)) if undotted(key).iter().all(|part| !part.is_empty()) => {
                let value = structured(value).unwrap_or_else(|| Value::from(value.to_owned()));
                layer.set(&undotted(key), value, format!("--set {}", key.trim()));
            }
            _ => errors.push(
                Error::new(&core_codes::USAGE, format!("--set {text} is not KEY=VALUE"))
                    .with_help("write it like --set targets.aws.region=eu-west-1"),
            ),
        }
    }
    layer
}

/// An array, a table or a quoted string, in TOML or JSON; anything else stays a text until its key wants more.
fn structured(text: &str) -> Option<Value> {
    let text = text.trim();
    text.starts_with(['[', '{', '"', '\'']).then(|| toml_value(text).or_else(|| json_value(text))).flatten()
}

/// What a text becomes where its key refuses texts.
pub(crate) fn convert(text: &str, wants_list: bool) -> Option<Value> {
    if wants_list {
        let items: Vec<Value> = text
            .split(',')
            .map(str::trim)
            .filter(|item| !item.is_empty())
            .map(|item| Value::from(item.to_owned()))
            .collect();
        return structured(text).filter(|value| matches!(value, Value::Array(..))).or(Some(Value::from(items)));
    }
    match text.trim().to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" | "on" if text.trim().parse::<i64>().is_err() => Some(Value::from(true)),
        "false" | "no" | "off" => Some(Value::from(false)),
        _ => toml_value(text.trim()).filter(|value| !matches!(value, Value::String(..))),
    }
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
        assert_eq!(convert("a, b", true).unwrap().as_array().unwrap().len(), 2);
        assert_eq!(convert("[\"a\"]", true).unwrap().as_array().unwrap().len(), 1);
        assert_eq!(convert("true", false).unwrap().to_bool(), Some(true));
        assert_eq!(convert("7", false).unwrap().to_i128(), Some(7));
        assert!(convert("eu-west-1", false).is_none());
        assert_eq!(
            flags(&["a.b=012345".into()], &mut Vec::new()).values["a"].as_dict().unwrap()["b"].as_str(),
            Some("012345")
        );
        let mut errors = Vec::new();
        flags(&["nonsense".into(), "=x".into()], &mut errors);
        assert_eq!(errors.len(), 2);
    }
}
