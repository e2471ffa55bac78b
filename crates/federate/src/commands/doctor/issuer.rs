//! The issuer: who it says that it is, its keys, and whether they fit the token.

use std::net::IpAddr;
use std::sync::Arc;

use federate_core::policy::is_loopback;
use federate_core::{Error, IdToken, Issuer, codes};
use futures_util::future::join_all;

use super::check::{Check, Status};
use super::clock::{Sample, sample};
use super::examination::Examination;
use super::token::Vouched;
use crate::commands::issuer;

/// The tokens of one issuer.
struct Asked {
    issuer: Issuer,
    tokens: Vec<(Option<String>, Arc<IdToken>)>,
    targets: Vec<String>,
}

/// What was seen of one issuer.
pub(super) struct Seen {
    pub(super) checks: Vec<Check>,
    pub(super) samples: Vec<Sample>,
    /// The targets that depend on it.
    targets: Vec<String>,
    /// It could not be reached from here, which says nothing of the clouds.
    is_unreachable: bool,
}

impl Seen {
    /// A cloud that let a token of this issuer in has the keys, wherever they can be reached from.
    pub(super) fn settle(&mut self, let_in: &[String]) {
        if !self.is_unreachable || !self.targets.iter().any(|target| let_in.contains(target)) {
            return;
        }
        for check in self.checks.iter_mut().filter(|check| check.is_failed()) {
            check.status = Status::Warn;
            check.detail.push("a cloud accepted the token all the same, so it has the keys".to_owned());
        }
    }
}

/// Every issuer, asked side by side.
pub(super) async fn all(examination: &Examination<'_>, vouched: &[Vouched]) -> Vec<Seen> {
    let mut asked: Vec<Asked> = Vec::new();
    let mut add = |issuer: Issuer, token: Option<(Option<String>, Arc<IdToken>)>, targets: &[String]| {
        let index = asked.iter().position(|known| known.issuer == issuer).unwrap_or_else(|| {
            asked.push(Asked { issuer, tokens: Vec::new(), targets: Vec::new() });
            asked.len() - 1
        });
        asked[index].tokens.extend(token);
        asked[index].targets.extend(targets.iter().cloned());
    };
    for one in vouched {
        let Ok(expected) = one.identity.permitted(examination.session.context()) else { continue };
        match &one.token {
            Some(token) => {
                let issuer = issuer::followed(&expected, token.claims());
                add(issuer, Some((one.only().map(str::to_owned), token.clone())), &one.targets);
            }
            None if examination.claims.is_none() => add(expected, None, &one.targets),
            None => {}
        }
    }
    if let Some(issuer) = examination.claims.as_ref().and_then(|claims| Issuer::parse(claims.issuer()?).ok()) {
        let targets: Vec<String> = examination.subjects.iter().map(|subject| subject.name.clone()).collect();
        add(issuer, None, &targets);
    }
    if asked.is_empty() {
        let why = "nobody is known to vouch for this job";
        let checks =
            vec![Check::skip(super::ISSUER, why), Check::skip(super::KEYS, why), Check::skip(super::SIGNATURE, why)];
        return vec![Seen { checks, samples: Vec::new(), targets: Vec::new(), is_unreachable: false }];
    }
    join_all(asked.into_iter().map(|asked| look(examination, asked))).await
}

async fn look(examination: &Examination<'_>, asked: Asked) -> Seen {
    let mut seen =
        Seen { checks: Vec::new(), samples: Vec::new(), targets: asked.targets.clone(), is_unreachable: false };
    if let Some(why) = &examination.offline {
        for id in [super::ISSUER, super::KEYS, super::SIGNATURE] {
            seen.checks.push(Check::skip(id, why));
        }
        return seen;
    }
    let keys = match discovery(examination, &asked.issuer, &mut seen).await {
        Some(url) => {
            let context = examination.session.context().begin_exchange();
            match issuer::keys(&context, &url).await {
                Ok(keys) => {
                    seen.checks.push(Check::ok(super::KEYS, format!("the keys are at {url}")));
                    Some(keys)
                }
                Err(error) => {
                    seen.is_unreachable |= is_unreachable(&error);
                    seen.checks.push(for_clouds(Check::failed(super::KEYS, &error)));
                    None
                }
            }
        }
        None => {
            seen.checks.push(Check::skip(super::KEYS, "the discovery document does not say where they are"));
            None
        }
    };
    let Some(keys) = keys else {
        seen.checks.push(Check::skip(super::SIGNATURE, "there are no keys to verify it with"));
        return seen;
    };
    if asked.tokens.is_empty() {
        seen.checks.push(Check::skip(super::SIGNATURE, "there is no token to verify"));
    }
    for (target, token) in &asked.tokens {
        let check = match keys.verify(token) {
            Ok(_) => Check::ok(super::SIGNATURE, format!("{} signed the token ({})", asked.issuer, token.algorithm())),
            Err(error) => Check::failed(super::SIGNATURE, &error),
        };
        seen.checks.push(check.of_some(target.as_deref()));
    }
    seen
}

