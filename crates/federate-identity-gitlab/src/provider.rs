//! The provider itself.

use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use federate_core::{
    Audiences, ClaimPattern, Context, Detection, Error, IdToken, IdentityAdapter, IdentityProvider, Issuer, Masking,
    PlaceholderRule, Reach, Renewal, Request, Secret, SectionEdge, codes, context::unix_seconds,
};
use serde_json::Value as Json;

use crate::settings::Settings;
use crate::{allow, search};

const GITLAB_COM: &str = "https://gitlab.com";
const SERVER_VARIABLE: &str = "CI_SERVER_URL";

/// ID tokens of GitLab CI jobs, on GitLab.com and self-managed.
#[derive(Clone, Debug)]
pub struct GitLab {
    settings: Settings,
}

impl GitLab {
    fn resolved_issuer(&self, context: &Context) -> Result<(Issuer, Reach), Error> {
        // GitLab itself never writes a trailing slash into `iss`, whatever the server's address was configured as.
        let server = context.env.get(SERVER_VARIABLE).map(|url| url.trim_end_matches('/'));
        let (text, reach) = match (&self.settings.issuer, server) {
            (Some(issuer), _) if issuer == GITLAB_COM => (issuer.as_str(), Reach::BuiltIn),
            (Some(issuer), server) if server == Some(issuer.as_str()) => (issuer.as_str(), Reach::Ci),
            (Some(issuer), _) => (issuer.as_str(), Reach::Setting("issuer".to_owned())),
            (None, Some(server)) if server != GITLAB_COM => (server, Reach::Ci),
            (None, _) => (GITLAB_COM, Reach::BuiltIn),
        };
        let issuer = Issuer::parse(text).map_err(|why| {
            let error = Error::new(&codes::SETTING_INVALID, why);
            if self.settings.issuer.is_some() {
                error.with_setting("issuer")
            } else {
                error.with_origin(format!("environment variable {SERVER_VARIABLE}"))
            }
        })?;
        Ok((issuer, reach))
    }
}

#[async_trait]
impl IdentityProvider for GitLab {
    fn kind(&self) -> &'static str {
        Self::KIND
    }

    fn detect(&self, context: &Context) -> Detection {
        match context.env.get("GITLAB_CI") {
            Some("true") => Detection::Here { evidence: "GITLAB_CI=true".to_owned() },
            _ => Detection::NotHere,
        }
    }

    fn issuer(&self, context: &Context) -> Result<(Issuer, Reach), Error> {
        self.resolved_issuer(context)
    }

    fn customary_audience(&self, context: &Context) -> Option<String> {
        self.resolved_issuer(context).ok().map(|(issuer, _)| issuer.as_str().to_owned())
    }

    fn renewal(&self, _context: &Context) -> Renewal {
        Renewal::Once
    }

    fn plan(&self, context: &Context, audiences: &Audiences) -> Result<Vec<Request>, Error> {
        self.find(context, audiences).map(|_| Vec::new())
    }

    async fn token(&self, context: &Context, audiences: &Audiences) -> Result<IdToken, Error> {
        self.find(context, audiences)
    }

    fn allow(&self, issuer: Issuer, entry: &Json) -> Result<ClaimPattern, Vec<Error>> {
        allow::pattern(issuer, entry)
    }

    fn job_variables(&self, context: &Context) -> Vec<String> {
        let mut names =
            self.resolved_issuer(context).map(|(issuer, _)| search::variables(context, &issuer)).unwrap_or_default();
        names.extend(self.settings.token_env.clone());
        names
    }

    /// The job's time-out (seconds) counted from its start (ISO 8601), both predefined variables; without the start, the
    /// whole time-out (<https://docs.gitlab.com/ci/variables/predefined_variables/>).
    fn job_time_left(&self, context: &Context) -> Option<Duration> {
        let whole = Duration::from_secs(context.env.get("CI_JOB_TIMEOUT")?.parse().ok()?);
        let started = context.env.get("CI_JOB_STARTED_AT").and_then(|text| humantime::parse_rfc3339_weak(text).ok());
        let elapsed = started.and_then(|started| context.host.now().duration_since(started).ok());
        Some(whole.saturating_sub(elapsed.unwrap_or_default()))
    }

    fn mask(&self, _secret: &Secret) -> Masking {
        Masking::Unsupported
    }

    fn section(&self, edge: SectionEdge, title: &str, now: SystemTime) -> Option<String> {
        Some(section(edge, title, unix_seconds(now)))
    }
}

impl GitLab {
    fn find(&self, context: &Context, audiences: &Audiences) -> Result<IdToken, Error> {
        let (issuer, _) = self.resolved_issuer(context)?;
        match &self.settings.token_env {
            Some(variable) => search::named(context, &issuer, variable, audiences),
            None => search::fitting(context, &issuer, audiences),
        }
    }
}

/// <https://docs.gitlab.com/ci/jobs/job_logs/#custom-collapsible-sections>: the carriage return and the escape sequences
/// belong to the marker, and hide it from people.
fn section(edge: SectionEdge, title: &str, now: i64) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
    let name: String = title.chars().map(|c| if is_plain(c) { c } else { '-' }).collect();
    match edge {
        SectionEdge::Begin { is_collapsed } => {
            let title: String = title.chars().filter(|c| !c.is_control()).collect();
            let collapsed = if is_collapsed { "[collapsed=true]" } else { "" };
            format!("\u{1b}[0Ksection_start:{now}:{name}{collapsed}\r\u{1b}[0K{title}")
        }
        SectionEdge::End => format!("\u{1b}[0Ksection_end:{now}:{name}\r\u{1b}[0K"),
    }
}

