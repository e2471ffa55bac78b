use federate_core::PrincipalLabel;
use federate_trust::{Grant, Provider};
use proptest::prelude::*;

use super::*;
use crate::commands::trust::graph::model::Home;
use crate::commands::trust::graph::svg::card::pill_width;
use crate::commands::trust::graph::svg::measure::{NAME, SMALL, mono, sans};
use crate::commands::trust::graph::svg::order::crossings;
use crate::commands::trust::graph::ways::{Difference, Way, Ways};

proptest! {
    #[test]
    fn boxes_keep_their_order_and_never_overlap(
        boxes in proptest::collection::vec((1.0..50.0_f64, proptest::option::of(-100.0..400.0_f64)), 0..20)
    ) {
        let items: Vec<Item> =
            boxes.iter().map(|(height, wanted)| Item { height: *height, wanted: *wanted }).collect();
        let tops = stacked(&items, 5.0);
        for (at, pair) in tops.windows(2).enumerate() {
            prop_assert!(pair[0] + items[at].height + 5.0 <= pair[1] + 1e-6);
        }
    }

    #[test]
    fn nothing_overlaps_and_all_text_is_in_its_box(
        ways in proptest::collection::vec((0..6_usize, 0..6_usize, 0..12_usize, 0..4_usize), 0..40),
        hops in proptest::collection::vec((0..12_usize, 0..12_usize), 0..5),
        long in 0..90_usize,
    ) {
        let graph = graph(&ways, &hops, &"n/".repeat(long));
        let picture = layout(&graph);
        let mut boxes: Vec<[f64; 4]> = picture.frames.iter().map(|one| [one.x, one.y, one.width, one.height]).collect();
        let cards = || picture.issuers.iter().chain(&picture.workloads);
        boxes.extend(cards().map(|one| [one.x, one.y, one.card.width, one.card.height]));
        apart(&boxes)?;
        let principals: Vec<[f64; 4]> =
            picture.principals.iter().map(|one| [one.x, one.y, one.card.width, one.card.height]).collect();
        apart(&principals)?;
        for frame in &picture.frames {
            for line in &frame.heading.lines {
                prop_assert!(sans(&line.text, SMALL) <= frame.width - 2.0 * PAD + 0.01, "{line:?}");
            }
            for at in &frame.principals {
                let [x, y, width, height] = principals[*at];
                prop_assert!(x >= frame.x && x + width <= frame.x + frame.width + 0.01);
                prop_assert!(y >= frame.y + frame.heading.height - 0.01 && y + height <= frame.y + frame.height);
            }
        }
        for placed in cards().chain(&picture.principals) {
            for line in &placed.card.lines {
                let is_name = line.class.starts_with("name");
                let own = if is_name { mono(&line.text, NAME) } else { sans(&line.text, SMALL) };
                let pill = placed.card.pills.iter().find(|pill| (pill.y - line.y).abs() < 9.0);
                let beside = pill.map_or(0.0, |pill| pill_width(pill.mark));
                prop_assert!(own + beside <= placed.card.width - 2.0 * PAD + 0.01, "{line:?} {pill:?}");
                prop_assert!(line.y < placed.card.height);
            }
        }
        for [x, y, width, height] in boxes {
            prop_assert!(x >= 0.0 && y >= -0.01 && x + width <= picture.width + 0.01 && y + height <= picture.height + 0.01);
        }
    }
}

fn apart(boxes: &[[f64; 4]]) -> Result<(), TestCaseError> {
    for (at, [x, y, width, height]) in boxes.iter().enumerate() {
        for [other_x, other_y, other_width, other_height] in &boxes[at + 1..] {
            let is_beside = x + width <= other_x + 0.01 || other_x + other_width <= x + 0.01;
            let is_above = y + height <= other_y + 0.01 || other_y + other_height <= y + 0.01;
            prop_assert!(is_beside || is_above);
        }
    }
    Ok(())
}

/// Ways in, each of a project, a branch, a role and a kind; and hops from role to role.
fn graph(ways: &[(usize, usize, usize, usize)], hops: &[(usize, usize)], long: &str) -> Graph {
    let mut graph = Graph::default();
    let role = |graph: &mut Graph, at: usize| {
        let label = PrincipalLabel {
            place: format!("account {}", at % 5),
            noun: "role",
            name: format!("role-{at}{long}"),
            id: at.to_string(),
            detail: None,
        };
        graph.principal(Home::from(label), &format!("target-{at}"))
    };
    for (project, branch, at, kind) in ways {
        let issuer = Provider::new(if project % 2 == 0 { "gitlab.com" } else { "gitlab.example.com" });
        let subject = format!("project_path:g/p{project}{long}:ref_type:branch:ref:b{branch}{long}");
        let grant = Grant::new(&issuer, Some(&subject), Vec::new(), "statement 1");
        let difference = match kind {
            0 => None,
            1 => Some(Difference::NotMeant),
            _ => Some(Difference::NotDeployed("why".to_owned())),
        };
        let way = Way { grant, is_meant: true, is_deployed: true, difference };
        let principal = role(&mut graph, *at);
        graph.add(principal, "target", Ways { ways: vec![way], findings: Vec::new() }, true);
    }
    for (from, to) in hops {
        let (from, to) = (role(&mut graph, *from), role(&mut graph, *to));
        graph.chain(from, to, "target");
    }
    graph
}

#[test]
fn a_box_stands_where_it_wants_to_if_nothing_is_in_the_way() {
    let items = [Item { height: 10.0, wanted: Some(25.0) }, Item { height: 10.0, wanted: Some(105.0) }];
    assert_eq!(stacked(&items, 5.0), [20.0, 100.0]);
}

#[test]
fn lines_that_need_not_cross_do_not() {
    let ways: Vec<(usize, usize, usize, usize)> = (0..6).map(|at| (5 - at, 0, at * 2 % 11, 0)).collect();
    let graph = graph(&ways, &[], "");
    assert_eq!(crossings(&graph, &order(&graph)), 0);
}
