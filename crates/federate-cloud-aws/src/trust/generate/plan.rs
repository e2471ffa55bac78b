//! What has to be there in the account, whatever tool makes it.

use federate_core::template::is_literal;
use federate_core::{Error, codes};
use federate_trust::render::{Node, map};
use federate_trust::{TRUST_NOT_EXPRESSIBLE, Wanted, unfilled};
use serde_json::Value as Json;

use super::conditions::{Statement, Trusted, statements};
use crate::settings::Settings;

/// Everything.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(super) providers: Vec<Provider>,
    /// The role that jobs become, and after it those of the chain.
    pub(super) roles: Vec<Role>,
    pub(crate) notes: Vec<String>,
}

/// An OIDC identity provider of the account.
#[derive(Debug)]
pub(super) struct Provider {
    /// A word: `github`.
    pub(super) name: String,
    /// The issuer without `https://`.
    pub(super) issuer: String,
    pub(super) audiences: Vec<String>,
}

/// A role.
#[derive(Debug)]
pub(super) struct Role {
    /// Empty for the first, `chain-1` and so on for the others.
    pub(super) stem: String,
    pub(super) arn: String,
    pub(super) partition: String,
    pub(super) account: String,
    pub(super) path: String,
    pub(super) name: String,
    pub(super) description: String,
    /// Seconds.
    pub(super) max_session: u64,
    pub(super) trust: Vec<Statement>,
    /// What a session may do, as a policy document.
    pub(super) permissions: Node,
    /// Whether `permissions` stands for something that the profile does not know.
    pub(super) is_placeholder: bool,
    /// Managed policies to attach, by ARN.
    pub(super) managed: Vec<String>,
}

/// STS counts all but white space (IAM quotas, `ACLSizePerRole`); the second is what AWS raises it to at most.
const QUOTA: usize = 2048;
const LARGEST: usize = 8192;
/// The shortest `MaxSessionDuration` that a role can have.
const ONE_HOUR: u64 = 3600;

impl Plan {
    /// What the list and the target's settings ask for.
    pub(crate) fn new(wanted: &Wanted) -> Result<Self, Vec<Error>> {
        let settings: Settings = wanted.settings_as()?;
        let mut errors = unfilled(deciding(&settings), "ARN");
        let mut notes = Vec::new();
        let providers = providers(wanted, &mut errors);
        let trust = statements(&wanted.entries, &mut notes).unwrap_or_else(|found| {
            errors.extend(found);
            Vec::new()
        });
        let roles = roles(wanted, &settings, trust, &mut errors);
        notes.dedup();
        let mut plan = Self { providers, roles, notes };
        if errors.is_empty() {
            plan.measure(&mut errors);
        }
        if errors.is_empty() { Ok(plan) } else { Err(errors) }
    }

    /// The trust policy of the role that jobs become, ARNs written out.
    pub(crate) fn trust_policy(&self) -> Node {
        self.roles.first().map_or_else(|| map([]), Role::trust_policy)
    }

    fn measure(&mut self, errors: &mut Vec<Error>) {
        let size = self.trust_policy().value().to_string().chars().filter(|one| !one.is_whitespace()).count();
        if size > LARGEST {
            errors.push(
                Error::new(
                    &TRUST_NOT_EXPRESSIBLE,
                    format!("the trust policy has {size} characters, and IAM takes no more than {LARGEST}"),
                )
                .with_help("spread the entries over several roles, or join them by `branch_pattern`"),
            );
        } else if size > QUOTA {
            self.notes.push(format!(
                "the trust policy has {size} characters, and IAM's quota is {QUOTA} unless it was raised (`Role trust policy length` in Service Quotas)"
            ));
        }
    }

    /// The first role and its file's own name.
    pub(super) fn files(&self) -> impl Iterator<Item = &Role> {
        self.roles.iter()
    }
}

