//! A workshop: a directory with profiles, an environment that holds nothing but what a test puts in, and canaries.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};

use federate_core::testing::jwt;
use serde_json::{Value, json};

/// A secret that must show up nowhere but in the result.
pub(crate) const SECRET_KEY: &str = "canarySecretAccessKey0123456789abcdefghij";
/// As above.
pub(crate) const SESSION_TOKEN: &str = "canarySessionToken/0123456789+abcdefghij==";

pub(crate) struct Workshop {
    pub(crate) root: tempfile::TempDir,
    env: BTreeMap<String, String>,
}

pub(crate) struct Done {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Workshop {
    /// An empty project: a folder with `.git`, `HOME` and a runtime directory.
    pub(crate) fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        for folder in ["project/.git", "project/profiles", "home", "runtime"] {
            std::fs::create_dir_all(root.path().join(folder)).unwrap();
        }
        let mut workshop = Self { root, env: BTreeMap::new() };
        let folder = |name: &str| workshop.root.path().join(name).display().to_string();
        let (home, runtime) = (folder("home"), folder("runtime"));
        workshop.set("HOME", &home).set("XDG_RUNTIME_DIR", &runtime).set("PATH", "/usr/local/bin:/usr/bin:/bin");
        workshop
    }

    /// A GitLab job on `main` with a token for the AWS target, and an STS at this address.
    pub(crate) fn gitlab_aws(endpoint: &str) -> Self {
        let mut workshop = Self::new();
        workshop.profile("base", &aws_base(endpoint)).gitlab_job();
        workshop
    }

    pub(crate) fn set(&mut self, name: &str, value: &str) -> &mut Self {
        self.env.insert(name.to_owned(), value.to_owned());
        self
    }

    pub(crate) fn unset(&mut self, name: &str) -> &mut Self {
        self.env.remove(name);
        self
    }

    /// The variables of a GitLab job, with one ID token for `https://gitlab.com`.
    pub(crate) fn gitlab_job(&mut self) -> &mut Self {
        let token = jwt(&gitlab_claims());
        self.set("CI", "true")
            .set("GITLAB_CI", "true")
            .set("CI_SERVER_URL", "https://gitlab.com")
            .set("AWS_ID_TOKEN", &token)
    }

    pub(crate) fn profile(&mut self, name: &str, text: &str) -> &mut Self {
        std::fs::write(self.path(&format!("project/profiles/{name}.toml")), text).unwrap();
        self
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_federate"));
        command.args(arguments).env_clear().envs(&self.env).current_dir(self.path("project")).stdin(Stdio::null());
        command
    }

    /// Runs federate to its end and checks that no canary shows in stderr, nor in any file that it left.
    pub(crate) fn run(&self, arguments: &[&str]) -> Done {
        let done = finish(self.command(arguments).output().unwrap());
        self.assert_no_canary(&done.stderr);
        done
    }

    /// As [`Workshop::run`], for commands whose result holds no secret either.
    pub(crate) fn run_quietly(&self, arguments: &[&str]) -> Done {
        let done = self.run(arguments);
        self.assert_no_canary(&done.stdout);
        done
    }

    fn assert_no_canary(&self, text: &str) {
        let tokens = self.env.values().filter(|value| value.starts_with("eyJ"));
        // A mask command has to name the value that it hides.
        let seen: String = text.lines().filter(|line| !line.starts_with("::add-mask::")).collect();
        for canary in [SECRET_KEY, SESSION_TOKEN].into_iter().chain(tokens.map(String::as_str)) {
            assert!(!seen.contains(canary), "a secret shows: {text}");
        }
        assert_eq!(leftovers(&self.path("runtime")), Vec::<PathBuf>::new(), "files were left behind");
    }
}

pub(crate) fn leftovers(runtime: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(runtime.join("federate")).into_iter().flatten();
    // What the cache keeps is meant to stay.
    entries.flatten().map(|entry| entry.path()).filter(|path| !path.ends_with("cache")).collect()
}

