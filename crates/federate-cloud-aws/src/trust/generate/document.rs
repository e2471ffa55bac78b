//! `aws-json`: everything in one document, in the words of the IAM API.

use federate_trust::Artifact;
use federate_trust::render::{Node, map, texts};

use super::plan::{Plan, Provider, Role};

pub(super) fn files(plan: &Plan) -> Vec<Artifact> {
    let files = plan.files().map(|role| {
        let mut fields = Vec::new();
        if role.is_first() {
            let providers = plan.providers.iter().map(|provider| self::provider(role, provider)).collect();
            fields.push(("OpenIDConnectProviders".to_owned(), Node::List(providers)));
        }
        fields.push(("Role".to_owned(), self::role(role)));
        fields.push(("Policy".to_owned(), policy(role)));
        fields.push(("Outputs".to_owned(), map([("RoleArn", role.arn.as_str().into())])));
        Artifact::new(role.file("aws.json"), Node::Map(fields).json())
    });
    files.collect()
}

/// As `CreateOpenIDConnectProvider` takes it; without thumbprints, IAM looks for them itself.
fn provider(role: &Role, provider: &Provider) -> Node {
    map([
        ("Url", format!("https://{}", provider.issuer).into()),
        ("ClientIDList", texts(&provider.audiences)),
        ("Arn", role.provider_arn(&provider.issuer).into()),
    ])
}

fn role(role: &Role) -> Node {
    map([
        ("RoleName", role.name.as_str().into()),
        ("Path", role.path.as_str().into()),
        ("Arn", role.arn.as_str().into()),
        ("Description", role.description.as_str().into()),
        ("MaxSessionDuration", Node::Number(role.max_session)),
        ("AssumeRolePolicyDocument", role.trust_policy()),
        ("AttachedManagedPolicies", texts(&role.managed)),
    ])
}

/// As `CreatePolicy` takes it, but for the document, which is no text here.
fn policy(role: &Role) -> Node {
    map([
        ("PolicyName", role.permissions_name().into()),
        ("Path", role.path.as_str().into()),
        ("PolicyDocument", role.permissions.clone()),
    ])
}
