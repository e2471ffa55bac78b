//! `federate token`: what the ID token says, and whether its issuer signed it.

use std::collections::BTreeSet;

use federate_core::error::said;
use federate_core::jwks::Jwks;
use federate_core::{Audiences, Context, Error, IdToken, Issuer, Reporter as _, codes};
use serde_json::{Value as Json, json};

use super::{issuer, written};
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

async fn keys(context: &Context, expected: &Issuer, token: &IdToken) -> Result<Jwks, Error> {
    let issuer = issuer::followed(expected, token.claims());
    let discovery = issuer::read(&issuer, &issuer::ask(context, &issuer).await?)?;
    if discovery.issuer.as_deref() != Some(issuer.as_str()) {
        let named = said(discovery.issuer.as_deref().unwrap_or("nobody"));
        let what = format!("the discovery document of {issuer} is that of {named}");
        return Err(Error::new(&codes::RESPONSE_INVALID, what));
    }
    issuer::keys(context, &discovery.keys).await
}
