//! The adapters that a profile may name, with their types erased.

use std::sync::Arc;

use federate_core::{
    Cloud, CloudTarget, Code, Error, IdentityAdapter, IdentityProvider, PlaceholderRule, TargetAdapter,
};
use figment::value::{Dict, Value};
use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::Value as Json;

use crate::extract::build;
use crate::layer::KeyPath;

type IsText<'a> = &'a dyn Fn(&Value) -> bool;
type Built<T> = Result<(Arc<T>, Json), Vec<Error>>;

/// An identity adapter, as `[identities.NAME] type = KIND` configures it.
#[derive(Clone)]
pub struct IdentityKind {
    /// The name in `type`.
    pub kind: &'static str,
    /// One line about it.
    pub summary: &'static str,
    /// Its own error codes.
    pub codes: &'static [&'static Code],
    /// Claims that nobody can choose.
    pub immutable_claims: &'static [&'static str],
    pub(crate) own_host: fn(&str) -> bool,
    pub(crate) rule: fn(&str) -> PlaceholderRule,
    pub(crate) schema: fn() -> Json,
    pub(crate) build: fn(&str, &Value, IsText<'_>) -> Built<dyn IdentityProvider>,
    default: fn() -> Arc<dyn IdentityProvider>,
}

impl IdentityKind {
    /// The provider with default settings: for detecting the CI system.
    pub fn default_provider(&self) -> Arc<dyn IdentityProvider> {
        (self.default)()
    }
}

/// A target adapter, as `[targets.NAME] type = KIND` configures it.
#[derive(Clone)]
pub struct TargetKind {
    /// The name in `type`.
    pub kind: &'static str,
    /// One line about it.
    pub summary: &'static str,
    /// Its own error codes.
    pub codes: &'static [&'static Code],
    /// What is common to all its targets.
    pub cloud: fn() -> &'static dyn Cloud,
    /// Foreign variables and the keys that they fill.
    pub fills: &'static [(&'static str, &'static str)],
    /// Settings that name another endpoint than the cloud's own.
    pub endpoint_keys: &'static [&'static str],
    /// Variables of the cloud's own SDKs that name a CA bundle for its hosts.
    pub bundle_variables: &'static [&'static str],
    /// Is this (lower-case) host one of the cloud's own?
    pub own_host: fn(&str) -> bool,
    pub(crate) rule: fn(&str) -> PlaceholderRule,
    pub(crate) schema: fn() -> Json,
    pub(crate) build: fn(&str, &Value, IsText<'_>) -> Built<dyn CloudTarget>,
}

/// All adapters.
#[derive(Clone, Default)]
pub struct Registry {
    identities: Vec<IdentityKind>,
    targets: Vec<TargetKind>,
}

impl Registry {
    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an identity adapter.
    #[must_use]
    pub fn with_identity<A: IdentityAdapter>(mut self) -> Self {
        self.identities.push(IdentityKind {
            kind: A::KIND,
            summary: A::SUMMARY,
            codes: A::CODES,
            immutable_claims: A::IMMUTABLE_CLAIMS,
            own_host: A::is_own_host,
            rule: A::placeholder_rule,
            schema: settings_schema::<A::Settings>,
            build: |name, section, is_text| {
                build(section, is_text, |settings| Ok(Arc::new(A::new(name, settings)?) as Arc<dyn IdentityProvider>))
            },
            default: || match A::new(A::KIND, A::Settings::default()) {
                Ok(provider) => Arc::new(provider),
                // Defaults that their own adapter refuses are a defect of the adapter, which its tests would show.
                Err(errors) => unreachable!("the defaults of {} are refused: {errors:?}", A::KIND),
            },
        });
        self
    }

    /// Adds a target adapter.
    #[must_use]
    pub fn with_target<A: TargetAdapter>(mut self) -> Self {
        self.targets.push(TargetKind {
            kind: A::KIND,
            summary: A::SUMMARY,
            codes: A::CODES,
            cloud: A::cloud,
            fills: A::FILLS,
            endpoint_keys: A::ENDPOINT_KEYS,
            bundle_variables: A::BUNDLE_VARIABLES,
            own_host: A::is_own_host,
            rule: A::placeholder_rule,
            schema: settings_schema::<A::Settings>,
            build: |name, section, is_text| {
                build(section, is_text, |settings| Ok(Arc::new(A::new(name, settings)?) as Arc<dyn CloudTarget>))
            },
        });
        self
    }

