//! What `trust lint` and `trust explain` read, and what they say of what they cannot.

use serde_json::{Value, json};

use crate::support::{Done, Workshop, gitlab_claims};

/// A folder without any profile, and in it the files.
fn workshop(files: &[(&str, &[u8])]) -> Workshop {
    let workshop = Workshop::new();
    std::fs::remove_dir(workshop.path("project/profiles")).unwrap();
    for (name, bytes) in files {
        std::fs::write(workshop.path(&format!("project/{name}")), bytes).unwrap();
    }
    workshop
}

fn policy(subject: &str) -> Value {
    json!({"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow",
        "Principal": {"Federated": "arn:aws:iam::111122223333:oidc-provider/gitlab.com"},
        "Action": "sts:AssumeRoleWithWebIdentity",
        "Condition": {"StringEquals": {"gitlab.com:aud": "https://gitlab.com"}, "StringLike": {"gitlab.com:sub": subject}},
    }]})
}

fn lint(files: &[(&str, &[u8])]) -> Done {
    let names: Vec<&str> = files.iter().map(|(name, _)| *name).collect();
    workshop(files).run_quietly(&[&["trust", "lint", "-o", "json"], &names[..]].concat())
}

/// `id where`, in the order of the report.
fn found(done: &Done) -> Vec<String> {
    let report: Value = serde_json::from_str(&done.stdout).unwrap_or_else(|_| panic!("{}", done.stderr));
    let text = |one: &Value, key: &str| one[key].as_str().unwrap().to_owned();
    let findings = report["findings"].as_array().unwrap().iter();
    findings.map(|one| format!("{} {}", text(one, "id"), text(one, "where"))).collect()
}

/// What stands beside trust in many a folder.
const PERMISSIONS: &str =
    r#"{"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": "*"}}"#;

const TEMPLATE: &str = r#"Parameters:
  Org: {Type: String}
  Repository: {Type: String, Default: "*"}
  Given: {Type: String, Default: ""}
Resources:
  Provider:
    Type: AWS::IAM::OIDCProvider
    Properties: {Url: https://token.actions.githubusercontent.com}
  Deploy:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument:
        Version: 2012-10-17
        Statement:
          - &allow
            Effect: Allow
            Action: sts:AssumeRoleWithWebIdentity
            Principal: {Federated: !If [Create, !GetAtt Provider.Arn, !Ref Given]}
            Condition:
              StringEquals: {token.actions.githubusercontent.com:aud: sts.amazonaws.com}
              StringLike:
                token.actions.githubusercontent.com:sub: !Sub repo:${Org}/${Repository}:*
  Audit:
    Type: AWS::IAM::Role
    Properties:
      RoleName: audit
      AssumeRolePolicyDocument:
        Version: 2012-10-17
        Statement:
          <<: *allow
          Condition:
            StringEquals:
              token.actions.githubusercontent.com:aud: sts.amazonaws.com
              token.actions.githubusercontent.com:sub: !Join [":", ["repo", !Sub "${Org}/audit", "ref:main"]]
  Embedded:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument: !Sub >
        {"Version": "2012-10-17", "Statement": {"Effect": "Allow",
        "Principal": {"Federated": "arn:${AWS::Partition}:iam::${AWS::AccountId}:oidc-provider/gitlab.com"},
        "Action": "sts:AssumeRoleWithWebIdentity", "Condition": {"StringEquals": {"gitlab.com:aud": "x",
        "gitlab.com:sub": "project_path:a/b:ref_type:branch:ref:main", "gitlab.com:project_id": "1"}}}}
"#;

#[test]
fn templates() {
    let done = lint(&[("stack.yaml", TEMPLATE.as_bytes())]);
    assert_eq!(
        found(&done),
        [
            "sub-never-matches stack.yaml:34: Resources.Audit (role audit), statement 1, StringEquals token.actions.githubusercontent.com:sub",
            "org-wide stack.yaml:22: Resources.Deploy, statement 1, StringLike token.actions.githubusercontent.com:sub",
            "mutable-subject stack.yaml:22: Resources.Deploy, statement 1, StringLike token.actions.githubusercontent.com:sub",
        ]
    );
    let json = json!({
        "Resources": {
            "P": {"Type": "Custom::AWSCDKOpenIdConnectProvider", "Properties": {"Url": "https://gitlab.com"}},
            "K": {"Type": "Custom::AWSCDKCfnJson", "Properties": {"Value": {"Fn::Join": ["", ["{\"gitlab", ".com:sub\":\"project_path:*\"}"]]}}},
            "R": {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": [{
                "Effect": "Allow", "Action": "sts:AssumeRoleWithWebIdentity", "Principal": {"Federated": {"Ref": "P"}},
                "Condition": {"StringEquals": {"gitlab.com:aud": "x"}, "StringLike": {"Fn::GetAtt": ["K", "Value"]}},
            }]}}},
            "U": {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": [{
                "Effect": "Allow", "Action": "sts:AssumeRoleWithWebIdentity", "Principal": {"Federated": {"Ref": "P"}},
                "Condition": {"StringLike": {"Fn::GetAtt": ["Unheard", "Value"]}},
            }]}}},
        },
    });
    let done = lint(&[("cdk.template.json", json.to_string().as_bytes())]);
    assert_eq!(found(&done), ["wildcard-org cdk.template.json:1: Resources.R, statement 1, StringLike gitlab.com:sub"]);
    assert!(done.stderr.contains("a condition is known only once the template is deployed"), "{}", done.stderr);
}

