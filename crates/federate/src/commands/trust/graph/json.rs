//! Nodes and edges for programs, nothing grouped.

use serde_json::{Value as Json, json};

use super::model::{Edge, Graph};
use super::ways::Difference;

pub(super) fn nodes_and_edges(graph: &Graph) -> Json {
    let issuers = graph
        .issuers
        .iter()
        .enumerate()
        .map(|(at, name)| json!({ "id": format!("issuer-{at}"), "kind": "issuer", "name": name }));
    let workloads = graph.workloads.iter().enumerate().map(|(at, workload)| {
        json!({ "id": format!("workload-{at}"), "kind": "workload", "noun": workload.noun, "name": workload.name })
    });
    let doors = graph.doors.iter().enumerate().map(|(at, door)| {
        json!({
            "id": format!("context-{at}"), "kind": "context", "name": door.context, "conditions": door.conditions,
            "open": door.is_open,
        })
    });
    let principals = graph.principals.iter().enumerate().map(|(at, principal)| {
        let name = &principal.names[0];
        json!({
            "id": format!("principal-{at}"), "kind": "principal", "noun": principal.noun, "name": name.text,
            "cloud_id": name.ids.first(), "place": graph.places[principal.place].names.first(), "details": name.details,
            "targets": name.targets, "findings": principal.findings, "trust_known": principal.is_known,
        })
    });
    let vouches = graph.workloads.iter().enumerate().map(|(at, workload)| {
        json!({ "kind": "vouches", "from": format!("issuer-{}", workload.issuer), "to": format!("workload-{at}") })
    });
    let has = graph.doors.iter().enumerate().map(|(at, door)| {
        json!({ "kind": "has", "from": format!("workload-{}", door.workload), "to": format!("context-{at}") })
    });
    let chains = graph.chains.iter().map(|chain| {
        json!({
            "kind": "chain", "from": format!("principal-{}", chain.from), "to": format!("principal-{}", chain.to),
            "targets": chain.targets,
        })
    });
    json!({
        "nodes": issuers.chain(workloads).chain(doors).chain(principals).collect::<Vec<_>>(),
        "edges": vouches.chain(has).chain(graph.edges.iter().map(way)).chain(chains).collect::<Vec<_>>(),
    })
}

fn way(edge: &Edge) -> Json {
    let difference = edge.difference.as_ref().map(|difference| match difference {
        Difference::NotMeant => json!({ "kind": "not-meant" }),
        Difference::NotDeployed(why) => json!({ "kind": "not-deployed", "why": why }),
    });
    json!({
        "kind": "becomes",
        "from": format!("context-{}", edge.door),
        "to": format!("principal-{}", edge.principal),
        "allow": edge.is_meant,
        "policy": edge.is_deployed,
        "difference": difference,
        "never": edge.never,
        "severity": edge.findings.first().map(|finding| finding.severity),
        "findings": edge.findings,
        "where": edge.places,
        "targets": edge.targets,
    })
}
