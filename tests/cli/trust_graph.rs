//! `trust graph`: who can become whom, in every format.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::support::{Done, Workshop};

const GITHUB: &str = "token.actions.githubusercontent.com";

fn statement(issuer: &str, subject: &str) -> Value {
    json!({
        "Effect": "Allow",
        "Principal": {"Federated": format!("arn:aws:iam::111122223333:oidc-provider/{issuer}")},
        "Action": "sts:AssumeRoleWithWebIdentity",
        "Condition": {
            "StringEquals": {format!("{issuer}:aud"): if issuer == GITHUB { "sts.amazonaws.com" } else { "https://gitlab.com" }},
            "StringLike": {format!("{issuer}:sub"): subject},
        },
    })
}

fn policy(statements: &[Value]) -> String {
    json!({"Version": "2012-10-17", "Statement": statements}).to_string()
}

fn target(name: &str, role: &str, trust: &str) -> String {
    format!("[targets.{name}]\ntype = \"aws\"\nrole_arn = \"{role}\"\n[targets.{name}.trust]\n{trust}\n")
}

const ROLE: &str = "arn:aws:iam::111122223333:role/deploy";
const MAIN: &str = "allow = [{ identity = \"gitlab\", project = \"quarry-street/ledger\", branch = \"main\" }]\n";

fn graph(shop: &Workshop, arguments: &[&str]) -> Value {
    let done = shop.run_quietly(&[&["trust", "graph", "-o", "json"], arguments].concat());
    assert_eq!(done.code, 0, "{}", done.stderr);
    serde_json::from_str(&done.stdout).unwrap()
}

fn nodes<'a>(graph: &'a Value, kind: &str) -> Vec<&'a Value> {
    graph["nodes"].as_array().unwrap().iter().filter(|node| node["kind"] == kind).collect()
}

fn names<'a>(graph: &'a Value, kind: &str) -> BTreeSet<&'a str> {
    nodes(graph, kind).into_iter().map(|node| node["name"].as_str().unwrap()).collect()
}

/// The ways in: `CONTEXT -> PRINCIPAL` with the edge.
fn ways(graph: &Value) -> Vec<(String, &Value)> {
    let name = |id: &Value| {
        let node = graph["nodes"].as_array().unwrap().iter().find(|node| node["id"] == *id).unwrap();
        node["name"].as_str().unwrap()
    };
    let edges = graph["edges"].as_array().unwrap().iter().filter(|edge| edge["kind"] == "becomes");
    edges.map(|edge| (format!("{} -> {}", name(&edge["from"]), name(&edge["to"])), edge)).collect()
}

fn way<'a>(graph: &'a Value, wanted: &str) -> &'a Value {
    let all = ways(graph);
    all.iter().find(|(name, _)| name == wanted).unwrap_or_else(|| panic!("no {wanted} in {all:?}")).1
}

fn ids(edge: &Value) -> Vec<&str> {
    edge["findings"].as_array().unwrap().iter().map(|finding| finding["id"].as_str().unwrap()).collect()
}

#[test]
fn the_list_and_the_policy_are_shown_and_where_they_differ() {
    let mut shop = Workshop::new();
    let trust = format!(
        "policy = \"deploy.json\"\n{}",
        MAIN.replace("]\n", ", { identity = \"gitlab\", project = \"quarry-street/ledger\", tag = \"v1\" }]\n")
    );
    shop.profile("base", &target("aws", ROLE, &trust));
    let statements = [
        statement("gitlab.com", "project_path:quarry-street/ledger:ref_type:branch:ref:main"),
        statement(GITHUB, "repo:quarry*"),
        statement("gitlab.com", "quarry-street/ledger"),
    ];
    std::fs::write(shop.path("project/profiles/deploy.json"), policy(&statements)).unwrap();
    let graph = graph(&shop, &[]);
    assert_eq!(names(&graph, "issuer"), ["gitlab.com", GITHUB].into());
    assert_eq!(nodes(&graph, "principal")[0]["place"], "AWS account 111122223333");
    let main = way(&graph, "branch main -> deploy");
    assert_eq!((&main["allow"], &main["policy"], &main["difference"]), (&json!(true), &json!(true), &Value::Null));
    let stranger = ways(&graph).into_iter().find(|(_, edge)| edge["severity"] == "critical").unwrap().1.clone();
    assert_eq!(stranger["difference"]["kind"], "not-meant");
    assert!(ids(&stranger).contains(&"prefix-without-slash"), "{stranger}");
    let tag = way(&graph, "tag v1 -> deploy");
    assert_eq!(tag["difference"]["kind"], "not-deployed");
    assert!(tag["difference"]["why"].as_str().unwrap().contains("gitlab.com:sub"), "{tag}");
    let dead = ways(&graph).into_iter().find(|(_, edge)| !edge["never"].is_null()).unwrap().1.clone();
    assert!(ids(&dead).contains(&"sub-never-matches"), "{dead}");
    let svg = shop.run_quietly(&["trust", "graph", "-f", "svg"]).stdout;
    for word in [">critical<", ">not deployed<", ">nobody<", "prefers-color-scheme:dark", "any repository of quarry*"] {
        assert!(svg.contains(word), "{word}: {svg}");
    }
}

