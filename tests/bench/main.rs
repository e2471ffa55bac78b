//! `tests/bench/run`: what an exchange costs, as ratios that were measured in one run.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a program for the people who build federate")]

mod cloud;
mod many;
mod measure;
mod trust;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;

use measure::Way;

const PROFILE: &str = "[targets.aws]\ntype = \"aws\"\nrole_arn = \"arn:aws:iam::111122223333:role/deploy\"\nregion = \"eu-west-1\"\nsession_name = \"bench\"\n";

/// As many processes of each way; the slow one a fifth of it.
const ROUNDS: usize = 100;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).map(|word| absolute(&word)).collect();
    let [federate, slim, minimal, aws] = words.as_slice() else {
        println!("usage: bench FEDERATE FEDERATE-WITHOUT-SANDBOX MINIMAL AWS");
        return ExitCode::from(2);
    };
    let folder = tempfile::tempdir().unwrap();
    let environment = environment(folder.path());
    let mut own = Way::new("federate env", &[federate, "env", "-f", "json"], ROUNDS);
    // Nothing can be said of a program that does not do its work.
    if let Err(why) = own.check(&environment) {
        println!("{}: {why}", own.name);
        return ExitCode::FAILURE;
    }
    let mut others = [
        Way::new("minimal reqwest program", &[minimal], ROUNDS),
        Way::new("curl | jq | curl", &["sh", "-c", &curl()], ROUNDS),
        Way::new("aws sts assume-role-with-web-identity", &["sh", "-c", &aws_command(aws)], ROUNDS / 5),
    ];
    for way in &mut others {
        if let Err(why) = way.check(&environment) {
            println!("left out: {}: {why}", way.name);
            way.rounds = 0;
        }
    }
    let mut ways: Vec<&mut Way> = std::iter::once(&mut own).chain(&mut others).collect();
    measure::run(&mut ways, &environment);

    println!("\n{:<42}{:>10}{:>10}", "whole process, milliseconds", "median", "fastest");
    for way in ways.iter().filter(|way| way.rounds > 0) {
        println!("{:<42}{:>10.2}{:>10.2}", way.name, way.median(), way.fastest());
    }
    println!("\n{:<42}{:>10}{:>10}", "targets", "median", "fastest");
    let [minimal, curl, aws] = &others;
    target("federate / minimal, at most 1.5", ratio(&own, minimal), |ratio| ratio <= 1.5);
    target("curl | jq | curl / federate, more than 1", ratio(curl, &own), |ratio| ratio > 1.0);
    target("aws / federate, at least 50", ratio(aws, &own), |ratio| ratio >= 50.0);
    let peak = (0..20).map(|_| own.peak(&environment)).max().unwrap_or(0) as f64 / 1024.0;
    target("peak memory, under 7 MiB", (peak > 0.0).then_some((peak, None)), |peak| peak < 7.0);
    for (what, file, limit) in [("with", federate, 6.5), ("without", slim, 5.5)] {
        let size = std::fs::metadata(file).ok().map(|file| (file.len() as f64 / 1024.0 / 1024.0, None));
        target(&format!("binary {what} the sandbox, under {limit} MiB"), size, |size| size < limit);
    }
    for (what, took) in trust::medians(federate, &environment) {
        let limit = if what.contains("explain") { 10.0 } else { 1000.0 };
        target(&format!("{what}, under {limit} ms"), Some((took, None)), |took| took < limit);
    }
    many::run(federate, &environment);
    ExitCode::SUCCESS
}

/// Commands are run in a folder of their own.
fn absolute(word: &str) -> String {
    if word.contains('/') { std::path::absolute(word).unwrap().display().to_string() } else { word.to_owned() }
}

/// The ratio of the medians, which decides, and of the fastest runs.
fn ratio(above: &Way, below: &Way) -> Option<(f64, Option<f64>)> {
    let is_measured = above.rounds > 0 && below.rounds > 0;
    is_measured.then(|| (above.median() / below.median(), Some(above.fastest() / below.fastest())))
}

fn target(what: &str, measured: Option<(f64, Option<f64>)>, holds: impl Fn(f64) -> bool) {
    match measured {
        None => println!("{what:<42}{:>20}  NOT MEASURED", ""),
        Some((value, fastest)) => {
            let fastest = fastest.map(|value| format!("{value:.2}")).unwrap_or_default();
            println!("{what:<42}{value:>10.2}{fastest:>10}  {}", if holds(value) { "holds" } else { "MISSED" });
        }
    }
}

/// A GitHub job's, with the cloud on loopback.
fn environment(folder: &Path) -> BTreeMap<String, String> {
    let ca = folder.join("ca.pem");
    let url = cloud::start(&ca, None);
    let profiles = folder.join("profiles");
    std::fs::create_dir(&profiles).unwrap();
    std::fs::create_dir(folder.join(".git")).unwrap();
    std::fs::write(profiles.join("base.toml"), format!("{PROFILE}endpoint_url = \"{url}\"\n")).unwrap();
    let (ca, folder) = (ca.display().to_string(), folder.display().to_string());
    let request_url = format!("{url}/token?api-version=2.0");
    [
        ("PATH", "/usr/local/bin:/usr/bin:/bin"),
        ("HOME", folder.as_str()),
        ("GITHUB_ACTIONS", "true"),
        ("CI", "true"),
        ("ACTIONS_ID_TOKEN_REQUEST_URL", request_url.as_str()),
        ("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "exampleRequestToken0123456789"),
        ("AWS_ENDPOINT_URL_STS", url.as_str()),
        ("AWS_DEFAULT_REGION", "eu-west-1"),
        ("AWS_CA_BUNDLE", ca.as_str()),
        ("SSL_CERT_FILE", ca.as_str()),
        ("CURL_CA_BUNDLE", ca.as_str()),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .collect()
}

const ASK: &str = "curl -sS -H \"Authorization: bearer $ACTIONS_ID_TOKEN_REQUEST_TOKEN\" \"$ACTIONS_ID_TOKEN_REQUEST_URL&audience=sts.amazonaws.com\"";

/// As people write it; Python where there is no jq.
fn curl() -> String {
    let has_jq = ["/usr/local/bin/jq", "/usr/bin/jq", "/bin/jq"].iter().any(|path| Path::new(path).exists());
    if !has_jq {
        println!("jq is not there: python3 stands in for it");
    }
    let jq = if has_jq {
        "jq -j .value"
    } else {
        "python3 -c 'import json, sys; print(json.load(sys.stdin)[\"value\"], end=\"\")'"
    };
    let sts = "curl -sS \"$AWS_ENDPOINT_URL_STS/\" -d Action=AssumeRoleWithWebIdentity -d Version=2011-06-15 \
               --data-urlencode RoleArn=arn:aws:iam::111122223333:role/deploy -d RoleSessionName=bench \
               --data-urlencode WebIdentityToken@-";
    format!("{ASK} | {jq} | {sts}")
}

/// Only its own request: the token is there before the clock starts.
fn aws_command(aws: &str) -> String {
    format!(
        "test -f token || {ASK} | sed 's/.*\"value\":\"\\([^\"]*\\)\".*/\\1/' >token; exec '{aws}' sts assume-role-with-web-identity \
         --role-arn arn:aws:iam::111122223333:role/deploy --role-session-name bench --web-identity-token \"$(cat token)\""
    )
}
