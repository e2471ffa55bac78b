//! `trust explain`: in or out, and why.

use std::path::Path;
use std::time::SystemTime;

use anstyle::{AnsiColor, Style};
use federate_core::{Audiences, Claims, Error, IdToken, Secret, codes};
use federate_trust::{Effect, Job, StatementVerdict, TrustDocument, Verdict};
use serde_json::Value as Json;

use super::{FOUND, input, keys, own};
use crate::args::Explain;
use crate::commands::written;
use crate::registry::trust_models;
use crate::report::{Failure, Output, pretty, print_styled};
use crate::setup::{Start, located};

/// A decision about a target or a file.
struct Explained {
    target: Option<String>,
    verdict: Verdict,
    /// The token's claims as conditions, where no trust is at hand.
    keys: Vec<(String, String)>,
}

pub(super) async fn run(start: &Start, arguments: Explain) -> Result<u8, Failure> {
    let stdin = Path::new("-");
    if arguments.policy.as_deref() == Some(stdin) && arguments.claims.as_deref() == Some(stdin) {
        return Err(Error::new(&codes::USAGE, "stdin is either the policy or the claims").into());
    }
    let has_no_target = || -> Result<bool, Failure> {
        Ok(arguments.targets.target.is_empty() && start.load(&[])?.target_names().is_empty())
    };
    if arguments.policy.is_none() && (arguments.cloud.is_some() || has_no_target()?) {
        let claims = match given_claims(start, &arguments)? {
            Some(claims) => claims,
            None => own_claims(start, &arguments, None).await?,
        };
        return keys::show(start, arguments.cloud.as_deref(), &claims);
    }
    let verdicts = match &arguments.policy {
        Some(policy) => vec![Explained {
            target: arguments.targets.target.first().cloned(),
            verdict: of_file(start, &arguments, policy).await?,
            keys: Vec::new(),
        }],
        None => of_targets(start, &arguments).await?,
    };
    let explained = |one: &Explained| {
        let mut value = json(one.target.as_deref(), &one.verdict);
        if !one.keys.is_empty() {
            value["keys"] = keys::object(&one.keys);
        }
        value
    };
    let text = match start.global.output {
        Output::Json => {
            let mut all: Vec<Json> = verdicts.iter().map(explained).collect();
            pretty(&if all.len() == 1 { all.remove(0) } else { all.into() })
        }
        Output::Text | Output::Sarif => verdicts
            .iter()
            .map(|one| format!("{}{}", text(one.target.as_deref(), &one.verdict), keys::text(&one.keys)))
            .collect::<Vec<_>>()
            .join("\n"),
    };
    written(print_styled(&text))?;
    Ok(if verdicts.iter().all(|one| one.verdict.is_allowed()) { 0 } else { FOUND })
}

/// A configuration in a file. With claims at hand, neither profile nor network is needed.
async fn of_file(start: &Start, arguments: &Explain, policy: &Path) -> Result<Verdict, Failure> {
    let located = input::document(policy, arguments.cloud.as_deref(), arguments.only.as_deref(), "--only")?;
    let claims = match given_claims(start, arguments)? {
        Some(claims) => claims,
        None => own_claims(start, arguments, Some(located.document.as_ref())).await?,
    };
    Ok(located.document.evaluate(&job(claims, arguments)?))
}

