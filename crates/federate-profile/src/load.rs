//! Finding the layers and putting them in their order.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use federate_core::{Env, Error, codes as core_codes};
use figment::value::{Dict, Value};

use crate::check::{self, texts};
use crate::layer::{Layer, LayerKind, undotted};
use crate::merged::Merged;
use crate::profile::Profile;
use crate::registry::Registry;
use crate::{codes, directory, file, overlay, policy};

/// How profiles are found and layered.
#[derive(Clone, Debug)]
pub struct LoadOptions {
    /// The working directory.
    pub cwd: PathBuf,
    /// The environment: `FEDERATE_PROFILES_DIR`, `FEDERATE_PROFILE`, `FEDERATE__…`, `FEDERATE_ALLOWED_HOSTS`, `HOME`.
    pub env: Arc<Env>,
    /// `--profiles-dir`.
    pub profiles_dir: Option<PathBuf>,
    /// `-p`, in order.
    pub profiles: Vec<String>,
    /// `--set`, in order.
    pub set: Vec<String>,
    /// `--allow-local`.
    pub allow_local: bool,
    /// Is this a CI job? Then `.local.toml` and a repository's `ca_file` are errors.
    pub in_ci: bool,
    /// `/etc/federate/config.toml`, or another for tests.
    pub system_config: PathBuf,
}

impl LoadOptions {
    /// A path for people: relative to the working directory where it is below it.
    pub(crate) fn shown(&self, path: &Path) -> String {
        path.strip_prefix(&self.cwd).unwrap_or(path).display().to_string()
    }

    /// The names in `FEDERATE_PROFILE`.
    pub(crate) fn profiles_of_variable(&self) -> Vec<String> {
        let names = self.env.get("FEDERATE_PROFILE").into_iter().flat_map(|names| names.split(','));
        names.map(|name| name.trim().to_owned()).collect()
    }

    fn user_config(&self) -> Option<PathBuf> {
        let absolute = |name: &str| self.env.get(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let folder = absolute("XDG_CONFIG_HOME").or_else(|| absolute("HOME").map(|home| home.join(".config")))?;
        Some(folder.join("federate/config.toml"))
    }
}

/// Loads the profile that the options select.
///
/// # Errors
/// Every problem of every layer, each with file and line.
pub fn load(registry: &Registry, options: &LoadOptions) -> Result<Profile, Vec<Error>> {
    let directory =
        directory::find(&options.cwd, options.profiles_dir.as_deref(), &options.env).map_err(|error| vec![error])?;
    let mut stack =
        Stack { options, directory: directory.as_deref(), layers: Vec::new(), applied: Vec::new(), errors: Vec::new() };
    stack.file(&options.system_config, LayerKind::Owner);
    if let Some(path) = options.user_config() {
        stack.file(&path, LayerKind::Owner);
    }
    if let Some(directory) = &directory
        && stack.file(&directory.join("base.toml"), LayerKind::Base)
    {
        stack.applied.push("base".to_owned());
    }
    let (names, asked_by) = selected(options, &stack.layers);
    for name in &names {
        stack.profile(name, &asked_by, &mut Vec::new());
        stack.local(name);
    }
    let Stack { mut layers, mut errors, .. } = stack;
    let is_whole = errors.is_empty();
    let below = Merged::new(layers.clone());
    let settings = below.table(&[]);
    let mut environment = overlay::environment(registry, &options.env, &settings, &mut errors);
    overlay::name_members(&mut environment, &below, options, &mut errors);
    layers.push(environment);
    let set_by_variable = options.env.get("FEDERATE_SET");
    layers.push(overlay::flags(registry, &options.set, set_by_variable, &settings, &mut errors));
    layers.iter_mut().for_each(absolute_paths);
    let owners = policy::take(&mut layers, &options.env, &mut errors);
    for layer in &layers {
        check::layer(layer, options.in_ci, &mut errors);
    }
    let merged = Merged::new(layers);
    let foreign = foreign(registry, &options.env, &merged);
    Profile::new(registry.clone(), names, directory, merged.with_foreign(foreign), owners, options, errors).map_err(
        |mut errors| {
            // What a layer that could not be read sets is not missing.
            let follows =
                |error: &Error| [&core_codes::SETTING_MISSING, &codes::IDENTITY_UNKNOWN].contains(&error.code());
            errors.retain(|error| is_whole || !follows(error));
            errors
        },
    )
}

/// The profiles asked for, and by whom.
fn selected(options: &LoadOptions, layers: &[Layer]) -> (Vec<String>, String) {
    let from_variable = options.profiles_of_variable();
    // The command line hands the variable's names over as if they had been given by -p.
    let is_variable = options.profiles.iter().map(|name| name.trim()).eq(from_variable.iter().map(String::as_str));
    if !options.profiles.is_empty() && !is_variable {
        return (options.profiles.clone(), "-p".to_owned());
    }
    if !from_variable.is_empty() {
        return (from_variable, "environment variable FEDERATE_PROFILE".to_owned());
    }
    let base = layers.iter().find(|layer| layer.kind == LayerKind::Base);
    let default = base.and_then(|base| {
        Some((base.values.get("default_profile")?.as_str()?.to_owned(), base.place(&["default_profile".to_owned()])))
    });
    match default {
        Some((name, place)) => (vec![name], place),
        None => (Vec::new(), String::new()),
    }
}

struct Stack<'a> {
    options: &'a LoadOptions,
    directory: Option<&'a Path>,
    layers: Vec<Layer>,
    applied: Vec<String>,
    errors: Vec<Error>,
}

