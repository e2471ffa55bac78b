//! Layers at their edges: what is applied once, what is refused where, what a variable means, and that all problems are told.

use serde_json::Value;

use crate::support::{Done, Workshop, aws_base};

const STS: &str = "https://sts.eu-west-1.amazonaws.com";

fn layer(region: &str) -> String {
    format!("[targets.aws]\nregion = \"{region}\"\n")
}

fn shown(workshop: &Workshop, arguments: &[&str]) -> String {
    let done = workshop.run_quietly(&[&["profile", "show", "--origin"], arguments].concat());
    assert_eq!(done.code, 0, "{}", done.stderr);
    done.stdout
}

fn refused(done: &Done, words: &[&str]) {
    assert_eq!(done.code, 2, "{}", done.stderr);
    for word in words {
        assert!(done.stderr.contains(word), "{word}: {}", done.stderr);
    }
}

#[test]
fn a_file_is_applied_once_and_the_first_time() {
    let mut workshop = Workshop::new();
    workshop.profile("base", &aws_base(STS)).profile("dev", "").profile("dev.local", &layer("us-west-1"));
    workshop.profile("prod", &format!("extends = [\"dev\", \"base\"]\n{}", layer("us-east-2")));
    assert!(shown(&workshop, &["-p", "prod", "-p", "base"]).contains("us-east-2"));
    assert!(shown(&workshop, &["-p", "dev", "-p", "prod", "-p", "dev"]).contains("us-east-2"));
    assert!(shown(&workshop, &["-p", "prod", "-p", "dev"]).contains("us-west-1"));
}

#[test]
fn a_local_layer_is_refused_in_ci_by_whatever_name() {
    let mut workshop = Workshop::new();
    workshop.profile("base", &aws_base(STS)).profile("dev.local", &layer("us-west-1")).set("CI", "true");
    workshop.profile("dev", "").profile("sly", "extends = \"dev.local\"\n");
    for name in ["dev", "dev.local", "sly"] {
        let done = workshop.run_quietly(&["plan", "-p", name]);
        refused(&done, &["error[local-in-ci]", "where: profiles/dev.local.toml"]);
        assert_eq!(workshop.run_quietly(&["profile", "show", "-p", name, "--allow-local"]).code, 0);
    }
    workshop.profile("dev.local", "extends = \"sly\"\n");
    let done = workshop.run_quietly(&["profile", "show", "-p", "dev", "--allow-local"]);
    refused(&done, &["only a profile can extend others", "profiles/dev.local.toml:1"]);
}

#[test]
fn what_a_broken_layer_sets_is_not_called_missing() {
    let mut workshop = Workshop::new();
    workshop.profile("base", "[targets.aws\n").profile("dev", "identity = \"own\"\n[targets.aws]\nregoin = \"x\"\n");
    let done = workshop.run_quietly(&["plan", "-p", "dev"]);
    refused(&done, &["profiles/base.toml:1:", "profiles/dev.toml:3", "did you mean `region`?"]);
    assert!(!done.stderr.contains("setting-missing") && !done.stderr.contains("identity-unknown"), "{}", done.stderr);
}

#[test]
fn keys_that_nothing_would_read_are_refused() {
    let mut workshop = Workshop::new();
    workshop.profile("base", &aws_base(STS)).profile("dev", "default_profile = \"prod\"\n");
    refused(&workshop.run_quietly(&["plan", "-p", "dev"]), &["only base.toml says", "profiles/dev.toml:1"]);
    let done = workshop.run_quietly(&["plan", "--set", "default_profile=dev"]);
    refused(&done, &["only base.toml says", "--set default_profile"]);
    workshop.profile("base", &format!("{}[targets.aws.trust]\nallow = [\n  {{ branch = \"main\" }},\n  {{ identity = \"gitlab\", projct = \"g/p\", branch = \"main\" }},\n  {{ identity = \"github\", repository = \"{{env:X}}/r\", branch = \"main\" }},\n]\n", aws_base(STS)));
    let done = workshop.run_quietly(&["exec", "--", "true"]);
    assert_eq!(done.code, 125, "{}", done.stderr);
    for word in
        ["allow.0)", "`projct` is not a key", "did you mean `project`?", "allow.2.repository)", "no placeholder"]
    {
        assert!(done.stderr.contains(word), "{word}: {}", done.stderr);
    }
}

