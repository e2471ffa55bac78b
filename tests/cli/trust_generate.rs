//! `trust generate`: what it writes, what it says of it, and how it holds what is deployed against it.

use serde_json::{Value, json};

use crate::support::{Done, Workshop, aws_base};

const MAIN: &str = "{ identity = \"gitlab\", project = \"quarry-street/ledger\", branch = \"main\" }";
const AZURE: &str = "[targets.azure]\ntype = \"azure\"\ntenant_id = \"00000000-0000-0000-0000-000000000001\"\n\
                     client_id = \"00000000-0000-0000-0000-000000000002\"\n";

/// A project whose targets `aws` and `azure` allow these.
fn workshop(allow: &str) -> Workshop {
    let mut workshop = Workshop::new();
    let base = format!(
        "{}[targets.aws.trust]\nallow = [{allow}]\n{AZURE}[targets.azure.trust]\nallow = [{allow}]\n",
        aws_base("https://sts.eu-west-1.amazonaws.com")
    );
    workshop.profile("base", &base);
    workshop
}

fn generate(workshop: &Workshop, arguments: &[&str]) -> Done {
    workshop.run_quietly(&[&["trust", "generate"], arguments].concat())
}

#[test]
fn what_is_generated_passes_lint_and_check() {
    let shop = workshop(MAIN);
    let done = generate(&shop, &["-t", "aws", "-f", "aws-json"]);
    assert_eq!(done.code, 0, "{}", done.stderr);
    std::fs::write(shop.path("project/aws.json"), &done.stdout).unwrap();
    let lint = shop.run_quietly(&["trust", "lint", "--cloud", "aws", "--fail-on", "low", "aws.json"]);
    assert_eq!(lint.code, 0, "{}", lint.stdout);
    let check = generate(&shop, &["-t", "aws", "--check", "aws.json"]);
    assert_eq!(
        (check.code, check.stdout.as_str()),
        (0, "aws.json lets in exactly the allow list\n"),
        "{}",
        check.stderr
    );
    // The same providers of another account let nobody in.
    std::fs::write(shop.path("project/copied.json"), done.stdout.replace("111122223333", "444455556666")).unwrap();
    let check = generate(&shop, &["-t", "aws", "--check", "copied.json"]);
    assert_eq!((check.code, check.stdout.as_str()), (1, "copied.json does not let in exactly the allow list\n"));
    assert!(check.stderr.contains("the providers of AWS account 444455556666"), "{}", check.stderr);
    let done = generate(&shop, &["-t", "azure", "-f", "azure-json"]);
    std::fs::write(shop.path("project/azure.json"), &done.stdout).unwrap();
    let check = generate(&shop, &["-t", "azure", "--check", "azure.json", "-o", "json"]);
    assert_eq!(
        (check.code, serde_json::from_str(&check.stdout).unwrap()),
        (0, json!({"same": true, "missing": [], "too_much": []}))
    );
}

#[test]
fn what_differs_is_told_by_who_gets_in() {
    let shop = workshop(MAIN);
    let policy = json!({"Version": "2012-10-17", "Statement": {
        "Sid": "Anything", "Effect": "Allow", "Action": ["sts:AssumeRoleWithWebIdentity"],
        "Principal": {"Federated": "arn:aws:iam::111122223333:oidc-provider/gitlab.com"},
        "Condition": {"StringLike": {"GITLAB.COM:SUB": ["project_path:quarry-street/ledger:*"], "gitlab.com:aud": "https://gitlab.com"}},
    }});
    std::fs::write(shop.path("project/deployed.json"), policy.to_string()).unwrap();
    let done = generate(&shop, &["-t", "aws", "--check", "deployed.json"]);
    assert_eq!(done.code, 1, "{}", done.stderr);
    assert!(
        done.stdout.contains("+ tokens of gitlab.com whose")
            && done.stdout.contains("sub is like project_path:quarry-street/ledger:*"),
        "{}",
        done.stdout
    );
    assert!(!done.stdout.contains("\n- "), "{}", done.stdout);
    let done = generate(&shop, &["-t", "aws", "--check", "deployed.json", "-o", "json"]);
    let value: Value = serde_json::from_str(&done.stdout).unwrap();
    assert_eq!((done.code, &value["same"], value["too_much"].as_array().unwrap().len()), (1, &json!(false), 1));
    let other = policy.to_string().replace("ledger:*", "ledger:ref_type:branch:ref:next");
    std::fs::write(shop.path("project/deployed.json"), other).unwrap();
    let done = generate(&shop, &["-t", "aws", "--check", "deployed.json"]);
    assert!(done.code == 1 && done.stdout.contains("\n- ") && done.stdout.contains("\n+ "), "{}", done.stdout);
    let done = generate(&shop, &["-t", "aws", "--check", "gone.json"]);
    assert!(done.code == 2 && done.stderr.contains("gone.json cannot be read"), "{}", done.stderr);
}

