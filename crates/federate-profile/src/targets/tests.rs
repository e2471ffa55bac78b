use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use federate_core::Env;
use federate_core::testing::fixture;
use serde_json::json;

use crate::load::{LoadOptions, load};
use crate::profile::Profile;
use crate::testing::registry;

struct Folder(tempfile::TempDir);

impl Folder {
    fn new(base: &str) -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        std::fs::create_dir(folder.0.path().join("profiles")).unwrap();
        folder.with("base.toml", base)
    }

    fn with(self, name: &str, text: &str) -> Self {
        std::fs::write(self.0.path().join("profiles").join(name), text).unwrap();
        self
    }

    fn load_with(&self, variables: &[(&str, &str)], set: &[&str]) -> Result<Profile, String> {
        let options = LoadOptions {
            cwd: self.0.path().to_owned(),
            env: Arc::new(variables.iter().copied().collect::<Env>()),
            profiles_dir: None,
            profiles: Vec::new(),
            set: set.iter().map(|text| (*text).to_owned()).collect(),
            allow_local: false,
            in_ci: false,
            system_config: Path::new("/nowhere").to_owned(),
        };
        load(&registry(), &options).map_err(|errors| {
            let line = |error: &federate_core::Error| {
                format!(
                    "{} | {} | {} | {}\n",
                    error.what(),
                    error.setting().unwrap_or_default(),
                    error.origin().unwrap_or_default(),
                    error.help().join(" ")
                )
            };
            errors.iter().map(line).collect()
        })
    }

    fn load(&self) -> Result<Profile, String> {
        self.load_with(&[], &[])
    }
}

const MEMBERS: &str = "[targets.member]\ntype = \"cloud\"\nmatrix = { account = [\"012\", \"34\"], region = [\"eu\"] }\n\
                       role = \"role/{matrix:account}-{target}\"\nregion = \"{matrix:region}\"\n";

#[test]
fn one_table_makes_many_targets() {
    let profile = Folder::new(MEMBERS).load().unwrap();
    assert_eq!(profile.target_names(), ["member-012-eu", "member-34-eu"]);
    let settings = profile.settings("member-012-eu").unwrap();
    assert_eq!((&settings["role"], &settings["region"]), (&json!("role/012-{target}"), &json!("eu")));
    assert_eq!(profile.matching(&["member-3*".to_owned()]).unwrap(), ["member-34-eu"]);
    let error = profile.matching(&["member".to_owned()]).unwrap_err();
    assert!(error.help()[0].contains("`member-*`"), "{error:?}");
}

#[test]
fn rows_come_from_a_file_beside_the_layer() {
    let base =
        "[targets.m]\ntype = \"cloud\"\nmatrix = { file = \"data/accounts.csv\" }\nrole = \"r-{matrix:account}\"\n";
    let folder = Folder::new(base);
    std::fs::create_dir(folder.0.path().join("profiles/data")).unwrap();
    let folder = folder.with("data/accounts.csv", "name,account\nbilling,01\naudit,02\n");
    let profile = folder.load().unwrap();
    assert_eq!(profile.target_names(), ["m-audit", "m-billing"]);
    let all = profile.effective();
    let origin = |path: &str| all.iter().find(|one| one.path == path).unwrap().origin.clone();
    assert_eq!(origin("targets.m-audit.role"), "profiles/base.toml:4, profiles/data/accounts.csv:3");
    assert_eq!(origin("targets.m-audit.type"), "profiles/base.toml:2");
    assert_eq!(origin("targets.m-audit.duration"), "default");
    assert_eq!(origin("targets.m.role"), "profiles/base.toml:4", "the table itself is shown as written");
    let none = Folder::new(base).load().unwrap_err();
    assert!(none.contains("data/accounts.csv cannot be read | targets.m.matrix.file | profiles/base.toml:3"), "{none}");
    let bad = folder.with("data/accounts.csv", "name,account\nbilling,01\naudit\n").load().unwrap_err();
    assert!(bad.contains("targets.m.matrix.file | profiles/data/accounts.csv:3"), "{bad}");
}

#[test]
fn one_target_of_a_matrix_can_be_changed() {
    let changed = format!("{MEMBERS}[targets.member-34-eu]\nregion = \"us\"\n");
    let profile = Folder::new(&changed).load_with(&[], &["targets.member-012-eu.duration=2h"]).unwrap();
    assert_eq!(profile.target_names(), ["member-012-eu", "member-34-eu"]);
    assert_eq!(profile.settings("member-34-eu").unwrap()["region"], "us");
    assert_eq!(profile.settings("member-012-eu").unwrap()["duration"], "2h");
    assert_eq!(profile.origin("targets.member-34-eu.region").unwrap(), "profiles/base.toml:7");
    assert_eq!(profile.origin("targets.member-012-eu.duration").unwrap(), "--set targets.member-012-eu.duration");
    let variable = ("FEDERATE__TARGETS__MEMBER_012_EU__DURATION", "3h");
    let profile = Folder::new(MEMBERS).load_with(&[variable], &[]).unwrap();
    assert_eq!(profile.target_names(), ["member-012-eu", "member-34-eu"]);
    assert_eq!(profile.settings("member-012-eu").unwrap()["duration"], "3h");
    assert_eq!(
        profile.origin("targets.member-012-eu.duration").unwrap(),
        "environment variable FEDERATE__TARGETS__MEMBER_012_EU__DURATION"
    );
    let alike = MEMBERS.replace("[\"eu\"]", "[\"e_u\", \"e-u\"]");
    let error =
        Folder::new(&alike).load_with(&[("FEDERATE__TARGETS__MEMBER_012_E_U__DURATION", "3h")], &[]).unwrap_err();
    assert!(error.contains("member-012-e_u or member-012-e-u"), "{error}");
    let twice = format!("{MEMBERS}[targets.member-34-eu]\ntype = \"cloud\"\nrole = \"x\"\n");
    let error = Folder::new(&twice).load().unwrap_err();
    assert!(error.contains("there is one of this name") && error.contains("base.toml:7"), "{error}");
}

