//! The ways into one target: by its `allow` list, by the configuration that is deployed, and where the two differ.

use std::time::SystemTime;

use federate_core::{Audiences, ClaimPattern, Claims, PrincipalLabel};
use federate_trust::{Check, Effect, Finding, Grant, Job, Pin, Provider, TrustDocument, Verdict};
use serde_json::{Map, Value as Json};

/// Digits stand for any text where a wildcard does, and for any id.
const ANY: &str = "48151623";

/// How the list and the deployed configuration differ.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Difference {
    /// The configuration lets in whom the list does not mean.
    NotMeant,
    /// The list means them, and the configuration keeps them out: why.
    NotDeployed(String),
}

/// One way in.
#[derive(Debug)]
pub(super) struct Way {
    pub(super) grant: Grant,
    /// Does the `allow` list mean it?
    pub(super) is_meant: bool,
    /// Does the deployed configuration hold it?
    pub(super) is_deployed: bool,
    pub(super) difference: Option<Difference>,
}

/// All ways, and the findings that are about none of them.
#[derive(Debug, Default)]
pub(super) struct Ways {
    pub(super) ways: Vec<Way>,
    pub(super) findings: Vec<Finding>,
}

impl Ways {
    /// The ways to each principal that the configuration leads to; `None` is the one that it belongs to. What is wrong
    /// with the configuration as a whole is so for all of them.
    pub(super) fn by_principal(self) -> Vec<(Option<PrincipalLabel>, Self)> {
        let mut all: Vec<(Option<PrincipalLabel>, Self)> = Vec::new();
        for way in self.ways {
            let at = all.iter().position(|(label, _)| *label == way.grant.becomes).unwrap_or_else(|| {
                all.push((way.grant.becomes.clone(), Self { findings: self.findings.clone(), ..Self::default() }));
                all.len() - 1
            });
            all[at].1.ways.push(way);
        }
        if all.is_empty() {
            all.push((None, Self { findings: self.findings, ..Self::default() }));
        }
        all
    }
}

/// The ways that a bare configuration opens.
pub(super) fn of_document(document: &dyn TrustDocument) -> Ways {
    let grants = document.grants();
    let mut findings = document.lint();
    findings.retain(|finding| !grants.iter().any(|grant| grant.findings.contains(finding)));
    let way = |grant| Way { grant, is_meant: false, is_deployed: true, difference: None };
    Ways { ways: grants.into_iter().map(way).collect(), findings }
}

/// The ways into a target; `audiences` tells what the tokens of an issuer are made out to.
pub(super) fn of_target(
    entries: &[ClaimPattern],
    document: Option<&dyn TrustDocument>,
    audiences: &dyn Fn(&str) -> Option<Audiences>,
) -> Ways {
    let mut all = document.map(of_document).unwrap_or_default();
    if !entries.is_empty() {
        for way in &mut all.ways {
            let covers = |entry: &ClaimPattern| covers(entry, &way.grant);
            way.difference = (way.grant.never.is_none() && !entries.iter().any(covers)).then_some(Difference::NotMeant);
        }
    }
    for (index, entry) in entries.iter().enumerate() {
        let grant = meant(entry, index);
        let same = all.ways.iter_mut().find(|way| {
            way.grant.never.is_none()
                && (&way.grant.issuer, &way.grant.workload, &way.grant.context)
                    == (&grant.issuer, &grant.workload, &grant.context)
        });
        match same {
            Some(way) => way.is_meant = true,
            None => {
                let kept_out = document.and_then(|document| kept_out(document, entry, audiences));
                let difference = kept_out.map(Difference::NotDeployed);
                all.ways.push(Way { grant, is_meant: true, is_deployed: false, difference });
            }
        }
    }
    all
}

/// An entry of the list in the words of a grant.
fn meant(entry: &ClaimPattern, index: usize) -> Grant {
    let subject = entry.subjects.first().map(ToString::to_string);
    let pins = entry.claims.iter().map(|(claim, pattern)| Pin {
        claim: claim.clone(),
        values: vec![pattern.to_string()],
        is_pattern: pattern.as_exact().is_none(),
    });
    let provider = Provider::new(entry.issuer.as_str());
    Grant::new(&provider, subject.as_deref(), pins.collect(), format!("allow entry {}: {}", index + 1, entry.label))
}

/// Does the entry mean everybody whom the grant lets in? A grant that does not ask what the entry asks is wider.
fn covers(entry: &ClaimPattern, grant: &Grant) -> bool {
    if Provider::new(entry.issuer.as_str()).name() != grant.issuer {
        return false;
    }
    let example = |pattern: &str| pattern.replace(['*', '?'], ANY);
    let subject = example(grant.subject.as_deref().unwrap_or("*"));
    if !entry.subjects.is_empty() && !entry.subjects.iter().any(|pattern| pattern.matches(&subject)) {
        return false;
    }
    entry.claims.iter().all(|(claim, pattern)| {
        let pin = grant.pins.iter().find(|pin| pin.claim.eq_ignore_ascii_case(claim));
        match (pin, pattern.as_exact()) {
            (Some(pin), _) => {
                let value = |value: &String| if pin.is_pattern { example(value) } else { value.clone() };
                pin.values.iter().all(|one| pattern.matches(&value(one)))
            }
            // What the subject says needs no condition of its own.
            (None, Some(exact)) => subject.contains(&exact) || subject.contains(&exact.replace(':', "%3A")),
            (None, None) => !entry.subjects.is_empty(),
        }
    })
}

/// Why the configuration keeps out a job that the entry means; `None` where it lets it in, or where that hangs on
/// claims that the entry does not name.
fn kept_out(
    document: &dyn TrustDocument,
    entry: &ClaimPattern,
    audiences: &dyn Fn(&str) -> Option<Audiences>,
) -> Option<String> {
    let mut claims = Map::new();
    claims.insert("iss".to_owned(), entry.issuer.as_str().into());
    if let Some(audiences) = audiences(entry.issuer.as_str()) {
        claims.insert("aud".to_owned(), audiences.first().into());
    }
    for (claim, pattern) in &entry.claims {
        claims.insert(claim.clone(), pattern.example(ANY, ANY).into());
    }
    let subjects: Vec<Option<String>> = match entry.subjects.as_slice() {
        [] => vec![None],
        patterns => patterns.iter().map(|pattern| Some(pattern.example(ANY, ANY))).collect(),
    };
    let mut why = None;
    for subject in subjects {
        claims.extend(subject.map(|subject| ("sub".to_owned(), Json::from(subject))));
        let verdict = document.evaluate(&Job::new(Claims::new(claims.clone()), SystemTime::now()));
        match refusal(&verdict) {
            None => return None,
            Some(reason) => why = why.or(Some(reason)),
        }
    }
    why
}

fn refusal(verdict: &Verdict) -> Option<String> {
    if verdict.is_allowed() {
        return None;
    }
    if let Some(deny) = verdict.statements.iter().find(|one| one.effect == Effect::Deny && one.matches) {
        return Some(format!("{} keeps it out", deny.name));
    }
    let known = |check: &&Check| check.actual != Json::Null;
    let allows: Vec<_> = verdict.statements.iter().filter(|one| one.effect == Effect::Allow).collect();
    if allows.iter().any(|one| one.failed().filter(known).count() == 0) {
        return None;
    }
    let nearest = allows.first()?;
    let check = nearest.failed().find(known)?;
    Some(format!(
        "{}: {} {} {}, and such a job has {}",
        nearest.name,
        check.key,
        check.operator,
        check.expected.join(" or "),
        check.actual_text().replace(ANY, "…"),
    ))
}
