//! `trust test`: jobs that must get in, and jobs that must not.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::SystemTime;

use anstyle::{AnsiColor, Style};
use federate_core::{Audiences, Claims, Context, Error, codes};
use federate_profile::{Profile, TestClaims, TrustTest};
use federate_trust::{Job, TRUST_DOCUMENT, Verdict};
use serde_json::{Value as Json, json};

use super::own::Trusted;
use super::{FOUND, input, own};
use crate::args;
use crate::commands::written;
use crate::report::{Failure, Output, pretty, print_styled, visible};
use crate::setup::{Start, located};

mod folder;
mod junit;

/// A job, what it is called, and whether it has to get in.
pub(super) struct Case {
    name: String,
    job: Job,
    is_allowed: bool,
    /// The targets that it is about; all where empty.
    targets: Vec<String>,
    /// The file of a folder that it stands in.
    origin: Option<String>,
}

/// How a case went.
pub(super) struct Outcome {
    target: String,
    name: String,
    expected: &'static str,
    verdict: Verdict,
    passed: bool,
}

pub(super) fn run(start: &Start, arguments: &args::TrustTest) -> Result<u8, Failure> {
    if arguments.junit.as_deref() == Some(Path::new("-")) {
        return Err(Error::new(
            &codes::USAGE,
            "--junit - is no file: stdout has the results for people, or with -o json",
        )
        .with_help("name a file: --junit trust.xml")
        .into());
    }
    let shared = match &arguments.claims_dir {
        Some(directory) => folder::cases(directory)?,
        None => Vec::new(),
    };
    let outcomes = match &arguments.policy {
        Some(policy) => of_file(arguments, policy, &shared)?,
        None => of_targets(start, arguments, &shared)?,
    };
    if outcomes.is_empty() {
        return Err(Error::new(&codes::USAGE, "there is no test to run")
            .with_help("add [[targets.NAME.trust.test]] tables with `claims` and `expect` to the profile, or give --claims-dir")
            .into());
    }
    if let Some(path) = &arguments.junit {
        std::fs::write(path, junit::report(&outcomes)).map_err(|error| {
            Error::new(&codes::USAGE, format!("{} cannot be written", path.display())).with_cause(error.to_string())
        })?;
    }
    let failed = outcomes.iter().filter(|outcome| !outcome.passed).count();
    let passed = outcomes.len() - failed;
    let shown = match start.global.output {
        Output::Json => pretty(&json!({
            "passed": passed,
            "failed": failed,
            "tests": outcomes.iter().map(json_of).collect::<Vec<_>>(),
        })),
        Output::Text | Output::Sarif => {
            let lines: String = outcomes.iter().map(text_of).collect();
            format!("{lines}{passed} passed, {failed} failed\n")
        }
    };
    written(print_styled(&shown))?;
    Ok(if failed == 0 { 0 } else { FOUND })
}

fn of_file(arguments: &args::TrustTest, policy: &Path, cases: &[Case]) -> Result<Vec<Outcome>, Failure> {
    let located = input::document(policy, arguments.cloud.as_deref(), arguments.only.as_deref(), "--only")?;
    let name = policy.display().to_string();
    Ok(cases.iter().map(|case| outcome(&name, case, located.document.evaluate(&case.job))).collect())
}

fn of_targets(start: &Start, arguments: &args::TrustTest, shared: &[Case]) -> Result<Vec<Outcome>, Failure> {
    let profile = start.load(&[])?;
    let context = start.context(&profile)?;
    // Tests are about every target, not about those that a job would take.
    let names: Vec<String> = if arguments.targets.target.is_empty() {
        profile.target_names().into_iter().map(str::to_owned).collect()
    } else {
        profile.matching(&arguments.targets.target)?
    };
    let mut folder: Vec<(&Case, Vec<String>)> = Vec::new();
    for case in shared {
        // One that is about a target that does not exist would never be run, and nobody would know.
        let about = if case.targets.is_empty() { Ok(names.clone()) } else { profile.matching(&case.targets) };
        folder.push((case, about.map_err(|error| error.with_origin(case.origin.clone().unwrap_or_default()))?));
    }
    let mut outcomes = Vec::new();
    for name in names {
        let tests = profile.trust(&name).map(|section| section.tests.clone()).unwrap_or_default();
        let of_folder: Vec<&Case> =
            folder.iter().filter(|(_, about)| about.contains(&name)).map(|(case, _)| *case).collect();
        if tests.is_empty() && of_folder.is_empty() {
            continue;
        }
        let trusted = own::of_target(&profile, &context, &name).map_err(|errors| located(&profile, errors))?;
        if !trusted.is_known() {
            return Err(Error::new(
                &TRUST_DOCUMENT,
                format!("target {name} says nothing of its trust, so there is nothing to test"),
            )
            .with_help(format!("add `policy = \"trust/{name}.json\"` or an `allow` list to [targets.{name}.trust], or choose other targets with -t"))
            .into());
        }
        for (index, test) in tests.iter().enumerate() {
            let case = case(&name, index, test).map_err(|error| located(&profile, vec![error]))?;
            outcomes.push(judged(start, &profile, &context, &name, &trusted, &case)?);
        }
        for case in of_folder {
            outcomes.push(judged(start, &profile, &context, &name, &trusted, case)?);
        }
    }
    Ok(outcomes)
}

