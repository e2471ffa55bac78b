//! The shape of a layer around the adapters' sections.

use federate_core::suggest::nearest;
use federate_core::{Error, NetworkSettings, codes as core_codes};
use figment::value::{Dict, Value};

use crate::layer::{Layer, LayerKind};
use crate::serve::{ServeMode, VALUES};
use crate::{codes, placeholders};

/// What may stand at the top of a layer.
pub(crate) const ROOT_KEYS: &[&str] = &[
    "default_profile",
    "default_targets",
    "identity",
    "extends",
    "serve",
    "identities",
    "targets",
    "network",
    "policy",
];

/// Checks one layer's own top level; the adapters' sections are checked once merged.
pub(crate) fn layer(layer: &Layer, in_ci: bool, errors: &mut Vec<Error>) {
    errors.extend(layer.problems.iter().cloned());
    for (key, value) in &layer.values {
        let place = layer.place(std::slice::from_ref(key));
        let mut fail = |code, what: String, help: String| {
            errors.push(Error::new(code, what).with_setting(key.clone()).with_origin(place.clone()).with_help(help))
        };
        match (key.as_str(), value) {
            ("default_profile", Value::String(..)) if layer.kind != LayerKind::Base => fail(
                &codes::UNKNOWN_KEY,
                "only base.toml says which profile is the default".to_owned(),
                "remove it here; choose another profile with -p or FEDERATE_PROFILE".to_owned(),
            ),
            ("default_profile" | "identity", Value::String(..))
            | ("identities" | "targets" | "network" | "policy", Value::Dict(..)) => {}
            ("serve", Value::String(_, text)) if ServeMode::parse(text).is_some() => {}
            ("serve", _) => fail(
                &core_codes::SETTING_INVALID,
                format!("`serve` must be one of {}", VALUES.join(", ")),
                "write it in quotes, like serve = \"auto\"".to_owned(),
            ),
            ("default_targets" | "extends", value) if texts(value, layer.kind.is_textual()).is_some() => {
                if key == "extends" && layer.kind != LayerKind::Profile {
                    fail(
                        &codes::UNKNOWN_KEY,
                        "only a profile can extend others".to_owned(),
                        "remove `extends` here; base.toml is below every profile anyway".to_owned(),
                    );
                }
            }
            ("default_profile" | "identity", _) => {
                fail(&codes::WRONG_TYPE, format!("`{key}` must be a string"), "write it in quotes".to_owned())
            }
            ("default_targets" | "extends", _) => fail(
                &codes::WRONG_TYPE,
                format!("`{key}` must be a list of strings"),
                format!("write it like {key} = [\"a\", \"b\"]"),
            ),
            ("identities" | "targets" | "network" | "policy", _) => fail(
                &codes::WRONG_TYPE,
                format!("`{key}` must be a table"),
                format!("write it as [{key}] or [{key}.NAME]"),
            ),
            _ => {
                let help = match nearest(key, ROOT_KEYS.iter().copied()) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("known here are {}", ROOT_KEYS.join(", ")),
                };
                fail(&codes::UNKNOWN_KEY, format!("`{key}` is not a known key"), help);
            }
        }
    }
    for table in ["identities", "targets"] {
        for (name, section) in layer.values.get(table).and_then(Value::as_dict).into_iter().flatten() {
            if !matches!(section, Value::Dict(..)) {
                let path = [table.to_owned(), name.clone()];
                errors.push(
                    Error::new(&codes::WRONG_TYPE, format!("`{name}` must be a table"))
                        .with_setting(crate::layer::dotted(&path))
                        .with_origin(layer.place(&path))
                        .with_help(format!("write it as [{table}.{name}]")),
                );
            }
        }
    }
    let ca_file: Vec<String> = vec!["network".to_owned(), "ca_file".to_owned()];
    if in_ci
        && layer.kind.is_of_repository()
        && layer.values.get("network").and_then(Value::as_dict).is_some_and(|network| network.contains_key("ca_file"))
    {
        errors.push(
            Error::new(&codes::CA_FILE_IN_CI, "in CI, `ca_file` cannot come from the repository: it decides whom tokens are sent to")
                .with_setting("network.ca_file")
                .with_origin(layer.place(&ca_file))
                .with_help("put the certificate into the runner's system store, or name it in SSL_CERT_FILE or in /etc/federate/config.toml"),
        );
    }
}

/// What no request could be made with, and where no placeholder may stand; `setting` is the key in `[network]`.
pub(crate) fn network(network: &NetworkSettings) -> Vec<Error> {
    let durations = [
        ("connect_timeout", network.connect_timeout),
        ("request_timeout", network.request_timeout),
        ("exchange_timeout", network.exchange_timeout),
    ];
    let zero = durations.iter().filter(|(_, duration)| duration.0.is_zero()).map(|(key, _)| *key);
    let zero = zero.chain((network.max_tries == 0).then_some("max_tries"));
    let placeholder = network.ca_file.as_ref().and_then(|path| placeholders::forbidden(path.to_str()?));
    zero.map(|key| {
        Error::new(&core_codes::SETTING_INVALID, format!("`{key}` is 0, with which nothing could ever be asked"))
            .with_setting(key)
            .with_help("leave it out, or give it more")
    })
    .chain(placeholder.map(|error| error.with_setting("ca_file")))
    .collect()
}

/// A string or a list of strings; a text of a variable is split at commas.
pub(crate) fn texts(value: &Value, is_text: bool) -> Option<Vec<String>> {
    match value {
        Value::String(_, text) if is_text => {
            Some(text.split(',').map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned).collect())
        }
        Value::String(_, text) => Some(vec![text.clone()]),
        Value::Array(_, items) => items.iter().map(|item| item.as_str().map(str::to_owned)).collect(),
        _ => None,
    }
}

/// The kind of a section: its `type`, else its own name where that is an adapter's.
pub(crate) fn section_kind<'k>(name: &str, section: &Dict, known: &[&'k str]) -> Result<&'k str, Error> {
    let (written, has_type) = match section.get("type") {
        Some(Value::String(_, text)) => (text.as_str(), true),
        Some(_) => {
            return Err(Error::new(&codes::WRONG_TYPE, "`type` must be a string")
                .with_setting("type")
                .with_help("write it in quotes"));
        }
        None => (name, false),
    };
    if let Some(kind) = known.iter().find(|kind| **kind == written) {
        return Ok(kind);
    }
    if !has_type {
        return Err(Error::new(&core_codes::SETTING_MISSING, format!("`{name}` does not say its `type`"))
            .with_setting("")
            .with_help(format!("add `type`: {}", known.join(" or "))));
    }
    let help = match nearest(written, known.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("there are {}", known.join(", ")),
    };
    Err(Error::new(&codes::UNKNOWN_ADAPTER, format!("there is no adapter `{written}`"))
        .with_setting("type")
        .with_help(help))
}