impl IdentityAdapter for GitLab {
    const KIND: &'static str = "gitlab";
    const SUMMARY: &'static str = "GitLab CI: `id_tokens` of the job, GitLab.com and self-managed";
    const IMMUTABLE_CLAIMS: &'static [&'static str] = &[
        "project_id",
        "namespace_id",
        "job_project_id",
        "job_namespace_id",
        "user_id",
        "pipeline_id",
        "job_id",
        "runner_id",
    ];
    type Settings = Settings;

    fn new(_name: &str, settings: Settings) -> Result<Self, Vec<Error>> {
        let mut errors = Vec::new();
        if let Some(why) = settings.issuer.as_deref().and_then(|issuer| Issuer::parse(issuer).err()) {
            errors.push(Error::new(&codes::SETTING_INVALID, why).with_setting("issuer"));
        }
        let is_name =
            |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        if let Some(variable) = settings.token_env.as_deref().filter(|variable| !is_name(variable)) {
            let error =
                Error::new(&codes::SETTING_INVALID, format!("`{variable}` is not the name of an environment variable"));
            errors.push(error.with_setting("token_env").with_help("write the name alone, without $"));
        }
        if errors.is_empty() { Ok(Self { settings }) } else { Err(errors) }
    }

    fn is_own_host(host: &str) -> bool {
        host == "gitlab.com"
    }

    fn placeholder_rule(_key: &str) -> PlaceholderRule {
        PlaceholderRule::Forbidden
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use federate_core::testing::fixture;

    fn gitlab(issuer: Option<&str>) -> GitLab {
        GitLab::new("gitlab", Settings { issuer: issuer.map(str::to_owned), token_env: None }).unwrap()
    }

    fn issuer(issuer: Option<&str>, server: Option<&str>) -> (String, Reach) {
        let variables: Vec<(&str, &str)> = server.map(|server| ("CI_SERVER_URL", server)).into_iter().collect();
        let (issuer, reach) = gitlab(issuer).issuer(&fixture(&variables, |_| false).context).unwrap();
        (issuer.as_str().to_owned(), reach)
    }

    #[test]
    fn the_issuer_follows_the_server_unless_the_profile_says_otherwise() {
        assert_eq!(issuer(None, None), (GITLAB_COM.into(), Reach::BuiltIn));
        assert_eq!(issuer(None, Some("https://gitlab.com")), (GITLAB_COM.into(), Reach::BuiltIn));
        assert_eq!(
            issuer(None, Some("https://git.corp.example/gitlab/")),
            ("https://git.corp.example/gitlab".into(), Reach::Ci)
        );
        let corp = "https://git.corp.example";
        assert_eq!(issuer(Some(corp), Some(corp)), (corp.into(), Reach::Ci));
        assert_eq!(issuer(Some(corp), Some(GITLAB_COM)), (corp.into(), Reach::Setting("issuer".into())));
    }

    #[test]
    fn settings_are_checked_all_at_once() {
        let settings = Settings { issuer: Some("http://gitlab.com/".into()), token_env: Some("$TOKEN".into()) };
        let errors = GitLab::new("gitlab", settings).unwrap_err();
        assert_eq!(errors.iter().filter_map(Error::setting).collect::<Vec<_>>(), ["issuer", "token_env"]);
    }

    #[test]
    fn a_plain_http_server_is_refused() {
        let context = fixture(&[("CI_SERVER_URL", "http://gitlab.corp.example")], |_| false).context;
        let error = gitlab(None).issuer(&context).unwrap_err();
        assert_eq!(error.origin(), Some("environment variable CI_SERVER_URL"));
    }

    #[test]
    fn sections_are_marked_as_the_log_wants_them() {
        let begin = section(SectionEdge::Begin { is_collapsed: true }, "a b\u{1b}[1m", 1_777_888_800);
        assert_eq!(begin, "\u{1b}[0Ksection_start:1777888800:a-b--1m[collapsed=true]\r\u{1b}[0Ka b[1m");
        assert_eq!(section(SectionEdge::End, "member-1.x_y", 7), "\u{1b}[0Ksection_end:7:member-1.x_y\r\u{1b}[0K");
    }

    #[test]
    fn the_time_that_is_left_is_counted_from_the_jobs_start() {
        // The fixture's clock stands at 2026-05-04T10:00:00Z.
        for (variables, expected) in [
            (&[("CI_JOB_TIMEOUT", "3600"), ("CI_JOB_STARTED_AT", "2026-05-04T09:50:00Z")][..], Some(3000)),
            (&[("CI_JOB_TIMEOUT", "3600"), ("CI_JOB_STARTED_AT", "2026-05-04T01:00:00Z")], Some(0)),
            (&[("CI_JOB_TIMEOUT", "3600")], Some(3600)),
            (&[("CI_JOB_TIMEOUT", "1h")], None),
            (&[("CI_JOB_STARTED_AT", "2026-05-04T09:50:00Z")], None),
        ] {
            let left = gitlab(None).job_time_left(&fixture(variables, |_| false).context);
            assert_eq!(left.map(|left| left.as_secs()), expected, "{variables:?}");
        }
    }

    #[test]
    fn detection_wants_exactly_true() {
        for (value, here) in [("true", true), ("1", false), ("TRUE", false)] {
            assert_eq!(gitlab(None).detect(&fixture(&[("GITLAB_CI", value)], |_| false).context).is_here(), here);
        }
    }
}
