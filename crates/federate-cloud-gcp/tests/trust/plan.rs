//! What a Terraform plan does not know yet.

use federate_cloud_gcp::GcpTrust;
use federate_trust::{Severity, TrustDocument, TrustModel as _};
use serde_json::{Value as Json, json};

use super::{claims, job, with};

const PROVIDER: &str = "google_iam_workload_identity_pool_provider.main";
const MEMBER: &str = "google_service_account_iam_member.deploy";

fn provider() -> Json {
    json!({
        "workload_identity_pool_id": "ci", "workload_identity_pool_provider_id": "main", "project": "example-prj",
        "oidc": [{"issuer_uri": "https://gitlab.com", "allowed_audiences": ["a"], "jwks_json": null}],
        "attribute_mapping": {"google.subject": "assertion.sub", "attribute.project_id": "assertion.project_id"},
        "attribute_condition": "assertion.project_id == '7'", "disabled": null,
    })
}

/// A plan of resources: address, values, what is not known.
fn plan(resources: &[(&str, Json, Json)]) -> Json {
    let kind = |address: &str| address.split('.').next().unwrap().to_owned();
    let planned = |(address, values, _): &(&str, Json, Json)| json!({"address": address, "type": kind(address), "values": values});
    let changed = |(address, values, unknown): &(&str, Json, Json)| {
        json!({
            "address": address, "type": kind(address),
            "change": {"actions": ["create"], "before": null, "after": values, "after_unknown": unknown, "after_sensitive": {"oidc": [{}]}},
        })
    };
    json!({
        "planned_values": {"root_module": {"resources": resources.iter().map(planned).collect::<Vec<_>>()}},
        "resource_changes": resources.iter().map(changed).collect::<Vec<_>>(),
    })
}

fn only(value: &Json) -> Box<dyn TrustDocument> {
    let mut all = GcpTrust.documents(value).unwrap();
    assert_eq!(all.len(), 1, "{all:?}");
    all.remove(0).document
}

fn without(mut value: Json, key: &str) -> Json {
    value.as_object_mut().unwrap().remove(key);
    value
}

#[test]
fn what_is_not_known_is_not_absent() {
    let computed = json!({"id": true, "name": true, "state": true, "oidc": [{"allowed_audiences": [false]}], "attribute_mapping": {}});
    let known = only(&plan(&[(PROVIDER, provider(), computed.clone())]));
    let ids = |document: &dyn TrustDocument| document.lint().iter().map(|finding| finding.id).collect::<Vec<_>>();
    assert_eq!(ids(known.as_ref()), ["gcp-any-ref"]);
    assert!(known.evaluate(&job(&with(claims(), json!({"aud": "a"})))).is_allowed());
    let block = |block: Json| with(provider(), json!({"oidc": [block]}));
    for (values, unknown, part, stage) in [
        (
            without(provider(), "attribute_condition"),
            json!({"attribute_condition": true}),
            "attributeCondition",
            "condition",
        ),
        (
            with(provider(), json!({"attribute_condition": null})),
            json!({"attribute_condition": true}),
            "attributeCondition",
            "condition",
        ),
        (
            block(json!({"issuer_uri": "https://gitlab.com"})),
            json!({"oidc": [{"allowed_audiences": true}]}),
            "oidc.allowedAudiences",
            "audience",
        ),
        (
            block(json!({"issuer_uri": "https://gitlab.com", "allowed_audiences": [null]})),
            json!({"oidc": [{"allowed_audiences": [true]}]}),
            "oidc.allowedAudiences",
            "audience",
        ),
        (
            block(json!({"allowed_audiences": ["a"]})),
            json!({"oidc": [{"issuer_uri": true}]}),
            "oidc.issuerUri",
            "issuer",
        ),
        (without(provider(), "oidc"), json!({"oidc": true}), "oidc.issuerUri, oidc.allowedAudiences", "issuer"),
        (
            with(provider(), json!({"attribute_mapping": {}})),
            json!({"attribute_mapping": {"google.subject": true}}),
            "attributeMapping",
            "mapping",
        ),
        (
            with(provider(), json!({"attribute_condition": "attribute.who == 'x'"})),
            json!({"attribute_mapping": {"attribute.who": true}}),
            "attributeMapping",
            "condition",
        ),
    ] {
        let value = plan(&[(PROVIDER, values, with(computed.clone(), unknown))]);
        let document = only(&value);
        let found = document.lint();
        let told = found.iter().find(|finding| finding.id == "gcp-known-after-apply").unwrap();
        assert_eq!((told.severity, told.place.split_once(", ").unwrap().1), (Severity::Medium, part));
        for wrong in [
            "gcp-no-condition",
            "gcp-no-condition-private",
            "gcp-issuer-mismatch",
            "gcp-subject-unmapped",
            "gcp-attr-unmapped",
        ] {
            assert!(found.iter().all(|finding| finding.id != wrong), "{part}: {found:?}");
        }
        let verdict = document.evaluate(&job(&with(claims(), json!({"aud": "a"}))));
        assert_eq!((verdict.stage.as_deref(), verdict.cloud_code.as_deref()), (Some(stage), None), "{part}");
        assert!(verdict.fix.unwrap().contains("apply the plan first"), "{part}");
        let grants = document.grants();
        assert!(!grants.is_empty() && grants.iter().all(|grant| grant.findings.contains(told)), "{part}: {grants:?}");
    }
}

