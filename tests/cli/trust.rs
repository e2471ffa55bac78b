//! `trust explain` and `trust lint`: decisions, exit codes, forms, bad input; without profile and network.

use federate_core::testing::jwt;
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
fn without_a_target_the_document_or_the_cloud_says_which_token_to_take() {
    let claims = |audience: &str| with(gitlab_claims(), json!({"aud": audience}));
    let subject = gitlab_claims()["sub"].clone();
    let pool = "projects/1/locations/global/workloadIdentityPools/ci/providers/gitlab";
    let documents = [
        ("policy.json", policy("StringLike", "project_path:*")),
        (
            "fics.json",
            json!([{"name": "ci", "issuer": "https://gitlab.com", "subject": subject, "audiences": ["api://AzureADTokenExchange"]}]),
        ),
        (
            "provider.json",
            json!({"name": pool, "oidc": {"issuerUri": "https://gitlab.com"}, "attributeMapping": {"google.subject": "assertion.sub"}}),
        ),
    ];
    let mut workshop = Workshop::new();
    workshop.gitlab_job();
    for (name, document) in &documents {
        std::fs::write(workshop.path("project").join(name), document.to_string()).unwrap();
    }
    workshop.set("AZURE_ID_TOKEN", &jwt(&claims("api://AzureADTokenExchange")));
    workshop.set("GOOGLE_ID_TOKEN", &jwt(&claims(&format!("https://iam.googleapis.com/{pool}"))));
    for (name, _) in &documents {
        let done = workshop.run_quietly(&["trust", "explain", "--policy", name]);
        assert_eq!(done.code, 0, "{name}: {}{}", done.stdout, done.stderr);
    }
    let azure = workshop.run_quietly(&["trust", "explain", "--cloud", "azure"]);
    assert!(azure.stdout.contains("\"audiences\": \"api://AzureADTokenExchange\""), "{}{}", azure.stdout, azure.stderr);
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

#[test]
fn sarif_has_what_the_forges_look_at() {
    let open = serde_json::to_string_pretty(&policy("StringLike", "project_path:*")).unwrap();
    let workshop = workshop(&[("a policy.json", &open)]);
    let report = |text: &str| -> Value { serde_json::from_str(text).unwrap() };
    let sarif = report(&workshop.run_quietly(&["trust", "lint", "-o", "sarif", "a policy.json"]).stdout);
    assert_eq!(sarif["version"], "2.1.0");
    let run = &sarif["runs"][0];
    let rules = run["tool"]["driver"]["rules"].as_array().unwrap();
    assert!(run["tool"]["driver"]["name"].is_string());
    for rule in rules {
        let text = |pointer: &str| rule.pointer(pointer).and_then(Value::as_str).is_some_and(|text| !text.is_empty());
        assert!(text("/shortDescription/text") && text("/help/text") && text("/help/markdown"), "{rule}");
        assert!(["error", "warning", "note"].contains(&rule["defaultConfiguration"]["level"].as_str().unwrap()));
        let score: f32 = rule["properties"]["security-severity"].as_str().unwrap().parse().unwrap();
        assert!((0.0..=10.0).contains(&score));
    }
    let results = run["results"].as_array().unwrap();
    assert_eq!(results.len(), 1);
    for result in results {
        assert_eq!(rules[usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap()]["id"], result["ruleId"]);
        assert!(result["message"]["text"].is_string() && result["partialFingerprints"]["federate/v1"].is_string());
        let location = &result["locations"][0]["physicalLocation"];
        assert_eq!(location["artifactLocation"]["uri"], "a%20policy.json");
        let line = usize::try_from(location["region"]["startLine"].as_u64().unwrap()).unwrap();
        assert!(open.lines().nth(line - 1).unwrap().contains("gitlab.com:sub"), "line {line}");
    }
    // A finding stays the same where text above it changes.
    std::fs::write(workshop.path("project/a policy.json"), format!("\n\n{open}")).unwrap();
    let moved = report(&workshop.run_quietly(&["trust", "lint", "-o", "sarif", "a policy.json"]).stdout);
    let fingerprint = |report: &Value| report["runs"][0]["results"][0]["partialFingerprints"].clone();
    assert_eq!(fingerprint(&sarif), fingerprint(&moved));
    let nothing = report(
        &workshop.run_quietly(&["trust", "lint", "-o", "sarif", "a policy.json", "--ignore", "wildcard-org=x"]).stdout,
    );
    assert_eq!(nothing["runs"][0]["results"], json!([]), "an empty report closes what was open");
}

#[test]
fn severities_and_ignores() {
    let two =
        json!({"Statement": policy("StringLike", "project_path:quarry-street/ledger:*")["Statement"]}).to_string();
    let workshop = workshop(&[("p.json", &two)]);
    let lint = |more: &[&str]| workshop.run_quietly(&[&["trust", "lint", "p.json", "-o", "json"], more].concat());
    let ids = |more: &[&str]| -> Vec<String> {
        let report: Value = serde_json::from_str(&lint(more).stdout).unwrap();
        report["findings"].as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(ids(&[]), ["any-ref", "mutable-subject", "old-version"]);
    assert_eq!(ids(&["--min-severity", "medium"]), ["any-ref"]);
    assert_eq!(lint(&["--fail-on", "high"]).code, 0);
    let misspelt = lint(&["--ignore", "any-reff=x"]);
    assert!(misspelt.code == 1 && misspelt.stderr.contains("did you mean `any-ref`?"), "{}", misspelt.stderr);
    assert!(lint(&["--ignore", "gcp-org-wid=x"]).stderr.contains("did you mean `gcp-org-wide`?"));
    assert!(lint(&["--ignore", "org-wide=x"]).stderr.contains("--ignore org-wide left nothing out"));
}

#[test]
fn the_nearest_miss_first_and_a_warning_where_a_stranger_would_get_in() {
    let explain = |policy: &Value, claims: &Value| -> Value {
        let workshop = workshop(&[("policy.json", &policy.to_string()), ("claims.json", &claims.to_string())]);
        serde_json::from_str(&workshop.run_quietly(&[&EXPLAIN[..], &["-o", "json"]].concat()).stdout).unwrap()
    };
    let mut several = policy("StringEquals", "project_path:other/thing:ref_type:branch:ref:main");
    for (sid, subject) in [
        ("Near", "project_path:quarry-street/ledger:ref_type:branch:ref:prod"),
        ("Far", "project_path:x/y:ref_type:tag:ref:v1"),
    ] {
        let mut one = policy("StringEquals", subject)["Statement"][0].clone();
        one["Sid"] = json!(sid);
        several["Statement"].as_array_mut().unwrap().push(one);
    }
    let verdict = explain(&several, &gitlab_claims());
    assert_eq!(verdict["statements"][0]["name"], "statement 2 (Sid Near)");
    assert!(verdict["fix"].as_str().unwrap().contains("Sid Near") && verdict["warning"].is_null(), "{verdict}");
    for key in ["decision", "target", "statements", "fix"] {
        assert!(verdict.get(key).is_some(), "{key}");
    }
    for check in verdict["statements"][0]["checks"].as_array().unwrap() {
        let keys: Vec<&str> = check.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(keys, ["actual", "expected", "holds", "key", "note", "operator"]);
    }

    // A pattern in StringEquals that would let in everybody once it is one.
    let literal = explain(&policy("StringEqualsIgnoreCase", "project_path:*"), &gitlab_claims());
    assert!(literal["fix"].as_str().unwrap().contains("StringLike"), "{literal}");
    let github = |subject: &str| json!({"iss": "https://token.actions.githubusercontent.com", "aud": "https://gitlab.com", "sub": subject});
    let mut of_github = policy("StringEquals", "repo:acme/api:ref:refs/heads/main").to_string();
    of_github = of_github
        .replace("gitlab.com:", "token.actions.githubusercontent.com:")
        .replace("oidc-provider/gitlab.com", "oidc-provider/token.actions.githubusercontent.com");
    let of_github: Value = serde_json::from_str(&of_github).unwrap();
    for (subject, expected) in [
        ("repo:acme/api:pull_request", "pull request"),
        ("repo:evil/api:ref:refs/heads/main", "stranger"),
        ("environment:prod", "does not say whose job it is"),
    ] {
        let verdict = explain(&of_github, &github(subject));
        assert!(verdict["warning"].as_str().is_some_and(|warning| warning.contains(expected)), "{verdict}");
    }
    for (subject, expected) in [
        ("repo:acme@1/api@2:ref:refs/heads/main", "immutable form"),
        ("repo:Acme/api:ref:refs/heads/main", "upper and lower case"),
        ("repo:acme/api:environment:prod", "takes the place of the ref"),
        ("repo:acme/api:pull_request", "pull_request instead of a ref"),
    ] {
        assert!(explain(&of_github, &github(subject)).to_string().contains(expected), "{subject}");
    }
}

#[test]
fn a_change_that_lets_strangers_in_comes_with_a_warning() {
    let verdict = |condition: &Value, change: Value| -> Value {
        let mut policy = policy("StringLike", "project_path:*");
        policy["Statement"][0]["Condition"] = condition.clone();
        let mut claims = gitlab_claims();
        claims.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        let workshop = workshop(&[("policy.json", &policy.to_string()), ("claims.json", &claims.to_string())]);
        serde_json::from_str(&workshop.run_quietly(&[&EXPLAIN[..], &["-o", "json"]].concat()).stdout).unwrap()
    };
    let own = "project_path:quarry-street/*";
    for (condition, change, fix, warning) in [
        (json!({"StringEquals": {"gitlab.com:project_id": "1"}}), json!({"project_id": "2"}), "add `2`", "a stranger"),
        (json!({"StringEquals": {"gitlab.com:namespace_path": "quarry-street"}}), json!({}), "remove", "strangers in"),
        (
            json!({"StringLike": {"https://gitlab.com:sub": "project_path:*"}}),
            json!({}),
            "write the key",
            "strangers in",
        ),
        (json!({"StringLike": {"https://gitlab.com:sub": own}}), json!({}), "write the key", ""),
        (
            json!({"StringLike": {"https://gitlab.com:sub": "project_path:x/*"}}),
            json!({}),
            ", and add `project_path:quarry",
            "stranger",
        ),
        (json!({"StringNotLike": {"gitlab.com:sub": own}}), json!({}), "take what excludes", "on purpose"),
        (
            json!({"StringLike": {"gitlab.com:sub": own}, "Null": {"gitlab.com:sub": "true"}}),
            json!({}),
            "be `false`",
            "",
        ),
        (
            json!({"StringLike": {"gitlab.com:sub": own}, "stringequals": {"gitlab.com:user_login": "m*"}}),
            json!({"user_login": "mira"}),
            "with StringLike instead of stringequals",
            "",
        ),
        (
            json!({"StringLike": {"gitlab.com:sub": own}, "StringEquals": {"gitlab.com:aud": "x"}}),
            json!({"aud": ["a", "b"]}),
            "add `a` or `b`",
            "",
        ),
    ] {
        let verdict = verdict(&condition, change);
        let text = |key: &str| verdict[key].as_str().unwrap_or_default().to_owned();
        assert!(text("fix").contains(fix), "{condition}: {verdict}");
        assert!(
            text("warning").contains(warning) && warning.is_empty() == verdict["warning"].is_null(),
            "{condition}: {verdict}"
        );
    }
}

#[test]
fn a_limit_is_moved_rather_than_added_to() {
    for (condition, fix, note) in [
        (json!({"DateLessThan": {"aws:TokenIssueTime": "2026-01-01"}}), "be above 2026-02-01T00:00:00Z", ""),
        (json!({"NumericGreaterThanEquals": {"sts:DurationSeconds": 900}}), "be at most 60", ""),
        (json!({"NumericEquals": {"sts:DurationSeconds": "1h"}}), "add `60` to NumericEquals", "`1h` is no number"),
        (json!({"NotIpAddress": {"aws:SourceIp": "203.0.113.0/24"}}), "take what excludes `203.0.113.9`", ""),
    ] {
        let mut limited = policy("StringLike", "project_path:*");
        let conditions = limited["Statement"][0]["Condition"].as_object_mut().unwrap();
        conditions.extend(condition.as_object().unwrap().clone());
        let workshop =
            workshop(&[("policy.json", &limited.to_string()), ("claims.json", &gitlab_claims().to_string())]);
        let context = [
            ["--context", "aws:TokenIssueTime=2026-02-01T00:00:00Z"],
            ["--context", "sts:DurationSeconds=60"],
            ["--context", "aws:SourceIp=203.0.113.9"],
        ];
        let done = workshop.run_quietly(&[&EXPLAIN[..], &context.concat()].concat());
        assert!(done.code == 1 && done.stdout.contains(fix) && done.stdout.contains(note), "{}", done.stdout);
    }
}

#[test]
fn a_deny_of_one_action_among_several_is_named() {
    let mut denied = policy("StringLike", "project_path:*");
    denied["Statement"][0]["Action"] = json!(["sts:AssumeRoleWithWebIdentity", "sts:TagSession"]);
    let provider = denied["Statement"][0]["Principal"].clone();
    denied["Statement"]
        .as_array_mut()
        .unwrap()
        .push(json!({"Sid": "NoTags", "Effect": "Deny", "Principal": provider, "Action": "sts:TagSession"}));
    let workshop = workshop(&[("policy.json", &denied.to_string()), ("claims.json", &gitlab_claims().to_string())]);
    assert_eq!(workshop.run_quietly(&EXPLAIN).code, 0);
    let both = ["--action", "sts:AssumeRoleWithWebIdentity", "--action", "sts:TagSession"];
    let done = workshop.run_quietly(&[&EXPLAIN[..], &both].concat());
    assert!(done.code == 1 && done.stdout.contains("Sid NoTags) denies this token"), "{}", done.stdout);
}
