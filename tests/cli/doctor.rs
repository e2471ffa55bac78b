//! `doctor`: each thing that can be wrong is found, by its stable id, and what does not depend on it is looked at all
//! the same. No secret shows.

use std::net::TcpListener;
use std::time::{Duration, SystemTime};

use federate_core::testing::jwt;
use serde_json::{Value, json};

use crate::support::{Canned, Done, Workshop, aws_base, gitlab_claims, http, now, sts_success, with};

/// The report of a run with `-o json`, whose exit code fits it.
fn report(done: &Done) -> Value {
    let report: Value = serde_json::from_str(&done.stdout).unwrap_or_else(|_| panic!("{}{}", done.stdout, done.stderr));
    let failed = report["checks"].as_array().unwrap().iter().any(|check| check["status"] == "fail");
    assert_eq!((report["ok"].as_bool(), done.code), (Some(!failed), i32::from(failed)), "{report:#}");
    report
}

fn checks<'a>(report: &'a Value, id: &str) -> Vec<&'a Value> {
    report["checks"].as_array().unwrap().iter().filter(|check| check["id"] == id).collect()
}

fn status<'a>(report: &'a Value, id: &str) -> &'a str {
    checks(report, id).first().unwrap_or_else(|| panic!("no {id}: {report:#}"))["status"].as_str().unwrap()
}

fn assert_statuses(report: &Value, expected: &[(&str, &str)]) {
    for (id, wanted) in expected {
        assert_eq!(status(report, id), *wanted, "{id}: {report:#}");
    }
}

/// An issuer that publishes itself and no key, on a clock that is this many seconds ahead.
fn issuer(ahead: i64) -> Canned {
    Canned::answering_with(|url| {
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(u64::try_from(now() + ahead).unwrap());
        let document = json!({"issuer": url, "jwks_uri": format!("{url}/keys"), "keys": []}).to_string();
        http("200 OK", "application/json", &document)
            .replace("\r\nConnection", &format!("\r\nDate: {}\r\nConnection", httpdate::fmt_http_date(time)))
    })
}

/// An address where nobody listens.
fn nobody() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

/// A job of the GitLab at this address.
fn job(issuer: &str, sts: &str, changes: Value) -> Workshop {
    let token = jwt(&with(with(gitlab_claims(), json!({"iss": issuer, "aud": issuer})), changes));
    let mut workshop = Workshop::gitlab_aws(sts);
    workshop.set("CI_SERVER_URL", issuer).set("AWS_ID_TOKEN", &token);
    workshop
}

const TRUST: &str = "\n[targets.aws.trust]\nallow = [{ identity = \"gitlab\", project = \"quarry-street/ledger\", branch = \"main\" }]\n";

/// The doctor's report of a job of the sandbox.
fn in_sandbox(arguments: &[&str], doctor: &[&str]) -> Done {
    let mut workshop = Workshop::new();
    workshop.profile("base", &format!("{}{TRUST}", aws_base("https://sts.eu-west-1.amazonaws.com")));
    let words = [&["sandbox"], arguments, &["--", "federate", "doctor"], doctor].concat();
    let done = workshop.run_quietly(&words);
    assert!(!done.stdout.contains("eyJ"), "a token shows: {}", done.stdout);
    done
}

#[test]
fn in_the_sandbox_everything_holds() {
    for ci in [&["--ci", "gitlab"][..], &["--ci", "github", "--claim", "ref=main"]] {
        let mut workshop = Workshop::new();
        let allow = TRUST
            .replace("}]", "}, { identity = \"github\", repository = \"quarry-street/ledger\", branch = \"main\" }]");
        workshop.profile("base", &format!("{}{allow}", aws_base("https://sts.eu-west-1.amazonaws.com")));
        let done = workshop.run_quietly(&[&["sandbox"], ci, &["--", "federate", "doctor", "-o", "json"]].concat());
        let report = report(&done);
        let bad: Vec<&Value> = report["checks"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|check| check["status"] != "ok" && check["id"] != "lint")
            .collect();
        assert!(bad.is_empty() && done.code == 0, "{bad:#?}");
        assert!(checks(&report, "whoami")[0]["what"].as_str().unwrap().contains("assumed-role/deploy"), "{report:#}");
    }
    let text = in_sandbox(&[], &[]);
    let last = text.stdout.lines().last().unwrap();
    assert!(text.code == 0 && last.ends_with("0 to look at, 0 failed, 1 skipped"), "{}", text.stdout);
}