#[test]
fn a_profile_is_blamed_on_whoever_asked_for_it() {
    let mut workshop = Workshop::new();
    workshop.profile("base", &aws_base(STS)).profile("a", "extends = [\n  \"base\",\n  \"nope\",\n]\n");
    refused(&workshop.run_quietly(&["plan", "-p", "a"]), &["where: profiles/a.toml:3"]);
    refused(&workshop.run_quietly(&["plan", "-p", "b"]), &["where: -p"]);
    workshop.set("FEDERATE_PROFILE", "a , b");
    let done = workshop.run_quietly(&["plan"]);
    refused(&done, &["no profile `b`", "where: environment variable FEDERATE_PROFILE"]);
    workshop.unset("FEDERATE_PROFILE").set("FEDERATE_SET", "targets.aws.region=us-east-1\ntargets.aws.duration=2h");
    let all = shown(&workshop, &[]);
    assert!(
        all.contains("\"2h\"") && all.contains("# environment variable FEDERATE_SET (targets.aws.region)"),
        "{all}"
    );
    workshop.set("FEDERATE_PROFILES_DIR", "elsewhere");
    refused(&workshop.run_quietly(&["plan"]), &["where: environment variable FEDERATE_PROFILES_DIR"]);
}

#[test]
fn variables_of_flags_may_be_empty_and_say_yes_in_any_way() {
    let mut workshop = Workshop::new();
    workshop.profile("base", &aws_base(STS)).profile("dev", "").profile("dev.local", "").set("CI", "true");
    for name in ["PROFILE", "TARGETS", "OUTPUT", "SET", "PROFILES_DIR", "QUIET", "VERBOSE", "COLOR", "ALLOW_LOCAL"] {
        workshop.set(&format!("FEDERATE_{name}"), "");
    }
    assert_eq!(workshop.run_quietly(&["plan", "--set", "identity=github"]).code, 0);
    for (yes, code) in [("1", 0), ("true", 0), ("YES", 0), ("0", 2), ("off", 2)] {
        workshop.set("FEDERATE_ALLOW_LOCAL", yes);
        let done = workshop.run_quietly(&["profile", "show", "-p", "dev"]);
        assert_eq!(done.code, code, "{yes}: {}", done.stderr);
    }
    workshop.set("FEDERATE_VERBOSE", "true").set("FEDERATE_ALLOW_LOCAL", "1");
    let done = workshop.run_quietly(&["profile", "validate", "-q"]);
    assert_eq!((done.code, done.stderr.as_str()), (0, ""), "the flag outranks the variable");
    workshop.set("FEDERATE_QUIET", "1");
    let done = workshop.run_quietly(&["profile", "validate", "-v"]);
    assert!(done.code == 0 && done.stderr.contains("valid"), "{}", done.stderr);
    assert_eq!(workshop.run_quietly(&["profile", "validate", "-v", "-q"]).code, 2);
}

#[test]
fn values_of_variables_become_what_their_key_wants() {
    let mut workshop = Workshop::new();
    let policy = "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Resource\":\"${aws:username}\"}]}";
    workshop
        .profile("base", &aws_base(STS))
        .set("FEDERATE__TARGETS__AWS__POLICY", policy)
        .set("FEDERATE__TARGETS__AWS__USE_FIPS", "1")
        .set("FEDERATE__TARGETS__AWS__ALLOWED_ACCOUNT_IDS", "[111122223333]")
        .set("FEDERATE__DEFAULT_TARGETS", "aws, a*")
        .set("FEDERATE__NETWORK__MAX_TRIES", "2");
    let done = workshop.run_quietly(&["profile", "show", "-o", "json"]);
    let all: Value = serde_json::from_str(&done.stdout).unwrap_or_else(|_| panic!("{}", done.stderr));
    assert_eq!(all["targets.aws.policy"], policy);
    assert_eq!(all["targets.aws.use_fips"], true);
    assert_eq!(all["targets.aws.allowed_account_ids"][0], "111122223333");
    assert_eq!(all["default_targets"][1], "a*");
    assert_eq!(all["network.max_tries"], 2);
    workshop.set("FEDERATE__targets__aws__use_fips", "0").set("FEDERATE__NETWORK__MAX_TRIES", "0");
    let done = workshop.run_quietly(&["profile", "show"]);
    refused(&done, &["error[ambiguous-variable]", "FEDERATE__targets__aws__use_fips", "`max_tries` is 0"]);
}

