//! A mapping or condition, and what can be said of it where the language is left out.

#[cfg(feature = "cel")]
use super::cel::{self, Expr};

/// Functions of CEL's own library and its usual extensions that no mapping or condition of use needs.
/// <https://github.com/google/cel-go/blob/master/ext/README.md>
#[cfg(feature = "cel")]
const CEL_HAS: [&str; 16] = [
    "bytes",
    "type",
    "duration",
    "replace",
    "substring",
    "trim",
    "indexOf",
    "lastIndexOf",
    "charAt",
    "format",
    "reverse",
    "quote",
    "getDate",
    "getDayOfWeek",
    "getHours",
    "getFullYear",
];

/// Text in the Common Expression Language.
#[derive(Debug, PartialEq)]
pub(super) struct Expression {
    /// As written.
    pub(super) text: String,
    /// As read.
    #[cfg(feature = "cel")]
    pub(super) tree: Expr,
}

impl Expression {
    /// Reads it.
    ///
    /// # Errors
    /// In words, where it is longer than Google takes, or no expression.
    pub(super) fn read(text: &str, longest: usize) -> Result<Self, String> {
        if text.chars().count() > longest {
            return Err(format!("it is longer than {longest} characters, the most that Google takes"));
        }
        Ok(Self {
            text: text.to_owned(),
            #[cfg(feature = "cel")]
            tree: cel::parse(text)?,
        })
    }

    /// Why it has no value for any token, where it names what there is not.
    #[cfg(feature = "cel")]
    pub(super) fn unread(&self, variables: &[&str]) -> Option<String> {
        let fault = self.tree.unknown(variables)?;
        Some(match &fault {
            cel::Fault::Unknown(name) if CEL_HAS.contains(&name.trim_end_matches("()")) => {
                format!("`{name}` is not evaluated here")
            }
            _ => format!("{fault}, and Google takes no such expression"),
        })
    }
}
