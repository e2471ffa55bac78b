//! `env`: what each format prints is what a shell, a CI system or a program reads back.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Stdio};

use crate::support::{Canned, Workshop, http, sts_success};

/// Everything that some shell treats as its own.
const ODD: &str = "a'b\"c$HOME`id`\\d%PATH%^&|<>();#!~ *?[x]{y} ü€ !z";

fn workshop(secret: &str) -> Workshop {
    let escaped = secret.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let body = sts_success().split_once("\r\n\r\n").unwrap().1.replace(crate::support::SECRET_KEY, &escaped);
    let sts = Canned::answering(http("200 OK", "text/xml", &body));
    Workshop::gitlab_aws(&sts.url)
}

/// What a shell has in its environment after it has read the output. `None` where the shell is not here.
fn round_trip(program: &str, arguments: &[&str], script: &str) -> Option<BTreeMap<String, String>> {
    let dump = "import json,os,sys; sys.stdout.write(json.dumps(dict(os.environ)))";
    let mut child = Command::new(program)
        .args(arguments)
        .env_clear()
        .env("PATH", "/usr/local/bin:/usr/bin:/bin")
        .env("HOME", "/nonexistent")
        .env("LANG", "C.UTF-8")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .ok()?;
    let script = format!("{script}\npython3 -c '{dump}'\n");
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), script.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{program} failed");
    Some(
        serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stdout))),
    )
}

#[test]
fn shells_read_back_what_was_written() {
    let workshop = workshop(ODD);
    for (format, program, arguments) in [
        ("sh", "sh", &["-s"][..]),
        ("sh", "bash", &["-s"]),
        ("sh", "zsh", &["-s"]),
        ("fish", "fish", &[]),
        ("powershell", "pwsh", &["-NoProfile", "-Command", "-"]),
    ] {
        let done = workshop.run(&["env", "-f", format]);
        assert_eq!(done.code, 0, "{}", done.stderr);
        match round_trip(program, arguments, &done.stdout) {
            Some(read) => {
                assert_eq!(read["AWS_SECRET_ACCESS_KEY"], ODD, "{program}");
                assert_eq!(read["AWS_REGION"], "eu-west-1", "{program}");
            }
            None => eprintln!("SKIPPED: {program} is not on this machine, its format was not read back"),
        }
    }
}

#[test]
fn json_is_json() {
    let done = workshop(ODD).run(&["env", "-f", "json"]);
    let read: BTreeMap<String, String> = serde_json::from_str(&done.stdout).unwrap();
    assert_eq!(read["AWS_SECRET_ACCESS_KEY"], ODD);
}

#[test]
fn cmd_keeps_percent_signs() {
    let done = workshop("50%PATH%^x").run(&["env", "-f", "cmd"]);
    let line = done.stdout.lines().find(|line| line.contains("AWS_SECRET_ACCESS_KEY")).unwrap();
    assert!(line.starts_with("set \"AWS_SECRET_ACCESS_KEY=") && line.contains("%%PATH%%"), "{line}");
}

#[test]
fn github_gets_masks_first_and_a_delimiter_nobody_can_guess() {
    let mut workshop = workshop("line one");
    let file = workshop.path("github-env");
    // Some step left the last line open.
    std::fs::write(&file, "BEFORE=1").unwrap();
    workshop.set("GITHUB_ENV", file.to_str().unwrap());
    let done = workshop.run_quietly(&["env", "-f", "github", "--write"]);
    assert_eq!(done.code, 0, "{}", done.stderr);
    let written = std::fs::read_to_string(&file).unwrap();
    assert!(written.starts_with("BEFORE=1\nAWS_ACCESS_KEY_ID<<"), "{written}");
    let delimiter = |text: &str| text.lines().find_map(|line| line.strip_prefix("AWS_REGION<<").map(str::to_owned));
    let again = workshop.run(&["env", "-f", "github"]).stdout;
    assert_ne!(delimiter(&written), delimiter(&again), "the delimiter has to be random");
    assert!(delimiter(&written).unwrap().len() >= 16);
    workshop.unset("GITHUB_ENV");
    assert_eq!(workshop.run(&["env", "-f", "github", "--write"]).code, 2);
}

#[test]
fn circleci_appends_for_the_next_step() {
    let mut workshop = workshop(ODD);
    let file = workshop.path("bash-env");
    workshop.set("BASH_ENV", file.to_str().unwrap());
    assert_eq!(workshop.run_quietly(&["env", "-f", "circleci", "--write"]).code, 0);
    let mode = std::fs::metadata(&file).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "a file that was not there is private");
    let read = round_trip("bash", &["-s"], &format!(". {}", file.display())).unwrap();
    assert_eq!(read["AWS_SECRET_ACCESS_KEY"], ODD);
}

#[test]
fn gitlabs_artifact_has_no_secrets_unless_told() {
    let workshop = workshop("plainsecret");
    let done = workshop.run(&["env", "-f", "gitlab"]);
    assert_eq!(done.code, 0, "{}", done.stderr);
    assert!(done.stdout.contains("AWS_REGION=eu-west-1") && !done.stdout.contains("plainsecret"), "{}", done.stdout);
    assert!(done.stderr.contains("--allow-artifact-secrets"), "{}", done.stderr);
    let told = workshop.run(&["env", "-f", "gitlab", "--allow-artifact-secrets"]);
    assert!(told.stdout.contains("AWS_SECRET_ACCESS_KEY=plainsecret"), "{}", told.stdout);
}

#[test]
fn credential_process_is_silent_and_version_one() {
    let done = workshop(ODD).run(&["credential-process", "-t", "aws"]);
    assert_eq!((done.code, done.stderr.as_str()), (0, ""));
    let read: serde_json::Value = serde_json::from_str(&done.stdout).unwrap();
    assert_eq!(read["Version"], 1);
    assert_eq!(read["SecretAccessKey"], ODD);
    assert!(read["SessionToken"].is_string() && read["Expiration"].as_str().unwrap().ends_with('Z'));
}
