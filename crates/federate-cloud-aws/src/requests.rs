//! The requests themselves; `plan` prints what `exchange` sends.

use std::time::SystemTime;

use federate_core::template::is_literal;
use federate_core::{Context, Field, IdToken, Request, Secret};

use crate::endpoint::Endpoint;
use crate::refusal::classify;
use crate::settings::{Hop, ONE_HOUR, Settings};
use crate::sigv4::Signer;

const VERSION: &str = "2011-06-15";
const FORM: &str = "application/x-www-form-urlencoded; charset=utf-8";

/// Access keys to sign with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Keys<'a> {
    pub(crate) access_key_id: &'a str,
    pub(crate) secret_access_key: &'a Secret,
    pub(crate) session_token: &'a Secret,
}

fn text(value: &str) -> Field {
    if is_literal(value) { Field::Plain(value.to_owned()) } else { Field::Later(value.to_owned()) }
}

fn form(operation: &str, endpoint: &Endpoint, fields: Vec<(String, Field)>) -> Request {
    let mut all = vec![("Action".to_owned(), Field::from(operation)), ("Version".to_owned(), Field::from(VERSION))];
    all.extend(fields);
    Request::form(operation, endpoint.url.clone(), endpoint.reach.clone(), all)
        .with_header("content-type", FORM)
        .with_classify(classify)
}

/// What binds the session that comes out at the end.
fn session_policies(settings: &Settings, fields: &mut Vec<(String, Field)>) {
    fields.extend(settings.policy.iter().map(|policy| ("Policy".to_owned(), Field::Plain(policy.clone()))));
    fields.extend(
        settings
            .policy_arns
            .iter()
            .enumerate()
            .map(|(index, arn)| (format!("PolicyArns.member.{}.arn", index + 1), text(arn))),
    );
}

/// AssumeRoleWithWebIdentity. Without a token, what stands in its place is said.
pub(crate) fn web_identity(settings: &Settings, endpoint: &Endpoint, token: Option<&IdToken>) -> Request {
    // In a chain the first session only has to live until the next hop is taken.
    let duration = if settings.chain.is_empty() { settings.duration.as_secs() } else { ONE_HOUR.as_secs() };
    let mut fields = vec![
        ("RoleArn".to_owned(), text(&settings.role_arn)),
        ("RoleSessionName".to_owned(), text(&settings.session_name)),
        (
            "WebIdentityToken".to_owned(),
            token.map_or_else(|| Field::Later("the ID token".to_owned()), |token| Field::Secret(token.raw().clone())),
        ),
        ("DurationSeconds".to_owned(), Field::Plain(duration.to_string())),
    ];
    if settings.chain.is_empty() {
        session_policies(settings, &mut fields);
    }
    form("AssumeRoleWithWebIdentity", endpoint, fields)
}

/// AssumeRole for one hop, not signed yet.
pub(crate) fn assume_role(settings: &Settings, endpoint: &Endpoint, hop: &Hop, is_last: bool) -> Request {
    let default = if is_last { settings.duration.as_secs() } else { ONE_HOUR.as_secs() };
    let duration = hop.duration.map_or(default, |duration| duration.as_secs());
    let mut fields = vec![
        ("RoleArn".to_owned(), text(&hop.role_arn)),
        ("RoleSessionName".to_owned(), text(hop.session_name.as_deref().unwrap_or(&settings.session_name))),
        ("DurationSeconds".to_owned(), Field::Plain(duration.to_string())),
    ];
    fields.extend(hop.external_id.iter().map(|id| ("ExternalId".to_owned(), text(id))));
    fields.extend(hop.source_identity.iter().map(|name| ("SourceIdentity".to_owned(), text(name))));
    for (index, (key, value)) in hop.tags.iter().enumerate() {
        fields.push((format!("Tags.member.{}.Key", index + 1), Field::Plain(key.clone())));
        fields.push((format!("Tags.member.{}.Value", index + 1), text(value)));
    }
    fields.extend(
        hop.transitive_tags
            .iter()
            .enumerate()
            .map(|(index, key)| (format!("TransitiveTagKeys.member.{}", index + 1), Field::Plain(key.clone()))),
    );
    if is_last {
        session_policies(settings, &mut fields);
    }
    form("AssumeRole", endpoint, fields)
}

/// GetCallerIdentity, not signed yet.
pub(crate) fn caller_identity(endpoint: &Endpoint) -> Request {
    form("GetCallerIdentity", endpoint, Vec::new())
}

/// Signs a request that is complete.
pub(crate) fn signed(mut request: Request, endpoint: &Endpoint, keys: Keys<'_>, context: &Context) -> Request {
    let Some(body) = request.encoded_form() else { return request };
    let signer = Signer {
        access_key_id: keys.access_key_id,
        secret_access_key: keys.secret_access_key,
        session_token: Some(keys.session_token),
        region: &endpoint.signing_region,
        service: "sts",
    };
    let now: SystemTime = context.host.now();
    let added =
        signer.sign(request.method.as_str(), &request.url, &[("content-type", FORM)], body.reveal().as_bytes(), now);
    request.headers.extend(added.into_iter().map(|(name, value)| (name.to_owned(), Field::Secret(value))));
    request
}
