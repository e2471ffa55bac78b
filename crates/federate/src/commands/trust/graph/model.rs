//! The graph: issuers, their workloads, which jobs of these, and whom they become.

use std::collections::{BTreeMap, BTreeSet};

use federate_core::PrincipalLabel;
use federate_trust::{Finding, Located, Severity};

use super::ways::{Difference, Ways};

/// Who can become whom. Everything refers by index.
#[derive(Debug, Default)]
pub(super) struct Graph {
    pub(super) issuers: Vec<String>,
    pub(super) workloads: Vec<Workload>,
    pub(super) doors: Vec<Door>,
    pub(super) places: Vec<Place>,
    pub(super) principals: Vec<Principal>,
    pub(super) edges: Vec<Edge>,
    pub(super) chains: Vec<Chain>,
    known: BTreeMap<String, usize>,
}

/// A repository, a project; or several by one pattern.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Workload {
    pub(super) issuer: usize,
    pub(super) noun: &'static str,
    pub(super) name: String,
}

/// Which jobs of a workload, and what they must meet besides.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Door {
    pub(super) workload: usize,
    pub(super) context: String,
    pub(super) conditions: Vec<String>,
    /// Do several kinds of jobs go through it?
    pub(super) is_open: bool,
}

/// An account or tenant; several where they are alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) names: Vec<String>,
}

/// A role or application; several where they are alike.
#[derive(Clone, Debug)]
pub(super) struct Principal {
    pub(super) place: usize,
    pub(super) noun: String,
    pub(super) names: Vec<Name>,
    /// What is wrong with its trust as a whole.
    pub(super) findings: Vec<Finding>,
    /// Does anything say whom it trusts?
    pub(super) is_known: bool,
}

/// What a principal is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Name {
    pub(super) text: String,
    pub(super) ids: BTreeSet<String>,
    pub(super) details: BTreeSet<String>,
    /// The targets, or files, that it comes from.
    pub(super) targets: BTreeSet<String>,
}

/// A door lets in to a principal.
#[derive(Clone, Debug)]
pub(super) struct Edge {
    pub(super) door: usize,
    pub(super) principal: usize,
    pub(super) is_meant: bool,
    pub(super) is_deployed: bool,
    pub(super) difference: Option<Difference>,
    /// Why nobody gets in this way.
    pub(super) never: Option<String>,
    /// The statements, credentials, entries.
    pub(super) places: BTreeSet<String>,
    pub(super) targets: BTreeSet<String>,
    /// Worst first.
    pub(super) findings: Vec<Finding>,
}

/// One principal becomes another.
#[derive(Clone, Debug)]
pub(super) struct Chain {
    pub(super) from: usize,
    pub(super) to: usize,
    pub(super) targets: BTreeSet<String>,
}

/// A principal before it is in the graph.
#[derive(Debug)]
pub(super) struct Home {
    place: String,
    noun: String,
    name: String,
    id: String,
    detail: Option<String>,
}

impl From<PrincipalLabel> for Home {
    fn from(label: PrincipalLabel) -> Self {
        let PrincipalLabel { place, noun, name, id, detail } = label;
        Self { place, noun: noun.to_owned(), name, id, detail }
    }
}

impl Home {
    /// A target of an adapter that has no words for its principals.
    pub(super) fn unnamed(kind: &str, target: &str) -> Self {
        Self {
            place: kind.to_owned(),
            noun: "target".to_owned(),
            name: target.to_owned(),
            id: format!("{kind} {target}"),
            detail: None,
        }
    }

    /// Whatever the configuration in a file belongs to.
    pub(super) fn of_file(file: &str, located: &Located) -> Self {
        let (noun, name) = match located.place.split_once(' ') {
            Some((noun @ "role", name)) => (noun, name),
            _ if located.place.is_empty() => ("file", file),
            _ => ("principal", located.place.as_str()),
        };
        Self {
            place: located.document.home().unwrap_or_else(|| file.to_owned()),
            noun: noun.to_owned(),
            name: name.to_owned(),
            id: format!("{file} {}", located.place),
            detail: None,
        }
    }
}

impl Graph {
    /// Is nobody in it, and nothing to become?
    pub(super) fn is_empty(&self) -> bool {
        self.principals.is_empty()
    }

    /// The index behind this key, made where it is new.
    fn index(&mut self, key: &str, make: impl FnOnce(&mut Self) -> usize) -> usize {
        if let Some(index) = self.known.get(key) {
            return *index;
        }
        let index = make(self);
        self.known.insert(key.to_owned(), index);
        index
    }

    pub(super) fn principal(&mut self, home: Home, target: &str) -> usize {
        let place = self.index(&format!("place\0{}", home.place), |graph| {
            graph.places.push(Place { names: vec![home.place.clone()] });
            graph.places.len() - 1
        });
        let index = self.index(&format!("principal\0{place}\0{}", home.id), |graph| {
            let name = Name {
                text: home.name.clone(),
                ids: [home.id.clone()].into(),
                details: BTreeSet::new(),
                targets: BTreeSet::new(),
            };
            graph.principals.push(Principal {
                place,
                noun: home.noun.clone(),
                names: vec![name],
                findings: Vec::new(),
                is_known: false,
            });
            graph.principals.len() - 1
        });
        let name = &mut self.principals[index].names[0];
        name.details.extend(home.detail);
        name.targets.insert(target.to_owned());
        index
    }

