//! An AWS CDK app in TypeScript: `app.ts` and what `cdk synth` needs around it.

use federate_trust::Artifact;
use federate_trust::render::{Node, map, quote, texts};

use super::cloudformation::capital;
use super::conditions::Statement;
use super::plan::{Plan, Provider, Role};

pub(super) fn files(plan: &Plan) -> Vec<Artifact> {
    vec![
        Artifact::new("app.ts", app(plan)),
        Artifact::new("cdk.json", map([("app", "npx ts-node --prefer-ts-exts app.ts".into())]).json()),
        Artifact::new("package.json", package().json()),
        Artifact::new("tsconfig.json", compiler().json()),
    ]
}

fn package() -> Node {
    map([
        ("name", "federate-trust".into()),
        ("version", "0.1.0".into()),
        ("private", Node::Flag(true)),
        ("scripts", map([("synth", "cdk synth".into()), ("deploy", "cdk deploy".into())])),
        ("dependencies", map([("aws-cdk-lib", "^2.100.0".into()), ("constructs", "^10.0.0".into())])),
        (
            "devDependencies",
            map([
                ("@types/node", "^20.0.0".into()),
                ("aws-cdk", "^2.100.0".into()),
                ("ts-node", "^10.9.0".into()),
                ("typescript", "^5.0.0".into()),
            ]),
        ),
    ])
}

fn compiler() -> Node {
    let options = map([
        ("target", "ES2022".into()),
        ("module", "commonjs".into()),
        ("lib", texts(&["es2022"])),
        ("strict", Node::Flag(true)),
        ("noEmit", Node::Flag(true)),
        ("skipLibCheck", Node::Flag(true)),
        ("types", texts(&["node"])),
    ]);
    map([("compilerOptions", options)])
}

fn app(plan: &Plan) -> String {
    let mut text = String::from(
        "import * as cdk from \"aws-cdk-lib\";\nimport * as iam from \"aws-cdk-lib/aws-iam\";\nimport { Construct } from \"constructs\";\n",
    );
    for role in plan.files() {
        text.push_str(&stack(plan, role));
    }
    text.push_str("\nconst app = new cdk.App();\n");
    for role in plan.files() {
        let environment = map([(
            "env",
            map([
                ("account", role.account.as_str().into()),
                ("region", Node::Code("process.env.CDK_DEFAULT_REGION".to_owned())),
            ]),
        )]);
        text.push_str(&format!(
            "new {}(app, {}, {});\n",
            class(role),
            quote::json(&stack_name(role)),
            environment.typescript(0)
        ));
    }
    text
}

fn class(role: &Role) -> String {
    format!("{}Stack", if role.is_first() { "Federate".to_owned() } else { capital(&role.stem) })
}

fn stack_name(role: &Role) -> String {
    let name = role.name.replace(|one: char| !one.is_ascii_alphanumeric(), "-");
    format!("{}-{}", if role.is_first() { "federate" } else { &role.stem }, name.trim_matches('-'))
}

fn stack(plan: &Plan, role: &Role) -> String {
    let providers = if role.is_first() { plan.providers.as_slice() } else { &[] };
    let mut text = format!(
        "\n/** {} ({}). */\nexport class {} extends cdk.Stack {{\n",
        doc(&role.description),
        doc(&role.arn),
        class(role)
    );
    text.push_str(
        "  constructor(scope: Construct, id: string, props?: cdk.StackProps) {\n    super(scope, id, props);\n\n",
    );
    for provider in providers {
        text.push_str(&identity_provider(provider));
    }
    if !providers.is_empty() {
        text.push_str("    const provider = (issuer: string) =>\n      `arn:${cdk.Aws.PARTITION}:iam::${cdk.Aws.ACCOUNT_ID}:oidc-provider/${issuer}`;\n\n");
    }
    text.push_str(&role_construct(role));
    for provider in providers {
        text.push_str(&format!("    if ({0}) role.node.addDependency({0});\n", provider_name(provider)));
    }
    for (index, arn) in role.managed.iter().enumerate() {
        text.push_str(&format!(
            "    role.addManagedPolicy(iam.ManagedPolicy.fromManagedPolicyArn(this, {}, {}));\n",
            quote::json(&format!("Managed{}", index + 1)),
            quote::json(arn)
        ));
    }
    text.push_str(&permissions(role));
    text.push_str("\n    new cdk.CfnOutput(this, \"RoleArn\", { value: role.roleArn });\n");
    for provider in providers {
        text.push_str(&format!(
            "    new cdk.CfnOutput(this, {}, {{ value: provider({}) }});\n",
            quote::json(&format!("{}ProviderArn", capital(&provider.name))),
            quote::json(&provider.issuer)
        ));
    }
    text.push_str("  }\n}\n");
    text
}

