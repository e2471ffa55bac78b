//! The provider itself.

use std::time::SystemTime;

use async_trait::async_trait;
use federate_core::{
    Audiences, ClaimPattern, Context, Detection, Error, IdToken, IdentityAdapter, IdentityProvider, Issuer, Masking,
    PlaceholderRule, Reach, Renewal, Request, Secret, SectionEdge, codes,
};
use serde_json::Value as Json;
use url::Url;

use crate::settings::Settings;
use crate::{allow, request};

const GITHUB_COM: &str = "https://token.actions.githubusercontent.com";
const SERVER_VARIABLE: &str = "GITHUB_SERVER_URL";

/// ID tokens of GitHub Actions jobs: github.com, ghe.com and GitHub Enterprise Server.
#[derive(Clone, Debug)]
pub struct GitHub {
    settings: Settings,
}

impl GitHub {
    fn resolved_issuer(&self, context: &Context) -> Result<(Issuer, Reach), Error> {
        let derived = derived_issuer(context.env.get(SERVER_VARIABLE));
        let below_github_com = |issuer: &str| {
            issuer == GITHUB_COM || issuer.strip_prefix(GITHUB_COM).is_some_and(|rest| rest.starts_with('/'))
        };
        let (text, reach) = match &self.settings.issuer {
            Some(issuer) if below_github_com(issuer) => (issuer.clone(), Reach::BuiltIn),
            Some(issuer) if derived.as_ref() == Some(issuer) => (issuer.clone(), Reach::Ci),
            Some(issuer) => (issuer.clone(), Reach::Setting("issuer".to_owned())),
            None => match derived {
                Some(issuer) => (issuer, Reach::Ci),
                None => (GITHUB_COM.to_owned(), Reach::BuiltIn),
            },
        };
        let issuer = Issuer::parse(&text).map_err(|why| {
            let error = Error::new(&codes::SETTING_INVALID, why);
            if self.settings.issuer.is_some() {
                error.with_setting("issuer")
            } else {
                error.with_origin(format!("environment variable {SERVER_VARIABLE}"))
            }
        })?;
        Ok((issuer, reach))
    }

    fn check_issuer(&self, context: &Context, token: &IdToken) -> Result<(), Error> {
        let (expected, _) = self.resolved_issuer(context)?;
        // An enterprise on github.com may have its tokens issued under a path of its own.
        let slug = token.claims().issuer().and_then(|issuer| issuer.strip_prefix(GITHUB_COM)?.strip_prefix('/'));
        let own_path = slug.is_some_and(|slug| !slug.is_empty() && !slug.contains('/'));
        if self.settings.issuer.is_none() && expected.as_str() == GITHUB_COM && own_path {
            return Ok(());
        }
        token.check_issuer(&expected)
    }
}

/// The issuer of another server than github.com.
fn derived_issuer(server: Option<&str>) -> Option<String> {
    let server = server?.trim_end_matches('/');
    if server == "https://github.com" {
        return None;
    }
    let host = Url::parse(server).ok().and_then(|url| url.host_str().map(str::to_owned));
    match host.as_deref().and_then(|host| host.strip_suffix(".ghe.com")) {
        Some(subdomain) => Some(format!("https://token.actions.{subdomain}.ghe.com")),
        None => Some(format!("{server}/_services/token")),
    }
}

#[async_trait]
impl IdentityProvider for GitHub {
    fn kind(&self) -> &'static str {
        Self::KIND
    }

    fn detect(&self, context: &Context) -> Detection {
        match context.env.get("GITHUB_ACTIONS") {
            Some("true") => Detection::Here { evidence: "GITHUB_ACTIONS=true".to_owned() },
            _ => Detection::NotHere,
        }
    }

    fn issuer(&self, context: &Context) -> Result<(Issuer, Reach), Error> {
        self.resolved_issuer(context)
    }

    fn customary_audience(&self, _context: &Context) -> Option<String> {
        None
    }

    fn renewal(&self, context: &Context) -> Renewal {
        Renewal::Again(request::endpoint(context))
    }

    fn plan(&self, context: &Context, audiences: &Audiences) -> Result<Vec<Request>, Error> {
        request::build(context, audiences).map(|request| vec![request])
    }

    async fn token(&self, context: &Context, audiences: &Audiences) -> Result<IdToken, Error> {
        let response = context.send(&request::build(context, audiences)?).await?;
        let token = request::read(&response)?;
        self.check_issuer(context, &token)?;
        Ok(token)
    }

    fn allow(&self, issuer: Issuer, entry: &Json) -> Result<ClaimPattern, Vec<Error>> {
        allow::pattern(issuer, entry)
    }

    fn job_variables(&self, _context: &Context) -> Vec<String> {
        vec![request::URL_VARIABLE.to_owned(), request::TOKEN_VARIABLE.to_owned()]
    }

    fn mask(&self, secret: &Secret) -> Masking {
        let lines = secret.reveal().lines().map(str::trim).filter(|line| !line.is_empty());
        Masking::Commands(lines.map(|line| format!("::add-mask::{}", escape(line))).collect())
    }

    fn section(&self, edge: SectionEdge, title: &str, _now: SystemTime) -> Option<String> {
        Some(match edge {
            SectionEdge::Begin { .. } => {
                format!("::group::{}", escape(&title.chars().filter(|c| !c.is_control()).collect::<String>()))
            }
            SectionEdge::End => "::endgroup::".to_owned(),
        })
    }

    /// <https://docs.github.com/actions/reference/workflows-and-actions/workflow-commands>: `::` after white space, and
    /// the older form `##[` anywhere.
    fn is_log_command(&self, line: &[u8]) -> bool {
        line.trim_ascii_start().starts_with(b"::") || line.windows(3).any(|part| part == b"##[")
    }
}

