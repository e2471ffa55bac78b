//! `[targets.T.trust] allow`: who is meant to get in, read by the identity adapters.

use federate_core::{BoundIdentity, ClaimPattern, Context, Error, codes as core_codes};
use figment::value::Value;
use serde_json::Value as Json;

use crate::layer::dotted;
use crate::placeholders;
use crate::profile::{Profile, extend_new, json};
use crate::trust::wrong;

impl Profile {
    /// Who is meant to get in: `[targets.T.trust] allow` in neutral form.
    ///
    /// # Errors
    /// Every problem of every entry.
    pub fn allow(&self, context: &Context, target: &str) -> Result<Vec<ClaimPattern>, Vec<Error>> {
        Ok(self.allow_with_audiences(context, target)?.into_iter().map(|(pattern, _)| pattern).collect())
    }

    /// The same, each entry with the audience that its identity provider's users customarily take.
    ///
    /// # Errors
    /// Every problem of every entry.
    pub fn allow_with_audiences(
        &self,
        context: &Context,
        target: &str,
    ) -> Result<Vec<(ClaimPattern, Option<String>)>, Vec<Error>> {
        let mut patterns = Vec::new();
        let mut errors = Vec::new();
        let section = self.targets.get(target);
        let entries = section.map(|section| section.trust.allow.as_slice()).unwrap_or_default();
        for (index, entry) in entries.iter().enumerate() {
            let table = crate::layer::dotted(&[self.table_of(target).to_owned()]);
            let place = format!("targets.{table}.trust.allow.{index}");
            let in_place =
                |found: Vec<Error>| found.into_iter().map(|error| error.in_section(&place)).collect::<Vec<_>>();
            let read = self.entry(entry).map_err(|error| in_place(vec![error])).and_then(|(identity, keys)| {
                let (issuer, _) = identity.issuer(context).map_err(|error| vec![error])?;
                let pattern = identity.provider.allow(issuer, &keys).map_err(in_place)?;
                Ok((pattern, identity.provider.customary_audience(context)))
            });
            match read {
                Ok(pattern) => patterns.push(pattern),
                Err(found) => errors.extend(found),
            }
        }
        if errors.is_empty() { Ok(patterns) } else { Err(errors) }
    }

    /// The identity that an entry of an `allow` list is about, and its other keys.
    fn entry(&self, entry: &Json) -> Result<(BoundIdentity, Json), Error> {
        let mut keys = entry.as_object().cloned().unwrap_or_default();
        let name = keys.remove("identity");
        let name = name.as_ref().and_then(|name| name.as_str()).unwrap_or_default();
        let identity = self.named_identity(name).map_err(|error| error.with_setting("identity"))?;
        Ok((identity, keys.into()))
    }

    /// Problems of the entries of an `allow` list, most of which only an identity adapter can find.
    pub(crate) fn problems_of_allow(&self, trust: &Value, context: &Context) -> Vec<Error> {
        let allow = trust.as_dict().and_then(|trust| trust.get("allow")).and_then(Value::as_array).unwrap_or_default();
        let entries = allow.iter().enumerate();
        entries
            .flat_map(|(index, entry)| {
                let problems = self.problems_of_entry(entry, context);
                problems.into_iter().map(move |error| error.in_section(&format!("trust.allow.{index}")))
            })
            .collect()
    }

    fn problems_of_entry(&self, entry: &Value, context: &Context) -> Vec<Error> {
        let Some(keys) = entry.as_dict() else {
            return vec![
                wrong("", "an entry of `allow` must be a table").with_help(
                    "write it like { identity = \"gitlab\", project = \"group/project\", branch = \"main\" }",
                ),
            ];
        };
        let placeholders = keys.iter().filter_map(|(key, value)| {
            placeholders::forbidden(value.as_str()?).map(|error| error.with_setting(dotted(std::slice::from_ref(key))))
        });
        let mut errors: Vec<Error> = placeholders.collect();
        match keys.get("identity").map(Value::as_str) {
            Some(Some(name)) => {
                // What is wrong with the identity's own section is told there.
                if self.merged.get(&["identities", name]).is_none() || self.identities.contains_key(name) {
                    extend_new(&mut errors, self.problems_of_keys(&json(entry), context));
                }
            }
            _ => errors.push(
                Error::new(&core_codes::SETTING_MISSING, "the entry does not say whose jobs it lets in")
                    .with_setting("")
                    .with_help("add `identity = \"gitlab\"` or `identity = \"github\"`"),
            ),
        }
        errors
    }

    fn problems_of_keys(&self, entry: &Json, context: &Context) -> Vec<Error> {
        let (identity, keys) = match self.entry(entry) {
            Ok(found) => found,
            Err(error) => return vec![error],
        };
        // An issuer that only the job knows is missed where it is needed.
        let Ok((issuer, _)) = identity.issuer(context) else { return Vec::new() };
        identity.provider.allow(issuer, &keys).err().unwrap_or_default()
    }
}
