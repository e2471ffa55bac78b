//! Where everything stands: columns from left to right, each thing as near as may be to what it is connected to.

use super::card::{self, Card, PAD};
use super::order::{Order, order};
use crate::commands::trust::graph::model::Graph;

/// Between two boxes, one above the other.
const GAP: f64 = 14.0;
/// Between two accounts.
const PLACE_GAP: f64 = 20.0;
/// Between issuers and workloads.
const NARROW: f64 = 56.0;

/// A box in its place.
#[derive(Debug)]
pub(super) struct Placed {
    pub(super) x: f64,
    pub(super) y: f64,
    pub(super) card: Card,
}

impl Placed {
    fn middle(&self) -> f64 {
        self.y + self.card.height / 2.0
    }
}

/// An account or tenant around its principals.
#[derive(Debug)]
pub(super) struct Frame {
    pub(super) x: f64,
    pub(super) y: f64,
    pub(super) width: f64,
    pub(super) height: f64,
    pub(super) heading: Card,
    pub(super) place: usize,
    principals: Vec<usize>,
}

/// The whole picture; issuers, workloads and principals by their index.
#[derive(Debug)]
pub(super) struct Layout {
    pub(super) issuers: Vec<Placed>,
    pub(super) workloads: Vec<Placed>,
    pub(super) principals: Vec<Placed>,
    pub(super) frames: Vec<Frame>,
    /// Where the lines of each door begin.
    pub(super) doors: Vec<(f64, f64)>,
    /// Where each line from a door ends.
    pub(super) ends: Vec<(f64, f64)>,
    /// Where each chain begins and ends.
    pub(super) chains: Vec<((f64, f64), (f64, f64))>,
    /// Left edge of issuers, workloads, principals.
    pub(super) columns: [f64; 3],
    pub(super) width: f64,
    pub(super) height: f64,
}

/// Something with a height in a column.
struct Item {
    height: f64,
    wanted: Option<f64>,
}

/// Lays the graph out, its top left corner at the origin.
pub(super) fn layout(graph: &Graph) -> Layout {
    let order = order(graph);
    let doors_of = |workload: usize| -> Vec<usize> {
        order.doors.iter().copied().filter(|door| graph.doors[*door].workload == workload).collect()
    };
    let mut rows = vec![0.0; graph.doors.len()];
    let mut workloads: Vec<Card> = Vec::new();
    for at in 0..graph.workloads.len() {
        let doors = doors_of(at);
        let (card, middles) = card::workload(graph, at, &doors);
        doors.iter().zip(middles).for_each(|(door, middle)| rows[*door] = middle);
        workloads.push(card);
    }
    let issuers: Vec<Card> = graph.issuers.iter().map(|name| card::issuer(name)).collect();
    let principals: Vec<Card> = (0..graph.principals.len()).map(|at| card::principal(graph, at)).collect();
    let issuer_x = 0.0;
    let workload_x = issuer_x + same_width(&issuers) + if issuers.is_empty() { 0.0 } else { NARROW };
    let many = f64::from(u32::try_from(graph.edges.len()).unwrap_or(u32::MAX));
    let wide = 110.0 + (many * 2.0).min(150.0);
    let frame_x = workload_x + same_width(&workloads) + if workloads.is_empty() { 0.0 } else { wide };
    let (issuer_width, workload_width) = (same_width(&issuers), same_width(&workloads));
    let mut picture = Layout {
        issuers: widened(issuers, issuer_x, issuer_width),
        workloads: widened(workloads, workload_x, workload_width),
        principals: widened(principals, 0.0, 0.0),
        frames: Vec::new(),
        doors: Vec::new(),
        ends: Vec::new(),
        chains: Vec::new(),
        columns: [issuer_x, workload_x, frame_x],
        width: 0.0,
        height: 0.0,
    };
    let frames_of = make_frames(graph, &order, &mut picture, frame_x);
    settle(graph, &order, &frames_of, &rows, &mut picture);
    to_origin(&mut picture);
    connect(graph, &rows, &mut picture);
    picture
}

fn same_width(cards: &[Card]) -> f64 {
    cards.iter().map(|card| card.width).fold(0.0, f64::max)
}

fn widened(cards: Vec<Card>, x: f64, width: f64) -> Vec<Placed> {
    cards.into_iter().map(|card| Placed { x, y: 0.0, card: Card { width: card.width.max(width), ..card } }).collect()
}