    /// The identity adapters, in the order of registration.
    pub fn identities(&self) -> &[IdentityKind] {
        &self.identities
    }

    /// The target adapters, in the order of registration.
    pub fn targets(&self) -> &[TargetKind] {
        &self.targets
    }

    /// What is common to all targets of a kind.
    pub fn cloud(&self, kind: &str) -> Option<&'static dyn Cloud> {
        self.target(kind).map(|target| (target.cloud)())
    }

    /// The functions that tell the adapters' own hosts.
    pub fn own_hosts(&self) -> Vec<fn(&str) -> bool> {
        self.identities.iter().map(|kind| kind.own_host).chain(self.targets.iter().map(|kind| kind.own_host)).collect()
    }

    /// The error codes of all adapters, and of profiles.
    pub fn codes(&self) -> Vec<&'static Code> {
        let adapters =
            self.identities.iter().flat_map(|kind| kind.codes).chain(self.targets.iter().flat_map(|kind| kind.codes));
        adapters.copied().chain(crate::codes::ALL.iter().copied()).collect()
    }

    pub(crate) fn identity(&self, kind: &str) -> Option<&IdentityKind> {
        self.identities.iter().find(|known| known.kind == kind)
    }

    pub(crate) fn target(&self, kind: &str) -> Option<&TargetKind> {
        self.targets.iter().find(|known| known.kind == kind)
    }

    pub(crate) fn is_immutable_claim(&self, claim: &str) -> bool {
        self.identities.iter().any(|kind| kind.immutable_claims.contains(&claim))
    }

    /// Does the key at this path take a text and nothing else? `below` has the sections with their `type`.
    pub(crate) fn wants_text(&self, path: &[String], below: &Dict) -> bool {
        let [table, name, key] = path else { return false };
        let section = |table: &str| below.get(table)?.as_dict()?.get(name)?.as_dict();
        let written = section(table).and_then(|section| section.get("type")?.as_str());
        let kind = written.unwrap_or(name);
        let schema = match table.as_str() {
            "targets" => self.target(kind).map(|kind| (kind.schema)()),
            "identities" => self.identity(kind).map(|kind| (kind.schema)()),
            _ => None,
        };
        let types = schema.map(|schema| schema["properties"][key]["type"].clone()).unwrap_or_default();
        types == "string" || types == serde_json::json!(["string", "null"])
    }

    /// The keys that could stand at this path; for variables, whose case and underscores say less than a file would.
    pub(crate) fn known_keys(&self, path: &KeyPath, kind: Option<&str>) -> Vec<String> {
        let path: Vec<&str> = path.iter().map(String::as_str).collect();
        let properties = |schema: Json| -> Vec<String> {
            schema["properties"].as_object().map(|keys| keys.keys().cloned().collect()).unwrap_or_default()
        };
        let own = |keys: &[&str]| keys.iter().map(|key| (*key).to_owned()).collect::<Vec<_>>();
        match path.as_slice() {
            [] => own(crate::check::ROOT_KEYS),
            ["network"] => properties(settings_schema::<federate_core::NetworkSettings>()),
            ["policy"] => own(crate::policy::KEYS),
            ["identities", name] => {
                let schema = self.identity(kind.unwrap_or(name)).map(|kind| properties((kind.schema)()));
                schema.unwrap_or_default().into_iter().chain(own(&["type"])).collect()
            }
            ["targets", name] => {
                let schema = self.target(kind.unwrap_or(name)).map(|kind| properties((kind.schema)()));
                schema.unwrap_or_default().into_iter().chain(own(&["type", "identity", "trust", "matrix"])).collect()
            }
            ["targets", _, "trust"] => own(&["allow"]),
            ["targets", _, "matrix"] => own(&["file", "name"]),
            _ => Vec::new(),
        }
    }
}

impl std::fmt::Debug for Registry {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let identities: Vec<&str> = self.identities.iter().map(|kind| kind.kind).collect();
        let targets: Vec<&str> = self.targets.iter().map(|kind| kind.kind).collect();
        formatter.debug_struct("Registry").field("identities", &identities).field("targets", &targets).finish()
    }
}

/// The JSON Schema of a settings struct, in one piece.
pub(crate) fn settings_schema<S: JsonSchema>() -> Json {
    let settings = SchemaSettings::draft2020_12().with(|settings| settings.inline_subschemas = true);
    settings.into_generator().into_root_schema_for::<S>().to_value()
}
