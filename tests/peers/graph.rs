//! Mermaid and Graphviz read what `trust graph` writes, also where names would like to be something else.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::Test;
use crate::workshop::Workshop;

pub(crate) const TESTS: &[(&str, Test)] = &[
    ("mermaid_reads_the_sample_profiles", mermaid_reads_the_sample_profiles),
    ("mermaid_takes_hostile_names_for_names", mermaid_takes_hostile_names_for_names),
    ("graphviz_draws_the_sample_profiles", graphviz_draws_the_sample_profiles),
    ("graphviz_takes_hostile_names_for_names", graphviz_takes_hostile_names_for_names),
];

/// Node with the packages.
pub(crate) fn find() -> Result<PathBuf, String> {
    let folder = crate::npm::packages(include_str!("package.json"))?;
    let script = folder.join("read_graph.mjs");
    std::fs::write(script, include_str!("clients/read_graph.mjs")).map_err(|error| error.to_string())?;
    Ok(folder)
}

/// What the program makes of the graph.
fn read(folder: &Path, format: &str, shop: &Workshop, arguments: &[&str]) -> Value {
    let done = shop.run_quietly(&[&["trust", "graph", "-f", format], arguments].concat());
    assert_eq!(done.code, 0, "{}", done.stderr);
    let mut command = Command::new("node");
    command.args(["read_graph.mjs", format]).current_dir(folder);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(done.stdout.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}\n{}", done.stdout, String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn sample() -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../profiles").display().to_string()
}

const NAMES: [&str; 6] =
    ["end", "a\"]; x --> y", "<script>alert(1)</script>", "`a` #quot; &lt; | {b} %% \\N \\", "1. x", "- x\nend\n}"];

/// A target for every name that would end a label, a string or the graph, or begin a script.
fn hostile() -> Workshop {
    let mut shop = Workshop::new();
    let target = |(at, name): (usize, &&str)| {
        let name = json!(name);
        format!(
            "[targets.{name}]\ntype = \"aws\"\nrole_arn = \"arn:aws:iam::11112222333{at}:role/r{at}\"\n[targets.{name}.trust]\nallow = [{{ identity = \"gitlab\", project = \"g/p\", branch = {name} }}]\n"
        )
    };
    let text: String = NAMES.iter().enumerate().map(target).collect();
    shop.profile("base", &text);
    shop
}

fn labels(nodes: &Value) -> Vec<String> {
    nodes.as_array().unwrap().iter().filter_map(|node| node["label"].as_str()).map(str::to_owned).collect()
}

fn mermaid_reads_the_sample_profiles(folder: &Path) {
    let graph = read(folder, "mermaid", &Workshop::new(), &["--profiles-dir", &sample()]);
    let labels = labels(&graph["nodes"]);
    for label in ["gitlab.com", "quarry-street/ledger", "environment production", "AWS account 333344445555"] {
        assert!(labels.iter().any(|known| known == label), "{label}: {labels:?}");
    }
    assert_eq!(graph["edges"].as_array().unwrap().len(), 2 + 6 + 12, "{graph}");
}

fn mermaid_takes_hostile_names_for_names(folder: &Path) {
    let graph = read(folder, "mermaid", &hostile(), &[]);
    let count = |group: bool| {
        graph["nodes"].as_array().unwrap().iter().filter(|node| (node["isGroup"] == true) == group).count()
    };
    // Issuer, project, a branch and a role for each; an account for each.
    assert_eq!((count(false), count(true)), (2 + 2 * NAMES.len(), NAMES.len()), "{graph}");
    // Mermaid holds entities in a form of its own until it draws.
    let labels: Vec<String> = labels(&graph["nodes"])
        .iter()
        .map(|label| {
            let mut label = label.replace("ﬂ°°", "&#").replace("ﬂ°", "&").replace("¶ß", ";");
            for (entity, character) in [
                (34, "\""),
                (35, "#"),
                (37, "%"),
                (38, "&"),
                (59, ";"),
                (60, "<"),
                (62, ">"),
                (92, "\\"),
                (93, "]"),
                (96, "`"),
                (123, "{"),
                (124, "|"),
                (125, "}"),
            ] {
                label = label.replace(&format!("&#{entity};"), character);
            }
            label
        })
        .collect();
    for name in NAMES {
        let shown = format!("branch {}", name.replace('\n', "\\n"));
        assert!(labels.contains(&shown), "{shown}: {labels:?}");
    }
}

fn graphviz_draws_the_sample_profiles(folder: &Path) {
    let graph = read(folder, "dot", &Workshop::new(), &["--profiles-dir", &sample()]);
    let labels = labels(&graph["drawn"]["objects"]);
    for label in ["gitlab.com", "quarry-street/ledger", "branches release/*", "AWS account 222233334444"] {
        assert!(labels.iter().any(|known| known == label), "{label}: {labels:?}");
    }
    assert_eq!(graph["drawn"]["edges"].as_array().unwrap().len(), 2 + 6 + 12);
    assert!(graph["svg"].as_str().unwrap().contains("</svg>"));
}

fn graphviz_takes_hostile_names_for_names(folder: &Path) {
    let graph = read(folder, "dot", &hostile(), &[]);
    assert_eq!(graph["drawn"]["objects"].as_array().unwrap().len(), 2 + 3 * NAMES.len(), "{graph}");
    let svg = graph["svg"].as_str().unwrap();
    assert!(!svg.contains("<script"), "{svg}");
    for name in ["&lt;script&gt;alert(1)&lt;/script&gt;", "&amp;lt;", "\\N \\", "\\nend\\n}"] {
        assert!(svg.contains(&format!(">branch {name}")) || svg.contains(name), "{name}: {svg}");
    }
}
