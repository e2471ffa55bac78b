//! One role, and the way to it.

use async_trait::async_trait;
use federate_core::http::classify_by_status;
use federate_core::template::is_literal;
use federate_core::{
    Audiences, Cloud, CloudTarget, Code, Context, Credentials, Error, IdToken, KubernetesAccess, Place,
    PlaceholderRule, Policy, Principal, PrincipalLabel, Probe, Reach, Request, TargetAdapter, codes as core_codes,
};
use serde_json::{Map, json};

use crate::endpoint::{Endpoint, resolve};
use crate::environment::AwsCloud;
use crate::refusal::Asked;
use crate::requests::{Keys, assume_role, caller_identity, signed, web_identity};
use crate::response::SessionCredentials;
use crate::settings::Settings;
use crate::{codes, partition, principal, refusal, response, validate};

/// The audience of the providers that ask for none of their own.
pub(crate) const AUDIENCE: &str = "sts.amazonaws.com";

/// An AWS role, reached by the job's ID token and, with a chain, from role to role.
#[derive(Clone, Debug)]
pub struct Aws {
    pub(crate) settings: Settings,
}

/// The account in an ARN.
fn account(arn: &str) -> Option<&str> {
    arn.split(':').nth(4).filter(|account| !account.is_empty())
}

impl Aws {
    fn endpoint(&self, context: &Context) -> Result<Endpoint, Error> {
        resolve(&self.settings, context)
    }

    /// The endpoint that is about to be asked; says so where it is not AWS's own.
    fn announced_endpoint(&self, context: &Context) -> Result<Endpoint, Error> {
        let endpoint = self.endpoint(context)?;
        if endpoint.reach != Reach::BuiltIn {
            context.reporter.note(&format!("STS is asked at {}, not at AWS's own endpoint", endpoint.url));
        }
        Ok(endpoint)
    }

    /// The role that comes out at the end, and its key.
    fn last_role(&self) -> (&str, String) {
        match self.settings.chain.iter().enumerate().next_back() {
            Some((index, hop)) => (&hop.role_arn, format!("chain.{index}.role_arn")),
            None => (&self.settings.role_arn, "role_arn".to_owned()),
        }
    }

    fn check_account(&self, policy: &Policy, account: &str, setting: &str) -> Result<(), Error> {
        if let Some(allowed) = &self.settings.allowed_account_ids
            && !allowed.iter().any(|entry| entry == account)
        {
            return Err(Error::new(
                &core_codes::ACCOUNT_NOT_ALLOWED,
                format!("the role is in account {account}, and `allowed_account_ids` has only {}", allowed.join(", ")),
            )
            .with_setting(setting)
            .with_help("correct the role's ARN, or add the account to `allowed_account_ids`"));
        }
        policy.check_account(account).map_err(|error| error.with_setting(setting))
    }

    async fn hop(
        &self,
        context: &Context,
        endpoint: &Endpoint,
        from: &SessionCredentials,
        index: usize,
    ) -> Result<SessionCredentials, Error> {
        let hop = &self.settings.chain[index];
        let is_last = index + 1 == self.settings.chain.len();
        let request = signed(assume_role(&self.settings, endpoint, hop, is_last), endpoint, keys(from), context);
        let answer = context.send(&request).await?;
        if answer.status == 200 {
            return response::credentials("AssumeRole", &answer);
        }
        let setting = format!("chain.{index}.role_arn");
        Err(refusal::error(
            Asked { operation: "AssumeRole", role_arn: &hop.role_arn, setting: &setting, token: None },
            &answer,
        ))
    }
}

fn keys(credentials: &SessionCredentials) -> Keys<'_> {
    Keys {
        access_key_id: &credentials.access_key_id,
        secret_access_key: &credentials.secret_access_key,
        session_token: &credentials.session_token,
    }
}

