//! In which order things stand, so that few lines cross: each by the middle of what it is connected to, back and forth.

use crate::commands::trust::graph::model::Graph;

/// How often it goes back and forth.
const ROUNDS: usize = 16;

/// The order of everything, by index into the graph.
#[derive(Clone, Debug)]
pub(super) struct Order {
    pub(super) issuers: Vec<usize>,
    pub(super) workloads: Vec<usize>,
    /// Grouped by workload.
    pub(super) doors: Vec<usize>,
    /// By column: places with their principals.
    pub(super) columns: Vec<Vec<(usize, Vec<usize>)>>,
}

/// Column of each principal: 0 where jobs come in or nobody does, else one behind whom it is reached from.
pub(super) fn columns(graph: &Graph) -> Vec<usize> {
    let has_jobs: Vec<bool> =
        (0..graph.principals.len()).map(|at| graph.edges.iter().any(|edge| edge.principal == at)).collect();
    let mut column = vec![0; graph.principals.len()];
    // A chain that runs in a circle stops growing.
    for _ in 0..graph.principals.len().min(8) {
        for chain in &graph.chains {
            if !has_jobs[chain.to] && chain.from != chain.to {
                column[chain.to] = column[chain.to].max(column[chain.from] + 1).min(8);
            }
        }
    }
    column
}

/// The order with the fewest crossings of those that were tried.
pub(super) fn order(graph: &Graph) -> Order {
    let mut current = first(graph);
    let mut best = (crossings(graph, &current), current.clone());
    for _ in 0..ROUNDS {
        if best.0 == 0 {
            break;
        }
        sort_principals(graph, &mut current);
        sort_doors(graph, &mut current);
        let count = crossings(graph, &current);
        if count < best.0 {
            best = (count, current.clone());
        }
    }
    best.1
}

fn first(graph: &Graph) -> Order {
    let mut issuers: Vec<usize> = (0..graph.issuers.len()).collect();
    issuers.sort_by_key(|at| &graph.issuers[*at]);
    let mut workloads: Vec<usize> = (0..graph.workloads.len()).collect();
    let rank = |issuer: usize| issuers.iter().position(|at| *at == issuer);
    workloads.sort_by_key(|at| (rank(graph.workloads[*at].issuer), &graph.workloads[*at].name));
    let mut doors: Vec<usize> = (0..graph.doors.len()).collect();
    let rank = |workload: usize| workloads.iter().position(|at| *at == workload);
    doors.sort_by_key(|at| (rank(graph.doors[*at].workload), &graph.doors[*at].context));
    let column = columns(graph);
    let last = column.iter().max().copied().unwrap_or_default();
    let columns = (0..=last)
        .map(|wanted| {
            let mut places: Vec<(usize, Vec<usize>)> = Vec::new();
            for (at, principal) in graph.principals.iter().enumerate().filter(|(at, _)| column[*at] == wanted) {
                match places.iter_mut().find(|(place, _)| *place == principal.place) {
                    Some((_, own)) => own.push(at),
                    None => places.push((principal.place, vec![at])),
                }
            }
            for (_, own) in &mut places {
                own.sort_by_key(|at| &graph.principals[*at].names[0].text);
            }
            places.sort_by_key(|(place, _)| &graph.places[*place].names);
            places
        })
        .collect();
    Order { issuers, workloads, doors, columns }
}

/// Where each stands in a list.
fn ranks(list: impl Iterator<Item = usize>, count: usize) -> Vec<f64> {
    let mut ranks = vec![f64::MAX; count];
    for (rank, at) in (0_u32..).zip(list) {
        ranks[at] = f64::from(rank);
    }
    ranks
}

/// The middle of some ranks; what has none stands last.
fn middle(ranks: impl Iterator<Item = f64>) -> f64 {
    let (sum, count) = ranks.fold((0.0, 0.0), |(sum, count), rank| (sum + rank, count + 1.0));
    if count == 0.0 { f64::MAX } else { sum / count }
}

