//! Subjects that are made of `key:value` pairs.

/// The pairs of a pattern. A last key without a value is what a wildcard has swallowed, or half a pair.
pub(super) fn pairs(pattern: &str) -> Vec<(&str, Option<&str>)> {
    let segments: Vec<&str> = pattern.split(':').collect();
    segments.chunks(2).map(|chunk| (chunk[0], chunk.get(1).copied())).collect()
}

/// The value of a key, if the pattern has it.
pub(super) fn value<'a>(pairs: &[(&'a str, Option<&'a str>)], key: &str) -> Option<&'a str> {
    pairs.iter().find(|(name, _)| *name == key).and_then(|(_, value)| *value)
}
