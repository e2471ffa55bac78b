//! What cannot work: providers that take no token, and members that nobody is.

use federate_trust::can_be_iss;

use super::Found;
use crate::trust::binding::{Binding, Selector};
use crate::trust::provider::Provider;

/// Reports what keeps every token out. Returns whether any can enter.
pub(super) fn provider(provider: &Provider, found: &mut Found<'_>) -> bool {
    let mut can_enter = true;
    if !can_be_iss(&provider.issuer) {
        found.add("gcp-issuer-mismatch", "oidc.issuerUri");
        can_enter = false;
    }
    if !provider.mapping.contains_key("google.subject") {
        found.add("gcp-subject-unmapped", "attributeMapping");
        can_enter = false;
    }
    can_enter
}

/// Reports members that nobody is. Returns whether anybody is left; so it is where no members are known.
pub(super) fn bindings(provider: &Provider, found: &mut Found<'_>) -> bool {
    let Some(bindings) = &provider.bindings else { return true };
    let ours: Vec<&Binding> = bindings.iter().filter(|binding| binding.is_of(&provider.pool)).collect();
    let mut dead = 0;
    for binding in &ours {
        let place = format!("member {}", binding.member);
        let is_mapped = |name: &str| provider.mapping.contains_key(name);
        let id = match &binding.chooses {
            Selector::Nobody(_) => "gcp-binding-never-matches",
            Selector::Attribute(name, _) if !is_mapped(name) => "gcp-binding-unmapped",
            Selector::Group(_) if !is_mapped("google.groups") => "gcp-binding-unmapped",
            _ => continue,
        };
        found.add(id, &place);
        dead += 1;
    }
    ours.is_empty() || dead < ours.len()
}
