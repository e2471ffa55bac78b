use super::*;

fn profile(name: &str) -> SdkProfile {
    let words = ["/opt/federate", "credential-process", "-t", name];
    SdkProfile {
        name: name.to_owned(),
        program: words.map(str::to_owned).to_vec(),
        settings: vec![("region", "eu-west-1".to_owned())],
    }
}

fn written(text: &str, names: &[&str]) -> String {
    with_profiles(text, &names.iter().map(|name| profile(name)).collect::<Vec<_>>(), false).unwrap()
}

const USER: &str = "# mine\n[default]\nregion = us-east-1 ; home\ns3 =\n  max_concurrent_requests = 20\n  [profile x]\n\n\n[profile other]\n\toutput=json\n# the end";

#[test]
fn every_other_line_stays_byte_for_byte() {
    let once = written(USER, &["prod", "audit"]);
    assert!(once.starts_with(USER), "{once}");
    assert_eq!(
        &once[USER.len()..],
        "\n\n[profile prod]\n# Written by federate aws-config: credential_process, region\ncredential_process = /opt/federate credential-process -t prod\nregion = eu-west-1\n\n[profile audit]\n# Written by federate aws-config: credential_process, region\ncredential_process = /opt/federate credential-process -t audit\nregion = eu-west-1\n"
    );
    assert_eq!(written(&once, &["audit", "prod"]), once, "written twice is written once");
    assert_eq!(without_profiles(&once, &|_| true), format!("{USER}\n"));
    let left = without_profiles(&once, &|name| name == "prod");
    assert!(!left.contains("prod") && left.contains("[profile audit]"), "{left}");
    assert_eq!(without_profiles(USER, &|_| true), USER, "what others wrote is not removed");
    let blank = "[default]\nregion = a\n\n\n";
    assert_eq!(without_profiles(&written(blank, &["prod", "audit"]), &|_| true), blank);
}

#[test]
fn carriage_returns_stay() {
    let user = "[default]\r\nregion = us-east-1\r\n";
    let once = written(user, &["prod"]);
    assert!(once.starts_with(user) && once.lines().count() == once.matches("\r\n").count(), "{once:?}");
    assert_eq!(without_profiles(&once, &|_| true), user);
}

#[test]
fn an_update_keeps_what_the_user_added() {
    let once = written("", &["prod", "last"]);
    let own = once.replacen("region = eu-west-1\n", "region = eu-west-1\n# my own\noutput = yaml\n", 1).replacen(
        "# Written",
        "retry_mode = adaptive\n# Written",
        1,
    );
    let mut changed = profile("prod");
    changed.settings = vec![("use_fips_endpoint", "true".to_owned())];
    let updated = with_profiles(&own, &[changed], false).unwrap();
    let (section, rest) = updated.split_once("\n\n").unwrap();
    assert_eq!(
        section,
        "[profile prod]\nretry_mode = adaptive\n# Written by federate aws-config: credential_process, use_fips_endpoint\ncredential_process = /opt/federate credential-process -t prod\nuse_fips_endpoint = true\n# my own\noutput = yaml"
    );
    assert_eq!(rest, own.split_once("\n\n").unwrap().1);
    let removed = without_profiles(&updated, &|name| name == "prod");
    assert!(removed.starts_with("[profile prod]\nretry_mode = adaptive\n# my own\noutput = yaml\n"), "{removed}");
}

#[test]
fn a_strangers_profile_is_taken_over_only_if_asked() {
    let user = "[profile \"prod\"]\nrole_arn = arn:x\nsource_profile = default\nsso_start_url =\n  https://x\noutput = json\nregion = us-east-1\n[default]\n";
    let errors = with_profiles(user, &[profile("prod"), profile("new")], false).unwrap_err();
    assert!(errors.len() == 1 && errors[0].what().contains("did not write"), "{errors:?}");
    let taken = with_profiles(user, &[profile("prod")], true).unwrap();
    assert_eq!(
        taken,
        "[profile \"prod\"]\n# Written by federate aws-config: credential_process, region\ncredential_process = /opt/federate credential-process -t prod\nregion = eu-west-1\noutput = json\n[default]\n"
    );
    let twice = "[profile prod]\n[profile prod]\n";
    assert!(with_profiles(twice, &[profile("prod")], true).unwrap_err()[0].what().contains("twice"));
}

#[test]
fn names_and_commands_are_quoted_or_refused() {
    let spaced = written("", &["a b"]);
    assert!(spaced.starts_with("[profile \"a b\"]\n") && spaced.contains("-t 'a b'\n"), "{spaced}");
    assert_eq!(written(&spaced, &["a b"]), spaced);
    assert!(written("", &["default"]).starts_with("[default]\n"));
    for bad in ["", "a]b", "a\nb", "a\"b", "it's"] {
        assert!(with_profiles("", &[profile(bad)], false).is_err(), "{bad}");
    }
    let words = |path: &str| command_line(&[path.to_owned()]);
    assert_eq!(words("/it's/$HOME").as_deref(), Some("'/it'\"'\"'s/$HOME'"));
    assert_eq!(words("/a #b"), None);
    assert_eq!(words("/a\nb"), None);
    assert_eq!(words("").as_deref(), Some("''"));
}

#[test]
fn static_keys_elsewhere_are_seen() {
    let text = "[a]\naws_access_key_id = AKIA\n[ b ]\nregion = x\n";
    assert!(has_static_keys(text, "a") && !has_static_keys(text, "b") && !has_static_keys(text, "c"));
}

proptest::proptest! {
    #[test]
    fn no_file_loses_a_byte(text in "([a-z#;=\\[\\] \\t]{0,12}(\r\n|\n)){0,8}") {
        let own = text.contains("[profile prod]") || text.contains("[default]");
        if let (false, Ok(once)) = (own, with_profiles(&text, &[profile("prod")], false)) {
            proptest::prop_assert!(once.starts_with(&text));
            proptest::prop_assert_eq!(with_profiles(&once, &[profile("prod")], false).unwrap(), once);
        }
    }
}
