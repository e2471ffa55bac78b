//! The job that the sandbox plays, and the ID tokens that it is given.

use std::time::{Duration, SystemTime};

use federate_core::context::unix_seconds;
use federate_core::{Claims, Error, Issuer, Secret, codes};
use serde_json::{Map, Value as Json};

use crate::ci::{CiSystem, Wishes, ci_systems};
use crate::keys::SigningKey;
use crate::random::Random;
use crate::stage::SandboxTarget;

/// The job to play.
#[derive(Clone, Debug)]
pub struct Job {
    /// The CI system's name, one of [`ci_systems`].
    pub ci: String,
    /// Whose tokens they are; the CI system's own default without it.
    pub issuer: Option<Issuer>,
    /// What the tokens are to say (`--claim K=V`); the last of two of one name wins.
    pub claims: Vec<(String, String)>,
    /// The variable for the first token, where the CI system puts tokens into variables.
    pub token_env: Option<String>,
}

/// A job of a CI system whose tokens are the sandbox's own.
pub(crate) struct CiJob {
    pub(crate) system: &'static dyn CiSystem,
    pub(crate) issuer: Issuer,
    wishes: Wishes,
    claims: Map<String, Json>,
    /// Another life than the CI system's own.
    token_lifetime: Option<Duration>,
}

impl CiJob {
    /// A job that the first `allow` entry for this CI system admits, unless wishes make it another.
    ///
    /// # Errors
    /// `usage` for an unknown CI system; `sandbox-claim`.
    pub(crate) fn new(job: &Job, targets: &[SandboxTarget]) -> Result<Self, Error> {
        let Some(system) = ci_systems().iter().copied().find(|system| system.name() == job.ci) else {
            let known: Vec<&str> = ci_systems().iter().map(|system| system.name()).collect();
            return Err(Error::new(&codes::USAGE, format!("the sandbox plays no CI system `{}`", job.ci))
                .with_help(format!("it plays {}", known.join(" and "))));
        };
        let wishes = Wishes::new(system, &job.claims)?;
        let entry = targets.iter().flat_map(|target| &target.allow).find(|entry| entry.provider == system.name());
        let issuer = match (&job.issuer, entry) {
            (Some(issuer), _) => issuer.clone(),
            (None, Some(entry)) => entry.issuer.clone(),
            (None, None) => Issuer::parse(system.default_issuer()).map_err(|why| {
                Error::new(&crate::codes::SANDBOX_FAILED, "the CI system has no issuer").with_cause(why)
            })?,
        };
        let mut claims = system.claims(&issuer, entry, &wishes);
        wishes.apply(&mut claims);
        Ok(Self { system, issuer, wishes, claims, token_lifetime: None })
    }

    /// The same, with tokens that live as long as this (whole seconds), if anything is said.
    pub(crate) fn with_token_lifetime(mut self, lifetime: Option<Duration>) -> Self {
        self.token_lifetime = lifetime;
        self
    }

    /// What its tokens say, but for issuer, audience, times and `jti`.
    pub(crate) fn claims(&self) -> Claims {
        Claims::new(self.claims.clone())
    }

    /// Issues a token.
    ///
    /// # Errors
    /// `sandbox-failed`.
    pub(crate) fn mint(
        &self,
        key: &SigningKey,
        random: &Random,
        now: SystemTime,
        audience: &str,
    ) -> Result<Secret, Error> {
        let (now, mut validity) = (unix_seconds(now), self.system.validity());
        if let Some(lifetime) = self.token_lifetime {
            validity.after = i64::try_from(lifetime.as_secs()).unwrap_or(i64::MAX / 2);
        }
        let mut claims = self.claims.clone();
        claims.insert("jti".to_owned(), Json::from(random.uuid()));
        claims.insert("iss".to_owned(), Json::from(self.issuer.as_str()));
        claims.insert("aud".to_owned(), Json::from(audience));
        claims.insert("iat".to_owned(), Json::from(now));
        claims.insert("nbf".to_owned(), Json::from(now - validity.before));
        claims.insert("exp".to_owned(), Json::from(now + validity.after));
        self.wishes.apply(&mut claims);
        key.sign(&claims)
    }

    /// The variables and audiences of the tokens that such a job is born with: one a distinct audience, named after the
    /// first target that wants it.
    pub(crate) fn token_variables(&self, targets: &[SandboxTarget], first: Option<&str>) -> Vec<(String, String)> {
        let mut found: Vec<(String, String)> = Vec::new();
        for target in targets {
            let audience = self.wishes.get("aud").unwrap_or_else(|| target.audiences.first());
            if found.iter().any(|(_, known)| known == audience) {
                continue;
            }
            let plain = variable_name(&target.name);
            let with_profile = variable_name(&format!("{}_{}", target.profile, target.name));
            let numbered = (2..).map(|number| variable_name(&format!("{}_{number}", target.name)));
            let wished = first.filter(|_| found.is_empty()).map(str::to_owned);
            let name = wished
                .into_iter()
                .chain([plain, with_profile])
                .chain(numbered)
                .find(|name| !found.iter().any(|(known, _)| known == name));
            found.extend(name.map(|name| (name, audience.to_owned())));
        }
        found
    }
}

