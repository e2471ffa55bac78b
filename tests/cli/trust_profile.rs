//! Trust that the profile names: explained, linted, tested, and at the end of a refusal.

use serde_json::{Value, json};

use crate::support::{Workshop, aws_base, gitlab_claims, with};

fn policy(subject: &str) -> Value {
    json!({"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow",
        "Principal": {"Federated": "arn:aws:iam::111122223333:oidc-provider/gitlab.com"},
        "Action": "sts:AssumeRoleWithWebIdentity",
        "Condition": {
            "StringEquals": {"gitlab.com:aud": "https://gitlab.com"},
            "StringLike": {"gitlab.com:sub": subject},
        },
    }]})
}

/// A project whose target `aws` has this in its trust table, and the policy beside the profile.
fn workshop(trust: &str, subject: &str) -> Workshop {
    let mut workshop = Workshop::new();
    workshop.profile(
        "base",
        &format!("{}\n[targets.aws.trust]\n{trust}\n", aws_base("https://sts.eu-west-1.amazonaws.com")),
    );
    std::fs::write(workshop.path("project/profiles/deploy.json"), policy(subject).to_string()).unwrap();
    workshop
}

const MAIN: &str = "project_path:quarry-street/ledger:ref_type:branch:ref:main";

fn claims_of(reference: &str) -> Value {
    with(
        gitlab_claims(),
        json!({
            "sub": format!("project_path:quarry-street/ledger:ref_type:branch:ref:{reference}"),
            "ref": reference, "aud": "https://gitlab.com",
        }),
    )
}

fn inline(claims: &Value) -> String {
    let pairs: Vec<String> = ["iss", "sub", "aud"].iter().map(|key| format!("{key} = {}", claims[*key])).collect();
    format!("{{ {} }}", pairs.join(", "))
}

#[test]
fn an_allow_list_says_what_would_let_the_token_in() {
    let workshop =
        workshop("allow = [{ identity = \"gitlab\", project = \"quarry-street/ledger\", branch = \"main\" }]", MAIN);
    let fix = |claims: &Value| {
        std::fs::write(workshop.path("project/claims.json"), claims.to_string()).unwrap();
        let done = workshop.run_quietly(&["trust", "explain", "--claims", "claims.json", "-o", "json"]);
        assert_eq!(done.code, 1, "{}", done.stderr);
        serde_json::from_str::<Value>(&done.stdout).unwrap()["fix"].as_str().unwrap_or_default().to_owned()
    };
    let entry = "add an entry to trust.allow";
    let (branch, audience) = (fix(&claims_of("feature")), fix(&with(claims_of("main"), json!({"aud": "wrong"}))));
    assert!(branch.contains("not `main`") && branch.contains(entry), "{branch}");
    assert!(audience.contains("a token with that audience") && !audience.contains(entry), "{audience}");
}

#[test]
fn explain_and_lint_read_the_file_that_the_profile_names() {
    let workshop = workshop("policy = \"deploy.json\"", MAIN);
    std::fs::write(workshop.path("project/claims.json"), claims_of("feature").to_string()).unwrap();
    let done = workshop.run_quietly(&["trust", "explain", "-t", "aws", "--claims", "claims.json", "-o", "json"]);
    assert_eq!(done.code, 1, "{}", done.stderr);
    let verdict: Value = serde_json::from_str(&done.stdout).unwrap();
    assert_eq!((&verdict["decision"], &verdict["target"]), (&json!("deny"), &json!("aws")));
    assert!(done.stdout.contains("gitlab.com:sub"), "{}", done.stdout);
    for words in [&["trust", "explain", "-t", "aws"][..], &["trust", "explain", "--policy", "profiles/deploy.json"]] {
        let done = workshop.run_quietly(words);
        assert_eq!(done.code, 3);
        assert!(done.stderr.contains("--claims FILE"), "{}", done.stderr);
    }
    let done = workshop.run_quietly(&["trust", "lint"]);
    assert_eq!(done.code, 0, "{}{}", done.stdout, done.stderr);
    assert!(done.stdout.contains("deploy.json"), "{}", done.stdout);
}

#[test]
fn a_list_and_a_policy_that_disagree_are_told() {
    let workshop = workshop(
        "policy = \"deploy.json\"\nallow = [{ identity = \"gitlab\", project = \"quarry-street/ledger\", branch = \"main\" }]",
        "project_path:quarry-street/ledger:*",
    );
    std::fs::write(workshop.path("project/claims.json"), claims_of("feature").to_string()).unwrap();
    let done = workshop.run_quietly(&["trust", "explain", "-t", "aws", "--claims", "claims.json"]);
    assert_eq!(done.code, 0, "{}", done.stderr);
    assert!(done.stdout.contains("trust.allow means to keep this job out"), "{}", done.stdout);
}

