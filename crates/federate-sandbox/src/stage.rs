//! The roles and applications that exist in the sandbox's clouds: those that the profiles' targets name.

use std::sync::Arc;

use federate_core::template::{could_be, is_literal};
use federate_core::{Audiences, ClaimPattern};
use federate_trust::TrustDocument;
use serde_json::Value as Json;

/// A target of a profile: the cloud's side of it is what the sandbox plays.
#[derive(Clone, Debug)]
pub struct SandboxTarget {
    /// The profile, for people.
    pub profile: String,
    /// The target's name.
    pub name: String,
    /// The adapter's name, `aws` or `azure`; targets of other kinds are not played.
    pub kind: String,
    /// Its settings as written; placeholders may stand unresolved, and then match whatever could stand for them.
    pub settings: Json,
    /// The audiences that its cloud accepts.
    pub audiences: Audiences,
    /// Who is meant to get in; nobody is if it is empty.
    pub allow: Vec<ClaimPattern>,
    /// The cloud's own trust configuration; where there is one, it decides and the list does not.
    pub trust: Option<Arc<dyn TrustDocument>>,
}

impl SandboxTarget {
    /// A setting that is a text.
    pub(crate) fn text(&self, key: &str) -> Option<&str> {
        self.settings.get(key)?.as_str()
    }

    /// Is this the role that the target assumes with the ID token?
    pub(crate) fn is_role(&self, arn: &str) -> bool {
        self.kind == "aws" && self.text("role_arn").is_some_and(|role| could_be(role, arn))
    }

    /// Is the target's role in this account?
    pub(crate) fn in_account(&self, account: &str) -> bool {
        let own = self.text("role_arn").and_then(|role| segments(role).into_iter().nth(4));
        self.kind == "aws" && own.is_some_and(|own| could_be(&own, account))
    }

    /// The hops of its chain, in order.
    pub(crate) fn hops(&self) -> impl Iterator<Item = &Json> {
        self.settings.get("chain").and_then(Json::as_array).into_iter().flatten()
    }

    /// The hop that leads from one role to the next, if the chain has it.
    pub(crate) fn hop(&self, from: &str, to: &str) -> Option<&Json> {
        if self.kind != "aws" {
            return None;
        }
        let role = |hop: &'_ Json| hop.get("role_arn").and_then(Json::as_str).map(str::to_owned);
        let mut previous = self.text("role_arn").map(str::to_owned);
        for hop in self.hops() {
            let next = role(hop);
            let fits =
                |template: &Option<String>, arn: &str| template.as_deref().is_some_and(|text| could_be(text, arn));
            if fits(&previous, from) && fits(&next, to) {
                return Some(hop);
            }
            previous = next;
        }
        None
    }

    /// Is this one of the target's tenant? Upper and lower case are alike, as they are to Entra.
    pub(crate) fn in_tenant(&self, tenant: &str) -> bool {
        self.kind == "azure" && self.text("tenant_id").is_some_and(|own| could_be_id(own, tenant))
    }

    /// Is this the target's application?
    pub(crate) fn is_application(&self, tenant: &str, client: &str) -> bool {
        self.in_tenant(tenant) && self.text("client_id").is_some_and(|own| could_be_id(own, client))
    }

    /// Its subscription, if it is known without a job.
    pub(crate) fn subscription(&self) -> Option<&str> {
        self.text("subscription_id").filter(|text| is_literal(text))
    }
}

fn could_be_id(template: &str, id: &str) -> bool {
    if is_literal(template) { template.eq_ignore_ascii_case(id) } else { could_be(template, id) }
}

/// A role's ARN (`arn:PARTITION:iam::ACCOUNT:role/PATH/NAME`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RoleArn {
    pub(crate) partition: String,
    pub(crate) account: String,
    /// Without its path, as it stands in `assumed-role/NAME/SESSION`.
    pub(crate) name: String,
}

impl RoleArn {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let parts: Vec<&str> = text.split(':').collect();
        let ["arn", partition, "iam", "", account, resource] = parts[..] else { return None };
        let name = resource.strip_prefix("role/")?.rsplit('/').next()?;
        let sound = account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit()) && !name.is_empty();
        sound.then(|| Self { partition: partition.to_owned(), account: account.to_owned(), name: name.to_owned() })
    }
}

/// An ARN's parts; the colons inside placeholders (`{env:X}`) do not part it.
fn segments(template: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut depth = 0_usize;
    for c in template.chars() {
        match c {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        match parts.last_mut() {
            Some(last) if c != ':' || depth > 0 => last.push(c),
            _ => parts.push(String::new()),
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{aws_target, azure_target};
    use serde_json::json;

    #[test]
    fn roles_are_recognised_by_their_templates() {
        let mut target = aws_target("aws");
        assert!(
            target.is_role("arn:aws:iam::111122223333:role/deploy")
                && !target.is_role("arn:aws:iam::111122223333:role/other")
        );
        target.settings["role_arn"] = json!("arn:aws:iam::{env:ACCOUNT}:role/{claim:project_id}");
        assert!(target.is_role("arn:aws:iam::999900001111:role/4711"));
        assert!(target.in_account("999900001111"));
        target.settings["role_arn"] = json!("arn:aws:iam::111122223333:role/{env:ROLE}");
        assert!(target.in_account("111122223333") && !target.in_account("999900001111"));
        assert!(!azure_target("azure").is_role("arn:aws:iam::111122223333:role/deploy"));
    }

    #[test]
    fn a_chain_leads_one_way() {
        let mut target = aws_target("aws");
        let role = |name: &str| format!("arn:aws:iam::111122223333:role/{name}");
        target.settings["chain"] = json!([{"role_arn": role("b")}, {"role_arn": role("c"), "external_id": "x"}]);
        assert!(target.hop(&role("deploy"), &role("b")).is_some());
        assert_eq!(target.hop(&role("b"), &role("c")).unwrap()["external_id"], "x");
        assert!(target.hop(&role("deploy"), &role("c")).is_none(), "a hop cannot be left out");
        assert!(target.hop(&role("c"), &role("b")).is_none());
    }

    #[test]
    fn tenants_and_applications() {
        let target = azure_target("azure");
        let (tenant, client) = (target.text("tenant_id").unwrap(), target.text("client_id").unwrap());
        assert!(target.is_application(&tenant.to_uppercase(), &client.to_uppercase()));
        assert!(!target.is_application(tenant, tenant) && !target.in_tenant("common"));
        let mut open = target.clone();
        open.settings["subscription_id"] = json!("{env:SUBSCRIPTION}");
        assert!(target.subscription().is_some() && open.subscription().is_none());
    }

    #[test]
    fn role_arns_are_read_strictly() {
        let role = RoleArn::parse("arn:aws-cn:iam::111122223333:role/team/deploy").unwrap();
        assert_eq!(
            (role.partition.as_str(), role.account.as_str(), role.name.as_str()),
            ("aws-cn", "111122223333", "deploy")
        );
        for bad in [
            "",
            "deploy",
            "arn:aws:iam::1:role/x",
            "arn:aws:iam::111122223333:user/x",
            "arn:aws:iam::111122223333:role/",
            "arn:aws:sts::111122223333:role/x",
        ] {
            assert_eq!(RoleArn::parse(bad), None, "{bad}");
        }
        assert_eq!(segments("a:{env:B}:c"), ["a", "{env:B}", "c"]);
    }
}
