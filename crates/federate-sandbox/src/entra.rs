//! Microsoft Entra: discovery, and the token endpoint with its checks of the assertion.

use std::time::Duration;

use federate_core::context::unix_seconds;
use federate_core::{Claims, IdToken, Secret};
use federate_http::{Answer, Incoming};
use federate_trust::Job as TrustedJob;
use serde_json::{Map, Value as Json, json};

use crate::random::stable_uuid;
use crate::report::{Event, Reason, Reply, short};
use crate::stage::SandboxTarget;
use crate::trust::{Decision, decide, differences, failed_conditions, lines_to_add, wrong_audience};
use crate::world::{World, broken};

const SERVICE: &str = "Entra";
const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
const LEARN: &str = "https://learn.microsoft.com/entra/workload-id/workload-identity-federation";
/// Entra picks between 60 and 90 minutes and says one second less.
const LIFETIME: Duration = Duration::from_secs(3599);

/// Answers if the path is Entra's.
pub(crate) fn reply(world: &World, request: &Incoming) -> Option<Reply> {
    let path: Vec<&str> = request.path.trim_start_matches('/').split('/').collect();
    match (request.method.as_str(), path.as_slice()) {
        ("POST", [tenant, "oauth2", "v2.0", "token"]) => Some(token(world, request, tenant)),
        ("GET", ["common", "discovery", "instance"]) => Some(published("instance discovery", &instance(world))),
        (
            "GET",
            [tenant, "v2.0", ".well-known", "openid-configuration"] | [tenant, ".well-known", "openid-configuration"],
        ) => Some(if world.targets.iter().any(|target| target.in_tenant(tenant)) {
            published("discovery", &configuration(world, tenant))
        } else {
            unknown_tenant(world, "discovery", tenant)
        }),
        ("GET", [_, "discovery", "v2.0", "keys"]) => Some(published("keys", world.key.published())),
        _ => None,
    }
}

fn published(what: &str, document: &Json) -> Reply {
    Reply { answer: Answer::json(200, document), event: Event::new(SERVICE, what, 200) }
}

fn instance(world: &World) -> Json {
    json!({
        "tenant_discovery_endpoint": format!("{}/common/v2.0/.well-known/openid-configuration", world.origin),
        "api-version": "1.1",
        "metadata": [],
    })
}

fn configuration(world: &World, tenant: &str) -> Json {
    let base = format!("{}/{tenant}", world.origin);
    json!({
        "issuer": format!("{base}/v2.0"),
        "token_endpoint": format!("{base}/oauth2/v2.0/token"),
        "authorization_endpoint": format!("{base}/oauth2/v2.0/authorize"),
        "device_authorization_endpoint": format!("{base}/oauth2/v2.0/devicecode"),
        "jwks_uri": format!("{base}/discovery/v2.0/keys"),
        "token_endpoint_auth_methods_supported": ["private_key_jwt"],
        "response_types_supported": ["id_token"],
        "subject_types_supported": ["pairwise"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "scopes_supported": ["openid"],
    })
}

/// A refusal: the AADSTS number, the OAuth error, the status, and Entra's text.
struct Refusal {
    number: u64,
    error: &'static str,
    status: u16,
    text: String,
    reason: Reason,
}

impl Refusal {
    fn client(number: u64, text: impl Into<String>) -> Self {
        Self { number, error: "invalid_client", status: 401, text: text.into(), reason: Reason::default() }
    }

    fn request(number: u64, text: impl Into<String>) -> Self {
        Self { number, error: "invalid_request", status: 400, text: text.into(), reason: Reason::default() }
    }

    fn because(mut self, reason: Reason) -> Self {
        self.reason = reason;
        self
    }
}

fn refuse(world: &World, asked: &str, refusal: Refusal) -> Reply {
    let (trace, correlation) = (world.random.uuid(), world.random.uuid());
    let time = humantime::format_rfc3339_seconds(world.now()).to_string().replace('T', " ");
    let number = refusal.number;
    let document = json!({
        "error": refusal.error,
        "error_description": format!(
            "AADSTS{number}: {} Trace ID: {trace} Correlation ID: {correlation} Timestamp: {time}", refusal.text
        ),
        "error_codes": [number],
        "timestamp": time,
        "trace_id": trace,
        "correlation_id": correlation,
        "error_uri": format!("https://login.microsoftonline.com/error?code={number}"),
    });
    let reason = if refusal.reason == Reason::default() { Reason::new(refusal.text) } else { refusal.reason };
    Reply {
        answer: Answer::json(refusal.status, &document).with_header("x-ms-request-id", trace),
        event: Event::new(SERVICE, asked, refusal.status).with_outcome(format!("AADSTS{number}")).with_reason(&reason),
    }
}

fn unknown_tenant(world: &World, asked: &str, tenant: &str) -> Reply {
    let text = format!(
        "Tenant '{}' not found. Check to make sure you have the correct tenant ID and are signing into the correct cloud. \
         Check with your subscription administrator, this may happen if there are no active subscriptions for the tenant.",
        short(tenant)
    );
    refuse(world, asked, Refusal::request(90_002, text))
}

fn token(world: &World, request: &Incoming, tenant: &str) -> Reply {
    let form = request.form();
    let field = |name: &str| form.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
    let client = field("client_id").unwrap_or_default();
    let asked = format!("token for application {}", short(client));
    if !world.targets.iter().any(|target| target.in_tenant(tenant)) {
        return unknown_tenant(world, &asked, tenant);
    }
    match granted(world, tenant, client, &field) {
        Ok(resource) => issue(world, tenant, client, &resource, &asked),
        Err(refusal) => refuse(world, &asked, refusal),
    }
}

/// The resource of the scope, if everything holds.
fn granted<'a>(
    world: &World,
    tenant: &str,
    client: &str,
    field: &dyn Fn(&str) -> Option<&'a str>,
) -> Result<String, Refusal> {
    for name in ["grant_type", "client_id", "scope", "client_assertion_type", "client_assertion"] {
        if field(name).is_none_or(str::is_empty) {
            let text = format!("The request body must contain the following parameter: '{name}'.");
            return Err(Refusal::request(900_144, text));
        }
    }
    if field("grant_type") != Some("client_credentials") || field("client_assertion_type") != Some(JWT_BEARER) {
        return Err(Refusal::request(9_002_313, "Invalid request. Request is malformed or invalid."));
    }
    let applications: Vec<&SandboxTarget> =
        world.targets.iter().filter(|target| target.is_application(tenant, client)).collect();
    if applications.is_empty() {
        let text = format!(
            "Application with identifier '{}' was not found in the directory '{}'. This can happen if the application has \
             not been installed by the administrator of the tenant or consented to by any user in the tenant.",
            short(client),
            short(tenant)
        );
        return Err(Refusal { error: "unauthorized_client", status: 400, ..Refusal::request(700_016, text) });
    }
    let resource = resource(world, field("scope").unwrap_or_default())?;
    trusted(world, &applications, field("client_assertion").unwrap_or_default())?;
    Ok(resource)
}

