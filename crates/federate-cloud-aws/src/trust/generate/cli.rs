//! A script for the AWS CLI. It may run again: what is there already is brought to the state that it describes.

use federate_trust::Artifact;
use federate_trust::render::{map, quote, texts};

use super::plan::{Plan, Provider, Role};

pub(super) fn files(plan: &Plan) -> Vec<Artifact> {
    plan.files().map(|role| Artifact::script(role.file("setup.sh"), script(plan, role))).collect()
}

fn script(plan: &Plan, role: &Role) -> String {
    let providers = if role.is_first() { plan.providers.as_slice() } else { &[] };
    let audiences = providers.iter().flat_map(|provider| &provider.audiences);
    let literal = quote::sh_literal(audiences.map(String::as_str));
    let mut text = format!(
        "#!/usr/bin/env bash\n{literal}# {} ({}).\n# Needs the AWS CLI, signed in to the account {} as someone who may change IAM. May run again.\nset -euo pipefail\n\n",
        quote::comment(&role.description),
        quote::comment(&role.arn),
        role.account
    );
    text.push_str(&format!(
        "account={}\nrole={}\npath={}\ndescription={}\n",
        quote::sh(&role.account),
        quote::sh(&role.name),
        quote::sh(&role.path),
        quote::sh(&role.description)
    ));
    text.push_str(&format!("policy={}\n", quote::sh(&role.permissions_name())));
    text.push_str(&format!(
        "policy_arn={}\n\n",
        quote::sh(&format!(
            "arn:{}:iam::{}:policy{}{}",
            role.partition,
            role.account,
            role.path,
            role.permissions_name()
        ))
    ));
    for (name, policy) in [("trust", role.trust_policy()), ("permissions", role.permissions.clone())] {
        text.push_str(&document(name, &policy.json()));
        text.push('\n');
    }
    text.push_str(
        "signed_in=$(aws sts get-caller-identity --query Account --output text)\n\
         if [ \"$signed_in\" != \"$account\" ]; then\n  \
         echo \"the role belongs into the account $account, and the AWS CLI is signed in to $signed_in\" >&2\n  exit 1\nfi\n\n\
         # Whether the command says that there is no such thing; every other failure ends the script.\n\
         is_missing() {\n  local said\n  if said=$(\"$@\" 2>&1 >/dev/null); then return 1; fi\n  \
         if [[ $said == *NoSuchEntity* ]]; then return 0; fi\n  echo \"$said\" >&2\n  exit 1\n}\n",
    );
    for provider in providers {
        text.push_str(&identity_provider(role, provider));
    }
    text.push_str(&role_commands(role));
    text.push_str(&permission_commands(role));
    text.push_str(&format!("\necho {}\n", quote::sh(&role.arn)));
    text
}

/// A variable that holds a document. JSON escapes every line break inside its texts, so none of its lines can be the end
/// mark.
fn document(name: &str, json: &str) -> String {
    format!("IFS= read -r -d '' {name} <<'JSON' || true\n{json}JSON\n")
}

/// The audiences stand in JSON: version 1 of the AWS CLI fetches what an argument with `https://` names.
fn identity_provider(role: &Role, provider: &Provider) -> String {
    let arn = role.provider_arn(&provider.issuer);
    let quoted = quote::sh(&arn);
    let new =
        map([("Url", format!("https://{}", provider.issuer).into()), ("ClientIDList", texts(&provider.audiences))]);
    let mut text = format!(
        "\n# The identity provider {issuer}, which the account may have already. IAM finds its thumbprint itself.\n\
         if is_missing aws iam get-open-id-connect-provider --open-id-connect-provider-arn {quoted}; then\n{document}  \
         aws iam create-open-id-connect-provider --cli-input-json \"$provider\" >/dev/null\nelse\n",
        issuer = quote::comment(&provider.issuer),
        document = document("provider", &new.json()),
    );
    text.push_str(&format!(
        "  known=$(aws iam get-open-id-connect-provider --open-id-connect-provider-arn {quoted} --query ClientIDList --output text)\n"
    ));
    for audience in &provider.audiences {
        let more = map([("OpenIDConnectProviderArn", arn.as_str().into()), ("ClientID", audience.as_str().into())]);
        text.push_str(&format!(
            "  audience={}\n  if [[ $'\\t'$known$'\\t' != *$'\\t'\"$audience\"$'\\t'* ]]; then\n{}    \
             aws iam add-client-id-to-open-id-connect-provider --cli-input-json \"$more\"\n  fi\n",
            quote::sh(audience),
            document("more", &more.json())
        ));
    }
    text.push_str("fi\n");
    text
}

fn role_commands(role: &Role) -> String {
    format!(
        "\nif is_missing aws iam get-role --role-name \"$role\"; then\n  \
         aws iam create-role --role-name \"$role\" --path \"$path\" --description \"$description\" \\\n    \
         --max-session-duration {0} --assume-role-policy-document \"$trust\" >/dev/null\nelse\n  \
         aws iam update-assume-role-policy --role-name \"$role\" --policy-document \"$trust\"\n  \
         aws iam update-role --role-name \"$role\" --description \"$description\" --max-session-duration {0} >/dev/null\nfi\n",
        role.max_session
    )
}

fn permission_commands(role: &Role) -> String {
    let about = if role.is_placeholder {
        "What the role may do. As generated, nothing: replace the statement by what the jobs need"
    } else {
        "What the role may do, as the profile says"
    };
    let mut text = format!(
        "\n# {about}. A policy that is there already stays as it is.\n\
         if is_missing aws iam get-policy --policy-arn \"$policy_arn\"; then\n  \
         aws iam create-policy --policy-name \"$policy\" --path \"$path\" --policy-document \"$permissions\" >/dev/null\nfi\n\
         aws iam attach-role-policy --role-name \"$role\" --policy-arn \"$policy_arn\"\n"
    );
    for arn in &role.managed {
        text.push_str(&format!("aws iam attach-role-policy --role-name \"$role\" --policy-arn {}\n", quote::sh(arn)));
    }
    text
}
