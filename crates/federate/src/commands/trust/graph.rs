//! `trust graph`: who can become whom.

use std::collections::BTreeSet;

use federate_core::{Error, Reporter as _};
use federate_profile::Profile;

use super::{input, own, test};
use crate::args::{Graph as Arguments, GraphFormat};
use crate::commands::written;
use crate::report::{Failure, Output, pretty, print_result};
use crate::setup::Start;

mod dot;
mod group;
mod json;
mod mermaid;
mod model;
mod svg;
mod text;
mod ways;

use model::{Graph, Home};

pub(super) fn run(start: &Start, arguments: &Arguments) -> Result<u8, Failure> {
    let graph = if arguments.files.is_empty() { of_profiles(start, arguments)? } else { of_files(arguments)? };
    if arguments.files.is_empty() && graph.is_empty() {
        start.stderr.warn(
            "no profile has a target, so there is nothing to draw: name a file, or another folder with --profiles-dir",
        );
    }
    let text = match (start.global.output, arguments.format) {
        (Output::Json, _) => pretty(&json::nodes_and_edges(&graph)),
        (_, GraphFormat::Mermaid) => {
            let graph = group::grouped(graph);
            let text = mermaid::draw(&graph);
            if let Some(limit) = mermaid::exceeded(&graph, &text) {
                start.stderr.warn(&format!("GitHub and GitLab show no Mermaid graph of more than {limit}: narrow it with -t or -p, or take -f svg"));
            }
            text
        }
        (_, GraphFormat::Dot) => dot::draw(&group::grouped(graph)),
        (_, GraphFormat::Svg) => svg::draw(&group::grouped(graph)),
    };
    written(print_result(&text))
}

/// The targets of every profile, or of those named.
fn of_profiles(start: &Start, arguments: &Arguments) -> Result<Graph, Failure> {
    let mut graph = Graph::default();
    let mut errors: Vec<Error> = Vec::new();
    let mut unmatched: Vec<(&String, Option<Error>)> =
        arguments.targets.target.iter().map(|pattern| (pattern, None)).collect();
    let mut matched: BTreeSet<&String> = BTreeSet::new();
    let options = start.options(&[]);
    for profiles in federate_profile::selections(&options)? {
        let options = federate_profile::LoadOptions { profiles, ..options.clone() };
        let profile = match federate_profile::load(&start.registry, &options) {
            Ok(profile) => profile,
            Err(found) => {
                add_new(&mut errors, found);
                continue;
            }
        };
        let mut names: BTreeSet<String> = BTreeSet::new();
        if unmatched.is_empty() {
            names.extend(profile.target_names().into_iter().map(str::to_owned));
        }
        for (pattern, missing) in &mut unmatched {
            match profile.matching(std::slice::from_ref(*pattern)) {
                Ok(found) => {
                    matched.insert(*pattern);
                    names.extend(found);
                }
                Err(error) => *missing = Some(error),
            }
        }
        for name in names {
            if let Err(found) = add_target(start, &mut graph, &profile, &options, &name) {
                add_new(&mut errors, found);
            }
        }
    }
    errors
        .extend(unmatched.into_iter().filter(|(pattern, _)| !matched.contains(pattern)).filter_map(|(_, error)| error));
    if errors.is_empty() { Ok(graph) } else { Err(errors.into()) }
}

/// A problem of `base.toml` is one problem, in however many profiles it shows.
fn add_new(errors: &mut Vec<Error>, found: Vec<Error>) {
    for error in found {
        let is_known = |known: &Error| {
            known.what() == error.what() && known.origin() == error.origin() && known.setting() == error.setting()
        };
        if !errors.iter().any(is_known) {
            errors.push(error);
        }
    }
}

fn add_target(
    start: &Start,
    graph: &mut Graph,
    profile: &Profile,
    options: &federate_profile::LoadOptions,
    name: &str,
) -> Result<(), Vec<Error>> {
    let place = |errors: Vec<Error>| errors.into_iter().map(|error| profile.locate(error)).collect::<Vec<_>>();
    let context = profile.offline(options);
    let trusted = own::of_target(profile, &context, name).map_err(place)?;
    let written = profile.as_written(name).map_err(place)?;
    let audiences = |issuer: &str| {
        let claims = serde_json::Map::from_iter([("iss".to_owned(), issuer.into())]);
        test::audiences(start, profile, &context, name, &federate_core::Claims::new(claims)).ok()
    };
    let document = trusted.document.as_ref().map(|(_, located)| located.document.as_ref());
    let mut ways = ways::of_target(&trusted.entries, document, &audiences);
    let ignore = profile.trust(name).map(|section| section.ignore.clone()).unwrap_or_default();
    ways.findings.retain(|finding| !ignore.contains_key(finding.id));
    for way in &mut ways.ways {
        way.grant.findings.retain(|finding| !ignore.contains_key(finding.id));
    }
    let target = if profile.names().is_empty() { name.to_owned() } else { format!("{}/{name}", profile.label()) };
    let mut labels = written.principals().into_iter().map(Home::from);
    let first = labels.next().unwrap_or_else(|| Home::unnamed(written.kind(), name));
    let principal = graph.principal(first, &target);
    graph.add(principal, &target, ways, trusted.is_known());
    let mut before = principal;
    for label in labels {
        let next = graph.principal(label, &target);
        graph.chain(before, next, &target);
        before = next;
    }
    Ok(())
}

/// Bare configurations, each of a principal that is called as the file calls it.
fn of_files(arguments: &Arguments) -> Result<Graph, Failure> {
    let mut graph = Graph::default();
    let mut failures: Vec<Failure> = Vec::new();
    for path in &arguments.files {
        let file = path.display().to_string();
        match input::documents(path, arguments.cloud.as_deref()) {
            Ok((_, documents)) => {
                for located in documents {
                    for (label, ways) in ways::of_document(located.document.as_ref()).by_principal() {
                        let home = label.map_or_else(|| Home::of_file(&file, &located), Home::from);
                        let principal = graph.principal(home, &file);
                        graph.add(principal, &file, ways, true);
                    }
                }
            }
            Err(errors) => failures.push(errors.into()),
        }
    }
    Failure::joined(failures).map_or(Ok(graph), Err)
}
