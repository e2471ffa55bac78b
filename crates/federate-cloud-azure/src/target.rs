//! One application, and the exchange that signs in as it.

use std::time::SystemTime;

use async_trait::async_trait;
use federate_core::template::is_literal;
use federate_core::{
    Audiences, Cloud, CloudTarget, Code, Context, Credentials, Error, Field, IdToken, KubernetesAccess,
    PlaceholderRule, Policy, Principal, PrincipalLabel, Probe, Reach, Request, Response, TargetAdapter,
};

use crate::clouds::{CloudName, is_own_host};
use crate::endpoint::{Place, authority, join, resource_manager, sandbox};
use crate::environment::AzureCloud;
use crate::response::AccessToken;
use crate::settings::Settings;
use crate::{codes, refusal, response, validate, whoami};

/// The assertion type of RFC 7523 section 2.2.
const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// Which hosts belong to the cloud: what Resource Manager says to anybody.
const METADATA: &str = "metadata/endpoints?api-version=2022-09-01";

/// Both services answer in JSON, a tenant that does not exist included.
fn is_json(answer: &Response) -> bool {
    serde_json::from_slice::<serde_json::Value>(&answer.body).is_ok_and(|body| body.is_object() || body.is_array())
}

/// An Azure application or user-assigned managed identity that trusts the job's ID token.
#[derive(Clone, Debug)]
pub struct Azure {
    settings: Settings,
}

impl Azure {
    fn audience(&self) -> &str {
        self.settings.audience.as_deref().unwrap_or(self.settings.cloud().facts().audience)
    }

    fn scopes(&self) -> Vec<String> {
        match &self.settings.scopes {
            Some(scopes) => scopes.clone(),
            None => vec![format!("{}/.default", resource_manager(&self.settings).url)],
        }
    }

    fn request(&self, place: &Place, scope: &str, token: Option<&IdToken>) -> Result<Request, Error> {
        let known = |text: &str| {
            if is_literal(text) { Field::Plain(text.to_owned()) } else { Field::Later(text.to_owned()) }
        };
        let assertion = match token {
            Some(token) => Field::Secret(token.raw().clone()),
            None => Field::Later("the ID token".to_owned()),
        };
        let fields = [
            ("client_id", known(&self.settings.client_id)),
            ("scope", scope.into()),
            ("grant_type", "client_credentials".into()),
            ("client_assertion_type", JWT_BEARER.into()),
            ("client_assertion", assertion),
        ];
        let url = join(place, &format!("{}/oauth2/v2.0/token", self.settings.tenant_id))?;
        let fields = fields.into_iter().map(|(name, field)| (name.to_owned(), field)).collect();
        Ok(Request::form("client credentials grant", url, place.reach.clone(), fields)
            .with_header("accept", "application/json")
            .with_classify(refusal::classify))
    }

    async fn access_token(&self, context: &Context, token: &IdToken, scope: &str) -> Result<AccessToken, Error> {
        let answer = context.send(&self.request(&authority(&self.settings, context), scope, Some(token))?).await?;
        if answer.status == 200 {
            return response::access_token(&answer, context.host.now());
        }
        Err(refusal::error(&self.settings, self.audience(), scope, token, &answer))
    }

    /// The credentials but for the access token.
    fn without_token(&self, context: &Context, expires: Option<SystemTime>) -> Credentials {
        let (authority_host, resource_manager_url, is_explicit) = self.handed_out(context);
        let credentials = Credentials::new(Self::KIND, expires)
            .with_plain("tenant_id", &self.settings.tenant_id)
            .with_plain("client_id", &self.settings.client_id)
            .with_plain("authority_host", authority_host)
            .with_plain("resource_manager_url", resource_manager_url)
            .with_plain("cloud", self.settings.cloud().facts().name)
            .with_plain("audience", self.audience())
            .with_plain("explicit_hosts", is_explicit.to_string());
        self.own(credentials)
    }

