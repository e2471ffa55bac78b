//! Which token: GitLab's several, GitHub's request, two systems at once; and the commands that show it.

use federate_core::testing::jwt;
use serde_json::{Value, json};

use crate::support::{
    Canned, Workshop, aws_base, azure_base, entra_success, gitlab_claims, http, now, sts_success, with,
};

fn token(audience: Value) -> String {
    jwt(&with(gitlab_claims(), json!({"aud": audience})))
}

#[test]
fn gitlabs_token_is_found_by_audience() {
    let sts = Canned::answering(sts_success());
    let mut workshop = Workshop::gitlab_aws(&sts.url);
    workshop
        .set("AWS_ID_TOKEN", &token(json!("https://other.example")))
        .set("SECOND", &token(json!(["https://gitlab.com", "x"])))
        .set("THIRD", &token(json!("https://gitlab.com")));
    assert_eq!(workshop.run(&["env"]).code, 0);
    let sent = sts.requests().remove(0);
    let third = token(json!("https://gitlab.com"));
    assert!(sent.contains(third.split('.').nth(1).unwrap()), "a single audience goes before a list");

    workshop.set("FOURTH", &jwt(&with(gitlab_claims(), json!({"jti": "another"}))));
    let done = workshop.run_quietly(&["env", "-o", "json"]);
    assert_eq!(done.code, 3, "{}", done.stderr);
    for expected in ["token-ambiguous", "THIRD", "FOURTH", "token_env"] {
        assert!(done.stderr.contains(expected), "{expected}: {}", done.stderr);
    }
    for name in ["THIRD", "FOURTH", "SECOND"] {
        workshop.unset(name);
    }
    let done = workshop.run_quietly(&["env"]);
    assert_eq!(done.code, 3);
    for expected in ["AWS_ID_TOKEN", "https://other.example", "id_tokens:", "aud: https://gitlab.com"] {
        assert!(done.stderr.contains(expected), "{expected}: {}", done.stderr);
    }
    workshop.set("CI_JOB_JWT_V2", &token(json!("https://gitlab.com")));
    assert_eq!(workshop.run(&["env"]).code, 0);
}