#[test]
fn findings_that_are_meant_to_be_are_left_out_with_a_reason() {
    let wide = "project_path:quarry-street/*:ref_type:branch:ref:main";
    let strict = workshop("policy = \"deploy.json\"", wide).run_quietly(&["trust", "lint"]);
    assert_eq!(strict.code, 1, "{}", strict.stdout);
    assert!(strict.stdout.contains("[org-wide]"), "{}", strict.stdout);
    let meant =
        workshop("policy = \"deploy.json\"\nignore = { org-wide = \"all of us deploy\", any-ref = \"old\" }", wide)
            .run_quietly(&["trust", "lint"]);
    assert_eq!(meant.code, 0, "{}", meant.stdout);
    assert!(!meant.stdout.contains("[org-wide]"), "{}", meant.stdout);
    assert!(meant.stderr.contains("targets.aws.trust.ignore.any-ref left nothing out"), "{}", meant.stderr);
    let none = workshop("allow = []", wide).run_quietly(&["trust", "lint"]);
    assert_eq!(none.code, 2);
    assert!(none.stderr.contains("no target names its trust"), "{}", none.stderr);
}

#[test]
fn tests_pass_and_fail() {
    let trust = format!(
        "policy = \"deploy.json\"\n[[targets.aws.trust.test]]\nname = \"main gets in\"\nclaims = {}\nexpect = \"allow\"\n[[targets.aws.trust.test]]\nclaims = {}\nexpect = \"deny\"\n",
        inline(&claims_of("main")),
        inline(&claims_of("feature")),
    );
    let good = workshop(&trust, MAIN).run_quietly(&["trust", "test"]);
    assert_eq!((good.code, good.stdout.lines().last()), (0, Some("2 passed, 0 failed")), "{}", good.stderr);
    let shop = workshop(&trust, "project_path:quarry-street/ledger:*");
    let bad = shop.run_quietly(&["trust", "test", "--junit", "report.xml"]);
    assert_eq!((bad.code, bad.stdout.lines().last()), (1, Some("1 passed, 1 failed")), "{}", bad.stderr);
    assert!(bad.stdout.contains("expected deny, got allow"), "{}", bad.stdout);
    let report = std::fs::read_to_string(shop.path("project/report.xml")).unwrap();
    assert!(
        report.contains("<testsuite name=\"aws\" tests=\"2\" failures=\"1\" errors=\"0\">")
            && report.contains("<failure message="),
        "{report}"
    );
    let json = shop.run_quietly(&["trust", "test", "-o", "json"]);
    let value: Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!((&value["passed"], &value["failed"]), (&json!(1), &json!(1)));
}

#[test]
fn a_folder_of_claims_is_held_against_target_and_file() {
    let shop = workshop("policy = \"deploy.json\"", MAIN);
    let folder = shop.path("project/claims");
    std::fs::create_dir_all(folder.join("deny")).unwrap();
    std::fs::write(folder.join("main.json"), json!({"claims": claims_of("main"), "expect": "allow"}).to_string())
        .unwrap();
    std::fs::write(folder.join("deny/feature.json"), claims_of("feature").to_string()).unwrap();
    let done = shop.run_quietly(&["trust", "test", "--claims-dir", "claims"]);
    assert_eq!((done.code, done.stdout.lines().last()), (0, Some("2 passed, 0 failed")), "{}", done.stderr);
    let done = shop.run_quietly(&[
        "trust",
        "test",
        "--policy",
        "profiles/deploy.json",
        "--claims-dir",
        "claims",
        "--cloud",
        "aws",
    ]);
    assert_eq!(done.stdout.lines().last(), Some("2 passed, 0 failed"), "{}", done.stderr);
    std::fs::write(folder.join("odd.json"), claims_of("main").to_string()).unwrap();
    let done = shop.run_quietly(&["trust", "test", "--claims-dir", "claims"]);
    assert_eq!(done.code, 2);
    assert!(done.stderr.contains("odd.json") && done.stderr.contains("\"expect\""), "{}", done.stderr);
    for (key, value, part) in [
        ("target", "aws", None),
        ("target", "aw*", None),
        ("target", "awss", Some("did you mean `aws`?")),
        ("tagret", "aws", Some("did you mean `target`?")),
        ("because", "it is ours", None),
    ] {
        let mut case = json!({"claims": claims_of("main"), "expect": "allow"});
        case[key] = json!(value);
        std::fs::write(folder.join("odd.json"), case.to_string()).unwrap();
        let done = shop.run_quietly(&["trust", "test", "--claims-dir", "claims"]);
        match part {
            None => assert_eq!(done.stdout.lines().last(), Some("3 passed, 0 failed"), "{key}: {}", done.stderr),
            Some(part) => assert!(
                done.code == 2 && done.stderr.contains(part) && done.stderr.contains("claims/odd.json"),
                "{}",
                done.stderr
            ),
        }
    }
}