    /// Adds what is this target's alone to what all targets of one exchange have.
    fn own(&self, credentials: Credentials) -> Credentials {
        let credentials = credentials.with_plain("az_login", self.settings.az_login.to_string());
        match &self.settings.subscription_id {
            Some(subscription) => credentials.with_plain("subscription_id", subscription),
            None => credentials.without("subscription_id"),
        }
    }

    /// Authority and Resource Manager as other programs have to be told, and whether they are the cloud's own.
    fn handed_out(&self, context: &Context) -> (String, String, bool) {
        let (authority, manager) = (authority(&self.settings, context), resource_manager(&self.settings));
        match sandbox(context) {
            Some(url) => (url.clone(), url, true),
            None => {
                let is_explicit = authority.reach != Reach::BuiltIn || manager.reach != Reach::BuiltIn;
                (authority.url, manager.url, is_explicit)
            }
        }
    }
}

#[async_trait]
impl CloudTarget for Azure {
    fn kind(&self) -> &'static str {
        Self::KIND
    }

    fn audiences(&self, _customary: Option<&str>) -> Audiences {
        Audiences::one(self.audience())
    }

    fn permitted(&self, context: &Context, policy: &Policy) -> Result<(), Error> {
        for place in [authority(&self.settings, context), resource_manager(&self.settings)] {
            policy.check_url(&join(&place, "")?, &place.reach)?;
        }
        if is_literal(&self.settings.tenant_id) {
            policy.check_tenant(&self.settings.tenant_id).map_err(|error| error.with_setting("tenant_id"))?;
        }
        Ok(())
    }

    fn plan(&self, context: &Context, token: Option<&IdToken>) -> Result<Vec<Request>, Error> {
        let place = authority(&self.settings, context);
        self.scopes().iter().map(|scope| self.request(&place, scope, token)).collect()
    }

    fn probes(&self, context: &Context) -> Result<Vec<Probe>, Error> {
        let authority = authority(&self.settings, context);
        let manager = resource_manager(&self.settings);
        let tenant = if is_literal(&self.settings.tenant_id) { self.settings.tenant_id.as_str() } else { "common" };
        let discovery = join(&authority, &format!("{tenant}/v2.0/.well-known/openid-configuration"))?;
        let metadata = join(&manager, METADATA)?;
        let probe = |what: &str, url, reach| Probe { request: Request::get(what, url, reach), is_its_own: is_json };
        Ok(vec![
            probe("Entra's discovery document", discovery, authority.reach),
            probe("Resource Manager's metadata", metadata, manager.reach),
        ])
    }

    fn foreseen(&self, context: &Context) -> Option<Credentials> {
        Some(self.without_token(context, None))
    }

    async fn exchange(&self, context: &Context, token: &IdToken) -> Result<Credentials, Error> {
        self.permitted(context, &context.policy)?;
        let place = authority(&self.settings, context);
        if place.reach != Reach::BuiltIn {
            context.reporter.note(&format!("Entra is asked at {}, not at the cloud's own authority", place.url));
        }
        let mut first: Option<AccessToken> = None;
        for scope in self.scopes() {
            let access = self.access_token(context, token, &scope).await?;
            first.get_or_insert(access);
        }
        let mut credentials = self.without_token(context, first.as_ref().map(|access| access.expires));
        if let Some(access) = first {
            credentials = credentials.with_secret("access_token", access.token);
        }
        Ok(credentials)
    }

    fn exchange_key(&self, _context: &Context) -> Option<String> {
        // The subscription is only handed on, and so is the wish to log az in.
        let decides = Settings { subscription_id: None, az_login: false, ..self.settings.clone() };
        serde_json::to_string(&decides).ok()
    }

    fn rebind(&self, credentials: Credentials) -> Credentials {
        self.own(credentials)
    }

    fn place(&self) -> federate_core::Place {
        federate_core::Place { account: self.settings.subscription_id.clone(), region: None }
    }

    async fn exchange_for(&self, context: &Context, token: &IdToken, resource: &str) -> Result<Credentials, Error> {
        self.permitted(context, &context.policy)?;
        let scope = if resource.ends_with("/.default") { resource.to_owned() } else { format!("{resource}/.default") };
        let access = self.access_token(context, token, &scope).await?;
        Ok(Credentials::new(Self::KIND, Some(access.expires))
            .with_plain("client_id", &self.settings.client_id)
            .with_secret("access_token", access.token))
    }

    async fn whoami(&self, context: &Context, credentials: &Credentials) -> Result<Principal, Error> {
        let manager = resource_manager(&self.settings);
        let scope = format!("{}/.default", manager.url);
        if let Some(access) = credentials.secret("access_token") {
            let is_for_manager = self.scopes().first().is_some_and(|first| *first == scope);
            return whoami::principal(context, &manager, access, credentials.expires, is_for_manager).await;
        }
        // Inside `federate exec` the child holds the ID token, as Azure's SDKs want it; who it makes of it is asked anew.
        let raw = credentials.secret("id_token").cloned().ok_or_else(|| {
            Error::new(&federate_core::codes::USAGE, "these are not the credentials of an Azure application")
                .with_help("run the command inside `federate exec`")
        })?;
        let token = IdToken::parse(raw, "AZURE_FEDERATED_TOKEN_FILE")?;
        let access = self.access_token(context, &token, &scope).await?;
        whoami::principal(context, &manager, &access.token, Some(access.expires), true).await
    }

    fn kubernetes(&self) -> Option<&dyn KubernetesAccess> {
        Some(self)
    }

    fn principals(&self) -> Vec<PrincipalLabel> {
        let cloud = match self.settings.cloud() {
            CloudName::Public => String::new(),
            other => format!(" ({})", other.facts().name),
        };
        vec![PrincipalLabel {
            place: format!("Azure tenant {}{cloud}", self.settings.tenant_id),
            noun: "application",
            name: self.settings.client_id.clone(),
            id: self.settings.client_id.clone(),
            detail: self.settings.subscription_id.as_ref().map(|id| format!("subscription {id}")),
        }]
    }
}

