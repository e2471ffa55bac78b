//! Whose job a token is, against those whom a condition, or the members, mean.

use federate_core::Claims;
use federate_trust::{Family, Glob, Provider as Issuer};

use super::way::{Asked, Pattern, Test, Way};
use super::{Found, condition};
use crate::trust::claims::{Role, owner, role};
use crate::trust::provider::Provider;

/// Why it would let a stranger in to let this token past the condition; `None` where nothing says so.
pub(in crate::trust) fn at_condition(provider: &Provider, token: &Claims) -> Option<String> {
    let condition = provider.condition.as_ref()?;
    let family = condition::family(provider, &Issuer::new(&provider.issuer));
    let mut found = Found { provider, all: Vec::new() };
    told("condition", &condition::ways(provider, family, condition, &mut found), family, token)
}

/// The same of the members that may act.
pub(in crate::trust) fn at_binding(provider: &Provider, token: &Claims) -> Option<String> {
    let family = condition::family(provider, &Issuer::new(&provider.issuer));
    let mut found = Found { provider, all: Vec::new() };
    let of_member = |member| condition::of_member(provider, family, member, &mut found);
    let ways: Vec<Way> = provider.members().map(|member| &member.chooses).flat_map(of_member).collect();
    told("member", &ways, family, token)
}

fn told(asks: &str, ways: &[Way], family: Family, token: &Claims) -> Option<String> {
    let others: Option<Vec<(String, Vec<String>)>> = ways.iter().map(|way| other_owner(way, family, token)).collect();
    if let Some((actual, _)) = others.as_ref().and_then(|others| others.first()) {
        let mut expected: Vec<&str> = others.iter().flatten().flat_map(|(_, all)| all).map(String::as_str).collect();
        expected.dedup();
        return Some(format!(
            "the token is `{actual}`'s, the {asks} is for `{}`: that would let a stranger in",
            expected.join("`, `")
        ));
    }
    ways.iter().find_map(|way| recycled(asks, way, family, token))
}

/// The token's owner, and those whom the way is for, where they are others.
fn other_owner(way: &Way, family: Family, token: &Claims) -> Option<(String, Vec<String>)> {
    way.iter().find_map(|asked| {
        let (claim, patterns) = values(asked)?;
        let role = role(family, true, claim);
        let actual = token.text(claim)?;
        let actual = owner(role, &actual)?;
        let of_owner = |pattern: &Pattern| Some(Pattern { glob: owner(role, &pattern.glob)?.to_owned(), ..*pattern });
        let expected: Vec<Pattern> = patterns.iter().filter_map(of_owner).collect();
        let is_other = !expected.is_empty() && !expected.iter().any(|expected| fits(expected, actual));
        is_other.then(|| (actual.to_owned(), expected.into_iter().map(|pattern| pattern.glob).collect()))
    })
}

/// The name fits, and the id does not: somebody else may have the name by now.
fn recycled(asks: &str, way: &Way, family: Family, token: &Claims) -> Option<String> {
    let is_met = |claim: &str, patterns: &[Pattern]| {
        token.text(claim).is_some_and(|actual| patterns.iter().any(|pattern| fits(pattern, &actual)))
    };
    let is_named = way.iter().filter_map(values).any(|(claim, patterns)| {
        let is_name = matches!(role(family, true, claim), Role::Path | Role::Subject | Role::Workload { by_id: false });
        is_name && is_met(claim, patterns)
    });
    let is_id = |claim: &str| matches!(role(family, true, claim), Role::Workload { by_id: true });
    let (claim, patterns) =
        way.iter().filter_map(values).find(|(claim, patterns)| is_id(claim) && !is_met(claim, patterns))?;
    let ids: Vec<&str> = patterns.iter().map(|pattern| pattern.glob.as_str()).collect();
    is_named.then(|| {
        format!(
            "{claim} is {}, the {asks} is for {}: somebody else may have the name now, and that would let them in",
            token.text(claim).unwrap_or_else(|| "absent".to_owned()),
            ids.join(", ")
        )
    })
}

fn values(asked: &Asked) -> Option<(&str, &[Pattern])> {
    match &asked.test {
        Test::Has(claim, patterns) => Some((claim, patterns)),
        _ => None,
    }
}

fn fits(pattern: &Pattern, actual: &str) -> bool {
    let fold = |text: &str| if pattern.any_case { text.to_lowercase() } else { text.to_owned() };
    Glob::parse(&fold(&pattern.glob)).matches(&fold(actual))
}