fn case(target: &str, index: usize, test: &TrustTest) -> Result<Case, Error> {
    let claims = match &test.claims {
        TestClaims::Inline(payload) => Claims::new(payload.clone()),
        TestClaims::File(path) => input::claims(path)
            .map_err(|error| error.with_setting(format!("targets.{target}.trust.test.{index}.claims")))?,
    };
    let name = test.name.clone().unwrap_or_else(|| format!("test {}: {}", index + 1, subject(&claims)));
    let job = job(claims, test.context.clone(), test.actions.clone());
    Ok(Case { name, job, is_allowed: test.is_allowed, targets: Vec::new(), origin: None })
}

fn job(claims: Claims, context: BTreeMap<String, Vec<String>>, actions: Vec<String>) -> Job {
    Job { context, actions, ..Job::new(claims, SystemTime::now()) }
}

fn subject(claims: &Claims) -> String {
    claims.text("sub").unwrap_or_else(|| "a job without sub".to_owned())
}

fn judged(
    start: &Start,
    profile: &Profile,
    context: &Context,
    target: &str,
    trusted: &Trusted,
    case: &Case,
) -> Result<Outcome, Failure> {
    let audiences = audiences(start, profile, context, target, &case.job.claims)?;
    Ok(outcome(target, case, trusted.evaluate(&audiences, &case.job)))
}

/// The audiences of a token for the target, by the customs of the provider whose issuer the claims name.
pub(super) fn audiences(
    start: &Start,
    profile: &Profile,
    context: &Context,
    target: &str,
    claims: &Claims,
) -> Result<Audiences, Failure> {
    let written = profile.as_written(target).map_err(|errors| located(profile, errors))?;
    let issuer = claims.issuer().unwrap_or_default();
    let entries = profile.allow(context, target).map_err(|errors| located(profile, errors))?;
    let kind = entries.iter().find(|entry| entry.issuer.as_str() == issuer).map(|entry| entry.provider);
    let customary = start
        .registry
        .identities()
        .iter()
        .find(|known| Some(known.kind) == kind)
        .and_then(|known| known.default_provider().customary_audience(context));
    // A provider whose custom is its own issuer's address says so of the issuer at hand.
    Ok(written.audiences(customary.map(|_| issuer.to_owned()).as_deref()))
}

fn outcome(target: &str, case: &Case, verdict: Verdict) -> Outcome {
    Outcome {
        target: target.to_owned(),
        name: case.name.clone(),
        expected: word(case.is_allowed),
        passed: verdict.is_allowed() == case.is_allowed,
        verdict,
    }
}

fn word(is_allowed: bool) -> &'static str {
    if is_allowed { "allow" } else { "deny" }
}

impl Outcome {
    /// Why it came out otherwise than expected.
    fn why(&self) -> Option<String> {
        if self.passed {
            return None;
        }
        let got = word(self.verdict.is_allowed());
        let nearest = self.verdict.statements.iter().find(|one| one.matches || !self.verdict.is_allowed());
        let reason = match nearest {
            Some(statement) if self.verdict.is_allowed() => format!("{} lets it in", statement.name),
            Some(statement) => {
                let failed: Vec<String> = statement
                    .failed()
                    .map(|check| {
                        format!(
                            "{} {} {}, has {}",
                            check.key,
                            check.operator,
                            check.expected.join(" or "),
                            check.actual_text()
                        )
                    })
                    .collect();
                format!("{}: {}", statement.name, failed.join("; "))
            }
            None => "no statement is about it".to_owned(),
        };
        Some(format!("expected {}, got {got}: {reason}", self.expected))
    }
}

fn json_of(outcome: &Outcome) -> Json {
    json!({
        "target": outcome.target,
        "name": outcome.name,
        "expected": outcome.expected,
        "decision": outcome.verdict.decision,
        "passed": outcome.passed,
        "why": outcome.why(),
    })
}

fn text_of(outcome: &Outcome) -> String {
    let (colour, mark) = if outcome.passed { (AnsiColor::Green, "ok  ") } else { (AnsiColor::Red, "FAIL") };
    let style = Style::new().fg_color(Some(colour.into())).bold();
    let mut line = format!("{style}{mark}{style:#} {}: {}\n", outcome.target, visible(&outcome.name));
    if let Some(why) = outcome.why() {
        line.push_str(&format!("     {}\n", visible(&why)));
    }
    line
}
