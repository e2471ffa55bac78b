//! ARNs are compared part by part: a `*` does not cross the first five colons.

use federate_trust::Glob;

/// Does the ARN fit the pattern?
pub(super) fn matches(pattern: &str, arn: &str) -> bool {
    let (patterns, parts): (Vec<&str>, Vec<&str>) = (pattern.splitn(6, ':').collect(), arn.splitn(6, ':').collect());
    patterns.len() == parts.len()
        && patterns.iter().zip(&parts).all(|(pattern, part)| Glob::parse(pattern).matches(part))
}
