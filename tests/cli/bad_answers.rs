//! Services that answer with nonsense, and networks that break: an error that says so, nothing exported, no child run.

use federate_core::testing::jwt;

use crate::support::{
    Canned, SECRET_KEY, Workshop, azure_base, entra_success, gitlab_claims, http, sts_error, sts_success, with,
};

/// Exchanges against this STS; the child would leave a file.
fn refused(endpoint: &str) -> (i32, String) {
    let workshop = Workshop::gitlab_aws(endpoint);
    let marker = workshop.path("child-ran");
    let done = workshop.run_quietly(&[
        "exec",
        "-o",
        "json",
        "--set",
        "network.max_tries=2",
        "--",
        "touch",
        &marker.display().to_string(),
    ]);
    assert!(!marker.exists(), "the child ran");
    assert_eq!(done.code, 125, "{}", done.stderr);
    assert_eq!(done.stdout, "");
    let line = done.stderr.lines().last().unwrap();
    let error: serde_json::Value = serde_json::from_str(line).unwrap_or_else(|_| panic!("not JSON: {}", done.stderr));
    assert_eq!(error["error"]["exit_code"], 125);
    let category = error["error"]["category"].as_i64().unwrap();

    // The same through a command whose result is the credentials: nothing is printed.
    let printed = workshop.run_quietly(&["env", "-f", "sh", "--set", "network.max_tries=1"]);
    assert_eq!((i64::from(printed.code), printed.stdout.as_str()), (category, ""), "{}", printed.stderr);
    (i32::try_from(category).unwrap(), error["error"]["code"].as_str().unwrap().to_owned())
}

fn answered(answer: &str) -> (i32, String) {
    refused(&Canned::answering(answer).url)
}

#[test]
fn answers_that_are_not_the_protocol() {
    let whole = sts_success();
    let body = whole.split_once("\r\n\r\n").unwrap().1;
    for (name, answer) in [
        ("html", http("200 OK", "text/html", "<html><body>It works!</body></html>")),
        ("empty", http("200 OK", "text/xml", "")),
        ("half", http("200 OK", "text/xml", &body[..body.len() / 2])),
        (
            "no secret",
            http("200 OK", "text/xml", &body.replace(&format!("<SecretAccessKey>{SECRET_KEY}</SecretAccessKey>"), "")),
        ),
        ("empty secret", http("200 OK", "text/xml", &body.replace(SECRET_KEY, ""))),
    ] {
        assert_eq!(answered(&answer), (5, "response-invalid".to_owned()), "{name}");
    }
}

#[test]
fn two_mebibytes_are_too_many() {
    let huge = http("200 OK", "text/xml", &"x".repeat(2 * 1024 * 1024));
    assert_eq!(answered(&huge), (5, "response-too-large".to_owned()));
}

#[test]
fn a_redirect_is_not_followed() {
    let stranger = Canned::answering(sts_success());
    let redirect = format!(
        "HTTP/1.1 307 Temporary Redirect\r\nLocation: {}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
        stranger.url
    );
    assert_eq!(answered(&redirect), (5, "network-redirect".to_owned()));
    assert!(stranger.requests().is_empty());
}

#[test]
fn a_connection_that_breaks_and_one_that_is_not_there() {
    assert_eq!(answered("").0, 5);
    let nobody = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        format!("http://{}", listener.local_addr().unwrap())
    };
    assert_eq!(refused(&nobody), (5, "network-unreachable".to_owned()));
}

#[test]
fn refusals_carry_the_clouds_code() {
    let sts = Canned::answering(sts_error(
        "403 Forbidden",
        "AccessDenied",
        "Not authorized to perform sts:AssumeRoleWithWebIdentity",
    ));
    let workshop = Workshop::gitlab_aws(&sts.url);
    let done = workshop.run_quietly(&["env", "-o", "json"]);
    assert_eq!(done.code, 4, "{}", done.stderr);
    let error: serde_json::Value = serde_json::from_str(done.stderr.lines().last().unwrap()).unwrap();
    assert_eq!(error["error"]["cloud_code"], "AccessDenied");
    assert_eq!(error["error"]["request_id"], "r-2");
    assert!(error["error"]["help"].as_str().unwrap().contains("gitlab.com:sub"), "{error}");
    assert_eq!(sts.requests().len(), 1, "a refusal is not tried again");
}

