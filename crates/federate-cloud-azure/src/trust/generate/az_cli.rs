//! A script for the az CLI. It may run again: what is there already is brought to the state that it describes.

use federate_trust::render::{Node, quote};

use super::credentials::Told;
use super::plan::Plan;
use crate::clouds::CloudName;

pub(super) fn script(plan: &Plan) -> String {
    let settings = &plan.settings;
    let graph = match settings.cloud() {
        CloudName::Public => "https://graph.microsoft.com",
        CloudName::UsGovernment => "https://graph.microsoft.us",
        CloudName::China => "https://microsoftgraph.chinacloudapi.cn",
    };
    let scope = settings.subscription_id.as_ref().map(|id| format!("/subscriptions/{id}")).unwrap_or_default();
    let texts = plan.classic().flat_map(|(made, subject)| [subject, made.audience.as_str()]);
    let literal = quote::sh_literal(texts);
    let mut text = format!(
        "#!/usr/bin/env bash\n{literal}# CI jobs of federate target {target} become the application or managed identity {client}.\n\
         # Needs the az CLI, signed in to the tenant {tenant} as someone who may change the application. May run again.\n\
         # ROLE=Reader SCOPE=/subscriptions/ID/resourceGroups/NAME gives it a role there; without ROLE it gets none.\n\
         set -euo pipefail\n\nclient_id={client_quoted}\ntenant_id={tenant_quoted}\nrole=${{ROLE:-}}\nscope=${{SCOPE:-{scope}}}\n\n",
        target = quote::comment(&plan.target),
        client = quote::comment(&settings.client_id),
        tenant = quote::comment(&settings.tenant_id),
        client_quoted = quote::sh(&settings.client_id),
        tenant_quoted = quote::sh(&settings.tenant_id),
    );
    if crate::validate::is_guid(&settings.tenant_id) {
        text.push_str(
            "signed_in=$(az account show --query tenantId --output tsv)\n\
             if [ \"$signed_in\" != \"$tenant_id\" ]; then\n  \
             echo \"the application is in the tenant $tenant_id, and az is signed in to $signed_in\" >&2\n  exit 1\nfi\n\n",
        );
    }
    text.push_str(FIND);
    // What a managed identity cannot have is found out before anything is made.
    if plan.flexible().next().is_some() {
        text.push_str(&FLEXIBLE.replace("GRAPH", graph));
    }
    if plan.classic().next().is_some() {
        text.push_str(CLASSIC);
    }
    for made in &plan.credentials {
        let changes = Node::Map(made.changes()).json();
        let name = quote::sh(&made.name);
        text.push_str(&format!("\n# {}\n", quote::comment(&made.description)));
        text.push_str(&document("body", &made.node().json()));
        match &made.test {
            Told::Subject(subject) => text.push_str(&format!(
                "classic {name} \"$body\" {} {} {}\n",
                quote::sh(&made.issuer),
                quote::sh(subject),
                quote::sh(&made.audience)
            )),
            Told::Expression(_) => {
                text.push_str(&document("changes", &changes));
                text.push_str(&format!("flexible {name} \"$body\" \"$changes\"\n"));
            }
        }
    }
    text.push_str(ROLE);
    text
}

/// A variable that holds a document. JSON escapes every line break inside its texts, so none of its lines can be the end
/// mark.
fn document(name: &str, json: &str) -> String {
    format!("IFS= read -r -d '' {name} <<'JSON' || true\n{json}JSON\n")
}

const FIND: &str = r#"# An application, or else a user-assigned managed identity of the subscription that az works on.
identity='' group=''
if ! az ad app show --id "$client_id" --output none 2>/dev/null; then
  identity=$(az identity list --query "[?clientId=='$client_id'].name | [0]" --output tsv)
  group=$(az identity list --query "[?clientId=='$client_id'].resourceGroup | [0]" --output tsv)
  if [ -z "$identity" ]; then
    echo "there is neither an application nor a managed identity with the client id $client_id" >&2
    exit 1
  fi
fi
"#;

const CLASSIC: &str = r#"
# name, document, issuer, subject, audience
classic() {
  if [ -n "$identity" ]; then
    az identity federated-credential create --name "$1" --identity-name "$identity" --resource-group "$group" \
      --issuer "$3" --subject "$4" --audiences "$5" --output none
  elif az ad app federated-credential show --id "$client_id" --federated-credential-id "$1" --output none 2>/dev/null; then
    az ad app federated-credential update --id "$client_id" --federated-credential-id "$1" --parameters "$2" --output none
  else
    az ad app federated-credential create --id "$client_id" --parameters "$2" --output none
  fi
}
"#;

const FLEXIBLE: &str = r#"
if [ -n "$identity" ]; then
  echo "$client_id is the managed identity $identity of $group, and those have no flexible credentials: use an application" >&2
  exit 1
fi

# name, document, document without the name; az has no command for flexible credentials, which are in preview.
flexible() {
  local url="GRAPH/beta/applications(appId='$client_id')/federatedIdentityCredentials" id
  id=$(az rest --method get --url "$url" --query "value[?name=='$1'].id | [0]" --output tsv)
  if [ -n "$id" ]; then
    az rest --method patch --url "$url/$id" --headers Content-Type=application/json --body "$3" --output none
  else
    az rest --method post --url "$url" --headers Content-Type=application/json --body "$2" --output none
  fi
}
"#;

const ROLE: &str = r#"
if [ -n "$role" ]; then
  if [ -z "$scope" ]; then
    echo "ROLE needs a SCOPE" >&2
    exit 1
  fi
  given=$(az role assignment list --assignee "$client_id" --role "$role" --scope "$scope" --query '[0].id' --output tsv)
  if [ -z "$given" ]; then
    az role assignment create --assignee "$client_id" --role "$role" --scope "$scope" --output none
  fi
fi

echo "$client_id"
"#;
