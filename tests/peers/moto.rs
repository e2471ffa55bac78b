//! moto, with its signature check on. It accepts any token: it proves wire format and signatures, not trust.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::Test;
use crate::support::{Workshop, aws_base};

pub(crate) const TESTS: &[Test] =
    &[("moto_exchanges_and_knows_the_role", moto_exchanges), ("moto_walks_a_chain", moto_walks_a_chain)];

/// moto, which ends with this value, for its stdin does.
struct Moto {
    child: Child,
    url: String,
}

impl Moto {
    fn start(bin: &Path) -> Self {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/peers/moto_server.py");
        let mut child = Command::new(bin.join("python"))
            .arg(script)
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("AWS_DEFAULT_REGION", "eu-west-1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut port = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut port).unwrap();
        Self { child, url: format!("http://127.0.0.1:{}", port.trim()) }
    }

    /// Makes the roles by boto3, then turns the check of signatures and permissions on, but for the next request: moto checks
    /// even AssumeRoleWithWebIdentity, which nobody signs.
    fn with_roles(bin: &Path) -> Self {
        let moto = Self::start(bin);
        let script = "\
import json, sys, urllib.request
import boto3
url = sys.argv[1]
iam = boto3.client('iam', endpoint_url=url, region_name='eu-west-1', aws_access_key_id='x', aws_secret_access_key='x')
def trust(before):
    principal = {'AWS': 'arn:aws:sts::123456789012:assumed-role/%s/ci' % before}
    return json.dumps({'Version': '2012-10-17', 'Statement': [{'Effect': 'Allow', 'Principal': principal, 'Action': 'sts:AssumeRole'}]})
may = json.dumps({'Version': '2012-10-17', 'Statement': [{'Effect': 'Allow', 'Action': 'sts:*', 'Resource': '*'}]})
for before, role in (('nobody', 'deploy'), ('deploy', 'second'), ('second', 'third')):
    iam.create_role(RoleName=role, AssumeRolePolicyDocument=trust(before))
    iam.put_role_policy(RoleName=role, PolicyName='sts', PolicyDocument=may)
request = urllib.request.Request(url + '/moto-api/reset-auth', data=b'1', headers={'Content-Type': 'text/plain'})
urllib.request.urlopen(request).read()
";
        let done = Command::new(bin.join("python"))
            .args(["-c", script, &moto.url])
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .output()
            .unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        moto
    }
}

impl Drop for Moto {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

/// moto's own account.
fn base(url: &str) -> String {
    aws_base(url).replace("111122223333", "123456789012")
}

fn moto_exchanges(bin: &Path) {
    let moto = Moto::with_roles(bin);
    let mut workshop = Workshop::gitlab_aws(&moto.url);
    workshop.profile("base", &base(&moto.url));
    let done = workshop.run(&["whoami", "-o", "json"]);
    assert_eq!(done.code, 0, "{}", done.stderr);
    assert!(done.stdout.contains("arn:aws:sts::123456789012:assumed-role/deploy/ci"), "{}", done.stdout);
}

fn moto_walks_a_chain(bin: &Path) {
    let moto = Moto::with_roles(bin);
    let mut workshop = Workshop::gitlab_aws(&moto.url);
    let chain = "chain = [{ role_arn = \"arn:aws:iam::123456789012:role/second\", external_id = \"ext/1+2\", tags = { team = \"a b\", cost = \"ü\" }, transitive_tags = [\"team\"], source_identity = \"ci\" }, { role_arn = \"arn:aws:iam::123456789012:role/third\", session_name = \"last\", duration = \"15m\" }]\n";
    workshop.profile("base", &format!("{}{chain}", base(&moto.url)));
    let done = workshop.run(&["whoami", "-o", "json"]);
    assert_eq!(done.code, 0, "{}", done.stderr);
    assert!(done.stdout.contains("arn:aws:sts::123456789012:assumed-role/third/last"), "{}", done.stdout);
}
