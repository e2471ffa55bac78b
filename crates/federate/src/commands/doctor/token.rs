//! The ID token: can it be had, is it for the right audience, is it its time?

use std::sync::Arc;

use federate_core::{Audiences, BoundIdentity, Error, IdToken, codes};
use futures_util::future::join_all;

use super::check::{Check, seconds};
use super::examination::Examination;

/// One token that the selected targets need.
pub(super) struct Vouched {
    pub(super) identity: BoundIdentity,
    pub(super) audiences: Audiences,
    pub(super) targets: Vec<String>,
    pub(super) token: Option<Arc<IdToken>>,
    pub(super) checks: Vec<Check>,
}

impl Vouched {
    /// The target, if it is for one alone.
    pub(super) fn only(&self) -> Option<&str> {
        match self.targets.as_slice() {
            [only] => Some(only),
            _ => None,
        }
    }

    /// Would the token be handed to a cloud?
    pub(super) fn is_usable(&self) -> bool {
        self.token.is_some() && !self.checks.iter().any(Check::is_failed)
    }
}

/// Every token that is needed, asked for side by side.
pub(super) async fn all(examination: &Examination<'_>) -> Vec<Vouched> {
    let mut needed: Vec<Vouched> = Vec::new();
    for subject in &examination.subjects {
        let (Some(identity), Some(audiences)) = (&subject.identity, &subject.audiences) else { continue };
        let targets = vec![subject.name.clone()];
        match needed.iter_mut().find(|one| one.identity.name == identity.name && one.audiences == *audiences) {
            Some(known) => known.targets.extend(targets),
            None => needed.push(Vouched {
                identity: identity.clone(),
                audiences: audiences.clone(),
                targets,
                token: None,
                checks: Vec::new(),
            }),
        }
    }
    let asked = needed.into_iter().map(|mut vouched| async move {
        obtain(examination, &mut vouched).await;
        let only = vouched.only().map(str::to_owned);
        vouched.checks = vouched.checks.into_iter().map(|check| check.of_some(only.as_deref())).collect();
        vouched
    });
    join_all(asked).await
}

async fn obtain(examination: &Examination<'_>, vouched: &mut Vouched) {
    let context = examination.session.context();
    let (identity, audiences) = (vouched.identity.clone(), vouched.audiences.clone());
    let mut without = |check: Check| {
        let why = "there is no token to look at";
        vouched.checks = vec![check, Check::skip(super::AUDIENCE, why), Check::skip(super::TIMES, why)];
    };
    let refusal = |error: Error| examination.profile.locate(error.in_section(&format!("identities.{}", identity.name)));
    if let Some(claims) = &examination.claims {
        let why = "the claims that were given stand for the token";
        let found = claims.audiences();
        let audience = if audiences.fits(&found) {
            Check::ok(super::AUDIENCE, format!("the claims are for {}", found.join(", ")))
        } else {
            Check::warn(
                super::AUDIENCE,
                format!("the claims are for {}, and a job asks for {audiences}", found.join(", ")),
            )
            .with_detail("the trust is judged as if they were for that")
            .with_fix("see that the job asks for a token with this audience")
        };
        vouched.checks = vec![Check::skip(super::TOKEN, why), audience, Check::skip(super::TIMES, why)];
        return;
    }
    if identity.permitted(context).is_err() {
        return without(Check::skip(super::TOKEN, format!("policy does not allow the issuer of {}", identity.name)));
    }
    let is_asked_for = match identity.provider.plan(context, &audiences) {
        Ok(requests) => !requests.is_empty(),
        Err(error) if error.code() == &codes::TOKEN_AUDIENCE => {
            let token = Check::ok(super::TOKEN, "this job has ID tokens, but for other audiences");
            let audience = Check::failed(super::AUDIENCE, &refusal(error));
            vouched.checks = vec![token, audience, Check::skip(super::TIMES, "there is no token to look at")];
            return;
        }
        Err(error) => return without(Check::failed(super::TOKEN, &refusal(error))),
    };
    if let Some(why) = examination.offline.as_ref().filter(|_| is_asked_for) {
        return without(Check::skip(super::TOKEN, format!("{} has to be asked for it; {why}", identity.name)));
    }
    let token = match examination.session.unchecked_token(&identity, &audiences).await {
        Ok(token) => token,
        Err(error) => return without(Check::failed(super::TOKEN, &examination.profile.locate(error))),
    };
    let claim = |name: &str| token.claims().text(name).unwrap_or_else(|| "(none)".to_owned());
    let mut checks = vec![
        Check::ok(super::TOKEN, format!("an ID token for {}, from {}", vouched.targets.join(", "), token.source()))
            .with_detail(format!("issuer: {}", claim("iss")))
            .with_detail(format!("subject: {}", claim("sub"))),
    ];
    checks.push(match token.check_audience(&audiences) {
        Ok(()) => Check::ok(super::AUDIENCE, format!("the token is for {}", token.claims().audiences().join(", "))),
        Err(error) => Check::failed(super::AUDIENCE, &error),
    });
    let now = context.host.now();
    checks.push(match token.check_times(now) {
        Err(error) => Check::failed(super::TIMES, &error),
        Ok(warnings) if warnings.is_empty() => {
            let left = token.claims().seconds("exp").map(|end| end - federate_core::context::unix_seconds(now));
            Check::ok(super::TIMES, format!("the token is valid for another {}", seconds(left.unwrap_or_default())))
        }
        Ok(warnings) => {
            Check::warn(super::TIMES, warnings.join("; ")).with_fix("set the clocks by NTP; see the check `clock`")
        }
    });
    vouched.checks = checks;
    vouched.token = Some(token);
}