#[test]
fn every_id_is_documented() {
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/doctor.md")).unwrap();
    let documented: Vec<&str> =
        page.lines().filter_map(|line| line.strip_prefix("| `")?.split_once('`').map(|(id, _)| id)).collect();
    let report = report(&in_sandbox(&[], &["-o", "json"]));
    let mut seen: Vec<&str> = Vec::new();
    for check in report["checks"].as_array().unwrap() {
        let id = check["id"].as_str().unwrap();
        if !seen.contains(&id) {
            seen.push(id);
        }
    }
    assert_eq!(documented, seen, "docs/doctor.md lists the ids in the order of the report");
}

#[test]
fn another_branch_is_refused_with_the_condition_that_failed() {
    let done = in_sandbox(&["--claim", "ref=feature"], &["-o", "json"]);
    let report = report(&done);
    assert_statuses(&report, &[("token", "ok"), ("exchange", "fail"), ("whoami", "skip"), ("trust", "fail")]);
    let fix = checks(&report, "exchange")[0]["fix"].as_str().unwrap();
    assert!(fix.contains("trust.allow does not let this token in") && fix.contains("ref is main"), "{fix}");
}

#[test]
fn every_command_that_exchanges_explains_a_refusal() {
    let mut workshop = Workshop::new();
    workshop.profile("base", &format!("{}{TRUST}", aws_base("https://sts.eu-west-1.amazonaws.com")));
    for command in
        [&["exec", "--", "true"][..], &["env"], &["whoami"], &["credential-process", "-t", "aws"], &["doctor"]]
    {
        let words = [&["sandbox", "--claim", "ref=feature", "--", "federate"], command].concat();
        let done = workshop.run_quietly(&words);
        assert!(![0, 2].contains(&done.code), "{command:?}: {}", done.stderr);
        let all = format!("{}{}", done.stdout, done.stderr);
        let told = all.split("trust.allow does not let this token in").nth(1).unwrap_or_default();
        assert!(told.contains("ref is main, and the token has feature"), "{command:?}: {all}");
    }
}

#[test]
fn an_expired_token_is_looked_at_and_not_exchanged() {
    let (issuer, sts) = (issuer(0), Canned::answering(sts_success()));
    let workshop = job(&issuer.url, &sts.url, json!({"exp": now() - 600, "iat": now() - 4200, "nbf": now() - 4200}));
    let report = report(&workshop.run_quietly(&["doctor", "-o", "json"]));
    assert_statuses(
        &report,
        &[
            ("token", "ok"),
            ("audience", "ok"),
            ("times", "fail"),
            ("issuer", "ok"),
            ("keys", "ok"),
            ("signature", "fail"),
            ("clock", "ok"),
            ("exchange", "skip"),
        ],
    );
    assert!(checks(&report, "times")[0]["what"].as_str().unwrap().contains("expired 10m ago"), "{report:#}");
    assert!(!sts.requests().iter().any(|request| request.contains("WebIdentity")), "nothing was exchanged");
}

#[test]
fn a_missing_audience_names_the_lines_to_add() {
    let (issuer, sts) = (issuer(0), Canned::answering(sts_success()));
    let workshop = job(&issuer.url, &sts.url, json!({"aud": "https://other.example"}));
    let report = report(&workshop.run_quietly(&["doctor", "-o", "json"]));
    assert_statuses(&report, &[("audience", "fail"), ("times", "skip"), ("issuer", "ok"), ("exchange", "skip")]);
    let audience = checks(&report, "audience")[0].to_string();
    assert!(audience.contains("id_tokens:") && audience.contains("https://other.example"), "{audience}");
}

#[test]
fn github_without_the_permission() {
    let sts = Canned::answering(sts_success());
    let mut workshop = Workshop::new();
    workshop
        .profile("base", &aws_base(&sts.url))
        .set("CI", "true")
        .set("GITHUB_ACTIONS", "true")
        .set("GITHUB_SERVER_URL", &nobody());
    for arguments in [&["doctor", "-o", "json"][..], &["doctor", "--offline", "-o", "json"]] {
        let report = report(&workshop.run_quietly(arguments));
        assert_statuses(&report, &[("ci", "ok"), ("token", "fail"), ("times", "skip"), ("exchange", "skip")]);
        assert!(checks(&report, "token")[0]["fix"].as_str().unwrap().contains("id-token: write"), "{report:#}");
    }
}

