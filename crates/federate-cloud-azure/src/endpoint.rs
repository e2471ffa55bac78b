//! Where Entra and Resource Manager are asked.

use federate_core::{Context, Error, Reach, codes};
use url::Url;

use crate::settings::Settings;

/// Set by `federate sandbox` for its command: the address that plays every host.
const SANDBOX: &str = "FEDERATE_SANDBOX_URL";

/// A host and who named it.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    /// Without a trailing slash.
    pub(crate) url: String,
    pub(crate) reach: Reach,
}

/// The profile's `authority_host`, else its `cloud`, else `AZURE_AUTHORITY_HOST`, else the public cloud.
pub(crate) fn authority(settings: &Settings, context: &Context) -> Place {
    let place = |url: &str, reach| Place { url: url.trim_end_matches('/').to_owned(), reach };
    match (&settings.authority_host, settings.cloud, context.env.get("AZURE_AUTHORITY_HOST")) {
        (Some(host), ..) => place(host, Reach::Setting("authority_host".to_owned())),
        (None, None, Some(host)) => {
            let url = if host.contains("://") { host.to_owned() } else { format!("https://{host}") };
            let is_builtin = url.trim_end_matches('/') == settings.cloud().facts().authority;
            place(&url, if is_builtin { Reach::BuiltIn } else { Reach::Environment("AZURE_AUTHORITY_HOST".to_owned()) })
        }
        _ => place(settings.cloud().facts().authority, Reach::BuiltIn),
    }
}

/// The profile's `resource_manager_url`, else the cloud's.
pub(crate) fn resource_manager(settings: &Settings) -> Place {
    match &settings.resource_manager_url {
        Some(url) => Place {
            url: url.trim_end_matches('/').to_owned(),
            reach: Reach::Setting("resource_manager_url".to_owned()),
        },
        None => Place { url: settings.cloud().facts().resource_manager.to_owned(), reach: Reach::BuiltIn },
    }
}

/// In the sandbox, the address that other programs have to be given instead of a cloud's own host.
pub(crate) fn sandbox(context: &Context) -> Option<String> {
    let url = context.env.get(SANDBOX).filter(|_| context.policy.rerouted)?;
    Some(url.trim_end_matches('/').to_owned())
}

/// A URL below a place.
pub(crate) fn join(place: &Place, path: &str) -> Result<Url, Error> {
    Url::parse(&format!("{}/{path}", place.url)).map_err(|_| {
        let error = Error::new(&codes::SETTING_INVALID, format!("`{}` is not the address of a host", place.url))
            .with_help("write it like https://login.microsoftonline.com");
        match &place.reach {
            Reach::Setting(key) => error.with_setting(key.clone()),
            Reach::Environment(name) => error.with_origin(format!("environment variable {name}")),
            Reach::BuiltIn | Reach::Ci => error,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use federate_core::testing::fixture;
    use serde_json::json;

    fn asked(changes: serde_json::Value, variables: &[(&str, &str)]) -> (String, Reach) {
        let mut settings = json!({"tenant_id": "t.example", "client_id": "c"});
        for (key, value) in changes.as_object().unwrap() {
            settings[key] = value.clone();
        }
        let place = authority(&serde_json::from_value(settings).unwrap(), &fixture(variables, |_| false).context);
        (place.url, place.reach)
    }

    #[test]
    fn precedence() {
        let variable = [("AZURE_AUTHORITY_HOST", "https://login.example/")];
        assert_eq!(asked(json!({}), &[]), ("https://login.microsoftonline.com".into(), Reach::BuiltIn));
        assert_eq!(
            asked(json!({}), &variable),
            ("https://login.example".into(), Reach::Environment("AZURE_AUTHORITY_HOST".into()))
        );
        assert_eq!(
            asked(json!({"cloud": "china"}), &variable),
            ("https://login.chinacloudapi.cn".into(), Reach::BuiltIn)
        );
        assert_eq!(
            asked(json!({"cloud": "china", "authority_host": "https://own.example/"}), &variable).0,
            "https://own.example"
        );
        assert_eq!(asked(json!({}), &[("AZURE_AUTHORITY_HOST", "login.microsoftonline.com")]).1, Reach::BuiltIn);
    }
}
