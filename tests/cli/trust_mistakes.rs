//! One wrong thing at a time, as people type it: the answer names it.

use serde_json::{Value, json};

use crate::support::{Done, Workshop, gitlab_claims};

fn policy() -> Value {
    json!({"Version": "2012-10-17", "Statement": {
        "Effect": "Allow",
        "Principal": {"Federated": "arn:aws:iam::111122223333:oidc-provider/gitlab.com"},
        "Action": "sts:AssumeRoleWithWebIdentity",
        "Condition": {"StringEquals": {"gitlab.com:aud": "https://gitlab.com"}, "StringLike": {"gitlab.com:sub": "project_path:*"}},
    }})
}

fn credential() -> Value {
    json!([{"name": "main", "issuer": "https://gitlab.com", "subject": "s", "audiences": ["api://AzureADTokenExchange"]}])
}

const PROVIDER: &str = r#"{
  "name": "projects/1/locations/global/workloadIdentityPools/ci/providers/gitlab",
  "oidc": {"issuerUri": "https://gitlab.com", "allowedAudiences": ["a"]},
  "attributeMapping": {"google.subject": "assertion.sub"},
  "attributeCondition": "assertion.sub.startWith('project_path:')"
}"#;

fn workshop(files: &[(&str, &str)]) -> Workshop {
    let workshop = Workshop::new();
    std::fs::write(workshop.path("project/c.json"), gitlab_claims().to_string()).unwrap();
    for (name, text) in files {
        std::fs::write(workshop.path(&format!("project/{name}")), text).unwrap();
    }
    workshop
}

fn explain(policy: &str, more: &[&str]) -> Done {
    workshop(&[("p.json", policy)])
        .run_quietly(&[&["trust", "explain", "--policy", "p.json", "--claims", "c.json"], more].concat())
}

#[test]
fn a_misspelt_element_is_named_on_its_line() {
    let pretty = |value: &Value| serde_json::to_string_pretty(value).unwrap();
    let mut principal = policy();
    principal["Statement"]["Principal"] = json!({"Federatd": "arn:aws:iam::111122223333:oidc-provider/gitlab.com"});
    let mut operator = policy();
    operator["Statement"]["Condition"] = json!({"StringLke": {"gitlab.com:sub": "*"}});
    let mut statement = policy();
    statement["Statment"] = statement.as_object_mut().unwrap().remove("Statement").unwrap();
    for (policy, key, near) in [
        (principal, "Federatd", "did you mean `Federated`?"),
        (operator, "StringLke", "did you mean `StringLike`?"),
        (statement, "Statment", "did you mean `Statement`?"),
    ] {
        let text = pretty(&policy);
        let done = explain(&text, &[]);
        assert!(done.code == 2 && done.stderr.contains(key) && done.stderr.contains(near), "{}", done.stderr);
        if key != "Statment" {
            let line = 1 + text.lines().position(|line| line.contains(key)).unwrap();
            assert!(done.stderr.contains(&format!("p.json:{line} ")), "{line}: {}", done.stderr);
        }
    }
    for other in ["NotAction", "NotPrincipal"] {
        let mut both = policy();
        both["Statement"][other] = both["Statement"][other.trim_start_matches("Not")].clone();
        let done = explain(&both.to_string(), &[]);
        assert!(
            done.code == 2 && done.stderr.contains(&format!("or {other}, and this one has both")),
            "{}",
            done.stderr
        );
    }
    let done = explain("\"x\"", &[]);
    assert!(done.code == 2 && !done.stderr.contains("()"), "{}", done.stderr);
}

#[test]
fn a_file_of_another_cloud_is_called_that() {
    let done = explain(&credential().to_string(), &["--cloud", "aws"]);
    let told = "p.json holds no trust configuration of aws, but one of azure";
    assert!(done.code == 2 && done.stderr.contains(told), "{}", done.stderr);
    let done = explain(&policy().to_string(), &["--cloud", "gcp"]);
    assert!(done.code == 2 && done.stderr.contains("of gcp, but one of aws"), "{}", done.stderr);
}

