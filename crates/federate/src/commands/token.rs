//! `federate token`: what the ID token says, and whether its issuer signed it.

use std::collections::BTreeSet;

use federate_core::jwks::Jwks;
use federate_core::{Audiences, Context, Error, IdToken, Issuer, Reach, Reporter as _, Request, codes};
use serde_json::{Value as Json, json};
use url::Url;

use super::written;
use crate::args::Token;
use crate::report::{Failure, Output, pretty, print_result, stdout_is_terminal};
use crate::setup::{Start, located};

pub(crate) async fn run(start: &Start, arguments: Token) -> Result<u8, Failure> {
    if arguments.raw && !arguments.force && stdout_is_terminal() {
        return Err(Error::new(&codes::USAGE, "--raw prints a secret, and stdout is a terminal")
            .with_help("pipe it to where it is needed, or add --force")
            .into());
    }
    let profile = start.load(&[])?;
    let context = start.context(&profile)?;
    let names = match (&arguments.audience, arguments.targets.target.is_empty()) {
        (Some(_), true) => Vec::new(),
        _ => profile.matching(&arguments.targets.target)?,
    };
    let identity = profile
        .identity(&context, names.first().and_then(|name| profile.target_identity(name)))
        .map_err(|error| located(&profile, vec![error]))?;
    let audiences = match &arguments.audience {
        Some(audience) => Audiences::one(audience),
        None => {
            let customary = identity.provider.customary_audience(&context);
            let mut wanted: Vec<Audiences> = Vec::new();
            for name in &names {
                let target = profile.as_written(name).map_err(|errors| located(&profile, errors))?;
                let audiences = target.audiences(customary.as_deref());
                if !wanted.contains(&audiences) {
                    wanted.push(audiences);
                }
            }
            match wanted.as_slice() {
                [one] => one.clone(),
                several => {
                    let list: BTreeSet<String> = several.iter().map(Audiences::to_string).collect();
                    return Err(Error::new(
                        &codes::USAGE,
                        format!(
                            "the selected targets want tokens for different audiences: {}",
                            list.into_iter().collect::<Vec<_>>().join(", ")
                        ),
                    )
                    .with_help("select one target with -t, or name one with --audience")
                    .into());
                }
            }
        }
    };
    let session = start.session(context.clone());
    let token = session.token(&identity, &audiences).await.map_err(|error| located(&profile, vec![error]))?;
    if arguments.raw {
        return written(print_result(&format!("{}\n", token.raw().reveal())));
    }
    let (issuer, _) = identity.provider.issuer(&context)?;
    let signature = signature(&context, &issuer, &token).await?;
    let claims = Json::Object(token.claims().as_map().clone());
    let text = match start.global.output {
        Output::Json => pretty(
            &json!({ "identity": identity.name, "source": token.source(), "signature": signature, "header": { "alg": token.algorithm(), "kid": token.key_id() }, "claims": claims }),
        ),
        Output::Text | Output::Sarif => {
            start.stderr.note(&format!("ID token of {}, signature {signature}", token.source()));
            pretty(&claims)
        }
    };
    written(print_result(&text))
}

/// `verified`, or why it was not checked.
///
/// # Errors
/// `token-signature` where the issuer answered and its keys do not fit.
async fn signature(context: &Context, issuer: &Issuer, token: &IdToken) -> Result<String, Error> {
    match keys(context, issuer, token).await {
        Ok(jwks) => jwks.verify(token).map(|_| "verified".to_owned()),
        Err(error) => Ok(format!("not checked: {error}")),
    }
}

async fn keys(context: &Context, configured: &Issuer, token: &IdToken) -> Result<Jwks, Error> {
    // The token's own issuer is followed only as far as the expected one reaches: an enterprise's path below it.
    let issuer = token.claims().issuer().filter(|issuer| {
        issuer.strip_prefix(configured.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    });
    let issuer = issuer.and_then(|issuer| Issuer::parse(issuer).ok()).unwrap_or_else(|| configured.clone());
    let invalid = |what: &str| Error::new(&codes::RESPONSE_INVALID, format!("the issuer's {what} cannot be read"));
    let discovery = issuer.discovery_url().ok_or_else(|| invalid("address"))?;
    // These requests carry nothing secret, so the rule about hosts does not bind them; https does.
    let document = get(context, "OpenID discovery", discovery).await?;
    let document: Json = serde_json::from_slice(&document).map_err(|_| invalid("discovery document"))?;
    let url = document
        .get("jwks_uri")
        .and_then(Json::as_str)
        .and_then(|text| Url::parse(text).ok())
        .ok_or_else(|| invalid("jwks_uri"))?;
    if url.scheme() != "https" && url.host().as_ref().is_none_or(|host| !federate_core::policy::is_loopback(host)) {
        return Err(invalid("jwks_uri (it is not https)"));
    }
    Jwks::parse(&get(context, "JWKS", url).await?)
}

async fn get(context: &Context, what: &str, url: Url) -> Result<Vec<u8>, Error> {
    let host = url.host_str().unwrap_or_default().to_owned();
    let response = context.http.send(&Request::get(what, url, Reach::BuiltIn), context.deadline).await?;
    if response.status == 200 {
        Ok(response.body)
    } else {
        Err(Error::new(&codes::SERVICE_ERROR, format!("{host} answered {} to {what}", response.status)))
    }
}
