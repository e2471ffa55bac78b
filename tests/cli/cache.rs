//! The cache of `credential-process`: one exchange for many calls, nothing in clear, and nothing for a call that differs.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Child, Stdio};

use federate_core::testing::jwt;
use linux_keyutils::{KeyRing, KeyRingIdentifier};
use serde_json::{Value, json};

use crate::support::{Canned, Done, SECRET_KEY, SESSION_TOKEN, Workshop, finish, gitlab_claims, sts_success, with};

/// A job with a cache, whose key goes when the test is over.
struct Cached {
    sts: Canned,
    workshop: Workshop,
}

impl Cached {
    /// `None` where this machine does not allow the kernel keyring: what happens then is tested on its own.
    fn new() -> Option<Self> {
        if KeyRing::from_special_id(KeyRingIdentifier::Session, false).is_err() {
            return None;
        }
        let sts = Canned::answering(sts_success());
        let mut workshop = Workshop::gitlab_aws(&sts.url);
        workshop.set("FEDERATE_CACHE", "always");
        Some(Self { sts, workshop })
    }

    fn call(&self, arguments: &[&str]) -> Done {
        let done = self.workshop.run(&[&["credential-process"], arguments].concat());
        assert_eq!(done.code, 0, "{}", done.stderr);
        assert!(done.stdout.contains(SECRET_KEY), "{}", done.stdout);
        done
    }

    fn exchanges(&self) -> usize {
        self.sts.requests().len()
    }

    fn folder(&self) -> PathBuf {
        self.workshop.path("runtime/federate/cache")
    }

    fn files(&self) -> Vec<PathBuf> {
        std::fs::read_dir(self.folder()).into_iter().flatten().map(|file| file.unwrap().path()).collect()
    }

    fn listed(&self) -> Value {
        let done = self.workshop.run_quietly(&["cache", "list", "-o", "json"]);
        assert_eq!(done.code, 0, "{}", done.stderr);
        serde_json::from_str(&done.stdout).unwrap()
    }
}

impl Drop for Cached {
    fn drop(&mut self) {
        let _ = self.workshop.command(&["cache", "clear"]).output();
    }
}

