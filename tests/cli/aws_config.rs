//! `aws-config`: profiles in an AWS config file, and every other byte as it was.

use std::os::unix::fs::PermissionsExt as _;

use serde_json::Value;

use crate::support::{Workshop, aws_base};

const USER: &str = "# my own\r\n[default]\r\nregion = us-east-1\r\n\r\n[profile other]\r\nrole_arn = arn:x\r\n";

fn workshop() -> Workshop {
    let mut workshop = Workshop::new();
    let azure = "[targets.azure]\ntype = \"azure\"\ntenant_id = \"00000000-0000-0000-0000-000000000001\"\nclient_id = \"00000000-0000-0000-0000-000000000002\"\n";
    let audit = "[targets.audit]\ntype = \"aws\"\nrole_arn = \"arn:aws:iam::111122223333:role/{env:ROLE}\"\nregion = \"{env:REGION}\"\nuse_fips = true\n";
    workshop.profile("base", &format!("{}{azure}{audit}", aws_base("http://127.0.0.1:9")));
    std::fs::create_dir(workshop.path("home/.aws")).unwrap();
    std::fs::write(workshop.path("home/.aws/config"), USER).unwrap();
    workshop
}

fn config(workshop: &Workshop) -> String {
    std::fs::read_to_string(workshop.path("home/.aws/config")).unwrap()
}

#[test]
fn profiles_come_up_to_date_and_go_again() {
    let workshop = workshop();
    let check = |code: i32| assert_eq!(workshop.run_quietly(&["aws-config", "--check"]).code, code);
    check(1);
    let dry = workshop.run_quietly(&["aws-config", "--dry-run"]);
    assert!(dry.stdout.contains("+[profile aws]") && !dry.stdout.contains("\n-"), "{}", dry.stdout);
    assert_eq!(config(&workshop), USER);
    let done = workshop.run_quietly(&["aws-config"]);
    assert!(done.code == 0 && done.stdout.is_empty(), "{}", done.stderr);
    let written = config(&workshop);
    let program = env!("CARGO_BIN_EXE_federate");
    let folder = workshop.path("project/profiles");
    let folder = folder.display();
    let expected = format!(
        "{USER}\r\n[profile audit]\r\n# Written by federate aws-config: credential_process, use_fips_endpoint\r\n\
         credential_process = {program} credential-process --profiles-dir {folder} -t audit\r\nuse_fips_endpoint = true\r\n\r\n\
         [profile aws]\r\n# Written by federate aws-config: credential_process, region\r\n\
         credential_process = {program} credential-process --profiles-dir {folder} -t aws\r\nregion = eu-west-1\r\n"
    );
    assert_eq!(written, expected);
    check(0);
    let again = workshop.run_quietly(&["aws-config", "-o", "json"]);
    assert_eq!(serde_json::from_str::<Value>(&again.stdout).unwrap()["changed"], false);
    assert_eq!(workshop.run_quietly(&["aws-config", "-t", "aws", "--remove"]).code, 0);
    assert!(!config(&workshop).contains("[profile aws]") && config(&workshop).contains("[profile audit]"));
    assert_eq!(workshop.run_quietly(&["aws-config", "--remove"]).code, 0);
    assert_eq!(config(&workshop), USER);
}

#[test]
fn a_strangers_profile_is_refused_and_static_keys_are_told_of() {
    let workshop = workshop();
    std::fs::write(workshop.path("home/.aws/credentials"), "[ci-aws]\naws_access_key_id = AKIA\n").unwrap();
    let foreign = format!("{USER}[profile ci-aws]\r\nsource_profile = default\r\noutput = json\r\n");
    std::fs::write(workshop.path("home/.aws/config"), &foreign).unwrap();
    let arguments = ["aws-config", "-t", "aws", "--prefix", "ci-"];
    let refused = workshop.run_quietly(&arguments);
    assert!(refused.code == 2 && refused.stderr.contains("federate did not write"), "{}", refused.stderr);
    assert!(refused.stderr.contains("where: ") && refused.stderr.contains(".aws/config"), "{}", refused.stderr);
    assert!(refused.stderr.contains(".aws/credentials has static keys for the profile `ci-aws`"), "{}", refused.stderr);
    assert_eq!(config(&workshop), foreign);
    assert_eq!(workshop.run_quietly(&[&arguments[..], &["--force"]].concat()).code, 0);
    let taken = config(&workshop);
    assert!(
        taken.starts_with(USER) && taken.ends_with("output = json\r\n") && !taken.contains("source_profile"),
        "{taken}"
    );
}