#[test]
fn files_are_written_and_somebodys_work_is_not_replaced() {
    let shop = workshop(MAIN);
    let done = generate(&shop, &["-t", "aws", "-f", "aws-cdk", "--dir", "out/cdk"]);
    assert_eq!((done.code, done.stdout.as_str()), (0, ""), "{}", done.stderr);
    for file in ["app.ts", "cdk.json", "package.json", "tsconfig.json"] {
        assert!(shop.path("project/out/cdk").join(file).is_file(), "{file}");
    }
    assert_eq!(generate(&shop, &["-t", "aws", "-f", "aws-cdk", "--dir", "out/cdk"]).code, 0);
    std::fs::write(shop.path("project/out/cdk/app.ts"), "mine").unwrap();
    let done = generate(&shop, &["-t", "aws", "-f", "aws-cdk", "--dir", "out/cdk"]);
    assert!(done.code == 2 && done.stderr.contains("out/cdk/app.ts would be replaced"), "{}", done.stderr);
    assert_eq!(generate(&shop, &["-t", "aws", "-f", "aws-cdk", "--dir", "out/cdk", "--force"]).code, 0);
    let printed = generate(&shop, &["-t", "aws", "-f", "aws-cdk"]);
    assert_eq!(printed.stdout, std::fs::read_to_string(shop.path("project/out/cdk/app.ts")).unwrap());
    assert!(
        printed.stderr.contains("cdk.json, package.json, tsconfig.json belong to it too: --dir"),
        "{}",
        printed.stderr
    );
    assert_eq!(generate(&shop, &["-t", "aws", "-f", "aws-cli", "--dir", "out"]).code, 0);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = std::fs::metadata(shop.path("project/out/setup.sh")).unwrap().permissions().mode();
        assert_eq!(mode & 0o100, 0o100);
    }
    let json = generate(&shop, &["-t", "aws", "-f", "terraform", "-o", "json"]);
    let value: Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!((&value["format"], &value["files"][0]["path"]), (&json!("terraform"), &json!("main.tf")));
}

#[test]
fn wrong_usage_is_told_before_anything_else() {
    let shop = workshop(MAIN);
    for (arguments, parts) in [
        (&["-t", "aws", "-f", "terrafrom"][..], &["not a format for aws", "did you mean `terraform`?", "aws-json"][..]),
        (&["-t", "aws", "-f", "bicep"], &["`bicep` is a format for azure, and the target is of aws", "cloudformation"]),
        (&["-t", "azure", "-f", "terraform"], &["`terraform` is a format for aws", "azure-terraform"]),
        (&["-t", "*", "-f", "aws-json"], &["2 targets are selected", "aws, azure"]),
        (&["-t", "awz", "-f", "aws-json"], &["awz", "aws"]),
        (&["-t", "aws"], &["--format"]),
    ] {
        let done = generate(&shop, arguments);
        assert_eq!(done.code, 2, "{arguments:?} {}", done.stderr);
        for part in parts {
            assert!(done.stderr.contains(part), "{arguments:?} {part}: {}", done.stderr);
        }
    }
    let none = generate(&workshop(""), &["-t", "aws", "-f", "aws-json"]);
    assert!(none.code == 2 && none.stderr.contains("does not say who is meant to get in"), "{}", none.stderr);
    assert!(none.stderr.contains("[targets.aws.trust]") && none.stderr.contains("base.toml:"), "{}", none.stderr);
}

#[test]
fn what_the_cloud_cannot_tell_points_at_the_entry_and_nothing_is_written() {
    let shop = workshop("{ identity = \"gitlab\", project = \"quarry-street/ledger\", environment = \"prod\" }");
    let done = generate(&shop, &["-t", "aws", "-f", "terraform", "--dir", "out"]);
    assert_eq!((done.code, done.stdout.as_str()), (2, ""), "{}", done.stderr);
    assert!(
        done.stderr.contains("error[trust-not-expressible]") && done.stderr.contains("`environment`"),
        "{}",
        done.stderr
    );
    assert!(done.stderr.contains("where: profiles/base.toml:"), "{}", done.stderr);
    assert!(!shop.path("project/out").exists());
    let broad = generate(
        &workshop("{ identity = \"github\", repository = \"o/r\", pull_request = true }"),
        &["-t", "aws", "-f", "aws-json"],
    );
    assert!(broad.code == 0 && broad.stderr.contains("pull-request-open"), "{}", broad.stderr);
}

#[test]
fn placeholders_are_filled_or_named() {
    let mut shop = Workshop::new();
    let base = aws_base("https://sts.eu-west-1.amazonaws.com").replace("role/deploy", "role/{env:ROLE_NAME}");
    let base = base.replace("session_name = \"ci\"", "session_name = \"{env:UNSET}-{claim:sub}\"");
    shop.profile("base", &format!("{base}[targets.aws.trust]\nallow = [{MAIN}]\n"));
    let done = generate(&shop, &["-t", "aws", "-f", "aws-json"]);
    assert!(done.code == 2 && done.stderr.contains("role/{env:ROLE_NAME}` has a placeholder"), "{}", done.stderr);
    assert!(done.stderr.contains("base.toml:3"), "{}", done.stderr);
    shop.set("ROLE_NAME", "deploy-prod");
    let done = generate(&shop, &["-t", "aws", "-f", "aws-json"]);
    assert!(done.code == 0 && done.stdout.contains("\"RoleName\": \"deploy-prod\""), "{}", done.stderr);
}
