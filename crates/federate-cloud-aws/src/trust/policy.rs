//! A trust policy, read.

use federate_trust::Effect;

use super::operator::Operator;

/// The action without which no token is exchanged.
pub(crate) const EXCHANGE: &str = "sts:AssumeRoleWithWebIdentity";
/// The action that session tags need besides.
pub(crate) const TAG_SESSION: &str = "sts:TagSession";

/// A whole policy.
#[derive(Clone, Debug)]
pub(crate) struct Policy {
    pub(crate) version: Option<String>,
    pub(crate) statements: Vec<Statement>,
    /// The keys and indices that lead to it from the top of the file.
    pub(crate) path: Vec<String>,
}

impl Policy {
    /// Policy variables came with this version.
    pub(crate) fn has_variables(&self) -> bool {
        self.version.as_deref() == Some("2012-10-17")
    }

    /// The policy with `${*}`, `${?}` and `${$}` as characters that are no wildcards and no variables: what stands there is
    /// meant literally. No claim holds the character that takes the place of the first two. Variables become what a
    /// template leaves open, as only the request knows them.
    pub(crate) fn with_literals(&self) -> Self {
        let mut policy = self.clone();
        let conditions = policy.statements.iter_mut().flat_map(|statement| &mut statement.conditions);
        for value in conditions.flat_map(|condition| &mut condition.values).filter(|value| value.contains("${")) {
            let plain = value.replace("${*}", "\u{fffd}").replace("${?}", "\u{fffd}");
            let mut parts = plain.split("${");
            let mut read = parts.next().unwrap_or_default().to_owned();
            for part in parts {
                match part.split_once('}') {
                    Some(("$", rest)) => read.extend(["$", rest]),
                    Some((name, rest)) => read.extend(["<", name, ">", rest]),
                    None => read.extend(["${", part]),
                }
            }
            *value = read;
        }
        policy
    }
}

/// One statement.
#[derive(Clone, Debug)]
pub(crate) struct Statement {
    /// From 1.
    pub(crate) number: usize,
    pub(crate) sid: Option<String>,
    pub(crate) effect: Effect,
    pub(crate) principal: Principal,
    pub(crate) actions: Vec<String>,
    pub(crate) actions_negated: bool,
    pub(crate) conditions: Vec<Condition>,
    /// The keys and indices that lead to it from the top of the file.
    pub(crate) path: Vec<String>,
    /// A part of its conditions is known only to the deployment of its template.
    pub(crate) is_open: bool,
}

/// A part of a policy that a finding is about.
#[derive(Clone, Debug)]
pub(crate) struct Spot {
    /// For people.
    pub(crate) text: String,
    /// The keys and indices that lead to it from the top of the file.
    pub(crate) path: Vec<String>,
}

/// Who a statement is about.
#[derive(Clone, Debug, Default)]
pub(crate) struct Principal {
    /// `NotPrincipal`.
    pub(crate) negated: bool,
    /// `"*"`, alone or for AWS.
    pub(crate) anyone: bool,
    /// Identity providers, as written.
    pub(crate) federated: Vec<String>,
    /// Accounts, roles, users and services, as written.
    pub(crate) others: Vec<String>,
}

/// One operator's test of one key.
#[derive(Clone, Debug)]
pub(crate) struct Condition {
    pub(crate) operator: Operator,
    pub(crate) key: String,
    pub(crate) values: Vec<String>,
}

impl Statement {
    /// For people.
    pub(crate) fn name(&self) -> String {
        match &self.sid {
            Some(sid) => format!("statement {} (Sid {sid})", self.number),
            None => format!("statement {}", self.number),
        }
    }

    /// The whole statement.
    pub(crate) fn spot(&self) -> Spot {
        Spot { text: self.name(), path: self.path.clone() }
    }

    /// One of its elements.
    pub(crate) fn spot_of_element(&self, element: &str) -> Spot {
        Spot { text: format!("{}, {element}", self.name()), path: [&self.path[..], &[element.to_owned()]].concat() }
    }

    /// One of its conditions.
    pub(crate) fn spot_of(&self, condition: &Condition) -> Spot {
        let (operator, key) = (&condition.operator.name, &condition.key);
        let below = ["Condition".to_owned(), operator.clone(), key.clone()];
        Spot { text: format!("{}, {operator} {key}", self.name()), path: [&self.path[..], &below].concat() }
    }

    /// Is this action among those that the statement is about? Case does not matter, `*` and `?` are wildcards.
    pub(crate) fn covers(&self, action: &str) -> bool {
        let action = action.to_ascii_lowercase();
        let named = self
            .actions
            .iter()
            .any(|pattern| federate_trust::Glob::parse(&pattern.to_ascii_lowercase()).matches(&action));
        named != self.actions_negated
    }
}

/// The issuer that a Federated principal stands for, without `https://`; `None` for SAML providers and the like.
pub(crate) fn provider_of(principal: &str) -> Option<&str> {
    if let Some((arn, provider)) = principal.split_once(":oidc-provider/") {
        return arn.starts_with("arn:").then_some(provider);
    }
    let is_bare = ["accounts.google.com", "cognito-identity.amazonaws.com", "graph.facebook.com", "www.amazon.com"]
        .contains(&principal);
    is_bare.then_some(principal)
}
