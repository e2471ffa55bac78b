//! Providers with tokens, the expected decisions, stages and findings (`trust/*.json`).

#![cfg(feature = "cel")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::time::SystemTime;

use federate_cloud_gcp::GcpTrust;
use federate_core::Claims;
use federate_trust::{Job, TrustDocument, TrustModel as _, Verdict};
use serde_json::{Value as Json, json};

#[path = "trust/grants.rs"]
mod grants;
#[path = "trust/plan.rs"]
mod plan;
#[path = "trust/properties.rs"]
mod properties;

fn cases() -> Vec<Json> {
    let read = |text: &str| -> Vec<Json> { serde_json::from_str(text).unwrap() };
    let (first, more) = (include_str!("trust/cases.json"), include_str!("trust/more.json"));
    read(first).into_iter().chain(read(more)).collect()
}

fn document(value: &Json) -> Box<dyn TrustDocument> {
    GcpTrust.documents(value).unwrap().remove(0).document
}

fn job(claims: &Json) -> Job {
    Job::new(Claims::new(claims.as_object().unwrap().clone()), SystemTime::now())
}

#[test]
fn every_decision_is_right() {
    let mut wrong = Vec::new();
    for entry in cases() {
        let document = document(&entry);
        for case in entry["cases"].as_array().unwrap() {
            let verdict = document.evaluate(&job(&case["claims"]));
            let stage = verdict.stage.as_deref();
            if verdict.is_allowed() != (case["expect"] == "allow") || stage != case["stage"].as_str() {
                wrong.push(format!("{}: {}: {} expected, {stage:?} found", entry["id"], case["why"], case["stage"]));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_finding_is_right() {
    let mut wrong = Vec::new();
    for entry in cases() {
        let ids = |key: &str| -> BTreeSet<String> {
            let list = entry[key].as_array().into_iter().flatten();
            list.map(|id| id.as_str().unwrap().to_owned()).collect()
        };
        let optional = ids("lint_optional");
        let kept = |set: BTreeSet<String>| set.into_iter().filter(|id| !optional.contains(id)).collect::<BTreeSet<_>>();
        let found = kept(document(&entry).lint().iter().map(|finding| finding.id.to_owned()).collect());
        let expected = kept(ids("lint"));
        if expected != found {
            wrong.push(format!("{}: expected {expected:?}, found {found:?}", entry["id"]));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

const NAME: &str = "projects/1/locations/global/workloadIdentityPools/ci/providers/main";

fn provider() -> Json {
    json!({
        "name": NAME, "state": "ACTIVE", "oidc": {"issuerUri": "https://gitlab.com"},
        "attributeMapping": {"google.subject": "assertion.sub", "attribute.project_id": "assertion.project_id"},
        "attributeCondition": "assertion.project_id == '7' && assertion.ref == 'main'",
    })
}

fn claims() -> Json {
    json!({
        "iss": "https://gitlab.com", "aud": format!("https://iam.googleapis.com/{NAME}"), "project_id": "7", "ref": "main",
        "project_path": "larkspur/api", "sub": "project_path:larkspur/api:ref_type:branch:ref:main",
    })
}

fn with(mut value: Json, changes: Json) -> Json {
    for (key, change) in changes.as_object().unwrap() {
        value[key] = change.clone();
    }
    value
}

#[test]
fn what_gcloud_and_terraform_print() {
    let member =
        "principalSet://iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/ci/attribute.project_id/8";
    let policy = json!({"bindings": [{"role": "roles/iam.workloadIdentityUser", "members": [member]}], "etag": "BwY"});
    let terraform = json!({
        "name": NAME, "workload_identity_pool_id": "ci", "workload_identity_pool_provider_id": "main", "disabled": false,
        "oidc": [{"issuer_uri": "https://gitlab.com", "allowed_audiences": [], "jwks_json": null}], "aws": [],
        "attribute_mapping": {"google.subject": "assertion.sub", "attribute.project_id": "assertion.project_id"},
        "attribute_condition": "assertion.project_id == '7' && assertion.ref == 'main'",
    });
    let mut planned = terraform.clone();
    planned.as_object_mut().unwrap().remove("name");
    let resource = |values: &Json| json!({"type": "google_iam_workload_identity_pool_provider", "values": values});
    let grant = json!({"values": {"role": "roles/iam.workloadIdentityUser", "member": member}});
    let state = |values: &Json, more: Json| json!({"root_module": {"resources": [resource(values), more]}});
    for (wrapped, stage) in [
        (provider(), "ok"),
        (json!([provider()]), "ok"),
        (with(provider(), json!({"bindings": []})), "ok"),
        (with(provider(), json!({"bindings": null})), "ok"),
        (with(provider(), json!({"bindings": [member]})), "binding"),
        (with(provider(), json!({"bindings": policy["bindings"]})), "binding"),
        (json!({"provider": provider(), "bindings": [member]}), "binding"),
        (json!({"provider": provider(), "policy": policy}), "binding"),
        (json!({"providers": [provider()], "serviceAccounts": [policy]}), "binding"),
        (json!({"values": state(&terraform, json!({}))}), "ok"),
        (json!({"values": state(&terraform, grant.clone())}), "binding"),
        (json!({"planned_values": state(&planned, grant)}), "binding"),
        (
            json!({
                "planned_values": state(&planned, json!({})),
                "prior_state": {"values": state(&terraform, json!({}))},
                "configuration": {"root_module": {"resources": [{"expressions": {"oidc": [{"issuer_uri": {"constant_value": "x"}}]}}]}},
                "resource_changes": [{"change": {"before": with(terraform.clone(), json!({"attribute_condition": "true"})), "after": planned}}],
            }),
            "ok",
        ),
    ] {
        let mut documents = GcpTrust.documents(&wrapped).unwrap();
        assert_eq!(documents.len(), 1, "{wrapped}");
        let verdict = documents.remove(0).document.evaluate(&job(&claims()));
        assert_eq!(verdict.stage.as_deref(), Some(stage), "{wrapped}");
    }
    let two = json!([provider(), with(provider(), json!({"name": NAME.replace("main", "other")}))]);
    let places: Vec<String> = GcpTrust.documents(&two).unwrap().into_iter().map(|located| located.place).collect();
    assert_eq!(places, ["ci/providers/main", "ci/providers/other"]);
    for other in [
        json!({"issuer": "https://gitlab.com", "subject": "x", "audiences": ["y"]}),
        json!({"Statement": []}),
        json!(1),
    ] {
        assert!(GcpTrust.documents(&other).unwrap().is_empty());
    }
}

#[test]
fn what_cannot_be_read_is_said_with_its_place() {
    for (changes, place, expected) in [
        (json!({"attributeCondition": "assertion.sub = 'x'"}), "attributeCondition", "cannot be read"),
        (json!({"attributeCondition": "x".repeat(4097)}), "attributeCondition", "4096"),
        (json!({"attributeCondition": ["true"]}), "attributeCondition", "a text"),
        (json!({"attributeMapping": {"google.subject": "'"}}), "attributeMapping.google.subject", "cannot be read"),
        (json!({"attributeMapping": {"google.subject": "x".repeat(2049)}}), "attributeMapping.google.subject", "2048"),
        (json!({"attributeMapping": {"google.subject": 7}}), "attributeMapping.google.subject", "a text"),
        (json!({"attributeMapping": []}), "attributeMapping", "an object"),
        (json!({"oidc": {"issuerUri": 1}}), "oidc.issuerUri", "a text"),
        (json!({"oidc": {"issuerUri": "x", "allowedAudiences": [1]}}), "oidc.allowedAudiences", "a list"),
    ] {
        let errors = GcpTrust.documents(&with(provider(), changes)).unwrap_err();
        assert_eq!(errors.len(), 1, "{errors:?}");
        assert_eq!(errors[0].setting(), Some(place));
        assert!(errors[0].what().contains(expected), "{errors:?}");
    }
}

#[test]
fn the_way_in_and_why_not() {
    let verdict =
        |changes: Json, token: Json| document(&with(provider(), changes)).evaluate(&job(&with(claims(), token)));
    let fix = |verdict: &Verdict| verdict.fix.clone().unwrap();
    let denied = verdict(json!({}), json!({"ref": "dev"}));
    assert_eq!(
        (denied.stage.as_deref(), denied.cloud_code.as_deref()),
        (Some("condition"), Some("unauthorized_client"))
    );
    let failed: Vec<_> = denied.statements[0].failed().collect();
    assert_eq!(failed.len(), 1);
    let check = (failed[0].key.as_str(), failed[0].operator.as_str(), failed[0].actual_text());
    assert_eq!(check, ("assertion.ref", "==", "dev".to_owned()));
    assert!(fix(&denied).contains("(assertion.project_id == '7' && assertion.ref == 'dev')"), "{denied:?}");
    assert_eq!(denied.warning, None);

    // What is said to let a token in, does.
    let condition = fix(&denied).split('`').nth(1).unwrap().to_owned();
    assert!(verdict(json!({"attributeCondition": condition}), json!({"ref": "dev"})).is_allowed());

    let stranger = json!({"project_path": "vexed-mallow/api"});
    let denied = verdict(json!({"attributeCondition": "assertion.project_path == 'larkspur/api'"}), stranger);
    assert!(denied.warning.unwrap().contains("`vexed-mallow`'s"));
    let denied = verdict(json!({}), json!({"iss": "https://gitlab.example.com"}));
    assert!(fix(&denied).contains("https://gitlab.example.com") && denied.warning.unwrap().contains("new issuer"));
    let denied = verdict(json!({}), json!({"aud": "https://gitlab.com"}));
    assert!(fix(&denied).contains(NAME) && denied.statements[0].failed().next().unwrap().note.is_some());
    let denied = verdict(json!({}), json!({"sub": "x".repeat(128)}));
    assert!(fix(&denied).contains("assertion.project_id"), "{denied:?}");
    let bound = json!({"bindings": ["principal://iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/ci/subject/x"]});
    let denied = verdict(bound, json!({}));
    let member = "principal://iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/ci/subject/project_path:larkspur/api:ref_type:branch:ref:main";
    assert!(fix(&denied).contains(member), "{denied:?}");
    assert!(verdict(json!({"bindings": [member]}), json!({})).is_allowed());
}

#[test]
fn subtle_reasons_are_named() {
    let note = |condition: &str, token: Json| {
        let verdict = document(&with(provider(), json!({"attributeCondition": condition})))
            .evaluate(&job(&with(claims(), token)));
        verdict.statements[0].failed().next().unwrap().note.clone().unwrap()
    };
    for (condition, expected) in [
        ("assertion.project_id == 7", "quote"),
        ("assertion.project_path == 'Larkspur/API'", "case"),
        ("assertion.sub == 'project_path:larkspur/*'", "wildcards"),
        ("assertion.environment == 'prod'", "no `environment`"),
        ("attribute.ref == 'main'", "not mapped"),
        ("assertion.ref.frobnicate()", "frobnicate"),
        ("assertion.ref", "true or false"),
    ] {
        let told = note(condition, json!({}));
        assert!(told.contains(expected), "{condition}: {told}");
    }
    let environment = json!({"sub": "repo:o/r:environment:prod"});
    assert!(note("assertion.sub == 'repo:o/r:ref:refs/heads/main'", environment).contains("takes the place"));
    let ids = json!({"sub": "repo:o@1/r@2:ref:refs/heads/main"});
    assert!(note("assertion.sub == 'repo:o/r:ref:refs/heads/main'", ids).contains("immutable"));
}

#[test]
fn an_attribute_that_is_no_text_keeps_every_token_out() {
    let mapped = |text: &str| {
        let mapping = json!({"google.subject": "assertion.sub", "attribute.one": text});
        document(&with(provider(), json!({"attributeMapping": mapping})))
            .evaluate(&job(&with(claims(), json!({"runner_id": 31, "groups": ["a"], "none": null}))))
    };
    for (text, fix) in [
        ("assertion.runner_id", "map attribute.one as `string(assertion.runner_id)`"),
        ("assertion.ref == 'main'", "map attribute.one as `string(assertion.ref == 'main')`"),
        ("assertion.groups", "map attribute.one to one text"),
    ] {
        let verdict = mapped(text);
        assert_eq!(verdict.stage.as_deref(), Some("mapping"), "{text}");
        let note = verdict.statements[0].failed().next().and_then(|check| check.note.clone()).unwrap();
        assert!(note.contains("must be of type STRING"), "{note}");
        assert!(verdict.fix.as_ref().unwrap().starts_with(fix), "{:?}", verdict.fix);
    }
    for text in ["string(assertion.runner_id)", "assertion.environment", "assertion.none", "assertion.groups[0]"] {
        assert!(mapped(text).is_allowed(), "{text}");
    }
}

#[test]
fn an_expression_with_names_that_cel_does_not_have_lets_nobody_in_and_is_reported() {
    for (condition, told) in [
        ("assertion.project_path.beginsWith('larkspur/')", "`beginsWith()`"),
        ("assertion.ref.startWith('m') || true", "did you mean `startsWith()`?"),
        ("['a'].exists(x, x == y) || true", "`y`"),
        ("project_id == '7'", "`project_id`"),
        ("environment('x') || assertion.project_id == '7'", "`environment()`"),
        ("assertion.project_path.replace('-', '_') == 'larkspur/api'", "`replace()` is not evaluated here"),
    ] {
        let document = document(&with(provider(), json!({"attributeCondition": condition})));
        let found = document.lint();
        let ids: Vec<&str> = found.iter().map(|finding| finding.id).collect();
        assert!(ids.len() == 1 && ids[0] == "gcp-condition-unread" && found[0].message.contains(told), "{found:?}");
        let verdict = document.evaluate(&job(&claims()));
        assert_eq!(verdict.stage.as_deref(), Some("condition"), "{condition}");
        assert!(!verdict.fix.unwrap().contains(&format!("({condition})")));
        let grants = document.grants();
        let is_never = |grant: &federate_trust::Grant| grant.never.is_some() && grant.findings == found;
        assert!(!grants.is_empty() && grants.iter().all(is_never), "{grants:?}");
    }
    let mapping = json!({"google.subject": "assertion.sub", "attribute.branch": "assertion.ref.after('/')"});
    let document = document(&with(provider(), json!({"attributeMapping": mapping})));
    assert!(document.lint()[0].place.ends_with("attributeMapping.attribute.branch"));
    assert_eq!(document.evaluate(&job(&claims())).stage.as_deref(), Some("mapping"));
}

#[test]
fn a_fix_for_somebody_elses_job_comes_with_a_warning() {
    let warning = |changes: Json, claims: &Json| document(&with(provider(), changes)).evaluate(&job(claims)).warning;
    let mapping = json!({"google.subject": "assertion.sub", "attribute.path": "assertion.project_path"});
    let asked = |condition: &str| json!({"attributeMapping": mapping, "attributeCondition": condition});
    let stranger = with(
        claims(),
        json!({"project_path": "quillon/api", "sub": "project_path:quillon/api:ref_type:branch:ref:main"}),
    );
    for condition in [
        "attribute.path == 'larkspur/api'",
        "assertion.project_path == 'larkspur/api' || assertion.project_path == 'larkspur/web'",
        "assertion.project_path.matches('^larkspur/.*$')",
        "google.subject.startsWith('project_path:larkspur/')",
        "assertion.ref == 'main' && assertion.project_path.split('/')[0] == 'larkspur'",
    ] {
        let told = warning(asked(condition), &stranger).unwrap();
        assert!(told.contains("`quillon`'s, the condition is for `larkspur`: that would let a stranger in"), "{told}");
        let own = with(claims(), json!({"project_path": "larkspur/other", "ref": "other"}));
        assert!(warning(asked(condition), &own).is_none_or(|told| !told.contains("stranger")), "{condition}");
    }
    for condition in ["assertion.project_path != 'larkspur/api' && false", "assertion.ref == 'other'"] {
        assert_eq!(warning(asked(condition), &stranger), None, "{condition}");
    }
    let recycled = "assertion.project_path == 'larkspur/api' && assertion.project_id == '8'";
    assert!(warning(asked(recycled), &claims()).unwrap().contains("project_id is 7, the condition is for 8"));

    let pool = NAME.split_once("/providers/").unwrap().0;
    for end in ["attribute.path/larkspur/api", "subject/project_path:larkspur/api:ref_type:branch:ref:main"] {
        let scheme = if end.starts_with("subject") { "principal" } else { "principalSet" };
        let member = format!("{scheme}://iam.googleapis.com/{pool}/{end}");
        let told = warning(with(asked("true"), json!({"bindings": [member]})), &stranger).unwrap();
        assert!(told.contains("the member is for `larkspur`"), "{told}");
    }
}