#[test]
fn passing_failures_are_tried_again() {
    let sts = Canned::answering(sts_error("400 Bad Request", "IDPCommunicationError", "try again"));
    let workshop = Workshop::gitlab_aws(&sts.url);
    let done = workshop.run_quietly(&["env", "--set", "network.max_tries=3"]);
    assert_eq!(done.code, 5, "{}", done.stderr);
    assert_eq!(sts.requests().len(), 3);
}

#[test]
fn a_refusal_that_repeats_the_token_does_not_show_it() {
    let token = jwt(&gitlab_claims());
    for (code, message) in [("AccessDenied", token.as_str()), (token.as_str(), "no")] {
        let sts = Canned::answering(sts_error("403 Forbidden", code, message));
        let mut workshop = Workshop::gitlab_aws(&sts.url);
        workshop.set("AWS_ID_TOKEN", &token);
        // The workshop looks for the token in all that is said.
        let done = workshop.run_quietly(&["env", "-v"]);
        assert!(done.code == 4 && done.stderr.contains("(secret)"), "{}", done.stderr);
    }
}

#[test]
fn words_of_others_neither_begin_a_line_nor_steer_a_terminal() {
    let said = "no\n::add-mask::x\n&#27;[31mred";
    let sts = Canned::answering(sts_error("403 Forbidden", "AccessDenied", said));
    let done = Workshop::gitlab_aws(&sts.url).run_quietly(&["env", "--color", "always"]);
    assert!(done.stderr.contains("no ::add-mask::x  [31mred"), "{}", done.stderr);
}

#[test]
fn a_pause_longer_than_any_clock_is_not_waited_for() {
    let throttled = sts_error("429 Too Many Requests", "Throttling", "Rate exceeded");
    for seconds in ["18446744073709551615", "99999999999999999999999"] {
        let head = format!("\r\nRetry-After: {seconds}\r\n\r\n");
        let sts = Canned::answering(throttled.replacen("\r\n\r\n", &head, 1));
        let done = Workshop::gitlab_aws(&sts.url).run_quietly(&["env"]);
        assert_eq!((done.code, sts.requests().len()), (5, 1), "{}", done.stderr);
    }
}

#[test]
fn times_that_no_calendar_has_are_no_reason_to_fall_over() {
    let entra = Canned::answering(entra_success());
    let mut workshop = Workshop::new();
    workshop.profile("base", &azure_base(&entra.url)).gitlab_job();
    let azure = with(gitlab_claims(), serde_json::json!({"aud": "api://AzureADTokenExchange"}));
    for (changes, code) in [
        (serde_json::json!({"exp": 1_777_888_800_000_i64}), 0),
        (serde_json::json!({"exp": 1e300}), 0),
        (serde_json::json!({"exp": -1e300}), 125),
        (serde_json::json!({"nbf": i64::MIN}), 0),
        (serde_json::json!({"nbf": i64::MAX}), 125),
    ] {
        workshop.set("AWS_ID_TOKEN", &jwt(&with(azure.clone(), changes.clone())));
        let done = workshop.run_quietly(&["exec", "--", "true"]);
        assert!(done.code == code && !done.stderr.contains("panicked"), "{changes}: {}", done.stderr);
    }
}

#[test]
fn credentials_that_are_over_are_not_handed_out_in_silence() {
    let sts = Canned::answering(sts_success().replace("2099-05-04", "2020-05-04"));
    let done = Workshop::gitlab_aws(&sts.url).run(&["exec", "--", "true"]);
    assert!(done.code == 0 && done.stderr.contains("ended at 2020-05-04T12:00:00Z"), "{}", done.stderr);
}

#[test]
fn the_last_try_is_made_when_the_wait_for_trust_is_over() {
    let sts = Canned::answering(sts_error("403 Forbidden", "AccessDenied", "no"));
    let done = Workshop::gitlab_aws(&sts.url).run_quietly(&["env", "--wait-for-trust", "1s"]);
    assert_eq!((done.code, sts.requests().len()), (4, 2), "{}", done.stderr);
}
