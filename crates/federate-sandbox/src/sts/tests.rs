use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use federate_core::testing::NOW;
use serde_json::json;

use super::*;
use crate::sigv4::tests::sign;
use crate::stage::SandboxTarget;
use crate::testing::{ROLE, aws_target, azure_target, post, text, token, world, world_of};

const ROLES: &str = "https://aws.amazon.com/roles";
const AT: &str = "20260504T100000Z";

fn with(world: &World, changes: &[(&str, &str)]) -> Reply {
    let token = token(world, "sts.amazonaws.com");
    let mut form = vec![
        ("Action", "AssumeRoleWithWebIdentity"),
        ("Version", "2011-06-15"),
        ("RoleArn", ROLE),
        ("RoleSessionName", "ledger-1234"),
        ("WebIdentityToken", token.as_str()),
    ];
    for (name, value) in changes {
        form.retain(|(key, _)| key != name);
        form.push((name, value));
    }
    reply(world, &post("/", &form))
}

/// Code, text and the reason that the report gives.
fn refused(reply: &Reply) -> (u16, String, String) {
    let body = text(reply);
    let part = |name: &str| {
        let after = body.split_once(&format!("<{name}>")).map_or("", |(_, after)| after);
        after.split_once('<').map_or("", |(text, _)| text).to_owned()
    };
    let reason = reply.event.reason.clone().unwrap_or_default();
    (reply.answer.status, part("Code"), format!("{} ({reason})", part("Message")))
}

fn only_session(world: &World) -> (String, Session) {
    let sessions = world.sessions();
    let (id, session) = sessions.iter().next().expect("a session");
    (id.clone(), session.clone())
}

#[test]
fn a_job_on_main_becomes_the_role() {
    for ci in ["gitlab", "github"] {
        let world = world(ci, &[]);
        let reply = with(&world, &[("DurationSeconds", "900")]);
        let body = text(&reply);
        assert_eq!(reply.answer.status, 200, "{body}");
        for part in [
            "<AssumeRoleWithWebIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">",
            "<Arn>arn:aws:sts::111122223333:assumed-role/deploy/ledger-1234</Arn>",
            "<Audience>sts.amazonaws.com</Audience>",
            "<Provider>arn:aws:iam::111122223333:oidc-provider/",
            "<Expiration>2026-05-04T10:15:00Z</Expiration>",
            "<AccessKeyId>ASIA",
        ] {
            assert!(body.contains(part), "{part}: {body}");
        }
        let (_, session) = only_session(&world);
        assert!(!reply.event.to_string().contains(session.secret_access_key.reveal()));
        assert_eq!(reply.event.outcome, "arn:aws:sts::111122223333:assumed-role/deploy/ledger-1234");
    }
}

#[test]
fn a_job_that_is_not_meant_is_refused_with_the_reason() {
    for (claims, part) in [
        (&[("ref", "other")][..], "`ref` is `other`, expected `main`"),
        (&[("project_path", "mallory/ledger")], "`project_path` is `mallory/ledger`"),
        (&[("ref", "main"), ("ref_type", "tag")], "`ref_type` is `tag`"),
    ] {
        let (status, code, text) = refused(&with(&world("gitlab", claims), &[]));
        assert_eq!((status, code.as_str()), (403, "AccessDenied"), "{claims:?}");
        assert!(text.starts_with("Not authorized to perform sts:AssumeRoleWithWebIdentity"), "{text}");
        assert!(text.contains(part), "{text}");
    }
    let mut closed = aws_target("aws");
    closed.allow.clear();
    let reply = with(&world_of("gitlab", None, &[], vec![closed]), &[]);
    assert_eq!(refused(&reply).1, "AccessDenied");
    assert_eq!(reply.event.lines[0], "[targets.aws.trust]");
    let reply = with(&world("gitlab", &[]), &[("RoleArn", "arn:aws:iam::111122223333:role/other")]);
    assert!(refused(&reply).2.contains("does not exist"));
}

