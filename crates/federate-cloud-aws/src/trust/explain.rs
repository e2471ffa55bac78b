//! Why a condition does not hold, and the smallest change that would make it hold.

use std::cmp::Reverse;

use federate_core::Claims;
use federate_trust::{Check, Effect, Glob, Job, Provider, StatementVerdict, Verdict, immutable_form};

use super::operator::{Base, Operand, Operator, Set};
use super::policy::{Condition, EXCHANGE, provider_of};
use super::request::Request;
use super::scalar;
use super::template;
use super::warning;
use crate::visible;

/// The reason, where it is subtle.
pub(super) fn note(
    condition: &Condition,
    operands: &[Operand],
    actual: Option<&[String]>,
    holds: bool,
    request: &Request,
    claims: &Claims,
) -> Option<String> {
    let operator = &condition.operator;
    let Some(actual) = actual else {
        if holds {
            let is_open = operator.base != Base::Null
                && (operator.if_exists || operator.negated || operator.set == Some(Set::All));
            return is_open.then(|| "the key is absent, so this holds without testing anything".to_owned());
        }
        return why_absent(&condition.key, request, claims);
    };
    if holds {
        return None;
    }
    let value = actual.first()?;
    if actual.len() > 1 && operator.set.is_none() && operator.base != Base::Null {
        return Some("the key has several values, which are compared by ForAnyValue or ForAllValues alone".to_owned());
    }
    if operands.iter().any(|operand| operand.unresolved) {
        return Some("a policy variable has no value in this request, so the value matches nothing".to_owned());
    }
    if let Some(doubt) = doubt(condition) {
        return Some(doubt);
    }
    if operator.negated {
        return None;
    }
    if let Some(open) = condition.values.iter().find(|value| template::is_open(value)) {
        return Some(format!("`{open}` is known only once the template is deployed"));
    }
    let fits = |test: &dyn Fn(&str) -> bool| condition.values.iter().any(|expected| test(expected));
    if operator.base == Base::StringEquals && fits(&|expected| Glob::parse(expected).matches(value)) {
        return Some(format!("{} takes `*` and `?` literally: StringLike reads them as wildcards", operator.name));
    }
    let lower = value.to_lowercase();
    if fits(&|expected| Glob::parse(&expected.to_lowercase()).matches(&lower)) {
        return Some("only upper and lower case differ, and they count".to_owned());
    }
    if immutable_form(value).is_some_and(|classic| fits(&|expected| Glob::parse(expected).matches(&classic))) {
        return Some(
            "the token's subject is in the immutable form (OWNER@ID/REPO@ID), the policy's in the classic one"
                .to_owned(),
        );
    }
    if value.contains(":environment:") && fits(&|expected| expected.contains(":ref:")) {
        return Some("the job names an environment, which takes the place of the ref in the subject".to_owned());
    }
    if value.ends_with(":pull_request") && fits(&|expected| expected.contains(":ref:")) {
        return Some("a pull request's subject says pull_request instead of a ref".to_owned());
    }
    None
}

/// What the condition says that fits nothing, whatever a token holds: values of another type than the operator's, or none.
pub(super) fn doubt(condition: &Condition) -> Option<String> {
    if condition.values.is_empty() {
        return Some("the list is empty, and fits nothing".to_owned());
    }
    let known = condition.values.iter().filter(|value| !template::is_open(value));
    let flawed = |value: &String| Some(format!("`{value}` {}", scalar::flaw(condition.operator.base, value)?));
    known.filter_map(flawed).next()
}