#[test]
fn github_is_asked_for_one_token_and_no_secret_shows() {
    let sts = Canned::answering(sts_success());
    let mut token = String::new();
    let github = Canned::answering_with(|url| {
        let issuer = format!("{url}/_services/token");
        token = jwt(&json!({
            "iss": issuer, "aud": "sts.amazonaws.com", "sub": "repo:o/r:ref:refs/heads/main", "jti": "1",
            "iat": now(), "nbf": now() - 300, "exp": now() + 300,
        }));
        let document = json!({"issuer": issuer, "jwks_uri": format!("{url}/keys"), "keys": [], "value": token});
        http("200 OK", "application/json", &document.to_string())
    });
    let mut workshop = Workshop::new();
    workshop
        .profile("base", &aws_base(&sts.url))
        .set("GITHUB_ACTIONS", "true")
        .set("GITHUB_SERVER_URL", &github.url)
        .set("ACTIONS_ID_TOKEN_REQUEST_URL", &format!("{}/ask?v=1", github.url))
        .set("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "eyJcanaryBearer.eyJ.x");
    for output in ["json", "text"] {
        let done = workshop.run_quietly(&["doctor", "-v", "-o", output]);
        assert!(done.stdout.contains("exchanged for credentials until 2099"), "{}{}", done.stdout, done.stderr);
        let shown = format!("{}{}", done.stdout, done.stderr.replace(&format!("::add-mask::{token}"), ""));
        assert!(!shown.contains(&token), "{shown}");
    }
    let asked = github.requests().iter().filter(|request| request.starts_with("GET /ask?")).count();
    assert_eq!(asked, 2, "one for each run");
    let offline = report(&workshop.run_quietly(&["doctor", "--offline", "-o", "json"]));
    assert_statuses(&offline, &[("token", "skip"), ("issuer", "skip"), ("endpoint", "skip"), ("exchange", "skip")]);
    assert_eq!(github.requests().iter().filter(|request| request.starts_with("GET /ask?")).count(), 2);
}

#[test]
fn every_problem_of_the_profile_and_what_does_not_depend_on_it() {
    let mut workshop = Workshop::new();
    workshop
        .profile("base", &aws_base("https://sts.eu-west-1.amazonaws.com").replace("region", "regoin"))
        .profile("prod", "[targets.aws]\nduratoin = \"1h\"\n")
        .gitlab_job()
        .set("AWS_PROFILE", "mine");
    let report = report(&workshop.run_quietly(&["doctor", "-p", "prod", "-o", "json"]));
    let problems = checks(&report, "profile");
    assert_eq!(problems.len(), 2, "{report:#}");
    let all = report.to_string();
    for expected in
        ["did you mean `region`?", "did you mean `duration`?", "profiles/base.toml:4", "profiles/prod.toml:2"]
    {
        assert!(all.contains(expected), "{expected}: {report:#}");
    }
    assert_statuses(&report, &[("profile", "fail"), ("ci", "ok"), ("environment", "warn"), ("exchange", "skip")]);
    let done = workshop.run_quietly(&["doctor", "-p", "prodd"]);
    assert!(done.code == 1 && done.stdout.contains("did you mean `prod`?"), "{}", done.stdout);
}

#[test]
fn a_dead_network_is_told_and_the_rest_goes_on() {
    let mut workshop = job(&nobody(), &nobody(), json!({}));
    let base = format!("{}{TRUST}", aws_base(&nobody()));
    workshop.profile("base", &base).set("AWS_ROLE_ARN", "arn:aws:iam::111122223333:role/other");
    let report = report(&workshop.run_quietly(&["doctor", "--timeout", "2s", "-o", "json"]));
    assert_statuses(
        &report,
        &[
            ("token", "ok"),
            ("times", "ok"),
            ("issuer", "fail"),
            ("keys", "skip"),
            ("signature", "skip"),
            ("clock", "skip"),
            ("policy", "ok"),
            ("endpoint", "fail"),
            ("exchange", "skip"),
            ("whoami", "skip"),
            ("trust", "ok"),
            ("environment", "warn"),
        ],
    );
    let issuer = checks(&report, "issuer")[0];
    assert!(issuer["detail"].as_str().unwrap().contains("the clouds fetch"), "{issuer:#}");
    assert!(checks(&report, "environment")[0]["what"].as_str().unwrap().contains("AWS_ROLE_ARN"), "{report:#}");
    assert!(!report.to_string().contains("role/other"), "values are not shown: {report:#}");
}

#[test]
fn a_server_that_never_answers_costs_no_more_than_the_time_out() {
    // Connections wait in the backlog of a listener that accepts none.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    let report = report(&job(&url, &url, json!({})).run_quietly(&["doctor", "--timeout", "1s", "-o", "json"]));
    assert_statuses(&report, &[("token", "ok"), ("issuer", "fail"), ("endpoint", "fail"), ("exchange", "skip")]);
    for id in ["issuer", "endpoint"] {
        assert!(checks(&report, id)[0]["what"].as_str().unwrap().contains("network-timeout"), "{report:#}");
    }
}

#[test]
fn a_clock_that_is_off_is_named() {
    let sts = Canned::answering(sts_success());
    for (ahead, side) in [(600, "slow"), (-600, "fast")] {
        let issuer = issuer(ahead);
        let report = report(&job(&issuer.url, &sts.url, json!({})).run_quietly(&["doctor", "-o", "json"]));
        let clock = checks(&report, "clock")[0];
        assert_eq!(clock["status"], "warn", "{clock:#}");
        let what = clock["what"].as_str().unwrap();
        assert!(what.contains("this machine's clock is") && what.contains(side), "{what}");
        assert_eq!(status(&report, "exchange"), "ok");
    }
}

#[test]
fn a_proxy_that_refuses_is_named_without_its_password() {
    let proxy = Canned::answering(http("403 Forbidden", "text/html", "<html>blocked</html>"));
    let mut workshop = Workshop::gitlab_aws("https://sts.eu-west-1.amazonaws.com");
    let address = proxy.url.strip_prefix("http://").unwrap();
    workshop.set("HTTPS_PROXY", &format!("http://user:canaryProxyPassword@{address}"));
    let done = workshop.run_quietly(&["doctor", "-o", "json", "-v", "--set", "network.max_tries=1"]);
    let all = format!("{}{}", done.stdout, done.stderr);
    assert!(!all.contains("canaryProxyPassword"), "{all}");
    let report = report(&done);
    assert_statuses(&report, &[("network", "ok"), ("endpoint", "fail"), ("issuer", "fail"), ("exchange", "skip")]);
    for id in ["network", "endpoint"] {
        assert!(
            checks(&report, id)[0]["what"].as_str().unwrap().contains(&format!("the proxy {address}")),
            "{report:#}"
        );
    }
    assert!(proxy.requests().iter().all(|request| request.starts_with("CONNECT ")), "{:?}", proxy.requests());

    workshop.set("HTTPS_PROXY", "socks5://user:canaryProxyPassword@x");
    let done = workshop.run_quietly(&["doctor", "-o", "json"]);
    assert!(!format!("{}{}", done.stdout, done.stderr).contains("canaryProxyPassword"));
    assert_statuses(
        &self::report(&done),
        &[("network", "fail"), ("token", "ok"), ("endpoint", "skip"), ("policy", "ok")],
    );
}

#[test]
fn somebody_else_at_the_endpoint_is_told() {
    let (issuer, portal) = (issuer(0), Canned::answering(http("200 OK", "text/html", "<html>Log in</html>")));
    let report = report(&job(&issuer.url, &portal.url, json!({})).run_quietly(&["doctor", "-o", "json"]));
    assert_statuses(&report, &[("endpoint", "warn"), ("exchange", "fail")]);
    assert!(checks(&report, "endpoint")[0].to_string().contains("text/html"), "{report:#}");
}

#[test]
fn what_policy_does_not_allow_is_not_asked() {
    let issuer = issuer(0);
    let report = report(&job(&issuer.url, "https://evil.test", json!({})).run_quietly(&["doctor", "-o", "json"]));
    assert_statuses(&report, &[("policy", "fail"), ("endpoint", "skip"), ("exchange", "skip"), ("issuer", "ok")]);
}

#[test]
fn an_issuer_that_calls_itself_by_another_name() {
    let sts = Canned::answering(sts_success());
    let issuer = Canned::answering_with(|url| {
        let document = json!({"issuer": format!("{url}/"), "jwks_uri": format!("{url}/keys"), "keys": []});
        http("200 OK", "application/json", &document.to_string())
    });
    let report = report(&job(&issuer.url, &sts.url, json!({})).run_quietly(&["doctor", "-o", "json"]));
    assert_statuses(&report, &[("issuer", "fail"), ("keys", "ok"), ("exchange", "ok")]);
}

#[test]
fn two_systems_at_once_and_none() {
    let sts = Canned::answering(sts_success());
    let mut workshop = job(&issuer(0).url, &sts.url, json!({}));
    workshop.set("GITHUB_ACTIONS", "true");
    let report = report(&workshop.run_quietly(&["doctor", "-o", "json"]));
    assert_statuses(&report, &[("ci", "fail"), ("token", "skip"), ("policy", "ok"), ("exchange", "skip")]);
    let chosen = workshop.run_quietly(&["doctor", "-o", "json", "--set", "identity=gitlab"]);
    assert_statuses(&self::report(&chosen), &[("ci", "ok"), ("token", "ok")]);
    let mut nobody = Workshop::new();
    nobody.profile("base", &aws_base(&sts.url));
    assert_statuses(
        &self::report(&nobody.run_quietly(&["doctor", "-o", "json"])),
        &[("ci", "fail"), ("endpoint", "warn")],
    );
}

#[test]
fn on_a_laptop_claims_are_judged_without_the_network() {
    let policy = |subject: &str| {
        json!({"Version": "2012-10-17", "Statement": [{
            "Effect": "Allow",
            "Principal": {"Federated": "arn:aws:iam::111122223333:oidc-provider/gitlab.com"},
            "Action": "sts:AssumeRoleWithWebIdentity",
            "Condition": {"StringEquals": {"gitlab.com:aud": "https://gitlab.com"}, "StringLike": {"gitlab.com:sub": subject}},
        }]})
    };
    let mut workshop = Workshop::new();
    let base = aws_base("https://sts.eu-west-1.amazonaws.com");
    workshop.profile("base", &format!("{base}\n[targets.aws.trust]\npolicy = \"deploy.json\"\n"));
    std::fs::write(workshop.path("project/claims.json"), gitlab_claims().to_string()).unwrap();
    let judged = |subject: &str| {
        std::fs::write(workshop.path("project/profiles/deploy.json"), policy(subject).to_string()).unwrap();
        report(&workshop.run_quietly(&["doctor", "--claims", "claims.json", "--offline", "-o", "json"]))
    };
    let good = judged("project_path:quarry-street/ledger:ref_type:branch:ref:main");
    assert_statuses(&good, &[("ci", "skip"), ("token", "skip"), ("audience", "ok"), ("endpoint", "skip")]);
    assert_statuses(&good, &[("exchange", "skip"), ("trust", "ok"), ("lint", "ok")]);
    let other = judged("project_path:quarry-street/ledger:ref_type:branch:ref:release");
    assert_statuses(&other, &[("trust", "fail"), ("lint", "ok")]);
    assert!(checks(&other, "trust")[0]["detail"].as_str().unwrap().contains("gitlab.com:sub StringLike"), "{other:#}");
    assert_statuses(&judged("*"), &[("trust", "ok"), ("lint", "fail")]);

    workshop.profile("base", &base.replace("eu-west-1\"", "{env:PLACE}\""));
    let arguments = ["doctor", "--claims", "claims.json", "--offline", "-o", "json"];
    let unset = report(&workshop.run_quietly(&arguments));
    assert!(checks(&unset, "profile")[1].to_string().contains("PLACE"), "{unset:#}");
    let set = report(&workshop.set("PLACE", "eu-west-1").run_quietly(&arguments));
    assert_statuses(&set, &[("profile", "ok"), ("policy", "ok")]);

    for (arguments, expected) in
        [(&["--claims", "gone.json"][..], "gone.json cannot be read"), (&["--timeout", "0"], "--timeout 0")]
    {
        let done = workshop.run_quietly(&[&["doctor"], arguments].concat());
        assert!(done.code == 2 && done.stderr.contains(expected), "{}", done.stderr);
    }
}