#[test]
fn findings_that_the_profile_ignores_are_not_marked() {
    let mut shop = Workshop::new();
    let trust = "policy = \"deploy.json\"\nignore = { org-wide = \"all of us deploy\", mutable-subject = \"fine\", any-ref = \"fine\" }";
    shop.profile("base", &target("aws", ROLE, trust));
    let text = policy(&[statement("gitlab.com", "project_path:quarry-street/*")]);
    std::fs::write(shop.path("project/profiles/deploy.json"), text).unwrap();
    let graph = graph(&shop, &[]);
    let (_, edge) = ways(&graph)[0].clone();
    assert_eq!((ids(edge), &edge["difference"]), (Vec::new(), &Value::Null));
}

#[test]
fn all_profiles_or_those_named_and_targets_by_globs() {
    let mut shop = Workshop::new();
    shop.profile("base", "");
    for (profile, account) in [("dev", "111122223333"), ("prod", "444455556666")] {
        let role = |name: &str| format!("arn:aws:iam::{account}:role/{name}");
        let chain = "[[targets.deploy.chain]]\nrole_arn = \"arn:aws:iam::777788889999:role/hub\"\n";
        let text = format!("{}{chain}{}", target("deploy", &role("deploy"), MAIN), target("plan", &role("plan"), ""));
        shop.profile(profile, &text);
    }
    let all = graph(&shop, &[]);
    assert_eq!(nodes(&all, "principal").len(), 5);
    let hub = nodes(&all, "principal").into_iter().find(|node| node["name"] == "hub").unwrap();
    assert_eq!(hub["targets"], json!(["dev/deploy", "prod/deploy"]));
    assert_eq!(all["edges"].as_array().unwrap().iter().filter(|edge| edge["kind"] == "chain").count(), 2);
    let unknown =
        nodes(&all, "principal").into_iter().filter(|node| node["trust_known"] == false && node["name"] == "plan");
    assert_eq!(unknown.count(), 2);
    assert_eq!(names(&graph(&shop, &["-p", "prod", "-t", "pl*"]), "principal"), ["plan"].into());
    let done = shop.run_quietly(&["trust", "graph", "-t", "plon"]);
    assert_eq!(done.code, 2);
    assert!(done.stderr.contains("did you mean `plan`?"), "{}", done.stderr);
    shop.profile("broken", "[targets.x]\ntype = \"aws\"\n");
    assert_eq!(shop.run_quietly(&["trust", "graph"]).code, 2);
}

