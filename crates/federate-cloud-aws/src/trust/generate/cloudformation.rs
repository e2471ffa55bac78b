//! CloudFormation templates.

use federate_trust::Artifact;
use federate_trust::render::{Node, map, quote, texts};

use super::plan::{Plan, Role};

pub(super) fn yaml(plan: &Plan) -> Vec<Artifact> {
    let file = |role: &Role| {
        let name = role.file("template.yaml");
        let mut text = String::new();
        for line in header(role, &name) {
            text.push_str(&format!("# {}\n", quote::comment(&line)));
        }
        text.push_str(&template(plan, role).yaml());
        Artifact::new(name, text)
    };
    plan.files().map(file).collect()
}

pub(super) fn json(plan: &Plan) -> Vec<Artifact> {
    plan.files().map(|role| Artifact::new(role.file("template.json"), template(plan, role).json())).collect()
}

fn header(role: &Role, file: &str) -> Vec<String> {
    vec![
        format!("{} ({}).", role.description, role.arn),
        format!(
            "aws cloudformation deploy --template-file {file} --stack-name {}-{} --capabilities CAPABILITY_NAMED_IAM",
            if role.is_first() { "federate" } else { &role.stem },
            role.name.replace(|one: char| !one.is_ascii_alphanumeric(), "-")
        ),
    ]
}

/// `github` as part of a logical id.
pub(super) fn capital(name: &str) -> String {
    let mut letters = name.chars().filter(char::is_ascii_alphanumeric);
    let first = letters.next().map(|first| first.to_ascii_uppercase());
    first.into_iter().chain(letters).collect()
}

fn template(plan: &Plan, role: &Role) -> Node {
    let providers = if role.is_first() { plan.providers.as_slice() } else { &[] };
    let (mut parameters, mut conditions, mut resources) = (Vec::new(), Vec::new(), Vec::new());
    for provider in providers {
        let name = capital(&provider.name);
        let parameter = format!("Create{name}Provider");
        parameters.push((
            parameter.clone(),
            map([
                ("Type", "String".into()),
                ("Default", "true".into()),
                ("AllowedValues", texts(&["true", "false"])),
                (
                    "Description",
                    format!("false where the account has the identity provider {} already", provider.issuer).into(),
                ),
            ]),
        ));
        let equals = Node::List(vec![map([("Ref", parameter.into())]), "true".into()]);
        conditions.push((format!("Makes{name}Provider"), map([("Fn::Equals", equals)])));
        resources.push((
            format!("{name}Provider"),
            map([
                ("Type", "AWS::IAM::OIDCProvider".into()),
                ("Condition", format!("Makes{name}Provider").into()),
                ("DeletionPolicy", "Retain".into()),
                ("UpdateReplacePolicy", "Retain".into()),
                (
                    "Properties",
                    map([
                        ("Url", format!("https://{}", provider.issuer).into()),
                        ("ClientIdList", texts(&provider.audiences)),
                    ]),
                ),
            ]),
        ));
    }
    parameters.push((
        "ManagedPolicyArns".to_owned(),
        map([
            ("Type", "CommaDelimitedList".into()),
            ("Default", role.managed.join(",").into()),
            ("Description", "Managed policies that the role gets besides its own, by ARN".into()),
        ]),
    ));
    let joined = map([("Fn::Join", Node::List(vec!["".into(), reference("ManagedPolicyArns")]))]);
    let is_empty = map([("Fn::Equals", Node::List(vec![joined, "".into()]))]);
    conditions.push(("HasManagedPolicies".to_owned(), map([("Fn::Not", Node::List(vec![is_empty]))])));
    resources.push(("Role".to_owned(), role_resource(plan, role)));
    resources.push(("Permissions".to_owned(), permissions(role)));
    let arn = map([("Fn::GetAtt", texts(&["Role", "Arn"]))]);
    let mut outputs = vec![(
        "RoleArn".to_owned(),
        map([("Description", "What role_arn of the profile's target has to be".into()), ("Value", arn)]),
    )];
    for provider in providers {
        let value = ("Value", provider_arn(&provider.issuer));
        outputs.push((format!("{}ProviderArn", capital(&provider.name)), map([value])));
    }
    map([
        ("AWSTemplateFormatVersion", "2010-09-09".into()),
        ("Description", role.description.as_str().into()),
        ("Parameters", Node::Map(parameters)),
        ("Conditions", Node::Map(conditions)),
        ("Resources", Node::Map(resources)),
        ("Outputs", Node::Map(outputs)),
    ])
}

fn reference(name: &str) -> Node {
    map([("Ref", name.into())])
}

/// In whichever account and partition the stack is.
fn provider_arn(issuer: &str) -> Node {
    // `${!` stands for `${`; an issuer is a URL, but it costs nothing to be sure.
    let issuer = issuer.replace("${", "${!");
    map([("Fn::Sub", format!("arn:${{AWS::Partition}}:iam::${{AWS::AccountId}}:oidc-provider/{issuer}").into())])
}

fn role_resource(plan: &Plan, role: &Role) -> Node {
    // The provider that the stack makes comes first; one that is there already is known by its ARN.
    let principal = |issuer: &str| {
        let arn = provider_arn(issuer);
        let Some(provider) = plan.providers.iter().find(|provider| provider.issuer == issuer) else { return arn };
        let name = capital(&provider.name);
        let made = reference(&format!("{name}Provider"));
        map([("Fn::If", Node::List(vec![format!("Makes{name}Provider").into(), made, arn]))])
    };
    let choice =
        Node::List(vec!["HasManagedPolicies".into(), reference("ManagedPolicyArns"), reference("AWS::NoValue")]);
    let properties = map([
        ("RoleName", role.name.as_str().into()),
        ("Path", role.path.as_str().into()),
        ("Description", role.description.as_str().into()),
        ("MaxSessionDuration", Node::Number(role.max_session)),
        ("AssumeRolePolicyDocument", role.policy(&principal)),
        ("ManagedPolicyArns", map([("Fn::If", choice)])),
    ]);
    map([("Type", "AWS::IAM::Role".into()), ("Properties", properties)])
}

fn permissions(role: &Role) -> Node {
    let description = if role.is_placeholder {
        "What the role may do. As generated, nothing: replace the statement by what the jobs need."
    } else {
        "What the role may do, as the profile says."
    };
    map([
        ("Type", "AWS::IAM::ManagedPolicy".into()),
        (
            "Properties",
            map([
                ("ManagedPolicyName", role.permissions_name().into()),
                ("Path", role.path.as_str().into()),
                ("Description", description.into()),
                ("Roles", Node::List(vec![reference("Role")])),
                ("PolicyDocument", role.permissions.clone()),
            ]),
        ),
    ])
}
