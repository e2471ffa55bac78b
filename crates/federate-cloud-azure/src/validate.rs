//! Settings against Entra's own rules, before anything is sent.

use federate_core::template::is_literal;
use federate_core::{Error, codes};
use url::Url;

use crate::settings::Settings;

/// Every problem; texts in which placeholders still stand are looked at once these are filled.
pub(crate) fn problems(settings: &Settings) -> Vec<Error> {
    let mut errors = Vec::new();
    let mut fail = |key: &str, what: String, help: &str| {
        errors.push(Error::new(&codes::SETTING_INVALID, what).with_setting(key).with_help(help))
    };
    let tenant = settings.tenant_id.as_str();
    if is_literal(tenant) {
        if ["common", "organizations", "consumers"].contains(&tenant) {
            fail(
                "tenant_id",
                format!("`{tenant}` is no tenant: a job signs in to one tenant, not to whichever the user has"),
                "write the tenant's id",
            );
        } else if !is_guid(tenant) && !is_domain(tenant) {
            fail(
                "tenant_id",
                format!("`{tenant}` is neither a tenant id nor a domain"),
                "write the id, like 00000000-0000-0000-0000-000000000001, or a verified domain",
            );
        }
    }
    if is_literal(&settings.client_id) && !is_guid(&settings.client_id) {
        fail(
            "client_id",
            format!("`{}` is not a client id", settings.client_id),
            "write the application (client) id, a GUID; not its name, not its object id",
        );
    }
    if let Some(id) = settings.subscription_id.as_deref().filter(|id| is_literal(id) && !is_guid(id)) {
        fail("subscription_id", format!("`{id}` is not a subscription id"), "write the id, a GUID; not its name");
    }
    for (key, value) in
        [("authority_host", &settings.authority_host), ("resource_manager_url", &settings.resource_manager_url)]
    {
        let Some(text) = value else { continue };
        let origin = Url::parse(text).ok().filter(|url| {
            url.has_host() && url.path() == "/" && url.query().is_none() && matches!(url.scheme(), "https" | "http")
        });
        if origin.is_none() {
            fail(
                key,
                format!("`{text}` is not the address of a host"),
                "write it like https://login.microsoftonline.com, without a path",
            );
        }
    }
    if settings.scopes.as_ref().is_some_and(Vec::is_empty) {
        fail("scopes", "`scopes` is empty".to_owned(), "leave it out for Resource Manager's, or name one");
    }
    for (index, scope) in settings.scopes.iter().flatten().enumerate() {
        if !scope.ends_with("/.default") || scope.contains(' ') || scope.len() < 11 {
            fail(
                &format!("scopes.{index}"),
                format!("`{scope}` is not a scope of an application"),
                "write RESOURCE/.default, one resource each, like https://management.azure.com/.default",
            );
        }
    }
    if settings.audience.as_deref() == Some("") {
        fail("audience", "`audience` is empty".to_owned(), "leave it out for the default");
    }
    errors
}

pub(crate) fn is_guid(text: &str) -> bool {
    let parts: Vec<usize> = text
        .split('-')
        .map(|part| if part.bytes().all(|byte| byte.is_ascii_hexdigit()) { part.len() } else { 0 })
        .collect();
    parts == [8, 4, 4, 4, 12]
}

fn is_domain(text: &str) -> bool {
    text.contains('.')
        && text
            .split('.')
            .all(|label| !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn found(changes: serde_json::Value) -> Vec<String> {
        let mut settings = json!({"tenant_id": "00000000-0000-0000-0000-000000000001", "client_id": "00000000-0000-0000-0000-000000000002"});
        for (key, value) in changes.as_object().unwrap() {
            settings[key] = value.clone();
        }
        problems(&serde_json::from_value(settings).unwrap())
            .iter()
            .map(|error| format!("{}: {}", error.setting().unwrap(), error.what()))
            .collect()
    }

    #[test]
    fn good_settings_have_no_problems() {
        assert!(found(json!({})).is_empty());
        assert!(found(json!({"tenant_id": "contoso.onmicrosoft.com", "client_id": "{env:CLIENT}", "authority_host": "https://login.example/"})).is_empty());
    }

    #[test]
    fn each_mistake_names_its_key() {
        for (changes, part) in [
            (json!({"tenant_id": "common"}), "tenant_id: `common` is no tenant"),
            (json!({"tenant_id": "contoso"}), "tenant_id: "),
            (json!({"tenant_id": "a/../b.c"}), "tenant_id: "),
            (json!({"client_id": "my-app"}), "client_id: "),
            (json!({"subscription_id": "prod"}), "subscription_id: "),
            (json!({"authority_host": "https://login.example/tenant"}), "authority_host: "),
            (json!({"resource_manager_url": "nonsense"}), "resource_manager_url: "),
            (json!({"scopes": []}), "scopes: "),
            (json!({"scopes": ["https://management.azure.com/user_impersonation"]}), "scopes.0: "),
            (json!({"scopes": ["https://a/.default https://b/.default"]}), "scopes.0: "),
        ] {
            let found = found(changes.clone());
            assert!(found.iter().any(|line| line.starts_with(part)), "{changes}: {found:?}");
        }
    }
}
