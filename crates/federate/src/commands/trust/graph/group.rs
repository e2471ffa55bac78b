//! Fewer nodes: what is reached by the same jobs in the same way is drawn once, with all its names.

use std::collections::BTreeMap;

use super::model::{Graph, Place, Principal};

/// So many accounts that are alike become one box; fewer are still told apart at a glance.
const ALIKE: usize = 3;

/// The graph with principals that are alike as one, and places that are alike as one.
pub(super) fn grouped(mut graph: Graph) -> Graph {
    let signatures = signatures(&graph);
    // Within a place: everything but the name is the same.
    let mut first: BTreeMap<(usize, &str), usize> = BTreeMap::new();
    let mut into: Vec<usize> = (0..graph.principals.len()).collect();
    for (index, signature) in signatures.iter().enumerate() {
        if is_chained(&graph, index) {
            continue;
        }
        into[index] = *first.entry((graph.principals[index].place, signature)).or_insert(index);
    }
    join(&mut graph, &into);
    let signatures = self::signatures(&graph);
    // Across places: each has the same principals by the same names.
    let mut alike: BTreeMap<Vec<String>, Vec<usize>> = BTreeMap::new();
    for place in 0..graph.places.len() {
        let own: Vec<usize> = (0..graph.principals.len()).filter(|at| graph.principals[*at].place == place).collect();
        if own.is_empty() || own.iter().any(|at| is_chained(&graph, *at)) {
            continue;
        }
        let described = own.iter().map(|at| described(&graph.principals[*at], &signatures[*at]));
        alike.entry(described.collect()).or_default().push(place);
    }
    let mut into: Vec<usize> = (0..graph.principals.len()).collect();
    for places in alike.values().filter(|places| places.len() >= ALIKE) {
        let of = |place: usize, graph: &Graph| -> Vec<usize> {
            (0..graph.principals.len()).filter(|at| graph.principals[*at].place == place).collect()
        };
        let model = of(places[0], &graph);
        for place in &places[1..] {
            for (own, same) in of(*place, &graph).into_iter().zip(&model) {
                into[own] = *same;
            }
            let names = std::mem::take(&mut graph.places[*place].names);
            graph.places[places[0]].names.extend(names);
            graph.places[places[0]].names.sort();
        }
    }
    join(&mut graph, &into);
    drop_empty_places(&mut graph);
    graph
}

fn described(principal: &Principal, signature: &str) -> String {
    let names: Vec<&str> = principal.names.iter().map(|name| name.text.as_str()).collect();
    format!("{}\0{signature}", names.join("\0"))
}

fn is_chained(graph: &Graph, principal: usize) -> bool {
    graph.chains.iter().any(|chain| chain.from == principal || chain.to == principal)
}

/// What tells principals apart but for their names.
fn signatures(graph: &Graph) -> Vec<String> {
    let mut ways: Vec<Vec<String>> = vec![Vec::new(); graph.principals.len()];
    for edge in &graph.edges {
        let ids: Vec<&str> = edge.findings.iter().map(|finding| finding.id).collect();
        ways[edge.principal].push(format!(
            "{} {:?} {:?} {} {} {ids:?}",
            edge.door, edge.difference, edge.never, edge.is_meant, edge.is_deployed
        ));
    }
    let principals = graph.principals.iter().zip(&mut ways);
    principals
        .map(|(principal, ways)| {
            ways.sort();
            let ids: Vec<&str> = principal.findings.iter().map(|finding| finding.id).collect();
            format!("{} {} {ids:?} {ways:?}", principal.noun, principal.is_known)
        })
        .collect()
}

/// Makes every principal part of the one that `into` names for it.
fn join(graph: &mut Graph, into: &[usize]) {
    let mut place_of: Vec<usize> = Vec::with_capacity(into.len());
    let mut kept: Vec<Principal> = Vec::new();
    for (index, principal) in std::mem::take(&mut graph.principals).into_iter().enumerate() {
        if into[index] == index {
            place_of.push(kept.len());
            kept.push(principal);
            continue;
        }
        // The one it joins stands before it.
        let at = place_of[into[index]];
        place_of.push(at);
        for name in principal.names {
            match kept[at].names.iter_mut().find(|known| known.text == name.text) {
                Some(known) => {
                    known.ids.extend(name.ids);
                    known.details.extend(name.details);
                    known.targets.extend(name.targets);
                }
                None => kept[at].names.push(name),
            }
        }
    }
    graph.principals = kept;
    let mut edges: BTreeMap<(usize, usize, bool), usize> = BTreeMap::new();
    let mut joined = Vec::new();
    for mut edge in std::mem::take(&mut graph.edges) {
        edge.principal = place_of[edge.principal];
        match edges.get(&(edge.door, edge.principal, edge.never.is_some())) {
            None => {
                edges.insert((edge.door, edge.principal, edge.never.is_some()), joined.len());
                joined.push(edge);
            }
            Some(at) => {
                let known: &mut super::model::Edge = &mut joined[*at];
                known.places.extend(edge.places);
                known.targets.extend(edge.targets);
            }
        }
    }
    graph.edges = joined;
    for chain in &mut graph.chains {
        chain.from = place_of[chain.from];
        chain.to = place_of[chain.to];
    }
}

fn drop_empty_places(graph: &mut Graph) {
    let mut moved = Vec::new();
    let mut kept: Vec<Place> = Vec::new();
    for place in std::mem::take(&mut graph.places) {
        moved.push(kept.len());
        if !place.names.is_empty() {
            kept.push(place);
        }
    }
    for principal in &mut graph.principals {
        principal.place = moved[principal.place];
    }
    graph.places = kept;
}
