//! One error type for everything that can go wrong, made for the person who has to mend it.

use std::fmt;

use serde::Serialize;

/// What kind of failure it is, and so the exit code of the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Category {
    /// Wrong usage or an invalid profile: exit code 2.
    Usage,
    /// No usable ID token: exit code 3.
    Identity,
    /// Refused by the cloud, or by an account, tenant or host that policy does not allow: exit code 4.
    Refused,
    /// Network, time-out, or a service error that outlasted the retries: exit code 5.
    Network,
}

impl Category {
    /// The process's exit code for this category, 2 to 5.
    pub const fn exit_code(self) -> u8 {
        match self {
            Self::Usage => 2,
            Self::Identity => 3,
            Self::Refused => 4,
            Self::Network => 5,
        }
    }
}

/// A stable error code. Every crate lists its own, and `docs/errors.md` is made from the lists.
#[derive(Debug, PartialEq, Eq)]
pub struct Code {
    /// The name that stands in `error[NAME]`, kebab-case, never changed once released.
    pub name: &'static str,
    /// The category, which decides the exit code.
    pub category: Category,
    /// One sentence for the reference page.
    pub meaning: &'static str,
}

/// What could make the same attempt succeed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Recovery {
    /// Nothing but a change by a person.
    #[default]
    None,
    /// A fresh ID token, where the identity provider can issue again.
    NewToken,
    /// Time, if the trust on the cloud's side was changed just now (`--wait-for-trust`).
    Trust,
}

/// What happened, why, where the setting stands that led to it, and what to do.
///
/// No part of it ever holds a secret.
#[derive(Clone)]
pub struct Error(Box<Parts>);

#[derive(Clone)]
struct Parts {
    code: &'static Code,
    what: String,
    cause: Option<String>,
    setting: Option<String>,
    origin: Option<String>,
    help: Vec<String>,
    cloud_code: Option<String>,
    request_id: Option<String>,
    recovery: Recovery,
}

impl Error {
    /// A new error; `what` is one line without a final full stop.
    pub fn new(code: &'static Code, what: impl Into<String>) -> Self {
        Self(Box::new(Parts {
            code,
            what: what.into(),
            cause: None,
            setting: None,
            origin: None,
            help: Vec::new(),
            cloud_code: None,
            request_id: None,
            recovery: Recovery::None,
        }))
    }

    /// Says why, in the words of whoever refused (a cloud's message, an I/O error).
    #[must_use]
    pub fn with_cause(mut self, cause: impl Into<String>) -> Self {
        self.0.cause = Some(cause.into());
        self
    }

    /// Names the setting to look at: first a key inside the adapter's section (`role_arn`), later the whole path
    /// (`targets.aws.role_arn`), see [`Error::in_section`].
    #[must_use]
    pub fn with_setting(mut self, setting: impl Into<String>) -> Self {
        self.0.setting = Some(setting.into());
        self
    }

    /// Puts the section's path before the setting's key; `targets.aws` and `role_arn` give `targets.aws.role_arn`.
    #[must_use]
    pub fn in_section(mut self, section: &str) -> Self {
        if let Some(setting) = self.0.setting.take() {
            self.0.setting = Some(if setting.is_empty() { section.to_owned() } else { format!("{section}.{setting}") });
        }
        self
    }

    /// Says where to look: file and line, environment variable, flag.
    #[must_use]
    pub fn with_origin(mut self, origin: impl Into<String>) -> Self {
        self.0.origin = Some(origin.into());
        self
    }

    /// Adds one line of advice. Call again for more; a text with line breaks keeps them.
    #[must_use]
    pub fn with_help(mut self, help: impl Into<String>) -> Self {
        self.0.help.push(help.into());
        self
    }

    /// Gives other advice instead of what there was, where more is known of the surroundings.
    #[must_use]
    pub fn with_help_only(mut self, help: impl Into<String>) -> Self {
        self.0.help.clear();
        self.with_help(help)
    }

    /// Keeps the cloud's own error code (`AccessDenied`, `AADSTS700213`).
    #[must_use]
    pub fn with_cloud_code(mut self, code: impl Into<String>) -> Self {
        self.0.cloud_code = Some(code.into());
        self
    }

    /// Keeps the cloud's request or trace id.
    #[must_use]
    pub fn with_request_id(mut self, id: Option<String>) -> Self {
        self.0.request_id = id;
        self
    }

    /// Says what could make the same attempt succeed.
    #[must_use]
    pub fn with_recovery(mut self, recovery: Recovery) -> Self {
        self.0.recovery = recovery;
        self
    }

    /// The stable code.
    pub fn code(&self) -> &'static Code {
        self.0.code
    }

    /// The category of the code.
    pub fn category(&self) -> Category {
        self.0.code.category
    }

    /// What happened, one line.
    pub fn what(&self) -> &str {
        &self.0.what
    }

    /// Why.
    pub fn cause(&self) -> Option<&str> {
        self.0.cause.as_deref()
    }

    /// The setting to look at.
    pub fn setting(&self) -> Option<&str> {
        self.0.setting.as_deref()
    }

    /// Where the setting stands.
    pub fn origin(&self) -> Option<&str> {
        self.0.origin.as_deref()
    }

    /// What to do, line by line.
    pub fn help(&self) -> &[String] {
        &self.0.help
    }

    /// The cloud's own error code.
    pub fn cloud_code(&self) -> Option<&str> {
        self.0.cloud_code.as_deref()
    }

    /// The cloud's request or trace id.
    pub fn request_id(&self) -> Option<&str> {
        self.0.request_id.as_deref()
    }

    /// What could make the same attempt succeed.
    pub fn recovery(&self) -> Recovery {
        self.0.recovery
    }
}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0.what)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "[{}] {}", self.0.code.name, self.0.what)?;
        for (label, text) in [("cause", &self.0.cause), ("setting", &self.0.setting), ("origin", &self.0.origin)] {
            if let Some(text) = text {
                write!(formatter, "\n  {label}: {text}")?;
            }
        }
        for help in &self.0.help {
            write!(formatter, "\n  help: {help}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {}

/// What the other side says, for an error: in one line, without control characters, and at most 2,000 characters of it.
pub fn said(text: &str) -> String {
    const MOST: usize = 2_000;
    let line: String = text.trim().chars().map(|c| if c.is_control() { ' ' } else { c }).take(MOST).collect();
    if text.trim().chars().nth(MOST).is_some() { line + "…" } else { line }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_other_side_says_is_one_line() {
        assert_eq!(said(" a\r\n::add-mask::b\u{1b}[31m \n"), "a  ::add-mask::b [31m");
        let long = said(&"x".repeat(3_000));
        assert_eq!((long.chars().count(), long.ends_with('…')), (2_001, true));
    }
}
