//! Whom the job becomes.

use std::fmt;
use std::time::SystemTime;

use async_trait::async_trait;
use serde_json::{Map, Value as Json, json};

use crate::child::{ChildEnv, NamePattern};
use crate::codes;
use crate::context::Context;
use crate::credentials::Credentials;
use crate::endpoint::{EndpointAddress, EndpointReply, EndpointRequest, ServedTarget};
use crate::error::Error;
use crate::http::{Request, Response};
use crate::identity::{Audiences, Renewal};
use crate::kubernetes::KubernetesAccess;
use crate::policy::Policy;
use crate::sdk_config::SdkConfig;
use crate::token::IdToken;

/// One configured principal of a cloud.
#[async_trait]
pub trait CloudTarget: Send + Sync + fmt::Debug {
    /// The adapter's name, as in `type = "aws"`.
    fn kind(&self) -> &'static str;

    /// Which `aud` the ID token must carry. `customary` is the identity provider's, see
    /// [`crate::IdentityProvider::customary_audience`]; a cloud that prescribes its audience ignores it.
    fn audiences(&self, customary: Option<&str>) -> Audiences;

    /// What policy can refuse before any network call: accounts, tenants, endpoints.
    ///
    /// # Errors
    /// `account-not-allowed`, `tenant-not-allowed`, `host-not-allowed`.
    fn permitted(&self, context: &Context, policy: &Policy) -> Result<(), Error>;

    /// The requests that [`CloudTarget::exchange`] sends, as far as they are known before the answers. Without a token,
    /// what depends on it is a [`crate::Field::Later`].
    ///
    /// # Errors
    /// Those of settings that only show now.
    fn plan(&self, context: &Context, token: Option<&IdToken>) -> Result<Vec<Request>, Error>;

    /// Requests that hold no secret and that the target's endpoints answer to anybody, if only with a refusal: they show
    /// whether an endpoint can be reached, what its clock says, and whether it is itself that answers.
    ///
    /// # Errors
    /// Those of settings that only show now.
    fn probes(&self, context: &Context) -> Result<Vec<Probe>, Error> {
        let mut probes: Vec<Probe> = Vec::new();
        for request in self.plan(context, None)? {
            if !probes.iter().any(|known| known.request.url == request.url) {
                let request = Request::get("a look at the endpoint", request.url, request.reach);
                probes.push(Probe { request, is_its_own: |_| true });
            }
        }
        Ok(probes)
    }

    /// The plain values of the credentials that [`CloudTarget::exchange`] gives, as far as they are known before it;
    /// placeholders stand as written. For [`Cloud::compatible`].
    fn foreseen(&self, _context: &Context) -> Option<Credentials> {
        None
    }

    /// ID token in, short-lived credentials out.
    ///
    /// # Errors
    /// A refusal says which code the cloud gave and what to check; see the adapter's page.
    async fn exchange(&self, context: &Context, token: &IdToken) -> Result<Credentials, Error>;

    /// Everything that decides what [`CloudTarget::exchange`] gives, but for what [`CloudTarget::rebind`] sets: targets of
    /// one kind, identity and key share one exchange. `None` where an exchange is for this target alone. Asked once all
    /// placeholders are filled; never holds a secret.
    fn exchange_key(&self, _context: &Context) -> Option<String> {
        None
    }

    /// Credentials of another target with the same [`CloudTarget::exchange_key`], as an exchange for this one would have
    /// given them.
    fn rebind(&self, credentials: Credentials) -> Credentials {
        credentials
    }

    /// Where the target is, as far as its settings say it. Placeholders may still stand in it before the token is there.
    fn place(&self) -> Place {
        Place::default()
    }

    /// As `exchange`, for one resource that the caller names, whatever the target is configured for.
    ///
    /// # Errors
    /// As `exchange`; `usage` where the cloud's credentials are not made for one resource.
    async fn exchange_for(&self, _context: &Context, _token: &IdToken, resource: &str) -> Result<Credentials, Error> {
        let what = format!("credentials of type `{}` are not made for one resource (`{resource}`)", self.kind());
        Err(Error::new(&codes::USAGE, what))
    }

    /// Asks the cloud who these credentials are.
    ///
    /// # Errors
    /// As `exchange`.
    async fn whoami(&self, context: &Context, credentials: &Credentials) -> Result<Principal, Error>;

    /// The way into the cloud's Kubernetes clusters. `None` where the cloud's clusters do not know its principals.
    fn kubernetes(&self) -> Option<&dyn KubernetesAccess> {
        None
    }

    /// What a profile in the config file of the cloud's SDKs says besides the program that hands out credentials: keys and
    /// values, as that file writes them. Asked only where there is a [`Cloud::sdk_config`].
    fn sdk_settings(&self) -> Vec<(&'static str, String)> {
        Vec::new()
    }

    /// Whom the job becomes, as far as the settings say: first the principal that trusts the token, then those that are
    /// reached from it, one from the other. Empty where the adapter has no words for them.
    fn principals(&self) -> Vec<PrincipalLabel> {
        Vec::new()
    }
}

