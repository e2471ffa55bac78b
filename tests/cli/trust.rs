//! `trust explain` and `trust lint`: decisions, exit codes, forms, bad input; without profile and network.

use serde_json::{Value, json};

use crate::support::{Workshop, gitlab_claims, with};

fn policy(operator: &str, subject: &str) -> Value {
    json!({"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow",
        "Principal": {"Federated": "arn:aws:iam::111122223333:oidc-provider/gitlab.com"},
        "Action": "sts:AssumeRoleWithWebIdentity",
        "Condition": {"StringEquals": {"gitlab.com:aud": "https://gitlab.com"}, operator: {"gitlab.com:sub": subject}},
    }]})
}

/// A folder without any profile, and in it the files.
fn workshop(files: &[(&str, &str)]) -> Workshop {
    let workshop = Workshop::new();
    std::fs::remove_dir(workshop.path("project/profiles")).unwrap();
    for (name, text) in files {
        std::fs::write(workshop.path(&format!("project/{name}")), text).unwrap();
    }
    workshop
}

const EXPLAIN: [&str; 8] = ["trust", "explain", "--cloud", "aws", "--policy", "policy.json", "--claims", "claims.json"];

#[test]
fn a_decision_with_its_reasons() {
    let claims = gitlab_claims().to_string();
    let main = policy("StringLike", "project_path:quarry-street/ledger:ref_type:branch:ref:main").to_string();
    let done = workshop(&[("policy.json", &main), ("claims.json", &claims)]).run_quietly(&EXPLAIN);
    assert_eq!(done.code, 0, "{}", done.stderr);
    assert!(done.stdout.starts_with("ALLOW"), "{}", done.stdout);

    let feature =
        with(gitlab_claims(), json!({"sub": "project_path:quarry-street/ledger:ref_type:branch:ref:feature"}));
    let workshop = workshop(&[("policy.json", &main), ("claims.json", &feature.to_string())]);
    let done = workshop.run_quietly(&[&EXPLAIN[..], &["-o", "json"]].concat());
    assert_eq!(done.code, 1, "{}", done.stderr);
    let verdict: Value = serde_json::from_str(&done.stdout).unwrap();
    assert_eq!((&verdict["decision"], &verdict["target"]), (&json!("deny"), &Value::Null));
    let checks = verdict["statements"][0]["checks"].as_array().unwrap();
    let failed: Vec<&Value> = checks.iter().filter(|check| check["holds"] == false).collect();
    assert_eq!(failed.len(), 1);
    assert_eq!((&failed[0]["key"], &failed[0]["operator"]), (&json!("gitlab.com:sub"), &json!("StringLike")));
    assert!(verdict["fix"].as_str().unwrap().contains("ref:feature"), "{verdict}");
    let text = workshop.run_quietly(&EXPLAIN).stdout;
    assert!(text.contains("DENY") && text.contains("FAILS") && text.contains("to let this token in"), "{text}");
}

#[test]
fn subtle_reasons_are_named() {
    let note = |policy: Value, claims: Value| {
        let done = workshop(&[("policy.json", &policy.to_string()), ("claims.json", &claims.to_string())])
            .run_quietly(&EXPLAIN);
        assert_eq!(done.code, 1, "{}", done.stderr);
        done.stdout
    };
    assert!(note(policy("StringEquals", "project_path:quarry-street/ledger:*"), gitlab_claims()).contains("literally"));
    assert!(
        note(policy("StringLike", "project_path:Quarry-Street/ledger:*"), gitlab_claims())
            .contains("upper and lower case")
    );
    let mut hidden = policy("StringLike", "project_path:*");
    hidden["Statement"][0]["Condition"]["StringEquals"]["gitlab.com:ref"] = json!("main");
    assert!(note(hidden, gitlab_claims()).contains("does not make a condition key"));
    let stranger = with(gitlab_claims(), json!({"sub": "project_path:evil/ledger:ref_type:branch:ref:main"}));
    assert!(note(policy("StringLike", "project_path:quarry-street/*"), stranger).contains("stranger"));
}

