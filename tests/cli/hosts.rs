//! Who may be sent a token: strangers named by a profile, by a variable, by a look-alike name get none.

use crate::support::{Canned, Workshop, aws_base, sts_success};

/// No token leaves: the command fails with exit code 4 before any request.
fn assert_refused(workshop: &Workshop, arguments: &[&str]) {
    let mut words = vec!["env", "-o", "json"];
    words.extend(arguments);
    let done = workshop.run_quietly(&words);
    assert_eq!(done.code, 4, "{}", done.stderr);
    assert!(done.stderr.contains("host-not-allowed"), "{}", done.stderr);
    assert_eq!(done.stdout, "");
}

#[test]
fn an_endpoint_of_a_stranger_in_a_profile() {
    for host in [
        "https://evil.test",
        "https://sts.amazonaws.com.evil.test",
        "https://evilamazonaws.com",
        "https://sts.s3.amazonaws.com",
        "https://sts.amazonaws.com@evil.test",
        "https://127.0.0.1.evil.test",
        "http://sts.eu-west-1.amazonaws.com",
    ] {
        let workshop = Workshop::gitlab_aws(host);
        let done = workshop.run_quietly(&["env", "-o", "json"]);
        assert!(done.code == 4 || done.code == 2, "{host}: {}", done.stderr);
        assert!(done.stderr.contains("profiles/base.toml:6"), "{host}: {}", done.stderr);
    }
}

#[test]
fn an_endpoint_of_a_stranger_in_a_variable() {
    for variable in ["AWS_ENDPOINT_URL_STS", "AWS_ENDPOINT_URL", "FEDERATE__TARGETS__AWS__ENDPOINT_URL"] {
        let mut workshop = Workshop::new();
        let base = aws_base("https://sts.eu-west-1.amazonaws.com");
        let base = if variable.starts_with("FEDERATE") {
            base
        } else {
            base.lines().filter(|line| !line.starts_with("endpoint_url")).map(|line| format!("{line}\n")).collect()
        };
        workshop.profile("base", &base).gitlab_job().set(variable, "https://evil.test");
        assert_refused(&workshop, &[]);
    }
}

#[test]
fn what_the_machines_owner_allows_is_asked() {
    // The name does not resolve, so the request fails on the network, which is to say: it was let through.
    let mut workshop = Workshop::gitlab_aws("https://sts.corp.invalid");
    assert_refused(&workshop, &[]);
    workshop.set("FEDERATE_ALLOWED_HOSTS", "sts.corp.invalid");
    let done = workshop.run_quietly(&["env", "--set", "network.max_tries=1"]);
    assert_eq!(done.code, 5, "{}", done.stderr);
    workshop.unset("FEDERATE_ALLOWED_HOSTS");
    let config = workshop.path("home/.config/federate");
    std::fs::create_dir_all(&config).unwrap();
    std::fs::write(config.join("config.toml"), "[policy]\nallowed_hosts = [\"*.corp.invalid\"]\n").unwrap();
    let done = workshop.run_quietly(&["env", "--set", "network.max_tries=1"]);
    assert_eq!(done.code, 5, "{}", done.stderr);
}

#[test]
fn no_layer_of_a_repository_widens_the_policy() {
    let mut workshop = Workshop::gitlab_aws("https://evil.test");
    workshop
        .profile("base", &format!("{}\n[policy]\nallowed_hosts = [\"evil.test\"]\n", aws_base("https://evil.test")));
    for arguments in [vec!["env"], vec!["env", "--set", "policy.allowed_hosts=[\"evil.test\"]"]] {
        let done = workshop.run_quietly(&arguments);
        assert_eq!(done.code, 2, "{}", done.stderr);
    }
    let mut workshop = Workshop::gitlab_aws("https://evil.test");
    workshop.set("FEDERATE__POLICY__ALLOWED_HOSTS", "evil.test");
    assert_eq!(workshop.run_quietly(&["env"]).code, 2);
}

#[test]
fn an_authority_of_a_stranger() {
    let azure = "[targets.azure]\ntype = \"azure\"\ntenant_id = \"00000000-0000-0000-0000-000000000001\"\nclient_id = \"00000000-0000-0000-0000-000000000002\"\n";
    let mut workshop = Workshop::new();
    workshop.profile("base", &format!("{azure}authority_host = \"https://login.evil.test\"\n")).gitlab_job();
    assert_refused(&workshop, &[]);
    let mut workshop = Workshop::new();
    workshop.profile("base", azure).gitlab_job().set("AZURE_AUTHORITY_HOST", "https://login.evil.test/");
    assert_refused(&workshop, &[]);
}

#[test]
fn an_issuer_of_a_stranger() {
    let sts = Canned::answering(sts_success());
    let token = federate_core::testing::jwt(&crate::support::with(
        crate::support::gitlab_claims(),
        serde_json::json!({"iss": "https://gitlab.evil.test", "aud": "https://gitlab.evil.test"}),
    ));
    let mut workshop = Workshop::gitlab_aws(&sts.url);
    workshop
        .profile(
            "base",
            &format!(
                "[identities.gitlab]\ntype = \"gitlab\"\nissuer = \"https://gitlab.evil.test\"\n\n{}",
                aws_base(&sts.url)
            ),
        )
        .set("AWS_ID_TOKEN", &token);
    assert_refused(&workshop, &[]);
    assert_eq!(workshop.run_quietly(&["plan"]).code, 4, "a plan shows what would happen");
    assert!(sts.requests().is_empty());
    workshop.set("FEDERATE_ALLOWED_HOSTS", "gitlab.evil.test");
    assert_eq!(workshop.run(&["env"]).code, 0);
    assert_eq!(sts.requests().len(), 1);
}
