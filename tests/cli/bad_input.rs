//! Bad input: an error that says what, where and what to do; nothing on stdout, no child, nobody asked.

use serde_json::{Value, json};

use crate::support::{Canned, Done, Workshop, aws_base, gitlab_claims, now, sts_success, with};

/// An STS that must not be asked, and a GitLab job before it.
struct Bench {
    sts: Canned,
    workshop: Workshop,
}

fn bench() -> Bench {
    let sts = Canned::answering(sts_success());
    let workshop = Workshop::gitlab_aws(&sts.url);
    Bench { sts, workshop }
}

impl Bench {
    /// Changes `base.toml`: each line is added behind the target's own keys, replacing a key of the same name.
    fn with_lines(mut self, lines: &[&str]) -> Self {
        let mut base = aws_base(&self.sts.url);
        for line in lines {
            let key = line.split('=').next().unwrap();
            base = base.lines().filter(|known| !known.starts_with(key)).map(|known| format!("{known}\n")).collect();
            base.push_str(line);
            base.push('\n');
        }
        self.workshop.profile("base", &base);
        self
    }

    fn with_token(mut self, token: &str) -> Self {
        self.workshop.set("AWS_ID_TOKEN", token);
        self
    }

    /// Refused with this exit code, error code and words, by `env` and by `exec`.
    fn refuses(&self, code: i32, name: &str, words: &[&str]) {
        self.refuses_with(&[], code, name, words);
    }

    fn refuses_with(&self, arguments: &[&str], code: i32, name: &str, words: &[&str]) {
        let done = self.workshop.run_quietly(&[&["env", "-f", "json"], arguments].concat());
        assert_refused(&done, code, code, name, words);
        let marker = self.workshop.path("child-ran");
        let marker = marker.to_str().unwrap();
        let done = self.workshop.run_quietly(&[&["exec", "-o", "json"], arguments, &["--", "touch", marker]].concat());
        assert_refused(&done, 125, code, name, words);
        assert!(!std::path::Path::new(marker).exists(), "the child ran");
        assert_eq!(self.sts.requests(), Vec::<String>::new(), "the cloud was asked");
    }
}

fn assert_refused(done: &Done, code: i32, category: i32, name: &str, words: &[&str]) {
    assert_eq!(done.code, code, "{}", done.stderr);
    assert_eq!(done.stdout, "");
    let line = done.stderr.lines().last().unwrap_or_default();
    let error: Value = serde_json::from_str(line).unwrap_or_else(|_| panic!("not JSON: {}", done.stderr));
    let error = &error["error"];
    assert_eq!(
        (&error["code"], &error["category"], &error["exit_code"]),
        (&json!(name), &json!(category), &json!(code)),
        "{error}"
    );
    for word in words {
        assert!(line.contains(word), "{word}: {line}");
    }
}

#[test]
fn names_of_profiles() {
    let bench = bench();
    for name in ["../../x", ".hidden", "a/b", "", "a b", "prod\n"] {
        bench.refuses_with(&["-p", name], 2, "profile-name", &[]);
    }
    let mut bench = bench;
    bench.workshop.profile("production", "");
    bench.refuses_with(&["-p", "prodution"], 2, "profile-missing", &["production"]);
}

#[test]
fn placeholders() {
    for (line, name, word) in [
        ("endpoint_url = \"https://{env:HOST}\"", "placeholder-invalid", "endpoint_url"),
        ("audience = \"{env:HOME}\"", "placeholder-invalid", "audience"),
        ("session_name = \"{env:NOT_SET_ANYWHERE}\"", "env-unset", "NOT_SET_ANYWHERE"),
        ("session_name = \"{env:AWS_SECRET_ACCESS_KEY}\"", "env-credential", "AWS_SECRET_ACCESS_KEY"),
        ("session_name = \"{claim:nope}\"", "claim-unknown", "nope"),
        ("session_name = \"{what:x}\"", "placeholder-invalid", "what"),
        ("session_name = \"{env:X\"", "placeholder-invalid", "session_name"),
        ("role_arn = \"arn:aws:iam::111122223333:role/{claim:ref}\"", "placeholder-invalid", "role_arn"),
    ] {
        let mut bench = bench().with_lines(&[line]);
        bench.workshop.set("AWS_SECRET_ACCESS_KEY", "canary");
        let category = 2;
        bench.refuses(category, name, &["base.toml", word]);
    }
}

#[test]
fn keys_types_and_values() {
    for (line, name, words) in [
        ("rol_arn = \"x\"", "unknown-key", &["base.toml:7", "role_arn"][..]),
        ("region = 7", "wrong-type", &["base.toml", "region"]),
        ("duration = \"5m\"", "setting-invalid", &["base.toml", "15"]),
        ("duration = \"13h\"", "setting-invalid", &["base.toml", "12h"]),
        ("duration = \"soon\"", "wrong-type", &["base.toml", "duration"]),
        ("session_name = \"two words\"", "setting-invalid", &["base.toml", "session_name"]),
        ("role_arn = \"arn:aws-cn:iam::111122223333:role/deploy\"", "setting-invalid", &["base.toml", "aws-cn"]),
        ("role_arn = \"deploy\"", "setting-invalid", &["base.toml", "role_arn"]),
        ("type = \"awz\"", "unknown-adapter", &["base.toml", "aws"]),
    ] {
        let bench = bench().with_lines(&[line]);
        let done = bench.workshop.run_quietly(&["env", "-o", "json"]);
        assert_refused(&done, 2, 2, name, words);
        bench.refuses(2, name, words);
    }
}

