//! A loaded profile: checked settings, and where each of them comes from.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use federate_core::{CloudTarget, Context, Error, IdentityProvider, NetworkSettings, Policy};
use figment::value::{Dict, Value};
use serde_json::Value as Json;

use crate::check::{self, section_kind};
use crate::extract::extract;
use crate::layer::{dotted, undotted};
use crate::load::LoadOptions;
use crate::merged::Merged;
use crate::policy::OwnersPolicy;
use crate::registry::Registry;
use crate::serve::ServeMode;
use crate::targets::Made;
use crate::trust::TrustSection;
use crate::{codes, placeholders};

/// A target's section, checked.
#[derive(Clone)]
pub(crate) struct TargetSection {
    pub(crate) kind: &'static str,
    pub(crate) identity: Option<String>,
    pub(crate) settings: Value,
    pub(crate) shown: Json,
    pub(crate) target: Arc<dyn CloudTarget>,
    pub(crate) trust: TrustSection,
}

/// An identity's section, checked.
#[derive(Clone)]
pub(crate) struct IdentitySection {
    pub(crate) kind: &'static str,
    pub(crate) shown: Json,
    pub(crate) provider: Arc<dyn IdentityProvider>,
}

/// One environment, merged from its layers.
#[derive(Clone)]
pub struct Profile {
    pub(crate) registry: Registry,
    names: Vec<String>,
    directory: Option<PathBuf>,
    pub(crate) merged: Merged,
    owners: OwnersPolicy,
    network: NetworkSettings,
    pub(crate) identities: BTreeMap<String, IdentitySection>,
    pub(crate) targets: BTreeMap<String, TargetSection>,
    /// The targets that matrices make.
    pub(crate) made: BTreeMap<String, Made>,
}

impl Profile {
    pub(crate) fn new(
        registry: Registry,
        names: Vec<String>,
        directory: Option<PathBuf>,
        merged: Merged,
        owners: OwnersPolicy,
        options: &LoadOptions,
        mut errors: Vec<Error>,
    ) -> Result<Self, Vec<Error>> {
        let mut profile = Self {
            registry,
            names,
            directory,
            merged,
            owners,
            network: NetworkSettings::default(),
            identities: BTreeMap::new(),
            targets: BTreeMap::new(),
            made: BTreeMap::new(),
        };
        let mut found = Vec::new();
        let network = Value::from(profile.merged.table(&["network"]));
        match extract(&network, &|value| profile.is_text(value)) {
            Ok(network) => {
                found.extend(check::network(&network).into_iter().map(|error| error.in_section("network")));
                profile.network = network;
            }
            Err(problems) => found.extend(problems.into_iter().map(|error| error.in_section("network"))),
        }
        for (name, section) in profile.merged.table(&["identities"]).iter().filter(|(_, section)| is_table(section)) {
            match profile.read_identity(name, section) {
                Ok(read) => drop(profile.identities.insert(name.clone(), read)),
                Err(problems) => found.extend(within("identities", name, problems)),
            }
        }
        found.extend(profile.read_targets(options));
        if let Some(name) = profile.default_identity().filter(|name| name != "auto" && !profile.knows_identity(name)) {
            found.push(profile.unknown_identity(&name).with_setting("identity"));
        }
        errors.extend(found.into_iter().map(|error| profile.locate(error)));
        if errors.is_empty() { Ok(profile) } else { Err(errors) }
    }

    pub(crate) fn is_text(&self, value: &Value) -> bool {
        self.merged.layer_of(value).is_some_and(|layer| layer.kind.is_textual())
    }

    /// A path that a setting holds, from the folder of the file that declares it.
    pub(crate) fn path_beside(&self, value: &Value, path: &str) -> PathBuf {
        self.merged.path_beside(value, path)
    }

    fn read_identity(&self, name: &str, section: &Value) -> Result<IdentitySection, Vec<Error>> {
        let dict = section.as_dict().cloned().unwrap_or_default();
        let known: Vec<&str> = self.registry.identities().iter().map(|kind| kind.kind).collect();
        let kind = section_kind(name, &dict, &known).map_err(|error| vec![error])?;
        let Some(kind) = self.registry.identity(kind) else { return Err(Vec::new()) };
        let settings = without(dict, &["type"]);
        let mut errors = placeholders::check(&self.registry, kind.rule, &settings, None);
        match (kind.build)(name, &settings, &|value| self.is_text(value)) {
            Ok((provider, shown)) if errors.is_empty() => Ok(IdentitySection { kind: kind.kind, shown, provider }),
            Ok(_) => Err(errors),
            Err(problems) => {
                extend_new(&mut errors, problems);
                Err(errors)
            }
        }
    }

    pub(crate) fn build_target(
        &self,
        name: &str,
        kind: &str,
        settings: &Value,
    ) -> Result<Arc<dyn CloudTarget>, Vec<Error>> {
        let Some(kind) = self.registry.target(kind) else { return Err(Vec::new()) };
        (kind.build)(name, settings, &|value| self.is_text(value)).map(|(target, _)| target)
    }

    pub(crate) fn knows_identity(&self, name: &str) -> bool {
        self.merged.get(&["identities", name]).is_some() || self.registry.identity(name).is_some()
    }

    pub(crate) fn unknown_identity(&self, name: &str) -> Error {
        let sections = self.merged.table(&["identities"]);
        let mut known: Vec<&str> = sections
            .keys()
            .map(String::as_str)
            .chain(self.registry.identities().iter().map(|kind| kind.kind))
            .collect();
        known.dedup();
        let error = Error::new(&codes::IDENTITY_UNKNOWN, format!("there is no identity `{name}`"));
        match federate_core::suggest::nearest(name, known.iter().copied()) {
            Some(near) => error.with_help(format!("did you mean `{near}`?")),
            None => error.with_help(format!("there are auto, {}", known.join(", "))),
        }
    }