fn trusted(world: &World, applications: &[&SandboxTarget], raw: &str) -> Result<(), Refusal> {
    let malformed = || Refusal::request(50_027, "JWT token is invalid or malformed.");
    let token = IdToken::parse(Secret::new(raw), "client_assertion").map_err(|_| malformed())?;
    if token.algorithm() != "RS256" {
        return Err(malformed());
    }
    let claims = Claims::new(token.claims().as_map().clone());
    let check =
        "Check your federated identity credential Subject, Audience and Issuer against the presented assertion.";
    let no_match = |number, part: &str, presented: &str| {
        let what = format!("No matching federated identity record found for presented assertion {part} '{presented}'.");
        Refusal::client(number, format!("{what} {check} {LEARN}"))
    };
    let differs_in_case = |subject: &str| {
        let text = format!(
            "No matching federated identity record found for presented assertion subject '{subject}'. The subject \
             matches with case-insensitive comparison, but not with case-sensitive comparison. {check} {LEARN}"
        );
        Refusal::client(7_002_138, text)
    };
    if applications.iter().all(|target| target.allow.is_empty() && target.trust.is_none()) {
        let client = applications.first().and_then(|target| target.text("client_id")).unwrap_or_default();
        let text = format!("The client '{client}' has no configured federated identity credentials. {LEARN}");
        return Err(Refusal::client(70_025, text).because(lines_to_add(applications, world.job.system, &claims)));
    }
    let issuer = claims.issuer().unwrap_or_default();
    let by_document = applications.iter().any(|target| target.trust.is_some());
    let is_known = by_document
        || applications.iter().flat_map(|target| &target.allow).any(|entry| entry.issuer.as_str() == issuer);
    if issuer != world.job.issuer.as_str() || !is_known {
        return Err(no_match(700_211, "issuer", issuer));
    }
    if world.key.verify(&token).is_err() {
        let text =
            "Client assertion failed signature validation. [Reason - The key was not found or did not sign this.]";
        return Err(Refusal::client(700_027, text));
    }
    let audiences = claims.audiences();
    let for_audience: Vec<&SandboxTarget> = applications
        .iter()
        .copied()
        .filter(|target| target.trust.is_some() || target.audiences.fits(&audiences))
        .collect();
    if for_audience.is_empty() {
        let presented = audiences.join(" ");
        let expected = applications.first().map(|target| wrong_audience(&presented, &target.audiences));
        return Err(no_match(700_212, "audience", &presented).because(expected.unwrap_or_default()));
    }
    check_times(world, &claims)?;
    let subject = claims.subject().unwrap_or_default();
    match decide(&for_audience, &TrustedJob::new(claims.clone(), world.now())) {
        Decision::Admitted => Ok(()),
        Decision::NoTrust => {
            Err(no_match(700_211, "issuer", issuer).because(lines_to_add(&for_audience, world.job.system, &claims)))
        }
        Decision::ByDocument(verdict) => {
            let number = verdict
                .cloud_code
                .as_deref()
                .and_then(|code| code.strip_prefix("AADSTS")?.parse().ok())
                .unwrap_or(700_213);
            let refusal = match number {
                700_211 => no_match(number, "issuer", issuer),
                700_212 => no_match(number, "audience", &audiences.join(" ")),
                7_002_138 => differs_in_case(subject),
                _ => no_match(number, "subject", subject),
            };
            Err(refusal.because(failed_conditions(&verdict)))
        }
        Decision::Refused { nearest, mismatches } => {
            let is_other_case = nearest.subjects.iter().any(|pattern| {
                pattern.as_exact().is_some_and(|text| text != subject && text.eq_ignore_ascii_case(subject))
            });
            let refusal = if is_other_case { differs_in_case(subject) } else { no_match(700_213, "subject", subject) };
            Err(refusal.because(differences(nearest, &mismatches)))
        }
    }
}

