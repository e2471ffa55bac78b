//! Google Cloud's trust from the command line: stages, findings, what gcloud prints, bad input.

use serde_json::{Value, json};

use crate::support::{Workshop, gitlab_claims, with};

const NAME: &str = "projects/1/locations/global/workloadIdentityPools/ci/providers/main";

fn provider(condition: &str) -> Value {
    json!({
        "name": NAME, "oidc": {"issuerUri": "https://gitlab.com"},
        "attributeMapping": {"google.subject": "assertion.sub"}, "attributeCondition": condition,
    })
}

fn workshop(provider: &Value, changes: Value) -> Workshop {
    let workshop = Workshop::new();
    std::fs::remove_dir(workshop.path("project/profiles")).unwrap();
    let claims = with(with(gitlab_claims(), json!({"aud": format!("//iam.googleapis.com/{NAME}")})), changes);
    std::fs::write(workshop.path("project/provider.json"), provider.to_string()).unwrap();
    std::fs::write(workshop.path("project/claims.json"), claims.to_string()).unwrap();
    workshop
}

const EXPLAIN: [&str; 8] =
    ["trust", "explain", "--cloud", "gcp", "--policy", "provider.json", "--claims", "claims.json"];

#[test]
fn a_decision_with_its_stage() {
    let main = provider("assertion.sub == 'project_path:quarry-street/ledger:ref_type:branch:ref:main'");
    let done = workshop(&main, json!({})).run_quietly(&EXPLAIN);
    assert_eq!(done.code, 0, "{}\n{}", done.stdout, done.stderr);
    assert!(done.stdout.starts_with("ALLOW"));
    for (changes, stage) in [
        (json!({"iss": "https://gitlab.example.com"}), "issuer"),
        (json!({"aud": "x"}), "audience"),
        (json!({"sub": "x".repeat(200)}), "mapping"),
        (json!({"sub": "project_path:quarry-street/ledger:ref_type:branch:ref:feature"}), "condition"),
    ] {
        let workshop = workshop(&main, changes);
        let done = workshop.run_quietly(&EXPLAIN);
        assert_eq!(done.code, 1, "{}", done.stderr);
        assert!(done.stdout.contains(&format!("at the {stage}")), "{}", done.stdout);
        let done = workshop.run_quietly(&[&EXPLAIN[..], &["-o", "json"]].concat());
        let verdict: Value = serde_json::from_str(&done.stdout).unwrap();
        assert_eq!((&verdict["decision"], &verdict["stage"]), (&json!("deny"), &json!(stage)));
        assert!(verdict["fix"].is_string());
    }
    let bound = with(
        main,
        json!({"bindings": [{"role": "roles/iam.workloadIdentityUser", "members": ["user:mira@example.com"]}]}),
    );
    let done = workshop(&bound, json!({})).run_quietly(&EXPLAIN);
    assert!(done.stdout.contains("at the binding"), "{}", done.stdout);
}

#[test]
fn findings_name_the_line() {
    let workshop = Workshop::new();
    let everybody = format!("principalSet://iam.googleapis.com/{}/*", NAME.split_once("/providers").unwrap().0);
    let text = format!(
        r#"{{
  "provider": {{
    "name": "{NAME}",
    "oidc": {{
      "issuerUri": "https://gitlab.com"
    }},
    "attributeMapping": {{"google.subject": "assertion.sub"}},
    "attributeCondition":
      "true"
  }},
  "bindings": [
    {{
      "role": "roles/iam.workloadIdentityUser",
      "members": [
        "user:mira@example.com",
        "{everybody}"
      ]
    }}
  ]
}}"#
    );
    std::fs::write(workshop.path("project/provider.json"), text).unwrap();
    let done = workshop.run_quietly(&["trust", "lint", "--cloud", "gcp", "-o", "json", "provider.json"]);
    let found: Value = serde_json::from_str(&done.stdout).unwrap();
    let place = |id: &str| {
        let all = found["findings"].as_array().unwrap();
        all.iter().find(|one| one["id"] == id).and_then(|one| one["where"].as_str()).unwrap_or_default().to_owned()
    };
    assert!(place("gcp-trivial-condition").starts_with("provider.json:8: "), "{}", done.stdout);
    assert!(place("gcp-binding-pool-wide").starts_with("provider.json:16: "), "{}", done.stdout);
}

#[test]
fn a_list_as_gcloud_prints_it_is_linted() {
    let open = with(provider("true"), json!({"name": NAME.replace("main", "open")}));
    let list = json!([provider("assertion.namespace_id == '7'"), open]);
    let done = workshop(&list, json!({})).run_quietly(&["trust", "lint", "provider.json", "-o", "json"]);
    assert_eq!(done.code, 1, "{}", done.stderr);
    let found: Value = serde_json::from_str(&done.stdout).unwrap();
    let found: Vec<(&str, &str)> = found["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| (one["id"].as_str().unwrap(), one["where"].as_str().unwrap()))
        .collect();
    assert!(found[0].0 == "gcp-org-wide" && found[0].1.contains("ci/providers/main"), "{found:?}");
    assert!(found[1].0 == "gcp-trivial-condition" && found[1].1.contains("ci/providers/open"), "{found:?}");
}

#[test]
fn a_condition_that_is_none() {
    let deep = format!("{}true{}", "[".repeat(2000), "]".repeat(2000));
    for (condition, expected) in
        [("assertion.sub = 'x'", "line 1"), (deep.as_str(), "cannot be read"), ("x".repeat(5000).as_str(), "4096")]
    {
        let done = workshop(&provider(condition), json!({})).run_quietly(&EXPLAIN);
        assert_eq!(done.code, 2, "{}", done.stderr);
        assert!(done.stderr.contains(expected) && done.stderr.contains("attributeCondition"), "{}", done.stderr);
    }
    let done = workshop(&json!({"oidc": {}}), json!({})).run_quietly(&EXPLAIN);
    assert!(done.code == 2 && done.stderr.contains("gcloud"), "{}", done.stderr);
}

#[test]
fn the_token_as_a_provider() {
    let words = ["trust", "explain", "--cloud", "gcp", "--claims", "claims.json", "-o", "json"];
    let done = workshop(&provider("true"), json!({})).run_quietly(&words);
    let shown: Value = serde_json::from_str(&done.stdout).unwrap();
    let keys = &shown["keys"]["gcp"];
    assert_eq!(keys["issuerUri"], "https://gitlab.com");
    assert_eq!(keys["attributeMapping.google.subject"], "assertion.sub");
    assert!(keys["attributeCondition"].as_str().unwrap().contains("assertion.project_id == "), "{keys}");
}
