//! Who gets in, in words: every way in which the condition can be true, for everyone whom the bindings name.

use std::cmp::Reverse;

use federate_core::PrincipalLabel;
use federate_trust::{Finding, Gap, Glob, Grant, Pin, Provider as Issuer};

use super::effect::Reading;
use super::way::{Asked, Pattern, Test, Way, all_of};
use super::{Found, KNOWN_AFTER_APPLY, UNREAD, broken, condition, exposure, is_open, lint, rule};
use crate::trust::binding::{Binding, Pool, Selector};
use crate::trust::claims::Role;
use crate::trust::provider::Provider;
use crate::trust::surroundings::UNKNOWN;

/// What comparing in any case lets in besides.
const ANY_CASE: &str = "in upper or lower case";

/// The role by which a member becomes a service account.
const BECOMES: &str = "roles/iam.workloadIdentityUser";

/// Findings that say that no token enters.
const CLOSING: [&str; 3] = ["gcp-issuer-mismatch", "gcp-subject-unmapped", UNREAD];

/// Findings that can be why a way is none.
const BROKEN: [&str; 6] =
    [CLOSING[0], CLOSING[1], CLOSING[2], "gcp-wildcard-literal", "gcp-type-mismatch", "gcp-attr-unmapped"];

/// Every way in, also those that nobody can take.
pub(in crate::trust) fn grants(provider: &Provider) -> Vec<Grant> {
    let issuer = Issuer::new(&provider.issuer);
    let reading = Reading { issuer: &issuer, family: condition::family(provider, &issuer) };
    let teller = Teller { provider, reading, findings: lint(provider) };
    let ways = teller.ways();
    let members: Vec<&Binding> = provider.members().collect();
    if members.is_empty() {
        let never = provider.bindings.as_ref().map(|_| "no member is of this provider's pool".to_owned());
        return teller.told(None, ways, never);
    }
    members.into_iter().flat_map(|member| teller.of_member(member, &ways)).collect()
}

struct Teller<'a> {
    provider: &'a Provider,
    reading: Reading<'a>,
    findings: Vec<Finding>,
}

fn words(text: impl Into<String>) -> Way {
    vec![Asked { test: Test::Presence, text: text.into() }]
}