impl Stack<'_> {
    fn file(&mut self, path: &Path, kind: LayerKind) -> bool {
        match file::read(path, kind, &self.options.shown(path)) {
            Ok(Some(layer)) => {
                self.layers.push(layer);
                true
            }
            Ok(None) => false,
            Err(errors) => {
                self.errors.extend(errors);
                true
            }
        }
    }

    /// A profile after everything that it extends; a file is applied once, the first time.
    fn profile(&mut self, name: &str, asked_by: &str, path: &mut Vec<String>) {
        if let Some(start) = path.iter().position(|known| known == name) {
            let circle: Vec<&str> = path[start..].iter().map(String::as_str).chain([name]).collect();
            self.errors.push(
                Error::new(
                    &codes::EXTENDS_CYCLE,
                    format!("profiles extend one another in a circle: {}", circle.join(" -> ")),
                )
                .with_origin(asked_by)
                .with_help("remove one of these `extends`"),
            );
            return;
        }
        if self.applied.iter().any(|known| known == name) {
            return;
        }
        if let Err(error) = directory::check_name(name) {
            self.errors.push(error.with_origin(asked_by));
            return;
        }
        let Some(file_path) = self.directory.map(|directory| directory.join(format!("{name}.toml"))) else {
            self.errors.push(directory::missing(name, None, asked_by));
            return;
        };
        let shown = self.options.shown(&file_path);
        if name.ends_with(".local") && self.is_local_refused(&file_path, &shown) {
            return;
        }
        let layer = match file::read(&file_path, LayerKind::Profile, &shown) {
            Ok(Some(layer)) => layer,
            Ok(None) => {
                self.errors.push(directory::missing(name, self.directory, asked_by));
                return;
            }
            Err(errors) => {
                self.errors.extend(errors);
                return;
            }
        };
        path.push(name.to_owned());
        let extends = layer.values.get("extends").and_then(|value| texts(value, false)).unwrap_or_default();
        for (index, below) in extends.iter().enumerate() {
            let place = layer.place(&["extends".to_owned(), index.to_string()]);
            self.profile(below, &place, path);
        }
        path.pop();
        self.applied.push(name.to_owned());
        self.layers.push(layer);
    }

    fn local(&mut self, name: &str) {
        let Some(path) = self.directory.map(|directory| directory.join(format!("{name}.local.toml"))) else { return };
        let local = format!("{name}.local");
        if directory::check_name(name).is_err() || !path.exists() || self.applied.contains(&local) {
            return;
        }
        if !self.is_local_refused(&path, &self.options.shown(&path)) {
            self.file(&path, LayerKind::Local);
            self.applied.push(local);
        }
    }

    /// Is this local layer an error here? Then it is told.
    fn is_local_refused(&mut self, path: &Path, shown: &str) -> bool {
        let is_refused = self.options.in_ci && !self.options.allow_local && path.exists();
        if is_refused {
            self.errors.push(
                Error::new(
                    &codes::LOCAL_IN_CI,
                    format!("{shown} was found in CI, but local layers are never to be committed"),
                )
                .with_origin(shown)
                .with_help("remove it from the repository (and add *.local.toml to .gitignore), or pass --allow-local"),
            );
        }
        is_refused
    }
}

/// Relative paths start at the file that declares them.
fn absolute_paths(layer: &mut Layer) {
    const PATHS: &[[&str; 2]] = &[["network", "ca_file"]];
    let Some(folder) = layer.path.as_deref().and_then(Path::parent).map(Path::to_owned) else { return };
    for [table, key] in PATHS {
        if let Some(Value::Dict(_, dict)) = layer.values.get_mut(*table)
            && let Some(Value::String(_, text)) = dict.get_mut(*key)
        {
            *text = folder.join(&*text).display().to_string();
        }
    }
}

/// What foreign variables fill: keys that no layer sets, of targets that the layers make.
fn foreign(registry: &Registry, env: &Env, merged: &Merged) -> Layer {
    let mut layer = Layer::new(LayerKind::Foreign, "environment");
    for (name, section) in merged.table(&["targets"]) {
        let empty = Dict::new();
        let section = section.as_dict().unwrap_or(&empty);
        let kind = section.get("type").and_then(Value::as_str).unwrap_or(&name);
        let Some(kind) = registry.target(kind) else { continue };
        for (variable, key) in kind.fills {
            let mut path = undotted("targets");
            path.extend([name.clone(), (*key).to_owned()]);
            if let Some(value) =
                env.get(variable).filter(|_| !section.contains_key(*key) && !layer.places.contains_key(&path))
            {
                layer.set(&path, Value::from(value.to_owned()), format!("environment variable {variable}"));
            }
        }
    }
    layer
}
