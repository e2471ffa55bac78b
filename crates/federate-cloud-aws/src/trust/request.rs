//! What STS knows of a request when it looks at the trust policy: condition keys and their values.

use std::collections::BTreeMap;
use std::time::UNIX_EPOCH;

use federate_core::Claims;
use federate_trust::Job;
use serde_json::Value as Json;

use super::operator::Operand;
use super::policy::{EXCHANGE, TAG_SESSION};
use crate::visible;

/// The claim in which a token carries session tags, which have to be allowed besides.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/id_session-tags.html>
const TAGS: &str = "https://aws.amazon.com/tags";
/// The claim in which a token carries a source identity, and what it needs.
const SOURCE_IDENTITY: &str = "https://aws.amazon.com/source_identity";
const SET_SOURCE_IDENTITY: &str = "sts:SetSourceIdentity";

/// A request, its keys in lower case.
#[derive(Debug)]
pub(crate) struct Request {
    /// The issuer, without `https://`.
    pub(crate) provider: String,
    /// All of these have to be allowed.
    pub(crate) actions: Vec<String>,
    keys: BTreeMap<String, Vec<String>>,
}

impl Request {
    /// What this job's token and the rest of its request make known.
    pub(crate) fn new(job: &Job) -> Self {
        let issuer = job.claims.issuer().unwrap_or_default();
        let provider = issuer.strip_prefix("https://").unwrap_or(issuer).to_owned();
        let mut keys = BTreeMap::new();
        // What every request to STS carries.
        let seconds = job.now.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        keys.insert("aws:epochtime".to_owned(), vec![seconds.to_string()]);
        keys.insert("aws:currenttime".to_owned(), vec![humantime::format_rfc3339_seconds(job.now).to_string()]);
        keys.insert("aws:securetransport".to_owned(), vec!["true".to_owned()]);
        for name in visible::names(&provider) {
            if let Some(values) = values_of(&job.claims, name) {
                keys.insert(format!("{provider}:{name}").to_ascii_lowercase(), values);
            }
        }
        let mut actions = vec![EXCHANGE.to_owned()];
        if let Some(tags) = job.claims.get(TAGS).and_then(|tags| tags.get("principal_tags")?.as_object()) {
            for (name, value) in tags {
                keys.extend(list(value).map(|values| (format!("aws:requesttag/{}", name.to_lowercase()), values)));
            }
            keys.insert("aws:tagkeys".to_owned(), tags.keys().cloned().collect());
            actions.push(TAG_SESSION.to_owned());
        }
        let transitive = job.claims.get(TAGS).and_then(|tags| list(tags.get("transitive_tag_keys")?));
        keys.extend(transitive.map(|names| ("sts:transitivetagkeys".to_owned(), names)));
        if let Some(identity) = job.claims.text(SOURCE_IDENTITY) {
            keys.insert("sts:sourceidentity".to_owned(), vec![identity]);
            actions.push(SET_SOURCE_IDENTITY.to_owned());
        }
        for (key, values) in &job.context {
            keys.insert(key.to_ascii_lowercase(), values.clone());
        }
        let actions = if job.actions.is_empty() { actions } else { job.actions.clone() };
        Self { provider, actions, keys }
    }

    /// The values under a key, whatever its case.
    pub(crate) fn values(&self, key: &str) -> Option<&[String]> {
        self.keys.get(&key.to_ascii_lowercase()).map(Vec::as_slice)
    }

    /// A value of the policy with its variables resolved (`${aws:username}`, `${key, 'default'}`, `${*}`).
    pub(crate) fn operand(&self, value: &str, has_variables: bool) -> Operand {
        let mut operand = Operand::default();
        let mut rest = value;
        while let Some((before, after)) = rest.split_once("${").filter(|_| has_variables) {
            let Some((name, behind)) = after.split_once('}') else { break };
            operand.push_pattern(before);
            let (name, default) = name
                .split_once(',')
                .map_or((name, None), |(name, default)| (name, Some(default.trim().trim_matches('\'').to_owned())));
            let resolved = match name.trim() {
                special @ ("*" | "?" | "$") => Some(special.to_owned()),
                key => match self.values(key) {
                    Some([one]) => Some(one.clone()),
                    _ => default,
                },
            };
            match resolved {
                Some(text) => operand.push_literal(&text),
                None => operand.unresolved = true,
            }
            rest = behind;
        }
        operand.push_pattern(rest);
        operand
    }
}

/// A claim as STS makes a key of it: `aud` is `azp` where that is there, and `oaud` then the token's own audience.
fn values_of(claims: &Claims, name: &str) -> Option<Vec<String>> {
    let authorized = claims.text("azp").filter(|party| !party.is_empty());
    match name {
        "aud" => authorized.map(|party| vec![party]).or_else(|| list(claims.get("aud")?)),
        "oaud" => authorized.and_then(|_| list(claims.get("aud")?)),
        _ => list(claims.get(name).or_else(|| nested(claims, name))?),
    }
}

/// Google's tokens keep `google/organization_number` as an object inside an object.
fn nested<'a>(claims: &'a Claims, name: &str) -> Option<&'a Json> {
    let (outer, inner) = name.split_once('/')?;
    claims.get(outer)?.get(inner)
}

fn list(value: &Json) -> Option<Vec<String>> {
    match value {
        Json::String(text) => Some(vec![text.clone()]),
        Json::Number(number) => Some(vec![number.to_string()]),
        Json::Bool(flag) => Some(vec![flag.to_string()]),
        Json::Array(entries) => {
            let texts: Vec<String> = entries.iter().filter_map(list).flatten().collect();
            (!texts.is_empty()).then_some(texts)
        }
        Json::Null | Json::Object(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn session_tags_in_the_token_are_part_of_the_request() {
        let claims = json!({
            "iss": "https://i.test",
            "https://aws.amazon.com/tags": {"principal_tags": {"Team": ["blue"]}, "transitive_tag_keys": ["Team"]},
            "https://aws.amazon.com/source_identity": "mira",
        });
        let request = Request::new(&Job::new(Claims::new(claims.as_object().unwrap().clone()), UNIX_EPOCH));
        assert_eq!(request.actions, [EXCHANGE, TAG_SESSION, SET_SOURCE_IDENTITY]);
        for (key, expected) in [
            ("aws:RequestTag/team", "blue"),
            ("aws:TagKeys", "Team"),
            ("sts:TransitiveTagKeys", "Team"),
            ("sts:SourceIdentity", "mira"),
        ] {
            assert_eq!(request.values(key), Some(&[expected.to_owned()][..]), "{key}");
        }
    }

    #[test]
    fn variables_are_resolved_or_match_nothing() {
        let claims = json!({"iss": "https://i.test", "sub": "job*1"});
        let mut job = Job::new(Claims::new(claims.as_object().unwrap().clone()), UNIX_EPOCH);
        job.context.insert("aws:RequestTag/team".to_owned(), vec!["blue".to_owned()]);
        let request = Request::new(&job);
        let operand = request.operand("x-${i.test:sub}-*", true);
        assert!(operand.pattern.matches("x-job*1-y") && !operand.pattern.matches("x-jobz1-y"));
        assert_eq!(request.operand("${AWS:RequestTag/Team}", true).text, "blue");
        assert_eq!(request.operand("${none, 'd'}${*}", true).text, "d*");
        assert!(request.operand("${none}", true).unresolved);
        assert_eq!(request.operand("${none}", false).text, "${none}");
    }
}