/// Looks at the discovery document; gives the address of the keys.
async fn discovery(examination: &Examination<'_>, issuer: &Issuer, seen: &mut Seen) -> Option<url::Url> {
    let context = examination.session.context().begin_exchange();
    let answer = match issuer::ask(&context, issuer).await {
        Ok(answer) => answer,
        Err(error) => {
            seen.is_unreachable = is_unreachable(&error);
            seen.checks.push(for_clouds(Check::failed(super::ISSUER, &error)));
            return None;
        }
    };
    let host = issuer.url().and_then(|url| url.host_str().map(str::to_owned)).unwrap_or_default();
    seen.samples.extend(sample(&host, &answer, context.host.now()));
    let document = match issuer::read(issuer, &answer) {
        Ok(document) => document,
        Err(error) => {
            seen.checks.push(for_clouds(Check::failed(super::ISSUER, &error)));
            return None;
        }
    };
    let check = match document.issuer.as_deref() {
        Some(own) if own == issuer.as_str() => match private_address(examination, issuer).await {
            Some(address) => for_clouds(Check::warn(
                super::ISSUER,
                format!("{issuer} publishes its discovery document, but at the private address {address}"),
            )),
            None => Check::ok(super::ISSUER, format!("{issuer} publishes its discovery document")),
        },
        own => Check::fail(super::ISSUER, format!("the discovery document of {issuer} names another issuer"))
            .with_detail(format!("it says {}; expected is {issuer}, to the letter", own.unwrap_or("nothing")))
            .with_fix("clouds refuse tokens of such an issuer: configure the CI system's own external URL, with https, no trailing slash, and the name that jobs use"),
    };
    seen.checks.push(check);
    Some(document.keys)
}

fn is_unreachable(error: &Error) -> bool {
    [&codes::NETWORK_UNREACHABLE, &codes::NETWORK_TIMEOUT, &codes::NETWORK_TLS].contains(&error.code())
}

/// What it means that the documents are out of reach.
fn for_clouds(check: Check) -> Check {
    check
        .with_detail("the clouds fetch this document and the keys themselves, over the public internet and within seconds")
        .with_fix("if the issuer stands behind a firewall, let /.well-known/openid-configuration and the path of the keys be reached from outside, with a certificate of a public authority; else every exchange fails, whatever the trust says")
}

/// The issuer's address, where its name leads to private ones alone.
async fn private_address(examination: &Examination<'_>, issuer: &Issuer) -> Option<IpAddr> {
    let url = issuer.url()?;
    if url.host().as_ref().is_some_and(is_loopback) || examination.way(&url).via.is_some() {
        return None;
    }
    let host = url.host_str()?.trim_matches(['[', ']']).to_owned();
    let found = tokio::time::timeout(
        examination.session.context().exchange_timeout,
        tokio::net::lookup_host((host, url.port_or_known_default().unwrap_or(443))),
    );
    let addresses: Vec<IpAddr> = found.await.ok()?.ok()?.map(|address| address.ip()).collect();
    addresses.iter().all(is_private).then(|| addresses.first().copied()).flatten()
}

fn is_private(address: &IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_private() || address.is_loopback() || address.is_link_local(),
        IpAddr::V6(address) => address.is_unique_local() || address.is_loopback() || address.is_unicast_link_local(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn private_addresses_are_told_from_public_ones() {
        for (text, private) in
            [("10.1.2.3", true), ("192.168.0.1", true), ("fd00::1", true), ("1.1.1.1", false), ("2606:4700::1", false)]
        {
            assert_eq!(is_private(&text.parse().unwrap()), private, "{text}");
        }
    }

    #[test]
    fn an_exchange_shows_that_the_clouds_have_the_keys() {
        let seen = |is_unreachable| Seen {
            checks: vec![Check::fail(super::super::ISSUER, "no answer")],
            samples: Vec::new(),
            targets: vec!["aws".to_owned()],
            is_unreachable,
        };
        let settled = |mut seen: Seen, let_in: &[String]| {
            seen.settle(let_in);
            seen.checks[0].status
        };
        assert_eq!(settled(seen(true), &["aws".to_owned()]), Status::Warn);
        assert_eq!(settled(seen(true), &["azure".to_owned()]), Status::Fail);
        assert_eq!(settled(seen(false), &["aws".to_owned()]), Status::Fail);
    }
}