impl Teller<'_> {
    /// The ways into the pool.
    fn ways(&self) -> Vec<Way> {
        let Some(condition) = &self.provider.condition else {
            let is_unknown = self.provider.is_condition_unknown();
            return vec![if is_unknown { words(format!("the condition is {UNKNOWN}")) } else { Vec::new() }];
        };
        if self.provider.is_condition_unknown() {
            return vec![words(condition.text.trim())];
        }
        let mut ways = condition::ways(self.provider, self.reading.family, condition, &mut self.scratch());
        ways.retain(|way| exposure::is_possible(&self.reading, way));
        ways
    }

    /// Findings that are told elsewhere already.
    fn scratch(&self) -> Found<'_> {
        Found { provider: self.provider, all: Vec::new() }
    }

    fn of_member(&self, member: &Binding, ways: &[Way]) -> Vec<Grant> {
        if let Some(id) = broken::dead(self.provider, member) {
            let why = match member.chooses {
                Selector::Nobody(why) => why,
                _ => rule(id).message,
            };
            return self.told(Some(member), ways.to_vec(), Some(why.to_owned()));
        }
        let chosen = match &member.chooses {
            Selector::Unknown => vec![words(format!("the member is {UNKNOWN}"))],
            Selector::Attribute(name, value) if !self.provider.mapping.contains_key(name) => {
                vec![words(format!("{name} is {value}"))]
            }
            selector => condition::of_member(self.provider, self.reading.family, selector, &mut self.scratch()),
        };
        let mut joined = all_of(chosen.clone(), ways.to_vec());
        joined.retain(|way| exposure::is_possible(&self.reading, way));
        if joined.is_empty() && !ways.is_empty() {
            let why = "the attribute condition lets none of them into the pool";
            return self.told(Some(member), chosen, Some(why.to_owned()));
        }
        self.told(Some(member), joined, None)
    }

    /// The ways in words; where there is none, what was asked, and why nobody can meet it.
    fn told(&self, member: Option<&Binding>, mut ways: Vec<Way>, never: Option<String>) -> Vec<Grant> {
        let mut never = self.closed().or(never);
        if ways.is_empty() {
            let asked = self.provider.condition.as_ref().map_or("", |condition| condition.text.trim());
            ways.push(words(asked));
            never = never.or_else(|| Some(self.contradiction()));
        }
        let each = ways.iter().flat_map(|way| self.one_by_one(way));
        let mut grants: Vec<Grant> = each.map(|way| self.grant(member, &way, never.as_deref())).collect();
        grants.dedup();
        grants
    }

    /// Why no token at all enters.
    fn closed(&self) -> Option<String> {
        if let Some(closed) = &self.provider.closed {
            return Some(format!("the provider is {}", closed.to_lowercase()));
        }
        let is_closing = |finding: &&Finding| CLOSING.contains(&finding.id);
        self.findings.iter().find(is_closing).map(|finding| finding.message.clone())
    }

    fn contradiction(&self) -> String {
        let found = self.findings.iter().find(|finding| BROKEN.contains(&finding.id));
        found.map_or_else(|| "no token can meet the attribute condition".to_owned(), |finding| finding.message.clone())
    }

    /// A way with every value of the claim that tells most of whose job it is by itself.
    fn one_by_one(&self, way: &Way) -> Vec<Way> {
        let rank = |asked: &&Asked| match &asked.test {
            Test::Has(claim, _) => match self.reading.role(claim) {
                Role::Subject => Some(0),
                Role::Path | Role::Workload { .. } => Some(1),
                Role::WorkloadName => Some(2),
                Role::Namespace | Role::Owner { .. } => Some(3),
                _ => None,
            },
            _ => None,
        };
        let way = without_repetition(way);
        let Some(chosen) = way.iter().filter(|asked| rank(asked).is_some()).min_by_key(rank).cloned() else {
            return vec![way];
        };
        let Test::Has(claim, patterns) = &chosen.test else { return vec![way] };
        let with = |pattern: &Pattern| {
            let test = Test::Has(claim.clone(), vec![pattern.clone()]);
            let one = Asked { test, text: chosen.text.clone() };
            way.iter().map(|asked| if *asked == chosen { one.clone() } else { asked.clone() }).collect()
        };
        let mut each: Vec<Way> = patterns.iter().map(with).collect();
        if each.iter().any(|way| exposure::is_possible(&self.reading, way)) {
            each.retain(|way| exposure::is_possible(&self.reading, way));
        }
        each
    }

    fn grant(&self, member: Option<&Binding>, way: &Way, never: Option<&str>) -> Grant {
        let subject = way.iter().filter_map(subject).min_by_key(|pattern| {
            let is_pattern = pattern.glob.contains(['*', '?']);
            (is_pattern, pattern.glob.starts_with('*'), Reverse(pattern.glob.len()))
        });
        let issuer = self.reading.issuer;
        let mut pins = Vec::new();
        for asked in way {
            if let Test::Has(claim, patterns) = &asked.test
                && !self.is_envelope(claim)
                && !subject.is_some_and(|subject| claim == "sub" && *patterns == [subject.clone()])
            {
                pins.push(pin(claim, patterns));
            }
        }
        if issuer.tenant_is_audience() && !self.provider.audiences.is_empty() {
            pins.push(Pin { claim: "aud".to_owned(), values: self.provider.audiences.clone(), is_pattern: false });
        }
        let place = match member {
            Some(member) => format!("{}, member {}", self.provider.label(), member.member),
            None => self.provider.label(),
        };
        let subject = subject.map(|pattern| readable(&pattern.glob));
        let mut grant = Grant::new(issuer, subject.as_deref(), pins, place);
        self.tell_what_holds(&mut grant, way);
        grant.conditions.extend(way.iter().filter_map(|asked| self.other(asked, way)));
        if way
            .iter()
            .any(|asked| matches!(&asked.test, Test::Has(_, patterns) if patterns.iter().any(|one| one.any_case)))
        {
            grant.conditions.push(ANY_CASE.to_owned());
        }
        let role = member.and_then(|member| member.role.as_deref()).filter(|role| *role != BECOMES);
        grant.conditions.extend(role.map(|role| format!("with {role}")));
        let condition = member.and_then(|member| member.condition.as_deref());
        grant.conditions.extend(condition.map(|condition| format!("IAM condition, not evaluated: {condition}")));
        if never.is_some() {
            grant.never = never.map(str::to_owned);
        }
        grant.becomes = self.principal(member);
        grant.findings = self.about(member, way, grant.never.is_some());
        grant
    }

    /// What every token of the issuer has, whosever it is.
    fn is_envelope(&self, claim: &str) -> bool {
        claim == "iss" || (claim == "aud" && !self.reading.issuer.tenant_is_audience())
    }

    /// What is asked besides values that tell whose job it is: `except actor is mira-k`.
    fn other(&self, asked: &Asked, way: &Way) -> Option<String> {
        if asked.text.is_empty() || matches!(&asked.test, Test::Has(claim, _) if !self.is_envelope(claim)) {
            return None;
        }
        // That a claim is present goes without saying where it has a value.
        let present = asked.text.strip_suffix(" is present");
        let has_value = |claim: &str| way.iter().any(|one| matches!(&one.test, Test::Has(own, _) if own == claim));
        (!present.is_some_and(has_value)).then(|| asked.text.clone())
    }

    /// A macro, or a text made of several claims, names whom it is for in a way that no list can show.
    fn tell_what_holds(&self, grant: &mut Grant, way: &Way) {
        let names_somebody = |claim: &String| {
            matches!(
                self.reading.role(claim),
                Role::Subject
                    | Role::Path
                    | Role::Workload { .. }
                    | Role::Namespace
                    | Role::Owner { .. }
                    | Role::Workflow
            )
        };
        let holds =
            way.iter().any(|asked| matches!(&asked.test, Test::Holds(claims) if claims.iter().any(names_somebody)));
        if holds && grant.gaps.first() == Some(&Gap::Everything) {
            grant.workload = format!("any {} that the expression holds for", grant.noun);
        }
    }

    /// Whom they become: what the member is of, or somebody of the pool.
    fn principal(&self, member: Option<&Binding>) -> Option<PrincipalLabel> {
        let home = || self.provider.home().unwrap_or_else(|| "Google Cloud".to_owned());
        match (member.map(|member| &member.on), &self.provider.pool) {
            (Some(Some(on)), _) if on.place.is_empty() => Some(PrincipalLabel { place: home(), ..on.clone() }),
            (Some(on), _) => on.clone(),
            (None, Pool::Named(pool)) => {
                let name = pool.rsplit('/').next().unwrap_or(pool).to_owned();
                Some(PrincipalLabel { place: home(), noun: "pool", name, id: pool.clone(), detail: None })
            }
            (None, _) => None,
        }
    }

    /// The findings that are about this way in: its gaps, and what is wrong with the member.
    fn about(&self, member: Option<&Binding>, way: &Way, is_never: bool) -> Vec<Finding> {
        let mut judged = self.scratch();
        exposure::lint(
            &self.reading,
            is_open(self.provider, self.reading.issuer),
            std::slice::from_ref(way),
            &mut judged,
        );
        let of_member = |finding: &Finding| {
            member.is_some_and(|member| match finding.id {
                "gcp-binding-pool-wide" => matches!(member.chooses, Selector::Everybody | Selector::Project(_)),
                KNOWN_AFTER_APPLY => member.chooses == Selector::Unknown,
                id => broken::dead(self.provider, member) == Some(id),
            })
        };
        let is_dead = member.is_some_and(|member| broken::dead(self.provider, member).is_some());
        let is_about = |finding: &&Finding| match finding.id {
            "gcp-no-condition" => judged.has("gcp-trivial-condition"),
            "gcp-no-condition-private" => way.is_empty(),
            KNOWN_AFTER_APPLY if !self.provider.unknown.is_empty() => true,
            id if id.starts_with("gcp-binding-") || id == KNOWN_AFTER_APPLY => of_member(finding),
            id if is_never => BROKEN.contains(&id) && !is_dead,
            id => judged.has(id),
        };
        self.findings.iter().filter(is_about).cloned().collect()
    }
}