/// Part of a doc comment, which nothing inside may end.
fn doc(text: &str) -> String {
    quote::comment(text).replace("*/", "* /")
}

fn provider_name(provider: &Provider) -> String {
    format!("{}Provider", provider.name)
}

fn identity_provider(provider: &Provider) -> String {
    let context = format!("create{}Provider", capital(&provider.name));
    let properties =
        map([("url", format!("https://{}", provider.issuer).into()), ("clientIdList", texts(&provider.audiences))]);
    format!(
        "    // Where the account has this identity provider already: cdk deploy -c {context}=false\n    const {name} = this.node.tryGetContext({key}) === \"false\"\n      ? undefined\n      : new iam.CfnOIDCProvider(this, {id}, {properties});\n    {name}?.applyRemovalPolicy(cdk.RemovalPolicy.RETAIN);\n\n",
        name = provider_name(provider),
        key = quote::json(&context),
        id = quote::json(&format!("{}Provider", capital(&provider.name))),
        properties = properties.typescript(6)
    )
}

fn role_construct(role: &Role) -> String {
    let principal = |statement: &Statement| {
        let conditions = Node::Map(statement.condition()).typescript(10);
        match statement.issuer() {
            Some(issuer) => format!(
                "        new iam.FederatedPrincipal(provider({}), {conditions}, {}),\n",
                quote::json(issuer),
                quote::json("sts:AssumeRoleWithWebIdentity")
            ),
            None => {
                let from = match &statement.trusted {
                    super::conditions::Trusted::Role(arn) | super::conditions::Trusted::Provider(arn) => {
                        quote::json(arn)
                    }
                };
                let tags = statement.actions.iter().skip(1).map(|action| quote::json(action)).collect::<Vec<_>>();
                let base = format!("new iam.ArnPrincipal({from}).withConditions({conditions})");
                if tags.is_empty() {
                    format!("        {base},\n")
                } else {
                    format!("        {base},\n        // {} is added below.\n", tags.join(", "))
                }
            }
        }
    };
    let assumed_by: String = role.trust.iter().map(principal).collect();
    let mut text = format!(
        "    const role = new iam.Role(this, \"Role\", {{\n      roleName: {},\n      path: {},\n      description: {},\n      maxSessionDuration: cdk.Duration.seconds({}),\n      assumedBy: new iam.CompositePrincipal(\n{assumed_by}      ),\n    }});\n",
        quote::json(&role.name),
        quote::json(&role.path),
        quote::json(&role.description),
        role.max_session
    );
    for statement in role.trust.iter().filter(|statement| statement.actions.len() > 1) {
        let extra = Statement { actions: statement.actions[1..].to_vec(), ..statement.clone() };
        let json = extra.node(&|_| Node::Text(String::new())).typescript(6);
        text.push_str(&format!(
            "    role.assumeRolePolicy?.addStatements(\n      iam.PolicyStatement.fromJson({json}),\n    );\n"
        ));
    }
    text
}

fn permissions(role: &Role) -> String {
    let about = if role.is_placeholder {
        "What the role may do. As generated, nothing: replace the statement by what the jobs need."
    } else {
        "What the role may do, as the profile says."
    };
    format!(
        "\n    // {about}\n    new iam.ManagedPolicy(this, \"Permissions\", {{\n      managedPolicyName: {},\n      path: {},\n      roles: [role],\n      document: iam.PolicyDocument.fromJson({}),\n    }});\n",
        quote::json(&role.permissions_name()),
        quote::json(&role.path),
        role.permissions.typescript(6)
    )
}
