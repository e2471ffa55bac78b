//! All profiles of a directory.

use std::path::PathBuf;

use federate_core::Error;

use crate::check::texts;
use crate::layer::LayerKind;
use crate::load::{LoadOptions, load};
use crate::registry::Registry;
use crate::{directory, file};

/// One profile of the directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its name.
    pub name: String,
    /// Its file.
    pub path: PathBuf,
    /// What it extends.
    pub extends: Vec<String>,
    /// Is it `default_profile`?
    pub is_default: bool,
    /// Its targets, those of `base.toml` and of what it extends included.
    pub targets: Vec<String>,
}

/// The profiles of the directory, sorted by name. A profile that cannot be loaded is listed without targets.
///
/// # Errors
/// Where the directory cannot be used.
pub fn list(registry: &Registry, options: &LoadOptions) -> Result<Vec<Listed>, Vec<Error>> {
    let Some(found) =
        directory::find(&options.cwd, options.profiles_dir.as_deref(), &options.env).map_err(|error| vec![error])?
    else {
        return Ok(Vec::new());
    };
    let read = |name: &str| {
        let path = found.join(format!("{name}.toml"));
        file::read(&path, LayerKind::Profile, &options.shown(&path)).ok().flatten()
    };
    let base = read("base");
    let default = base.as_ref().and_then(|base| base.values.get("default_profile")?.as_str());
    let names = directory::names(&found).into_iter();
    Ok(names
        .map(|name| {
            let selected = LoadOptions { profiles: vec![name.clone()], ..options.clone() };
            Listed {
                path: found.join(format!("{name}.toml")),
                extends: read(&name).and_then(|layer| texts(layer.values.get("extends")?, false)).unwrap_or_default(),
                is_default: default == Some(name.as_str()),
                targets: load(registry, &selected)
                    .map(|profile| profile.target_names().into_iter().map(str::to_owned).collect())
                    .unwrap_or_default(),
                name,
            }
        })
        .collect())
}

/// What a command over all profiles loads one after the other: the profiles that the options name, laid over one
/// another, else each of the directory by itself, else `base.toml` alone.
///
/// # Errors
/// Where the directory cannot be used.
pub fn selections(options: &LoadOptions) -> Result<Vec<Vec<String>>, Vec<Error>> {
    if !options.profiles.is_empty() {
        return Ok(vec![options.profiles.clone()]);
    }
    let from_variable = options.profiles_of_variable();
    if !from_variable.is_empty() {
        return Ok(vec![from_variable]);
    }
    let found =
        directory::find(&options.cwd, options.profiles_dir.as_deref(), &options.env).map_err(|error| vec![error])?;
    let names = found.map(|found| directory::names(&found)).unwrap_or_default();
    let each: Vec<Vec<String>> = names.into_iter().map(|name| vec![name]).collect();
    Ok(if each.is_empty() { vec![Vec::new()] } else { each })
}

/// Checks every profile of the directory and `base.toml` alone, or only those that the options name.
///
/// # Errors
/// Every problem, each once however many profiles it is in.
pub fn validate(registry: &Registry, options: &LoadOptions) -> Result<Vec<String>, Vec<Error>> {
    let mut checked = Vec::new();
    let mut errors: Vec<Error> = Vec::new();
    for profiles in selections(options)? {
        checked.push(if profiles.is_empty() { "base".to_owned() } else { profiles.join(",") });
        let found = match load(registry, &LoadOptions { profiles, ..options.clone() }) {
            Ok(profile) => profile.problems_of_defaults(),
            Err(found) => found,
        };
        for error in found {
            if !errors.iter().any(|known| {
                known.what() == error.what() && known.origin() == error.origin() && known.setting() == error.setting()
            }) {
                errors.push(error);
            }
        }
    }
    if errors.is_empty() { Ok(checked) } else { Err(errors) }
}
