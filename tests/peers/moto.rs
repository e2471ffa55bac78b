//! moto plays AWS: what federate asks for and signs, judged by a server that is not ours.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::Value as Json;

use crate::Test;
use crate::job::Job;

pub(crate) const TESTS: &[(&str, Test)] = &[
    ("an_exchange_gives_keys_that_sign", an_exchange_gives_keys_that_sign),
    ("a_chain_is_signed_at_every_hop", a_chain_is_signed_at_every_hop),
    ("signatures_are_checked_at_all", signatures_are_checked_at_all),
];

/// moto's account, which it gives to everyone.
pub(crate) const ACCOUNT: &str = "123456789012";

/// A server of its own; it ends with this value, and with this process.
pub(crate) struct Moto {
    server: Child,
    address: String,
}

impl Moto {
    pub(crate) fn start(programs: &Path, job: &Job) -> Self {
        let script = job.workshop.path("moto_server.py");
        std::fs::write(&script, include_str!("clients/moto_server.py")).unwrap();
        let mut command = Command::new(programs.join("python3"));
        command.arg(script).env_clear().env("HOME", job.workshop.path("home")).env("PATH", "/usr/bin:/bin");
        // AWS's own managed policies are there too.
        command.env("MOTO_IAM_LOAD_MANAGED_POLICIES", "true");
        let log = File::create(job.workshop.path("moto.log")).unwrap();
        let mut server = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(log).spawn().unwrap();
        let mut port = String::new();
        BufReader::new(server.stdout.take().unwrap()).read_line(&mut port).unwrap();
        let port = port.trim();
        assert!(!port.is_empty(), "{}", std::fs::read_to_string(job.workshop.path("moto.log")).unwrap());
        Self { server, address: format!("127.0.0.1:{port}") }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// From the second action on, every signature is checked. The first is the exchange, which bears none, and which moto
    /// could not let through otherwise; it does not look at tokens.
    fn check_signatures_after_the_exchange(&self) {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        let head = format!("POST /moto-api/reset-auth HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n", self.address);
        write!(stream, "{head}Content-Type: text/plain\r\nContent-Length: 1\r\n\r\n1").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }
}

impl Drop for Moto {
    fn drop(&mut self) {
        drop(self.server.stdin.take());
        let _ = self.server.wait();
    }
}

/// A GitLab job whose AWS target is at moto's.
fn job(programs: &Path, chain: &str) -> (Job, Moto) {
    let mut job = Job::new(programs);
    let moto = Moto::start(programs, &job);
    let base = format!(
        "[targets.aws]\ntype = \"aws\"\nrole_arn = \"arn:aws:iam::{ACCOUNT}:role/deploy\"\nregion = \"eu-west-1\"\n\
         session_name = \"ci\"\nallowed_account_ids = [\"{ACCOUNT}\"]\nendpoint_url = \"{}\"\n{chain}",
        moto.url()
    );
    job.workshop.profile("base", &base).gitlab_job();
    job.note_tokens();
    moto.check_signatures_after_the_exchange();
    (job, moto)
}

fn arn(stdout: &str) -> String {
    let document: Json = serde_json::from_str(stdout).unwrap_or_else(|_| panic!("{stdout}"));
    document["Arn"].as_str().unwrap().to_owned()
}

const ASK: [&str; 4] = ["witness", "aws", "sts", "get-caller-identity"];

fn an_exchange_gives_keys_that_sign(programs: &Path) {
    let (job, moto) = job(programs, "");
    let who = job.federate(&["whoami", "-o", "json"]);
    assert_eq!(who.code, 0, "{}", who.stderr);
    let expected = format!("arn:aws:sts::{ACCOUNT}:assumed-role/deploy/ci");
    assert!(who.stdout.contains(&expected), "{}", who.stdout);
    moto.check_signatures_after_the_exchange();
    let child = job.federate(&[&["exec", "--"], &ASK[..], &["--endpoint-url", &moto.url()]].concat());
    assert_eq!(child.code, 0, "{}", child.stderr);
    assert_eq!(arn(&child.stdout), expected);
}

fn a_chain_is_signed_at_every_hop(programs: &Path) {
    let chain = format!(
        "chain = [{{ role_arn = \"arn:aws:iam::{ACCOUNT}:role/audit\", session_name = \"hop+1\", external_id = \"a/b+c=d\", \
         tags = {{ team = \"Kühe & Söhne\" }}, transitive_tags = [\"team\"] }}, {{ role_arn = \"arn:aws:iam::{ACCOUNT}:role/deploy\" }}]\n"
    );
    let (job, moto) = job(programs, &chain);
    let child = job.federate(&[&["exec", "--"], &ASK[..], &["--endpoint-url", &moto.url()]].concat());
    assert_eq!(child.code, 0, "{}", child.stderr);
    assert_eq!(arn(&child.stdout), format!("arn:aws:sts::{ACCOUNT}:assumed-role/deploy/ci"));
}

fn signatures_are_checked_at_all(programs: &Path) {
    let (job, moto) = job(programs, "");
    let wrong = ["exec", "--", "env", "AWS_SECRET_ACCESS_KEY=wrongSecretAccessKey"];
    let child = job.federate(&[&wrong[..], &ASK[..], &["--endpoint-url", &moto.url()]].concat());
    assert!(child.code != 0 && child.stderr.contains("SignatureDoesNotMatch"), "{}", child.stderr);
}