#[test]
fn a_condition_that_is_known_to_be_absent_is_absent() {
    let values = with(provider(), json!({"attribute_condition": null}));
    let found = only(&plan(&[(PROVIDER, values, json!({"id": true, "name": true}))])).lint();
    assert_eq!(found[0].id, "gcp-no-condition");
}

#[test]
fn members_of_a_new_pool_are_not_known() {
    let given = json!({"role": "roles/iam.workloadIdentityUser", "condition": []});
    let unknown = json!({"member": true, "service_account_id": true, "id": true, "condition": []});
    let value = plan(&[(PROVIDER, provider(), json!({"name": true})), (MEMBER, given, unknown)]);
    let document = only(&value);
    let found = document.lint();
    let told = found.iter().find(|finding| finding.id == "gcp-known-after-apply").unwrap();
    assert!(told.severity == Severity::Info && told.place.contains(MEMBER), "{told:?}");
    let verdict = document.evaluate(&job(&with(claims(), json!({"aud": "a"}))));
    assert_eq!((verdict.stage.as_deref(), verdict.cloud_code), (Some("binding"), None));
    assert!(verdict.fix.unwrap().contains("apply the plan first"));
    let grants = document.grants();
    assert_eq!((grants.len(), grants[0].workload.as_str()), (1, "project id 7"));
    assert_eq!(grants[0].conditions, ["the member is known only after apply"]);
    let label = grants[0].becomes.clone().unwrap();
    assert_eq!(
        (label.noun, label.name.as_str(), label.place.as_str()),
        ("service account", MEMBER, "Google Cloud project example-prj")
    );
}

#[test]
fn a_policy_that_terraform_keeps_as_text_is_read() {
    const POLICY: &str = "google_service_account_iam_policy.deploy";
    let account = "projects/example-prj/serviceAccounts/deploy@example-prj.iam.gserviceaccount.com";
    let of = |members: Json| {
        let text = json!({"bindings": [{"role": "roles/iam.workloadIdentityUser", "members": members}]}).to_string();
        let values = json!({"service_account_id": account, "policy_data": text});
        plan(&[(PROVIDER, provider(), json!({})), (POLICY, values, json!({"etag": true}))])
    };
    let member = |end: &str| {
        format!("principalSet://iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/ci/{end}")
    };
    let token = job(&with(claims(), json!({"aud": "a"})));
    let stage = |value: &Json| only(value).evaluate(&token).stage.unwrap();
    assert_eq!(stage(&of(json!([member("attribute.project_id/7")]))), "ok");
    assert_eq!(stage(&of(json!([member("attribute.project_id/8")]))), "binding");
    let open = only(&of(json!([member("*")])));
    assert!(open.lint().iter().any(|finding| finding.id == "gcp-binding-pool-wide"));
    assert_eq!(open.grants()[0].becomes.as_ref().unwrap().name, "deploy");

    let (values, unknown) = (json!({"service_account_id": account}), json!({"policy_data": true}));
    let new = plan(&[(PROVIDER, provider(), json!({})), (POLICY, values, unknown)]);
    let verdict = only(&new).evaluate(&token);
    assert!(verdict.stage.as_deref() == Some("binding") && verdict.fix.unwrap().contains("apply the plan first"));
    let broken = json!({"service_account_id": account, "policy_data": "no JSON"});
    assert_eq!(stage(&plan(&[(PROVIDER, provider(), json!({})), (POLICY, broken, json!({}))])), "ok");
}