#[test]
fn what_the_apis_print() {
    let open = policy("project_path:*");
    let encoded: String = open.to_string().bytes().map(|byte| format!("%{byte:02X}")).collect();
    let role = |name: &str, policy: &Value| json!({"RoleName": name, "Arn": "x", "AssumeRolePolicyDocument": policy});
    let own = json!({"RoleName": "a", "AssumeRolePolicyDocument": {"Statement": [{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}]}});
    let yaml = "Role:\n  RoleName: y\n  AssumeRolePolicyDocument:\n    Version: '2012-10-17'\n    Statement:\n    - Effect: Allow\n      Principal: {Federated: arn:aws:iam::1:oidc-provider/gitlab.com}\n      Action: sts:AssumeRoleWithWebIdentity\n      Condition: {StringLike: {gitlab.com:sub: 'project_path:*', gitlab.com:aud: 'x*'}}\n";
    for (name, text, expected) in [
        ("get-role.json", json!({"Role": role("r", &open)}).to_string(), "role r, statement 1"),
        ("encoded.json", json!({"Role": role("r", &json!(encoded))}).to_string(), "role r, statement 1"),
        ("raw.txt", encoded.clone(), "raw.txt: statement 1"),
        ("list.json", json!({"Roles": [own, role("b", &open)]}).to_string(), "role b, statement 1"),
        (
            "details.json",
            json!({"UserDetailList": [], "RoleDetailList": [role("d", &open)], "Policies": []}).to_string(),
            "role d, statement 1",
        ),
        ("many.json", json!([open]).to_string(), "policy 0, statement 1"),
        (
            "config.json",
            json!({"configuration": {"roleName": "c", "assumeRolePolicyDocument": encoded}}).to_string(),
            "role c",
        ),
        ("role.yml", yaml.to_owned(), "role.yml:9: role y, statement 1"),
        ("bom.json", format!("\u{feff}{open}"), "bom.json:1: statement 1"),
    ] {
        let done = lint(&[(name, text.as_bytes())]);
        let found = found(&done);
        assert!(
            found.len() == 1 && found[0].starts_with("wildcard-org") && found[0].contains(expected),
            "{name}: {found:?}"
        );
        assert_eq!(done.code, 1);
    }
}

fn plan() -> Value {
    let role = |address: &str, values: Value| json!({"address": address, "mode": "managed", "type": "aws_iam_role", "name": "r", "values": values});
    let open = policy("project_path:*").to_string();
    let change = |address: &str, before: &str, after: Value, unknown: Value| json!({"address": address, "mode": "managed", "type": "aws_iam_role", "change": {"actions": ["update"], "before": {"assume_role_policy": before}, "after": after, "after_unknown": unknown}});
    json!({
        "format_version": "1.2", "terraform_version": "1.9.0",
        "planned_values": {"root_module": {
            "resources": [
                role("aws_iam_role.root", json!({"name": "root", "assume_role_policy": open})),
                {"address": "data.aws_iam_policy_document.x", "mode": "data", "type": "aws_iam_policy_document", "values": {"json": open}},
            ],
            "child_modules": [{"address": "module.ci", "resources": [role("module.ci.aws_iam_role.later", json!({"name": "later"}))]}],
        }},
        "resource_changes": [
            change("aws_iam_role.root", &policy("*").to_string(), json!({"assume_role_policy": open}), json!({"id": true})),
            change("module.ci.aws_iam_role.later", "", json!({"name": "later"}), json!({"assume_role_policy": true})),
        ],
        "prior_state": {"values": {"root_module": {"resources": [role("aws_iam_role.root", json!({"assume_role_policy": policy("*").to_string()}))]}}},
        "configuration": {"root_module": {"resources": [{"address": "aws_iam_role.root", "expressions": {"assume_role_policy": {"references": ["data.aws_iam_policy_document.x.json"]}}}]}},
    })
}