#[test]
fn a_token_that_is_not_one_is_refused_as_sts_does() {
    let past = (NOW - 10).to_string();
    let future = (NOW + 600).to_string();
    for (claims, code, part) in [
        (
            &[("iss", "https://evil.test")][..],
            "InvalidIdentityToken",
            "No OpenIDConnect provider found in your account for https://evil.test",
        ),
        (
            &[("exp", past.as_str())],
            "ExpiredTokenException",
            "Token expired: current date/time 1777888800 must be before the expiration date/time 1777888790",
        ),
        (&[("nbf", future.as_str())], "InvalidIdentityToken", "not yet valid"),
        (&[("aud", "someone-else")], "InvalidIdentityToken", "Incorrect token audience"),
        (&[("aud", r#"["sts.amazonaws.com","b"]"#)], "InvalidIdentityToken", "Incorrect token audience"),
        (&[("azp", "someone-else")], "InvalidIdentityToken", "Incorrect token audience"),
        (
            &[(ROLES, r#"["arn:aws:iam::111122223333:role/*"]"#)],
            "InvalidIdentityToken",
            "not present in the roles claim",
        ),
        (&[(ROLES, "arn:aws:iam::111122223333:role/other")], "InvalidIdentityToken", "not present in the roles claim"),
    ] {
        let (status, found, text) = refused(&with(&world("gitlab", claims), &[]));
        assert_eq!((status, found.as_str()), (400, code), "{claims:?}: {text}");
        assert!(text.contains(part), "{text}");
    }
}

#[test]
fn a_token_may_list_its_roles() {
    for roles in [ROLE.to_owned(), json!(["arn:aws:iam::111122223333:role/other", ROLE]).to_string()] {
        let reply = with(&world("gitlab", &[(ROLES, &roles)]), &[]);
        assert_eq!(reply.answer.status, 200, "{roles}");
    }
}

#[test]
fn signatures_are_checked() {
    let world = world("gitlab", &[]);
    let real = token(&world, "sts.amazonaws.com");
    let parts: Vec<&str> = real.split('.').collect();
    let encode = |json: Json| URL_SAFE_NO_PAD.encode(json.to_string());
    let payload: Json = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(parts[1]).unwrap()).unwrap();
    let mut forged = payload.clone();
    forged["project_path"] = json!("mallory/ledger");
    for (token, part) in [
        (format!("{}.{}.{}", parts[0], encode(forged), parts[2]), "is not a valid JWT"),
        (format!("{}.{}.{}", encode(json!({"alg": "RS256", "kid": "x"})), parts[1], parts[2]), "provider,  please"),
        (format!("{}.{}.", encode(json!({"alg": "none"})), parts[1]), "is not a valid JWT"),
        ("canary-no-token".to_owned(), "is not a valid JWT"),
    ] {
        let reply = with(&world, &[("WebIdentityToken", &token)]);
        let (status, code, text) = refused(&reply);
        assert_eq!((status, code.as_str()), (400, "InvalidIdentityToken"), "{text}");
        assert!(text.contains(part) && !text.contains("canary"), "{text}");
    }
}

#[test]
fn parameters_are_checked_first() {
    let world = world("gitlab", &[("exp", "1")]);
    for (change, code) in [
        (("RoleSessionName", "a b"), "ValidationError"),
        (("DurationSeconds", "60"), "ValidationError"),
        (("Policy", "{"), "MalformedPolicyDocument"),
        (("Version", "2010-01-01"), "InvalidAction"),
        (("Action", "GetFederationToken"), "InvalidAction"),
    ] {
        assert_eq!(refused(&with(&world, &[change])).1, code, "{change:?}");
    }
}

fn action(name: &str, form: &[(&str, &str)]) -> Incoming {
    let mut all = vec![("Action", name), ("Version", "2011-06-15")];
    all.extend(form);
    post("/", &all)
}

#[test]
fn who_signed_is_told_who_they_are() {
    let world = world("gitlab", &[]);
    with(&world, &[]);
    let (id, session) = only_session(&world);
    let good = reply(&world, &sign(action("GetCallerIdentity", &[]), &id, &session, AT));
    assert!(text(&good).contains("<Arn>arn:aws:sts::111122223333:assumed-role/deploy/ledger-1234</Arn>"));
    let mut other_key = session.clone();
    other_key.secret_access_key = federate_core::Secret::new("wrong");
    let mut other_token = session.clone();
    other_token.session_token = federate_core::Secret::new("wrong");
    for (id, session, at, code) in [
        (id.as_str(), &other_key, AT, "SignatureDoesNotMatch"),
        (id.as_str(), &other_token, AT, "InvalidClientTokenId"),
        ("ASIAUNKNOWN", &session, AT, "InvalidClientTokenId"),
        (id.as_str(), &session, "20260504T093000Z", "SignatureDoesNotMatch"),
        (id.as_str(), &session, "20260504T103000Z", "SignatureDoesNotMatch"),
    ] {
        let reply = reply(&world, &sign(action("GetCallerIdentity", &[]), id, session, at));
        assert_eq!((reply.answer.status, refused(&reply).1.as_str()), (403, code));
    }
    let off = |at| refused(&reply(&world, &sign(action("GetCallerIdentity", &[]), &id, &session, at))).2;
    assert!(off("20260504T093000Z").contains("now earlier than 20260504T094500Z (20260504T100000Z - 15 min.)"));
    assert!(off("20260504T103000Z").contains("still later than 20260504T101500Z (20260504T100000Z + 15 min.)"));
    world.sessions().get_mut(&id).unwrap().expires = world.now();
    let late = reply(&world, &sign(action("GetCallerIdentity", &[]), &id, &session, AT));
    assert_eq!(refused(&late).1, "ExpiredToken");
}

fn chained() -> Vec<SandboxTarget> {
    let mut target = aws_target("aws");
    target.settings["chain"] = json!([{"role_arn": "arn:aws:iam::444455556666:role/hub", "external_id": "x-1"}]);
    vec![target, azure_target("azure")]
}

#[test]
fn a_chain_is_walked_with_its_external_id_for_an_hour_at_most() {
    let world = world_of("gitlab", None, &[], chained());
    with(&world, &[]);
    let (id, session) = only_session(&world);
    let hop = |changes: &[(&str, &str)]| {
        let mut form =
            vec![("RoleArn", "arn:aws:iam::444455556666:role/hub"), ("RoleSessionName", "hop"), ("ExternalId", "x-1")];
        for (name, value) in changes {
            form.retain(|(key, _)| key != name);
            form.push((name, value));
        }
        reply(&world, &sign(action("AssumeRole", &form), &id, &session, AT))
    };
    assert_eq!(hop(&[("SourceIdentity", "ci")]).event.outcome, "arn:aws:sts::444455556666:assumed-role/hub/hop");
    for (change, code, part) in [
        (
            ("ExternalId", "guess"),
            "AccessDenied",
            "User: arn:aws:sts::111122223333:assumed-role/deploy/ledger-1234 is not authorized to perform: sts:AssumeRole on resource: arn:aws:iam::444455556666:role/hub",
        ),
        (("RoleArn", "arn:aws:iam::444455556666:role/admin"), "AccessDenied", "no chain"),
        (("DurationSeconds", "7200"), "ValidationError", "1 hour session limit"),
    ] {
        let (_, found, text) = refused(&hop(&[change]));
        assert_eq!(found, code);
        assert!(text.contains(part), "{text}");
    }
    let unsigned = reply(&world, &action("AssumeRole", &[]));
    assert_eq!(refused(&unsigned).1, "MissingAuthenticationToken");
}

#[test]
fn sessions_live_no_longer_than_is_said() {
    let mut world = world_of("gitlab", None, &[], chained());
    world.credential_lifetime = Some(Duration::from_secs(3));
    let body = text(&with(&world, &[("DurationSeconds", "900")]));
    assert!(body.contains("<Expiration>2026-05-04T10:00:03Z</Expiration>"), "{body}");
    let (id, session) = only_session(&world);
    let form = [("RoleArn", "arn:aws:iam::444455556666:role/hub"), ("RoleSessionName", "hop"), ("ExternalId", "x-1")];
    let hop = text(&reply(&world, &sign(action("AssumeRole", &form), &id, &session, AT)));
    assert!(hop.contains("<Expiration>2026-05-04T10:00:03Z</Expiration>"), "{hop}");
    world.credential_lifetime = Some(Duration::from_secs(100_000));
    assert!(
        text(&with(&world, &[])).contains("<Expiration>2026-05-04T11:00:00Z</Expiration>"),
        "nor than was asked for"
    );
}

/// A presigned URL of the only session, as [`federate_http::Incoming`], made by hand.
fn presigned(world: &World, change: impl FnOnce(&mut Vec<(String, String)>)) -> (u16, String) {
    let (id, session) = only_session(world);
    let mut request = crate::testing::get("/");
    request.headers.push(("host".to_owned(), "127.0.0.1:4443".to_owned()));
    request.headers.push(("x-k8s-aws-id".to_owned(), "prod".to_owned()));
    let scope = format!("{id}/{}/eu-west-1/sts/aws4_request", &AT[..8]);
    let pairs = [
        ("Action", "GetCallerIdentity"),
        ("Version", "2011-06-15"),
        ("X-Amz-Algorithm", "AWS4-HMAC-SHA256"),
        ("X-Amz-Credential", &scope),
        ("X-Amz-Date", AT),
        ("X-Amz-Expires", "60"),
        ("X-Amz-SignedHeaders", "host;x-k8s-aws-id"),
        ("X-Amz-Security-Token", session.session_token.reveal()),
    ];
    request.query = pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    let signature = crate::sigv4::tests::sign_query(&request, &session);
    request.query.push(("X-Amz-Signature".to_owned(), signature));
    change(&mut request.query);
    let reply = world.reply(&request);
    (reply.answer.status, text(&reply))
}

#[test]
fn a_presigned_question_is_answered_while_it_lasts() {
    let world = world("gitlab", &[]);
    with(&world, &[]);
    let (status, body) = presigned(&world, |_| ());
    assert!(status == 200 && body.contains("assumed-role/deploy/ledger-1234"), "{body}");
    let set = |query: &mut Vec<(String, String)>, name: &str, value: &str| {
        query.iter_mut().filter(|(key, _)| key == name).for_each(|(_, old)| *old = value.to_owned());
    };
    for (name, value) in [
        ("X-Amz-Date", "20260504T095800Z"),
        ("X-Amz-Date", "20260504T110000Z"),
        ("X-Amz-Expires", "61"),
        ("X-Amz-Expires", "999999999"),
        ("X-Amz-Security-Token", "other"),
        ("X-Amz-SignedHeaders", "x-k8s-aws-id"),
        ("Version", "2012-01-01"),
    ] {
        let (status, body) = presigned(&world, |query| set(query, name, value));
        assert!(status == 403 || status == 400, "{name}={value}: {body}");
    }
}
