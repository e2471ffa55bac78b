//! Adapters that exist for this crate's tests alone.

use async_trait::async_trait;
use federate_core::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub(crate) fn registry() -> Registry {
    Registry::new().with_identity::<FakeIdentity>().with_target::<FakeCloud>()
}
use crate::registry::Registry;

#[derive(Debug)]
pub(crate) struct FakeIdentity;

#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct FakeIdentitySettings {
    /// The issuer.
    issuer: Option<String>,
}

#[async_trait]
impl IdentityProvider for FakeIdentity {
    fn kind(&self) -> &'static str {
        "ci"
    }
    fn detect(&self, context: &Context) -> Detection {
        if context.env.flag("FAKE_CI") { Detection::Here { evidence: "FAKE_CI".into() } } else { Detection::NotHere }
    }
    fn issuer(&self, context: &Context) -> Result<(Issuer, Reach), Error> {
        if context.env.flag("FAKE_ISSUER_UNKNOWN") {
            return Err(Error::new(&codes::SETTING_MISSING, "no issuer").with_setting("issuer"));
        }
        Ok((
            Issuer::parse("https://ci.example").map_err(|what| Error::new(&codes::SETTING_INVALID, what))?,
            Reach::BuiltIn,
        ))
    }
    fn customary_audience(&self, _: &Context) -> Option<String> {
        None
    }
    fn renewal(&self, _: &Context) -> Renewal {
        Renewal::Once
    }
    fn plan(&self, _: &Context, _: &Audiences) -> Result<Vec<Request>, Error> {
        Ok(Vec::new())
    }
    async fn token(&self, _: &Context, _: &Audiences) -> Result<IdToken, Error> {
        Err(Error::new(&codes::TOKEN_MISSING, "none"))
    }
    fn allow(&self, issuer: Issuer, entry: &serde_json::Value) -> Result<ClaimPattern, Vec<Error>> {
        match entry["project"].as_str() {
            Some(project) => Ok(ClaimPattern {
                provider: "ci",
                issuer,
                label: project.to_owned(),
                subjects: vec![Pattern::exact(project)],
                claims: Vec::new(),
                absent: Vec::new(),
            }),
            None => Err(vec![Error::new(&codes::SETTING_INVALID, "no project").with_setting("project")]),
        }
    }
    fn job_variables(&self, _: &Context) -> Vec<String> {
        Vec::new()
    }
    fn mask(&self, _: &Secret) -> Masking {
        Masking::Unsupported
    }
}

impl IdentityAdapter for FakeIdentity {
    const KIND: &'static str = "ci";
    const SUMMARY: &'static str = "a CI system for tests";
    const IMMUTABLE_CLAIMS: &'static [&'static str] = &["project_id"];
    type Settings = FakeIdentitySettings;
    fn new(_: &str, _: FakeIdentitySettings) -> Result<Self, Vec<Error>> {
        Ok(Self)
    }
    fn is_own_host(host: &str) -> bool {
        host == "ci.example"
    }
    fn placeholder_rule(_: &str) -> PlaceholderRule {
        PlaceholderRule::Forbidden
    }
}

#[derive(Debug)]
pub(crate) struct FakeCloud {
    pub(crate) settings: FakeCloudSettings,
}

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct FakeCloudSettings {
    /// Whom to become.
    pub(crate) role: String,
    /// Where.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) region: Option<String>,
    /// For how long.
    #[serde(default = "hour")]
    pub(crate) duration: HumanDuration,
    /// Where to ask.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) endpoint: Option<String>,
    /// Which accounts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) accounts: Option<Vec<String>>,
}

fn hour() -> HumanDuration {
    HumanDuration(std::time::Duration::from_secs(3600))
}

#[async_trait]
impl CloudTarget for FakeCloud {
    fn kind(&self) -> &'static str {
        "cloud"
    }
    fn audiences(&self, _: Option<&str>) -> Audiences {
        // Lets a test see the settings through the trait object.
        Audiences::one(self.settings.role.clone())
    }
    fn permitted(&self, _: &Context, _: &Policy) -> Result<(), Error> {
        Ok(())
    }
    fn plan(&self, _: &Context, _: Option<&IdToken>) -> Result<Vec<Request>, Error> {
        Ok(Vec::new())
    }
    async fn exchange(&self, _: &Context, _: &IdToken) -> Result<Credentials, Error> {
        Ok(Credentials::new("cloud", None))
    }
    async fn whoami(&self, _: &Context, _: &Credentials) -> Result<Principal, Error> {
        Ok(Principal { headline: String::new(), facts: Default::default() })
    }
}

#[derive(Debug)]
struct FakeCommon;

impl Cloud for FakeCommon {
    fn kind(&self) -> &'static str {
        "cloud"
    }
    fn outranking(&self) -> Vec<NamePattern> {
        Vec::new()
    }
    fn environment(&self, _: &Context, _: &[Handover<'_>]) -> Result<ChildEnv, Error> {
        Ok(ChildEnv::default())
    }
    fn from_env(&self, _: &Context, _: &str) -> Result<Option<Credentials>, Error> {
        Ok(None)
    }
}

impl TargetAdapter for FakeCloud {
    const KIND: &'static str = "cloud";
    const SUMMARY: &'static str = "a cloud for tests";
    const FILLS: &'static [(&'static str, &'static str)] = &[("CLOUD_REGION", "region")];
    type Settings = FakeCloudSettings;
    fn new(_: &str, settings: FakeCloudSettings) -> Result<Self, Vec<Error>> {
        if settings.role.contains(' ') {
            Err(vec![Error::new(&codes::SETTING_INVALID, "a role has no spaces").with_setting("role")])
        } else {
            Ok(Self { settings })
        }
    }
    fn cloud() -> &'static dyn Cloud {
        &FakeCommon
    }
    fn is_own_host(host: &str) -> bool {
        host == "cloud.example"
    }
    fn placeholder_rule(key: &str) -> PlaceholderRule {
        match key {
            "endpoint" => PlaceholderRule::Forbidden,
            "role" => PlaceholderRule::ImmutableClaims,
            _ => PlaceholderRule::Any,
        }
    }
}