#[test]
fn plans_and_states() {
    let expected = ["wildcard-org p.json:1: aws_iam_role.root, statement 1, StringLike gitlab.com:sub"];
    let done = lint(&[("p.json", plan().to_string().as_bytes())]);
    assert_eq!(found(&done), expected, "each role once, as it will be");
    assert!(
        done.stderr.contains("module.ci.aws_iam_role.later: its trust policy is known only after apply"),
        "{}",
        done.stderr
    );
    let mut only_changes = plan();
    only_changes.as_object_mut().unwrap().remove("planned_values");
    assert_eq!(found(&lint(&[("p.json", only_changes.to_string().as_bytes())])), expected);
    let state = json!({"format_version": "1.0", "terraform_version": "1.9.0", "values": plan()["planned_values"]});
    assert_eq!(found(&lint(&[("p.json", state.to_string().as_bytes())])), expected);
    let empty = json!({"format_version": "1.0", "terraform_version": "1.9.0"}).to_string();
    let done = lint(&[("p.json", empty.as_bytes())]);
    assert_eq!((done.code, found(&done).len()), (0, 0), "{}", done.stderr);
    let raw = json!({"version": 4, "resources": [{"type": "aws_iam_role", "name": "r", "instances": [{"attributes": {"name": "raw", "assume_role_policy": policy("project_path:*").to_string()}}]}]});
    assert!(found(&lint(&[("terraform.tfstate", raw.to_string().as_bytes())]))[0].contains("role raw"));
}

#[test]
fn azure_credentials_wherever_they_stand() {
    let issuer = "https://gitlab.com/";
    let subject = "project_path:g/p:ref_type:branch:ref:main";
    let audiences = ["api://AzureADTokenExchange"];
    let resource = |kind: &str, values: Value| json!({"planned_values": {"root_module": {"resources": [{"address": format!("{kind}.ci"), "mode": "managed", "type": kind, "values": values}]}}});
    let flexible = "claims['sub'] matches 'project_path:acme*'";
    for (name, value, expected) in [
        (
            "az-identity",
            json!([{"id": "x", "issuer": issuer, "name": "ci", "subject": subject, "audiences": audiences, "type": "t"}]),
            "az-issuer-mismatch",
        ),
        (
            "az-app",
            json!([{"@odata.context": "x", "id": "1", "name": "ci", "description": null, "issuer": issuer, "subject": subject, "audiences": audiences}]),
            "az-issuer-mismatch",
        ),
        (
            "graph",
            json!({"value": [{"name": "ci", "issuer": "https://gitlab.com", "subject": null, "audiences": audiences, "claimsMatchingExpression": {"value": flexible, "languageVersion": 1}}]}),
            "az-flex-prefix-without-slash",
        ),
        (
            "azuread",
            resource(
                "azuread_application_federated_identity_credential",
                json!({"display_name": "ci", "issuer": issuer, "subject": subject, "audiences": audiences, "application_id": "a"}),
            ),
            "az-issuer-mismatch",
        ),
        (
            "azurerm",
            resource(
                "azurerm_federated_identity_credential",
                json!({"name": "ci", "issuer": issuer, "subject": subject, "audience": audiences, "parent_id": "a"}),
            ),
            "az-issuer-mismatch",
        ),
        (
            "flexible",
            resource(
                "azuread_application_flexible_federated_identity_credential",
                json!({"display_name": "ci", "issuer": "https://gitlab.com", "audience": audiences[0], "claims_matching_expression": flexible}),
            ),
            "az-flex-prefix-without-slash",
        ),
        (
            "azapi",
            resource(
                "azapi_resource",
                json!({"name": "ci", "type": "Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials@2024-11-30", "body": {"properties": {"issuer": issuer, "subject": subject, "audiences": audiences}}}),
            ),
            "az-issuer-mismatch",
        ),
        (
            "azapi-text",
            resource(
                "azapi_resource",
                json!({"name": "ci", "type": "Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials@2024-11-30", "body": json!({"properties": {"issuer": issuer, "subject": subject, "audiences": audiences}}).to_string()}),
            ),
            "az-issuer-mismatch",
        ),
        (
            "arm",
            json!({"resources": [{"type": "x", "name": "ci", "properties": {"issuer": issuer, "subject": subject, "audiences": audiences}}]}),
            "az-issuer-mismatch",
        ),
    ] {
        let found = found(&lint(&[("f.json", value.to_string().as_bytes())]));
        assert!(!found.is_empty() && found[0].starts_with(expected), "{name}: {found:?}");
    }
    let mut later = resource(
        "azurerm_federated_identity_credential",
        json!({"name": "ci", "issuer": issuer, "audience": audiences}),
    );
    later["resource_changes"] = json!([{"address": "azurerm_federated_identity_credential.ci", "change": {"after_unknown": {"subject": true}}}]);
    let done = lint(&[("f.json", later.to_string().as_bytes())]);
    assert!(done.code == 0 && done.stderr.contains("known only after apply"), "{}", done.stderr);
}

