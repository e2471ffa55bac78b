//! ARNs are compared part by part: a `*` does not cross the first five colons.

use federate_trust::Glob;

/// The parts of an ARN: `arn`, partition, service, region, account, resource. The last may hold colons.
const PARTS: usize = 6;

/// Does the ARN fit the pattern? What has fewer parts is none.
pub(super) fn matches(pattern: &Glob, arn: &str) -> bool {
    let (patterns, parts) = (pattern.split(':', PARTS), arn.splitn(PARTS, ':'));
    patterns.len() == PARTS
        && parts.clone().count() == PARTS
        && patterns.iter().zip(parts).all(|(pattern, part)| pattern.matches(part))
}
