//! `federate whoami`: each cloud says who the credentials are.

use std::path::Path;

use federate_core::endpoint::segment;
use federate_core::{Error, Principal};
use serde_json::{Value as Json, json};

use super::exec::GIVEN;
use super::written;
use crate::args::Targets;
use crate::endpoint;
use crate::report::{Failure, Output, pretty, print_result};
use crate::setup::{Start, exchange, located, select};

pub(crate) async fn run(start: &Start, targets: Targets) -> Result<u8, Failure> {
    let profile = start.load(&[])?;
    let mut answers: Vec<(String, Principal)> = Vec::new();
    let mut errors: Vec<Error> = Vec::new();
    if start.env.get(GIVEN).is_some() {
        // Inside `federate exec`: report on what this process was given, not on what it could get.
        let (session, sources) = select(start, &profile, &targets.target)?;
        let context = session.context().begin_exchange();
        for source in &sources {
            let target = source.unbound();
            if let Some(answer) = by_endpoint(start, source.name()).await {
                match answer {
                    Ok(principal) => answers.push((source.name().to_owned(), principal)),
                    Err(error) => errors.push(error.in_section(&format!("targets.{}", source.name()))),
                }
                continue;
            }
            let given =
                start.registry.cloud(target.kind()).map_or(Ok(None), |cloud| cloud.from_env(&context, source.name()));
            let principal = match given {
                Ok(Some(credentials)) => target.whoami(&context, &credentials).await,
                Ok(None) => Err(Error::new(
                    &NOT_GIVEN,
                    format!("this process was given no credentials for the target `{}`", source.name()),
                )
                .with_help("select it in the surrounding `federate exec -t`, or run `federate whoami` outside of it")),
                Err(error) => Err(error),
            };
            match principal {
                Ok(principal) => answers.push((source.name().to_owned(), principal)),
                Err(error) => errors.push(error.in_section(&format!("targets.{}", source.name()))),
            }
        }
    } else {
        let ready = exchange(start, &profile, &targets.target).await?;
        for one in &ready.exchanged {
            match one.target.whoami(&ready.session.context().begin_exchange(), &one.credentials).await {
                Ok(principal) => answers.push((one.name.clone(), principal)),
                Err(error) => errors.push(error.in_section(&format!("targets.{}", one.name))),
            }
        }
    }
    if !errors.is_empty() {
        return Err(located(&profile, errors));
    }
    let text = match start.global.output {
        Output::Json => pretty(&Json::Object(
            answers
                .into_iter()
                .map(|(name, principal)| (name, json!({ "principal": principal.headline, "facts": principal.facts })))
                .collect(),
        )),
        Output::Text | Output::Sarif => answers.iter().map(|(name, principal)| text(name, principal)).collect(),
    };
    written(print_result(&text))
}

/// Inside `federate exec --serve`: the endpoint knows. `None` where there is none, or not for this target.
async fn by_endpoint(start: &Start, target: &str) -> Option<Result<Principal, Error>> {
    let (origin, secret_file) = (start.env.get(endpoint::ADDRESS)?, start.env.get(endpoint::SECRET_FILE)?);
    let url = format!("{origin}/{}/{}/{}", endpoint::OWN, segment(target), endpoint::WHOAMI);
    let response = match endpoint::client::ask(&url, Path::new(secret_file)).await {
        Ok(response) => response,
        Err(error) => return Some(Err(error)),
    };
    match response.status {
        200 => {
            let document: Json = serde_json::from_slice(&response.body).unwrap_or_default();
            let headline = document["principal"].as_str().unwrap_or_default().to_owned();
            Some(Ok(Principal { headline, facts: document["facts"].as_object().cloned().unwrap_or_default() }))
        }
        404 => None,
        _ => Some(Err(endpoint::client::refusal(&response))),
    }
}

/// No credentials in the environment.
pub(crate) static NOT_GIVEN: federate_core::Code = federate_core::Code {
    name: "credentials-not-given",
    category: federate_core::Category::Usage,
    meaning: "Inside `federate exec`, a target was named for which the process was given no credentials.",
};

fn text(name: &str, principal: &Principal) -> String {
    let mut out = format!("{name}: {}\n", principal.headline);
    for (key, value) in &principal.facts {
        let shown = match value {
            Json::String(text) => text.clone(),
            Json::Array(items) => items.iter().map(inline).collect::<Vec<_>>().join("; "),
            other => inline(other),
        };
        // A subscription's name is anybody's text.
        out.push_str(&format!("  {key}: {}\n", shown.replace(char::is_control, " ")));
    }
    out
}

fn inline(value: &Json) -> String {
    match value {
        Json::String(text) => text.clone(),
        Json::Object(fields) => fields.values().map(inline).collect::<Vec<_>>().join(" "),
        other => other.to_string(),
    }
}
