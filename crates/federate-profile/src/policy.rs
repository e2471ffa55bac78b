//! `[policy]`: what the machine's owner allows. No layer of a repository may touch it.

use std::path::{Path, PathBuf};

use federate_core::{Env, Error, Policy};
use figment::value::Value;
use schemars::JsonSchema;
use serde::Deserialize;
use std::collections::BTreeMap;

use crate::codes;
use crate::extract::extract;
use crate::layer::{Layer, LayerKind, dotted, undotted};

/// The keys of `[policy]`.
pub(crate) const KEYS: &[&str] = &["allowed_hosts", "allowed_account_ids", "allowed_tenants", "externals"];

/// `[policy]` of `/etc/federate/config.toml` and of the user's file.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct PolicySection {
    /// Hosts that may be sent tokens besides the built-in ones: `host`, `host:port`, `*.domain`.
    allowed_hosts: Vec<String>,
    /// If set, the only AWS accounts whose credentials may be handed out.
    allowed_account_ids: Option<Vec<String>>,
    /// If set, the only Entra tenants that may be asked.
    allowed_tenants: Option<Vec<String>>,
    /// External adapters by name, each an absolute path.
    externals: BTreeMap<String, PathBuf>,
}

/// What the machine's owner allows, and the external adapters that they declare.
#[derive(Clone, Debug, Default)]
pub(crate) struct OwnersPolicy {
    pub(crate) policy: Policy,
    pub(crate) externals: Vec<(String, PathBuf)>,
}

/// Takes `[policy]` out of the layers: read in the owner's, refused in all others.
pub(crate) fn take(layers: &mut [Layer], env: &Env, errors: &mut Vec<Error>) -> OwnersPolicy {
    let mut taken = OwnersPolicy::default();
    for layer in layers.iter_mut() {
        let Some(section) = layer.values.remove("policy") else { continue };
        let place = |key: &str| layer.place(&undotted(&format!("policy.{key}")));
        if layer.kind != LayerKind::Owner {
            let keys: Vec<String> = section.as_dict().into_iter().flat_map(|dict| dict.keys()).cloned().collect();
            let first = keys.first().map_or_else(|| layer.place(&["policy".to_owned()]), |key| place(key));
            errors.push(
                Error::new(&codes::POLICY_IN_LAYER, "`[policy]` says whom this machine trusts, so no profile, variable or flag can set it")
                    .with_setting("policy")
                    .with_origin(first)
                    .with_help("move it to /etc/federate/config.toml or to federate/config.toml in your own configuration; hosts alone can also be allowed by FEDERATE_ALLOWED_HOSTS"),
            );
            continue;
        }
        if !matches!(section, Value::Dict(..)) {
            errors.push(
                Error::new(&codes::WRONG_TYPE, "`policy` must be a table")
                    .with_setting("policy")
                    .with_origin(layer.place(&["policy".to_owned()]))
                    .with_help("write it as [policy]"),
            );
            continue;
        }
        let externals = section.as_dict().and_then(|section| section.get("externals")?.as_dict());
        let relative = externals
            .into_iter()
            .flatten()
            .filter(|(_, path)| path.as_str().is_some_and(|path| !Path::new(path).is_absolute()));
        for (name, _) in relative {
            let setting = dotted(&["policy".to_owned(), "externals".to_owned(), name.clone()]);
            errors.push(
                Error::new(
                    &federate_core::codes::SETTING_INVALID,
                    format!("the external adapter `{name}` is not an absolute path"),
                )
                .with_origin(layer.place(&undotted(&setting)))
                .with_setting(setting)
                .with_help("external adapters are never searched for; write the whole path"),
            );
        }
        match extract::<PolicySection>(&section, &|_| false) {
            Err(found) => errors.extend(found.into_iter().map(|error| {
                let setting = error.setting().unwrap_or_default().to_owned();
                error.with_origin(place(&setting)).in_section("policy")
            })),
            Ok(read) => {
                taken.externals.extend(read.externals.into_iter().filter(|(_, path)| path.is_absolute()));
                taken.policy.allowed_hosts.extend(read.allowed_hosts);
                narrow(&mut taken.policy.allowed_account_ids, read.allowed_account_ids);
                narrow(&mut taken.policy.allowed_tenants, read.allowed_tenants);
            }
        }
    }
    let from_variable = env.get("FEDERATE_ALLOWED_HOSTS").unwrap_or_default();
    taken
        .policy
        .allowed_hosts
        .extend(from_variable.split(',').map(str::trim).filter(|host| !host.is_empty()).map(str::to_owned));
    taken
}

/// Two owners' lists leave what is on both.
fn narrow(known: &mut Option<Vec<String>>, more: Option<Vec<String>>) {
    *known = match (known.take(), more) {
        (Some(known), Some(more)) => Some(known.into_iter().filter(|entry| more.contains(entry)).collect()),
        (known, more) => known.or(more),
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(layers: &[(LayerKind, &str)], env: &Env) -> (OwnersPolicy, Vec<Error>) {
        let mut layers: Vec<Layer> =
            layers.iter().map(|(kind, text)| crate::file::parse(text, *kind, "config.toml").unwrap()).collect();
        let mut errors = Vec::new();
        (take(&mut layers, env, &mut errors), errors)
    }

    #[test]
    fn owners_add_hosts_and_narrow_accounts() {
        let env = [("FEDERATE_ALLOWED_HOSTS", "c, d")].into_iter().collect();
        let (taken, errors) = read(
            &[
                (
                    LayerKind::Owner,
                    "[policy]\nallowed_hosts = [\"a\"]\nallowed_account_ids = [\"1\", \"2\"]\nexternals = { x = \"/bin/x\" }\n",
                ),
                (LayerKind::Owner, "[policy]\nallowed_hosts = [\"b\"]\nallowed_account_ids = [\"2\", \"3\"]\n"),
            ],
            &env,
        );
        assert!(errors.is_empty(), "{errors:?}");
        assert_eq!(taken.policy.allowed_hosts, ["a", "b", "c", "d"]);
        assert_eq!(taken.policy.allowed_account_ids, Some(vec!["2".to_owned()]));
        assert_eq!(taken.externals, [("x".to_owned(), PathBuf::from("/bin/x"))]);
    }

    #[test]
    fn no_layer_of_a_repository_may() {
        for kind in [LayerKind::Base, LayerKind::Profile, LayerKind::Environment, LayerKind::Flag] {
            let (taken, errors) = read(&[(kind, "\n[policy]\nallowed_hosts = [\"evil.test\"]\n")], &Env::default());
            assert_eq!(
                (errors[0].code().name, errors[0].origin()),
                ("policy-in-layer", Some("config.toml:3")),
                "{kind:?}"
            );
            assert!(taken.policy.allowed_hosts.is_empty());
        }
    }

    #[test]
    fn mistakes_are_named() {
        let (_, errors) =
            read(&[(LayerKind::Owner, "[policy]\nallowed_host = []\nexternals = { x = \"x\" }\n")], &Env::default());
        let found: Vec<_> = errors.iter().map(|error| (error.setting().unwrap(), error.origin().unwrap())).collect();
        assert_eq!(found, [("policy.externals.x", "config.toml:3"), ("policy.allowed_host", "config.toml:2")]);
        let (_, errors) = read(&[(LayerKind::Owner, "policy = \"strict\"\n")], &Env::default());
        assert_eq!((errors.len(), errors[0].what()), (1, "`policy` must be a table"));
    }
}
