//! The guided run: each step is a command that the person could type.

use std::ffi::OsString;
use std::path::PathBuf;

use federate_core::{Error, codes};
use federate_sandbox::CiSystem;

use super::run_child;
use crate::child::Variables;
use crate::report::{Failure, say};
use crate::setup::Start;
use crate::signals::SignalGuard;

/// Shows the main job, then jobs that are not meant until one is refused.
pub(super) async fn run(
    start: &Start,
    guard: &SignalGuard,
    variables: &Variables,
    ci: &dyn CiSystem,
    trust: &[String],
) -> Result<u8, Failure> {
    let this = std::env::current_exe().map_or_else(|_| OsString::from("federate"), PathBuf::into_os_string);
    let steps: [(&str, &[&str]); 3] = [
        ("What the CI system vouches for: the claims of the job's ID token.", &["token", "-q"]),
        ("Token in, credentials out: who the job becomes in each cloud.", &["whoami", "-q"]),
        (
            "The same credentials for a command, in its environment only.",
            &[
                "exec",
                "-q",
                "--",
                "sh",
                "-c",
                "env | grep -E \"^(AWS_REGION|AWS_ACCOUNT_ID|AWS_ACCESS_KEY_ID|AZURE_[A-Z]*_ID|ARM_USE_OIDC)=\" | sort",
            ],
        ),
    ];
    let profiles: Vec<&str> = start.global.profile.iter().flat_map(|name| ["-p", name.as_str()]).collect();
    for (index, (title, words)) in steps.iter().enumerate() {
        let (command, rest) = words.split_first().unwrap_or((&"", &[]));
        let mut words: Vec<String> =
            [*command].iter().chain(&profiles).chain(rest).map(|word| (*word).to_owned()).collect();
        if *command == "token" {
            // Targets may want different audiences; the first one's token stands for all.
            let profile = start.load(&[])?;
            if let Some(first) = profile.matching(&[])?.first() {
                words.extend(["-t".to_owned(), first.clone()]);
            }
        }
        say(&format!("\n{}. {title}\n$ federate {}", index + 1, shown(&words)));
        let words: Vec<OsString> = words.iter().map(OsString::from).collect();
        let code = run_child(guard, variables, &this, &words).await?;
        if code != 0 {
            return Ok(code);
        }
    }
    let branch = (
        "A job on another branch: what the cloud says, and what federate makes of it.",
        &[("ref", "someone-elses-branch")][..],
    );
    let stranger = ("That branch is let in here as well; a job of somebody else's repository is not.", ci.stranger());
    for (index, (title, claims)) in (steps.len() + 1..).zip([branch, stranger]) {
        say(&format!("\n{index}. {title}"));
        let mut words = vec!["sandbox".to_owned()];
        words.extend(profiles.iter().map(|word| (*word).to_owned()));
        words.extend(["--ci".to_owned(), ci.name().to_owned()]);
        words.extend(trust.iter().flat_map(|pair| ["--trust".to_owned(), pair.clone()]));
        words.extend(claims.iter().flat_map(|(name, value)| ["--claim".to_owned(), format!("{name}={value}")]));
        words.extend(["--", "federate", "whoami"].map(str::to_owned));
        say(&format!("$ federate {}", shown(&words)));
        let words: Vec<OsString> = words.iter().map(OsString::from).chain(["-q".into()]).collect();
        let refused = run_child(guard, variables, &this, &words).await?;
        say(&format!("(exit code {refused})"));
        if refused != 0 {
            return Ok(0);
        }
    }
    Err(Error::new(&codes::USAGE, "a job of somebody else's repository was let in")
        .with_help("`federate trust lint` says who else gets in")
        .into())
}

/// Words as a person types them, without what only keeps the run short.
fn shown(words: &[String]) -> String {
    let is_plain = |word: &str| word.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-./:=".contains(&byte));
    let quoted = |word: &String| {
        if is_plain(word) { word.clone() } else { format!("'{}'", word.replace('\'', r"'\''")) }
    };
    words.iter().filter(|word| *word != "-q").map(quoted).collect::<Vec<_>>().join(" ")
}
