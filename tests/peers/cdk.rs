//! `cdk synth` of the generated app, without the network, and what comes out of it.

use std::path::Path;
use std::process::Command;

use crate::generated::{generate, workshop};
use crate::workshop::finish;
use crate::{Peer, Test, npm};

pub(crate) const TESTS: &[(&str, Test)] = &[("the_app_makes_the_same_trust", the_app_makes_the_same_trust)];

/// The CDK and what the generated `package.json` asks for, in these versions.
pub(crate) fn find() -> Peer {
    npm::packages(include_str!("package-cdk.json"))
}

fn the_app_makes_the_same_trust(packages: &Path) {
    let workshop = workshop();
    for target in ["hostile", "chained"] {
        let folder = generate(&workshop, target, "aws-cdk");
        std::os::unix::fs::symlink(packages.join("node_modules"), folder.join("node_modules")).unwrap();
        let mut command = Command::new(folder.join("node_modules/.bin/cdk"));
        command.args(["synth", "--no-notices", "--quiet", "--no-version-reporting"]).current_dir(&folder).env_clear();
        let path = std::env::var("PATH").unwrap_or_default();
        command
            .env("PATH", path)
            .env("HOME", workshop.path("home"))
            .env("CI", "true")
            .env("npm_config_offline", "true");
        // Nobody is asked: a proxy that leads nowhere stands before all that is not here.
        command.env("HTTPS_PROXY", "http://127.0.0.1:9").env("HTTP_PROXY", "http://127.0.0.1:9");
        command.env("CDK_DISABLE_CLI_TELEMETRY", "true");
        let done = finish(command.output().unwrap());
        assert_eq!(done.code, 0, "{}{}", done.stdout, done.stderr);
        let template = folder.join("cdk.out/federate-deploy.template.json").display().to_string();
        let check = workshop.run_quietly(&["trust", "generate", "-t", target, "--check", &template]);
        assert_eq!(check.code, 0, "{}{}", check.stdout, check.stderr);
        let text = std::fs::read_to_string(&template).unwrap();
        assert!(text.contains("AWS::IAM::OIDCProvider") && text.contains("\"RoleArn\""), "{text}");
        assert_eq!(folder.join("cdk.out/chain-1-hop.template.json").is_file(), target == "chained");
        assert!(!folder.join("pwned").exists());
    }
}
