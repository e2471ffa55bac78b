//! A Terraform module, which OpenTofu takes as well.

use federate_trust::render::hcl::{self, Body, Item};
use federate_trust::render::{Node, texts};

use super::plan::Plan;

pub(super) fn module(plan: &Plan) -> String {
    let settings = &plan.settings;
    let mut body: Body = vec![
        Item::Comment(format!(
            "CI jobs of federate target {} become the application {}.",
            plan.target, settings.client_id
        )),
        Item::Blank,
        hcl::requirements(&[
            // The first with flexible credentials beside the classic ones.
            ("azuread", "hashicorp/azuread", ">= 3.7"),
            ("azurerm", "hashicorp/azurerm", ">= 4.0"),
        ]),
        Item::Blank,
        Item::block("provider \"azuread\"", vec![Item::set("tenant_id", settings.tenant_id.as_str())]),
        Item::Blank,
    ];
    let mut azurerm = vec![Item::set("tenant_id", settings.tenant_id.as_str())];
    azurerm.extend(settings.subscription_id.as_deref().map(|id| Item::set("subscription_id", id)));
    azurerm.extend([Item::Blank, Item::block("features", Vec::new())]);
    body.extend([
        Item::block("provider \"azurerm\"", azurerm),
        Item::Blank,
        Item::block(
            "variable \"role_assignments\"",
            vec![
                Item::set(
                    "description",
                    "What the application may do: roles by the scope that they are given in. As generated, nothing.",
                ),
                Item::code("type", "map(string)"),
                Item::Set("default".to_owned(), Node::Map(Vec::new())),
            ],
        ),
        Item::Blank,
        Item::block("data \"azuread_application\" \"this\"", vec![Item::set("client_id", settings.client_id.as_str())]),
        Item::Blank,
        Item::block(
            "data \"azuread_service_principal\" \"this\"",
            vec![Item::set("client_id", settings.client_id.as_str())],
        ),
        Item::Blank,
    ]);
    body.extend(credentials(plan));
    body.extend([
        Item::block(
            "resource \"azurerm_role_assignment\" \"this\"",
            vec![
                Item::code("for_each", "var.role_assignments"),
                Item::Blank,
                Item::code("scope", "each.key"),
                Item::code("role_definition_name", "each.value"),
                Item::code("principal_id", "data.azuread_service_principal.this.object_id"),
                Item::set("principal_type", "ServicePrincipal"),
            ],
        ),
        Item::Blank,
        Item::block(
            "output \"client_id\"",
            vec![
                Item::set("description", "What client_id of the profile's target has to be."),
                Item::code("value", "data.azuread_application.this.client_id"),
            ],
        ),
    ]);
    hcl::file(&body)
}

fn credentials(plan: &Plan) -> Body {
    let mut body = Vec::new();
    for (made, subject) in plan.classic() {
        body.extend([
            Item::block(
                format!("resource \"azuread_application_federated_identity_credential\" \"{}\"", made.name),
                vec![
                    Item::code("application_id", "data.azuread_application.this.id"),
                    Item::set("display_name", made.name.as_str()),
                    Item::set("description", made.description.as_str()),
                    Item::set("issuer", made.issuer.as_str()),
                    Item::set("subject", subject),
                    Item::Set("audiences".to_owned(), texts(&[&made.audience])),
                ],
            ),
            Item::Blank,
        ]);
    }
    for (made, expression) in plan.flexible() {
        body.extend([
            Item::block(
                format!("resource \"azuread_application_flexible_federated_identity_credential\" \"{}\"", made.name),
                vec![
                    Item::code("application_id", "data.azuread_application.this.id"),
                    Item::set("display_name", made.name.as_str()),
                    Item::set("description", made.description.as_str()),
                    Item::set("issuer", made.issuer.as_str()),
                    Item::set("audience", made.audience.as_str()),
                    Item::set("claims_matching_expression", expression),
                ],
            ),
            Item::Blank,
        ]);
    }
    body
}