#[test]
fn errors_of_every_stage_are_one_line_of_json() {
    let mut workshop = Workshop::new();
    workshop.profile("base", &aws_base(STS)).profile("bad", "a = 1\n\"b\\n::c\" = 2\n");
    let keys = ["category", "cause", "cloud_code", "code", "exit_code", "help", "message", "origin", "request_id"];
    for arguments in
        [&["plan", "-o", "json", "-p", "bad"][..], &["plan", "-o=json", "--nope"], &["plan", "-vojson", "-t", "x"]]
    {
        let done = workshop.run_quietly(arguments);
        let last = done.stderr.lines().last().unwrap();
        let object: Value = serde_json::from_str(last).unwrap_or_else(|_| panic!("{}", done.stderr));
        let found: Vec<&String> = object["error"].as_object().unwrap().keys().collect();
        assert_eq!(found, keys);
    }
    let done = workshop.run_quietly(&["plan", "-p", "bad"]);
    assert!(!done.stderr.lines().any(|line| line.trim_start().starts_with("::")), "{}", done.stderr);
    let named = "identity = \"github\"\n[targets.\"a\\n::b\"]\ntype = \"aws\"\nrole_arn = \"arn:aws:iam::111122223333:role/x\"\n";
    workshop.profile("base", named);
    for arguments in [&["plan"][..], &["profile", "show"], &["profile", "show", "--origin"], &["plan", "-t", "c"]] {
        let done = workshop.run_quietly(arguments);
        let said = done.stdout + &done.stderr;
        assert!(said.contains("\\n::b") && !said.lines().any(|line| line.trim_start().starts_with("::")), "{said}");
    }
    workshop.profile("dev", "");
    let listed = workshop.run_quietly(&["profile", "list"]).stdout;
    assert!(listed.contains("dev: a\\n::b"), "{listed}");
}

#[test]
fn no_targets_are_never_taken_for_all_done() {
    let mut workshop = Workshop::new();
    workshop.profile("base", &format!("default_targets = []\n{}[targets.b]\ntype = \"azure\"\n", aws_base(STS)));
    workshop.set("AZURE_TENANT_ID", "00000000-0000-0000-0000-000000000001");
    workshop.set("AZURE_CLIENT_ID", "00000000-0000-0000-0000-000000000002");
    let done = workshop.run_quietly(&["exec", "--", "true"]);
    assert!(done.code == 125 && done.stderr.contains("target-unchosen"), "{}", done.stderr);
    let done = workshop.run_quietly(&["plan", "-t", "asw", "-t", "c*"]);
    refused(&done, &["`asw` or `c*`", "did you mean `aws`?"]);
    workshop.profile("base", &format!("default_targets = [\"asw\"]\n{}", aws_base(STS)));
    refused(&workshop.run_quietly(&["profile", "validate"]), &["`asw`", "profiles/base.toml:1 (default_targets)"]);
}

#[test]
fn the_owners_policy_is_read_as_a_whole() {
    let mut workshop = Workshop::new();
    workshop.profile("base", &aws_base(STS));
    let config = workshop.path("home/.config/federate");
    std::fs::create_dir_all(&config).unwrap();
    std::fs::write(config.join("config.toml"), "policy = \"strict\"\n").unwrap();
    refused(&workshop.run_quietly(&["plan"]), &["`policy` must be a table", "config.toml:1"]);
    std::fs::write(config.join("config.toml"), "[policy]\nallowed_host = []\nexternals = { x = \"./x\" }\n").unwrap();
    refused(&workshop.run_quietly(&["plan"]), &["did you mean `allowed_hosts`?", "config.toml:2", "config.toml:3"]);
}