#[test]
fn what_is_wrong_with_all_is_told_once_and_a_bad_row_by_its_line() {
    let base =
        "[targets.m]\ntype = \"cloud\"\nmatrix = { file = \"a.csv\" }\nrole = \"{matrix:role}\"\nduraton = \"1h\"\n";
    let folder = Folder::new(base).with("a.csv", "name,role\nx,good\ny,not good\nz,good\n");
    let found = folder.load().unwrap_err();
    assert_eq!(found.lines().count(), 2, "{found}");
    assert!(found.contains("`duraton` is not a known key | targets.m.duraton | profiles/base.toml:5"), "{found}");
    let row = "a role has no spaces | targets.m-y.role | profiles/base.toml:4, profiles/a.csv:3";
    assert!(found.contains(row), "{found}");
    let rows: String = (0..100).map(|number| format!("n{number},a b\n")).collect();
    let many = folder.with("a.csv", &format!("name,role\n{rows}")).load().unwrap_err();
    assert_eq!(many.lines().count(), 21);
    assert!(many.contains("80 more problems"), "{many}");
}

#[test]
fn placeholders_of_the_matrix_stand_only_where_they_may() {
    for (line, words) in [
        ("endpoint = \"https://{matrix:account}.test\"", "no placeholder may stand here"),
        ("region = \"{matrix:acount}\"", "did you mean `{matrix:account}`?"),
    ] {
        let base = MEMBERS.replace("region = \"{matrix:region}\"", line);
        let found = Folder::new(&base).load().unwrap_err();
        assert!(found.contains(words) && found.lines().count() == 1, "{found}");
    }
    let without = "[targets.x]\ntype = \"cloud\"\nrole = \"{matrix:account}\"\n";
    assert!(Folder::new(without).load().unwrap_err().contains("this target has none"));
}

#[test]
fn layers_and_variables_change_a_matrix() {
    let folder = Folder::new(MEMBERS);
    let profile = folder.load_with(&[("FEDERATE__TARGETS__MEMBER__MATRIX__ACCOUNT", "7,8,9")], &[]).unwrap();
    assert_eq!(profile.target_names(), ["member-7-eu", "member-8-eu", "member-9-eu"]);
    let profile = folder.load_with(&[], &["targets.member.matrix.region=[\"us\"]"]).unwrap();
    assert_eq!(profile.target_names(), ["member-012-us", "member-34-us"]);
    let filled = "[targets.m]\ntype = \"cloud\"\nmatrix = { a = [1] }\nrole = \"r\"\n";
    let profile = Folder::new(filled).load_with(&[("CLOUD_REGION", "ap")], &[]).unwrap();
    assert_eq!(profile.settings("m-1").unwrap()["region"], "ap", "foreign variables fill the table");
}

/// No limit in time is asserted; run with `--nocapture` to see it.
#[test]
fn five_hundred_targets() {
    let base = "[targets.m]\ntype = \"cloud\"\nmatrix = { file = \"a.json\" }\nrole = \"r-{matrix:account}\"\n";
    let rows: Vec<_> = (0..500).map(|number| json!({"account": format!("{number:012}"), "region": "eu"})).collect();
    let folder = Folder::new(base).with("a.json", &json!(rows).to_string());
    let start = Instant::now();
    let profile = folder.load().unwrap();
    let names = profile.matching(&["m-*".to_owned()]).unwrap();
    eprintln!("500 targets loaded in {:?}", start.elapsed());
    assert_eq!(names.len(), 500);
    assert_eq!(profile.settings("m-000000000007-eu").unwrap()["role"], "r-000000000007");
}

#[test]
fn problems_of_allow_lists_are_placed_where_their_cause_is() {
    let load = |entries: &str| Folder::new(&format!("{MEMBERS}[targets.member.trust]\nallow = [{entries}]\n")).load();
    let found =
        load("{ identity = \"ci\", project = \"p\" }, { identity = \"ci\" }, { identity = \"x\" }").unwrap_err();
    for place in ["targets.member.trust.allow.1.project", "targets.member.trust.allow.2.identity"] {
        assert!(found.contains(place), "{found}");
    }
    let profile = load("{ identity = \"ci\", project = \"p\" }").unwrap();
    let context = fixture(&[("FAKE_ISSUER_UNKNOWN", "1")], |_| false).context;
    let errors = profile.allow(&context, "member-012-eu").unwrap_err();
    assert_eq!(errors[0].setting(), Some("identities.ci.issuer"));
}
