//! A loaded profile: checked settings, and where each of them comes from.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use federate_core::{CloudTarget, Context, Error, IdentityProvider, NetworkSettings, Policy};
use figment::value::{Dict, Value};
use serde_json::Value as Json;

use crate::check::section_kind;
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
        match extract(&Value::from(profile.merged.table(&["network"])), &|value| profile.is_text(value)) {
            Ok(network) => profile.network = network,
            Err(problems) => found.extend(problems.into_iter().map(|error| error.in_section("network"))),
        }
        for (name, section) in profile.merged.table(&["identities"]) {
            match profile.read_identity(&name, &section) {
                Ok(read) => drop(profile.identities.insert(name, read)),
                Err(problems) => found.extend(within("identities", &name, problems)),
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
        let folder = self.merged.layer_of(value).and_then(|layer| layer.path.as_deref()).and_then(Path::parent);
        folder.map_or_else(|| PathBuf::from(path), |folder| folder.join(path))
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
                errors.extend(problems);
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
        self.origin_of(&undotted(path))
    }

    /// The error with file and line of the setting that it names.
    #[must_use]
    pub fn locate(&self, error: Error) -> Error {
        match (error.origin(), error.setting().and_then(|setting| self.origin(setting))) {
            (None, Some(origin)) => error.with_origin(origin),
            _ => error,
        }
    }

    /// Every setting with its effective value and origin, sorted by path.
    pub fn effective(&self) -> Vec<Effective> {
        let mut all = BTreeMap::new();
        let root = self.merged.table(&[]);
        collect(&Value::from(root), &mut Vec::new(), &mut |path, value| {
            let origin = self.merged.origin(path).unwrap_or_default();
            all.insert(dotted(path), Effective { path: dotted(path), value: json(value), origin });
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
        defaults(&["network"], &serde_json::to_value(&self.network).unwrap_or_default());
        // A variable's text is shown as what its key made of it.
        for (table, name, shown) in self
            .identities
            .iter()
            .map(|(name, section)| ("identities", name, &section.shown))
            .chain(self.targets.iter().map(|(name, section)| ("targets", name, &section.shown)))
        {
            for (key, value) in shown.as_object().into_iter().flatten() {
                let path = [table.to_owned(), name.clone(), key.clone()];
                let is_text = self.merged.get(&[table, name, key]).is_some_and(|value| self.is_text(value));
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

impl std::fmt::Debug for Profile {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Profile")
            .field("names", &self.names)
            .field("targets", &self.targets.keys())
            .finish_non_exhaustive()
    }
}

pub(crate) fn within(table: &str, name: &str, problems: Vec<Error>) -> Vec<Error> {
    let section = dotted(&[table.to_owned(), name.to_owned()]);
    problems.into_iter().map(|error| error.in_section(&section)).collect()
}

pub(crate) fn without(mut dict: Dict, keys: &[&str]) -> Value {
    dict.retain(|key, _| !keys.contains(&key.as_str()));
    Value::from(dict)
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

pub(crate) fn json(value: &Value) -> Json {
    value.deserialize().unwrap_or_default()
}