#[test]
fn fifty_calls_at_once_make_one_exchange() {
    let Some(cached) = Cached::new() else { return };
    let start = || {
        let mut command = cached.workshop.command(&["credential-process"]);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let calls: Vec<Child> = (0..50).map(|_| start()).collect();
    for call in calls {
        let done = finish(call.wait_with_output().unwrap());
        assert!(done.code == 0 && done.stderr.is_empty(), "{}", done.stderr);
        assert!(done.stdout.contains(SECRET_KEY) && done.stdout.contains(SESSION_TOKEN), "{}", done.stdout);
    }
    assert_eq!(cached.exchanges(), 1);
    assert_eq!(cached.files().len(), 1, "one entry, and no lock is left: {:?}", cached.files());
}

#[test]
fn an_entry_shows_nothing_to_whoever_reads_the_files() {
    let Some(cached) = Cached::new() else { return };
    cached.call(&[]);
    let [entry] = &cached.files()[..] else { panic!("{:?}", cached.files()) };
    let bytes = std::fs::read(entry).unwrap();
    for canary in [SECRET_KEY, SESSION_TOKEN, "ASIAEXAMPLEKEYID0001", "111122223333", "quarry-street", "aws"] {
        assert!(!bytes.windows(canary.len()).any(|part| part == canary.as_bytes()), "{canary}");
    }
    assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(cached.folder().metadata().unwrap().permissions().mode() & 0o777, 0o700);
    let listed = cached.listed();
    let first = &listed["entries"][0];
    assert_eq!((&first["target"], &first["profile"], &first["usable"]), (&json!("aws"), &json!("base"), &json!(true)));
    assert_eq!(first["expires"], "2099-05-04T12:00:00Z");
    let text = cached.workshop.run_quietly(&["cache", "list"]);
    assert_eq!(text.stdout, "base aws (aws) until 2099-05-04T12:00:00Z\n");
}

#[test]
fn it_is_off_in_ci_and_on_elsewhere() {
    let Some(mut cached) = Cached::new() else { return };
    cached.workshop.unset("FEDERATE_CACHE");
    cached.call(&[]);
    cached.call(&[]);
    assert_eq!((cached.exchanges(), cached.files().len()), (2, 0));
    cached.call(&["--cache"]);
    cached.call(&["--cache"]);
    assert_eq!(cached.exchanges(), 3);
    // A machine of one's own, with a token that somebody put there.
    cached
        .workshop
        .unset("CI")
        .unset("GITLAB_CI")
        .set("FEDERATE_SET", "identity=gitlab\ntargets.aws.session_name=mine");
    cached.call(&[]);
    cached.call(&[]);
    assert_eq!(cached.exchanges(), 4);
    cached.call(&["--cache=never"]);
    assert_eq!(cached.exchanges(), 5);
    cached.workshop.set("FEDERATE_CACHE", "0");
    cached.call(&[]);
    assert_eq!(cached.exchanges(), 6);
}

#[test]
fn whatever_decides_the_result_makes_another_entry() {
    let Some(mut cached) = Cached::new() else { return };
    cached.call(&[]);
    let mut made = 1;
    for setting in [
        "targets.aws.role_arn=arn:aws:iam::111122223333:role/other",
        "targets.aws.region=eu-central-1",
        "targets.aws.session_name=other",
        "targets.aws.duration=2h",
        "targets.aws.policy_arns=[\"arn:aws:iam::aws:policy/ReadOnlyAccess\"]",
        "targets.aws.allowed_account_ids=[\"111122223333\"]",
        "network.max_tries=2",
    ] {
        cached.call(&["--set", setting]);
        cached.call(&["--set", setting]);
        made += 1;
        assert_eq!(cached.exchanges(), made, "{setting}");
    }
    for (name, value) in [("NO_PROXY", "x"), ("SSL_CERT_DIR", "/nonexistent"), ("FEDERATE_ALLOWED_HOSTS", "x.example")]
    {
        cached.workshop.set(name, value);
        cached.call(&[]);
        cached.call(&[]);
        made += 1;
        assert_eq!(cached.exchanges(), made, "{name}");
        cached.workshop.unset(name);
    }
    for (claim, value, is_another) in [
        ("sub", json!("project_path:quarry-street/ledger:ref_type:branch:ref:other"), true),
        ("job_id", json!("302912"), true),
        ("jti", json!("another"), false),
        ("exp", json!(crate::support::now() + 7200), false),
    ] {
        let token = jwt(&with(gitlab_claims(), json!({ claim: value })));
        cached.workshop.set("AWS_ID_TOKEN", &token);
        cached.call(&[]);
        cached.call(&[]);
        made += usize::from(is_another);
        assert_eq!(cached.exchanges(), made, "{claim}");
    }
    cached.workshop.gitlab_job();
    cached.call(&[]);
    assert_eq!(cached.exchanges(), made, "the first entry is still there");
}

#[test]
fn a_policy_that_came_later_forbids_what_is_kept() {
    let Some(cached) = Cached::new() else { return };
    cached.call(&[]);
    let home = cached.workshop.path("home/.config/federate");
    std::fs::create_dir_all(&home).unwrap();
    std::fs::write(home.join("config.toml"), "[policy]\nallowed_account_ids = [\"444455556666\"]\n").unwrap();
    let done = cached.workshop.run_quietly(&["credential-process"]);
    assert!(done.code == 4 && done.stderr.contains("error[account-not-allowed]"), "{}", done.stderr);
}

#[test]
fn damaged_and_foreign_entries_are_passed_over_and_replaced() {
    let Some(cached) = Cached::new() else { return };
    cached.call(&[]);
    let entry = cached.files().remove(0);
    let good = std::fs::read(&entry).unwrap();
    let mut exchanges = 1;
    let mut replaced = |why: &str, expected: &str| {
        let said = cached.call(&["-v"]).stderr;
        exchanges += 1;
        assert_eq!(cached.exchanges(), exchanges, "{why}");
        assert!(said.contains("an entry of the cache is not used") && said.contains(expected), "{why}: {said}");
        cached.call(&[]);
        assert_eq!(cached.exchanges(), exchanges, "{why}: it is good again");
    };
    for at in [0, 9, 20, 30, good.len() - 1] {
        let mut bad = good.clone();
        bad[at] ^= 1;
        std::fs::write(&entry, bad).unwrap();
        replaced(&format!("byte {at}"), if at == 9 { "another session" } else { "damaged" });
    }
    std::fs::write(&entry, "").unwrap();
    replaced("empty", "damaged");
    std::fs::set_permissions(&entry, std::fs::Permissions::from_mode(0o644)).unwrap();
    replaced("mode", "mode 644");
    let elsewhere = cached.workshop.path("elsewhere");
    std::fs::rename(&entry, &elsewhere).unwrap();
    std::os::unix::fs::symlink(&elsewhere, &entry).unwrap();
    replaced("link", "cannot be opened");
    assert!(entry.symlink_metadata().unwrap().is_file() && elsewhere.exists());
}

#[test]
fn a_lost_key_costs_one_exchange() {
    let Some(cached) = Cached::new() else { return };
    cached.call(&[]);
    let key = cached.listed()["key"].as_str().unwrap().to_owned();
    let keyring = KeyRing::from_special_id(KeyRingIdentifier::Session, false).unwrap();
    keyring.search(&key).unwrap().invalidate().unwrap();
    let listed = cached.listed();
    assert_eq!((&listed["entries"][0]["target"], &listed["entries"][0]["usable"]), (&Value::Null, &json!(false)));
    cached.call(&[]);
    cached.call(&[]);
    assert_eq!((cached.exchanges(), cached.files().len()), (2, 2));
    assert!(cached.workshop.run(&["cache", "list"]).stdout.contains("another session's, or damaged"));
}

#[test]
fn an_unsafe_directory_is_not_used() {
    let Some(cached) = Cached::new() else { return };
    cached.call(&[]);
    std::fs::set_permissions(cached.folder(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let said = cached.call(&["-v"]).stderr;
    assert!(said.contains("nothing is kept for the next call") && said.contains("mode 0700"), "{said}");
    assert_eq!(cached.call(&[]).stderr, "", "silent on success without -v");
    assert_eq!(cached.exchanges(), 3);
    for command in [["cache", "list"], ["cache", "clear"]] {
        let refused = cached.workshop.run_quietly(&command);
        assert!(refused.code == 2 && refused.stderr.contains("error[cache-unusable]"), "{}", refused.stderr);
    }
    std::fs::remove_dir_all(cached.folder()).unwrap();
    std::os::unix::fs::symlink(cached.workshop.path("home"), cached.folder()).unwrap();
    cached.call(&[]);
    assert_eq!(std::fs::read_dir(cached.workshop.path("home")).unwrap().count(), 0);
    std::fs::remove_file(cached.folder()).unwrap();
}

#[test]
fn clear_leaves_neither_entries_nor_key() {
    let Some(cached) = Cached::new() else { return };
    cached.call(&[]);
    cached.call(&["--set", "targets.aws.session_name=other"]);
    let key = cached.listed()["key"].as_str().unwrap().to_owned();
    let cleared = cached.workshop.run_quietly(&["cache", "clear"]);
    assert!(cleared.code == 0 && cleared.stderr.contains("removed 2 entries"), "{}", cleared.stderr);
    assert!(cached.files().is_empty() && cleared.stdout.is_empty());
    let keyring = KeyRing::from_special_id(KeyRingIdentifier::Session, false).unwrap();
    assert!(keyring.search(&key).is_err());
    cached.call(&[]);
    assert_eq!(cached.exchanges(), 3);
}

/// An STS that never answers the first caller, and everyone after it at once.
fn slow_at_first() -> (String, std::sync::mpsc::Receiver<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (sender, arrivals) = std::sync::mpsc::channel();
    // Ends with the test process.
    std::thread::spawn(move || {
        let mut held = Vec::new();
        for (number, mut stream) in listener.incoming().flatten().enumerate() {
            let mut head = [0_u8; 4096];
            let _ = stream.read(&mut head);
            let _ = sender.send(());
            if number == 0 {
                held.push(stream);
            } else {
                let _ = stream.write_all(sts_success().as_bytes());
            }
        }
    });
    (url, arrivals)
}

#[test]
fn a_call_that_was_killed_holds_nobody_up() {
    let Some(mut cached) = Cached::new() else { return };
    let (url, arrivals) = slow_at_first();
    cached.workshop.profile("base", &crate::support::aws_base(&url));
    let mut killed = cached.workshop.command(&["credential-process"]).stdout(Stdio::null()).spawn().unwrap();
    arrivals.recv().unwrap();
    let mut waiting = cached.workshop.command(&["credential-process"]);
    let waiting = waiting.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    killed.kill().unwrap();
    killed.wait().unwrap();
    let done = finish(waiting.wait_with_output().unwrap());
    assert!(done.code == 0 && done.stdout.contains(SECRET_KEY), "{}", done.stderr);
    cached.call(&[]);
    assert_eq!((arrivals.try_iter().count(), cached.files().len()), (1, 1));
}

#[test]
fn a_refusal_is_not_kept() {
    let Some(mut cached) = Cached::new() else { return };
    let refusing = Canned::answering(crate::support::sts_error("403 Forbidden", "AccessDenied", "no"));
    let settings = format!("targets.aws.endpoint_url={}", refusing.url);
    cached.workshop.set("FEDERATE_SET", &settings);
    for _ in 0..2 {
        let done = cached.workshop.run_quietly(&["credential-process"]);
        assert!(done.code == 4 && done.stderr.contains("error[aws-access-denied]"), "{}", done.stderr);
    }
    assert!(refusing.requests().len() == 2 && cached.files().is_empty());
}

#[test]
fn a_hit_asks_nobody_and_is_masked_all_the_same() {
    let Some(cached) = Cached::new() else { return };
    let script = "federate credential-process -t aws --cache >/dev/null && federate credential-process -t aws --cache >/dev/null";
    let runtime = cached.workshop.path("runtime");
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_federate"))
        .args(["sandbox", "--ci", "github", "--", "sh", "-c", script])
        .env_clear()
        .env("HOME", cached.workshop.path("home"))
        .env("XDG_RUNTIME_DIR", &runtime)
        .env("PATH", "/usr/bin:/bin")
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
        .output()
        .unwrap();
    let done = finish(output);
    assert_eq!(done.code, 0, "{}", done.stderr);
    for asked in ["AssumeRoleWithWebIdentity", "GitHub ID token for"] {
        assert_eq!(done.stderr.matches(asked).count(), 1, "{asked}: {}", done.stderr);
    }
    // The ID token once, secret key and session token by each call.
    assert_eq!(done.stderr.matches("::add-mask::").count(), 5, "{}", done.stderr.lines().count());
}