#[test]
fn the_jobs_own_token_and_list() {
    let mut workshop = Workshop::new();
    workshop.gitlab_job().profile(
        "base",
        &format!(
            "{}\n[targets.aws.trust]\nallow = [{{ identity = \"gitlab\", project = \"quarry-street/ledger\", branch = \"main\" }}]\n",
            crate::support::aws_base("https://sts.eu-west-1.amazonaws.com")
        ),
    );
    assert_eq!(workshop.run_quietly(&["trust", "explain"]).code, 0);
    let claims =
        with(gitlab_claims(), json!({"ref": "x", "sub": "project_path:quarry-street/ledger:ref_type:branch:ref:x"}));
    std::fs::write(workshop.path("project/claims.json"), claims.to_string()).unwrap();
    let done = workshop.run_quietly(&["trust", "explain", "--claims", "claims.json"]);
    assert_eq!(done.code, 1, "{}", done.stderr);
    assert!(done.stdout.contains("for target aws") && done.stdout.contains("FAILS"), "{}", done.stdout);
    std::fs::write(workshop.path("project/policy.json"), policy("StringLike", "project_path:*").to_string()).unwrap();
    for more in [vec![], vec!["--token-env", "AWS_ID_TOKEN"]] {
        let words = [vec!["trust", "explain", "--policy", "policy.json"], more].concat();
        assert_eq!(workshop.run_quietly(&words).code, 0, "{words:?}");
    }
}

#[test]
fn findings_in_every_form() {
    let open = policy("StringLike", "project_path:*").to_string();
    let fics = json!([{"name": "ci", "issuer": "https://gitlab.com/", "subject": "project_path:g/p:ref_type:branch:ref:main", "audiences": ["api://AzureADTokenExchange"]}]).to_string();
    let workshop = workshop(&[("policy.json", &open), ("fics.json", &fics)]);
    let lint = |more: &[&str]| workshop.run_quietly(&[&["trust", "lint", "policy.json", "fics.json"], more].concat());
    let done = lint(&["-o", "json"]);
    assert_eq!(done.code, 1, "{}", done.stderr);
    let found: Value = serde_json::from_str(&done.stdout).unwrap();
    let ids: Vec<&str> = found["findings"].as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["wildcard-org", "az-issuer-mismatch"]);
    assert!(found["findings"][0]["where"].as_str().unwrap().starts_with("policy.json:1: statement 1"));
    let sarif: Value = serde_json::from_str(&lint(&["-o", "sarif"]).stdout).unwrap();
    assert_eq!(sarif["runs"][0]["results"][0]["level"], "error");
    let kept = lint(&["--ignore", "wildcard-org=a test", "--ignore", "az-issuer-mismatch=a test"]);
    assert_eq!((kept.code, kept.stdout.as_str()), (0, ""));
    assert_eq!(lint(&["--cloud", "azure"]).code, 2, "policy.json is of another cloud");
    assert_eq!(lint(&["--ignore", "wildcard-org"]).code, 2);
    assert_eq!(workshop.run_quietly(&["plan", "-o", "sarif"]).code, 2);
}

#[test]
fn a_policy_that_is_none() {
    let deep = format!("{}{}", "[".repeat(500_000), "]".repeat(500_000));
    let misspelt = policy("StringLkie", "x").to_string();
    let claims = gitlab_claims().to_string();
    for (text, expected) in [
        ("not json", "policy.json:1"),
        ("{\"a\": 1}", "no trust configuration"),
        (deep.as_str(), "not JSON"),
        (misspelt.as_str(), "StringLike"),
    ] {
        let done = workshop(&[("policy.json", text), ("claims.json", &claims)]).run_quietly(&EXPLAIN);
        assert_eq!(done.code, 2, "{}", done.stderr);
        assert!(done.stderr.contains(expected), "{expected}: {}", done.stderr);
        assert_eq!(done.stdout, "");
    }
    let good = policy("StringLike", "x").to_string();
    for claims in ["[]", "{", "eyJ.e.e"] {
        let done = workshop(&[("policy.json", &good), ("claims.json", claims)]).run_quietly(&EXPLAIN);
        assert!(done.code == 2 || done.code == 3, "{claims}: {}", done.stderr);
    }
    let workshop = workshop(&[("policy.json", &good), ("claims.json", &claims)]);
    assert_eq!(workshop.run_quietly(&["trust", "explain", "--cloud", "awz", "--policy", "policy.json"]).code, 2);
    assert_eq!(workshop.run_quietly(&[&EXPLAIN[..], &["--context", "x"]].concat()).code, 2);
    assert_eq!(workshop.run_quietly(&["trust", "lint", "nowhere.json"]).code, 2);
}