impl TargetAdapter for Azure {
    const KIND: &'static str = "azure";
    const SUMMARY: &'static str =
        "an Azure application or managed identity: Entra's client credentials grant with the ID token as assertion";
    const FILLS: &'static [(&'static str, &'static str)] = &[
        ("AZURE_TENANT_ID", "tenant_id"),
        ("ARM_TENANT_ID", "tenant_id"),
        ("AZURE_CLIENT_ID", "client_id"),
        ("ARM_CLIENT_ID", "client_id"),
        ("AZURE_SUBSCRIPTION_ID", "subscription_id"),
        ("ARM_SUBSCRIPTION_ID", "subscription_id"),
    ];
    const ENDPOINT_KEYS: &'static [&'static str] = &["authority_host", "resource_manager_url"];
    type Settings = Settings;

    fn new(_name: &str, settings: Settings) -> Result<Self, Vec<Error>> {
        let problems = validate::problems(&settings);
        if problems.is_empty() { Ok(Self { settings }) } else { Err(problems) }
    }

    fn cloud() -> &'static dyn Cloud {
        &AzureCloud
    }

    fn is_own_host(host: &str) -> bool {
        is_own_host(host)
    }

    fn placeholder_rule(key: &str) -> PlaceholderRule {
        match key {
            "tenant_id" | "client_id" | "subscription_id" => PlaceholderRule::ImmutableClaims,
            _ => PlaceholderRule::Forbidden,
        }
    }

    const CODES: &'static [&'static Code] = codes::ALL;
}

/// The cloud that a name in some credentials stands for.
pub(crate) fn cloud_named(credentials: &Credentials) -> CloudName {
    credentials.plain("cloud").and_then(CloudName::by_name).unwrap_or_default()
}

#[cfg(test)]
pub(crate) mod tests;
