//! Why one should think twice before making the change that would admit a token.

use federate_trust::{Check, Glob, Provider, StatementVerdict, analyse, risk};

use super::operator::{Base, Operator, Set};

/// Claims that say whose job it is, besides the subject.
const TENANTS: &[&str] = &[
    "repository_owner_id",
    "repository_id",
    "repository",
    "enterprise_id",
    "job_workflow_ref",
    "namespace_id",
    "project_id",
    "organization_id",
    "organization_slug",
    "pipeline_id",
    "google/organization_number",
    "email",
];

/// A statement's test of a claim.
struct Test<'a> {
    check: &'a Check,
    operator: Operator,
    /// In lower case, without the issuer.
    claim: String,
}

/// A reason, where the change that makes this statement match would let strangers in, or somebody who is kept out on purpose.
pub(super) fn warning(nearest: &StatementVerdict, provider: &Provider, subject: &str) -> Option<String> {
    let tests: Vec<Test<'_>> = nearest.checks.iter().filter_map(Test::of).collect();
    let failed = || tests.iter().filter(|test| !test.check.holds);
    if let Some(test) = failed().find(|test| test.operator.negated) {
        return Some(format!("{} `{}` keeps such jobs out on purpose", test.check.operator, test.check.key));
    }
    let of_subject = failed().filter(|test| test.claim == "sub");
    let risky = of_subject.filter_map(|test| risk(provider, test.admitted(subject), &test.check.expected)).next();
    if risky.is_some() || !provider.is_shared() {
        return risky;
    }
    let tells_whose = |test: &Test<'_>| {
        TENANTS.contains(&test.claim.as_str()) || (test.claim == "aud" && provider.tenant_is_audience())
    };
    let stranger =
        failed().find(|test| tells_whose(test) && !test.check.actual.is_null() && !test.is_of_the_same_owner());
    if let Some(test) = stranger {
        let (claim, actual) = (&test.claim, test.check.actual_text());
        return Some(format!(
            "`{claim}` says whose job it is, and the policy is not for `{actual}`: that would let a stranger in, unless it is yours"
        ));
    }
    let names_tenant = |test: &Test<'_>| match test.claim.as_str() {
        "sub" => analyse(provider, test.admitted(subject)).tenant.is_none(),
        _ => tells_whose(test) && !test.check.expected.iter().any(|value| value.starts_with(['*', '?'])),
    };
    let is_named = tests.iter().filter(|test| test.is_asked_for()).any(names_tenant);
    (!is_named).then(|| "nothing in the statement says whose job it is then: that would let strangers in".to_owned())
}

impl<'a> Test<'a> {
    fn of(check: &'a Check) -> Option<Self> {
        let operator = Operator::parse(&check.operator)?;
        let (prefix, claim) = check.key.rsplit_once(':')?;
        let is_of_aws = prefix.eq_ignore_ascii_case("aws") || prefix.eq_ignore_ascii_case("sts");
        (!is_of_aws || operator.negated).then(|| Self { check, operator, claim: claim.to_ascii_lowercase() })
    }

    /// Has a token without the claim, or with another value, to stay outside?
    fn is_asked_for(&self) -> bool {
        let operator = &self.operator;
        !operator.negated && !operator.if_exists && operator.set != Some(Set::All) && operator.base != Base::Null
    }

    /// Where a pattern becomes one at last, it is the pattern that lets in, not this token alone.
    fn admitted<'t>(&'t self, subject: &'t str) -> &'t str {
        let mut patterns = self.check.expected.iter().map(String::as_str);
        patterns.find(|pattern| Glob::parse(pattern).matches(subject)).unwrap_or(subject)
    }

    /// `acme/web`, where `acme/api` is asked for.
    fn is_of_the_same_owner(&self) -> bool {
        let actual = self.check.actual_text();
        let owner = actual.split_once('/').map(|(owner, _)| owner);
        let known = || self.check.expected.iter().filter_map(|value| value.split_once('/')).map(|(owner, _)| owner);
        matches!(self.claim.as_str(), "repository" | "job_workflow_ref")
            && owner.is_some_and(|owner| known().any(|known| known == owner))
    }
}