/// The data of a workflow command.
fn escape(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

impl IdentityAdapter for GitHub {
    const KIND: &'static str = "github";
    const SUMMARY: &'static str = "GitHub Actions: `id-token: write`, github.com, ghe.com and Enterprise Server";
    const IMMUTABLE_CLAIMS: &'static [&'static str] =
        &["repository_id", "repository_owner_id", "enterprise_id", "actor_id", "run_id", "check_run_id"];
    type Settings = Settings;

    fn new(_name: &str, settings: Settings) -> Result<Self, Vec<Error>> {
        match settings.issuer.as_deref().and_then(|issuer| Issuer::parse(issuer).err()) {
            Some(why) => Err(vec![Error::new(&codes::SETTING_INVALID, why).with_setting("issuer")]),
            None => Ok(Self { settings }),
        }
    }

    fn is_own_host(host: &str) -> bool {
        host.strip_suffix(".actions.githubusercontent.com").is_some_and(|rest| !rest.is_empty())
    }

    fn placeholder_rule(_key: &str) -> PlaceholderRule {
        PlaceholderRule::Forbidden
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use federate_core::testing::{Fixture, fixture, jwt};
    use serde_json::json;

    const JOB: &[(&str, &str)] = &[
        ("ACTIONS_ID_TOKEN_REQUEST_URL", "https://run.actions.githubusercontent.com/token?api-version=2.0"),
        ("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "canary-bearer"),
    ];

    fn github(issuer: Option<&str>) -> GitHub {
        GitHub::new("github", Settings { issuer: issuer.map(str::to_owned) }).unwrap()
    }

    fn job() -> Fixture {
        fixture(JOB, GitHub::is_own_host)
    }

    fn answer(fixture: &Fixture, issuer: &str) {
        let token = jwt(&json!({"iss": issuer, "aud": "a"}));
        fixture.http.answer(200, "application/json", json!({"count": 1, "value": token}).to_string());
    }

    #[test]
    fn the_issuer_follows_the_server() {
        for (server, issuer) in [
            ("https://github.com", GITHUB_COM),
            ("https://acme.ghe.com", "https://token.actions.acme.ghe.com"),
            ("https://ghes.example.com", "https://ghes.example.com/_services/token"),
        ] {
            assert_eq!(
                github(None).issuer(&fixture(&[(SERVER_VARIABLE, server)], |_| false).context).unwrap().0.as_str(),
                issuer
            );
        }
    }

    #[tokio::test]
    async fn an_enterprise_path_is_accepted_and_a_stranger_is_not() {
        for (issuer, accepted) in [
            (GITHUB_COM, true),
            ("https://token.actions.githubusercontent.com/acme", true),
            ("https://evil.test", false),
            ("https://token.actions.githubusercontent.com.evil.test", false),
        ] {
            let fixture = job();
            answer(&fixture, issuer);
            let result = github(None).token(&fixture.context, &Audiences::one("a")).await;
            assert_eq!(result.is_ok(), accepted, "{issuer}");
        }
    }

    #[tokio::test]
    async fn each_audience_is_a_request_of_its_own() {
        let fixture = job();
        answer(&fixture, GITHUB_COM);
        answer(&fixture, GITHUB_COM);
        let (one, two) = (Audiences::one("one"), Audiences::one("two"));
        let github = github(None);
        let (first, second) = tokio::join!(github.token(&fixture.context, &one), github.token(&fixture.context, &two));
        assert!(first.is_ok() && second.is_ok());
        let asked: Vec<String> =
            fixture.http.requests().iter().map(|request| request.url.query().unwrap_or_default().to_owned()).collect();
        assert_eq!(asked, ["api-version=2.0&audience=one", "api-version=2.0&audience=two"]);
    }

    #[tokio::test]
    async fn a_plain_http_url_gets_no_bearer() {
        let fixture = fixture(
            &[
                ("ACTIONS_ID_TOKEN_REQUEST_URL", "http://ghes.example/token"),
                ("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "canary"),
            ],
            |_| false,
        );
        let error = github(None).token(&fixture.context, &Audiences::one("a")).await.unwrap_err();
        assert_eq!(error.code().name, "host-not-allowed");
        assert!(fixture.http.requests().is_empty());
    }

    #[test]
    fn groups_and_commands_are_the_logs() {
        let begin = github(None).section(SectionEdge::Begin { is_collapsed: true }, "a%b\n::x", SystemTime::now());
        assert_eq!(begin.as_deref(), Some("::group::a%25b::x"));
        assert!(github(None).is_log_command(b" ::add-mask::x") && github(None).is_log_command(b"x ##[group]y"));
        assert!(!github(None).is_log_command(b"x ::add-mask::y"));
    }

    #[test]
    fn masks_line_by_line() {
        let masking = github(None).mask(&Secret::new("a%b\n\n  c  \n"));
        assert_eq!(masking, Masking::Commands(vec!["::add-mask::a%25b".to_owned(), "::add-mask::c".to_owned()]));
    }

    #[test]
    fn own_hosts_are_github_s() {
        assert!(
            GitHub::is_own_host("pipelinesghubeus1.actions.githubusercontent.com")
                && GitHub::is_own_host("token.actions.githubusercontent.com")
        );
        assert!(
            !GitHub::is_own_host("raw.githubusercontent.com")
                && !GitHub::is_own_host("actions.githubusercontent.com.evil.test")
        );
    }
}
