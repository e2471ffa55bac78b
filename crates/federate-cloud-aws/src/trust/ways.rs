//! Who gets in by a policy, however it is written: every statement as the single ways in that it opens.

use federate_trust::{Ask, Effect, Glob, Way};

use super::operator::{Base, Order, Set};
use super::policy::{Condition, EXCHANGE, Policy, Statement, provider_of};

/// With more ways in than these, a test's values stay together.
const MOST: usize = 4096;

/// All ways in.
pub(super) fn ways(policy: &Policy) -> Vec<Way> {
    let mut found = Vec::new();
    for statement in policy.statements.iter().filter(|statement| statement.effect == Effect::Allow) {
        for issuer in issuers(statement) {
            let mut ways = open(policy, statement, issuer);
            // A Deny takes part of it away.
            let denies = policy.statements.iter().filter(|one| one.effect == Effect::Deny && one.covers(EXCHANGE));
            for deny in denies.filter(|deny| concerns(deny, issuer)) {
                let ask = Ask::Other("is not all of".to_owned(), described(deny));
                for way in ways.iter_mut().filter(|way| !escapes(policy, deny, way)) {
                    way.asks.push(("request".to_owned(), ask.clone()));
                }
            }
            found.extend(ways);
        }
        for name in callers(statement) {
            let mut ways = open(policy, statement, None);
            ways.iter_mut().for_each(|way| way.asks.insert(0, ("principal".to_owned(), Ask::Is(name.to_owned()))));
            found.extend(ways);
        }
    }
    found
}

/// Whose tokens a statement lets in; `None` for anyone's, and for any caller who has no token.
fn issuers(statement: &Statement) -> Vec<Option<&str>> {
    let principal = &statement.principal;
    if principal.anyone || principal.negated {
        return vec![None];
    }
    if !statement.covers(EXCHANGE) {
        return Vec::new();
    }
    principal.federated.iter().filter_map(|name| provider_of(name)).map(Some).collect()
}

/// Who comes in by other actions: accounts, roles, users, services and SAML providers.
fn callers(statement: &Statement) -> Vec<&str> {
    let principal = &statement.principal;
    if principal.anyone || principal.negated {
        return Vec::new();
    }
    let others = principal.others.iter().filter(|_| statement.covers("sts:AssumeRole"));
    let saml = principal.federated.iter().filter(|name| provider_of(name).is_none());
    others.chain(saml.filter(|_| statement.covers("sts:AssumeRoleWithSAML"))).map(String::as_str).collect()
}

/// Can the Deny meet nobody who comes in this way, because the way pins a claim to a value that the Deny is not about?
fn escapes(policy: &Policy, deny: &Statement, way: &Way) -> bool {
    deny.conditions.iter().any(|condition| {
        let operator = &condition.operator;
        let key = claim(&condition.key, way.issuer.as_deref());
        let pinned = way.asks.iter().find_map(|(own, ask)| match ask {
            Ask::Is(text) if *own == key => Some(Glob::literal(text)),
            Ask::Like(glob, _) if *own == key => Some(glob.clone()),
            _ => None,
        });
        let is_text = matches!(operator.base, Base::StringEquals | Base::StringLike) && operator.set.is_none();
        let is_like = operator.base == Base::StringLike;
        // What a token of another issuer would say.
        let is_absent = way.issuer.is_some() && key.rsplit_once(':').is_some_and(|(issuer, _)| issuer.contains('.'));
        if is_text && is_absent {
            return !operator.negated && !operator.if_exists;
        }
        let globs = condition.values.iter().map(|value| pattern(value, is_like, policy.has_variables()));
        match (pinned.filter(|_| is_text), globs.collect::<Option<Vec<_>>>()) {
            (Some(own), Some(globs)) if operator.negated => globs.iter().any(|(glob, _)| glob.covers(&own)),
            (Some(own), Some(globs)) => !globs.iter().any(|(glob, _)| glob.intersects(&own)),
            _ => false,
        }
    })
}

fn concerns(deny: &Statement, issuer: Option<&str>) -> bool {
    let principal = &deny.principal;
    let is_named = principal.federated.iter().any(|name| issuer.is_none() || provider_of(name) == issuer);
    principal.anyone || principal.negated || is_named
}