    pub(crate) fn default_identity(&self) -> Option<String> {
        self.merged.get(&["identity"]).and_then(Value::as_str).map(str::to_owned)
    }

    /// `serve`: how credentials reach a command; `None` where no layer says.
    pub fn serve(&self) -> Option<ServeMode> {
        self.merged.get(&["serve"]).and_then(Value::as_str).and_then(ServeMode::parse)
    }

    /// The profiles asked for, in order; empty for `base.toml` alone.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The profile's name for people, and for `{profile}`.
    pub fn label(&self) -> String {
        if self.names.is_empty() { "base".to_owned() } else { self.names.join("-") }
    }

    /// The directory of profiles.
    pub fn directory(&self) -> Option<&Path> {
        self.directory.as_deref()
    }

    /// The layers, lowest first: how they are shown, and their files.
    pub fn layers(&self) -> Vec<(String, Option<PathBuf>)> {
        self.merged.layers().iter().map(|layer| (layer.shown.clone(), layer.path.clone())).collect()
    }

    /// What the machine's owner allows.
    pub fn policy(&self) -> Policy {
        Policy { own_hosts: self.registry.own_hosts(), ..self.owners.policy.clone() }
    }

    /// The external adapters that the machine's owner declares.
    pub fn externals(&self) -> &[(String, PathBuf)] {
        &self.owners.externals
    }

    /// Surroundings in which adapters check settings: environment and policy, but neither network nor files.
    pub fn offline(&self, options: &LoadOptions) -> Context {
        crate::offline::context(options, self.policy())
    }

    /// `[network]`.
    pub fn network(&self) -> &NetworkSettings {
        &self.network
    }

    /// The names of all targets, sorted.
    pub fn target_names(&self) -> Vec<&str> {
        self.targets.keys().map(String::as_str).collect()
    }

    /// The kind of a target.
    pub fn target_kind(&self, target: &str) -> Option<&str> {
        self.targets.get(target).map(|section| section.kind)
    }

    /// The identity that a target names for itself.
    pub fn target_identity(&self, target: &str) -> Option<&str> {
        self.targets.get(target)?.identity.as_deref()
    }

    /// A target's settings, defaults included, placeholders as written.
    pub fn settings(&self, target: &str) -> Option<Json> {
        self.targets.get(target).map(|section| section.shown.clone())
    }

    /// What a target's section says about its trust.
    pub fn trust(&self, target: &str) -> Option<&TrustSection> {
        self.targets.get(target).map(|section| &section.trust)
    }

    /// The settings of the one configured identity of this kind.
    pub fn identity_settings(&self, kind: &str) -> Option<Json> {
        let mut sections = self.identities.values().filter(|section| section.kind == kind);
        sections.next().filter(|_| sections.next().is_none()).map(|section| section.shown.clone())
    }

    /// Does a target's kind have this setting?
    pub fn accepts(&self, target: &str, key: &str) -> bool {
        let kind = self.target_kind(target).and_then(|kind| self.registry.target(kind));
        kind.is_some_and(|kind| (kind.schema)()["properties"].get(key).is_some())
    }

    /// Where a setting comes from.
    pub fn origin(&self, path: &str) -> Option<String> {
        let mut path = undotted(path);
        // Whoever names the setting may have left out the quotes around a name with dots.
        let is_name = |length: &usize| {
            let name = path[1..*length].join(".");
            self.made.contains_key(&name) || self.merged.get(&[&path[0], &name]).is_some()
        };
        if let Some(length) = (2..=path.len()).find(is_name) {
            let name = path[1..length].join(".");
            path.splice(1..length, [name]);
        }
        self.origin_of(&path)
    }

    /// The error with file and line of the setting that it names.
    #[must_use]
    pub fn locate(&self, error: Error) -> Error {
        match (error.origin(), error.setting().and_then(|setting| self.origin(setting))) {
            (None, Some(origin)) => error.with_origin(origin),
            _ => error,
        }
    }
}

impl std::fmt::Debug for Profile {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Profile")
            .field("names", &self.names)
            .field("targets", &self.targets.keys())
            .finish_non_exhaustive()
    }
}

/// Each layer has refused a section that is none.
pub(crate) fn is_table(section: &Value) -> bool {
    matches!(section, Value::Dict(..))
}

pub(crate) fn within(table: &str, name: &str, problems: Vec<Error>) -> Vec<Error> {
    let section = dotted(&[table.to_owned(), name.to_owned()]);
    problems.into_iter().map(|error| error.in_section(&section)).collect()
}

/// Adds what is wrong with settings of which nothing was said yet: a placeholder where none may stand is no URL either.
pub(crate) fn extend_new(errors: &mut Vec<Error>, problems: Vec<Error>) {
    let known: Vec<String> = errors.iter().filter_map(|error| error.setting().map(str::to_owned)).collect();
    errors.extend(
        problems.into_iter().filter(|error| !known.iter().any(|known| error.setting() == Some(known.as_str()))),
    );
}

pub(crate) fn without(mut dict: Dict, keys: &[&str]) -> Value {
    dict.retain(|key, _| !keys.contains(&key.as_str()));
    Value::from(dict)
}

pub(crate) fn json(value: &Value) -> Json {
    value.deserialize().unwrap_or_default()
}
