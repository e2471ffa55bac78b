//! Who else gets in, and what cannot work: the catalogue applied to a provider and its bindings.

mod broken;
mod catalogue;
#[cfg(feature = "cel")]
mod condition;
#[cfg(feature = "cel")]
mod effect;
#[cfg(feature = "cel")]
mod exposure;
#[cfg(feature = "cel")]
mod precedence;
#[cfg(feature = "cel")]
mod source;

use federate_trust::{Finding, Provider as Issuer, Severity};

use super::binding::Selector;
use super::provider::Provider;
use catalogue::rule;

/// Findings, each id once.
#[derive(Debug)]
struct Found<'a> {
    provider: &'a Provider,
    all: Vec<Finding>,
}

impl Found<'_> {
    fn add(&mut self, id: &str, part: &str) {
        self.add_as(id, part, rule(id).severity);
    }

    /// A rule whose breach is milder, or worse, here. The worst of several breaches stands.
    fn add_as(&mut self, id: &str, part: &str, severity: Severity) {
        if let Some(known) = self.all.iter_mut().find(|known| known.id == id) {
            known.severity = known.severity.max(severity);
            return;
        }
        let mut finding = Finding::new(rule(id), format!("{}, {part}", self.provider.label()));
        finding.severity = severity;
        self.all.push(finding);
    }

    fn has(&self, id: &str) -> bool {
        self.all.iter().any(|known| known.id == id)
    }
}

const CONDITION: &str = "attributeCondition";

/// Looks at a provider.
pub(super) fn lint(provider: &Provider) -> Vec<Finding> {
    let issuer = Issuer::new(&provider.issuer);
    let mut found = Found { provider, all: Vec::new() };
    let is_alive = broken::provider(provider, &mut found);
    let has_members = broken::bindings(provider, &mut found);
    #[cfg(feature = "cel")]
    let ways = provider.condition.as_ref().map(|condition| {
        let ways = condition::ways(provider, &issuer, condition, &mut found);
        (condition, ways)
    });
    #[cfg(feature = "cel")]
    let is_alive = is_alive && ways.as_ref().is_none_or(|(_, ways)| !ways.is_empty());
    // What lets nobody in exposes nothing.
    if is_alive && has_members {
        // Where the audience names the tenant, Google tests it before anything else.
        let is_told_by_audience = issuer.tenant_is_audience() && !provider.audiences.is_empty();
        let is_open = issuer.is_shared() && !is_told_by_audience;
        if provider.condition.is_none() {
            found.add(if is_open { "gcp-no-condition" } else { "gcp-no-condition-private" }, CONDITION);
        }
        #[cfg(not(feature = "cel"))]
        if provider.condition.is_some() {
            found.add("gcp-condition-unread", CONDITION);
        }
        #[cfg(feature = "cel")]
        if let Some((condition, ways)) = &ways {
            exposure::lint(&issuer, is_open, ways, &mut found);
            if precedence::is_mixed(&condition.text) {
                found.add("gcp-or-precedence", CONDITION);
            }
        }
        pool_wide(provider, &mut found);
    }
    let mut all = found.all;
    all.sort_by(|left, right| right.severity.cmp(&left.severity).then(left.id.cmp(right.id)));
    all
}

fn pool_wide(provider: &Provider, found: &mut Found<'_>) {
    let ours = provider.bindings.iter().flatten().filter(|binding| binding.is_of(&provider.pool));
    for binding in ours.filter(|one| matches!(one.chooses, Selector::Everybody | Selector::Project(_))) {
        let is_worse = found.has("gcp-no-condition") || found.has("gcp-trivial-condition");
        let severity = if is_worse { Severity::Critical } else { Severity::High };
        found.add_as("gcp-binding-pool-wide", &format!("member {}", binding.member), severity);
    }
}
