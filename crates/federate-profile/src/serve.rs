//! `serve = "auto"`: whether a command's credentials come from an endpoint.

/// How credentials reach the command of `federate exec` and `federate each`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ServeMode {
    /// As plain variables.
    #[default]
    Never,
    /// As plain variables where these last as long as the job, else by an endpoint.
    Auto,
    /// By an endpoint.
    Always,
}

/// The values of the key.
pub(crate) const VALUES: &[&str] = &["never", "auto", "always"];

impl ServeMode {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        match text {
            "never" => Some(Self::Never),
            "auto" => Some(Self::Auto),
            "always" => Some(Self::Always),
            _ => None,
        }
    }
}
