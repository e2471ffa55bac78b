//! Many targets in one run, against one; and a plan for five hundred.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::json;

use crate::measure::{self, Way};
use crate::{ratio, target};

/// A profile whose targets are the rows of a file.
fn profile(folder: &Path, url: &str) {
    let row = |number: usize| json!({"name": format!("{number:03}"), "account": format!("{number:012}")});
    let rows: Vec<_> = (0..500).map(row).collect();
    std::fs::write(folder.join("accounts.json"), json!(rows).to_string()).unwrap();
    let table = "[targets.m]\ntype = \"aws\"\nmatrix = { file = \"accounts.json\" }\n\
                 role_arn = \"arn:aws:iam::{matrix:account}:role/deploy\"\nregion = \"eu-west-1\"\nsession_name = \"bench\"\n";
    std::fs::write(folder.join("many.toml"), format!("{table}endpoint_url = \"{url}\"\n")).unwrap();
}

/// Measures, and prints what came of it.
pub(crate) fn run(federate: &str, environment: &BTreeMap<String, String>) {
    let url = &environment["AWS_ENDPOINT_URL_STS"];
    profile(&Path::new(&environment["HOME"]).join("profiles"), url);
    let each = |patterns: &[&str]| {
        let mut words = vec![federate, "each", "-q", "--group=never", "-p", "many"];
        patterns.iter().for_each(|pattern| words.extend(["-t", pattern]));
        words.extend(["--", "true"]);
        words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>()
    };
    let way = |name: &'static str, words: Vec<String>, rounds: usize| {
        Way::new(name, &words.iter().map(String::as_str).collect::<Vec<_>>(), rounds)
    };
    let mut one = way("each -- true, 1 target", each(&["m-000"]), 40);
    let mut many = way("each -- true, 200 targets", each(&["m-0??", "m-1??"]), 10);
    let plan = [federate, "plan", "-p", "many", "-t", "m-*"].map(str::to_owned).to_vec();
    let mut plan = way("plan, 500 targets", plan, 40);
    measure::run(&mut [&mut one, &mut many, &mut plan], environment);
    println!("\n{:<42}{:>10}{:>10}", "many targets, milliseconds", "median", "fastest");
    for way in [&one, &many, &plan] {
        println!("{:<42}{:>10.2}{:>10.2}", way.name, way.median(), way.fastest());
    }
    target("200 targets / 1 target, under 50", ratio(&many, &one), |ratio| ratio < 50.0);
    target("plan of 500 targets, under 200 ms", Some((plan.median(), Some(plan.fastest()))), |time| time < 200.0);
    let peak = (0..5).map(|_| many.peak(environment)).max().unwrap_or(0) as f64 / 1024.0;
    target("peak memory with 200 targets, under 20 MiB", (peak > 0.0).then_some((peak, None)), |peak| peak < 20.0);
}