fn sort_principals(graph: &Graph, order: &mut Order) {
    let doors = ranks(order.doors.iter().copied(), graph.doors.len());
    let mut means: Vec<Vec<f64>> = vec![Vec::new(); graph.principals.len()];
    for edge in &graph.edges {
        means[edge.principal].push(doors[edge.door]);
    }
    let mut means: Vec<f64> = means.into_iter().map(|ranks| middle(ranks.into_iter())).collect();
    for _ in 1..order.columns.len() {
        for chain in &graph.chains {
            if means[chain.to] == f64::MAX {
                means[chain.to] = means[chain.from];
            }
        }
    }
    for column in &mut order.columns {
        for (_, own) in column.iter_mut() {
            own.sort_by(|left, right| means[*left].total_cmp(&means[*right]));
        }
        column.sort_by(|(_, left), (_, right)| {
            let mean = |own: &Vec<usize>| middle(own.iter().map(|at| means[*at]).filter(|mean| *mean < f64::MAX));
            mean(left).total_cmp(&mean(right))
        });
    }
}

fn sort_doors(graph: &Graph, order: &mut Order) {
    let principals = ranks(listed(order).into_iter(), graph.principals.len());
    let mut means: Vec<Vec<f64>> = vec![Vec::new(); graph.doors.len()];
    for edge in &graph.edges {
        means[edge.door].push(principals[edge.principal]);
    }
    let doors: Vec<f64> = means.into_iter().map(|ranks| middle(ranks.into_iter())).collect();
    let of = |own: Vec<f64>| middle(own.into_iter().filter(|mean| *mean < f64::MAX));
    let of_workload = |at: usize| {
        of((0..graph.doors.len()).filter(|door| graph.doors[*door].workload == at).map(|door| doors[door]).collect())
    };
    let workloads: Vec<f64> = (0..graph.workloads.len()).map(of_workload).collect();
    order.workloads.sort_by(|left, right| workloads[*left].total_cmp(&workloads[*right]));
    let rank = ranks(order.workloads.iter().copied(), graph.workloads.len());
    let of_issuer = |at: usize| {
        let own = (0..graph.workloads.len()).filter(|workload| graph.workloads[*workload].issuer == at);
        of(own.map(|workload| rank[workload]).collect())
    };
    let issuers: Vec<f64> = (0..graph.issuers.len()).map(of_issuer).collect();
    order.issuers.sort_by(|left, right| issuers[*left].total_cmp(&issuers[*right]));
    let workload = |at: usize| rank[graph.doors[at].workload];
    order.doors.sort_by(|left, right| {
        workload(*left).total_cmp(&workload(*right)).then(doors[*left].total_cmp(&doors[*right]))
    });
}

/// The principals that jobs become, from top to bottom.
fn listed(order: &Order) -> Vec<usize> {
    order.columns.first().into_iter().flatten().flat_map(|(_, own)| own.iter().copied()).collect()
}

/// How many pairs of lines from doors to principals cross: inversions, counted with a Fenwick tree.
pub(super) fn crossings(graph: &Graph, order: &Order) -> usize {
    let mut door = vec![0; graph.doors.len()];
    order.doors.iter().enumerate().for_each(|(rank, at)| door[*at] = rank);
    let mut principal = vec![0; graph.principals.len()];
    listed(order).into_iter().enumerate().for_each(|(rank, at)| principal[at] = rank);
    let mut lines: Vec<(usize, usize)> =
        graph.edges.iter().map(|edge| (door[edge.door], principal[edge.principal])).collect();
    lines.sort_unstable();
    let mut tree = vec![0_usize; graph.principals.len() + 1];
    let mut count = 0;
    for (seen, (_, rank)) in lines.iter().enumerate() {
        let (mut at, mut not_below) = (rank + 1, 0);
        while at > 0 {
            not_below += tree[at];
            at &= at - 1;
        }
        count += seen - not_below;
        let mut at = rank + 1;
        while at < tree.len() {
            tree[at] += 1;
            at += at & at.wrapping_neg();
        }
    }
    count
}
