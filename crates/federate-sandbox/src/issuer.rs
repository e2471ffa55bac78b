//! The CI system as an OpenID Connect issuer: discovery, keys, and GitHub's token request endpoint.

use federate_http::{Answer, Incoming};
use ring::digest;
use serde_json::json;

use crate::report::{Event, Reason, Reply};
use crate::world::{World, broken};

const DISCOVERY: &str = "/.well-known/openid-configuration";

/// Answers if the path is the issuer's.
pub(crate) fn reply(world: &World, request: &Incoming) -> Option<Reply> {
    let (system, issuer) = (world.job.system, &world.job.issuer);
    // An instance may live below a path (https://git.example.com/gitlab).
    let base = issuer.url().map(|url| url.path().trim_end_matches('/').to_owned()).unwrap_or_default();
    let below = request.path.strip_prefix(base.as_str());
    if below == Some(DISCOVERY) {
        let document = json!({
            "issuer": issuer.as_str(),
            "jwks_uri": format!("{}{}", published_at(world, request), system.keys_path()),
            "response_types_supported": ["id_token"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "scopes_supported": ["openid"],
            "claims_supported": world.job.claims().names().collect::<Vec<_>>(),
        });
        return Some(published(world, "discovery", Answer::json(200, &document)));
    }
    if below == Some(system.keys_path()) {
        return Some(published(world, "keys", Answer::json(200, world.key.published())));
    }
    (Some(request.path.as_str()) == system.token_path()).then(|| token(world, request))
}

/// Clients that reach the issuer by its own name are led back by that name, others by the sandbox's.
fn published_at(world: &World, request: &Incoming) -> String {
    let issuer = &world.job.issuer;
    let own = issuer.url().and_then(|url| url.host_str().map(str::to_owned));
    let asked = request.header("host").map(|host| host.split(':').next().unwrap_or_default().to_owned());
    if own == asked {
        return issuer.as_str().to_owned();
    }
    let path = issuer.url().map(|url| url.path().trim_end_matches('/').to_owned()).unwrap_or_default();
    format!("{}{path}", world.origin)
}

fn published(world: &World, what: &str, answer: Answer) -> Reply {
    let event = Event::new(world.job.system.title(), what, answer.status);
    Reply { answer, event }
}

fn token(world: &World, request: &Incoming) -> Reply {
    let service = world.job.system.title();
    let asked = request.query.iter().find(|(name, _)| name == "audience").map(|(_, value)| value.clone());
    let Some(audience) = asked.or_else(|| world.job.system.default_audience(&world.job.claims())) else {
        return refused(service, 400, "an audience is missing");
    };
    let bearer = request.header("authorization").and_then(bearer_token);
    if !bearer.is_some_and(|bearer| same(bearer, world.request_token.reveal())) {
        return refused(service, 401, "the bearer token is not the one of ACTIONS_ID_TOKEN_REQUEST_TOKEN");
    }
    if !matches!(request.method.as_str(), "GET" | "POST") {
        return refused(service, 405, "only GET and POST are known");
    }
    let what = format!("ID token for {audience}");
    match world.job.mint(&world.key, &world.random, world.now(), &audience) {
        Ok(token) => Reply {
            answer: Answer::json(200, &json!({"count": token.reveal().len(), "value": token.reveal()})),
            event: Event::new(service, what, 200),
        },
        Err(_) => broken(service, &what),
    }
}

/// The token of an `Authorization` header, whose scheme may be written in any case.
pub(crate) fn bearer_token(header: &str) -> Option<&str> {
    let (scheme, token) = header.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// Compares digests, so that how long it takes says nothing of where the texts differ.
fn same(one: &str, other: &str) -> bool {
    let digest = |text: &str| digest::digest(&digest::SHA256, text.as_bytes());
    digest(one).as_ref() == digest(other).as_ref()
}

fn refused(service: &str, status: u16, why: &str) -> Reply {
    Reply {
        answer: Answer::json(status, &json!({"message": why})),
        event: Event::new(service, "ID token", status).with_reason(&Reason::new(why)),
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{body, get, get_as, world, world_of};
    use federate_core::jwks::Jwks;
    use federate_core::{IdToken, Issuer, Secret};

    #[test]
    fn discovery_leads_to_keys_that_verify_tokens() {
        let world = world("github", &[]);
        let mut request = get("/.well-known/openid-configuration");
        request.headers = vec![("host".to_owned(), "token.actions.githubusercontent.com".to_owned())];
        let document = body(&world.reply(&request));
        assert_eq!(document["issuer"], "https://token.actions.githubusercontent.com");
        assert_eq!(document["jwks_uri"], "https://token.actions.githubusercontent.com/.well-known/jwks");
        let by_address = body(&world.reply(&get("/.well-known/openid-configuration")));
        assert_eq!(by_address["jwks_uri"], "https://127.0.0.1:4443/.well-known/jwks");
        let keys = world.reply(&get("/.well-known/jwks")).answer.body;
        let token = world.reply(&get_as("/github/token", &[("audience", "x")], world.request_token.reveal()));
        let token = IdToken::parse(Secret::new(body(&token)["value"].as_str().unwrap()), "the test").unwrap();
        assert_eq!(Jwks::parse(&keys).unwrap().verify(&token).unwrap().audiences(), ["x"]);
    }

    #[test]
    fn an_instance_below_a_path_is_found_there() {
        let issuer = Issuer::parse("https://git.example.com/gitlab").unwrap();
        let world = world_of("gitlab", Some(issuer), &[], Vec::new());
        let document = body(&world.reply(&get("/gitlab/.well-known/openid-configuration")));
        assert_eq!(document["jwks_uri"], "https://127.0.0.1:4443/gitlab/oauth/discovery/keys");
        assert_eq!(world.reply(&get("/gitlab/oauth/discovery/keys")).answer.status, 200);
        assert_eq!(world.reply(&get("/.well-known/openid-configuration")).answer.status, 404);
    }

    #[test]
    fn a_token_is_asked_for_with_the_right_bearer_alone() {
        let world = world("github", &[]);
        for reply in [world.reply(&get("/github/token")), world.reply(&get_as("/github/token", &[], "wrong"))] {
            assert_eq!(reply.answer.status, 401);
            assert!(!reply.event.to_string().contains(world.request_token.reveal()));
        }
        let reply = world.reply(&get_as("/github/token", &[], world.request_token.reveal()));
        let token = body(&reply)["value"].as_str().unwrap().to_owned();
        let token = IdToken::parse(Secret::new(token), "the test").unwrap();
        assert_eq!(token.claims().audiences(), ["https://github.com/quarry-street"], "the default");
        assert!(!reply.event.to_string().contains(token.raw().reveal()));
        assert_eq!(world_of("gitlab", None, &[], Vec::new()).reply(&get("/github/token")).answer.status, 404);
    }
}
