//! Whom a token becomes in the pool: the attribute mapping applied to its claims.

use std::collections::BTreeMap;

use federate_core::Claims;
use serde_json::Value as Json;

use super::binding::Selector;
use super::provider::Provider;

/// Bytes in `google.subject`, and in all mapped attributes together, by the API's reference.
pub(super) const LONGEST_SUBJECT: usize = 127;
const LARGEST: usize = 8192;

/// What the mapping makes of a token.
#[derive(Debug, Default)]
pub(super) struct Principal {
    /// Each mapped attribute (`google.subject`, `attribute.repository`): its value, or why it has none.
    pub(super) attributes: BTreeMap<String, Result<Json, String>>,
    /// Why the token does not enter; `None` where the mapping lets it.
    pub(super) fault: Option<String>,
    #[cfg(feature = "cel")]
    pub(super) scope: Option<super::cel::Scope>,
}

impl Principal {
    /// Applies the mapping.
    pub(super) fn of(provider: &Provider, claims: &Claims) -> Self {
        let mut principal = Self::mapped(provider, claims);
        principal.fault = principal.problem();
        #[cfg(feature = "cel")]
        if let Some((key, unread)) = provider.unread_mapping() {
            principal.fault = Some(format!("the mapping of {key}: {unread}"));
        }
        principal
    }

    #[cfg(feature = "cel")]
    fn mapped(provider: &Provider, claims: &Claims) -> Self {
        use super::cel::{Scope, Value, evaluate};
        let assertion = Value::of_map(claims.as_map());
        let scope = Scope::new(vec![("assertion", assertion.clone())]);
        let (mut google, mut attribute, mut attributes) = (Vec::new(), Vec::new(), BTreeMap::new());
        for (key, expression) in &provider.mapping {
            let value = evaluate(&expression.tree, &scope).map_err(|fault| fault.to_string());
            attributes.insert(key.clone(), value.as_ref().map(Value::to_json).map_err(Clone::clone));
            let (of, name) = match key.split_once('.') {
                Some(("google", name)) => (&mut google, name),
                Some(("attribute", name)) => (&mut attribute, name),
                _ => continue,
            };
            if let Ok(value) = value {
                of.push((Value::Text(name.to_owned()), value));
            }
        }
        let scope = Scope::new(vec![
            ("assertion", assertion),
            ("google", Value::Map(google)),
            ("attribute", Value::Map(attribute)),
        ]);
        Self { attributes, fault: None, scope: Some(scope) }
    }

    #[cfg(not(feature = "cel"))]
    fn mapped(provider: &Provider, _claims: &Claims) -> Self {
        let unread = |key: &String| (key.clone(), Err(super::evaluate::LEFT_OUT.to_owned()));
        Self { attributes: provider.mapping.keys().map(unread).collect(), fault: None }
    }

    fn problem(&self) -> Option<String> {
        let size: usize = self.attributes.values().flatten().map(|value| text(value).len()).sum();
        match self.attributes.get("google.subject") {
            None => Some("google.subject is not mapped, and it has to be".to_owned()),
            Some(Err(why)) => Some(why.clone()),
            Some(Ok(Json::String(subject))) if subject.len() > LONGEST_SUBJECT => {
                Some(format!("google.subject has {} bytes, and {LONGEST_SUBJECT} are the most", subject.len()))
            }
            Some(Ok(Json::String(subject))) if subject.is_empty() => Some("google.subject is empty".to_owned()),
            Some(Ok(Json::String(_))) if size > LARGEST => {
                Some(format!("all attributes together have {size} bytes, and {LARGEST} are the most"))
            }
            Some(Ok(Json::String(_))) => self.misfit().map(|(key, _)| {
                format!(
                    "{key} is no text, and Google refuses the token: \"The mapped attribute must be of type STRING\""
                )
            }),
            Some(Ok(_)) => Some("google.subject has to be a text".to_owned()),
        }
    }

    /// The first attribute of one's own that is no text, and whether it is a number or boolean. What the token does not
    /// have is no attribute, and no misfit.
    /// <https://cloud.google.com/iam/docs/troubleshooting-workforce-identity-federation>
    pub(super) fn misfit(&self) -> Option<(&str, bool)> {
        self.attributes.iter().find_map(|(key, value)| match value {
            Ok(Json::String(_) | Json::Null) | Err(_) => None,
            Ok(value) => key.starts_with("attribute.").then(|| (key.as_str(), value.is_number() || value.is_boolean())),
        })
    }

    /// `google.subject`
    pub(super) fn subject(&self) -> Option<&str> {
        self.value("google.subject")?.as_str()
    }

    fn value(&self, key: &str) -> Option<&Json> {
        self.attributes.get(key)?.as_ref().ok()
    }

    /// Is it one of those whom a member chooses?
    pub(super) fn is_chosen(&self, selector: &Selector) -> bool {
        match selector {
            Selector::Subject(subject) => self.subject() == Some(subject),
            Selector::Attribute(name, value) => self.value(name).is_some_and(|own| text(own) == *value),
            Selector::Group(group) => match self.value("google.groups") {
                Some(Json::Array(groups)) => groups.iter().any(|own| text(own) == *group),
                Some(one) => text(one) == *group,
                None => false,
            },
            Selector::Everybody | Selector::Project(_) => true,
            Selector::Nobody(_) | Selector::Unknown | Selector::Other => false,
        }
    }

    /// What members can name it by: `subject/…`, `attribute.repository/…`.
    pub(super) fn names(&self) -> Vec<String> {
        let named = |(key, value): (&String, &Result<Json, String>)| {
            let value = text(value.as_ref().ok()?);
            match key.as_str() {
                "google.subject" => Some(format!("subject/{value}")),
                key if key.starts_with("attribute.") => Some(format!("{key}/{value}")),
                _ => None,
            }
        };
        self.attributes.iter().filter_map(named).collect()
    }
}

fn text(value: &Json) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
