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
    assert_eq!((credentials.plain("account"), credentials.plain("region")), (Some("111122223333"), Some("eu-west-1")));
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
async fn targets_that_differ_in_the_region_share_an_exchange_where_one_endpoint_serves_both() {
    let url = json!({"endpoint_url": "https://sts.us-east-1.amazonaws.com"});
    let with = |base: &serde_json::Value, changes: serde_json::Value| {
        let mut all = base.clone();
        all.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        aws(all)
    };
    let fixture = fixture(&[], Aws::is_own_host);
    let key = |target: &Aws| target.exchange_key(&fixture.context).unwrap();
    let (one, other) = (with(&url, json!({})), with(&url, json!({"region": "us-east-2"})));
    assert_eq!(key(&one), key(&other));
    for changes in [
        json!({"role_arn": "arn:aws:iam::111122223333:role/other"}),
        json!({"session_name": "other"}),
        json!({"duration": "30m"}),
        json!({"audience": "other"}),
        json!({"policy": "{}"}),
        json!({"policy_arns": ["arn:aws:iam::aws:policy/ReadOnlyAccess"]}),
        json!({"allowed_account_ids": ["111122223333"]}),
        json!({"endpoint_url": "https://sts.us-east-2.amazonaws.com"}),
        json!({"chain": [{"role_arn": "arn:aws:iam::444455556666:role/hub"}]}),
    ] {
        assert_ne!(key(&with(&url, changes.clone())), key(&one), "{changes}");
    }
    assert_ne!(key(&aws(json!({}))), key(&aws(json!({"region": "us-east-2"}))), "each region's own endpoint");
    let chain =
        json!({"endpoint_url": "https://127.0.0.1:1", "chain": [{"role_arn": "arn:aws:iam::444455556666:role/hub"}]});
    assert_ne!(key(&with(&chain, json!({}))), key(&with(&chain, json!({"region": "us-east-2"}))), "signed for one");
    fixture.http.answer(200, "text/xml", success("AssumeRoleWithWebIdentity", "111122223333"));
    let credentials = one.exchange(&fixture.context, &token()).await.unwrap();
    assert_eq!(other.rebind(credentials.clone()).plain("region"), Some("us-east-2"));
    assert_eq!(other.rebind(credentials).plain("account"), Some("111122223333"));
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
    let probes = aws(json!({"chain": [{"role_arn": "arn:aws:iam::444455556666:role/hub"}]})).probes(&fixture.context);
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