/// One frame for each account in each column; gives the frames of every column.
fn make_frames(graph: &Graph, order: &Order, picture: &mut Layout, first_x: f64) -> Vec<Vec<usize>> {
    let mut x = first_x;
    let mut frames_of = Vec::new();
    for column in &order.columns {
        let inner =
            column.iter().flat_map(|(_, own)| own).map(|at| picture.principals[*at].card.width).fold(0.0, f64::max);
        let headings: Vec<Card> = column.iter().map(|(place, _)| card::heading(graph, *place, inner)).collect();
        let inner = headings.iter().map(|heading| heading.width - 2.0 * PAD).fold(inner, f64::max);
        let mut own_frames = Vec::new();
        for ((place, own), heading) in column.iter().zip(headings) {
            let mut height = heading.height;
            for at in own {
                let placed = &mut picture.principals[*at];
                placed.x = x + PAD;
                placed.y = height;
                placed.card.width = inner;
                height += placed.card.height + GAP;
            }
            own_frames.push(picture.frames.len());
            picture.frames.push(Frame {
                x,
                y: 0.0,
                width: inner + 2.0 * PAD,
                height: height - GAP + PAD,
                heading,
                place: *place,
                principals: own.clone(),
            });
        }
        frames_of.push(own_frames);
        x += inner + 2.0 * PAD + 96.0;
    }
    frames_of
}

/// Gives everything its height: the taller of the two middle columns is stacked, and the rest follows it.
fn settle(graph: &Graph, order: &Order, frames_of: &[Vec<usize>], rows: &[f64], picture: &mut Layout) {
    let heights = |items: Vec<f64>, gap: f64| items.iter().map(|height| height + gap).sum::<f64>();
    let left = heights(order.workloads.iter().map(|at| picture.workloads[*at].card.height).collect(), GAP);
    let first = frames_of.first().map(Vec::as_slice).unwrap_or_default();
    let right = heights(first.iter().map(|at| picture.frames[*at].height).collect(), PLACE_GAP);
    if right >= left {
        put_frames(first, picture, |_, _| None);
        put_workloads(graph, order, rows, picture, true);
        // Once the workloads stand, the accounts need not be packed.
    } else {
        put_workloads(graph, order, rows, picture, false);
        put_frames(first, picture, |picture, at| {
            let frame = &picture.frames[at];
            middle(
                graph
                    .edges
                    .iter()
                    .filter(|edge| frame.principals.contains(&edge.principal))
                    .map(|edge| picture.workloads[graph.doors[edge.door].workload].y + rows[edge.door]),
            )
        });
    }
    for column in frames_of.iter().skip(1) {
        put_frames(column, picture, |picture, at| {
            let frame = &picture.frames[at];
            let chains = graph.chains.iter().filter(|chain| frame.principals.contains(&chain.to));
            middle(chains.map(|chain| picture.principals[chain.from].middle()))
        });
    }
    let items = order.issuers.iter().map(|at| Item {
        height: picture.issuers[*at].card.height,
        wanted: middle(
            graph
                .workloads
                .iter()
                .zip(&picture.workloads)
                .filter(|(one, _)| one.issuer == *at)
                .map(|(_, placed)| placed.middle()),
        ),
    });
    let tops = stacked(&items.collect::<Vec<_>>(), GAP);
    order.issuers.iter().zip(tops).for_each(|(at, top)| picture.issuers[*at].y = top);
}

fn put_workloads(graph: &Graph, order: &Order, rows: &[f64], picture: &mut Layout, follows: bool) {
    let items: Vec<Item> = order
        .workloads
        .iter()
        .map(|at| {
            let placed = &picture.workloads[*at];
            // Where the card's own middle has to be so that its rows are level with whom they lead to.
            let lines = graph.edges.iter().filter(|edge| graph.doors[edge.door].workload == *at);
            let wanted = lines
                .map(|edge| picture.principals[edge.principal].middle() - rows[edge.door] + placed.card.height / 2.0);
            Item { height: placed.card.height, wanted: if follows { middle(wanted) } else { None } }
        })
        .collect();
    let tops = stacked(&items, GAP);
    order.workloads.iter().zip(tops).for_each(|(at, top)| picture.workloads[*at].y = top);
}

fn put_frames(column: &[usize], picture: &mut Layout, wanted: impl Fn(&Layout, usize) -> Option<f64>) {
    let items: Vec<Item> =
        column.iter().map(|at| Item { height: picture.frames[*at].height, wanted: wanted(picture, *at) }).collect();
    for (at, top) in column.iter().zip(stacked(&items, PLACE_GAP)) {
        let moved = top - picture.frames[*at].y;
        picture.frames[*at].y = top;
        for principal in picture.frames[*at].principals.clone() {
            picture.principals[principal].y += moved;
        }
    }
}

