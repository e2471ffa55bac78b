//! Why a condition does not hold, and the smallest change that would let the token in.

use federate_core::Claims;
use federate_trust::{Job, Verdict};

use super::evaluate::{is_unknown, stage};
use super::keys;
use super::principal::{LONGEST_SUBJECT, Principal};
use super::provider::Provider;

#[cfg(feature = "cel")]
mod condition;
#[cfg(feature = "cel")]
pub(super) use condition::check;

/// The way in, past every stage that fails, and why one might not want it.
pub(super) fn add_fix(verdict: &mut Verdict, fails: &[&str], provider: &Provider, principal: &Principal, job: &Job) {
    if job.claims.issuer().is_none() {
        verdict.fix = Some(
            "the claims have no `iss`, and no provider is for that: give the whole payload of the token".to_owned(),
        );
        return;
    }
    let changes: Vec<String> = fails.iter().map(|stage| change(stage, provider, principal, &job.claims)).collect();
    verdict.fix = Some(changes.join("; "));
    verdict.warning = fails.iter().find_map(|stage| warning(stage, provider, &job.claims));
}

fn change(ends_at: &str, provider: &Provider, principal: &Principal, token: &Claims) -> String {
    if is_unknown(provider, ends_at) {
        return format!("apply the plan first: what decides at the {ends_at} is not known yet");
    }
    match ends_at {
        stage::STATE => "enable the provider again, or use another one".to_owned(),
        stage::ISSUER => match token.issuer() {
            Some(issuer) => format!("let issuerUri be `{issuer}`, or add a provider for it"),
            None => "give the claims of an ID token".to_owned(),
        },
        stage::AUDIENCE => {
            let own = || format!("https:{}", provider.own_audience());
            let wanted = provider.audiences.first().cloned().unwrap_or_else(own);
            format!("let the job ask for a token with the audience `{wanted}`")
        }
        stage::MAPPING => match principal.subject() {
            Some(subject) if subject.len() > LONGEST_SUBJECT => {
                let shorter = keys::keys(token).into_iter().find(|(key, _)| key.ends_with("google.subject"));
                format!(
                    "map google.subject to something shorter: {}",
                    shorter.map_or_else(String::new, |(_, path)| path)
                )
            }
            Some(_) if principal.misfit().is_some() => {
                let (key, is_scalar) = principal.misfit().unwrap_or_default();
                let text = provider.mapping.get(key).map_or("", |expression| expression.text.trim());
                let made = if is_scalar { format!("as `string({text})`") } else { "to one text".to_owned() };
                format!("map {key} {made}, or not at all")
            }
            _ if provider.mapping.contains_key("google.subject") => {
                "map google.subject to a claim that this token has".to_owned()
            }
            _ => "map google.subject: assertion.sub".to_owned(),
        },
        stage::CONDITION => {
            let new = keys::condition(token);
            match &provider.condition {
                #[cfg(feature = "cel")]
                Some(_) if provider.unread_condition().is_some() => format!("let the attribute condition be `{new}`"),
                Some(condition) => {
                    format!("let the attribute condition be `({}) || ({new})`", condition.text.trim())
                }
                None => format!("let the attribute condition be `{new}`"),
            }
        }
        _ => {
            let member = member(provider, principal).unwrap_or_else(|| "the token's subject".to_owned());
            format!("give roles/iam.workloadIdentityUser to {member}")
        }
    }
}

fn warning(ends_at: &str, provider: &Provider, token: &Claims) -> Option<String> {
    match ends_at {
        _ if is_unknown(provider, ends_at) => None,
        stage::ISSUER => {
            let bare = |issuer: &str| issuer.trim().trim_end_matches('/').to_ascii_lowercase();
            let near = token.issuer().is_some_and(|issuer| bare(issuer) == bare(&provider.issuer));
            (!near).then(|| "that lets in a whole new issuer's jobs; make sure that it is yours".to_owned())
        }
        stage::CONDITION | stage::BINDING => stranger(ends_at, provider, token).or_else(|| {
            let is_open = token.subject().is_some_and(|subject| subject.ends_with(":pull_request"));
            is_open.then(|| {
                "that lets in every pull request of the repository, before anyone has reviewed its code".to_owned()
            })
        }),
        _ => None,
    }
}

fn member(provider: &Provider, principal: &Principal) -> Option<String> {
    let pool = provider.own_audience();
    let pool = pool.split_once("/providers/")?.0;
    Some(format!("principal:{pool}/subject/{}", principal.subject()?))
}

/// Why the change would let somebody else in.
#[cfg(feature = "cel")]
fn stranger(ends_at: &str, provider: &Provider, token: &Claims) -> Option<String> {
    use super::lint::stranger;
    if ends_at == stage::CONDITION {
        stranger::at_condition(provider, token)
    } else {
        stranger::at_binding(provider, token)
    }
}

#[cfg(not(feature = "cel"))]
fn stranger(_ends_at: &str, _provider: &Provider, _token: &Claims) -> Option<String> {
    None
}
