//! A running sandbox, and the environment of the job that it plays.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use federate_core::{ChildValue, Error, NamePattern};
use federate_http::{Limits, LoopbackServer, ServerTls};

use crate::ci::ci_systems;
use crate::codes;
use crate::job::{CiJob, Job};
use crate::keys::SigningKey;
use crate::random::Random;
use crate::report::Event;
use crate::stage::SandboxTarget;
use crate::throttle::Throttle;
use crate::tls::ServerCertificate;
use crate::world::World;

/// What a sandbox is made of.
#[derive(Debug)]
pub struct Options {
    /// The port on 127.0.0.1; 0 takes a free one.
    pub port: u16,
    /// The targets whose roles and applications exist.
    pub targets: Vec<SandboxTarget>,
    /// The job to play.
    pub job: Job,
    /// Which part of the calls to the clouds is throttled, 0 to 1.
    pub throttle: f64,
    /// How long what is handed out lives.
    pub lifetimes: Lifetimes,
    /// A private directory for the certificate and the job's files; the caller removes it.
    pub directory: PathBuf,
}

/// How long what is handed out lives, where it is to be less than usual.
#[derive(Clone, Copy, Debug, Default)]
pub struct Lifetimes {
    /// At most so long: role sessions of STS and access tokens of Entra.
    pub credentials: Option<Duration>,
    /// Exactly so long: ID tokens of the CI system. Whole seconds.
    pub tokens: Option<Duration>,
}

/// A loopback issuer with its clouds. It answers while [`Sandbox::serve`] is polled, and is gone when dropped.
pub struct Sandbox {
    server: LoopbackServer,
    certificate: ServerCertificate,
    world: Arc<World>,
    ca_file: PathBuf,
    environment: Vec<(String, ChildValue)>,
}

impl std::fmt::Debug for Sandbox {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Sandbox").field("url", &self.url()).finish_non_exhaustive()
    }
}

/// Set to the certificate authority's file: aws CLI and boto3, OpenSSL and Go, requests, curl, Node.js.
const CA_VARIABLES: &[&str] =
    &["AWS_CA_BUNDLE", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS"];

impl Sandbox {
    /// Binds the port, makes key and certificate, and writes `ca.pem` into the directory. `events` is called for every
    /// request that is answered.
    ///
    /// # Errors
    /// `usage`, `sandbox-claim`, `sandbox-failed`, and `network-unreachable` for a port that is taken.
    pub async fn start(options: Options, events: Arc<dyn Fn(Event) + Send + Sync>) -> Result<Self, Error> {
        let job = CiJob::new(&options.job, &options.targets)?.with_token_lifetime(options.lifetimes.tokens);
        let server = LoopbackServer::bind(options.port).await?;
        let random = Random::new()?;
        let certificate = ServerCertificate::generate(SystemTime::now())?;
        let ca_file = options.directory.join("ca.pem");
        fs::write(&ca_file, &certificate.authority_pem).map_err(|error| {
            Error::new(&codes::SANDBOX_FAILED, format!("{} cannot be written", ca_file.display()))
                .with_cause(error.to_string())
        })?;
        let world = World {
            origin: format!("https://{}", server.address()),
            targets: options.targets,
            job,
            key: Arc::new(SigningKey::generate()?),
            request_token: random.opaque_token(),
            random,
            sessions: Mutex::new(HashMap::new()),
            credential_lifetime: options.lifetimes.credentials,
            clock: Arc::new(SystemTime::now),
            events,
            throttle: Throttle::new(options.throttle),
        };
        let environment = environment(&world, &ca_file, &options.directory, options.job.token_env.as_deref())?;
        Ok(Self { server, certificate, world: Arc::new(world), ca_file, environment })
    }

    /// `https://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        self.world.origin.clone()
    }

    /// The certificate authority that clients have to trust.
    pub fn ca_file(&self) -> &Path {
        &self.ca_file
    }

    /// What the job's environment gains.
    pub fn environment(&self) -> Vec<(String, ChildValue)> {
        self.environment.clone()
    }

    /// What the job's environment loses first: every CI system's own variables, cloud logins, proxies.
    pub fn removed(&self) -> Vec<NamePattern> {
        let clouds = ["AWS_", "AZURE_", "ARM_", "IDENTITY_", "MSI_", "FEDERATE_"].map(NamePattern::Prefix);
        let proxies = [
            "HTTPS_PROXY",
            "https_proxy",
            "HTTP_PROXY",
            "http_proxy",
            "ALL_PROXY",
            "all_proxy",
            "NO_PROXY",
            "no_proxy",
        ]
        .map(NamePattern::Exact);
        let roots = [NamePattern::Exact("SSL_CERT_DIR")];
        // Of CI systems that are not played: what SDKs and Terraform's providers would ask a real one with.
        let others = [
            NamePattern::Exact("SYSTEM_ACCESSTOKEN"),
            NamePattern::Exact("SYSTEM_OIDCREQUESTURI"),
            NamePattern::Exact("BITBUCKET_STEP_OIDC_TOKEN"),
            NamePattern::Prefix("BUILDKITE_AGENT_"),
            NamePattern::Prefix("CIRCLE_OIDC_TOKEN"),
        ];
        let jobs = ci_systems().iter().flat_map(|system| system.job_variables().iter().cloned());
        clouds.into_iter().chain(proxies).chain(roots).chain(others).chain(jobs).collect()
    }

    /// Answers requests until the future is dropped.
    pub async fn serve(&self) {
        let tls = match ServerTls::from_pem(&self.certificate.chain_pem, &self.certificate.key_pem) {
            Ok(tls) => tls,
            Err(_) => return,
        };
        self.server.run_tls(Limits::default(), tls, self.world.clone()).await;
    }
}

