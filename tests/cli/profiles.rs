//! Layers as the command line sees them: which wins, where it came from, what is wrong.

use serde_json::Value;

use crate::support::{Workshop, aws_base};

const STS: &str = "https://sts.eu-west-1.amazonaws.com";

fn region(workshop: &Workshop, arguments: &[&str]) -> String {
    let done = workshop.run_quietly(&[&["profile", "show", "--origin"], arguments].concat());
    assert_eq!(done.code, 0, "{}", done.stderr);
    done.stdout.lines().find(|line| line.contains("targets.aws.region")).unwrap_or_default().to_owned()
}

#[test]
fn each_layer_outranks_the_one_below() {
    let mut workshop = Workshop::new();
    let config = workshop.path("home/.config/federate");
    std::fs::create_dir_all(&config).unwrap();
    let layer = |region: &str| format!("[targets.aws]\nregion = \"{region}\"\n");
    std::fs::write(config.join("config.toml"), layer("us-east-1")).unwrap();
    let without_region: String =
        aws_base(STS).lines().filter(|line| !line.starts_with("region")).map(|line| format!("{line}\n")).collect();
    workshop.profile("base", &without_region);
    assert!(region(&workshop, &[]).contains("us-east-1") && region(&workshop, &[]).contains("config.toml:2"));
    workshop.profile("base", &format!("{without_region}region = \"us-east-2\"\n"));
    assert!(region(&workshop, &[]).contains("us-east-2"));
    workshop.profile("common", &layer("us-west-1")).profile("prod", "extends = \"common\"\n");
    assert!(region(&workshop, &["-p", "prod"]).contains("us-west-1"));
    workshop.profile("prod", &format!("extends = \"common\"\n{}", layer("us-west-2")));
    let line = region(&workshop, &["-p", "prod"]);
    assert!(line.contains("us-west-2") && line.contains("prod.toml:3"), "{line}");
    workshop.profile("prod.local", &layer("ca-central-1"));
    assert!(region(&workshop, &["-p", "prod"]).contains("ca-central-1"));
    workshop.profile("blue", &layer("sa-east-1"));
    assert!(region(&workshop, &["-p", "prod", "-p", "blue"]).contains("sa-east-1"));
    workshop.set("FEDERATE__TARGETS__AWS__REGION", "eu-north-1");
    let line = region(&workshop, &["-p", "prod"]);
    assert!(line.contains("eu-north-1") && line.contains("FEDERATE__TARGETS__AWS__REGION"), "{line}");
    let line = region(&workshop, &["-p", "prod", "--set", "targets.aws.region=eu-south-1"]);
    assert!(line.contains("eu-south-1") && line.contains("--set"), "{line}");
}

#[test]
fn foreign_variables_only_fill() {
    let mut workshop = Workshop::new();
    workshop.profile("base", &aws_base(STS)).set("AWS_REGION", "ap-south-1");
    assert!(region(&workshop, &[]).contains("eu-west-1"));
    let bare: String =
        aws_base(STS).lines().filter(|line| !line.starts_with("region")).map(|line| format!("{line}\n")).collect();
    workshop.profile("base", &bare);
    assert!(region(&workshop, &[]).contains("ap-south-1"));
}

#[test]
fn variables_are_strings_until_a_type_refuses_one() {
    let mut workshop = Workshop::new();
    workshop
        .profile("base", &aws_base(STS))
        .set("FEDERATE__TARGETS__AWS__ALLOWED_ACCOUNT_IDS", "012345678901,111122223333")
        .set("FEDERATE__TARGETS__AWS__USE_FIPS", "true")
        .set("FEDERATE__TARGETS__AWS__SESSION_NAME", "012345");
    let done = workshop.run_quietly(&["profile", "show", "-o", "json"]);
    assert_eq!(done.code, 0, "{}", done.stderr);
    for expected in ["\"012345678901\"", "\"012345\"", "true"] {
        assert!(done.stdout.contains(expected), "{expected}: {}", done.stdout);
    }
    workshop.set("FEDERATE__TARGETS__AWS__REGOIN", "x");
    let done = workshop.run_quietly(&["profile", "show"]);
    assert_eq!(done.code, 2);
    assert!(
        done.stderr.contains("FEDERATE__TARGETS__AWS__REGOIN") && done.stderr.contains("region"),
        "{}",
        done.stderr
    );
}

#[test]
fn list_and_validate_look_at_every_profile() {
    let mut workshop = Workshop::new();
    workshop.profile("base", &aws_base(STS)).profile("dev", "").profile("prod", "[targets.aws]\nregoin = \"x\"\n");
    workshop.profile("staging", "[targets.aws]\nduration = \"1m\"\n");
    let listed = workshop.run_quietly(&["profile", "list"]).stdout;
    for name in ["dev", "prod", "staging"] {
        assert!(listed.contains(name), "{listed}");
    }
    let done = workshop.run_quietly(&["profile", "validate"]);
    assert_eq!(done.code, 2, "{}", done.stderr);
    assert!(done.stderr.contains("prod.toml:2") && done.stderr.contains("staging.toml:2"), "{}", done.stderr);
    assert_eq!(workshop.run_quietly(&["profile", "validate", "-p", "dev"]).code, 0);
}

#[test]
fn the_schema_describes_every_key() {
    let workshop = Workshop::new();
    let done = workshop.run_quietly(&["profile", "schema"]);
    let schema: Value = serde_json::from_str(&done.stdout).unwrap();
    assert!(schema["$schema"].as_str().unwrap().contains("json-schema.org"));
    assert!(
        done.stdout.contains("allowed_account_ids") && done.stdout.contains("The role to assume"),
        "{}",
        done.stdout
    );
}

#[test]
fn the_nearest_directory_is_taken_up_to_the_repository() {
    let mut workshop = Workshop::new();
    workshop.profile("base", &aws_base(STS));
    std::fs::create_dir_all(workshop.path("project/deep/er")).unwrap();
    let mut command = workshop.command(&["profile", "list"]);
    let found = crate::support::finish(command.current_dir(workshop.path("project/deep/er")).output().unwrap());
    assert_eq!(found.code, 0, "{}", found.stderr);
    std::fs::create_dir_all(workshop.path("project/deep/.federate")).unwrap();
    std::fs::write(workshop.path("project/deep/.federate/base.toml"), "default_profile = \"near\"\n").unwrap();
    std::fs::write(workshop.path("project/deep/.federate/near.toml"), "").unwrap();
    let near = crate::support::finish(command.current_dir(workshop.path("project/deep/er")).output().unwrap());
    assert!(near.stdout.contains("near"), "{} {}", near.stdout, near.stderr);
    let named = workshop.run_quietly(&["profile", "list", "--profiles-dir", "deep/.federate"]);
    assert!(named.stdout.contains("near"), "{}", named.stdout);
}
