//! Workload identity pool providers: which tokens enter the pool, as whom, and whom the IAM policy lets act.
//! <https://cloud.google.com/iam/docs/workload-identity-federation>

mod binding;
#[cfg(feature = "cel")]
mod cel;
#[cfg_attr(not(feature = "cel"), allow(dead_code, reason = "only conditions ask what a claim tells"))]
mod claims;
mod evaluate;
mod explain;
mod expression;
mod keys;
mod lint;
#[cfg(feature = "cel")]
mod moment;
mod principal;
mod provider;
mod resource;
mod surroundings;

use federate_core::{Claims, Error};
#[cfg(feature = "cel")]
use federate_trust::Grant;
use federate_trust::{Finding, Job, Located, Rule, TrustDocument, TrustModel, Verdict, walk_keys};
use serde_json::Value as Json;

use binding::Binding;
use provider::Provider;
use surroundings::{Surroundings, is_elsewhere, with_policies};

/// Workload identity pool providers.
#[derive(Debug)]
pub struct GcpTrust;

impl TrustModel for GcpTrust {
    fn kind(&self) -> &'static str {
        "gcp"
    }

    fn rules(&self) -> &'static [Rule] {
        lint::RULES
    }

    fn audience(&self, _customary: Option<&str>) -> Option<String> {
        None
    }

    fn keys(&self, claims: &Claims) -> Vec<(String, String)> {
        keys::keys(claims)
    }

    fn documents(&self, value: &Json) -> Result<Vec<Located>, Vec<Error>> {
        let (mut found, mut bindings) = (Vec::new(), Vec::new());
        let value = with_policies(value);
        let around = Surroundings::of(&value);
        walk_keys(&value, &mut |keys, map| {
            let path = keys.join(".");
            if is_elsewhere(&path) {
                return;
            }
            if Provider::is_one(map, around.unknown(&path)) {
                found.push((keys.to_vec(), map));
            }
            bindings.extend(Binding::all_of(keys, map, &around));
        });
        let (mut providers, mut errors): (Vec<(String, Provider)>, _) = (Vec::new(), Vec::new());
        for (keys, map) in found {
            let path = keys.join(".");
            match Provider::read(&keys, map, around.unknown(&path)) {
                Ok(provider) if providers.iter().any(|(_, known)| known.is_same(&provider)) => {}
                Ok(provider) => providers.push((path, provider)),
                Err(found) => errors.extend(found),
            }
        }
        if !errors.is_empty() {
            return Err(errors);
        }
        let is_only_one = providers.len() == 1;
        let located = |(path, mut provider): (String, Provider)| {
            provider.bind(&bindings);
            let place = if is_only_one { String::new() } else { provider.place(&path) };
            Located { place, document: Box::new(provider) }
        };
        Ok(providers.into_iter().map(located).collect())
    }
}

impl TrustDocument for Provider {
    fn evaluate(&self, job: &Job) -> Verdict {
        evaluate::evaluate(self, job)
    }

    fn lint(&self) -> Vec<Finding> {
        lint::lint(self)
    }

    #[cfg(feature = "cel")]
    fn grants(&self) -> Vec<Grant> {
        lint::grants(self)
    }

    fn audiences(&self, _issuer: &str) -> Vec<String> {
        let own = self.own_audience();
        match self.audiences.as_slice() {
            // An unknown part of the name makes an audience that no token has.
            [] if own.contains('*') => Vec::new(),
            [] => vec![format!("https:{own}")],
            listed => listed.to_vec(),
        }
    }

    fn home(&self) -> Option<String> {
        Provider::home(self)
    }
}
