//! `each`: one command, many targets, each with its own credentials.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

use serde_json::Value;

use crate::served::in_sandbox;
use crate::support::{Canned, Done, SECRET_KEY, SESSION_TOKEN, Workshop, finish, sts_success};

const TRUST: &str = "[targets.member.trust]\nallow = [\
    { identity = \"github\", repository = \"quarry-street/ledger\", branch = \"main\" },\
    { identity = \"gitlab\", project = \"quarry-street/ledger\", branch = \"main\" }]\n";

/// So many AWS accounts, in one table.
pub(crate) fn members(count: usize) -> Workshop {
    let accounts: Vec<String> = (0..count).map(|number| format!("\"{:012}\"", 100_000_000_000 + number)).collect();
    let mut workshop = Workshop::new();
    workshop.profile(
        "base",
        &format!(
            "[targets.member]\ntype = \"aws\"\nmatrix = {{ account = [{}] }}\n\
             role_arn = \"arn:aws:iam::{{matrix:account}}:role/audit\"\nregion = \"eu-west-1\"\nsession_name = \"ci\"\n{TRUST}",
            accounts.join(", ")
        ),
    );
    workshop
}

pub(crate) const GITHUB: &[&str] = &["--ci", "github"];

/// The words of `federate each ARGUMENTS` as a job in the sandbox.
pub(crate) fn words<'a>(sandbox: &[&'a str], arguments: &[&'a str]) -> Vec<&'a str> {
    in_sandbox(sandbox, &[&["each"], arguments].concat())
}

pub(crate) fn each_in(workshop: &Workshop, sandbox: &[&str], arguments: &[&str]) -> Done {
    workshop.run_quietly(&words(sandbox, arguments))
}

fn each(workshop: &Workshop, arguments: &[&str]) -> Done {
    each_in(workshop, GITHUB, &[&["--group=never"], arguments].concat())
}

/// What the child wrote, without what federate says.
pub(crate) fn of(text: &str, target: &str) -> Vec<String> {
    let prefix = format!("{target} |");
    text.lines()
        .filter_map(|line| line.strip_prefix(&prefix))
        .map(|line| line.strip_prefix(' ').unwrap_or(line).to_owned())
        .collect()
}

#[test]
fn two_hundred_targets_ask_for_one_token() {
    let workshop = members(200);
    let done = each(&workshop, &["-t", "member-*", "--", "true"]);
    assert_eq!((done.code, done.stdout.as_str()), (0, ""), "{}", done.stderr);
    assert_eq!(done.stderr.matches("sandbox: GitHub ID token for").count(), 1, "{}", done.stderr);
    assert_eq!(done.stderr.matches("sandbox: STS AssumeRoleWithWebIdentity").count(), 200);
    assert!(done.stderr.ends_with("200 of 200 succeeded\n"), "{}", done.stderr);
    assert_eq!(done.stderr.matches("STS is asked at").count(), 1, "said once");
}

#[test]
fn a_cloud_that_throttles_half_of_the_calls_serves_all_in_the_end() {
    let workshop = members(200);
    let done = each_in(&workshop, &["--ci", "github", "--throttle", "0.5"], &["-q", "-t", "member-*", "--", "true"]);
    assert_eq!(done.code, 0, "{}", done.stderr);
    let answers =
        |text: &str| done.stderr.lines().filter(|line| line.contains("sandbox: STS") && line.contains(text)).count();
    assert_eq!((answers(" -> 200 "), answers("ThrottlingException")), (200, 200));
    assert_eq!(done.stderr.matches("sandbox: GitHub ID token for").count(), 1);
}

#[test]
fn each_command_has_its_own_credentials_and_no_others() {
    let mut workshop = members(3);
    workshop.set("FEDERATE_ACCOUNT", "stale").set("AWS_PROFILE", "stale");
    let script = "env | grep -E '^(AWS_(ACCESS_KEY_ID|ACCOUNT_ID|PROFILE|REGION|CONFIG_FILE)|FEDERATE_(TARGET|TARGETS|ACCOUNT|REGION|CREDENTIALS))=' | sort; echo {target} {account} {region}";
    let done = each(&workshop, &["-t", "member-*", "--", "sh", "-c", script]);
    assert_eq!(done.code, 0, "{}", done.stderr);
    let mut keys = BTreeSet::new();
    for number in 0..3 {
        let account = format!("{:012}", 100_000_000_000_u64 + number);
        let target = format!("member-{account}");
        let mut lines = of(&done.stdout, &target);
        keys.insert(lines.remove(0));
        assert_eq!(
            lines,
            [
                format!("AWS_ACCOUNT_ID={account}"),
                "AWS_REGION=eu-west-1".to_owned(),
                format!("FEDERATE_ACCOUNT={account}"),
                "FEDERATE_CREDENTIALS=environment".to_owned(),
                "FEDERATE_REGION=eu-west-1".to_owned(),
                format!("FEDERATE_TARGET={target}"),
                format!("FEDERATE_TARGETS={target}"),
                format!("{target} {account} eu-west-1"),
            ]
        );
    }
    assert!(keys.len() == 3 && keys.iter().all(|key| key.starts_with("AWS_ACCESS_KEY_ID=ASIA")), "{keys:?}");
}

#[test]
fn arguments_keep_every_other_brace() {
    let workshop = members(1);
    let words = ["{target}", "jsonpath='{.items}'", "{targets}", "${target}", "{{account}}", "{}"];
    let done = each(&workshop, &[&["-t", "member-*", "--", "printf", "%s|"], &words[..]].concat());
    let expected = "member-100000000000|jsonpath='{.items}'|{targets}|${target}|{{account}}|{}|";
    assert_eq!(of(&done.stdout, "member-100000000000"), [expected], "{}", done.stderr);
}

#[test]
fn lines_stay_whole_and_go_to_their_stream() {
    let workshop = members(4);
    let script = "i=0; while [ $i -lt 200 ]; do printf 'out %s ' $i; printf 'of {account}\\n'; echo err >&2; i=$((i+1)); done; printf last";
    let done = each(&workshop, &["-q", "-j", "4", "-t", "member-*", "--", "sh", "-c", script]);
    assert_eq!(done.code, 0, "{}", done.stderr);
    for number in 0..4 {
        let target = format!("member-{:012}", 100_000_000_000_u64 + number);
        let lines = of(&done.stdout, &target);
        let expected: Vec<String> =
            (0..200).map(|i| format!("out {i} of {}", &target[7..])).chain(["last".to_owned()]).collect();
        assert_eq!(lines, expected);
        assert_eq!(of(&done.stderr, &target), vec!["err"; 200]);
    }
    assert_eq!(done.stdout.lines().count(), 4 * 201);
}

#[test]
fn what_a_log_obeys_is_not_hidden_behind_a_name() {
    let workshop = members(1);
    let script = "echo '::add-mask::hideme'; echo seen";
    let done = each(&workshop, &["-t", "member-*", "--", "sh", "-c", script]);
    assert_eq!(done.stdout, "::add-mask::hideme\nmember-100000000000 | seen\n", "{}", done.stderr);
}

#[test]
fn a_failure_starts_nothing_more_unless_told_to_go_on() {
    let workshop = members(6);
    let script = "test {account} != 100000000001 || exit 7";
    let done = each(&workshop, &["--jobs", "1", "-t", "member-*", "--", "sh", "-c", script]);
    assert_eq!(done.code, 1, "{}", done.stderr);
    assert!(done.stderr.contains("member-100000000001  exit code 7"), "{}", done.stderr);
    assert!(done.stderr.ends_with("1 of 6 succeeded, 1 failed, 4 not run\n"), "{}", done.stderr);
    let done = each(&workshop, &["--jobs", "1", "--keep-going", "-t", "member-*", "--", "sh", "-c", script]);
    assert_eq!(done.code, 1);
    assert!(done.stderr.ends_with("5 of 6 succeeded, 1 failed\n"), "{}", done.stderr);
    let quiet = each(&workshop, &["-q", "-k", "-t", "member-*", "--", "sh", "-c", script]);
    assert!(quiet.stderr.contains("exit code 7") && !quiet.stderr.contains("] member"), "{}", quiet.stderr);
}

#[test]
fn a_refused_target_stops_all_or_is_left_out() {
    let mut workshop = members(3);
    let base = std::fs::read_to_string(workshop.path("project/profiles/base.toml")).unwrap();
    workshop
        .profile("base", &format!("{base}[targets.member-100000000001]\nallowed_account_ids = [\"999999999999\"]\n"));
    let done = each(&workshop, &["-t", "member-*", "--", "echo", "ran"]);
    assert_eq!((done.code, done.stdout.as_str()), (125, ""), "{}", done.stderr);
    assert!(done.stderr.contains("error[account-not-allowed]"), "{}", done.stderr);
    let done = each(&workshop, &["-k", "-t", "member-*", "--", "echo", "ran"]);
    assert_eq!((done.code, done.stdout.lines().count()), (1, 2), "{}", done.stderr);
    assert!(done.stderr.contains("member-100000000001  no credentials (account-not-allowed)"), "{}", done.stderr);
    // Refused by the cloud, and nobody is left.
    let refused = ["--ci", "github", "--claim", "ref=feature"];
    let done = each_in(&workshop, &refused, &["-k", "-t", "member-*", "--", "echo", "ran"]);
    assert_eq!((done.code, done.stdout.as_str()), (125, ""), "{}", done.stderr);
    assert!(done.stderr.contains("no credentials (aws-access-denied)"), "{}", done.stderr);
    assert_eq!(each_in(&workshop, &refused, &["-t", "member-*", "--", "true"]).code, 125);
    assert!(!done.stderr.contains("\u{1b}[1m"), "no colours outside of a terminal: {}", done.stderr);
}

#[test]
fn failures_before_the_first_command_are_federates_own() {
    let workshop = members(2);
    assert_eq!(each(&workshop, &["-t", "member-*", "--", "no-such-command-anywhere"]).code, 127);
    assert_eq!(each(&workshop, &["-k", "-t", "member-*", "--", "/"]).code, 126);
    for bad in [&["-t", "nobody-*", "--", "true"][..], &["--jobs", "0", "--", "true"], &["-t", "member-*"]] {
        assert_eq!(each(&workshop, bad).code, 125, "{bad:?}");
    }
    let _socket = std::os::unix::net::UnixListener::bind(workshop.path("project/socket")).unwrap();
    for nowhere in ["no/such/folder/s.json", ".", "socket"] {
        let done = each(&workshop, &["--summary", nowhere, "-t", "member-*", "--", "echo", "ran"]);
        assert_eq!((done.code, done.stdout.as_str()), (125, ""), "{}", done.stderr);
        assert!(done.stderr.contains("the summary cannot be written to"), "{}", done.stderr);
        assert!(!done.stderr.contains("sandbox: STS"), "before anything is asked: {}", done.stderr);
    }
}

/// Two subscriptions of one application.
fn subscriptions() -> Workshop {
    let mut workshop = Workshop::new();
    workshop.profile("base", &format!(
        "[targets.member]\ntype = \"azure\"\nmatrix = {{ number = [\"a1\", \"a2\"] }}\ntenant_id = \"00000000-0000-0000-0000-000000000001\"\n\
         client_id = \"00000000-0000-0000-0000-000000000002\"\nsubscription_id = \"00000000-0000-0000-0000-0000000000{{matrix:number}}\"\n{TRUST}"
    ));
    workshop
}

#[test]
fn with_isolate_an_azure_target_has_an_endpoint_and_no_id_token() {
    let workshop = subscriptions();
    let script = "env | grep -c -e eyJ -e ACTIONS_ID_TOKEN -e AZURE_FEDERATED_TOKEN_FILE; \
                  echo $FEDERATE_CREDENTIALS $ARM_SUBSCRIPTION_ID; \
                  case $IDENTITY_ENDPOINT in http://127.0.0.1:*) echo served;; esac; federate whoami -q | grep subscriptions";
    for ci in ["github", "gitlab"] {
        let arguments = ["--group=never", "--isolate", "-t", "member-*", "--", "sh", "-c", script];
        let done = each_in(&workshop, &["--ci", ci], &arguments);
        assert_eq!(done.code, 0, "{}", done.stderr);
        for number in ["a1", "a2"] {
            let id = format!("00000000-0000-0000-0000-0000000000{number}");
            let seen = of(&done.stdout, &format!("member-{number}"));
            assert_eq!(seen[..3], ["0".to_owned(), format!("endpoint {id}"), "served".to_owned()], "{seen:?}");
            assert!(seen[3].contains(&id), "{seen:?}");
        }
    }
    let left = std::fs::read_dir(workshop.path("runtime/federate")).unwrap().count();
    assert_eq!(left, 0, "the private directories are gone");
}

#[test]
fn programs_read_a_summary() {
    let workshop = members(2);
    let file = workshop.path("project/summary.json");
    let script = "test {account} = 100000000000 || kill -TERM $$";
    let path = file.display().to_string();
    let done = each(&workshop, &["-o", "json", "-k", "--summary", &path, "-t", "member-*", "--", "sh", "-c", script]);
    assert_eq!((done.code, done.stdout.as_str()), (1, ""), "{}", done.stderr);
    let last: Value = serde_json::from_str(done.stderr.lines().last().unwrap()).unwrap();
    let written: Value = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    assert_eq!(last["summary"]["targets"], written["targets"]);
    assert_eq!((&written["succeeded"], &written["failed"], &written["exit_code"]), (&1.into(), &1.into(), &1.into()));
    let second = &written["targets"][1];
    assert_eq!((&second["target"], &second["account"]), (&"member-100000000001".into(), &"100000000001".into()));
    assert_eq!(
        (&second["result"], &second["signal"], &second["exit_code"]),
        (&"failed".into(), &15.into(), &143.into())
    );
}

#[test]
fn logs_with_sections_get_sections() {
    let workshop = members(2);
    let words = ["-q", "-t", "member-*", "--", "echo", "{account}"];
    let github = each_in(&workshop, &["--ci", "github"], &words);
    assert_eq!(github.stdout.lines().collect::<BTreeSet<_>>(), BTreeSet::from(["100000000000", "100000000001"]));
    for target in ["::group::member-100000000000\n", "::group::member-100000000001\n"] {
        assert!(github.stderr.contains(target), "{}", github.stderr);
    }
    assert_eq!(github.stderr.matches("::endgroup::\n").count(), 2);
    let gitlab = each_in(&workshop, &["--ci", "gitlab"], &[&["-j", "1"], &words[..]].concat());
    assert_eq!(gitlab.stdout, "100000000000\n100000000001\n");
    let sections = gitlab.stderr.matches("\u{1b}[0Ksection_start:").count();
    assert_eq!((sections, gitlab.stderr.matches("section_end:").count()), (2, 2), "{}", gitlab.stderr);
    assert!(gitlab.stderr.contains(":member-100000000001\r\u{1b}[0Kmember-100000000001\n"), "{}", gitlab.stderr);
    // Outside of any CI the same is asked for by a flag.
    let never = each_in(&workshop, &["--ci", "github"], &[&["--group=never"], &words[..]].concat());
    assert!(!never.stderr.contains("::group::") && never.stdout.contains("member-100000000000 | "), "{}", never.stderr);
}

#[test]
fn a_background_process_does_not_hold_the_run_up() {
    let workshop = members(1);
    let script = "sleep 47 & echo pid $!; exit 0";
    let done = each(&workshop, &["-t", "member-*", "--", "sh", "-c", script]);
    assert_eq!(done.code, 0, "{}", done.stderr);
    assert!(done.stderr.contains("still holds its output"), "{}", done.stderr);
    let pid = of(&done.stdout, "member-100000000000")[0].replace("pid ", "");
    std::process::Command::new("kill").arg(pid).status().unwrap();
}

#[cfg(target_os = "linux")]
#[test]
fn output_that_is_lost_is_no_success() {
    let workshop = members(2);
    for group in ["--group=never", "--group=always"] {
        let words = words(GITHUB, &["-q", group, "-t", "member-*", "--", "echo", "hello"]);
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let done = finish(workshop.command(&words).stdout(full).stderr(Stdio::piped()).output().unwrap());
        assert_eq!(done.code, 1, "{}", done.stderr);
        assert_eq!(done.stderr.matches("stdout is lost\n  cause: No space left").count(), 1, "{}", done.stderr);
    }
}

#[test]
fn signals_reach_every_command_and_what_it_started() {
    let workshop = members(3);
    let script = "sleep 60 & echo pid $! $PPID; wait";
    let mut child = workshop
        .command(&words(GITHUB, &["--group=never", "-t", "member-*", "--", "sh", "-c", script]))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut sleeping = Vec::new();
    let mut federate = String::new();
    while sleeping.len() < 3 {
        let line = lines.next().unwrap().unwrap();
        let (_, pids) = line.split_once("pid ").unwrap();
        let (pid, parent) = pids.split_once(' ').unwrap();
        sleeping.push(pid.to_owned());
        federate = parent.to_owned();
    }
    assert!(std::process::Command::new("kill").args(["-TERM", &federate]).status().unwrap().success());
    let done = finish(child.wait_with_output().unwrap());
    assert_eq!(done.code, 143, "{}", done.stderr);
    assert!(
        done.stderr.contains("signal 15") && done.stderr.ends_with("0 of 3 succeeded, 3 failed\n"),
        "{}",
        done.stderr
    );
    for pid in sleeping {
        let state = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        // A zombie may wait for whoever collects orphans here.
        assert!(state.is_empty() || state.contains(") Z "), "an orphan lives: {state}");
    }
}

#[test]
fn azure_targets_that_differ_in_the_subscription_share_an_exchange() {
    let mut workshop = Workshop::new();
    let ids: Vec<String> = (1..=5).map(|number| format!("\"00000000-0000-0000-0000-0000000000a{number}\"")).collect();
    workshop.profile("base", &format!(
        "[targets.member]\ntype = \"azure\"\nmatrix = {{ subscription = [{}] }}\ntenant_id = \"00000000-0000-0000-0000-000000000001\"\n\
         client_id = \"00000000-0000-0000-0000-000000000002\"\nsubscription_id = \"{{matrix:subscription}}\"\n{TRUST}",
        ids.join(", ")
    ));
    let script = "echo $ARM_SUBSCRIPTION_ID {account}; test -s $AZURE_FEDERATED_TOKEN_FILE";
    let done = each(&workshop, &["-t", "member-*", "--", "sh", "-c", script]);
    assert_eq!(done.code, 0, "{}", done.stderr);
    assert_eq!(done.stderr.matches("sandbox: Entra token").count(), 1, "{}", done.stderr);
    for id in ids.iter().map(|id| id.trim_matches('"')) {
        assert_eq!(of(&done.stdout, &format!("member-{id}")), [format!("{id} {id}")]);
    }
    let region = each(&workshop, &["-t", "member-*", "--", "echo", "{region}"]);
    assert_eq!((region.code, region.stdout.as_str()), (125, ""));
    assert!(region.stderr.contains("has no region") && !region.stderr.contains("sandbox: Entra"), "{}", region.stderr);
}

#[test]
fn standard_input_is_for_one_command_at_a_time() {
    let workshop = members(1);
    let feed = |jobs: &str| {
        let mut child = workshop
            .command(&words(GITHUB, &["-q", "--group=never", "-j", jobs, "-t", "member-*", "--", "cat"]))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        std::io::Write::write_all(&mut child.stdin.take().unwrap(), b"fed\n").unwrap();
        finish(child.wait_with_output().unwrap()).stdout
    };
    assert_eq!(feed("1"), "member-100000000000 | fed\n");
    assert_eq!(feed("2"), "");
}

#[test]
fn nothing_secret_shows() {
    let sts = Canned::answering(sts_success());
    let mut workshop = Workshop::gitlab_aws(&sts.url);
    let base = std::fs::read_to_string(workshop.path("project/profiles/base.toml")).unwrap();
    let matrix = base.replace("[targets.aws]\n", "[targets.aws]\nmatrix = { number = [1, 2, 3] }\n");
    workshop.profile("base", &matrix);
    let words =
        ["each", "-vv", "--summary", "s.json", "-t", "aws-*", "--", "sh", "-c", "test -n \"$AWS_SECRET_ACCESS_KEY\""];
    let done = workshop.run_quietly(&words);
    assert_eq!(done.code, 0, "{}", done.stderr);
    let summary = std::fs::read_to_string(workshop.path("project/s.json")).unwrap();
    assert!(!summary.contains(SECRET_KEY) && !summary.contains(SESSION_TOKEN), "{summary}");
}

#[test]
fn az_is_logged_in_for_each_target_in_a_place_of_its_own() {
    use std::os::unix::fs::PermissionsExt as _;
    let mut workshop = Workshop::new();
    workshop.profile("base", &format!(
        "[targets.member]\ntype = \"azure\"\nmatrix = {{ number = [1, 2] }}\ntenant_id = \"00000000-0000-0000-0000-000000000001\"\n\
         client_id = \"00000000-0000-0000-0000-00000000000{{matrix:number}}\"\n{TRUST}"
    ));
    let bin = workshop.path("home/bin");
    std::fs::create_dir(&bin).unwrap();
    std::fs::write(bin.join("az"), "#!/bin/sh\necho \"az $1\"; echo \"$*\" >> \"$AZURE_CONFIG_DIR/said\"\n").unwrap();
    std::fs::set_permissions(bin.join("az"), std::fs::Permissions::from_mode(0o755)).unwrap();
    workshop.set("PATH", &format!("{}:/usr/local/bin:/usr/bin:/bin", bin.display()));
    let script = "grep -c 'login.*00000000000'{target} $AZURE_CONFIG_DIR/said | head -1; grep -o '@.*azure-token' $AZURE_CONFIG_DIR/said | wc -l";
    let done = each(
        &workshop,
        &["--az-login", "-t", "member-*", "--", "sh", "-c", &script.replace("{target}", "${FEDERATE_TARGET#member-}")],
    );
    assert_eq!(done.code, 0, "{}", done.stderr);
    for target in ["member-1", "member-2"] {
        assert_eq!(of(&done.stdout, target), ["1", "1"], "{}", done.stderr);
        assert!(of(&done.stderr, target).contains(&"az login".to_owned()), "{}", done.stderr);
    }
}
