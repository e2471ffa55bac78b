//! Roles in words, for people and diagrams.

use federate_core::PrincipalLabel;
use federate_core::template::is_literal;

/// The role of this ARN.
pub(crate) fn role(arn: &str) -> PrincipalLabel {
    let parts = parts(arn);
    let part = |index: usize| parts.get(index).copied().unwrap_or_default();
    let partition = match part(1) {
        "aws" | "" => String::new(),
        other => format!(" ({other})"),
    };
    let place = match part(4) {
        "" => "AWS".to_owned(),
        account => format!("AWS account {account}{partition}"),
    };
    let resource = parts.get(5..).unwrap_or_default().join(":");
    let name =
        resource.strip_prefix("role/").filter(|name| !name.is_empty()).map_or_else(|| arn.to_owned(), str::to_owned);
    PrincipalLabel { place, noun: "role", name, id: arn.to_owned(), detail: None }
}

/// The account that a provider's or role's ARN is in, in the same words.
pub(crate) fn home(arn: &str) -> Option<String> {
    let is_account = |account: &&&str| account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit());
    parts(arn).get(4).filter(is_account).map(|_| role(arn).place)
}

/// The parts of an ARN; a placeholder (`{env:ACCOUNT}`) is never cut.
fn parts(arn: &str) -> Vec<&str> {
    if is_literal(arn) {
        return arn.splitn(6, ':').collect();
    }
    let (mut parts, mut start, mut depth) = (Vec::new(), 0, 0_usize);
    for (at, character) in arn.char_indices() {
        match character {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            ':' if depth == 0 && parts.len() < 5 => {
                parts.push(&arn[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&arn[start..]);
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_are_named_and_placed() {
        for (arn, place, name) in [
            ("arn:aws:iam::111122223333:role/ci/deploy", "AWS account 111122223333", "ci/deploy"),
            ("arn:aws-cn:iam::111122223333:role/deploy", "AWS account 111122223333 (aws-cn)", "deploy"),
            ("arn:aws:iam::{env:ACCOUNT}:role/{profile}", "AWS account {env:ACCOUNT}", "{profile}"),
            ("{env:ROLE}", "AWS", "{env:ROLE}"),
        ] {
            let label = role(arn);
            assert_eq!((label.place.as_str(), label.name.as_str()), (place, name), "{arn}");
        }
        assert_eq!(home("arn:aws:iam::<AWS::AccountId>:oidc-provider/gitlab.com"), None);
        assert_eq!(
            home("arn:aws:iam::111122223333:oidc-provider/gitlab.com").as_deref(),
            Some("AWS account 111122223333")
        );
    }
}
