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
        let mut handed_out = Credentials::new(Self::KIND, Some(credentials.expires))
            .with_plain("access_key_id", credentials.access_key_id)
            .with_secret("secret_access_key", credentials.secret_access_key)
            .with_secret("session_token", credentials.session_token)
            .with_plain("account", own)
            .with_plain("arn", credentials.arn)
            .with_plain("role_arn", role);
        if let Some(region) = &self.settings.region {
            handed_out = handed_out.with_plain("region", region);
        }
        Ok(handed_out)
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
pub(crate) mod tests {
    use super::*;
    use crate::response::tests::success;
    use federate_core::testing::{Fixture, fixture, id_token};

    /// A target with these settings besides those that it needs.
    pub(crate) fn aws(changes: serde_json::Value) -> Aws {
        let mut settings = json!({"role_arn": "arn:aws:iam::111122223333:role/deploy", "region": "eu-west-1"});
        for (key, value) in changes.as_object().unwrap() {
            settings[key] = value.clone();
        }
        Aws::new("aws", serde_json::from_value(settings).unwrap()).unwrap()
    }

    fn token() -> IdToken {
        id_token(&json!({"iss": "https://gitlab.com", "aud": "a", "sub": "s", "exp": 4_000_000_000_u64}))
    }

    fn forms(fixture: &Fixture) -> Vec<String> {
        fixture.http.requests().iter().map(|request| request.encoded_form().unwrap().reveal().to_owned()).collect()
    }

    #[tokio::test]
    async fn one_exchange() {
        let fixture = fixture(&[], Aws::is_own_host);
        fixture.http.answer(200, "text/xml", success("AssumeRoleWithWebIdentity", "111122223333"));
        let target = aws(json!({"policy_arns": ["arn:aws:iam::aws:policy/ReadOnlyAccess"]}));
        let credentials = target.exchange(&fixture.context, &token()).await.unwrap();
        assert_eq!(
            (credentials.plain("account"), credentials.plain("region")),
            (Some("111122223333"), Some("eu-west-1"))
        );
        let form = &forms(&fixture)[0];
        assert!(form.starts_with("Action=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleArn=arn%3Aaws%3Aiam%3A%3A111122223333%3Arole%2Fdeploy&RoleSessionName=federate&WebIdentityToken=ey"), "{form}");
        assert!(
            form.ends_with(
                "&DurationSeconds=3600&PolicyArns.member.1.arn=arn%3Aaws%3Aiam%3A%3Aaws%3Apolicy%2FReadOnlyAccess"
            ),
            "{form}"
        );
        assert_eq!(fixture.http.requests()[0].url.as_str(), "https://sts.eu-west-1.amazonaws.com/");
    }

    #[tokio::test]
    async fn a_chain_is_signed_and_policies_bind_its_end() {
        let fixture = fixture(&[], Aws::is_own_host);
        fixture.http.answer(200, "text/xml", success("AssumeRoleWithWebIdentity", "111122223333"));
        fixture.http.answer(200, "text/xml", success("AssumeRole", "444455556666"));
        fixture.http.answer(200, "text/xml", success("AssumeRole", "777788889999"));
        let target = aws(json!({
            "duration": "30m", "policy": "{}", "allowed_account_ids": ["777788889999"],
            "chain": [
                {"role_arn": "arn:aws:iam::444455556666:role/hub", "external_id": "x-1", "tags": {"team": "a b"}, "transitive_tags": ["team"], "source_identity": "ci"},
                {"role_arn": "arn:aws:iam::777788889999:role/end", "session_name": "end"},
            ],
        }));
        let credentials = target.exchange(&fixture.context, &token()).await.unwrap();
        assert_eq!(credentials.plain("account"), Some("777788889999"));
        let forms = forms(&fixture);
        assert!(!forms[0].contains("Policy=") && forms[0].contains("DurationSeconds=3600"));
        assert!(forms[1].contains("ExternalId=x-1&SourceIdentity=ci&Tags.member.1.Key=team&Tags.member.1.Value=a+b&TransitiveTagKeys.member.1=team") && !forms[1].contains("Policy="));
        assert!(forms[2].contains("RoleSessionName=end&DurationSeconds=1800&Policy=%7B%7D"), "{}", forms[2]);
        assert!(fixture.http.requests()[1].headers.iter().any(|(name, _)| name == "authorization"));
    }

    #[tokio::test]
    async fn another_account_than_allowed_is_not_handed_out() {
        let fixture = fixture(&[], Aws::is_own_host);
        fixture.http.answer(200, "text/xml", success("AssumeRoleWithWebIdentity", "999999999999"));
        let target = aws(json!({"allowed_account_ids": ["111122223333"]}));
        assert!(target.permitted(&fixture.context, &fixture.context.policy).is_ok());
        assert_eq!(target.exchange(&fixture.context, &token()).await.unwrap_err().code().name, "account-not-allowed");
        let wrong = aws(json!({"allowed_account_ids": ["444455556666"]}));
        assert_eq!(wrong.permitted(&fixture.context, &fixture.context.policy).unwrap_err().setting(), Some("role_arn"));
    }

    #[test]
    fn the_plan_shows_what_will_be_sent() {
        let fixture = fixture(&[], Aws::is_own_host);
        let plan = aws(json!({"session_name": "ci-{claim:ref}"})).plan(&fixture.context, None).unwrap();
        let shown = plan[0].shown();
        assert_eq!(shown["parameters"]["WebIdentityToken"], "(the ID token)");
        assert_eq!(shown["parameters"]["RoleSessionName"], "(ci-{claim:ref})");
    }

    #[test]
    fn a_probe_is_unsigned_and_knows_sts() {
        let fixture = fixture(&[], Aws::is_own_host);
        let probes =
            aws(json!({"chain": [{"role_arn": "arn:aws:iam::444455556666:role/hub"}]})).probes(&fixture.context);
        let [probe] = &probes.unwrap()[..] else { panic!("one endpoint") };
        assert_eq!(probe.request.encoded_form().unwrap().reveal(), "Action=GetCallerIdentity&Version=2011-06-15");
        assert!(probe.request.headers.iter().all(|(name, _)| name == "content-type"), "nothing secret");
        let answer = |body: &str| federate_core::Response { status: 403, headers: Vec::new(), body: body.into() };
        let refusal =
            "<ErrorResponse><Error><Code>MissingAuthenticationToken</Code><Message>m</Message></Error></ErrorResponse>";
        assert!((probe.is_its_own)(&answer(refusal)) && !(probe.is_its_own)(&answer("<html>Log in</html>")));
    }

    #[test]
    fn the_audience_is_customary_unless_set() {
        assert_eq!(aws(json!({})).audiences(None).first(), AUDIENCE);
        assert_eq!(aws(json!({})).audiences(Some("https://gitlab.com")).first(), "https://gitlab.com");
        assert_eq!(aws(json!({"audience": "x"})).audiences(Some("https://gitlab.com")).first(), "x");
    }
}
