//! Whether a target's trust lets a token in, and what to say if it does not.

use federate_core::{Audiences, ClaimPattern, Claims, Mismatch};

use federate_trust::{Effect, Job, Verdict};

use crate::ci::CiSystem;
use crate::report::{Reason, short};
use crate::stage::SandboxTarget;

/// The outcome for one role or application.
#[derive(Debug)]
pub(crate) enum Decision<'a> {
    /// An entry of one of the targets lets the token in.
    Admitted,
    /// Nobody has said who may get in.
    NoTrust,
    /// Nearest entry first found, and in what the token differs from it.
    Refused {
        /// The entry with the fewest differences.
        nearest: &'a ClaimPattern,
        /// The differences.
        mismatches: Vec<Mismatch>,
    },
    /// The cloud's own trust configuration keeps it out.
    ByDocument(Box<Verdict>),
}

/// Asks every entry of every target that stands for the role or application: profiles that share one share its trust.
pub(crate) fn decide<'a>(targets: &[&'a SandboxTarget], job: &Job) -> Decision<'a> {
    let claims = &job.claims;
    let mut nearest: Option<(&'a ClaimPattern, Vec<Mismatch>)> = None;
    let mut by_document: Option<Verdict> = None;
    for &target in targets {
        if let Some(document) = &target.trust {
            let verdict = document.evaluate(job);
            if verdict.is_allowed() {
                return Decision::Admitted;
            }
            by_document.get_or_insert(verdict);
            continue;
        }
        for entry in &target.allow {
            let mismatches = entry.mismatches(claims);
            if mismatches.is_empty() {
                return Decision::Admitted;
            }
            // An entry for another issuer is never what was meant, however little else differs.
            let distance = |entry: &ClaimPattern, mismatches: &[Mismatch]| {
                (claims.issuer() != Some(entry.issuer.as_str()), mismatches.len())
            };
            let is_nearer = nearest.as_ref().is_none_or(|(known, known_mismatches)| {
                distance(entry, &mismatches) < distance(known, known_mismatches)
            });
            if is_nearer {
                nearest = Some((entry, mismatches));
            }
        }
    }
    match (by_document, nearest) {
        (Some(verdict), _) => Decision::ByDocument(Box::new(verdict)),
        (None, Some((nearest, mismatches))) => Decision::Refused { nearest, mismatches },
        (None, None) => Decision::NoTrust,
    }
}

/// What the nearest statement of a trust configuration asks for, and what the token says.
pub(crate) fn failed_conditions(verdict: &Verdict) -> Reason {
    let Some(nearest) = verdict.statements.first() else { return Reason::new("the trust lets nobody in".to_owned()) };
    if nearest.effect == Effect::Deny && nearest.matches {
        return Reason::new(format!("{} keeps it out", nearest.name));
    }
    let failed: Vec<String> = nearest
        .failed()
        .map(|check| {
            let expected = check.expected.join(" or ");
            format!("{} {} {}, is {}", check.key, check.operator, short(&expected), short(&check.actual_text()))
        })
        .collect();
    Reason::new(format!("{}: {}", nearest.name, failed.join("; ")))
}

/// What the nearest entry asks for, and what the token says.
pub(crate) fn differences(nearest: &ClaimPattern, mismatches: &[Mismatch]) -> Reason {
    let list: Vec<String> = mismatches.iter().map(|mismatch| short(&mismatch.to_string())).collect();
    Reason::new(format!("{}; nearest entry: {}", list.join(", "), nearest.label))
}

/// The token is for another audience than the target's.
pub(crate) fn wrong_audience(presented: &str, audiences: &Audiences) -> Reason {
    Reason::new(format!("`aud` is `{}`, expected `{audiences}`", short(presented)))
}

/// A target without any trust, with the lines to add.
pub(crate) fn lines_to_add(targets: &[&SandboxTarget], system: &dyn CiSystem, claims: &Claims) -> Reason {
    let Some(target) = targets.first() else { return Reason::default() };
    Reason {
        text: format!(
            "target {} of profile {} says nobody may get in; to let this job in, add to the profile",
            target.name, target.profile
        ),
        lines: vec![format!("[targets.{}.trust]", target.name), format!("allow = [{}]", system.allow_entry(claims))],
    }
}

/// The audience that clouds look at: `azp` where it is there, else the one `aud`; `None` for several.
pub(crate) fn presented_audience(claims: &Claims) -> Option<String> {
    if let Some(azp) = claims.text("azp") {
        return Some(azp);
    }
    match claims.audiences().as_slice() {
        [one] => Some(one.clone()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ci::ci_systems;
    use crate::testing::aws_target;
    use serde_json::{Value as Json, json};

    fn claims(value: Json) -> Claims {
        Claims::new(value.as_object().unwrap().clone())
    }

    fn branch(name: &str) -> Job {
        let claims = claims(json!({
            "iss": "https://gitlab.com", "sub": format!("project_path:quarry-street/ledger:ref_type:branch:ref:{name}"),
            "project_path": "quarry-street/ledger", "ref_type": "branch", "ref": name,
        }));
        Job::new(claims, std::time::SystemTime::UNIX_EPOCH)
    }

    #[test]
    fn any_entry_of_any_target_of_the_role_lets_in() {
        let (with, mut without) = (aws_target("aws"), aws_target("bare"));
        without.allow.clear();
        assert!(matches!(decide(&[&without, &with], &branch("main")), Decision::Admitted));
        assert!(matches!(decide(&[&without], &branch("main")), Decision::NoTrust));
        assert!(matches!(decide(&[], &branch("main")), Decision::NoTrust));
    }

    #[test]
    fn the_nearest_entry_explains_the_refusal() {
        let target = aws_target("aws");
        let Decision::Refused { nearest, mismatches } = decide(&[&target], &branch("other")) else { panic!("let in") };
        let reason = differences(nearest, &mismatches).text;
        assert!(reason.contains("`ref` is `other`, expected `main`"), "{reason}");
        assert!(reason.contains(&nearest.label), "{reason}");
    }

    #[test]
    fn the_lines_to_add_fit_the_job() {
        let target = aws_target("aws");
        let reason = lines_to_add(&[&target], ci_systems()[0], &branch("main").claims);
        assert_eq!(
            reason.lines,
            [
                "[targets.aws.trust]",
                r#"allow = [{ identity = "gitlab", project = "quarry-street/ledger", branch = "main" }]"#
            ]
        );
    }

    #[test]
    fn azp_goes_before_aud_and_several_are_none() {
        assert_eq!(presented_audience(&claims(json!({"aud": "a", "azp": "b"}))).as_deref(), Some("b"));
        assert_eq!(presented_audience(&claims(json!({"aud": ["a"]}))).as_deref(), Some("a"));
        assert_eq!(presented_audience(&claims(json!({"aud": ["a", "b"]}))), None);
        assert_eq!(presented_audience(&claims(json!({}))), None);
    }
}
