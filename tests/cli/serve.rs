//! `exec --serve` and `serve`: credentials that do not run out.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::served::{Served, eventually, federate, get, in_sandbox, lives, private, say};
use crate::support::finish;

fn seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

fn unix(text: &str) -> u64 {
    humantime::parse_rfc3339(text).unwrap().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

#[test]
fn credentials_that_live_seconds_are_renewed_and_never_over() {
    for ci in ["gitlab", "github"] {
        let served = Served::exec(&["--ci", ci, "--credential-lifetime", "3s", "-p", "dev"], &["--serve"]);
        let (mut keys, mut accesses) = (BTreeSet::new(), BTreeSet::new());
        for _ in 0..200 {
            let (status, document) = served.container();
            assert_eq!(status, 200, "{document}");
            assert!(unix(document["Expiration"].as_str().unwrap()) >= seconds(), "{document}");
            assert_eq!(document["AccountId"], "111122223333");
            assert_eq!(document["RoleArn"], "arn:aws:iam::111122223333:role/ledger-deploy");
            keys.insert(document["AccessKeyId"].as_str().unwrap().to_owned());
            let (status, document) = served.identity("https://vault.azure.net");
            assert_eq!(status, 200, "{document}");
            assert!(document["expires_on"].as_str().unwrap().parse::<u64>().unwrap() >= seconds(), "{document}");
            assert_eq!(document["client_id"], "00000000-0000-0000-0000-000000000002");
            accesses.insert(document["access_token"].as_str().unwrap().to_owned());
            if keys.len() > 3 && accesses.len() > 3 {
                break;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        assert!(keys.len() > 3 && accesses.len() > 3, "{} and {}", keys.len(), accesses.len());
        let done = served.finish();
        assert_eq!(done.code, 0, "{}", done.stderr);
        assert_eq!(done.stderr.matches("not at AWS's own endpoint").count(), 1, "said once: {}", done.stderr);
        assert_eq!(done.stderr.contains("this job can renew until"), ci == "gitlab", "{}", done.stderr);
    }
}

#[test]
fn tokens_that_live_seconds_are_issued_again() {
    let sandbox = ["--ci", "github", "--token-lifetime", "2s", "--credential-lifetime", "3s", "-p", "dev"];
    let served = Served::exec(&sandbox, &["--serve"]);
    assert!(served.get("ARM_OIDC_REQUEST_URL").contains("/github/token"), "a CI that can be asked is asked");
    let file = served.get("AZURE_FEDERATED_TOKEN_FILE").to_owned();
    let first = std::fs::read_to_string(&file).unwrap();
    eventually("the token file is rewritten", || std::fs::read_to_string(&file).unwrap() != first);
    let mut keys = BTreeSet::new();
    while keys.len() < 4 {
        let (status, document) = served.container();
        assert_eq!(status, 200, "{document}");
        keys.insert(document["AccessKeyId"].as_str().unwrap().to_owned());
        std::thread::sleep(Duration::from_millis(200));
    }
    assert_eq!(served.finish().code, 0);
}

#[test]
fn the_error_shows_when_the_only_token_is_over_and_no_success_is_empty() {
    let sandbox = ["--token-lifetime", "2s", "--credential-lifetime", "3s", "-p", "dev"];
    let served = Served::exec(&sandbox, &["--serve", "-t", "aws"]);
    assert_eq!(served.container().0, 200);
    // The token is still taken for half a minute after its end, by a cloud whose clock may differ; this one's does not.
    eventually("the error shows", || served.container().0 == 503);
    let (status, document) = served.container();
    assert_eq!((status, document["AccessKeyId"].is_null()), (503, true), "{document}");
    assert!(document["message"].as_str().unwrap().contains("federate has no credentials"), "{document}");
    let done = served.finish();
    assert!(done.stderr.contains("cannot be renewed yet, and last until"), "{}", done.stderr);
    assert!(done.stderr.contains("have ended and cannot be renewed"), "{}", done.stderr);
}

#[test]
fn an_isolated_child_gets_azure_by_the_endpoint_alone() {
    for ci in ["gitlab", "github"] {
        let served = Served::exec(&["--ci", ci, "-p", "dev"], &["--isolate", "-t", "azure"]);
        for name in ["AZURE_FEDERATED_TOKEN_FILE", "ARM_OIDC_TOKEN_FILE_PATH", "ACTIONS_ID_TOKEN_REQUEST_URL"] {
            assert!(!served.variables.contains_key(name), "{name}");
        }
        assert!(!served.variables.values().any(|value| value.starts_with("eyJ")), "an ID token is in the environment");
        let directory = std::path::Path::new(served.get("FEDERATE_ENDPOINT_TOKEN_FILE")).parent().unwrap();
        for file in std::fs::read_dir(directory).unwrap().flatten() {
            assert!(!std::fs::read_to_string(file.path()).unwrap().contains("eyJ"), "an ID token is in {file:?}");
        }
        for resource in
            ["https://vault.azure.net", "https://management.core.windows.net/", "https://graph.microsoft.com"]
        {
            let (status, document) = served.identity(resource);
            assert_eq!(
                (status, &document["resource"], &document["token_type"]),
                (200, &resource.into(), &"Bearer".into())
            );
        }
        assert_eq!(served.identity("https://unknown.example").0, 503);
        // What Terraform asks for, and what would open another cloud.
        let (host, path) = served.place("ARM_OIDC_REQUEST_URL");
        let bearer = format!("Authorization: Bearer {}", served.get("ARM_OIDC_REQUEST_TOKEN"));
        let ask = |audience: &str| get(&host, &format!("{path}&audience={audience}"), &[&bearer]);
        let (status, document) = ask("api%3A%2F%2FAzureADTokenExchange");
        assert!(status == 200 && document["value"].as_str().unwrap().starts_with("eyJ"), "{document}");
        assert_eq!(ask("sts.amazonaws.com").0, 400);
        assert_eq!(served.finish().code, 0);
    }
}

#[test]
fn several_roles_are_profiles_that_ask() {
    let runtime = tempfile::tempdir().unwrap();
    std::fs::create_dir(runtime.path().join(".aws")).unwrap();
    let user = "[default]\naws_access_key_id = AKIAFOREIGN\naws_secret_access_key = foreign\noutput = json\n[profile audit]\nrole_arn = foreign\nretry_mode = adaptive\n";
    std::fs::write(runtime.path().join(".aws/config"), user).unwrap();
    let audit = "targets.audit={ type = \"aws\", role_arn = \"arn:aws:iam::444455556666:role/audit\", region = \"us-east-1\", trust = { allow = [{ identity = \"gitlab\", project = \"quarry-street/ledger\", branch_pattern = \"*\" }] } }";
    let script = "env; echo; exec cat";
    let command =
        ["--set", audit, "exec", "-p", "dev", "--serve", "-t", "aws", "-t", "audit", "--", "sh", "-c", script];
    let arguments = [&["--set", audit][..], &in_sandbox(&["-p", "dev"], &command)].concat();
    let served = Served::start_in(runtime, &arguments);
    let config = std::fs::read_to_string(served.get("AWS_CONFIG_FILE")).unwrap();
    assert!(!config.contains("foreign") && !config.contains("FOREIGN"), "{config}");
    assert!(config.contains("output = json") && config.contains("retry_mode = adaptive"), "{config}");
    assert_eq!(std::fs::read_to_string(served.get("AWS_SHARED_CREDENTIALS_FILE")).unwrap(), "");
    assert!(!served.variables.contains_key("AWS_ACCESS_KEY_ID"));
    assert_eq!(served.container().1["AccountId"], "111122223333", "the first one is what a plain SDK gets");
    for (name, account) in [("aws", "111122223333"), ("audit", "444455556666")] {
        let section = config.split(&format!("[profile {name}]\n")).nth(1).unwrap();
        let line = section.lines().find_map(|line| line.strip_prefix("credential_process = ")).unwrap();
        assert!(!line.contains(served.get("AWS_CONTAINER_AUTHORIZATION_TOKEN")), "the secret is not in argv: {line}");
        let printed = Command::new("sh").args(["-c", line]).env_clear().output().unwrap();
        let document: serde_json::Value = serde_json::from_slice(&printed.stdout).unwrap();
        assert_eq!((&document["Version"], &document["AccountId"]), (&1.into(), &account.into()), "{document}");
        assert!(document["SessionToken"].is_string() && printed.stderr.is_empty());
    }
    assert_eq!(served.finish().code, 0);
}

#[test]
fn whoami_inside_reports_what_the_endpoint_hands_out() {
    let home = tempfile::tempdir().unwrap();
    let command = ["exec", "-p", "prod", "--serve", "--", "federate", "whoami"];
    let done = finish(federate(home.path(), &in_sandbox(&[], &command)).output().unwrap());
    assert_eq!(done.code, 0, "{}", done.stderr);
    assert!(done.stdout.contains("aws: arn:aws:sts::333344445555:assumed-role/ledger-deploy/prod-"), "{}", done.stdout);
    assert!(done.stdout.contains("azure: application 00000000-0000-0000-0000-000000000022"), "{}", done.stdout);
}

/// Whether the child of `exec` got an endpoint.
fn is_served(sandbox: &[&str], exec: &[&str]) -> (bool, String) {
    let home = tempfile::tempdir().unwrap();
    let command = [exec, &["--", "sh", "-c", "echo \"${AWS_CONTAINER_CREDENTIALS_FULL_URI:-plain}\""]].concat();
    let done = finish(federate(home.path(), &in_sandbox(sandbox, &command)).output().unwrap());
    assert_eq!(done.code, 0, "{}", done.stderr);
    (done.stdout.trim() != "plain", done.stderr)
}

#[test]
fn the_simplest_way_that_lasts_is_taken() {
    let exec = |more: &[&'static str]| [&["exec", "-p", "dev", "-t", "aws"], more].concat();
    for (more, expected) in [
        (&[][..], false),
        (&["--serve"], true),
        (&["--expect-duration", "30m"], false),
        (&["--expect-duration", "2h"], true),
        (&["--set", "serve=never", "--expect-duration", "2h"], false),
        (&["--set", "serve=auto"], false),
        (&["--set", "serve=auto", "--expect-duration", "2h"], true),
        (&["--set", "serve=always"], true),
    ] {
        let (is_served, stderr) = is_served(&[], &exec(more));
        assert_eq!(is_served, expected, "{more:?}: {stderr}");
        assert_eq!(stderr.contains("nothing renews them"), more.contains(&"serve=never"), "{more:?}: {stderr}");
    }
    // The job's time-out, which GitLab tells the job.
    let script = |timeout: &str| {
        format!(
            "CI_JOB_TIMEOUT={timeout} exec federate exec -p dev -t aws --set serve=auto -- sh -c 'echo \"${{AWS_CONTAINER_CREDENTIALS_FULL_URI:-plain}}\"'"
        )
    };
    for (timeout, expected) in [("600", "plain"), ("7200", "http://127.0.0.1:")] {
        let home = tempfile::tempdir().unwrap();
        let done = finish(federate(home.path(), &["sandbox", "--", "sh", "-c", &script(timeout)]).output().unwrap());
        assert!(done.stdout.starts_with(expected), "{timeout}: {} {}", done.stdout, done.stderr);
    }
    let home = tempfile::tempdir().unwrap();
    let done = finish(federate(home.path(), &["--set", "serve=sometimes", "plan"]).output().unwrap());
    assert_eq!(done.code, 2);
    assert!(done.stderr.contains("never, auto, always"), "{}", done.stderr);
}

#[test]
fn the_jobs_time_out_is_named_as_the_end() {
    let script = "CI_JOB_TIMEOUT=3600 exec federate exec -p dev -t aws --serve -- true";
    let home = tempfile::tempdir().unwrap();
    let done = finish(federate(home.path(), &["sandbox", "--", "sh", "-c", script]).output().unwrap());
    assert!(done.stderr.contains("Z, the job's time-out (target aws)"), "{}", done.stderr);
}

#[test]
fn serve_prints_the_way_and_ends_when_nobody_asks() {
    let home = tempfile::tempdir().unwrap();
    let (pid, ready) = (home.path().join("pid"), home.path().join("ready"));
    // The shell's substitution ends although the endpoint goes on: it lets go of stdout.
    let script = format!(
        "eval \"$(federate serve -p dev --idle-exit 2s --pid-file {} --ready-fd 3 3>{} &)\"; env; echo; exec cat",
        pid.display(),
        ready.display()
    );
    let served = Served::start_in(home, &["sandbox", "-p", "dev", "--", "sh", "-c", &script]);
    // The variables are printed first.
    let told = || std::fs::read_to_string(&ready).unwrap_or_default();
    for _ in 0..200 {
        if told().ends_with('\n') {
            break;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    let origin = told();
    let host = served.place("AWS_CONTAINER_CREDENTIALS_FULL_URI").0;
    assert_eq!(origin, format!("ready http://{host}\n"));
    let process = std::fs::read_to_string(&pid).unwrap().trim().to_owned();
    assert!(lives(&process));
    for _ in 0..8 {
        assert_eq!(served.container().0, 200);
        assert_eq!(served.identity("https://vault.azure.net").0, 200);
        std::thread::sleep(Duration::from_millis(500));
    }
    // Whoever only looks whether it is there does not keep it.
    eventually("it ends", || {
        let _ = std::net::TcpStream::connect(&host).is_ok() && get(&host, "/healthz", &[]).0 == 200;
        !lives(&process)
    });
    assert!(!pid.exists(), "the pid file was left behind");
    let secret = served.get("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE").to_owned();
    assert!(!std::path::Path::new(&secret).exists(), "the token file was left behind");
    assert_eq!(served.finish().code, 0);
}

#[test]
fn serve_writes_for_ci_systems_masks_its_secret_and_ends_well_when_told_to() {
    let script = "federate serve -p dev -t aws --write -f github --ready-fd 3 3>ready-file & wait_for() { while [ ! -s ready-file ]; do sleep 0.1; done; }; \
                  cd \"$HOME\"; wait_for; cat \"$GITHUB_ENV\" >seen; kill -TERM $!; wait $!";
    let home = tempfile::tempdir().unwrap();
    let script = format!(
        "cd \"$HOME\"; FEDERATE_PROFILES_DIR={}/profiles; export FEDERATE_PROFILES_DIR; {script}",
        env!("CARGO_MANIFEST_DIR").to_owned() + "/../.."
    );
    let done = finish(
        federate(home.path(), &["sandbox", "--ci", "github", "-p", "dev", "--", "sh", "-c", &script]).output().unwrap(),
    );
    assert_eq!((done.code, done.stdout.as_str()), (0, ""), "{}", done.stderr);
    let seen = std::fs::read_to_string(home.path().join("seen")).unwrap();
    let secret =
        seen.lines().skip_while(|line| !line.starts_with("AWS_CONTAINER_AUTHORIZATION_TOKEN<<")).nth(1).unwrap();
    assert!(secret.len() >= 32 && done.stderr.contains(&format!("::add-mask::{secret}")), "{}", done.stderr);
    assert_eq!(private(home.path()), Vec::<std::path::PathBuf>::new());
    for (arguments, expected) in [
        (&["serve", "-f", "gitlab"][..], "a dotenv report is for later jobs"),
        (&["serve", "--ready-fd", "77"], "--ready-fd 77 cannot be written to"),
        (&["serve", "--ready-fd", "1"], "--ready-fd 1 is where the variables go"),
        (&["serve", "--pid-file", "no/such/folder/pid"], "the pid file no/such/folder/pid cannot be written"),
        (&["serve", "--pid-file", "."], "the pid file . cannot be written"),
    ] {
        let done = finish(federate(home.path(), arguments).output().unwrap());
        assert!(done.code == 2 && done.stderr.contains(expected), "{expected}: {}", done.stderr);
    }
}

#[test]
fn the_secret_is_in_a_private_file_and_in_no_argv() {
    let served = Served::exec(&["-p", "dev"], &["--serve"]);
    let file = served.get("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE");
    assert_eq!(std::fs::metadata(file).unwrap().permissions().mode() & 0o777, 0o600);
    let secret = served.get("AWS_CONTAINER_AUTHORIZATION_TOKEN").to_owned();
    assert_eq!(std::fs::read_to_string(file).unwrap(), secret, "without a newline");
    for process in [served.get("FEDERATE_PID"), served.get("CHILD_PID"), &served.pid().to_string()] {
        let line = std::fs::read(format!("/proc/{process}/cmdline")).unwrap();
        assert!(!String::from_utf8_lossy(&line).contains(&secret));
    }
    assert_eq!(served.finish().code, 0);
}

#[test]
fn refused_without_harm() {
    let served = Served::exec(&["-p", "dev"], &["--serve"]);
    let (host, path) = served.place("AWS_CONTAINER_CREDENTIALS_FULL_URI");
    let secret = format!("Authorization: {}", served.get("AWS_CONTAINER_AUTHORIZATION_TOKEN"));
    let long = format!("X-Long: {}", "x".repeat(20_000));
    let request = |line: &str, headers: &[&str]| {
        let headers: String = headers.iter().map(|header| format!("{header}\r\n")).collect();
        say(&host, format!("{line} HTTP/1.1\r\nConnection: close\r\n{headers}\r\n").as_bytes())
    };
    let own = format!("Host: {host}");
    let line = format!("GET {path}");
    for (answer, expected) in [
        (request(&line, &[&own]), 401),
        (request(&line, &[&own, "Authorization: wrong"]), 401),
        (request(&line, &[&own, "Authorization:"]), 401),
        (request(&line, &["Host: evil.test", &secret]), 403),
        (request(&line, &["Host: 127.0.0.1", &secret]), 403),
        (request(&line, &[&secret]), 403),
        (request(&line, &[&own, "Host: evil.test", &secret]), 400),
        (request(&line, &[&own, &secret, "Origin: http://evil.test"]), 403),
        (request(&format!("POST {path}"), &[&own, &secret]), 405),
        (request(&format!("OPTIONS {path}"), &[&own, "Origin: http://evil.test"]), 405),
        (request(&format!("HEAD {path}"), &[&own, &secret]), 405),
        (request(&format!("GET http://evil.test{path}"), &[&own, &secret]), 400),
        (request(&format!("POST {path}"), &[&own, &secret, "Content-Length: 3"]), 413),
        (request(&line, &[&own, &secret, &long]), 431),
        (request(&format!("GET {path}/../../x"), &[&own, &secret]), 404),
        (request(&format!("GET {path}?x=1"), &[&own, &secret]), 400),
        (request("GET /aws/other/credentials", &[&own, &secret]), 404),
        (request("GET /azure/aws/credentials", &[&own, &secret]), 404),
        (request("GET /", &[&own, &secret]), 404),
        (request("GET /", &[&own]), 401),
    ] {
        let status = answer.split(' ').nth(1).unwrap_or_default();
        let is_two_hosts = expected == 400 && status == "403";
        assert!(status == expected.to_string() || is_two_hosts, "{expected}: {answer}");
        let lower = answer.to_ascii_lowercase();
        assert!(!lower.contains("access-control") && !lower.contains("location:"), "{answer}");
        assert!(!answer.contains("AccessKeyId"), "{answer}");
    }
    let health = request("GET /healthz", &[&own]);
    assert!(health.starts_with("HTTP/1.1 200 ") && health.ends_with("{\"status\":\"ok\"}"), "{health}");
    assert_eq!(served.container().0, 200);
    assert_eq!(served.finish().code, 0);
}