fn variable_name(target: &str) -> String {
    let name: String =
        target.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' }).collect();
    // A variable's name cannot begin with a digit.
    let prefix = if name.starts_with(|c: char| c.is_ascii_digit()) { "_" } else { "" };
    format!("{prefix}{name}_ID_TOKEN")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{aws_target, azure_target, key};
    use federate_core::{Audiences, IdToken};

    fn job(ci: &str, claims: &[(&str, &str)]) -> Job {
        let claims = claims.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        Job { ci: ci.to_owned(), issuer: None, claims, token_env: None }
    }

    fn minted(job: &CiJob) -> IdToken {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_777_888_800);
        let token = job.mint(key(), &Random::new().unwrap(), now, "sts.amazonaws.com").unwrap();
        IdToken::parse(token, "the test").unwrap()
    }

    #[test]
    fn tokens_carry_the_documented_times_and_names() {
        for (ci, before, after) in [("gitlab", 5, 3600), ("github", 300, 300)] {
            let job = CiJob::new(&job(ci, &[]), &[]).unwrap();
            let token = minted(&job);
            let seconds = |name: &str| token.claims().seconds(name).unwrap();
            assert_eq!(
                (seconds("iat"), seconds("nbf"), seconds("exp")),
                (1_777_888_800, 1_777_888_800 - before, 1_777_888_800 + after)
            );
            assert_eq!(token.claims().issuer(), Some(job.system.default_issuer()));
            assert_ne!(token.claims().text("jti"), minted(&job).claims().text("jti"), "every token has its own");
            let mut names: Vec<&str> =
                job.claims.keys().map(String::as_str).chain(["aud", "exp", "iat", "iss", "jti", "nbf"]).collect();
            names.sort_unstable();
            assert_eq!(token.claims().names().collect::<Vec<_>>(), names);
        }
    }

    #[test]
    fn tokens_live_as_long_as_is_said() {
        let job = CiJob::new(&job("gitlab", &[]), &[]).unwrap().with_token_lifetime(Some(Duration::from_secs(10)));
        let token = minted(&job);
        assert_eq!(token.claims().seconds("exp"), Some(1_777_888_810));
    }

    #[test]
    fn explicit_claims_win_as_they_are() {
        let wishes = [("exp", "1"), ("iss", "https://evil.test"), ("aud", r#"["a","b"]"#), ("sub", "anyone")];
        let token = minted(&CiJob::new(&job("gitlab", &wishes), &[]).unwrap());
        assert_eq!(token.claims().seconds("exp"), Some(1));
        assert_eq!(token.claims().issuer(), Some("https://evil.test"));
        assert_eq!(token.claims().audiences(), ["a", "b"]);
        assert_eq!(token.claims().subject(), Some("anyone"));
        assert_eq!(CiJob::new(&job("jenkins", &[]), &[]).err().unwrap().code().name, "usage");
    }

    #[test]
    fn one_variable_a_distinct_audience() {
        let mut other = aws_target("aws");
        other.profile = "prod".to_owned();
        other.audiences = Audiences::one("https://vault.example");
        let mut third = aws_target("aws");
        third.profile = "prod".to_owned();
        third.audiences = Audiences::one("third");
        let targets = [aws_target("aws"), aws_target("again"), azure_target("az-ure"), other, third];
        let gitlab = CiJob::new(&job("gitlab", &[]), &targets).unwrap();
        let names =
            |first| gitlab.token_variables(&targets, first).into_iter().map(|(name, _)| name).collect::<Vec<_>>();
        assert_eq!(names(None), ["AWS_ID_TOKEN", "AZ_URE_ID_TOKEN", "PROD_AWS_ID_TOKEN", "AWS_2_ID_TOKEN"]);
        assert_eq!(names(Some("MINE"))[..2], ["MINE", "AZ_URE_ID_TOKEN"]);
        assert_eq!(variable_name("1st"), "_1ST_ID_TOKEN");
        let wished = CiJob::new(&job("gitlab", &[("aud", "x")]), &targets).unwrap();
        assert_eq!(wished.token_variables(&targets, None), [("AWS_ID_TOKEN".to_owned(), "x".to_owned())]);
    }

    #[test]
    fn the_issuer_is_the_profiles_then_the_entrys() {
        let targets = [aws_target("aws")];
        let own = Issuer::parse("https://git.example.com/gitlab").unwrap();
        let named = Job { issuer: Some(own.clone()), ..job("gitlab", &[]) };
        assert_eq!(CiJob::new(&named, &targets).unwrap().issuer, own);
        assert_eq!(CiJob::new(&job("gitlab", &[]), &targets).unwrap().issuer.as_str(), "https://gitlab.com");
    }
}
