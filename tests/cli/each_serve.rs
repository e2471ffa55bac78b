//! `each` whose commands outlast their credentials, or whose clouds keep it waiting.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Command, Stdio};

use crate::each::{GITHUB, each_in, members, of, words};
use crate::support::{Workshop, finish};

#[test]
fn commands_that_outlast_their_credentials_have_an_endpoint_each() {
    let workshop = members(2);
    let script = "n=0; last=; while [ $n -lt 4 ]; do \
                  key=$(federate ask-endpoint \"$AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE\" \
                  \"$AWS_CONTAINER_CREDENTIALS_FULL_URI\" | grep -o 'ASIA[A-Z0-9]*') || exit 1; \
                  [ \"$key\" = \"$last\" ] || { n=$((n+1)); last=$key; echo $key; }; sleep 0.2; done; \
                  federate whoami -q | head -n 1";
    let sandbox = [GITHUB, &["--credential-lifetime", "3s"]].concat();
    let done = each_in(&workshop, &sandbox, &["--serve", "--group=never", "-t", "member-*", "--", "sh", "-c", script]);
    assert_eq!(done.code, 0, "{}", done.stderr);
    let mut keys = BTreeSet::new();
    for account in ["100000000000", "100000000001"] {
        let target = format!("member-{account}");
        let mut seen = of(&done.stdout, &target);
        let who = seen.pop().unwrap();
        assert!(who.contains(&format!("arn:aws:sts::{account}:assumed-role/audit/")), "{who}");
        keys.extend(seen);
    }
    assert_eq!(keys.len(), 8, "{keys:?}");
    let left = std::fs::read_dir(workshop.path("runtime/federate")).unwrap().count();
    assert_eq!(left, 0, "the private directories are gone");
}

#[test]
fn the_simplest_way_that_lasts_is_taken_for_each() {
    let workshop = members(2);
    let run = |sandbox: &[&str], more: &[&str]| {
        let script = "echo $FEDERATE_CREDENTIALS";
        let command = ["--group=never", "-t", "member-*", "--", "sh", "-c", script];
        let done = each_in(&workshop, sandbox, &[more, &command].concat());
        assert_eq!(done.code, 0, "{}", done.stderr);
        let ways: BTreeSet<String> =
            ["member-100000000000", "member-100000000001"].iter().flat_map(|target| of(&done.stdout, target)).collect();
        assert_eq!(ways.len(), 1, "{ways:?}");
        (ways.into_iter().next().unwrap(), done.stderr.matches("this job can renew until").count())
    };
    for (more, way) in [
        (&[][..], "environment"),
        (&["--expect-duration", "30m"], "environment"),
        (&["--expect-duration", "2h"], "endpoint"),
        (&["--set", "serve=auto"], "environment"),
        (&["--set", "serve=always"], "endpoint"),
    ] {
        assert_eq!(run(GITHUB, more), (way.to_owned(), 0), "{more:?}");
    }
    assert_eq!(run(&["--ci", "gitlab"], &["--serve"]), ("endpoint".to_owned(), 1), "the end is told once");
}

#[test]
fn a_signal_ends_commands_that_are_stopped() {
    let workshop = members(2);
    let script = "echo $PPID; kill -STOP $$";
    let words = words(GITHUB, &["-q", "--group=never", "-t", "member-*", "--", "sh", "-c", script]);
    let mut child = workshop.command(&words).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    let (_, federate) = (lines.next().unwrap(), lines.next().unwrap());
    let federate = federate.rsplit(' ').next().unwrap();
    assert!(Command::new("kill").args(["-TERM", federate]).status().unwrap().success());
    let done = finish(child.wait_with_output().unwrap());
    assert_eq!((done.code, done.stderr.matches("signal 15").count()), (143, 2), "{}", done.stderr);
}

#[test]
fn a_signal_ends_the_wait_for_a_cloud() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let workshop = Workshop::gitlab_aws(&format!("http://{}", listener.local_addr().unwrap()));
    let mut child = workshop.command(&["each", "-q", "-t", "aws", "--", "true"]).spawn().unwrap();
    let _asked_and_never_answered = listener.accept().unwrap();
    assert!(Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap().success());
    assert_eq!(child.wait().unwrap().signal(), Some(15));
}