/// A principal of a cloud in words, known without asking the cloud.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PrincipalLabel {
    /// Where it lives: `account 111122223333`, `tenant 72f988bf-…`.
    pub place: String,
    /// What it is: `role`, `application`.
    pub noun: &'static str,
    /// What people call it: `ledger-deploy`.
    pub name: String,
    /// What the cloud calls it, unique in that cloud: an ARN, an application's id.
    pub id: String,
    /// What else tells it apart: `subscription …`.
    pub detail: Option<String>,
}

/// A harmless request for finding out whether an endpoint can be reached.
#[derive(Clone, Debug)]
pub struct Probe {
    /// The request, which holds no secret.
    pub request: Request,
    /// Is this answer in the service's own form? A login page of a proxy is not.
    pub is_its_own: fn(&Response) -> bool,
}

/// Where a target is: what `federate each` puts into a command's arguments.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// The account: an AWS account id, an Azure subscription id.
    pub account: Option<String>,
    /// The region, in clouds that have any.
    pub region: Option<String>,
}

/// Who the cloud says the credentials are.
#[derive(Clone, Debug, PartialEq)]
pub struct Principal {
    /// One line: an ARN, or application and tenant.
    pub headline: String,
    /// Everything else, for people and JSON alike; no secrets.
    pub facts: Map<String, Json>,
}

/// One target's credentials on their way to a child.
#[derive(Clone, Copy, Debug)]
pub struct Handover<'a> {
    /// The target's name.
    pub target: &'a str,
    /// The credentials.
    pub credentials: &'a Credentials,
    /// The token that was exchanged; clouds whose SDKs exchange by themselves are handed it in a file.
    pub token: &'a IdToken,
    /// Can the identity provider issue again?
    pub renewal: &'a Renewal,
}

/// What is common to all targets of one kind.
#[async_trait]
pub trait Cloud: Send + Sync {
    /// The adapter's name.
    fn kind(&self) -> &'static str;

    /// What a child's environment loses first: whatever would outrank or contradict the new credentials.
    fn outranking(&self) -> Vec<NamePattern>;

    /// Refuses, before any exchange, targets of this kind that one child cannot have together. `group` has each target's
    /// name and what [`CloudTarget::foreseen`] says of it, in the order of their selection.
    ///
    /// # Errors
    /// As [`Cloud::environment`], as far as it can be known.
    fn compatible(&self, _group: &[(&str, Credentials)]) -> Result<(), Error> {
        Ok(())
    }

    /// The child's environment for one or several targets of this kind, in the order of their selection.
    ///
    /// # Errors
    /// An error of the adapter's own where two targets would set one variable differently.
    fn environment(&self, context: &Context, group: &[Handover<'_>]) -> Result<ChildEnv, Error>;

    /// Until when what [`Cloud::environment`] gives can be used; `None` where that has no end.
    fn lasts_until(&self, handover: &Handover<'_>) -> Option<SystemTime> {
        handover.credentials.expires
    }

    /// The credentials that a surrounding `federate exec` gave to this process for the target of this name.
    ///
    /// # Errors
    /// Where they are there but damaged.
    #[allow(clippy::wrong_self_convention, reason = "the credentials come from the environment, not from the cloud")]
    fn from_env(&self, context: &Context, target: &str) -> Result<Option<Credentials>, Error>;

    /// Do this cloud's SDKs know how to ask an endpoint, so that [`Cloud::served_environment`] and [`Cloud::answer`] are
    /// there?
    fn can_be_served(&self) -> bool {
        false
    }

    /// As `environment`, but the child asks a running endpoint for credentials whenever it needs some. With
    /// [`EndpointAddress::isolate`], nothing in it is an ID token or leads to the CI system.
    ///
    /// # Errors
    /// As `environment`; `usage` where [`Cloud::can_be_served`] says no.
    fn served_environment(
        &self,
        _context: &Context,
        _group: &[Handover<'_>],
        _endpoint: &EndpointAddress,
    ) -> Result<ChildEnv, Error> {
        Err(Error::new(&codes::USAGE, format!("targets of type `{}` cannot be served by an endpoint", self.kind())))
    }

    /// The headers in which this cloud's SDKs show the endpoint's secret, in lower case.
    fn secret_headers(&self) -> &'static [&'static str] {
        &["authorization"]
    }

    /// Answers a request for a target of this kind, in the words of the cloud's own endpoint. Never a success without
    /// credentials.
    async fn answer(&self, _target: &dyn ServedTarget, _request: &EndpointRequest) -> EndpointReply {
        EndpointReply::new(404, &json!({ "message": "there is nothing here" }))
    }

    /// The file in which the cloud's SDKs find profiles, and in it programs that hand out credentials.
    /// `None` where the cloud's SDKs know no such file.
    fn sdk_config(&self) -> Option<&dyn SdkConfig> {
        None
    }
}
