//! AssumeRoleWithWebIdentity: a token, and whether the role trusts it.

use std::collections::BTreeMap;

use federate_core::context::unix_seconds;
use federate_core::{Claims, IdToken, Secret};
use federate_trust::Job as TrustedJob;
use serde_json::Value as Json;

use crate::keys::SignatureProblem;
use crate::parameters::Refusal;
use crate::report::{Reason, short};
use crate::stage::{RoleArn, SandboxTarget};
use crate::trust::{
    Decision, decide, differences, failed_conditions, lines_to_add, presented_audience, wrong_audience,
};
use crate::world::World;

/// A refusal, and what STS would not say of it.
pub(crate) type Refused = (Refusal, Reason);

fn invalid(message: impl Into<String>) -> Refused {
    (Refusal::new(400, "InvalidIdentityToken", message), Reason::default())
}

fn denied(reason: Reason) -> Refused {
    let text = "Not authorized to perform sts:AssumeRoleWithWebIdentity";
    (Refusal::new(403, "AccessDenied", text), reason)
}

/// A token that may assume the role.
#[derive(Debug)]
pub(crate) struct Accepted {
    pub(crate) subject: String,
    pub(crate) audience: String,
    /// The ARN of the IAM OIDC provider.
    pub(crate) provider: String,
}

/// Condition keys of the request that do not come from the token.
pub(crate) type RequestKeys = BTreeMap<String, Vec<String>>;

/// Looks at the token first, then at the role's trust, in STS's order.
pub(crate) fn accept(
    world: &World,
    arn: &str,
    role: &RoleArn,
    raw: &str,
    request: &RequestKeys,
) -> Result<Accepted, Refused> {
    let (token, claims) = authentic(world, role, raw)?;
    let audience = presented_audience(&claims).unwrap_or_default();
    let in_account: Vec<&SandboxTarget> =
        world.targets.iter().filter(|target| target.in_account(&role.account)).collect();
    if !in_account.iter().any(|target| target.audiences.iter().any(|known| known == audience)) {
        let known: Vec<&str> = in_account.iter().flat_map(|target| target.audiences.iter()).collect();
        let (refusal, _) = invalid("Incorrect token audience");
        let shown = token.claims().audiences().join(", ");
        return Err((refusal, Reason::new(format!("`aud` is `{}`, known are {}", short(&shown), known.join(", ")))));
    }
    check_times(world, &claims)?;
    check_roles(&claims, arn)?;
    trusted(world, arn, &claims, &audience, request)?;
    Ok(Accepted {
        subject: claims.subject().unwrap_or_default().to_owned(),
        audience,
        provider: format!(
            "arn:{}:iam::{}:oidc-provider/{}",
            role.partition,
            role.account,
            world.job.issuer.without_scheme()
        ),
    })
}

/// The token's form, issuer and signature.
fn authentic(world: &World, role: &RoleArn, raw: &str) -> Result<(IdToken, Claims), Refused> {
    let malformed =
        || invalid("The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)");
    let token = IdToken::parse(Secret::new(raw), "WebIdentityToken").map_err(|_| malformed())?;
    if token.algorithm() != "RS256" {
        return Err(malformed());
    }
    for name in ["iss", "aud", "sub"] {
        if token.claims().get(name).is_none() {
            return Err(invalid(format!("Missing a required claim: {name}")));
        }
    }
    let issuer = token.claims().issuer().unwrap_or_default();
    let is_known = world.targets.iter().any(|target| target.in_account(&role.account));
    if issuer != world.job.issuer.as_str() || !is_known {
        let (refusal, _) = invalid(format!("No OpenIDConnect provider found in your account for {issuer}"));
        let why = format!("no target of the profiles is in account {}", role.account);
        return Err((refusal, if is_known { Reason::default() } else { Reason::new(why) }));
    }
    match world.key.verify(&token) {
        Ok(_) => {}
        Err(SignatureProblem::UnknownKey) => {
            return Err(invalid(
                "Couldn't retrieve verification key from your identity provider,  please reference AssumeRoleWithWebIdentity documentation for requirements",
            ));
        }
        Err(SignatureProblem::Mismatch) => {
            let (refusal, _) = invalid(
                "The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)",
            );
            return Err((refusal, Reason::new("the signature does not hold")));
        }
    }
    let claims = Claims::new(token.claims().as_map().clone());
    Ok((token, claims))
}

fn check_times(world: &World, claims: &Claims) -> Result<(), Refused> {
    let now = unix_seconds(world.now());
    let Some(expires) = claims.seconds("exp") else { return Err(invalid("Missing a required claim: exp")) };
    if expires <= now {
        let text = format!("Token expired: current date/time {now} must be before the expiration date/time {expires}");
        return Err((Refusal::new(400, "ExpiredTokenException", text), Reason::default()));
    }
    match claims.seconds("nbf") {
        Some(begins) if begins > now => Err(invalid(format!(
            "Token not yet valid: current date/time {now} must be after the not before date/time {begins}"
        ))),
        _ => Ok(()),
    }
}

/// A token may list the roles that it is good for; STS looks at the list before the role's trust.
fn check_roles(claims: &Claims, arn: &str) -> Result<(), Refused> {
    let names = |value: &Json| value.as_str() == Some(arn);
    match claims.get("https://aws.amazon.com/roles") {
        Some(Json::Array(roles)) if roles.iter().any(names) => Ok(()),
        Some(role) if !names(role) => {
            Err(invalid("The target role ARN is not present in the roles claim of the identity token"))
        }
        _ => Ok(()),
    }
}

fn trusted(world: &World, arn: &str, claims: &Claims, audience: &str, request: &RequestKeys) -> Result<(), Refused> {
    let roles: Vec<&SandboxTarget> = world.targets.iter().filter(|target| target.is_role(arn)).collect();
    let Some(first) = roles.first() else {
        return Err(denied(Reason::new("no target of the profiles names this role, so it does not exist")));
    };
    let for_audience: Vec<&SandboxTarget> =
        roles.iter().copied().filter(|target| target.audiences.iter().any(|known| known == audience)).collect();
    if for_audience.is_empty() {
        return Err(denied(wrong_audience(audience, &first.audiences)));
    }
    let mut job = TrustedJob::new(claims.clone(), world.now());
    job.context = request.clone();
    match decide(&for_audience, &job) {
        Decision::Admitted => Ok(()),
        Decision::NoTrust => Err(denied(lines_to_add(&for_audience, world.job.system, claims))),
        Decision::Refused { nearest, mismatches } => Err(denied(differences(nearest, &mismatches))),
        Decision::ByDocument(verdict) => Err(denied(failed_conditions(&verdict))),
    }
}