#[test]
fn bare_files_need_no_profile() {
    let shop = Workshop::new();
    let role = json!({"Role": {"RoleName": "deploy", "AssumeRolePolicyDocument":
        serde_json::from_str::<Value>(&policy(&[statement("gitlab.com", "project_path:g/p:*")])).unwrap()}});
    let credentials = json!([{
        "name": "main", "issuer": "https://gitlab.com", "audiences": ["api://AzureADTokenExchange"],
        "subject": "project_path:g/p:ref_type:branch:ref:main",
    }]);
    std::fs::write(shop.path("project/role.json"), role.to_string()).unwrap();
    std::fs::write(shop.path("project/credentials.json"), credentials.to_string()).unwrap();
    let found = graph(&shop, &["role.json", "credentials.json"]);
    assert_eq!(names(&found, "principal"), ["deploy", "credentials.json"].into());
    assert_eq!(names(&found, "workload"), ["g/p"].into());
    assert!(ids(way(&found, "any job -> deploy")).contains(&"any-ref"));
    assert_eq!(way(&found, "branch main -> credentials.json")["policy"], true);
    let deploy = nodes(&found, "principal").into_iter().find(|node| node["name"] == "deploy").unwrap();
    assert_eq!(deploy["place"], "AWS account 111122223333");
    assert_eq!(shop.run_quietly(&["trust", "graph", "gone.json"]).code, 2);
}

#[test]
fn members_of_a_pool_become_service_accounts() {
    let shop = Workshop::new();
    let pool = "projects/1/locations/global/workloadIdentityPools/ci";
    let account = |name: &str| format!("{name}@example-prj.iam.gserviceaccount.com");
    let policy = |rest: &str| {
        json!({"bindings": [{
            "role": "roles/iam.workloadIdentityUser", "members": [format!("principalSet://iam.googleapis.com/{pool}/{rest}")],
        }]})
    };
    let provider = json!({
        "name": format!("{pool}/providers/gitlab"), "oidc": {"issuerUri": "https://gitlab.com"},
        "attributeMapping": {"google.subject": "assertion.sub", "attribute.project_path": "assertion.project_path"},
        "attributeCondition": "assertion.namespace_path == 'g' && assertion.ref == 'main'",
    });
    let bound = json!({
        "provider": &provider, account("deploy"): policy("attribute.project_path/g/p"), account("read"): policy("*"),
        account("gone"): policy("attribute.project_path/g/*"),
    });
    std::fs::write(shop.path("project/bound.json"), bound.to_string()).unwrap();
    std::fs::write(shop.path("project/provider.json"), provider.to_string()).unwrap();
    let found = graph(&shop, &["bound.json"]);
    assert_eq!(names(&found, "principal"), ["deploy", "read", "gone"].into());
    assert_eq!(names(&found, "workload"), ["g/p", "any project of g"].into());
    let deploy = nodes(&found, "principal").into_iter().find(|node| node["name"] == "deploy").unwrap();
    assert_eq!(
        (&deploy["place"], &deploy["noun"]),
        (&json!("Google Cloud project example-prj"), &json!("service account"))
    );
    assert_eq!(deploy["cloud_id"], account("deploy"));
    let deploys = way(&found, "ref main -> deploy");
    assert_eq!((&deploys["never"], ids(deploys)), (&Value::Null, vec!["gcp-mutable-name"]));
    assert!(ids(way(&found, "ref main -> read")).contains(&"gcp-binding-pool-wide"));
    assert!(way(&found, "ref main -> gone")["never"].as_str().unwrap().contains("wildcards"));

    let found = graph(&shop, &["provider.json"]);
    let ci = nodes(&found, "principal")[0];
    assert_eq!(
        (&ci["noun"], &ci["name"], &ci["place"]),
        (&json!("pool"), &json!("ci"), &json!("Google Cloud project 1"))
    );
    assert!(ids(way(&found, "ref main -> ci")).contains(&"gcp-org-wide"));
    let drawn = shop.run_quietly(&["trust", "graph", "bound.json", "-f", "svg"]).stdout;
    for word in ["service account deploy in Google Cloud project example-prj", ">nobody<", "any project of g"] {
        assert!(drawn.contains(word), "{word}: {drawn}");
    }
}

/// Names that would end a label, a string or an element, or begin a script.
pub(crate) fn hostile() -> Workshop {
    let mut shop = Workshop::new();
    let branch = "x\\\"]; end <script>alert(1)</script> & `a` #quot; | {b} %% \\\\N";
    let allow = format!("allow = [{{ identity = \"gitlab\", project = \"g/p\", branch = \"{branch}\" }}]\n");
    let target = |name: &str, role: &str| {
        format!(
            "[targets.\"{name}\"]\ntype = \"aws\"\nrole_arn = \"arn:aws:iam::111122223333:role/{role}\"\n[targets.\"{name}\".trust]\n{allow}"
        )
    };
    let subject = "repo:acme/<b>\"]\nend:*";
    let text = format!("{}{}policy = \"p.json\"\n", target("end", "one"), target("a\\\"]<script>--></title>", "two"));
    shop.profile("base", &text);
    std::fs::write(shop.path("project/profiles/p.json"), policy(&[statement(GITHUB, subject)])).unwrap();
    shop
}