fn middle(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (sum, count) = values.fold((0.0, 0.0), |(sum, count), value| (sum + value, count + 1.0));
    (count > 0.0).then(|| sum / count)
}

/// The tops of boxes in this order, none over another, their middles as near to the wanted ones as that allows
/// (pool adjacent violators).
fn stacked(items: &[Item], gap: f64) -> Vec<f64> {
    let mut offsets = Vec::new();
    let mut sum = 0.0;
    for item in items {
        offsets.push(sum);
        sum += item.height + gap;
    }
    // Blocks that move as one: the sum of what their members want, how many, how many members.
    let mut blocks: Vec<(f64, f64, usize)> = Vec::new();
    for (item, offset) in items.iter().zip(&offsets) {
        let wish = item.wanted.map(|wanted| wanted - item.height / 2.0 - offset);
        blocks.push((wish.unwrap_or_default(), if wish.is_some() { 1.0 } else { 0.0 }, 1));
        while let [.., before, last] = blocks.as_slice() {
            let mean = |block: &(f64, f64, usize)| if block.1 > 0.0 { Some(block.0 / block.1) } else { None };
            let in_order = match (mean(before), mean(last)) {
                (Some(before), Some(last)) => before <= last,
                _ => false,
            };
            if in_order {
                break;
            }
            let joined = (before.0 + last.0, before.1 + last.1, before.2 + last.2);
            blocks.truncate(blocks.len() - 2);
            blocks.push(joined);
        }
    }
    let shifts = blocks
        .iter()
        .flat_map(|(sum, count, members)| std::iter::repeat_n(if *count > 0.0 { sum / count } else { 0.0 }, *members));
    offsets.iter().zip(shifts).map(|(offset, shift)| offset + shift).collect()
}

/// Moves everything so that nothing is above or left of the origin, and takes the size.
fn to_origin(picture: &mut Layout) {
    let tops = picture.frames.iter().map(|frame| frame.y);
    let boxes = || picture.issuers.iter().chain(&picture.workloads);
    let top = tops.chain(boxes().map(|placed| placed.y)).fold(f64::MAX, f64::min);
    let top = if top == f64::MAX { 0.0 } else { top };
    for placed in picture.issuers.iter_mut().chain(&mut picture.workloads).chain(&mut picture.principals) {
        placed.y -= top;
    }
    for frame in &mut picture.frames {
        frame.y -= top;
    }
    let boxes = || picture.issuers.iter().chain(&picture.workloads);
    let frames = picture.frames.iter();
    picture.width = frames
        .clone()
        .map(|frame| frame.x + frame.width)
        .chain(boxes().map(|placed| placed.x + placed.card.width))
        .fold(0.0, f64::max);
    picture.height = frames
        .map(|frame| frame.y + frame.height)
        .chain(boxes().map(|placed| placed.y + placed.card.height))
        .fold(0.0, f64::max);
}

/// Where lines begin and end: on a box's edge, in the order in which they come.
fn connect(graph: &Graph, rows: &[f64], picture: &mut Layout) {
    picture.doors = graph
        .doors
        .iter()
        .zip(rows)
        .map(|(door, row)| {
            let placed = &picture.workloads[door.workload];
            (placed.x + placed.card.width, placed.y + row)
        })
        .collect();
    picture.ends = vec![(0.0, 0.0); graph.edges.len()];
    for (at, placed) in picture.principals.iter().enumerate() {
        let mut lines: Vec<usize> = (0..graph.edges.len()).filter(|edge| graph.edges[*edge].principal == at).collect();
        lines.sort_by(|left, right| {
            picture.doors[graph.edges[*left].door].1.total_cmp(&picture.doors[graph.edges[*right].door].1)
        });
        let count = f64::from(u32::try_from(lines.len()).unwrap_or(u32::MAX));
        let step = ((placed.card.height - 16.0) / count).min(14.0);
        for (rank, edge) in (0_u32..).zip(lines) {
            picture.ends[edge] = (placed.x, placed.middle() + step * (f64::from(rank) - (count - 1.0) / 2.0));
        }
    }
    for chain in &graph.chains {
        let (from, to) = (&picture.principals[chain.from], &picture.principals[chain.to]);
        let start = (from.x + from.card.width, from.middle());
        // In one column, or back: around the right side.
        let end = if to.x > from.x { (to.x, to.middle()) } else { (to.x + to.card.width, to.middle()) };
        picture.chains.push((start, end));
        if to.x <= from.x {
            picture.width = picture.width.max(start.0.max(end.0) + 80.0);
        }
    }
}

#[cfg(test)]
mod tests;