#[test]
fn a_name_that_is_not_there_comes_with_those_that_are() {
    let roles = json!({"Roles": [{"RoleName": "one", "AssumeRolePolicyDocument": policy()}, {"RoleName": "two", "AssumeRolePolicyDocument": policy()}]});
    let done = explain(&roles.to_string(), &["--only", "three"]);
    assert!(done.code == 2 && done.stderr.contains("there are role one; role two"), "{}", done.stderr);
    let mut workshop = workshop(&[("roles.json", &roles.to_string())]);
    workshop.profile(
        "base",
        "[targets.aws]\ntype = \"aws\"\nrole_arn = \"arn:aws:iam::111122223333:role/one\"\nregion = \"eu-west-1\"\n\
         [targets.aws.trust]\npolicy = \"../roles.json\"\nonly = \"three\"\n",
    );
    for command in [&["trust", "lint"][..], &["trust", "explain", "--claims", "c.json", "-t", "aws"]] {
        let done = workshop.run_quietly(command);
        assert!(done.code == 2 && done.stderr.contains("there are role one; role two"), "{}", done.stderr);
        assert!(done.stderr.contains("where: profiles/base.toml:"), "{}", done.stderr);
    }
    std::fs::remove_file(workshop.path("project/roles.json")).unwrap();
    let done = workshop.run_quietly(&["trust", "lint"]);
    assert!(done.code == 2 && done.stderr.contains("where: profiles/base.toml:6"), "{}", done.stderr);
}

#[test]
fn findings_of_a_profile_are_where_the_repository_has_the_file() {
    let mut workshop = workshop(&[("p.json", &policy().to_string())]);
    workshop.profile(
        "base",
        "[targets.aws]\ntype = \"aws\"\nrole_arn = \"arn:aws:iam::111122223333:role/one\"\nregion = \"eu-west-1\"\n\
         [targets.aws.trust]\npolicy = \"../p.json\"\n",
    );
    let of_profile = workshop.run_quietly(&["trust", "lint", "-o", "sarif"]);
    let of_file = workshop.run_quietly(&["trust", "lint", "-o", "sarif", "p.json"]);
    let results = |done: &Done| serde_json::from_str::<Value>(&done.stdout).unwrap()["runs"][0]["results"].clone();
    assert_eq!(results(&of_profile), results(&of_file));
    let uri = &results(&of_profile)[0]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"];
    assert_eq!(uri, "p.json");
    let roundabout = workshop.run_quietly(&["trust", "lint", "-o", "sarif", "profiles/../p.json"]);
    assert_eq!(results(&roundabout)[0]["locations"], results(&of_file)[0]["locations"]);
}

#[test]
fn what_is_missing_is_asked_for() {
    let workshop = workshop(&[("p.json", &policy().to_string()), ("nobody.json", "{}")]);
    let done = workshop.run_quietly(&["trust", "explain", "--policy", "p.json", "--claims", "nobody.json"]);
    assert!(done.code == 1 && done.stdout.contains("the claims have no `iss`"), "{}", done.stdout);
    let (credentials, provider) = (credential().to_string(), PROVIDER);
    for policy in [credentials.as_str(), provider] {
        std::fs::write(workshop.path("project/other.json"), policy).unwrap();
        let done = workshop.run_quietly(&["trust", "explain", "--policy", "other.json", "--claims", "nobody.json"]);
        assert!(done.code == 1 && done.stdout.contains("the claims have no `iss`"), "{}", done.stdout);
        assert!(!done.stdout.contains("but:"), "{}", done.stdout);
    }
    let done = workshop.run_quietly(&["trust", "explain", "--policy", "other.json", "--claims", "c.json"]);
    if cfg!(feature = "cel") {
        assert!(done.stdout.contains("did you mean `startsWith()`?"), "{}", done.stdout);
    }
    let done = workshop.run_quietly(&["trust", "explain", "--policy", "p.json"]);
    assert!(done.code == 3 && done.stderr.contains("--claims FILE"), "{}", done.stderr);
    let done = workshop.run_quietly(&["trust", "explain", "-t", "prod", "--claims", "c.json"]);
    assert!(done.code == 2 && done.stderr.contains("matches `prod`"), "{}", done.stderr);
    let report = ["trust", "test", "--policy", "p.json", "--claims-dir", "claims", "--junit", "-"];
    let done = workshop.run_quietly(&report);
    assert!(done.code == 2 && done.stderr.contains("--junit"), "{}", done.stderr);
    let done = workshop.run_quietly(&["sandbox", "--trust", "aws=p.json", "--", "true"]);
    assert!(done.code == 125 && done.stderr.contains("no profile here has any target"), "{}", done.stderr);
    let done = workshop.run_quietly(&["trust", "graph"]);
    assert!(done.code == 0 && done.stderr.contains("nothing to draw"), "{}", done.stderr);
    let more = ["--action", "sts:TagSession"];
    let done = explain(&policy().to_string(), &more);
    assert!(done.code == 1 && done.stdout.contains("add `sts:TagSession` to Action"), "{}", done.stdout);
}
