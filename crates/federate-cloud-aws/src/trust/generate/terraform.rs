//! A Terraform module, which OpenTofu takes as well.

use federate_trust::Artifact;
use federate_trust::render::hcl::{self, Body, Item};
use federate_trust::render::{Node, quote, texts};

use super::plan::{Plan, Provider, Role};

pub(super) fn files(plan: &Plan) -> Vec<Artifact> {
    let file = |role: &Role| {
        // Terraform reads all files of a folder as one, so every role has a folder of its own.
        let path = if role.is_first() { "main.tf".to_owned() } else { format!("{}/main.tf", role.stem) };
        Artifact::new(path, hcl::file(&module(plan, role)))
    };
    plan.files().map(file).collect()
}

fn module(plan: &Plan, role: &Role) -> Body {
    let providers = if role.is_first() { plan.providers.as_slice() } else { &[] };
    let mut body = vec![
        Item::Comment(format!("{} ({}).", role.description, role.arn)),
        Item::Blank,
        // From 5.81 on, an identity provider needs no thumbprint.
        hcl::requirements(&[("aws", "hashicorp/aws", ">= 5.81")]),
        Item::Blank,
    ];
    for provider in providers {
        body.push(variable(
            &format!("create_{}_provider", provider.name),
            &format!("false where the account has the identity provider {} already.", provider.issuer),
            "bool",
            Node::Flag(true),
        ));
        body.push(Item::Blank);
    }
    let about = "Managed policies that the role gets besides its own, by ARN.";
    body.push(variable("managed_policy_arns", about, "set(string)", texts(&role.managed)));
    body.extend([Item::Blank, Item::block("data \"aws_caller_identity\" \"current\"", Vec::new()), Item::Blank]);
    for provider in providers {
        body.extend([identity_provider(provider), Item::Blank]);
    }
    body.extend([role_resource(role, providers), Item::Blank]);
    body.extend(permissions(role));
    body.push(Item::Blank);
    body.push(Item::block(
        "output \"role_arn\"",
        vec![
            Item::set("description", "What role_arn of the profile's target has to be."),
            Item::code("value", "aws_iam_role.this.arn"),
        ],
    ));
    for provider in providers {
        body.push(Item::Blank);
        body.push(Item::block(
            format!("output \"{}_provider_arn\"", provider.name),
            vec![Item::set("value", role.provider_arn(&provider.issuer))],
        ));
    }
    body
}

fn variable(name: &str, description: &str, kind: &str, default: Node) -> Item {
    Item::block(
        format!("variable {}", quote::hcl(name)),
        vec![Item::set("description", description), Item::code("type", kind), Item::Set("default".to_owned(), default)],
    )
}

fn identity_provider(provider: &Provider) -> Item {
    Item::block(
        format!("resource \"aws_iam_openid_connect_provider\" \"{}\"", provider.name),
        vec![
            Item::code("count", format!("var.create_{}_provider ? 1 : 0", provider.name)),
            Item::Blank,
            Item::set("url", format!("https://{}", provider.issuer)),
            Item::Set("client_id_list".to_owned(), texts(&provider.audiences)),
        ],
    )
}

fn role_resource(role: &Role, providers: &[Provider]) -> Item {
    let mut body = vec![
        Item::set("name", role.name.as_str()),
        Item::set("path", role.path.as_str()),
        Item::set("description", role.description.as_str()),
        Item::set("max_session_duration", Node::Number(role.max_session)),
        Item::Blank,
        Item::Call("assume_role_policy".to_owned(), "jsonencode".to_owned(), role.trust_policy()),
        Item::Blank,
    ];
    if !providers.is_empty() {
        let names =
            providers.iter().map(|provider| Node::Code(format!("aws_iam_openid_connect_provider.{}", provider.name)));
        body.extend([Item::Set("depends_on".to_owned(), Node::List(names.collect())), Item::Blank]);
    }
    let account = quote::hcl(&role.account);
    body.push(Item::block(
        "lifecycle",
        vec![Item::block(
            "precondition",
            vec![
                Item::code("condition", format!("data.aws_caller_identity.current.account_id == {account}")),
                Item::set("error_message", format!("This role belongs into the account {}.", role.account)),
            ],
        )],
    ));
    Item::block("resource \"aws_iam_role\" \"this\"", body)
}

fn permissions(role: &Role) -> Body {
    let mut body = Vec::new();
    if role.is_placeholder {
        body.push(Item::Comment(
            "What the role may do. As generated, nothing: replace the statement by what the jobs need.".to_owned(),
        ));
    } else {
        body.push(Item::Comment("What the role may do, as the profile says.".to_owned()));
    }
    body.extend([
        Item::block(
            "resource \"aws_iam_policy\" \"permissions\"",
            vec![
                Item::set("name", role.permissions_name()),
                Item::set("path", role.path.as_str()),
                Item::Blank,
                Item::Call("policy".to_owned(), "jsonencode".to_owned(), role.permissions.clone()),
            ],
        ),
        Item::Blank,
        Item::block(
            "resource \"aws_iam_role_policy_attachment\" \"permissions\"",
            vec![
                Item::code("role", "aws_iam_role.this.name"),
                Item::code("policy_arn", "aws_iam_policy.permissions.arn"),
            ],
        ),
        Item::Blank,
        Item::block(
            "resource \"aws_iam_role_policy_attachment\" \"managed\"",
            vec![
                Item::code("for_each", "var.managed_policy_arns"),
                Item::Blank,
                Item::code("role", "aws_iam_role.this.name"),
                Item::code("policy_arn", "each.value"),
            ],
        ),
    ]);
    body
}