#[test]
fn the_file_keeps_its_mode_and_its_link() {
    let mut workshop = workshop();
    let (real, link) = (workshop.path("dotfiles"), workshop.path("home/.aws/linked"));
    std::fs::write(&real, USER).unwrap();
    std::fs::set_permissions(&real, std::fs::Permissions::from_mode(0o640)).unwrap();
    std::os::unix::fs::symlink(&real, &link).unwrap();
    let link_text = link.display().to_string();
    workshop.set("AWS_CONFIG_FILE", &link_text);
    assert_eq!(workshop.run_quietly(&["aws-config", "-t", "aws"]).code, 0);
    assert!(link.symlink_metadata().unwrap().is_symlink());
    assert_eq!(real.metadata().unwrap().permissions().mode() & 0o777, 0o640);
    assert!(std::fs::read_to_string(&real).unwrap().contains("[profile aws]"));
    let new = workshop.path("new/folder/config");
    assert_eq!(workshop.run_quietly(&["aws-config", "-t", "aws", "--file", &new.display().to_string()]).code, 0);
    assert_eq!(new.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(std::fs::read_dir(new.parent().unwrap()).unwrap().count(), 1, "nothing is left beside it");
}

#[test]
fn many_at_once_lose_nothing() {
    let workshop = workshop();
    let start = |number: usize| {
        let prefix = format!("p{number}-");
        workshop.command(&["aws-config", "-q", "--prefix", &prefix, "-t", "aws"]).spawn().unwrap()
    };
    for mut writer in (0..16).map(start).collect::<Vec<_>>() {
        assert!(writer.wait().unwrap().success());
    }
    let written = config(&workshop);
    assert!(written.starts_with(USER));
    for number in 0..16 {
        assert_eq!(written.matches(&format!("[profile p{number}-aws]")).count(), 1, "{written}");
    }
}

/// `AWS_CONFIG_FILE=/dev/null` is a habit, and jobs often run as root.
#[test]
fn a_device_stays_a_device() {
    use std::os::unix::fs::FileTypeExt as _;
    let mut workshop = workshop();
    let socket = workshop.path("home/.aws/socket");
    let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    workshop.set("AWS_CONFIG_FILE", &socket.display().to_string());
    let done = workshop.run_quietly(&["aws-config"]);
    assert_eq!(done.code, 2, "{}", done.stderr);
    assert!(done.stderr.contains("is not a file, so it cannot be replaced"), "{}", done.stderr);
    assert!(socket.symlink_metadata().unwrap().file_type().is_socket());
}

#[test]
fn what_cannot_be_written_is_refused() {
    let workshop = workshop();
    for (arguments, expected) in [
        (&["aws-config", "-t", "azure"][..], "whose SDKs know no program"),
        (&["credential-process", "-t", "azure"], "whose SDKs know no credential process"),
        (&["aws-config", "--prefix", "a]b"], "cannot be named"),
        (&["aws-config", "--set", "targets.aws.policy='{\"Id\": \"a #b\"}'", "-t", "aws"], "cannot be written into"),
        (&["aws-config", "--dry-run", "--check"], "cannot be used with"),
        (&["aws-config", "-t", "nobody"], "no target"),
    ] {
        let done = workshop.run_quietly(arguments);
        assert!(done.code == 2 && done.stderr.contains(expected), "{arguments:?}: {}", done.stderr);
        assert_eq!(config(&workshop), USER);
    }
    std::fs::write(workshop.path("home/.aws/config"), b"\xff\n").unwrap();
    let done = workshop.run_quietly(&["aws-config"]);
    assert!(done.code == 2 && done.stderr.contains("error[file-unusable]"), "{}", done.stderr);
}