impl Role {
    /// The trust policy, ARNs written out.
    pub(super) fn trust_policy(&self) -> Node {
        self.policy(&|issuer| self.provider_arn(issuer).into())
    }

    /// The trust policy; `arn` writes an identity provider's ARN.
    pub(super) fn policy(&self, arn: &dyn Fn(&str) -> Node) -> Node {
        let statements = self.trust.iter().map(|statement| statement.node(arn)).collect();
        map([("Version", "2012-10-17".into()), ("Statement", Node::List(statements))])
    }

    /// A provider of the role's own account.
    pub(super) fn provider_arn(&self, issuer: &str) -> String {
        format!("arn:{}:iam::{}:oidc-provider/{issuer}", self.partition, self.account)
    }

    /// The managed policy that holds the permissions.
    pub(super) fn permissions_name(&self) -> String {
        // IAM takes 128 characters here, and role names have 64 at most.
        format!("{}-permissions", self.name)
    }

    /// Is it the one that jobs become?
    pub(super) fn is_first(&self) -> bool {
        self.stem.is_empty()
    }

    /// A file's name: `deploy.tf`, or for a role of the chain `chain-1-deploy.tf`.
    pub(super) fn file(&self, name: &str) -> String {
        if self.is_first() { name.to_owned() } else { format!("{}-{name}", self.stem) }
    }
}

/// The settings that decide who becomes what.
fn deciding(settings: &Settings) -> impl Iterator<Item = (String, &String)> {
    let hops = settings.chain.iter().enumerate().map(|(index, hop)| (format!("chain.{index}.role_arn"), &hop.role_arn));
    let policies = settings.policy_arns.iter().enumerate().map(|(index, arn)| (format!("policy_arns.{index}"), arn));
    std::iter::once(("role_arn".to_owned(), &settings.role_arn)).chain(hops).chain(policies)
}

fn providers(wanted: &Wanted, errors: &mut Vec<Error>) -> Vec<Provider> {
    let mut providers: Vec<Provider> = Vec::new();
    for entry in &wanted.entries {
        let issuer = entry.pattern.issuer.without_scheme();
        if let Some(known) = providers.iter_mut().find(|known| known.issuer == issuer) {
            known.audiences.extend(
                entry.audiences.iter().filter(|new| !known.audiences.contains(new)).cloned().collect::<Vec<_>>(),
            );
            continue;
        }
        let url = entry.pattern.issuer.url();
        let has_port = url.as_ref().is_some_and(|url| url.port().is_some());
        let is_https = url.is_some_and(|url| url.scheme() == "https");
        if !is_https || has_port || issuer.len() > 247 {
            errors.push(
                Error::new(
                    &TRUST_NOT_EXPRESSIBLE,
                    format!("AWS takes no identity provider `{}`", entry.pattern.issuer),
                )
                .with_help("IAM wants https, no port, and at most 255 characters"),
            );
        }
        let kind = entry.pattern.provider;
        let namesakes = providers
            .iter()
            .filter(|known| known.name.trim_end_matches(|one: char| one.is_ascii_digit()) == kind)
            .count();
        let name = if namesakes == 0 { kind.to_owned() } else { format!("{kind}{}", namesakes + 1) };
        providers.push(Provider { name, issuer: issuer.to_owned(), audiences: entry.audiences.clone() });
    }
    for audience in providers.iter().flat_map(|provider| &provider.audiences).filter(|audience| audience.len() > 255) {
        errors.push(Error::new(
            &TRUST_NOT_EXPRESSIBLE,
            format!("IAM takes audiences of 255 characters, and `{audience}` is longer"),
        ));
    }
    providers
}

