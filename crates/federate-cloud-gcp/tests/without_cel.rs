//! Where the language is left out: issuer and audience are still looked at, and nobody is let in.

#![cfg(not(feature = "cel"))]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::SystemTime;

use federate_cloud_gcp::GcpTrust;
use federate_core::Claims;
use federate_trust::{Job, TrustModel as _};
use serde_json::json;

#[test]
fn nothing_is_let_in_and_the_reason_is_said() {
    for (condition, aud, stage) in
        [(json!("true"), "a", "mapping"), (json!(null), "a", "mapping"), (json!("true"), "b", "audience")]
    {
        let value = json!({
            "oidc": {"issuerUri": "https://gitlab.com", "allowedAudiences": ["a"]},
            "attributeMapping": {"google.subject": "assertion.sub"}, "attributeCondition": condition,
        });
        let document = GcpTrust.documents(&value).unwrap().remove(0).document;
        let token = json!({"iss": "https://gitlab.com", "aud": aud, "sub": "x"});
        let verdict = document.evaluate(&Job::new(Claims::new(token.as_object().unwrap().clone()), SystemTime::now()));
        assert!(!verdict.is_allowed());
        assert_eq!(verdict.stage.as_deref(), Some(stage));
        let told: Vec<&str> = verdict.statements[0].failed().filter_map(|check| check.note.as_deref()).collect();
        assert!(told.iter().any(|note| note.contains("feature `cel`")), "{told:?}");
        let expected = if condition.is_null() { "gcp-no-condition" } else { "gcp-condition-unread" };
        assert_eq!(document.lint().iter().map(|finding| finding.id).collect::<Vec<_>>(), [expected]);
    }
}