fn why_absent(key: &str, request: &Request, claims: &Claims) -> Option<String> {
    let (prefix, name) = key.rsplit_once(':')?;
    if prefix.eq_ignore_ascii_case("aws") || prefix.eq_ignore_ascii_case("sts") {
        return Some("the request does not carry this key".to_owned());
    }
    if !prefix.eq_ignore_ascii_case(&request.provider) {
        return Some(format!(
            "the key belongs to `{prefix}`, but the token's provider is `{}`: it is never present",
            request.provider
        ));
    }
    let is_visible = visible::names(&request.provider).any(|known| known.eq_ignore_ascii_case(name));
    Some(match (is_visible, claims.get(name).is_some()) {
        (false, true) => format!("the token has `{name}`, but STS does not make a condition key of it for this issuer"),
        (false, false) => format!("STS makes no condition key of `{name}` for this issuer"),
        (true, _) => format!("the token has no `{name}`"),
    })
}

/// Allow before Deny where nothing matches, fewest failures first.
pub(super) fn nearest_first(verdict: &mut Verdict) {
    verdict.statements.sort_by_key(|statement| {
        let denies = statement.effect == Effect::Deny;
        let likeness = Reverse(statement.likeness());
        if statement.matches {
            (0, usize::from(!denies), likeness)
        } else {
            (1 + usize::from(denies), distance(statement), likeness)
        }
    });
}

/// Another issuer is never what was meant, however little else differs.
fn distance(statement: &StatementVerdict) -> usize {
    statement
        .failed()
        .map(|check| match check.key.as_str() {
            "Principal" | "NotPrincipal" => 100,
            "Action" => 10,
            _ => 1,
        })
        .sum()
}

/// The smallest change that would admit the token, and a warning where it would admit strangers.
pub(super) fn add_fix(verdict: &mut Verdict, request: &Request, job: &Job) {
    let denying = verdict.statements.iter().find(|statement| statement.effect == Effect::Deny && statement.matches);
    if let Some(statement) = denying {
        verdict.fix =
            Some(format!("{} denies this token, whatever else allows it: narrow its conditions", statement.name));
        return;
    }
    let nearest = verdict
        .statements
        .iter()
        .filter(|statement| statement.effect == Effect::Allow)
        .min_by_key(|statement| (distance(statement), Reverse(statement.likeness())))
        .filter(|statement| distance(statement) < 100);
    let subject = job.claims.subject().unwrap_or_default();
    let Some(nearest) = nearest else {
        if request.provider.is_empty() {
            verdict.fix = Some(
                "the claims have no `iss`, and no provider is trusted without it: give the whole payload of the token"
                    .to_owned(),
            );
            return;
        }
        let audience = request.values(&format!("{}:aud", request.provider)).and_then(|values| values.first());
        let mut condition = serde_json::json!({ format!("{}:sub", request.provider): subject });
        if let Some(audience) = audience {
            condition[format!("{}:aud", request.provider)] = audience.as_str().into();
        }
        verdict.fix = Some(format!(
            "no statement trusts the provider `{}`: add one with Principal {{\"Federated\": \"arn:aws:iam::ACCOUNT:oidc-provider/{}\"}} and Condition {{\"StringEquals\": {condition}}}",
            request.provider, request.provider
        ));
        verdict.warning = Some("that lets in a whole new issuer's jobs; make sure that it is yours".to_owned());
        return;
    };
    let changes: Vec<String> = nearest.failed().map(|check| change(check, nearest, request)).collect();
    verdict.fix = Some(format!("in {}: {}", nearest.name, changes.join("; ")));
    verdict.warning = warning::warning(nearest, &Provider::new(&request.provider), subject);
}