fn drawn(shop: &Workshop, format: &str) -> String {
    let Done { code, stdout, stderr } = shop.run_quietly(&["trust", "graph", "-f", format]);
    assert_eq!(code, 0, "{stderr}");
    stdout
}

#[test]
fn hostile_names_stay_names() {
    let shop = hostile();
    let svg = drawn(&shop, "svg");
    let mut reader = quick_xml::Reader::from_str(&svg);
    let mut elements = BTreeSet::new();
    loop {
        match reader.read_event().unwrap() {
            quick_xml::events::Event::Eof => break,
            quick_xml::events::Event::Start(tag) | quick_xml::events::Event::Empty(tag) => {
                elements.insert(tag.name().as_ref().to_owned());
            }
            _ => {}
        }
    }
    let known = ["circle", "desc", "g", "path", "rect", "style", "svg", "text", "title"];
    assert_eq!(elements, known.into_iter().map(str::to_owned).collect());
    for part in ["<script", "href", "url(", "@import", "onload"] {
        assert!(!svg.contains(part), "{part}");
    }
    assert_eq!(svg.matches("http").count(), 1, "only the name space");
    let mermaid = drawn(&shop, "mermaid");
    for line in mermaid.lines() {
        assert!(line.matches('"').count() % 2 == 0 && !line.contains("<script") && !line.contains('`'), "{line}");
        assert!(line.trim() != "end" || line == "  end", "{line}");
    }
    let dot = drawn(&shop, "dot");
    for line in dot.lines() {
        assert_eq!(line.replace("\\\\", "").replace("\\\"", "").matches('"').count() % 2, 0, "{line}");
    }
}

#[test]
fn two_hundred_accounts_that_are_alike_are_one_box() {
    let mut shop = Workshop::new();
    let targets = (0..200).map(|at| {
        target(&format!("account-{at}"), &format!("arn:aws:iam::{}:role/baseline", 100_000_000_000_u64 + at), MAIN)
    });
    shop.profile("base", &targets.collect::<String>());
    let mermaid = drawn(&shop, "mermaid");
    assert_eq!(mermaid.matches("subgraph").count(), 1);
    assert!(mermaid.contains("AWS account") && mermaid.contains("188 more"), "{mermaid}");
    let svg = drawn(&shop, "svg");
    assert_eq!(svg.matches("class=\"frame\"").count(), 1);
    assert!(svg.contains("100000000199"), "every account is in the tooltip");
    assert_eq!(nodes(&graph(&shop, &[]), "principal").len(), 200);
}

#[test]
fn a_graph_that_mermaid_would_not_draw_is_announced() {
    let mut shop = Workshop::new();
    let targets = (0..260).map(|at| {
        let trust = MAIN.replace("main", &format!("b{at}"));
        target(&format!("t{at}"), &format!("arn:aws:iam::111122223333:role/r{at}"), &trust)
    });
    shop.profile("base", &targets.collect::<String>());
    let done = shop.run_quietly(&["trust", "graph"]);
    assert_eq!(done.code, 0);
    assert!(done.stderr.contains("no Mermaid graph of more than 500 edges"), "{}", done.stderr);
    assert_eq!(shop.run_quietly(&["trust", "graph", "-t", "t1*"]).stderr, "");
}

#[test]
fn the_picture_in_the_docs_is_that_of_the_sample_profiles() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let profiles = root.join("profiles").display().to_string();
    let done = Workshop::new().run_quietly(&["trust", "graph", "-f", "svg", "--profiles-dir", &profiles]);
    assert_eq!(done.code, 0, "{}", done.stderr);
    let kept = std::fs::read_to_string(root.join("docs/trust-graph.svg")).unwrap_or_default();
    assert!(kept == done.stdout, "docs/trust-graph.svg is stale: federate trust graph -f svg > docs/trust-graph.svg");
}