fn github(request: &str, sts: &str) -> Workshop {
    let mut workshop = Workshop::new();
    workshop
        .profile("base", &aws_base(sts))
        .set("CI", "true")
        .set("GITHUB_ACTIONS", "true")
        .set("GITHUB_SERVER_URL", "https://github.com")
        .set("ACTIONS_ID_TOKEN_REQUEST_URL", &format!("{request}/token?api-version=2.0&x=a%26b"))
        .set("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "eyJcanaryBearer.eyJ.x");
    workshop
}

fn github_token() -> String {
    jwt(&json!({
        "iss": "https://token.actions.githubusercontent.com", "aud": "sts.amazonaws.com", "sub": "repo:o/r:ref:refs/heads/main",
        "iat": now(), "nbf": now() - 300, "exp": now() + 300, "jti": "1", "repository": "o/r",
    }))
}

#[test]
fn github_is_asked_once_an_audience() {
    let sts = Canned::answering(sts_success());
    let token = github_token();
    let body = json!({"value": token, "count": 1}).to_string();
    let issuer = Canned::answering(http("200 OK", "application/json", &body));
    let mut workshop = github(&issuer.url, &sts.url);
    let second = aws_base(&sts.url).replace("targets.aws", "targets.second").replace("role/deploy", "role/audit");
    workshop.profile("base", &format!("{}{second}", aws_base(&sts.url)));
    let done = workshop.run(&["exec", "-t", "aws", "-t", "second", "--", "true"]);
    assert_eq!(done.code, 0, "{}", done.stderr);
    let asked = issuer.requests();
    assert_eq!((asked.len(), sts.requests().len()), (1, 2), "one token request an audience");
    let line = asked[0].lines().next().unwrap();
    assert_eq!(line, "GET /token?api-version=2.0&x=a%26b&audience=sts.amazonaws.com HTTP/1.1");
    assert!(asked[0].to_lowercase().contains("authorization: bearer eyjcanarybearer.eyj.x"), "{}", asked[0]);
    let masks: Vec<&str> = done.stderr.lines().filter(|line| line.starts_with("::add-mask::")).collect();
    assert!(masks.iter().any(|line| line.contains(&token)), "the token is masked");
    assert!(masks.iter().any(|line| line.contains(crate::support::SECRET_KEY)), "the key is masked");
    // -q does not silence what protects.
    assert!(workshop.run(&["exec", "-q", "-t", "aws", "--", "true"]).stderr.contains("::add-mask::"));
}

#[test]
fn the_request_token_that_terraform_is_given_is_masked_as_well() {
    let entra = Canned::answering(entra_success());
    let claims = json!({"iss": "https://token.actions.githubusercontent.com", "aud": "api://AzureADTokenExchange", "sub": "s", "exp": now() + 300});
    let body = json!({"value": jwt(&claims), "count": 1}).to_string();
    let issuer = Canned::answering(http("200 OK", "application/json", &body));
    let mut workshop = github(&issuer.url, "");
    workshop.profile("base", &azure_base(&entra.url));
    let token_file = workshop.path("token").display().to_string();
    let done = workshop.run(&["env", "-f", "github", "--token-file", &token_file]);
    assert!(done.code == 0 && done.stdout.contains("eyJcanaryBearer.eyJ.x"), "{}", done.stderr);
    assert!(done.stderr.contains("::add-mask::eyJcanaryBearer.eyJ.x\n"), "{}", done.stderr);
}

#[test]
fn github_without_the_permission_or_from_a_fork() {
    let sts = Canned::answering(sts_success());
    let mut workshop = github("http://127.0.0.1:1", &sts.url);
    workshop.unset("ACTIONS_ID_TOKEN_REQUEST_URL").unset("ACTIONS_ID_TOKEN_REQUEST_TOKEN");
    let done = workshop.run_quietly(&["env"]);
    assert_eq!(done.code, 3, "{}", done.stderr);
    assert!(done.stderr.contains("id-token: write"), "{}", done.stderr);
    workshop.set("GITHUB_EVENT_NAME", "pull_request");
    let done = workshop.run_quietly(&["env"]);
    assert!(done.code == 3 && done.stderr.contains("fork"), "{}", done.stderr);
    assert!(sts.requests().is_empty());
}

#[test]
fn two_systems_at_once_are_not_guessed_between() {
    let sts = Canned::answering(sts_success());
    let mut workshop = Workshop::gitlab_aws(&sts.url);
    workshop.set("GITHUB_ACTIONS", "true");
    let done = workshop.run_quietly(&["env", "-o", "json"]);
    assert_eq!(done.code, 3, "{}", done.stderr);
    assert!(done.stderr.contains("identity-ambiguous") && done.stderr.contains("identity"), "{}", done.stderr);
    assert_eq!(workshop.run(&["env", "--set", "identity=gitlab"]).code, 0);
    let mut nobody = Workshop::new();
    nobody.profile("base", &aws_base(&sts.url));
    assert_eq!(nobody.run_quietly(&["env"]).code, 3);
}

#[test]
fn plan_shows_everything_but_the_token_and_asks_nobody() {
    let sts = Canned::answering(sts_success());
    let workshop = Workshop::gitlab_aws(&sts.url);
    let done = workshop.run_quietly(&["plan", "-o", "json"]);
    assert_eq!(done.code, 0, "{}", done.stderr);
    let plan: Value = serde_json::from_str(&done.stdout).unwrap();
    assert_eq!(plan["targets"][0]["audience"], "https://gitlab.com");
    assert!(
        done.stdout.contains("AssumeRoleWithWebIdentity") && done.stdout.contains("role/deploy"),
        "{}",
        done.stdout
    );
    assert!(sts.requests().is_empty());
}

#[test]
fn the_token_is_shown_by_its_claims_or_whole_on_demand() {
    let workshop = Workshop::gitlab_aws("http://127.0.0.1:9");
    let raw = workshop.run(&["token", "--raw"]);
    assert_eq!(raw.code, 0, "{}", raw.stderr);
    assert!(raw.stdout.trim().starts_with("eyJ"));
    let plain = workshop.run(&["completions", "bash"]);
    assert!(plain.code == 0 && plain.stdout.contains("federate"));
    assert_eq!(workshop.run(&["man"]).code, 0);
    assert!(workshop.run(&["adapters"]).stdout.contains("gitlab"));
}

#[test]
fn adapters_stand_in_columns_however_long_their_names_are() {
    let workshop = Workshop::new();
    let config = workshop.path("home/.config/federate");
    std::fs::create_dir_all(&config).unwrap();
    std::fs::write(config.join("config.toml"), "[policy.externals]\nlong-external-name = \"/opt/x\"\n").unwrap();
    let done = workshop.run(&["adapters"]);
    let rows = done.stdout.lines().filter(|line| line.starts_with("  "));
    let columns: Vec<&str> = rows.map(|line| &line[..line.len().min(21)]).collect();
    assert!(
        columns.contains(&"  long-external-name ") && columns.contains(&"  gitlab             "),
        "{}",
        done.stdout
    );
}

#[test]
fn keys_of_another_issuer_verify_nothing() {
    let server = Canned::answering_with(|url| {
        let document = json!({"issuer": format!("{url}/"), "jwks_uri": format!("{url}/keys"), "keys": []});
        http("200 OK", "application/json", &document.to_string())
    });
    let mut workshop = Workshop::gitlab_aws("http://127.0.0.1:9");
    let token = jwt(&with(gitlab_claims(), json!({"iss": server.url, "aud": server.url})));
    workshop.set("CI_SERVER_URL", &server.url).set("AWS_ID_TOKEN", &token);
    let done = workshop.run_quietly(&["token"]);
    let said = format!("not checked: the discovery document of {0} is that of {0}/", server.url);
    assert!(done.code == 0 && done.stderr.contains(&said), "{}", done.stderr);
}

#[test]
fn inside_exec_whoami_reports_on_what_was_given() {
    let done = crate::support::finish(
        std::process::Command::new(env!("CARGO_BIN_EXE_federate"))
            .args(["sandbox", "--", "federate", "exec", "-p", "prod", "--", "federate", "whoami", "-o", "json"])
            .env_clear()
            .env("HOME", "/nonexistent")
            .env("XDG_RUNTIME_DIR", tempfile::tempdir().unwrap().path())
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
            .output()
            .unwrap(),
    );
    assert_eq!(done.code, 0, "{}", done.stderr);
    assert!(done.stdout.contains("assumed-role/ledger-deploy/prod-"), "{}", done.stdout);
    assert_eq!(done.stderr.matches("STS AssumeRoleWithWebIdentity").count(), 1, "{}", done.stderr);
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let workshop = Workshop::gitlab_aws("https://sts.eu-west-1.amazonaws.com");
    let mut child = workshop.command(&["plan"]).stdout(std::process::Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    assert_eq!(child.wait().unwrap().code(), Some(0));
}
