//! AWS STS: AssumeRoleWithWebIdentity, AssumeRole along the profiles' chains, GetCallerIdentity.

use std::time::{Duration, SystemTime};

use federate_core::template::could_be;
use federate_http::Incoming;
use serde_json::Value as Json;

use crate::parameters::{Parameters, Refusal};
use crate::report::{Event, Reason, Reply};
use crate::sessions::{Session, open};
use crate::web_identity::{Refused, RequestKeys, accept};
use crate::world::World;
use crate::xml::{element, group, success};
use crate::{sigv4, xml};

const SERVICE: &str = "STS";

/// Answers a request that names an action.
pub(crate) fn reply(world: &World, request: &Incoming) -> Reply {
    let parameters = Parameters::of(request);
    let action = parameters.action();
    let role = parameters.get("RoleArn").and_then(|arn| arn.split_once(":role/")).map_or("", |(_, name)| name);
    let asked = if role.is_empty() { action.to_owned() } else { format!("{action} role/{role}") };
    let done = match action {
        _ if parameters.get("Version") != Some("2011-06-15") => Err(unknown(&parameters)),
        "AssumeRoleWithWebIdentity" => web_identity(world, &parameters),
        "AssumeRole" => assume_role(world, request, &parameters),
        "GetCallerIdentity" => caller_identity(world, request),
        _ => Err(unknown(&parameters)),
    };
    let id = world.random.uuid();
    match done {
        Ok((result, who)) => {
            Reply { answer: success(action, &id, &result), event: Event::new(SERVICE, asked, 200).with_outcome(who) }
        }
        Err((refusal, reason)) => Reply {
            answer: xml::error(refusal.status, refusal.code, &refusal.message, &id),
            event: Event::new(SERVICE, asked, refusal.status).with_outcome(refusal.code).with_reason(&if reason
                == Reason::default()
            {
                Reason::new(&refusal.message)
            } else {
                reason
            }),
        },
    }
}

/// The elements of a result, and who the client now is.
type Done = Result<(Vec<String>, String), Refused>;

fn plainly(refusal: Refusal) -> Refused {
    (refusal, Reason::default())
}

fn unknown(parameters: &Parameters) -> Refused {
    let version = parameters.get("Version").unwrap_or("NO_VERSION_SPECIFIED");
    let text = format!("Could not find operation {} for version {version}", parameters.action());
    plainly(Refusal::new(400, "InvalidAction", text))
}

fn web_identity(world: &World, parameters: &Parameters) -> Done {
    let (arn, role) = parameters.role().map_err(plainly)?;
    let name = parameters.session_name().map_err(plainly)?;
    let token = parameters.required("WebIdentityToken", "webIdentityToken", 4, 20_000).map_err(plainly)?;
    let seconds = parameters.duration().map_err(plainly)?;
    parameters.check_policy().map_err(plainly)?;
    let request = RequestKeys::from([
        ("sts:RoleSessionName".to_owned(), vec![name.to_owned()]),
        ("sts:DurationSeconds".to_owned(), vec![seconds.to_string()]),
        ("aws:SourceIp".to_owned(), vec!["127.0.0.1".to_owned()]),
    ]);
    let accepted = accept(world, arn, &role, token, &request)?;
    let (id, session) = open(world, arn, &role, name, world.now() + world.life(Duration::from_secs(seconds)));
    let mut result = granted(&id, &session);
    result.push(element("SubjectFromWebIdentityToken", &accepted.subject));
    result.push(element("Audience", &accepted.audience));
    result.push(element("Provider", &accepted.provider));
    Ok((result, session.arn))
}

fn signed(world: &World, request: &Incoming) -> Result<Session, Refused> {
    sigv4::signer(world, request).map_err(|why| {
        let status = if why.code == "IncompleteSignature" { 400 } else { 403 };
        plainly(Refusal::new(status, why.code, why.message))
    })
}

fn assume_role(world: &World, request: &Incoming, parameters: &Parameters) -> Done {
    let caller = signed(world, request)?;
    let (arn, role) = parameters.role().map_err(plainly)?;
    let name = parameters.session_name().map_err(plainly)?;
    let seconds = parameters.duration().map_err(plainly)?;
    parameters.check_policy().map_err(plainly)?;
    if seconds > 3600 {
        return Err(plainly(Refusal::validation(
            "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining.",
        )));
    }
    let hops: Vec<&Json> = world.targets.iter().filter_map(|target| target.hop(&caller.role_arn, arn)).collect();
    let presented = parameters.get("ExternalId");
    let fits = |hop: &&Json| match hop.get("external_id").and_then(Json::as_str) {
        Some(expected) => presented.is_some_and(|presented| could_be(expected, presented)),
        None => true,
    };
    if !hops.iter().any(fits) {
        let text = format!("User: {} is not authorized to perform: sts:AssumeRole on resource: {arn}", caller.arn);
        let why = if hops.is_empty() { "no chain of the profiles leads there" } else { "the external id is another" };
        return Err((Refusal::new(403, "AccessDenied", text), Reason::new(why)));
    }
    let (id, session) = open(world, arn, &role, name, world.now() + world.life(Duration::from_secs(seconds)));
    let mut result = granted(&id, &session);
    result.extend(parameters.get("SourceIdentity").map(|identity| element("SourceIdentity", identity)));
    Ok((result, session.arn))
}

fn caller_identity(world: &World, request: &Incoming) -> Done {
    let caller = signed(world, request)?;
    let result =
        vec![element("Arn", &caller.arn), element("UserId", &caller.user_id), element("Account", &caller.account)];
    Ok((result, caller.arn))
}

fn granted(id: &str, session: &Session) -> Vec<String> {
    let credentials = [
        element("AccessKeyId", id),
        element("SecretAccessKey", session.secret_access_key.reveal()),
        element("SessionToken", session.session_token.reveal()),
        element("Expiration", &rfc3339(session.expires)),
    ];
    let user = [element("AssumedRoleId", &session.user_id), element("Arn", &session.arn)];
    vec![group("AssumedRoleUser", &user), group("Credentials", &credentials)]
}

fn rfc3339(time: SystemTime) -> String {
    humantime::format_rfc3339_seconds(time).to_string()
}

#[cfg(test)]
mod tests;
