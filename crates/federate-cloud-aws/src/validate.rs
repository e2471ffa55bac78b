//! Settings against STS's own limits, before anything is sent (STS API reference, AssumeRoleWithWebIdentity and AssumeRole).

use std::time::Duration;

use federate_core::template::is_literal;
use federate_core::{Error, HumanDuration, codes};
use url::Url;

use crate::partition;
use crate::settings::{ONE_HOUR, Settings};

const SHORTEST: Duration = Duration::from_secs(900);
const LONGEST: Duration = Duration::from_secs(43_200);

/// Every problem; texts in which placeholders still stand are looked at once these are filled.
pub(crate) fn problems(settings: &Settings) -> Vec<Error> {
    let mut check = Check(Vec::new());
    check.role("role_arn", &settings.role_arn, settings.region.as_deref());
    check.session_name("session_name", &settings.session_name);
    if let Some(region) = settings.region.as_deref().filter(|region| is_literal(region))
        && partition::of_region(region).is_none()
    {
        check.fail("region", format!("`{region}` is not an AWS region"), "write it like eu-west-1");
    }
    if let Some(url) = &settings.endpoint_url
        && Url::parse(url).ok().filter(|url| url.has_host()).is_none()
    {
        check.fail(
            "endpoint_url",
            format!("`{url}` is not a URL"),
            "write it like https://sts.eu-west-1.amazonaws.com",
        );
    }
    if settings.audience.as_deref() == Some("") {
        check.fail("audience", "`audience` is empty".to_owned(), "leave it out for the default");
    }
    check.policy(settings);
    for (index, account) in settings.allowed_account_ids.iter().flatten().enumerate() {
        if is_literal(account) && !is_account(account) {
            check.fail(
                &format!("allowed_account_ids.{index}"),
                format!("`{account}` is not an account id"),
                "account ids have 12 digits; keep them in quotes, for leading zeros count",
            );
        }
    }
    let in_chain = !settings.chain.is_empty();
    check.duration("duration", settings.duration, in_chain);
    for (index, hop) in settings.chain.iter().enumerate() {
        let key = |key: &str| format!("chain.{index}.{key}");
        check.role(&key("role_arn"), &hop.role_arn, settings.region.as_deref());
        if let Some(name) = &hop.session_name {
            check.session_name(&key("session_name"), name);
        }
        if let Some(duration) = hop.duration {
            check.duration(&key("duration"), duration, true);
        }
        if let Some(id) = hop.external_id.as_deref().filter(|id| is_literal(id))
            && (!(2..=1224).contains(&id.len())
                || !id.bytes().all(|byte| is_name_byte(byte) || byte == b':' || byte == b'/'))
        {
            check.fail(
                &key("external_id"),
                "the external id does not fit STS's rules".to_owned(),
                "2 to 1224 letters, digits and _+=,.@:/-",
            );
        }
        if let Some(name) = hop.source_identity.as_deref().filter(|name| is_literal(name))
            && !is_session_name(name)
        {
            check.fail(
                &key("source_identity"),
                format!("`{name}` cannot be a source identity"),
                "2 to 64 letters, digits and _+=,.@-",
            );
        }
        if hop.tags.len() > 50 {
            check.fail(
                &key("tags"),
                format!("{} session tags are more than the 50 that STS takes", hop.tags.len()),
                "leave some out",
            );
        }
        for (name, value) in &hop.tags {
            if name.is_empty() || name.chars().count() > 128 || (is_literal(value) && value.chars().count() > 256) {
                check.fail(
                    &key("tags"),
                    format!("the session tag `{name}` does not fit STS's rules"),
                    "keys have 1 to 128 characters, values at most 256",
                );
            }
        }
        for name in hop.transitive_tags.iter().filter(|name| !hop.tags.contains_key(*name) && index == 0) {
            check.fail(
                &key("transitive_tags"),
                format!("`{name}` is to be transitive, but is no session tag of this hop"),
                "add it to `tags`",
            );
        }
    }
    check.0
}

struct Check(Vec<Error>);

impl Check {
    fn fail(&mut self, key: &str, what: String, help: &str) {
        self.0.push(Error::new(&codes::SETTING_INVALID, what).with_setting(key).with_help(help));
    }

    fn role(&mut self, key: &str, arn: &str, region: Option<&str>) {
        if !is_literal(arn) {
            return;
        }
        let parts: Vec<&str> = arn.splitn(6, ':').collect();
        let well_formed = matches!(parts.as_slice(), ["arn", _, "iam", "", account, resource] if is_account(account) && resource.strip_prefix("role/").is_some_and(|name| !name.is_empty()));
        if !well_formed || arn.len() > 2048 || arn.chars().any(char::is_whitespace) {
            self.fail(
                key,
                format!("`{arn}` is not the ARN of a role"),
                "write it like arn:aws:iam::111122223333:role/deploy",
            );
            return;
        }
        let Some(own) = partition::of_arn(arn) else {
            self.fail(
                key,
                format!("`{}` is not an AWS partition", parts[1]),
                "partitions are aws, aws-cn, aws-us-gov, aws-eusc, aws-iso, aws-iso-b, aws-iso-e, aws-iso-f",
            );
            return;
        };
        if let Some(region) = region.filter(|region| is_literal(region))
            && let Some(other) = partition::of_region(region).filter(|other| *other != own)
        {
            self.fail(
                key,
                format!("the role is in the partition {}, but the region {region} is in {}", own.id, other.id),
                "STS of one partition knows no roles of another; correct the ARN or the region",
            );
        }
    }

    fn session_name(&mut self, key: &str, name: &str) {
        if is_literal(name) && !is_session_name(name) {
            self.fail(
                key,
                format!("`{name}` cannot be the name of a role session"),
                "2 to 64 letters, digits and _+=,.@-; a name written out is never changed",
            );
        }
    }