#[async_trait]
impl CloudTarget for Aws {
    fn kind(&self) -> &'static str {
        Self::KIND
    }

    fn audiences(&self, customary: Option<&str>) -> Audiences {
        Audiences::one(self.settings.audience.as_deref().or(customary).unwrap_or(AUDIENCE))
    }

    fn permitted(&self, context: &Context, policy: &Policy) -> Result<(), Error> {
        let endpoint = self.endpoint(context)?;
        policy.check_url(&endpoint.url, &endpoint.reach)?;
        let (role, setting) = self.last_role();
        match account(role).filter(|account| is_literal(account)) {
            Some(account) => self.check_account(policy, account, &setting),
            None => Ok(()),
        }
    }

    fn plan(&self, context: &Context, token: Option<&IdToken>) -> Result<Vec<Request>, Error> {
        let endpoint = self.endpoint(context)?;
        let last = self.settings.chain.len().saturating_sub(1);
        let hops = self.settings.chain.iter().enumerate().map(|(index, hop)| {
            assume_role(&self.settings, &endpoint, hop, index == last).with_header(
                "authorization",
                federate_core::Field::Later("signed with the credentials of the role before".to_owned()),
            )
        });
        Ok(std::iter::once(web_identity(&self.settings, &endpoint, token)).chain(hops).collect())
    }

    fn probes(&self, context: &Context) -> Result<Vec<Probe>, Error> {
        let request = caller_identity(&self.endpoint(context)?).with_classify(classify_by_status);
        // Unsigned, so STS refuses it, in its own words.
        Ok(vec![Probe { request, is_its_own: response::is_of_sts }])
    }

    async fn exchange(&self, context: &Context, token: &IdToken) -> Result<Credentials, Error> {
        let endpoint = self.announced_endpoint(context)?;
        let answer = context.send(&web_identity(&self.settings, &endpoint, Some(token))).await?;
        if answer.status != 200 {
            let asked = Asked {
                operation: "AssumeRoleWithWebIdentity",
                role_arn: &self.settings.role_arn,
                setting: "role_arn",
                token: Some(token),
            };
            return Err(refusal::error(asked, &answer));
        }
        let mut credentials = response::credentials("AssumeRoleWithWebIdentity", &answer)?;
        for index in 0..self.settings.chain.len() {
            credentials = self.hop(context, &endpoint, &credentials, index).await?;
        }
        let (role, setting) = self.last_role();
        let own = account(&credentials.arn)
            .ok_or_else(|| {
                Error::new(&core_codes::RESPONSE_INVALID, "STS names no account in the ARN of the session")
                    .with_help("something else than STS answered")
            })?
            .to_owned();
        self.check_account(&context.policy, &own, &setting)?;
        let handed_out = Credentials::new(Self::KIND, Some(credentials.expires))
            .with_plain("access_key_id", credentials.access_key_id)
            .with_secret("secret_access_key", credentials.secret_access_key)
            .with_secret("session_token", credentials.session_token)
            .with_plain("account", own)
            .with_plain("arn", credentials.arn)
            .with_plain("role_arn", role);
        Ok(self.rebind(handed_out))
    }

    fn exchange_key(&self, context: &Context) -> Option<String> {
        // STS does not hear of the region, but through the host that is asked and the signatures of a chain.
        let endpoint = self.endpoint(context).ok()?;
        let signed_for = (!self.settings.chain.is_empty()).then_some(endpoint.signing_region);
        let decides = Settings { region: None, ..self.settings.clone() };
        serde_json::to_string(&(decides, endpoint.url.as_str(), signed_for)).ok()
    }

    fn rebind(&self, credentials: Credentials) -> Credentials {
        match &self.settings.region {
            Some(region) => credentials.with_plain("region", region),
            None => credentials.without("region"),
        }
    }

    fn place(&self) -> Place {
        let (role, _) = self.last_role();
        Place { account: account(role).map(str::to_owned), region: self.settings.region.clone() }
    }

    async fn whoami(&self, context: &Context, credentials: &Credentials) -> Result<Principal, Error> {
        let endpoint = self.announced_endpoint(context)?;
        let (Some(id), Some(secret), Some(token)) = (
            credentials.plain("access_key_id"),
            credentials.secret("secret_access_key"),
            credentials.secret("session_token"),
        ) else {
            return Err(Error::new(&core_codes::USAGE, "these are not the credentials of an AWS role session")
                .with_help("run the command inside `federate exec`"));
        };
        let keys = Keys { access_key_id: id, secret_access_key: secret, session_token: token };
        let answer = context.send(&signed(caller_identity(&endpoint), &endpoint, keys, context)).await?;
        if answer.status != 200 {
            let (role, setting) = self.last_role();
            return Err(refusal::error(
                Asked { operation: "GetCallerIdentity", role_arn: role, setting: &setting, token: None },
                &answer,
            ));
        }
        let (arn, user_id, account) = response::caller(&answer)?;
        let mut facts = Map::new();
        facts.insert("account".to_owned(), json!(account));
        facts.insert("arn".to_owned(), json!(arn));
        facts.insert("user_id".to_owned(), json!(user_id));
        if let Some(expires) = credentials.expires {
            facts.insert("expires".to_owned(), json!(humantime::format_rfc3339_seconds(expires).to_string()));
        }
        Ok(Principal { headline: arn, facts })
    }

    fn kubernetes(&self) -> Option<&dyn KubernetesAccess> {
        Some(self)
    }

    fn sdk_settings(&self) -> Vec<(&'static str, String)> {
        let region =
            self.settings.region.iter().filter(|region| is_literal(region)).map(|region| ("region", region.clone()));
        let fips = self.settings.use_fips.map(|is| ("use_fips_endpoint", is.to_string()));
        let dual_stack = self.settings.use_dualstack.map(|is| ("use_dualstack_endpoint", is.to_string()));
        region.chain(fips).chain(dual_stack).collect()
    }

    fn principals(&self) -> Vec<PrincipalLabel> {
        let hops = self.settings.chain.iter().map(|hop| &hop.role_arn);
        std::iter::once(&self.settings.role_arn).chain(hops).map(|arn| principal::role(arn)).collect()
    }
}

