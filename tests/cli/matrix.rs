//! One table, many targets, as the command line sees them.

use serde_json::Value;

use crate::support::Workshop;

const ACCOUNTS: &str = "name,account,region\nbilling,012345678901,eu-west-1\naudit,111122223333,us-east-1\n";

fn workshop() -> Workshop {
    let mut workshop = Workshop::new();
    workshop.profile(
        "base",
        "[targets.member]\ntype = \"aws\"\nmatrix = { file = \"accounts.csv\" }\n\
         role_arn = \"arn:aws:iam::{matrix:account}:role/audit-{env:STAGE}\"\nregion = \"{matrix:region}\"\n",
    );
    std::fs::write(workshop.path("project/profiles/accounts.csv"), ACCOUNTS).unwrap();
    workshop.set("GITLAB_CI", "true").set("CI_SERVER_URL", "https://gitlab.com");
    workshop
}

#[test]
fn plan_show_list_and_validate_know_it() {
    let workshop = workshop();
    let plan = workshop.run_quietly(&["plan", "-o", "json", "-t", "member-*"]);
    assert_eq!(plan.code, 0, "{}", plan.stderr);
    let plan: Value = serde_json::from_str(&plan.stdout).unwrap();
    assert_eq!(plan["targets"][1]["target"], "member-billing");
    let request = &plan["targets"][1]["requests"][0];
    assert_eq!(request["parameters"]["RoleArn"], "(arn:aws:iam::012345678901:role/audit-{env:STAGE})");
    assert_eq!(request["url"], "https://sts.eu-west-1.amazonaws.com/");

    let show = workshop.run_quietly(&["profile", "show", "--origin"]).stdout;
    let line =
        |key: &str| show.lines().find(|line| line.starts_with(&format!("{key} = "))).unwrap_or_default().to_owned();
    assert!(line("targets.member-audit.region").ends_with("# profiles/base.toml:5, profiles/accounts.csv:3"), "{show}");
    assert!(line("targets.member.region").contains("{matrix:region}"), "{show}");
    assert!(line("targets.member.matrix.file").ends_with("# profiles/base.toml:3"), "{show}");
    assert!(line("targets.member-audit.use_fips").is_empty());

    assert_eq!(workshop.run_quietly(&["profile", "validate"]).code, 0);
    let schema: Value = serde_json::from_str(&workshop.run_quietly(&["profile", "schema"]).stdout).unwrap();
    assert!(schema.to_string().contains("one row a target"));
}

#[test]
fn a_bad_row_is_told_by_file_and_line_before_anything_is_asked() {
    let mut workshop = workshop();
    let base = std::fs::read_to_string(workshop.path("project/profiles/base.toml")).unwrap();
    workshop.profile("base", &base.replace("-{env:STAGE}", ""));
    let file = workshop.path("project/profiles/accounts.csv");
    std::fs::write(&file, ACCOUNTS.replace("111122223333", "11112222333")).unwrap();
    let done = workshop.run_quietly(&["profile", "validate"]);
    assert_eq!(done.code, 2);
    assert!(
        done.stderr.contains("where: profiles/base.toml:4, profiles/accounts.csv:3 (targets.member-audit.role_arn)"),
        "{}",
        done.stderr
    );
    std::fs::write(&file, format!("{ACCOUNTS}audit,222233334444,eu-west-1\n")).unwrap();
    let done = workshop.run_quietly(&["plan", "-t", "member-*"]);
    assert_eq!(done.code, 2);
    for part in ["error[target-twice]", "profiles/accounts.csv:4", "profiles/accounts.csv:3"] {
        assert!(done.stderr.contains(part), "{part}: {}", done.stderr);
    }
}

#[test]
fn the_table_itself_is_no_target() {
    let done = workshop().run_quietly(&["plan", "-t", "member"]);
    assert_eq!(done.code, 2);
    assert!(done.stderr.contains("`member-*`"), "{}", done.stderr);
}