    fn duration(&mut self, key: &str, duration: HumanDuration, in_chain: bool) {
        if duration.0 < SHORTEST || duration.0 > LONGEST {
            self.fail(
                key,
                format!("{duration} is not between 15m and 12h"),
                "STS issues credentials for 15m to 12h, and no longer than the role's MaxSessionDuration",
            );
        } else if in_chain && duration.0 > ONE_HOUR {
            self.fail(key, format!("{duration} is more than 1h, the most that role chaining allows"), "AWS limits every role of a chain to 1h, whatever its MaxSessionDuration; shorten it, or assume the last role directly");
        }
    }

    fn policy(&mut self, settings: &Settings) {
        if let Some(policy) = &settings.policy {
            match serde_json::from_str::<serde_json::Value>(policy) {
                Ok(serde_json::Value::Object(_)) if policy.chars().count() <= 2048 => {}
                Ok(serde_json::Value::Object(_)) => self.fail(
                    "policy",
                    "the session policy is longer than 2048 characters".to_owned(),
                    "put it into a managed policy and name that in `policy_arns`",
                ),
                Ok(_) => self.fail(
                    "policy",
                    "the session policy is JSON, but not an object".to_owned(),
                    "write a whole policy document",
                ),
                Err(error) => self.fail(
                    "policy",
                    format!("the session policy is not JSON: {error}"),
                    "write a whole policy document, in '''…'''",
                ),
            }
        }
        if settings.policy_arns.len() > 10 {
            self.fail(
                "policy_arns",
                format!("{} managed policies are more than the 10 that STS takes", settings.policy_arns.len()),
                "leave some out",
            );
        }
        for (index, arn) in settings.policy_arns.iter().enumerate().filter(|(_, arn)| is_literal(arn)) {
            if !arn.starts_with("arn:") || !arn.contains(":policy/") || arn.len() > 2048 {
                self.fail(
                    &format!("policy_arns.{index}"),
                    format!("`{arn}` is not the ARN of a managed policy"),
                    "write it like arn:aws:iam::aws:policy/ReadOnlyAccess",
                );
            }
        }
    }
}

fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"_+=,.@-".contains(&byte)
}

pub(crate) fn is_session_name(text: &str) -> bool {
    (2..=64).contains(&text.len()) && text.bytes().all(is_name_byte)
}

/// Brings a name built from placeholders to STS's alphabet and length.
pub(crate) fn sanitise(text: &str) -> String {
    let mut name: String =
        text.chars().map(|c| if u8::try_from(c).is_ok_and(is_name_byte) { c } else { '-' }).take(64).collect();
    while name.len() < 2 {
        name.push('-');
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn found(changes: serde_json::Value) -> Vec<String> {
        let mut settings = json!({"role_arn": "arn:aws:iam::111122223333:role/deploy", "region": "eu-west-1"});
        for (key, value) in changes.as_object().unwrap() {
            settings[key] = value.clone();
        }
        let settings: Settings = serde_json::from_value(settings).unwrap();
        problems(&settings).iter().map(|error| format!("{}: {}", error.setting().unwrap(), error.what())).collect()
    }

    #[test]
    fn good_settings_have_no_problems() {
        assert!(found(json!({})).is_empty());
        assert!(
            found(json!({"role_arn": "arn:aws:iam::{env:ACCOUNT}:role/x", "session_name": "a b {claim:ref}"}))
                .is_empty()
        );
        assert!(found(json!({"chain": [{"role_arn": "arn:aws:iam::444455556666:role/a/b", "tags": {"k": "v"}, "transitive_tags": ["k"]}]})).is_empty());
    }

    #[test]
    fn each_mistake_names_its_key() {
        for (changes, part) in [
            (json!({"role_arn": "arn:aws:iam::1:role/x"}), "role_arn: "),
            (json!({"role_arn": "arn:aws:iam::111122223333:user/x"}), "not the ARN of a role"),
            (
                json!({"role_arn": "arn:aws-cn:iam::111122223333:role/x"}),
                "partition aws-cn, but the region eu-west-1 is in aws",
            ),
            (json!({"role_arn": "arn:awz:iam::111122223333:role/x"}), "not an AWS partition"),
            (json!({"region": "europe"}), "region: "),
            (json!({"duration": "5m"}), "not between 15m and 12h"),
            (json!({"duration": "13h"}), "not between 15m and 12h"),
            (json!({"duration": "2h", "chain": [{"role_arn": "arn:aws:iam::444455556666:role/a"}]}), "role chaining"),
            (json!({"session_name": "a b"}), "session_name: "),
            (json!({"session_name": "x"}), "session_name: "),
            (json!({"policy": "{"}), "not JSON"),
            (json!({"policy": "[]"}), "not an object"),
            (json!({"policy_arns": ["x"]}), "policy_arns.0: "),
            (json!({"allowed_account_ids": ["123"]}), "allowed_account_ids.0: "),
            (json!({"chain": [{"role_arn": "x", "external_id": "a b"}]}), "chain.0.external_id: "),
            (json!({"endpoint_url": "nonsense"}), "endpoint_url: "),
        ] {
            let found = found(changes.clone());
            assert!(found.iter().any(|line| line.contains(part)), "{changes}: {found:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn a_sanitised_name_always_fits(text in ".{0,100}") {
            proptest::prop_assert!(is_session_name(&sanitise(&text)));
        }
        #[test]
        fn a_name_that_fits_is_left_alone(text in "[A-Za-z0-9_+=,.@-]{2,64}") {
            proptest::prop_assert_eq!(sanitise(&text), text);
        }
    }
}