#[test]
fn all_problems_of_all_files_at_once() {
    let mut bench = bench().with_lines(&["regoin = \"x\"", "duration = \"1m\""]);
    bench.workshop.profile(
        "prod",
        "[targets.aws]\npolicy_arn = [\"x\"]\nuse_fips = \"maybe\"\n[identites.gitlab]\ntype = \"gitlab\"\n",
    );
    let done = bench.workshop.run_quietly(&["env", "-p", "prod"]);
    assert_eq!(done.code, 2);
    for expected in [
        "regoin",
        "1m",
        "policy_arn",
        "use_fips",
        "identites",
        "base.toml:",
        "prod.toml:2",
        "prod.toml:3",
        "prod.toml:4",
    ] {
        assert!(done.stderr.contains(expected), "{expected}: {}", done.stderr);
    }
}

#[test]
fn a_circle_of_profiles() {
    let mut bench = bench();
    bench
        .workshop
        .profile("a", "extends = \"b\"\n")
        .profile("b", "extends = [\"c\"]\n")
        .profile("c", "extends = \"a\"\n");
    bench.refuses_with(&["-p", "a"], 2, "extends-cycle", &["a -> b -> c -> a"]);
}

#[test]
fn toml_that_is_none() {
    let mut bench = bench();
    bench.workshop.profile("broken", "[targets.aws\nregion = \n");
    bench.refuses_with(&["-p", "broken"], 2, "profile-syntax", &["broken.toml:1"]);
}

#[test]
fn issuers() {
    for (issuer, word) in [("https://gitlab.com/", "slash"), ("http://gitlab.com", "https"), ("gitlab.com", "https")] {
        let mut bench = bench();
        let base =
            format!("{}[identities.gitlab]\ntype = \"gitlab\"\nissuer = \"{issuer}\"\n", aws_base(&bench.sts.url));
        bench.workshop.profile("base", &base);
        bench.refuses(2, "setting-invalid", &["base.toml:9", word]);
    }
}

#[test]
fn tokens() {
    use federate_core::testing::jwt;
    let good = jwt(&gitlab_claims());
    let parts: Vec<&str> = good.split('.').collect();
    let none = {
        // {"alg":"none"}
        format!("eyJhbGciOiJub25lIn0.{}.", parts[1])
    };
    let huge = jwt(&with(gitlab_claims(), json!({"filler": "x".repeat(20_000)})));
    let changed = |change: Value| jwt(&with(gitlab_claims(), change));
    for (token, name) in [
        (none, "token-malformed"),
        (format!("{}.{}", parts[0], parts[1]), "token-malformed"),
        (format!("{}.{}.{}=", parts[0], parts[1], parts[2]), "token-malformed"),
        (format!("{}.{}.", parts[0], parts[1]), "token-malformed"),
        (String::new(), "token-missing"),
        ("not a token".to_owned(), "token-malformed"),
        (huge, "token-malformed"),
        (changed(json!({"exp": now() - 120})), "token-expired"),
        (changed(json!({"nbf": now() + 900})), "token-not-yet-valid"),
        (changed(json!({"aud": "https://other.example"})), "token-audience"),
        (changed(json!({"iss": "https://evil.test"})), "token-issuer"),
    ] {
        let mut bench = bench().with_token(&token);
        let base = format!(
            "{}[identities.gitlab]\ntype = \"gitlab\"\ntoken_env = \"AWS_ID_TOKEN\"\n",
            aws_base(&bench.sts.url)
        );
        bench.workshop.profile("base", &base);
        bench.refuses(3, name, &["AWS_ID_TOKEN"]);
    }
    let mut bench = bench();
    bench.workshop.unset("AWS_ID_TOKEN");
    bench.refuses(3, "token-missing", &["id_tokens:", "aud: https://gitlab.com"]);
}

#[test]
fn within_the_leeway_the_cloud_decides() {
    let token = federate_core::testing::jwt(&with(gitlab_claims(), json!({"exp": now() - 10})));
    let bench = bench().with_token(&token);
    let done = bench.workshop.run(&["env"]);
    assert_eq!(done.code, 0, "{}", done.stderr);
    assert!(done.stderr.contains("warning"), "{}", done.stderr);
    assert_eq!(bench.sts.requests().len(), 1);
}

#[test]
fn what_a_repository_may_not_bring_into_ci() {
    let mut bench = bench();
    bench.workshop.profile("prod", "").profile("prod.local", "[targets.aws]\nregion = \"eu-central-1\"\n");
    bench.refuses_with(&["-p", "prod"], 2, "local-in-ci", &["prod.local.toml", "--allow-local"]);
    let allowed = bench.workshop.run(&["env", "-p", "prod", "--allow-local"]);
    assert!(allowed.code == 0 && allowed.stdout.contains("eu-central-1"), "{}", allowed.stderr);

    let mut other = self::bench();
    let base = format!("{}[network]\nca_file = \"ca.pem\"\n", aws_base(&other.sts.url));
    other.workshop.profile("base", &base);
    other.refuses(2, "ca-file-in-ci", &["base.toml:8"]);
}

#[test]
fn networks_that_are_not_there() {
    let mut workshop = Workshop::gitlab_aws("https://sts.federate.invalid");
    workshop.set("FEDERATE_ALLOWED_HOSTS", "sts.federate.invalid");
    let done = workshop.run_quietly(&["env", "-o", "json", "--set", "network.max_tries=1"]);
    assert_refused(&done, 5, 5, "network-unreachable", &["sts.federate.invalid"]);
}
