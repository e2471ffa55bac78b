//! A Bicep file: a user-assigned managed identity with its credentials.

use federate_core::Error;
use federate_trust::TRUST_NOT_EXPRESSIBLE;
use federate_trust::render::{Node, map, quote};

use super::plan::Plan;

pub(super) fn file(plan: &Plan) -> Result<String, Vec<Error>> {
    // An entry whose ids stand in the immutable subject needs no flexible credential for that form of it.
    let has_classic = |description: &str| plan.classic().any(|(made, _)| made.description == description);
    let (left_out, flexible): (Vec<&str>, Vec<&str>) =
        plan.flexible().map(|(made, _)| made.description.as_str()).partition(|description| has_classic(description));
    if !flexible.is_empty() {
        return Err(vec![
            Error::new(
                &TRUST_NOT_EXPRESSIBLE,
                format!("managed identities have no flexible credentials, which `{}` needs", flexible.join("`, `")),
            )
            .with_help("use an application, with -f az-cli or -f azure-terraform, or name every branch"),
        ]);
    }
    let credentials = plan.classic().map(|(made, subject)| {
        map([
            ("name", made.name.as_str().into()),
            ("issuer", made.issuer.as_str().into()),
            ("subject", subject.into()),
            ("audience", made.audience.as_str().into()),
        ])
    });
    let list = Node::List(credentials.collect()).bicep(0);
    let name: String =
        plan.target.chars().map(|one| if one.is_ascii_alphanumeric() || one == '_' { one } else { '-' }).collect();
    let properties = map([
        ("issuer", Node::Code("credential.issuer".to_owned())),
        ("subject", Node::Code("credential.subject".to_owned())),
        ("audiences", Node::List(vec![Node::Code("credential.audience".to_owned())])),
    ]);
    let properties = properties.bicep(2);
    let left_out: String = left_out
        .iter()
        .map(|description| {
            let entry = quote::comment(description);
            format!(
                "// Tokens of `{entry}` with a subject without ids stay outside: that takes a flexible credential.\n"
            )
        })
        .collect();
    Ok(format!(
        "// CI jobs of federate target {target} become this user-assigned managed identity. Its client id, which is printed,\n\
         // has to be client_id of the target; at generation that was {client}.\n\
         // az deployment group create --resource-group NAME --template-file main.bicep\n{left_out}\n\
         @description('The managed identity.')\nparam identityName string = {name}\n\n\
         @description('false where it exists already.')\nparam createIdentity bool = true\n\n\
         param location string = resourceGroup().location\n\n\
         @description('What it may do in this resource group: the GUID of a role definition. Nothing while this is empty.')\n\
         param roleDefinitionGuid string = ''\n\n\
         var credentials = {list}\n\n\
         resource made 'Microsoft.ManagedIdentity/userAssignedIdentities@2023-01-31' = if (createIdentity) {{\n  name: identityName\n  location: location\n}}\n\n\
         resource identity 'Microsoft.ManagedIdentity/userAssignedIdentities@2023-01-31' existing = {{\n  name: identityName\n}}\n\n\
         // One after the other: Entra refuses concurrent changes of one identity.\n\
         @batchSize(1)\n\
         resource federated 'Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials@2023-01-31' = [for credential in credentials: {{\n  parent: identity\n  name: credential.name\n  properties: {properties}\n  dependsOn: [\n    made\n  ]\n}}]\n\n\
         resource assignment 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (!empty(roleDefinitionGuid)) {{\n  name: guid(resourceGroup().id, identityName, roleDefinitionGuid)\n  properties: {{\n    principalId: identity.properties.principalId\n    principalType: 'ServicePrincipal'\n    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roleDefinitionGuid)\n  }}\n  dependsOn: [\n    made\n  ]\n}}\n\n\
         output clientId string = identity.properties.clientId\noutput principalId string = identity.properties.principalId\n",
        target = quote::comment(&plan.target),
        client = quote::comment(&plan.settings.client_id),
        name = quote::bicep(&name),
    ))
}