fn change(check: &Check, nearest: &StatementVerdict, request: &Request) -> String {
    let Check { key, operator: name, .. } = check;
    if key == "Action" {
        let is_named = |action: &str| check.expected.iter().any(|named| named.eq_ignore_ascii_case(action));
        let missing: Vec<&str> = request.actions.iter().map(String::as_str).filter(|one| !is_named(one)).collect();
        return if name == "NotAction" {
            format!("take `{}` out of NotAction", request.actions.join("`, `"))
        } else if is_named(EXCHANGE) && !missing.is_empty() {
            format!("add `{}` to Action", missing.join("`, `"))
        } else {
            format!("let Action be `{}`", request.actions.join("`, `"))
        };
    }
    let Some(operator) = Operator::parse(name) else {
        return "deploy the template, and judge what `aws iam get-role` prints".to_owned();
    };
    let Some(actual) = request.values(key) else { return change_of_absent(check, &operator, nearest, request) };
    let shown = actual.join(if operator.set == Some(Set::All) { "` and `" } else { "` or `" });
    match operator.base {
        Base::Null if operator.set.is_none() => return format!("let {name} `{key}` be `false`"),
        Base::Null => return format!("test `{key}` with Null instead of {name}, which never holds"),
        _ => {}
    }
    if actual.len() > 1 && operator.set.is_none() {
        let prefix = if operator.negated { "ForAllValues" } else { "ForAnyValue" };
        return format!(
            "test `{key}` with {prefix}:{name} instead of {name}{}",
            also(check, &operator, actual, request)
        );
    }
    if takes_literally(check) && actual.iter().all(|actual| fits_as_pattern(check, actual)) {
        let set = name.rsplit_once(':').map(|(set, _)| format!("{set}:")).unwrap_or_default();
        let if_exists = if name.to_ascii_lowercase().ends_with("ifexists") { "IfExists" } else { "" };
        return format!("test `{key}` with {set}StringLike{if_exists} instead of {name}");
    }
    if let (Some(words), [one]) = (operator.base.limit(), actual) {
        return format!("let the limit of {name} `{key}` be {words} {one}");
    }
    if operator.negated {
        return format!("take what excludes `{shown}` out of {name} `{key}`");
    }
    format!("add `{shown}` to {name} `{key}`")
}

/// The same for a key that the request does not have.
fn change_of_absent(check: &Check, operator: &Operator, nearest: &StatementVerdict, request: &Request) -> String {
    let (key, provider) = (&check.key, &request.provider);
    let (prefix, name) = key.rsplit_once(':').unwrap_or(("", key));
    let is_visible = visible::names(provider).any(|known| known.eq_ignore_ascii_case(name));
    if prefix.eq_ignore_ascii_case("aws") || prefix.eq_ignore_ascii_case("sts") {
        return format!("send `{key}` with the request or in the token, or remove the condition on it");
    }
    let is_foreign = !prefix.eq_ignore_ascii_case(provider);
    let trusted = nearest.checks.iter().filter(|check| check.key == "Principal").flat_map(|check| &check.expected);
    if is_foreign && trusted.filter_map(|name| provider_of(name)).any(|other| other.eq_ignore_ascii_case(prefix)) {
        return format!("move `{key}` to a statement of its own that trusts `{prefix}` alone");
    }
    if !is_visible {
        return format!("remove the condition on `{key}`, which STS never knows; test `{provider}:sub` instead");
    }
    if !is_foreign {
        return format!("send `{key}` with the request or in the token, or remove the condition on it");
    }
    let right = format!("{provider}:{name}");
    let rename = format!("write the key `{key}` as `{right}`");
    let operands: Vec<Operand> = check.expected.iter().map(|value| request.operand(value, true)).collect();
    match request.values(&right) {
        Some(actual) if !operator.negated && !operator.holds(&operands, Some(actual)) => {
            format!("{rename}, and add `{}` to it", actual.join("` or `"))
        }
        _ => rename,
    }
}

/// What is missing besides, for one of several values to be found.
fn also(check: &Check, operator: &Operator, actual: &[String], request: &Request) -> String {
    let operands: Vec<Operand> = check.expected.iter().map(|value| request.operand(value, true)).collect();
    let fits = |value: &String| operator.holds(&operands, Some(std::slice::from_ref(value)));
    if operator.negated || actual.iter().any(fits) {
        return String::new();
    }
    format!(", and add `{}` to it", actual.join("` or `"))
}

fn fits_as_pattern(check: &Check, actual: &str) -> bool {
    check.expected.iter().any(|expected| Glob::parse(expected).matches(actual))
}

fn takes_literally(check: &Check) -> bool {
    check.operator.to_ascii_lowercase().contains("stringequals")
}