/// The selected targets' own lists.
async fn of_targets(start: &Start, arguments: &Explain) -> Result<Vec<Explained>, Failure> {
    let given = given_claims(start, arguments)?;
    let profile = start.load(&[])?;
    let context = start.context(&profile)?;
    let session = start.session(context.clone());
    let mut verdicts = Vec::new();
    for name in profile.matching(&arguments.targets.target)? {
        let trusted = own::of_target(&profile, &context, &name).map_err(|errors| located(&profile, errors))?;
        let target = profile.as_written(&name).map_err(|errors| located(&profile, errors))?;
        let identity = profile
            .identity(&context, profile.target_identity(&name))
            .map_err(|error| error.with_help("or judge another job's claims: --claims FILE"))
            .map_err(|error| located(&profile, vec![error]));
        let (audiences, claims) = match (&given, identity) {
            (Some(claims), Ok(identity)) => {
                (target.audiences(identity.provider.customary_audience(&context).as_deref()), claims.clone())
            }
            // On a laptop there is no CI system; the entry that fits the claims' issuer names the adapter.
            (Some(claims), Err(_)) => {
                let customary = claims.issuer().and_then(|issuer| {
                    let entry = trusted.entries.iter().find(|entry| entry.issuer.as_str() == issuer)?;
                    let kind = start.registry.identities().iter().find(|kind| kind.kind == entry.provider)?;
                    kind.default_provider().customary_audience(&context)
                });
                (target.audiences(customary.as_deref()), claims.clone())
            }
            (None, Err(error)) => return Err(error),
            (None, Ok(identity)) => {
                let audiences = target.audiences(identity.provider.customary_audience(&context).as_deref());
                let token =
                    session.token(&identity, &audiences).await.map_err(|error| located(&profile, vec![error]))?;
                (audiences, Claims::clone(token.claims()))
            }
        };
        // Nothing to hold the token against: what to write there is the next best answer.
        let model = input::models(profile.target_kind(&name)).ok().filter(|_| !trusted.is_known());
        let keys = model.into_iter().flatten().flat_map(|model| model.keys(&claims)).collect();
        verdicts.push(Explained {
            target: Some(name),
            verdict: trusted.evaluate(&audiences, &job(claims, arguments)?),
            keys,
        });
    }
    Ok(verdicts)
}

fn job(claims: Claims, arguments: &Explain) -> Result<Job, Error> {
    let mut job = Job::new(claims, SystemTime::now());
    job.actions = arguments.action.clone();
    for pair in &arguments.context {
        let (key, value) = pair.split_once('=').filter(|(key, _)| !key.is_empty()).ok_or_else(|| {
            Error::new(&codes::USAGE, format!("--context {pair} is not KEY=VALUE"))
                .with_help("write it like --context aws:SourceIp=203.0.113.9; repeat it for a key with several values")
        })?;
        job.context.entry(key.to_owned()).or_default().push(value.to_owned());
    }
    Ok(job)
}

fn given_claims(start: &Start, arguments: &Explain) -> Result<Option<Claims>, Error> {
    if let Some(path) = &arguments.claims {
        return input::claims(path).map(Some);
    }
    let Some(name) = &arguments.token_env else { return Ok(None) };
    let Some(text) = start.env.get(name) else {
        return Err(Error::new(&codes::TOKEN_MISSING, format!("the variable {name} is not set")));
    };
    let token = IdToken::parse(Secret::new(text), format!("environment variable {name}"))?;
    Ok(Some(Claims::clone(token.claims())))
}

