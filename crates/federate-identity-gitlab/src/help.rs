//! The lines to add to `.gitlab-ci.yml`.

/// `id_tokens:` for this audience, in this variable, else in one that is called after the audience: jobs that need several
/// tokens need several names.
pub(crate) fn id_tokens(variable: Option<&str>, audience: &str) -> String {
    let variable = variable.map_or_else(|| variable_for(audience), str::to_owned);
    format!("add to the job in .gitlab-ci.yml:\n  id_tokens:\n    {variable}:\n      aud: {audience}")
}

fn variable_for(audience: &str) -> String {
    let name = audience.split_once("://").map_or(audience, |(_, name)| name);
    let upper: String = name
        .chars()
        .map(|character| if character.is_ascii_alphanumeric() { character.to_ascii_uppercase() } else { '_' })
        .collect();
    match upper.trim_matches('_') {
        "" => "ID_TOKEN".to_owned(),
        // A variable's name does not begin with a digit.
        name if name.starts_with(|first: char| first.is_ascii_digit()) => format!("ID_TOKEN_{name}"),
        name => format!("{name}_ID_TOKEN"),
    }
}

#[cfg(test)]
mod tests {
    use super::variable_for;

    #[test]
    fn each_audience_has_a_name_of_its_own() {
        assert_eq!(variable_for("https://gitlab.com"), "GITLAB_COM_ID_TOKEN");
        assert_eq!(variable_for("api://AzureADTokenExchange"), "AZUREADTOKENEXCHANGE_ID_TOKEN");
        assert_eq!(variable_for("4ef8"), "ID_TOKEN_4EF8");
        assert_eq!(variable_for("//"), "ID_TOKEN");
    }
}