fn check_times(world: &World, claims: &Claims) -> Result<(), Refusal> {
    let now = unix_seconds(world.now());
    let (begins, ends) = (claims.seconds("nbf").unwrap_or(i64::MIN), claims.seconds("exp").unwrap_or(i64::MIN));
    // Entra allows for clocks that differ by five minutes.
    if begins - 300 <= now && now < ends.saturating_add(300) {
        return Ok(());
    }
    let text = format!(
        "Client assertion is not within its valid time range. Current time: {now}, assertion valid from {begins}, expiry \
         time of assertion {ends}."
    );
    Err(Refusal::client(700_024, text))
}

/// The application that all clusters of Azure Kubernetes Service share.
const KUBERNETES: &str = "6dae42f8-4368-4678-94ff-3960e28e3630";

/// Resource Manager in every spelling, Graph, Key Vault, Storage, Kubernetes: what an assertion can be exchanged for here.
fn resource(world: &World, scope: &str) -> Result<String, Refusal> {
    const HOSTS: &[&str] = &[
        "management.azure.com",
        "management.core.windows.net",
        "management.usgovcloudapi.net",
        "management.core.usgovcloudapi.net",
        "management.chinacloudapi.cn",
        "management.core.chinacloudapi.cn",
        "graph.microsoft.com",
        "graph.microsoft.us",
        "microsoftgraph.chinacloudapi.cn",
        "vault.azure.net",
        "storage.azure.com",
    ];
    let invalid = || {
        let text = format!(
            "The provided request must include a 'scope' input parameter. The provided value for the input parameter 'scope' is not valid. The scope {} is not valid.",
            short(scope)
        );
        Refusal { error: "invalid_scope", ..Refusal::request(70_011, text) }
    };
    // `https://management.core.windows.net//.default`: the resource ends with a slash of its own.
    let resource =
        scope.strip_suffix("/.default").filter(|one| !one.is_empty() && !one.contains(' ')).ok_or_else(invalid)?;
    let host = resource.trim_end_matches('/').strip_prefix("https://").unwrap_or_default();
    let configured = world.targets.iter().any(|target| {
        let named = |text: &str| text.trim_end_matches('/') == resource.trim_end_matches('/');
        let scopes = target.settings.get("scopes").and_then(Json::as_array).into_iter().flatten();
        target.text("resource_manager_url").is_some_and(named)
            || scopes.filter_map(Json::as_str).any(|one| one == scope)
    });
    if HOSTS.contains(&host) || resource == KUBERNETES || configured || resource.trim_end_matches('/') == world.origin {
        return Ok(resource.to_owned());
    }
    let text = format!("The resource principal named {} was not found in the tenant named sandbox.", short(resource));
    Err(Refusal { error: "invalid_resource", ..Refusal::request(500_011, text) })
}

fn issue(world: &World, tenant: &str, client: &str, resource: &str, asked: &str) -> Reply {
    let now = unix_seconds(world.now());
    let lifetime = i64::try_from(world.life(LIFETIME).as_secs()).unwrap_or(i64::MAX / 2);
    let object = stable_uuid(client);
    let claims: Map<String, Json> = [
        ("aud", json!(resource)),
        ("iss", json!(format!("https://sts.windows.net/{tenant}/"))),
        ("iat", json!(now)),
        ("nbf", json!(now)),
        ("exp", json!(now + lifetime + 1)),
        ("appid", json!(client)),
        ("appidacr", json!("2")),
        ("idtyp", json!("app")),
        ("oid", json!(object)),
        ("sub", json!(object)),
        ("tid", json!(tenant)),
        ("uti", json!(world.random.key_id(22))),
        ("ver", json!("1.0")),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value))
    .collect();
    let Ok(access) = world.key.sign(&claims) else { return broken(SERVICE, asked) };
    let document = json!({
        "token_type": "Bearer", "expires_in": lifetime, "ext_expires_in": lifetime, "access_token": access.reveal(),
    });
    Reply {
        answer: Answer::json(200, &document).with_header("x-ms-request-id", world.random.uuid()),
        event: Event::new(SERVICE, asked, 200).with_outcome(format!("access token for {resource}")),
    }
}

#[cfg(test)]
mod tests;
