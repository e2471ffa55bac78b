//! What `trust generate` writes, before the tools that know it.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Test;
use crate::workshop::{Done, Workshop, finish};

pub(crate) const TESTS: &[(&str, Test)] = &[
    ("cfn_lint_has_nothing_to_say", cfn_lint_has_nothing_to_say),
    ("hcl_is_read_by_a_parser_of_its_own", hcl_is_read_by_a_parser_of_its_own),
    ("bicep_fits_its_grammar", bicep_fits_its_grammar),
    ("shellcheck_has_nothing_to_say", shellcheck_has_nothing_to_say),
];

/// Those that need Terraform.
pub(crate) const TERRAFORM: &[(&str, Test)] =
    &[("fmt_has_nothing_to_change", fmt_has_nothing_to_change), ("texts_are_what_they_were", texts_are_what_they_were)];

/// Targets whose names try to be code, a chain, and simple ones.
pub(crate) const PROFILE: &str = r#####"
[targets.hostile]
type = "aws"
role_arn = "arn:aws:iam::123456789012:role/ci/deploy"
region = "eu-west-1"
duration = "2h"
policy = '''{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::b-${aws:PrincipalAccount}/*"}]}'''
policy_arns = ["arn:aws:iam::aws:policy/ReadOnlyAccess"]
audience = "it's \" `y` \\ $(touch pwned) $x"
[targets.hostile.trust]
allow = [
    { identity = "github", repository = "o/r", environment = "a?b${aws:username}\"'`$(touch pwned)%{y}\nJSON\n$${z} // #" },
    { identity = "github", repository = "o/r", repository_id = 7, owner_id = 9, branch_pattern = "release/*" },
    { identity = "gitlab", project = "g/p", branch = "JSON" },
]

[targets.chained]
type = "aws"
role_arn = "arn:aws:iam::123456789012:role/deploy"
region = "eu-west-1"
chain = [{ role_arn = "arn:aws:iam::123456789012:role/hop", external_id = "x-1", tags = { team = "blue" }, source_identity = "ci" }]
trust = { allow = [{ identity = "gitlab", project = "g/p", branch = "main" }] }

[targets.azure]
type = "azure"
tenant_id = "00000000-0000-0000-0000-000000000001"
client_id = "00000000-0000-0000-0000-000000000022"
subscription_id = "00000000-0000-0000-0000-000000000003"
audience = "it's \" `y` \\ $(touch pwned) $x"
[targets.azure.trust]
allow = [
    { identity = "github", repository = "o/r", environment = "a${b}\"'`$(touch pwned)%{y}\nJSON\n$${z} // #" },
    { identity = "github", repository = "o/r", repository_id = 7, owner_id = 9, branch = "JSON" },
]

[targets.flexible]
type = "azure"
tenant_id = "00000000-0000-0000-0000-000000000001"
client_id = "00000000-0000-0000-0000-000000000022"
trust = { allow = [{ identity = "gitlab", project = "g/p", branch_pattern = "release/*" }] }
"#####;

/// The subject of the hostile environment, as Azure's target names it.
const HOSTILE: &str = "repo:o/r:environment:a${b}\"'`$(touch pwned)%{y}\nJSON\n$${z} // #";

/// A project with these targets.
pub(crate) fn workshop() -> Workshop {
    let mut workshop = Workshop::new();
    workshop.profile("base", PROFILE);
    workshop
}

/// The files of a format for a target, in `out/TARGET/FORMAT`.
pub(crate) fn generate(workshop: &Workshop, target: &str, format: &str) -> PathBuf {
    let folder = workshop.path("project/out").join(target).join(format);
    let shown = folder.display().to_string();
    let done = workshop.run_quietly(&["trust", "generate", "-q", "-t", target, "-f", format, "--dir", &shown]);
    assert_eq!(done.code, 0, "{}", done.stderr);
    folder
}

/// All files below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().flatten();
    entries.flat_map(|entry| if entry.path().is_dir() { files(&entry.path()) } else { vec![entry.path()] }).collect()
}

