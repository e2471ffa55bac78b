//! `federate plan`: what would be asked of whom, without the network.

use federate_core::Error;
use serde_json::{Value as Json, json};

use super::written;
use crate::args::Targets;
use crate::report::{Failure, Output, one_line, pretty, print_result};
use crate::setup::{Start, located};

pub(crate) fn run(start: &Start, targets: Targets) -> Result<u8, Failure> {
    let profile = start.load(&[])?;
    let context = start.context(&profile)?;
    let mut plans = Vec::new();
    let mut errors: Vec<Error> = Vec::new();
    for name in profile.matching(&targets.target)? {
        match one(&profile, &context, &name) {
            Ok(plan) => plans.push(plan),
            Err(found) => errors.extend(
                found
                    .into_iter()
                    .filter(|error| !errors.iter().any(|known| known.what() == error.what()))
                    .collect::<Vec<_>>(),
            ),
        }
    }
    if !errors.is_empty() {
        return Err(located(&profile, errors));
    }
    let text = match start.global.output {
        Output::Json => pretty(&json!({ "profile": profile.names(), "targets": plans })),
        Output::Text | Output::Sarif => plans.iter().map(text).collect(),
    };
    written(print_result(&text))
}

fn one(profile: &federate_profile::Profile, context: &federate_core::Context, name: &str) -> Result<Json, Vec<Error>> {
    let target = profile.as_written(name)?;
    let section = format!("targets.{name}");
    let named = |error: Error| vec![error.in_section(&section)];
    let identity = profile.identity(context, profile.target_identity(name)).map_err(|error| vec![error])?;
    let issuer = identity.permitted(context).map_err(|error| vec![error])?;
    let customary = identity.provider.customary_audience(context);
    let audiences = target.audiences(customary.as_deref());
    target.permitted(context, &context.policy).map_err(named)?;
    // Without the job's variables there is nothing to ask yet; that is worth a word, not a failure.
    let (token_requests, token_problem) = match identity.provider.plan(context, &audiences) {
        Ok(requests) => (requests, None),
        Err(error) => (Vec::new(), Some(error.what().to_owned())),
    };
    let requests = target.plan(context, None).map_err(named)?;
    Ok(json!({
        "target": name,
        "type": target.kind(),
        "identity": identity.name,
        "issuer": issuer.as_str(),
        "audience": audiences.first(),
        "token_problem": token_problem,
        "requests": token_requests.iter().chain(&requests).map(federate_core::Request::shown).collect::<Vec<_>>(),
    }))
}

fn text(plan: &Json) -> String {
    let show = |key: &str| one_line(plan[key].as_str().unwrap_or_default());
    let mut out = format!(
        "{} ({})\n  identity: {}, issuer {}\n  audience: {}\n",
        show("target"),
        show("type"),
        show("identity"),
        show("issuer"),
        show("audience")
    );
    if let Some(problem) = plan["token_problem"].as_str() {
        out.push_str(&format!("  ID token: {problem}\n"));
    }
    for request in plan["requests"].as_array().into_iter().flatten() {
        let part = |key: &str| request[key].as_str().unwrap_or_default();
        out.push_str(&format!("  {}: {} {}\n", part("request"), part("method"), part("url")));
        for section in ["headers", "parameters"] {
            for (name, value) in request[section].as_object().into_iter().flatten() {
                out.push_str(&format!("    {name}: {}\n", one_line(value.as_str().unwrap_or_default())));
            }
        }
    }
    out
}
