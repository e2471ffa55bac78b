//! The generated scripts at work: the real AWS CLI before moto, and an az that notes what it is told.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use serde_json::{Value as Json, json};

use crate::Test;
use crate::generated::{PROFILE, generate};
use crate::job::Job;
use crate::moto::{ACCOUNT, Moto};
use crate::workshop::{Done, finish};

pub(crate) const TESTS: &[(&str, Test)] = &[
    ("aws_sets_up_a_role_that_can_be_assumed", aws_sets_up_a_role_that_can_be_assumed),
    ("aws_takes_hostile_names_and_chains", aws_takes_hostile_names_and_chains),
    ("az_makes_the_credentials_of_an_application", az_makes_the_credentials_of_an_application),
    ("az_makes_the_credentials_of_a_managed_identity", az_makes_the_credentials_of_a_managed_identity),
];

/// Runs a program as the person who sets the cloud up.
fn run(job: &Job, programs: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> Done {
    let path = format!("{}:{}:/usr/local/bin:/usr/bin:/bin", job.workshop.path("bin").display(), programs.display());
    let mut command = Command::new(arguments[0]);
    command.args(&arguments[1..]).env_clear().env("PATH", path).env("HOME", job.workshop.path("home"));
    finish(command.envs(variables.iter().copied()).current_dir(job.workshop.path("project")).output().unwrap())
}

fn aws(job: &Job, programs: &Path, moto: &Moto, arguments: &[&str]) -> Done {
    let url = moto.url();
    let variables = [
        ("AWS_ENDPOINT_URL", url.as_str()),
        ("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE"),
        ("AWS_SECRET_ACCESS_KEY", "example"),
        ("AWS_DEFAULT_REGION", "eu-west-1"),
        ("AWS_EC2_METADATA_DISABLED", "true"),
    ];
    run(job, programs, arguments, &variables)
}

fn prints(done: Done) -> String {
    assert_eq!(done.code, 0, "{}{}", done.stdout, done.stderr);
    done.stdout
}

fn aws_sets_up_a_role_that_can_be_assumed(programs: &Path) {
    let mut job = Job::new(programs);
    let moto = Moto::start(programs, &job);
    let base = |branch: &str, duration: &str| {
        format!(
            "[targets.aws]\ntype = \"aws\"\nrole_arn = \"arn:aws:iam::{ACCOUNT}:role/ci/ledger\"\nregion = \"eu-west-1\"\n\
             session_name = \"ci\"\nduration = \"{duration}\"\nendpoint_url = \"{}\"\n[targets.aws.trust]\n\
             allow = [{{ identity = \"gitlab\", project = \"quarry-street/ledger\", branch = \"{branch}\" }}]\n",
            moto.url()
        )
    };
    job.workshop.profile("base", &base("old", "1h")).gitlab_job();
    job.note_tokens();
    let arn = format!("arn:aws:iam::{ACCOUNT}:role/ci/ledger\n");
    let script = generate(&job.workshop, "aws", "aws-cli").join("setup.sh").display().to_string();
    assert_eq!(prints(aws(&job, programs, &moto, &[&script])), arn);
    // The list changes: what is there is brought to what is meant now, and once more changes nothing.
    job.workshop.profile("base", &base("main", "2h"));
    std::fs::remove_file(&script).unwrap();
    generate(&job.workshop, "aws", "aws-cli");
    for _ in 0..2 {
        assert_eq!(prints(aws(&job, programs, &moto, &[&script])), arn);
    }
    let role = prints(aws(&job, programs, &moto, &["aws", "iam", "get-role", "--role-name", "ledger"]));
    let document: Json = serde_json::from_str(&role).unwrap();
    assert_eq!((&document["Role"]["MaxSessionDuration"], &document["Role"]["Path"]), (&json!(7200), &json!("/ci/")));
    std::fs::write(job.workshop.path("project/role.json"), role).unwrap();
    let check = job.workshop.run_quietly(&["trust", "generate", "-t", "aws", "--check", "role.json"]);
    assert_eq!(check.code, 0, "{}{}", check.stdout, check.stderr);
    let provider = format!("arn:aws:iam::{ACCOUNT}:oidc-provider/gitlab.com");
    let ask = ["aws", "iam", "get-open-id-connect-provider", "--open-id-connect-provider-arn", &provider];
    let provider: Json = serde_json::from_str(&prints(aws(&job, programs, &moto, &ask))).unwrap();
    assert_eq!((&provider["Url"], &provider["ClientIDList"]), (&json!("gitlab.com"), &json!(["https://gitlab.com"])));
    let ask = ["aws", "iam", "list-attached-role-policies", "--role-name", "ledger"];
    assert!(prints(aws(&job, programs, &moto, &ask)).contains("ledger-permissions"));
    let who = job.federate(&["whoami", "-o", "json"]);
    assert!(
        who.stdout.contains(&format!("arn:aws:sts::{ACCOUNT}:assumed-role/ledger/ci")),
        "{}{}",
        who.stdout,
        who.stderr
    );
}

fn aws_takes_hostile_names_and_chains(programs: &Path) {
    for (target, scripts) in [("hostile", &["setup.sh"][..]), ("chained", &["setup.sh", "chain-1-setup.sh"])] {
        let mut job = Job::new(programs);
        let moto = Moto::start(programs, &job);
        job.workshop.profile("base", PROFILE);
        let folder = generate(&job.workshop, target, "aws-cli");
        for script in scripts.iter().chain(scripts) {
            prints(aws(&job, programs, &moto, &[&folder.join(script).display().to_string()]));
        }
        let role = prints(aws(&job, programs, &moto, &["aws", "iam", "get-role", "--role-name", "deploy"]));
        std::fs::write(job.workshop.path("project/role.json"), role).unwrap();
        let check = job.workshop.run_quietly(&["trust", "generate", "-t", target, "--check", "role.json"]);
        assert_eq!(check.code, 0, "{}{}", check.stdout, check.stderr);
        assert!(!job.workshop.path("project/pwned").exists());
    }
}

/// The credentials that the fake az has.
fn credentials(job: &Job) -> Json {
    let text = std::fs::read_to_string(job.workshop.path("home/az.json")).unwrap();
    serde_json::from_str::<serde_json::Map<String, Json>>(&text).unwrap().into_iter().map(|(_, one)| one).collect()
}

fn calls(job: &Job) -> Vec<Vec<String>> {
    let text = std::fs::read_to_string(job.workshop.path("home/az.jsonl")).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn az_job(programs: &Path) -> Job {
    let mut job = Job::new(programs);
    job.workshop.profile("base", PROFILE);
    let az = job.workshop.path("bin/az");
    std::fs::write(&az, include_str!("clients/fake_az.py")).unwrap();
    std::fs::set_permissions(&az, std::fs::Permissions::from_mode(0o755)).unwrap();
    job
}

fn az_makes_the_credentials_of_an_application(programs: &Path) {
    let job = az_job(programs);
    let script = generate(&job.workshop, "azure", "az-cli").join("setup.sh").display().to_string();
    for _ in 0..2 {
        let printed = prints(run(&job, programs, &[&script], &[("ROLE", "Reader")]));
        assert_eq!(printed, "00000000-0000-0000-0000-000000000022\n");
    }
    std::fs::write(job.workshop.path("project/az.json"), credentials(&job).to_string()).unwrap();
    let check = job.workshop.run_quietly(&["trust", "generate", "-t", "azure", "--check", "az.json"]);
    assert_eq!(check.code, 0, "{}{}", check.stdout, check.stderr);
    let calls = calls(&job);
    let count = |word: &str| calls.iter().filter(|call| call.iter().any(|argument| argument == word)).count();
    // Two classic credentials and a flexible one: made in the first run, and brought up to date in the second.
    let made = calls.iter().filter(|call| call[2..4] == ["federated-credential", "create"]).count();
    assert_eq!((made, count("update"), count("post"), count("patch")), (2, 2, 1, 1), "{calls:?}");
    let role = calls.iter().find(|call| call[..3] == ["role", "assignment", "create"]).unwrap();
    assert!(role.contains(&"/subscriptions/00000000-0000-0000-0000-000000000003".to_owned()), "{role:?}");
    assert!(!job.workshop.path("project/pwned").exists());
}

fn az_makes_the_credentials_of_a_managed_identity(programs: &Path) {
    let mut job = az_job(programs);
    let classic = PROFILE.replace("repository_id = 7, owner_id = 9, ", "");
    job.workshop.profile("base", &classic);
    let script = generate(&job.workshop, "azure", "az-cli").join("setup.sh").display().to_string();
    prints(run(&job, programs, &[&script], &[("PLAY", "identity")]));
    std::fs::write(job.workshop.path("project/az.json"), credentials(&job).to_string()).unwrap();
    let check = job.workshop.run_quietly(&["trust", "generate", "-t", "azure", "--check", "az.json"]);
    assert_eq!(check.code, 0, "{}{}", check.stdout, check.stderr);
    let call = calls(&job).into_iter().find(|call| call[0] == "identity" && call[2] == "create").unwrap();
    assert!(call.windows(2).any(|pair| pair == ["--identity-name", "runner"]), "{call:?}");
    assert!(call.windows(2).any(|pair| pair == ["--resource-group", "group"]), "{call:?}");
}