    /// The ways in which a principal is reached.
    pub(super) fn add(&mut self, principal: usize, target: &str, ways: Ways, is_known: bool) {
        self.principals[principal].is_known |= is_known;
        merge(&mut self.principals[principal].findings, ways.findings);
        for way in ways.ways {
            let grant = way.grant;
            let issuer = self.index(&format!("issuer\0{}", grant.issuer), |graph| {
                graph.issuers.push(grant.issuer.clone());
                graph.issuers.len() - 1
            });
            let workload = self.index(&format!("workload\0{issuer}\0{}", grant.workload), |graph| {
                graph.workloads.push(Workload { issuer, noun: grant.noun, name: grant.workload.clone() });
                graph.workloads.len() - 1
            });
            let conditions = grant.conditions;
            let key = format!("door\0{workload}\0{}\0{}", grant.context, conditions.join("\0"));
            let door = self.index(&key, |graph| {
                graph.doors.push(Door {
                    workload,
                    context: grant.context.clone(),
                    conditions,
                    is_open: !grant.gaps.is_empty(),
                });
                graph.doors.len() - 1
            });
            let at = self.index(&format!("edge\0{door}\0{principal}\0{}", grant.never.is_some()), |graph| {
                graph.edges.push(Edge {
                    door,
                    principal,
                    is_meant: false,
                    is_deployed: false,
                    difference: None,
                    never: grant.never.clone(),
                    places: BTreeSet::new(),
                    targets: BTreeSet::new(),
                    findings: Vec::new(),
                });
                graph.edges.len() - 1
            });
            let edge = &mut self.edges[at];
            edge.is_meant |= way.is_meant;
            edge.is_deployed |= way.is_deployed;
            edge.difference = edge.difference.take().or(way.difference);
            edge.places.insert(grant.place);
            edge.targets.insert(target.to_owned());
            merge(&mut edge.findings, grant.findings);
        }
    }

    pub(super) fn chain(&mut self, from: usize, to: usize, target: &str) {
        let at = self.index(&format!("chain\0{from}\0{to}"), |graph| {
            graph.chains.push(Chain { from, to, targets: BTreeSet::new() });
            graph.chains.len() - 1
        });
        self.chains[at].targets.insert(target.to_owned());
    }

    /// The worst that is said of a door, whatever it leads to.
    pub(super) fn worst_of_door(&self, door: usize) -> Option<Mark> {
        self.edges.iter().filter(|edge| edge.door == door).filter_map(Edge::mark).max()
    }

    /// The worst that is said of a principal and of the ways to it.
    pub(super) fn worst_of_principal(&self, principal: usize) -> Option<Mark> {
        let own = self.principals[principal].findings.iter().map(|finding| Mark::Found(finding.severity));
        own.chain(self.edges.iter().filter(|edge| edge.principal == principal).filter_map(Edge::mark)).max()
    }

    /// The worst in the whole graph.
    pub(super) fn worst(&self) -> Option<Mark> {
        (0..self.principals.len()).filter_map(|principal| self.worst_of_principal(principal)).max()
    }

    pub(super) fn has_difference(&self) -> bool {
        self.edges.iter().any(|edge| edge.difference.is_some())
    }
}

/// Adds what is new, worst first.
fn merge(known: &mut Vec<Finding>, more: Vec<Finding>) {
    for finding in more {
        if !known.contains(&finding) {
            known.push(finding);
        }
    }
    known.sort_by(|left, right| right.severity.cmp(&left.severity).then(left.id.cmp(right.id)));
}

/// What is to be seen at a glance, mildest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Mark {
    /// Nobody gets in.
    Never,
    /// Meant, not deployed.
    NotDeployed,
    /// Deployed, not meant.
    NotMeant,
    /// What lint says.
    Found(Severity),
}

impl Mark {
    /// In a word or two.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Never => "nobody",
            Self::NotDeployed => "not deployed",
            Self::NotMeant => "not meant",
            Self::Found(Severity::Info) => "info",
            Self::Found(Severity::Low) => "low",
            Self::Found(Severity::Medium) => "medium",
            Self::Found(Severity::High) => "high",
            Self::Found(Severity::Critical) => "critical",
        }
    }

    /// A name for styles.
    pub(super) fn class(self) -> &'static str {
        match self {
            Self::NotDeployed => "undeployed",
            Self::NotMeant => "unmeant",
            Self::Never => "never",
            Self::Found(_) => self.word(),
        }
    }
}

impl Edge {
    /// How it is to be seen. That nobody gets in, or that the list and the configuration differ, goes before hygiene.
    pub(super) fn mark(&self) -> Option<Mark> {
        let found = self.findings.first().map(|finding| finding.severity);
        let grave = found.filter(|severity| *severity >= Severity::Medium).map(Mark::Found);
        if self.never.is_some() {
            return Some(Mark::Never);
        }
        match &self.difference {
            Some(Difference::NotMeant) => Some(grave.unwrap_or(Mark::NotMeant)),
            Some(Difference::NotDeployed(_)) => Some(Mark::NotDeployed),
            None => found.map(Mark::Found),
        }
    }
}