#[test]
fn a_report_is_well_formed_whatever_a_test_is_called() {
    let trust = format!(
        "policy = \"deploy.json\"\n[[targets.aws.trust.test]]\nname = \"a \\u0007 <b> & \\\"c\\\" ]]>\"\nclaims = {}\nexpect = \"deny\"\n",
        inline(&claims_of("main")),
    );
    let shop = workshop(&trust, MAIN);
    let done = shop.run_quietly(&["trust", "test", "--junit", "report.xml"]);
    assert_eq!(done.code, 1, "{}", done.stderr);
    let report = std::fs::read_to_string(shop.path("project/report.xml")).unwrap();
    assert!(report.contains("name=\"a \\u{7} &lt;b&gt; &amp; &quot;c&quot; ]]&gt;\""), "{report}");
}

#[test]
fn no_test_at_all_is_no_success() {
    let done = workshop("policy = \"deploy.json\"", MAIN).run_quietly(&["trust", "test"]);
    assert_eq!(done.code, 2);
    assert!(done.stderr.contains("there is no test to run"), "{}", done.stderr);
    let done = workshop("policy = \"gone.json\"", MAIN).run_quietly(&["trust", "lint"]);
    assert_eq!(done.code, 2);
    assert!(done.stderr.contains("gone.json cannot be read"), "{}", done.stderr);
}

#[test]
fn a_refusal_ends_with_the_condition_that_failed() {
    let shop =
        workshop("allow = [{ identity = \"gitlab\", project = \"quarry-street/ledger\", branch = \"main\" }]", MAIN);
    let done =
        shop.run_quietly(&["sandbox", "--claim", "ref=feature", "--", "federate", "exec", "-t", "aws", "--", "true"]);
    assert_eq!(done.code, 125, "{}", done.stderr);
    let told = done.stderr.split("trust.allow does not let this token in").nth(1).unwrap_or_default();
    assert!(told.contains("ref:main") && told.contains("ref:feature"), "{}", done.stderr);
}

#[test]
fn a_real_policy_decides_in_the_sandbox() {
    let shop =
        workshop("allow = [{ identity = \"gitlab\", project = \"quarry-street/ledger\", branch = \"main\" }]", MAIN);
    let run = |trust: &str, reference: &str| {
        shop.run_quietly(&[
            "sandbox",
            "--trust",
            trust,
            "--claim",
            &format!("ref={reference}"),
            "--",
            "federate",
            "exec",
            "-t",
            "aws",
            "--",
            "true",
        ])
    };
    let done = run("aws=profiles/deploy.json", "main");
    assert_eq!(done.code, 0, "{}", done.stderr);
    let done = run("aws=profiles/deploy.json", "feature");
    assert_eq!(done.code, 125, "{}", done.stderr);
    assert!(done.stderr.contains("gitlab.com:sub StringLike"), "{}", done.stderr);
    let done = run("awz=profiles/deploy.json", "main");
    assert_eq!(done.code, 125, "{}", done.stderr);
    assert!(done.stderr.contains("did you mean `aws`?"), "{}", done.stderr);
}

#[test]
fn without_trust_the_claims_are_printed_as_conditions() {
    let shop = workshop("allow = []", MAIN);
    std::fs::write(shop.path("project/claims.json"), claims_of("main").to_string()).unwrap();
    let key = format!("\"gitlab.com:sub\": \"{MAIN}\"");
    let done = shop.run_quietly(&["trust", "explain", "-t", "aws", "--claims", "claims.json"]);
    assert!(done.code == 1 && done.stdout.contains(&key), "{}{}", done.stdout, done.stderr);
    let done = shop.run_quietly(&["trust", "explain", "--cloud", "aws", "--claims", "claims.json"]);
    assert!(done.code == 1 && done.stdout.contains(&key), "{}{}", done.stdout, done.stderr);
    let done = shop.run_quietly(&["trust", "explain", "--cloud", "azure", "--claims", "claims.json", "-o", "json"]);
    let value: Value = serde_json::from_str(&done.stdout).unwrap();
    assert_eq!((&value["decision"], &value["keys"]["azure"]["subject"]), (&Value::Null, &json!(MAIN)));
}