#[test]
fn what_cannot_be_read_is_named_with_file_and_line() {
    let deep = "[".repeat(1 << 20);
    let deep_map = "{\"a\":".repeat(200_000);
    let bomb = (0..9).fold("a: &a [x,x,x,x,x,x,x,x,x,x]\n".to_owned(), |text, level| {
        let (name, below) = (char::from(b'b' + level), char::from(b'a' + level));
        format!("{text}{name}: &{name} [{}]\n", vec![format!("*{below}"); 10].join(","))
    });
    let misspelt = "Version: '2012-10-17'\nStatement:\n- Effect: Allow\n  Principal: {Federated: 'arn:aws:iam::1:oidc-provider/gitlab.com'}\n  Action: sts:AssumeRoleWithWebIdentity\n  Condition:\n    ForAnyValue:StringLkie:\n      gitlab.com:sub: x\n";
    let misspelt_json =
        serde_json::to_string_pretty(&json!({"Statement": [{"Effect": "Alow", "Principal": "*", "Action": "x"}]}))
            .unwrap();
    let inner = json!({"Role": {"RoleName": "r", "AssumeRolePolicyDocument": "{\"Statement\": "}}).to_string();
    let twice = "{\"Statement\": {\"Effect\": \"Deny\", \"Effect\": \"Allow\"}}";
    let twice_inside = json!({"Role": {"RoleName": "r", "AssumeRolePolicyDocument": twice}}).to_string();
    let with_resource = policy("x").to_string().replacen("\"Effect\"", "\n\n\n\"Resource\": \"*\", \"Effect\"", 1);
    for (name, text, expected) in [
        ("a.json", b"not json".as_slice(), ["a.json:1", "not JSON"]),
        ("a.json", b"{\"a\": 1}", ["a.json", "holds no trust configuration"]),
        ("a.json", b"{\n\"Version\": \"2012-10-17\",\n}", ["a.json:3", "not JSON"]),
        ("a.json", b"", ["a.json", "is empty"]),
        ("a.json", b"\xef\xbb\xbf", ["a.json", "is empty"]),
        ("a.json", b"{\"a\": \"\xff\"}", ["a.json", "UTF-8"]),
        ("a.json", b"\xff\xfe{\0}", ["a.json", "UTF-8"]),
        ("a.json", deep.as_bytes(), ["a.json:1", "recursion limit"]),
        ("a.json", deep_map.as_bytes(), ["a.json:1", "recursion limit"]),
        ("a.yaml", deep.as_bytes(), ["a.yaml:1", "recursion limit"]),
        ("a.yaml", bomb.as_bytes(), ["a.yaml:", "more than"]),
        ("a.yaml", b"a: [1\nb: 2\n", ["a.yaml:2", "not YAML"]),
        ("a.yaml", b"Statement: 1\nStatement: 2\n", ["a.yaml:2", "twice"]),
        ("a.txt", b"hello", ["a.txt:1", "neither JSON nor YAML"]),
        ("a.yaml", misspelt.as_bytes(), ["a.yaml:7", "did you mean `ForAnyValue:StringLike`?"]),
        ("a.json", misspelt_json.as_bytes(), ["a.json:5", "Effect has to be Allow or Deny"]),
        ("a.json", b"{\"Statement\": {},\n\"Statement\": {}}", ["a.json:2", "the key `Statement` stands there twice"]),
        ("a.json", twice_inside.as_bytes(), ["a.json:1, role r", "the key `Effect` stands there twice"]),
        ("a.json", with_resource.as_bytes(), ["a.json:4 (Statement[0].Resource)", "takes no Resource"]),
        ("a.json", PERMISSIONS.as_bytes(), ["a.json", "holds no trust configuration"]),
        ("a.json", inner.as_bytes(), ["a.json:1, role r", "the trust policy is not JSON"]),
        (
            "a.json",
            b"{\"issuer\": 1, \"subject\": \"x\",\n\"audiences\": [\"a\"]}",
            ["a.json:1", "issuer has to be a text"],
        ),
    ] {
        let done = workshop(&[(name, text)]).run_quietly(&["trust", "lint", name]);
        let shown = &done.stderr[..done.stderr.len().min(400)];
        assert_eq!((done.code, done.stdout.as_str()), (2, ""), "{name}: {shown}");
        assert!(expected.iter().all(|text| done.stderr.contains(text)), "{expected:?}: {shown}");
        assert!(done.stderr.len() < 1000, "{shown}");
    }
    let workshop = workshop(&[("good.json", policy("x").to_string().as_bytes())]);
    let done = workshop.run_quietly(&["trust", "lint", "good.json", "nowhere.json", "."]);
    assert_eq!(done.code, 2);
    assert!(
        done.stderr.contains("nowhere.json cannot be read") && done.stderr.contains("directory"),
        "{}",
        done.stderr
    );
    std::fs::File::create(workshop.path("project/large.json")).unwrap().set_len((64 << 20) + 1).unwrap();
    let done = workshop.run_quietly(&["trust", "lint", "large.json"]);
    assert!(done.code == 2 && done.stderr.contains("64 MiB"), "{}", done.stderr);
}