fn described(statement: &Statement) -> Vec<String> {
    let mut all: Vec<String> = statement
        .conditions
        .iter()
        .map(|condition| {
            let mut values = condition.values.clone();
            values.sort();
            format!("{} {} {}", condition.key.to_ascii_lowercase(), condition.operator.name, values.join(" | "))
        })
        .collect();
    all.sort();
    all
}

/// The ways in that a statement opens to one issuer's tokens: one for every combination of values.
fn open(policy: &Policy, statement: &Statement, issuer: Option<&str>) -> Vec<Way> {
    let mut ways: Vec<Vec<(String, Ask)>> = vec![Vec::new()];
    for condition in &statement.conditions {
        let key = claim(&condition.key, issuer);
        let alternatives = asks(condition, policy.has_variables());
        if ways.len() * alternatives.len() > MOST {
            let whole = other(condition);
            ways.iter_mut().for_each(|way| way.push((key.clone(), whole.clone())));
            continue;
        }
        ways = ways
            .iter()
            .flat_map(|way| {
                let key = &key;
                alternatives.iter().map(move |ask| {
                    let mut way = way.clone();
                    way.push((key.clone(), ask.clone()));
                    way
                })
            })
            .collect();
    }
    let way = |asks| Way { place: statement.name(), issuer: issuer.map(str::to_owned), asks };
    ways.into_iter().map(way).collect()
}

/// A claim of the issuer by its own name, any other key in lower case.
fn claim(key: &str, issuer: Option<&str>) -> String {
    let lower = key.to_ascii_lowercase();
    let own = issuer.and_then(|issuer| lower.strip_prefix(&format!("{}:", issuer.to_ascii_lowercase())));
    own.map_or_else(|| lower.clone(), str::to_owned)
}

/// What a condition asks: any one of these.
fn asks(condition: &Condition, has_variables: bool) -> Vec<Ask> {
    let operator = &condition.operator;
    let is_like = operator.base == Base::StringLike;
    let is_text = match operator.base {
        Base::StringEquals | Base::StringLike => true,
        Base::Bool | Base::Numeric(Order::Equal) => condition.values.iter().all(|value| is_plain(value)),
        _ => false,
    };
    if !is_text || operator.negated {
        return vec![other(condition)];
    }
    let read = |value: &String| pattern(value, is_like, has_variables);
    let Some(globs) = condition.values.iter().map(read).collect::<Option<Vec<_>>>() else {
        return vec![other(condition)];
    };
    if operator.if_exists || operator.set == Some(Set::All) {
        return vec![Ask::IfThere(globs)];
    }
    let ask = |(glob, text): (Glob, String)| if glob.is_literal() { Ask::Is(text) } else { Ask::Like(glob, text) };
    globs.into_iter().map(ask).collect()
}

/// `true`, `4711`: the same whatever the type.
fn is_plain(value: &str) -> bool {
    matches!(value, "true" | "false") || (!value.starts_with('0') && value.bytes().all(|byte| byte.is_ascii_digit()))
}

/// A value with its escapes undone; `None` where a variable decides.
fn pattern(value: &str, is_like: bool, has_variables: bool) -> Option<(Glob, String)> {
    let (mut glob, mut text) = (Glob::literal(""), String::new());
    let mut add = |part: &str, is_pattern: bool| {
        if is_pattern {
            glob.push_pattern(part)
        } else {
            glob.push_literal(part)
        }
        text.push_str(part);
    };
    let mut rest = value;
    while let Some((before, after)) = rest.split_once("${").filter(|_| has_variables) {
        let (name, behind) = after.split_once('}')?;
        add(before, is_like);
        match name.trim() {
            special @ ("*" | "?" | "$") => add(special, false),
            _ => return None,
        }
        rest = behind;
    }
    add(rest, is_like);
    Some((glob, text))
}

/// A condition that only equals itself.
fn other(condition: &Condition) -> Ask {
    let operator = &condition.operator;
    let prefix = match operator.set {
        Some(Set::All) => "ForAllValues:",
        Some(Set::Any) => "ForAnyValue:",
        None => "",
    };
    let name = format!(
        "{prefix}{}{:?}{}",
        if operator.negated { "not " } else { "" },
        operator.base,
        if operator.if_exists { " if it is there" } else { "" }
    );
    let mut values: Vec<String> = condition.values.clone();
    if operator.base == Base::Null {
        values.iter_mut().for_each(|value| value.make_ascii_lowercase());
    }
    values.sort();
    values.dedup();
    Ask::Other(name, values)
}