impl TargetAdapter for Aws {
    const KIND: &'static str = "aws";
    const SUMMARY: &'static str = "an AWS role: STS AssumeRoleWithWebIdentity, then any number of AssumeRole";
    const FILLS: &'static [(&'static str, &'static str)] = &[
        ("AWS_REGION", "region"),
        ("AWS_DEFAULT_REGION", "region"),
        ("AWS_ROLE_ARN", "role_arn"),
        ("AWS_ROLE_SESSION_NAME", "session_name"),
    ];
    const ENDPOINT_KEYS: &'static [&'static str] = &["endpoint_url"];
    const BUNDLE_VARIABLES: &'static [&'static str] = &["AWS_CA_BUNDLE"];
    type Settings = Settings;

    fn new(_name: &str, settings: Settings) -> Result<Self, Vec<Error>> {
        let problems = validate::problems(&settings);
        if problems.is_empty() { Ok(Self { settings }) } else { Err(problems) }
    }

    fn cloud() -> &'static dyn Cloud {
        &AwsCloud
    }

    fn is_own_host(host: &str) -> bool {
        partition::is_sts_host(host)
    }

    fn placeholder_rule(key: &str) -> PlaceholderRule {
        match key {
            "endpoint_url" | "audience" => PlaceholderRule::Forbidden,
            "policy" => PlaceholderRule::Raw,
            "role_arn" | "chain.role_arn" | "region" | "policy_arns" | "allowed_account_ids" => {
                PlaceholderRule::ImmutableClaims
            }
            "session_name" | "chain.session_name" | "chain.source_identity" => {
                PlaceholderRule::Sanitised(validate::sanitise)
            }
            _ => PlaceholderRule::Any,
        }
    }

    const CODES: &'static [&'static Code] = codes::ALL;
}

#[cfg(test)]
pub(crate) mod tests;