/// The claims of the job's own token, one for what is explained: the target, the document, the cloud.
async fn own_claims(
    start: &Start,
    arguments: &Explain,
    document: Option<&dyn TrustDocument>,
) -> Result<Claims, Failure> {
    let profile = start.load(&[])?;
    let context = start.context(&profile)?;
    let models = input::models(arguments.cloud.as_deref())?;
    let chosen = &arguments.targets.target;
    let names = match chosen.is_empty() {
        false => profile.matching(chosen)?,
        true => profile.matching(chosen).unwrap_or_default(),
    };
    let is_of_cloud = |name: &&String| models.iter().any(|model| profile.target_kind(name) == Some(model.kind()));
    let name = names.iter().find(|name| !chosen.is_empty() || is_of_cloud(name));
    let in_profile = |error: Error| located(&profile, vec![error]);
    let identity = profile
        .identity(&context, name.and_then(|name| profile.target_identity(name)))
        .map_err(|error| error.with_help("or judge another job's claims: --claims FILE"))
        .map_err(in_profile)?;
    let customary = identity.provider.customary_audience(&context);
    let mut audiences = Vec::new();
    if let (Some(document), true) = (document, chosen.is_empty()) {
        let (issuer, _) = identity.issuer(&context).map_err(in_profile)?;
        audiences.extend(document.audiences(issuer.without_scheme()).into_iter().map(Audiences::one));
    }
    if let Some(name) = name {
        let target = profile.as_written(name).map_err(|errors| located(&profile, errors))?;
        audiences.push(target.audiences(customary.as_deref()));
    }
    let usual = models.iter().chain(trust_models()).find_map(|model| model.audience(customary.as_deref()));
    audiences.extend(usual.map(Audiences::one));
    let session = start.session(context);
    let mut refusal = None;
    for audience in &audiences {
        match session.token(&identity, audience).await {
            Ok(token) => return Ok(Claims::clone(token.claims())),
            // Another of them may be at hand.
            Err(error) if error.code() == &codes::TOKEN_AUDIENCE => _ = refusal.get_or_insert(error),
            Err(error) => return Err(in_profile(error)),
        }
    }
    let unknown = || Error::new(&codes::USAGE, "no audience is known that a token could be asked for");
    Err(in_profile(refusal.unwrap_or_else(unknown)))
}

fn json(target: Option<&str>, verdict: &Verdict) -> Json {
    let mut value = serde_json::to_value(verdict).unwrap_or_default();
    value["target"] = target.map_or(Json::Null, Json::from);
    value
}

fn text(target: Option<&str>, verdict: &Verdict) -> String {
    let (green, red) = (
        Style::new().fg_color(Some(AnsiColor::Green.into())).bold(),
        Style::new().fg_color(Some(AnsiColor::Red.into())).bold(),
    );
    let (style, word) = if verdict.is_allowed() { (green, "ALLOW") } else { (red, "DENY") };
    let mut out = format!("{style}{word}{style:#}");
    if let Some(target) = target {
        out.push_str(&format!(" for target {target}"));
    }
    if let Some(code) = &verdict.cloud_code {
        out.push_str(&format!(", as {code}"));
    }
    if let Some(stage) = verdict.stage.as_deref().filter(|_| !verdict.is_allowed()) {
        out.push_str(&format!(", at the {stage}"));
    }
    out.push('\n');
    for statement in &verdict.statements {
        table(statement, &mut out);
    }
    if let Some(fix) = &verdict.fix {
        out.push_str(&format!("\nto let this token in: {fix}\n"));
    }
    if let Some(warning) = &verdict.warning {
        out.push_str(&format!("but: {warning}\n"));
    }
    out
}

fn table(statement: &StatementVerdict, out: &mut String) {
    let effect = match (statement.effect, statement.matches) {
        (Effect::Allow, true) => "lets it in",
        (Effect::Allow, false) => "does not match",
        (Effect::Deny, true) => "keeps it out",
        (Effect::Deny, false) => "denies others",
    };
    out.push_str(&format!("\n{}: {effect}\n", statement.name));
    let rows: Vec<[String; 4]> = statement
        .checks
        .iter()
        .map(|check| {
            let mark = if check.holds { "holds" } else { "FAILS" };
            [mark.to_owned(), check.key.clone(), check.operator.clone(), check.expected.join(" | ")]
        })
        .collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let (key, operator) = (width(1), width(2));
    for (row, check) in rows.iter().zip(&statement.checks) {
        out.push_str(&format!("  {}  {:key$}  {:operator$}  {}\n", row[0], row[1], row[2], row[3]));
        if !check.holds {
            out.push_str(&format!("         token: {}\n", check.actual_text()));
        }
        if let Some(note) = &check.note {
            out.push_str(&format!("         {note}\n"));
        }
    }
}
