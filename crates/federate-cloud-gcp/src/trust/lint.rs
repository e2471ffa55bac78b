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
mod grants;
#[cfg(feature = "cel")]
mod precedence;
#[cfg(feature = "cel")]
mod source;
#[cfg(feature = "cel")]
pub(super) mod stranger;
#[cfg(feature = "cel")]
mod way;

use federate_trust::{Finding, Provider as Issuer, Severity};

use super::binding::Selector;
use super::provider::{Provider, part};
pub(super) use catalogue::RULES;
use catalogue::rule;
#[cfg(feature = "cel")]
pub(super) use grants::grants;

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
        let finding = Finding::new(rule(id), format!("{}, {part}", self.provider.label()));
        let mut finding = finding.at(self.provider.path_of(part));
        finding.severity = severity;
        self.all.push(finding);
    }

    fn has(&self, id: &str) -> bool {
        self.all.iter().any(|known| known.id == id)
    }
}

const CONDITION: &str = part::CONDITION;
const KNOWN_AFTER_APPLY: &str = "gcp-known-after-apply";
const UNREAD: &str = "gcp-condition-unread";

/// Looks at a provider.
pub(super) fn lint(provider: &Provider) -> Vec<Finding> {
    let issuer = Issuer::new(&provider.issuer);
    let mut found = Found { provider, all: Vec::new() };
    let is_alive = broken::provider(provider, &mut found);
    let has_members = broken::bindings(provider, &mut found);
    unknown(provider, &mut found);
    #[cfg(feature = "cel")]
    let reading = effect::Reading { issuer: &issuer, family: condition::family(provider, &issuer) };
    #[cfg(feature = "cel")]
    let is_alive = is_alive & broken::is_read(provider, &mut found);
    #[cfg(feature = "cel")]
    let ways = provider.condition.as_ref().filter(|_| !provider.is_condition_unknown()).map(|condition| {
        let ways = condition::ways(provider, reading.family, condition, &mut found);
        (condition, ways)
    });
    #[cfg(feature = "cel")]
    let is_alive = is_alive && ways.as_ref().is_none_or(|(_, ways)| !ways.is_empty());
    // What lets nobody in exposes nothing.
    if is_alive && has_members {
        let is_open = is_open(provider, &issuer);
        if provider.condition.is_none() && ![part::CONDITION, part::ISSUER].iter().any(|part| provider.is_unknown(part))
        {
            found.add(if is_open { "gcp-no-condition" } else { "gcp-no-condition-private" }, CONDITION);
        }
        #[cfg(not(feature = "cel"))]
        if provider.condition.is_some() {
            found.add(UNREAD, CONDITION);
        }
        #[cfg(feature = "cel")]
        if let Some((condition, ways)) = &ways {
            exposure::lint(&reading, is_open, ways, &mut found);
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

/// Can strangers have tokens of this issuer that the audience does not keep out?
fn is_open(provider: &Provider, issuer: &Issuer) -> bool {
    // Where the audience names the tenant, Google tests it before anything else.
    let has_audiences = !provider.audiences.is_empty() || provider.is_unknown(part::AUDIENCES);
    issuer.is_shared() && !(issuer.tenant_is_audience() && has_audiences)
}

/// What a plan does not know yet is neither absent nor fine.
fn unknown(provider: &Provider, found: &mut Found<'_>) {
    if !provider.unknown.is_empty() {
        found.add(KNOWN_AFTER_APPLY, &provider.unknown.join(", "));
    }
    // Members are mostly unknown because the pool is new; who enters it is told all the same.
    let mut members = provider.members().filter(|binding| binding.chooses == Selector::Unknown);
    if let Some(member) = members.next() {
        let on = member.on.as_ref().map(|on| format!(" of {} {}", on.noun, on.name));
        found.add_as(KNOWN_AFTER_APPLY, &format!("member{}", on.unwrap_or_default()), Severity::Info);
    }
}

fn pool_wide(provider: &Provider, found: &mut Found<'_>) {
    for binding in provider.members().filter(|one| matches!(one.chooses, Selector::Everybody | Selector::Project(_))) {
        let is_worse = found.has("gcp-no-condition") || found.has("gcp-trivial-condition");
        let severity = if is_worse { Severity::Critical } else { Severity::High };
        found.add_as("gcp-binding-pool-wide", &format!("member {}", binding.member), severity);
    }
}
