//! The lines to add to `.gitlab-ci.yml`.

/// The variable that the printed lines use where the profile names none.
pub(crate) const EXAMPLE_VARIABLE: &str = "FEDERATE_ID_TOKEN";

/// `id_tokens:` for this audience.
pub(crate) fn id_tokens(variable: Option<&str>, audience: &str) -> String {
    let variable = variable.unwrap_or(EXAMPLE_VARIABLE);
    format!("add to the job in .gitlab-ci.yml:\n  id_tokens:\n    {variable}:\n      aud: {audience}")
}
