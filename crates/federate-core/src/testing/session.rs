//! What a session walks: a CI system of which only the tokens matter, and targets that are bound already.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use serde_json::Value as Json;

use crate::allow::ClaimPattern;
use crate::claims::Claims;
use crate::cloud::CloudTarget;
use crate::codes;
use crate::context::Context;
use crate::error::Error;
use crate::http::{Reach, Request};
use crate::identity::{Audiences, Detection, IdentityProvider, Masking, Renewal};
use crate::issuer::Issuer;
use crate::secret::Secret;
use crate::session::{BoundIdentity, TargetSource};
use crate::token::IdToken;

/// How a [`FakeCi`] issues.
#[async_trait]
pub trait Tokens: fmt::Debug + Send + Sync + 'static {
    /// As [`IdentityProvider::renewal`].
    fn renewal(&self) -> Renewal {
        Renewal::Once
    }

    /// As [`IdentityProvider::token`].
    ///
    /// # Errors
    /// Whichever the test wants.
    async fn token(&self, context: &Context, audiences: &Audiences) -> Result<IdToken, Error>;
}

/// The CI system `https://ci.test`, which cannot be detected and knows no `allow` entries.
#[derive(Debug)]
pub struct FakeCi<T>(pub T);

#[async_trait]
impl<T: Tokens> IdentityProvider for FakeCi<T> {
    fn kind(&self) -> &'static str {
        "ci"
    }
    fn detect(&self, _: &Context) -> Detection {
        Detection::NotHere
    }
    fn issuer(&self, _: &Context) -> Result<(Issuer, Reach), Error> {
        let issuer = Issuer::parse("https://ci.test").map_err(|why| Error::new(&codes::SETTING_INVALID, why))?;
        Ok((issuer, Reach::BuiltIn))
    }
    fn customary_audience(&self, _: &Context) -> Option<String> {
        None
    }
    fn renewal(&self, _: &Context) -> Renewal {
        self.0.renewal()
    }
    fn plan(&self, _: &Context, _: &Audiences) -> Result<Vec<Request>, Error> {
        Ok(Vec::new())
    }
    async fn token(&self, context: &Context, audiences: &Audiences) -> Result<IdToken, Error> {
        self.0.token(context, audiences).await
    }
    fn allow(&self, _: Issuer, _: &Json) -> Result<ClaimPattern, Vec<Error>> {
        Err(Vec::new())
    }
    fn job_variables(&self, _: &Context) -> Vec<String> {
        Vec::new()
    }
    fn mask(&self, _: &Secret) -> Masking {
        Masking::Unsupported
    }
}

/// A target without settings, which any claims bind as it is.
#[derive(Debug)]
pub struct FakeSource {
    /// Its name in the profile.
    pub name: String,
    /// Who vouches.
    pub identity: BoundIdentity,
    /// Whom the job becomes.
    pub target: Arc<dyn CloudTarget>,
}

impl TargetSource for FakeSource {
    fn name(&self) -> &str {
        &self.name
    }
    fn identity(&self) -> &BoundIdentity {
        &self.identity
    }
    fn unbound(&self) -> &Arc<dyn CloudTarget> {
        &self.target
    }
    fn settings(&self) -> Json {
        Json::Null
    }
    fn bind(&self, _: &Claims) -> Result<Arc<dyn CloudTarget>, Error> {
        Ok(self.target.clone())
    }
}
