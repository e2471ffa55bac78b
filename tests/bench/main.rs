//! `tests/bench/run`: what an exchange costs, as ratios that were measured in one run.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a program for the people who build federate")]

mod cloud;
mod measure;

use std::collections::BTreeMap;
use std::path::Path;

use measure::Way;

const PROFILE: &str = "[targets.aws]\ntype = \"aws\"\nrole_arn = \"arn:aws:iam::111122223333:role/deploy\"\nregion = \"eu-west-1\"\nsession_name = \"bench\"\n";

/// As many processes of each way; the slow one a fifth of it.
const ROUNDS: usize = 100;

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [federate, slim, minimal, aws] = words.as_slice() else {
        println!("usage: bench FEDERATE FEDERATE-WITHOUT-SANDBOX MINIMAL AWS");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let environment = environment(folder.path());
    let curl = curl();
    let mut ways = vec![
        Way::new("federate env", &[federate, "env", "-f", "json"], ROUNDS),
        Way::new("minimal reqwest program", &[minimal], ROUNDS),
        Way::new("curl | jq | curl", &["sh", "-c", &curl], ROUNDS),
        Way::new("aws sts assume-role-with-web-identity", &["sh", "-c", &aws_command(aws)], ROUNDS / 5),
    ];
    ways.retain(|way| match way.check(&environment) {
        Ok(()) => true,
        Err(why) => {
            println!("left out: {}: {why}", way.name);
            false
        }
    });
    measure::run(&mut ways, &environment);
    let milliseconds = |way: &Way| way.median().as_secs_f64() * 1e3;
    println!("\n{:<40}{:>12}{:>12}{:>14}", "whole process, median", "ms", "fastest", "of federate's");
    let own = ways.first().map(milliseconds).unwrap_or_default();
    for way in &ways {
        let fastest = way.times.iter().min().map(|time| time.as_secs_f64() * 1e3).unwrap_or_default();
        println!("{:<40}{:>12.2}{fastest:>12.2}{:>14.2}", way.name, milliseconds(way), milliseconds(way) / own);
    }
    println!();
    let time = |name: &str| ways.iter().find(|way| way.name.starts_with(name)).map(milliseconds);
    if let Some(minimal) = time("minimal") {
        target("at most 1.5 times the minimal program", own / minimal, own / minimal <= 1.5);
    }
    if let Some(curl) = time("curl") {
        target("faster than curl | jq | curl, times", curl / own, curl > own);
    }
    if let Some(aws) = time("aws") {
        target("at least 50 times faster than aws", aws / own, aws / own >= 50.0);
    }
    if let Some(way) = ways.first() {
        let most = (0..20).map(|_| way.peak(&environment)).max().unwrap_or(0);
        target("peak memory under 7 MiB", most as f64 / 1024.0, most < 7 * 1024);
    }
    for (what, file, limit) in [("with", federate, 5.0), ("without", slim, 4.0)] {
        let size = std::fs::metadata(file).map(|file| file.len()).unwrap_or_default() as f64 / 1024.0 / 1024.0;
        target(&format!("binary {what} the sandbox under {limit} MiB"), size, size > 0.0 && size < limit);
    }
}

fn target(what: &str, measured: f64, holds: bool) {
    println!("{:<50}{measured:>10.2}  {}", what, if holds { "holds" } else { "MISSED" });
}

/// A GitHub job's, with the cloud on loopback.
fn environment(folder: &Path) -> BTreeMap<String, String> {
    let ca = folder.join("ca.pem");
    let url = cloud::start(&ca);
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