fn environment(
    world: &World,
    ca_file: &Path,
    directory: &Path,
    token_env: Option<&str>,
) -> Result<Vec<(String, ChildValue)>, Error> {
    let (system, origin) = (world.job.system, &world.origin);
    let plain = |text: &str| ChildValue::Plain(text.to_owned());
    let mut set: Vec<(String, ChildValue)> = system
        .variables(&world.job.issuer, &world.job.claims())
        .into_iter()
        .map(|(name, value)| (name, ChildValue::Plain(value)))
        .collect();
    match system.token_path() {
        Some(path) => set.extend(system.request_variables(&format!("{origin}{path}"), &world.request_token)),
        None => {
            for (name, audience) in world.job.token_variables(&world.targets, token_env) {
                let token = world.job.mint(&world.key, &world.random, world.now(), &audience)?;
                set.push((name, ChildValue::Secret(token)));
            }
        }
    }
    for name in system.file_variables() {
        let path = directory.join(name.to_ascii_lowercase());
        fs::write(&path, "").map_err(|error| {
            Error::new(&codes::SANDBOX_FAILED, format!("{} cannot be written", path.display()))
                .with_cause(error.to_string())
        })?;
        set.push(((*name).to_owned(), ChildValue::Plain(path.display().to_string())));
    }
    let ca = ca_file.display().to_string();
    set.extend(CA_VARIABLES.iter().map(|name| ((*name).to_owned(), plain(&ca))));
    for (name, value) in [
        ("AWS_ENDPOINT_URL_STS", origin.as_str()),
        ("AWS_EC2_METADATA_DISABLED", "true"),
        ("AZURE_AUTHORITY_HOST", origin.as_str()),
        // The sandbox's address is not among Microsoft's own, which SDKs would look it up in.
        ("AZURE_CORE_INSTANCE_DISCOVERY", "false"),
        ("FEDERATE_SANDBOX_URL", origin.as_str()),
        ("FEDERATE_SANDBOX_CA", ca.as_str()),
        ("NO_PROXY", "127.0.0.1,localhost"),
        ("no_proxy", "127.0.0.1,localhost"),
    ] {
        set.push((name.to_owned(), plain(value)));
    }
    Ok(set)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{aws_target, azure_target};
    use federate_core::{Env, Http as _, IdToken, NetworkSettings, Reach, Request};
    use std::time::Instant;
    use url::Url;

    fn options(directory: &Path, ci: &str) -> Options {
        Options {
            port: 0,
            targets: vec![aws_target("aws"), azure_target("azure")],
            job: Job { ci: ci.to_owned(), issuer: None, claims: Vec::new(), token_env: None },
            throttle: 0.0,
            lifetimes: Lifetimes::default(),
            directory: directory.to_owned(),
        }
    }

    fn value(sandbox: &Sandbox, name: &str) -> Option<String> {
        sandbox.environment().into_iter().find(|(key, _)| key == name).map(|(_, value)| match value {
            ChildValue::Plain(text) | ChildValue::PathOf(text) => text,
            ChildValue::Secret(secret) => secret.reveal().to_owned(),
        })
    }

    #[tokio::test]
    async fn a_client_that_trusts_the_authority_is_answered() {
        let directory = tempfile::tempdir().unwrap();
        let sandbox = Sandbox::start(options(directory.path(), "gitlab"), Arc::new(|_| {})).await.unwrap();
        let env: Env = [("SSL_CERT_FILE", value(&sandbox, "SSL_CERT_FILE").unwrap())].into_iter().collect();
        let client = federate_http::Client::new(&NetworkSettings::default(), &env).unwrap();
        let url = Url::parse(&format!("{}/.well-known/openid-configuration", sandbox.url())).unwrap();
        let request = Request::get("discovery", url, Reach::BuiltIn);
        let asked = client.send(&request, Instant::now() + Duration::from_secs(10));
        let answer = tokio::select! {
            answer = asked => answer.unwrap(),
            () = sandbox.serve() => panic!("the server ended"),
        };
        assert!(answer.text().contains("https://gitlab.com"));
    }

    #[tokio::test]
    async fn the_job_has_what_its_ci_would_give_it() {
        let directory = tempfile::tempdir().unwrap();
        let gitlab = Sandbox::start(options(directory.path(), "gitlab"), Arc::new(|_| {})).await.unwrap();
        assert_eq!(value(&gitlab, "GITLAB_CI").as_deref(), Some("true"));
        assert!(IdToken::looks_like_one(&value(&gitlab, "AWS_ID_TOKEN").unwrap()));
        assert!(IdToken::looks_like_one(&value(&gitlab, "AZURE_ID_TOKEN").unwrap()));
        assert!(!format!("{:?} {gitlab:?}", gitlab.environment()).contains(&value(&gitlab, "AWS_ID_TOKEN").unwrap()));
        let github = Sandbox::start(options(directory.path(), "github"), Arc::new(|_| {})).await.unwrap();
        assert_ne!(github.url(), gitlab.url(), "two do not disturb each other");
        let request_url = value(&github, "ACTIONS_ID_TOKEN_REQUEST_URL").unwrap();
        assert!(request_url.starts_with(&github.url()) && request_url.contains('?'));
        assert!(Path::new(&value(&github, "GITHUB_ENV").unwrap()).exists());
        for name in [
            "CI_JOB_TOKEN",
            "GITHUB_TOKEN",
            "ACTIONS_ID_TOKEN_REQUEST_TOKEN",
            "SYSTEM_ACCESSTOKEN",
            "AWS_SECRET_ACCESS_KEY",
            "HTTPS_PROXY",
        ] {
            assert!(gitlab.removed().iter().any(|pattern| pattern.matches(name)), "{name}");
        }
    }
}