fn roles(wanted: &Wanted, settings: &Settings, trust: Vec<Statement>, errors: &mut Vec<Error>) -> Vec<Role> {
    let mut trust = Some(trust);
    let mut roles = Vec::new();
    for index in 0..=settings.chain.len() {
        let (arn, key) = match index.checked_sub(1).and_then(|hop| settings.chain.get(hop)) {
            Some(hop) => (hop.role_arn.as_str(), format!("chain.{}.role_arn", index - 1)),
            None => (settings.role_arn.as_str(), "role_arn".to_owned()),
        };
        if !is_literal(arn) {
            continue;
        }
        let statements = match index.checked_sub(1) {
            Some(before) => {
                let from = before.checked_sub(1).map_or(&settings.role_arn, |hop| &settings.chain[hop].role_arn);
                vec![Statement::hop(from, &settings.chain[before])]
            }
            None => trust.take().unwrap_or_default(),
        };
        let next = settings.chain.get(index);
        let is_last = next.is_none();
        let own =
            settings.policy.as_deref().filter(|_| is_last).and_then(|text| serde_json::from_str::<Json>(text).ok());
        let permissions = match (next, &own) {
            (Some(hop), _) => document(hop_permission(hop)),
            (None, Some(policy)) => Node::from(policy),
            // Needs no permission, and so gives none.
            (None, None) => document(map([
                ("Effect", "Allow".into()),
                ("Action", "sts:GetCallerIdentity".into()),
                ("Resource", "*".into()),
            ])),
        };
        let duration = if settings.chain.is_empty() { settings.duration.0.as_secs() } else { ONE_HOUR };
        let stem = if index == 0 { String::new() } else { format!("chain-{index}") };
        let description = match index {
            0 => format!("CI jobs of federate target {} become this role", word(&wanted.target)),
            _ => format!("Step {index} of the role chain of federate target {}", word(&wanted.target)),
        };
        let Some((partition, account, path, name)) = parts(arn) else {
            errors.push(
                Error::new(&codes::SETTING_INVALID, format!("IAM makes no role with the name in `{arn}`"))
                    .with_setting(key)
                    .with_help("a name has 1 to 64 letters, digits and _+=,.@-, and may stand behind a path"),
            );
            continue;
        };
        roles.push(Role {
            stem,
            arn: arn.to_owned(),
            partition,
            account,
            path,
            name,
            description,
            max_session: duration.max(ONE_HOUR),
            trust: statements,
            permissions,
            is_placeholder: is_last && own.is_none(),
            managed: if is_last { settings.policy_arns.clone() } else { Vec::new() },
        });
    }
    roles
}

/// Descriptions take letters, digits and some punctuation.
fn word(text: &str) -> String {
    text.chars()
        .map(|one| if one.is_ascii_alphanumeric() || "-_.".contains(one) { one } else { '-' })
        .take(200)
        .collect()
}

fn document(statement: Node) -> Node {
    map([("Version", "2012-10-17".into()), ("Statement", Node::List(vec![statement]))])
}

fn hop_permission(hop: &crate::settings::Hop) -> Node {
    let actions = Statement::hop("", hop).actions;
    map([
        ("Effect", "Allow".into()),
        ("Action", federate_trust::render::texts(&actions)),
        ("Resource", hop.role_arn.as_str().into()),
    ])
}

/// Partition, account, path and name of a role's ARN.
fn parts(arn: &str) -> Option<(String, String, String, String)> {
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    let ["arn", partition, "iam", "", account, resource] = parts.as_slice() else { return None };
    let full = resource.strip_prefix("role")?;
    let (path, name) = full.rsplit_once('/')?;
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"_+=,.@-".contains(&byte);
    let is_path = path.bytes().all(|byte| (0x21..0x7f).contains(&byte)) && path.len() <= 510;
    let is_named = (1..=64).contains(&name.len()) && name.bytes().all(is_name);
    (is_named && is_path).then(|| ((*partition).to_owned(), (*account).to_owned(), format!("{path}/"), name.to_owned()))
}

impl Statement {
    /// The provider that it trusts, if it is one.
    pub(super) fn issuer(&self) -> Option<&str> {
        match &self.trusted {
            Trusted::Provider(issuer) => Some(issuer),
            Trusted::Role(_) => None,
        }
    }
}
