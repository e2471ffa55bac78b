//! What cannot work: providers that take no token, and members that nobody is.

use federate_trust::can_be_iss;

use super::Found;
#[cfg(feature = "cel")]
use super::UNREAD;
use crate::trust::binding::{Binding, Selector};
use crate::trust::provider::{Provider, part};

/// Reports what keeps every token out. Returns whether any can enter.
pub(super) fn provider(provider: &Provider, found: &mut Found<'_>) -> bool {
    let mut can_enter = true;
    if !provider.is_unknown(part::ISSUER) && !can_be_iss(&provider.issuer) {
        found.add("gcp-issuer-mismatch", part::ISSUER);
        can_enter = false;
    }
    if !provider.maps("google.subject") {
        found.add("gcp-subject-unmapped", part::MAPPING);
        can_enter = false;
    }
    can_enter
}

/// Reports an expression that names what there is not. Returns whether there is none.
#[cfg(feature = "cel")]
pub(super) fn is_read(provider: &Provider, found: &mut Found<'_>) -> bool {
    let mapping = provider.unread_mapping().map(|(key, why)| (format!("{}.{key}", part::MAPPING), why));
    let Some((part, why)) = mapping.or_else(|| Some((part::CONDITION.to_owned(), provider.unread_condition()?))) else {
        return true;
    };
    found.add(UNREAD, &part);
    if let Some(finding) = found.all.last_mut() {
        finding.message = format!("{why}: {}", finding.message);
    }
    false
}

/// Why nobody is whom a member names, as a finding's id.
pub(super) fn dead(provider: &Provider, binding: &Binding) -> Option<&'static str> {
    match &binding.chooses {
        Selector::Nobody(_) => Some("gcp-binding-never-matches"),
        Selector::Attribute(name, _) if !provider.maps(name) => Some("gcp-binding-unmapped"),
        Selector::Group(_) if !provider.maps("google.groups") => Some("gcp-binding-unmapped"),
        _ => None,
    }
}

/// Reports members that nobody is. Returns whether anybody is left; so it is where no members are known.
pub(super) fn bindings(provider: &Provider, found: &mut Found<'_>) -> bool {
    let ours: Vec<&Binding> = provider.members().collect();
    let mut is_alive = ours.is_empty();
    for binding in ours {
        match dead(provider, binding) {
            Some(id) => found.add(id, &format!("member {}", binding.member)),
            None => is_alive = true,
        }
    }
    is_alive
}