#[test]
fn claims_that_cannot_be_read() {
    let good = policy("project_path:*").to_string();
    let explain = |claims: &[u8]| {
        workshop(&[("p.json", good.as_bytes()), ("c.json", claims)])
            .run_quietly(&["trust", "explain", "--cloud", "aws", "--policy", "p.json", "--claims", "c.json"])
    };
    let deep = "[".repeat(1 << 20);
    let deep_claim = format!("{{\"iss\": {}", "[".repeat(1 << 20));
    for (claims, expected) in [
        (b"".as_slice(), "empty"),
        (b"[]", "not an object"),
        (b"1", "not an object"),
        (b"\"x\"", "not an object"),
        (b"null", "not an object"),
        (b"{", "not JSON"),
        (b"\xff", "UTF-8"),
        (deep.as_bytes(), "not JSON"),
        (deep_claim.as_bytes(), "not JSON"),
    ] {
        let done = explain(claims);
        let shown = &done.stderr[..done.stderr.len().min(400)];
        assert_eq!((done.code, done.stdout.as_str()), (2, ""), "{shown}");
        assert!(done.stderr.contains(expected) && done.stderr.contains("c.json"), "{expected}: {shown}");
    }
    let marked = format!("\u{feff}{}", gitlab_claims()).replace(',', ",\r\n");
    assert_eq!(explain(marked.as_bytes()).code, 0);
    // Windows PowerShell's `>`, and the other way around.
    for bytes_of in [u16::to_le_bytes as fn(u16) -> [u8; 2], u16::to_be_bytes] {
        let utf16: Vec<u8> = marked.encode_utf16().flat_map(bytes_of).collect();
        assert_eq!(explain(&utf16).code, 0);
    }
    for odd in
        [json!({}), json!({"iss": 5, "sub": ["x"], "aud": {"a": 1}}), json!({"iss": "https://gitlab.com", "sub": null})]
    {
        assert_eq!(explain(odd.to_string().as_bytes()).code, 1, "{odd}");
    }
}

#[test]
fn one_of_several_is_chosen_and_an_unknown_key_is_a_deny() {
    let two = json!({"Roles": [{"RoleName": "one", "AssumeRolePolicyDocument": policy("project_path:*")}, {"RoleName": "two", "AssumeRolePolicyDocument": policy("x")}]});
    let mut unknown = policy("project_path:*");
    unknown["Statement"][0]["Condition"]["StringEquals"]["gitlab.com:no_such_claim"] = json!("x");
    let workshop = workshop(&[
        ("two.json", two.to_string().as_bytes()),
        ("unknown.json", unknown.to_string().as_bytes()),
        ("stack.yaml", TEMPLATE.as_bytes()),
        ("c.json", gitlab_claims().to_string().as_bytes()),
    ]);
    let explain = |file: &str, more: &[&str]| {
        workshop.run_quietly(&[&["trust", "explain", "--policy", file, "--claims", "c.json"], more].concat())
    };
    let done = explain("two.json", &[]);
    assert!(done.code == 2 && done.stderr.contains("role one; role two"), "{}", done.stderr);
    assert_eq!((explain("two.json", &["--only", "one"]).code, explain("two.json", &["--only", "two"]).code), (0, 1));
    let done = explain("unknown.json", &[]);
    assert!(done.code == 1 && done.stdout.contains("STS makes no condition key of `no_such_claim`"), "{}", done.stdout);
    let done = explain("stack.yaml", &["--only", "Embedded"]);
    assert!(done.code == 1 && done.stdout.contains("gitlab.com:sub"), "{}", done.stdout);
}