pub(crate) fn run(command: &mut Command, workshop: &Workshop) -> Done {
    finish(
        command
            .env_clear()
            .env("HOME", workshop.path("home"))
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .output()
            .unwrap(),
    )
}

fn tool(programs: &Path, name: &str, arguments: &[&str], files: &[PathBuf], workshop: &Workshop) -> Done {
    run(Command::new(programs.join(name)).args(arguments).args(files), workshop)
}

fn passes(done: &Done) {
    assert_eq!((done.code, done.stdout.trim()), (0, ""), "{}{}", done.stdout, done.stderr);
}

fn cfn_lint_has_nothing_to_say(programs: &Path) {
    let workshop = workshop();
    for target in ["hostile", "chained"] {
        for format in ["cloudformation", "cloudformation-json"] {
            let found = files(&generate(&workshop, target, format));
            passes(&tool(programs, "cfn-lint", &["--regions", "eu-west-1", "--"], &found, &workshop));
        }
    }
}

fn hcl_is_read_by_a_parser_of_its_own(programs: &Path) {
    let workshop = workshop();
    for (target, format) in [("hostile", "terraform"), ("chained", "terraform"), ("azure", "azure-terraform")] {
        for file in files(&generate(&workshop, target, format)) {
            let script = include_str!("clients/hcl_read.py");
            let done = tool(programs, "python3", &["-c", script], &[file], &workshop);
            assert!(
                done.code == 0 && done.stdout.contains("resource") && done.stdout.contains("output"),
                "{}",
                done.stderr
            );
        }
    }
}

fn bicep_fits_its_grammar(programs: &Path) {
    let workshop = workshop();
    let file = generate(&workshop, "azure", "bicep").join("main.bicep");
    let done = tool(programs, "python3", &["-c", include_str!("clients/bicep_syntax.py")], &[file], &workshop);
    assert_eq!(done.code, 0, "{}", done.stderr);
    let strings: Vec<String> = serde_json::from_str(&done.stdout).unwrap();
    // The texts that the grammar found are those that were meant, one literal each.
    let written = HOSTILE.replace('\\', "\\\\").replace('\'', "\\'").replace('\n', "\\n").replace("${", "\\${");
    assert!(strings.contains(&format!("'{written}'")), "{strings:?}");
}

fn shellcheck_has_nothing_to_say(programs: &Path) {
    let workshop = workshop();
    for (target, format) in
        [("hostile", "aws-cli"), ("chained", "aws-cli"), ("azure", "az-cli"), ("flexible", "az-cli")]
    {
        let scripts = files(&generate(&workshop, target, format));
        passes(&tool(programs, "shellcheck", &[], &scripts, &workshop));
    }
}

fn fmt_has_nothing_to_change(programs: &Path) {
    let workshop = workshop();
    for (target, format) in [("hostile", "terraform"), ("chained", "terraform"), ("azure", "azure-terraform")] {
        let folder = generate(&workshop, target, format);
        let mut command = Command::new(programs.join("terraform"));
        passes(&run(command.args(["fmt", "-check", "-diff", "-recursive"]).arg(folder), &workshop));
    }
}

fn texts_are_what_they_were(programs: &Path) {
    let workshop = workshop();
    let module = std::fs::read_to_string(generate(&workshop, "azure", "azure-terraform").join("main.tf")).unwrap();
    let literal = module.lines().find_map(|line| line.split_once("subject ")?.1.split_once("= ")).unwrap().1;
    let mut command = Command::new(programs.join("terraform"));
    command.arg("console").current_dir(workshop.path("home")).stdin(std::process::Stdio::piped());
    command.stdout(std::process::Stdio::piped()).env_clear().env("HOME", workshop.path("home"));
    let mut child = command.spawn().unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), format!("jsonencode({literal})\n").as_bytes()).unwrap();
    let done = finish(child.wait_with_output().unwrap());
    // The console prints the JSON as a text of its own.
    let json: String = serde_json::from_str(done.stdout.trim()).unwrap_or_else(|_| panic!("{}", done.stdout));
    assert_eq!(serde_json::from_str::<String>(&json).unwrap(), HOSTILE);
}
