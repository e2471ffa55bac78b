//! The file in which a cloud's SDKs look for profiles.

use std::path::PathBuf;

use crate::context::Context;
use crate::credentials::Credentials;
use crate::error::Error;
use crate::secret::Secret;

/// A profile whose credentials a program hands out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SdkProfile {
    /// The profile's name, as users give it to the SDK.
    pub name: String,
    /// The program, an absolute path, and its arguments. No secret is among them.
    pub program: Vec<String>,
    /// Further keys and values, see [`crate::CloudTarget::sdk_settings`].
    pub settings: Vec<(&'static str, String)>,
}

/// Reads and writes the file. Text goes in, text comes out: whoever calls does the reading, locking and writing.
pub trait SdkConfig: Send + Sync {
    /// Where the SDKs look: the variable that names the file, else the place in the home directory.
    ///
    /// # Errors
    /// `setting-missing` where there is no home directory.
    fn file(&self, context: &Context) -> Result<PathBuf, Error>;

    /// The text with these profiles written or brought up to date, every other line as it was. `replace` takes profiles of
    /// these names over that somebody else wrote.
    ///
    /// # Errors
    /// `setting-invalid` for a name or program that the file cannot hold, for a section that stands there twice, and for a
    /// profile of somebody else's.
    fn with_profiles(&self, text: &str, profiles: &[SdkProfile], replace: bool) -> Result<String, Vec<Error>>;

    /// The text without what [`SdkConfig::with_profiles`] wrote for the profiles of these names.
    fn without_profiles(&self, text: &str, is_meant: &dyn Fn(&str) -> bool) -> String;

    /// What the program prints: the credentials as the SDKs want them, one JSON document. `None` for credentials of another
    /// cloud.
    fn credential_process(&self, credentials: &Credentials) -> Option<Secret>;

    /// What stands elsewhere and would win over profiles of these names, a sentence each.
    fn outranked(&self, context: &Context, names: &[String]) -> Vec<String>;
}