#[test]
fn of_a_folder_all_that_holds_trust_is_looked_at() {
    let open = policy("*").to_string();
    let workshop = Workshop::new();
    let lint = |words: &[&str]| workshop.run_quietly(&[&["trust", "lint"], words].concat());
    let write = |name: &str, text: &str| {
        let path = workshop.path("project").join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    write("infra/package.json", "{\"name\": \"x\"}");
    let done = lint(&["infra"]);
    assert_eq!(done.code, 2, "{}", done.stderr);
    assert!(done.stderr.contains("no file in infra holds a trust configuration"), "{}", done.stderr);
    write("infra/roles/deploy.json", &open);
    write("infra/chart/role.yaml", "{{ if .Values.role }}\n- a: {{ b }}\n");
    write("infra/.terraform/role.json", &open);
    let done = lint(&["infra"]);
    assert_eq!(done.code, 1, "{}", done.stderr);
    assert!(done.stdout.contains("where: infra/roles/deploy.json:1: statement 1"), "{}", done.stdout);
    assert!(done.stderr.contains("infra/chart/role.yaml") && done.stderr.contains("it is left out"), "{}", done.stderr);
    assert!(done.stderr.contains(" in 1 file\n") && !done.stdout.contains(".terraform"), "{}", done.stderr);
    write("infra/roles/broken.json", &open.replace("\"Allow\"", "\"Alow\""));
    let done = lint(&["infra"]);
    assert_eq!(done.code, 2, "a policy that is none is no other file: {}", done.stderr);
    assert!(done.stderr.contains("infra/roles/broken.json:1"), "{}", done.stderr);
    assert_eq!(lint(&["--cloud", "asw", "infra"]).code, 2);
    write("policies/permissions.json", PERMISSIONS);
    write(
        "policies/bucket.json",
        r#"{"Statement": [{"Effect": "Allow", "Principal": "*", "Action": ["s3:GetObject"], "Resource": "arn:aws:s3:::b/*"}]}"#,
    );
    assert!(lint(&["policies"]).stderr.contains("no file in policies holds a trust configuration"));
    write("policies/trust.json", &open);
    let done = lint(&["policies"]);
    assert!(done.code == 1 && done.stderr.contains(" in 1 file\n"), "{}", done.stderr);
    // That no role is in a plan or state is what it says.
    write("plans/plan.json", r#"{"format_version": "1.2", "terraform_version": "1.9.0", "resource_changes": []}"#);
    write(
        "plans/terraform.tfstate",
        r#"{"version": 4, "terraform_version": "1.9.0", "serial": 1, "lineage": "x", "resources": []}"#,
    );
    let done = lint(&["plans"]);
    assert!(done.code == 0 && done.stderr.contains("0 findings, 0 left out, in 2 files"), "{}", done.stderr);
}

#[test]
fn what_no_rule_names_is_a_warning() {
    let mut idle = policy("project_path:g/p:ref_type:branch:ref:main");
    idle["Statement"][0]["Condition"]["IpAddress"] = json!({"aws:SourceIp": ["203.0.113.0/33"]});
    idle["Statement"][0]["Condition"]["StringEquals"] = json!({"gitlab.com:aud": []});
    let done = lint(&[("p.json", idle.to_string().as_bytes())]);
    for doubt in
        ["IpAddress aws:SourceIp: `203.0.113.0/33` is no address", "StringEquals gitlab.com:aud: the list is empty"]
    {
        assert!(done.stderr.contains(&format!("warning: p.json: statement 1, {doubt}")), "{}", done.stderr);
    }
    idle["Statement"][0]["Condition"] = json!({"StringLike": {"gitlab.com:sub": []}});
    let done = lint(&[("p.json", idle.to_string().as_bytes())]);
    assert_eq!(found(&done), ["sub-never-matches p.json:1: statement 1, StringLike gitlab.com:sub"]);
}