pub(crate) fn finish(output: Output) -> Done {
    use std::os::unix::process::ExitStatusExt as _;
    Done {
        code: output.status.code().unwrap_or_else(|| 128 + output.status.signal().unwrap_or_default()),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

pub(crate) fn now() -> i64 {
    i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()).unwrap()
}

/// The payload of a GitLab job on `main`.
pub(crate) fn gitlab_claims() -> Value {
    json!({
        "iss": "https://gitlab.com", "aud": "https://gitlab.com", "sub": "project_path:quarry-street/ledger:ref_type:branch:ref:main",
        "iat": now(), "nbf": now() - 5, "exp": now() + 3600, "jti": "4f3f3391-0ab2-477f-a521-3df975f0c4cd",
        "project_id": "4711", "project_path": "quarry-street/ledger", "namespace_id": "72", "namespace_path": "quarry-street",
        "pipeline_id": "57412", "job_id": "302911", "ref": "main", "ref_type": "branch", "ref_protected": "true", "runner_id": 31,
        "sha": "6677abb3b724f1d6f80792c657c0feeab97d7776", "canary": "canaryClaimInTheToken",
    })
}

/// A copy of the claims with some changed.
pub(crate) fn with(mut claims: Value, changes: Value) -> Value {
    for (name, value) in changes.as_object().unwrap() {
        claims[name] = value.clone();
    }
    claims
}

pub(crate) fn aws_base(endpoint: &str) -> String {
    format!(
        "[targets.aws]\ntype = \"aws\"\nrole_arn = \"arn:aws:iam::111122223333:role/deploy\"\nregion = \"eu-west-1\"\nsession_name = \"ci\"\nendpoint_url = \"{endpoint}\"\n"
    )
}

pub(crate) fn azure_base(authority: &str) -> String {
    format!(
        "[targets.azure]\ntype = \"azure\"\ntenant_id = \"00000000-0000-0000-0000-000000000001\"\n\
         client_id = \"00000000-0000-0000-0000-000000000002\"\nauthority_host = \"{authority}\"\n"
    )
}

/// What Entra answers when it says yes.
pub(crate) fn entra_success() -> String {
    http("200 OK", "application/json", r#"{"access_token":"a.b.c","expires_in":3599}"#)
}

/// What STS answers when it says yes.
pub(crate) fn sts_success() -> String {
    let body = format!(
        "<AssumeRoleWithWebIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><AssumeRoleWithWebIdentityResult>\
         <AssumedRoleUser><AssumedRoleId>AROAEXAMPLE:ci</AssumedRoleId><Arn>arn:aws:sts::111122223333:assumed-role/deploy/ci</Arn></AssumedRoleUser>\
         <Credentials><AccessKeyId>ASIAEXAMPLEKEYID0001</AccessKeyId><SecretAccessKey>{SECRET_KEY}</SecretAccessKey>\
         <SessionToken>{SESSION_TOKEN}</SessionToken><Expiration>2099-05-04T12:00:00Z</Expiration></Credentials>\
         </AssumeRoleWithWebIdentityResult><ResponseMetadata><RequestId>r-1</RequestId></ResponseMetadata></AssumeRoleWithWebIdentityResponse>"
    );
    http("200 OK", "text/xml", &body)
}

/// What STS answers when it refuses.
pub(crate) fn sts_error(status: &str, code: &str, message: &str) -> String {
    let body = format!(
        "<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error><RequestId>r-2</RequestId></ErrorResponse>"
    );
    http(status, "text/xml", &body)
}

pub(crate) fn http(status: &str, content_type: &str, body: &str) -> String {
    format!(
        "HTTP/1.1 {status}\r\nContent-Type: {content_type}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )
}

/// A server on loopback that gives every request the same answer and remembers what it was sent.
pub(crate) struct Canned {
    pub(crate) url: String,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Canned {
    pub(crate) fn answering(answer: impl Into<String>) -> Self {
        let answer = answer.into();
        Self::answering_with(|_| answer)
    }

    /// As [`Canned::answering`], with an answer that names the server's own URL.
    pub(crate) fn answering_with(answer: impl FnOnce(&str) -> String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (answer, seen) = (answer(&url), requests.clone());
        // Ends with the test process.
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (answer, seen) = (answer.clone(), seen.clone());
                std::thread::spawn(move || serve(stream, &answer, &seen));
            }
        });
        Self { url, requests }
    }

    pub(crate) fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

fn serve(mut stream: TcpStream, answer: &str, seen: &Mutex<Vec<String>>) {
    let mut received = Vec::new();
    let mut buffer = [0_u8; 8192];
    loop {
        let count = stream.read(&mut buffer).unwrap_or(0);
        received.extend_from_slice(&buffer[..count]);
        let text = String::from_utf8_lossy(&received).into_owned();
        let complete = text.split_once("\r\n\r\n").is_some_and(|(head, body)| {
            let length = head.lines().find_map(|line| {
                line.to_ascii_lowercase()
                    .strip_prefix("content-length:")
                    .map(|value| value.trim().parse::<usize>().unwrap_or(0))
            });
            body.len() >= length.unwrap_or(0)
        });
        if complete || count == 0 {
            seen.lock().unwrap().push(text);
            break;
        }
    }
    let _ = stream.write_all(answer.as_bytes());
}
