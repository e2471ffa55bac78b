//! "Did you mean …?"

/// The candidate nearest to what was written, if it is near enough to be meant.
pub fn nearest<'a>(written: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    candidates
        .into_iter()
        .map(|candidate| {
            (strsim::damerau_levenshtein(&written.to_ascii_lowercase(), &candidate.to_ascii_lowercase()), candidate)
        })
        .filter(|(distance, candidate)| *distance <= 1 + candidate.len().max(written.len()) / 4)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_typing_errors_and_leaves_strangers() {
        assert_eq!(nearest("rol_arn", ["role_arn", "region"]), Some("role_arn"));
        assert_eq!(nearest("Region", ["role_arn", "region"]), Some("region"));
        assert_eq!(nearest("password", ["role_arn", "region"]), None);
    }
}