/// Tests that others imply are left out: a pattern where one of its values is asked for, and what is there anyhow.
fn without_repetition(way: &Way) -> Way {
    let is_implied = |at: usize| {
        let Test::Has(claim, patterns) = &way[at].test else { return false };
        way.iter().enumerate().any(|(other_at, other)| {
            let Test::Has(other_claim, values) = &other.test else { return false };
            let fits = |value: &Pattern| {
                !value.glob.contains(['*', '?'])
                    && patterns.iter().any(|pattern| {
                        pattern.any_case == value.any_case && Glob::parse(&pattern.glob).matches(&value.glob)
                    })
            };
            let is_same = patterns == values;
            other_at != at && claim == other_claim && values.iter().all(fits) && (!is_same || other_at < at)
        })
    };
    way.iter().enumerate().filter(|(at, _)| !is_implied(*at)).map(|(_, asked)| asked.clone()).collect()
}

fn subject(asked: &Asked) -> Option<&Pattern> {
    match &asked.test {
        Test::Has(claim, patterns) if claim == "sub" && patterns.len() == 1 => patterns.first(),
        _ => None,
    }
}

fn pin(claim: &str, patterns: &[Pattern]) -> Pin {
    let is_pattern = patterns.iter().any(|pattern| pattern.glob.contains(['*', '?']));
    Pin { claim: claim.to_owned(), values: patterns.iter().map(|one| readable(&one.glob)).collect(), is_pattern }
}

/// A `?` that was meant literally.
fn readable(glob: &str) -> String {
    glob.replace('\u{fffd}', "?")
}
