//! How an adapter presents itself to the registry: its settings as a typed, self-describing struct.

use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::cloud::{Cloud, CloudTarget};
use crate::error::{Code, Error};
use crate::identity::IdentityProvider;

/// Where placeholders may stand in an adapter's settings.
#[derive(Clone, Copy, Debug)]
pub enum PlaceholderRule {
    /// None may: endpoints, hosts, issuers, audiences, paths.
    Forbidden,
    /// The text is not looked at: a JSON document in a string, whose braces are its own.
    Raw,
    /// `{env}`, `{profile}`, `{target}`, and `{claim}` for the immutable ids of [`IdentityAdapter::IMMUTABLE_CLAIMS`].
    ImmutableClaims,
    /// All; the result is validated as if it had been written so.
    Any,
    /// All; if there were any, the result is first brought to the cloud's alphabet and length by this function.
    Sanitised(fn(&str) -> String),
}

/// An identity provider that can be configured: `[identities.NAME] type = KIND`.
pub trait IdentityAdapter: IdentityProvider + Sized + 'static {
    /// The name in `type = "…"`.
    const KIND: &'static str;
    /// One line for `federate adapters`.
    const SUMMARY: &'static str;
    /// Claims that nobody can choose or take over: numeric ids, not names. They count for every identity, whichever adapter
    /// lists them.
    const IMMUTABLE_CLAIMS: &'static [&'static str];
    /// The settings, with `deny_unknown_fields` and a doc comment on every field; `Serialize` gives what was read.
    type Settings: DeserializeOwned + Serialize + JsonSchema + Default;

    /// Checks settings in which placeholders may still stand unresolved (see [`crate::template::is_literal`]).
    ///
    /// # Errors
    /// Every problem at once, each with `setting` naming the key.
    fn new(name: &str, settings: Self::Settings) -> Result<Self, Vec<Error>>;

    /// Is this (lower-case) host one of the CI system's own?
    fn is_own_host(host: &str) -> bool;

    /// Where placeholders may stand; `key` is the path inside the section, array positions left out (`chain.role_arn`).
    fn placeholder_rule(key: &str) -> PlaceholderRule;

    /// The error codes that only this adapter uses.
    const CODES: &'static [&'static Code] = &[];
}

/// A cloud target that can be configured: `[targets.NAME] type = KIND`.
pub trait TargetAdapter: CloudTarget + Sized + 'static {
    /// The name in `type = "…"`.
    const KIND: &'static str;
    /// One line for `federate adapters`.
    const SUMMARY: &'static str;
    /// Foreign variables that fill a key which no layer sets: `("AWS_REGION", "region")`; the first that is set wins.
    const FILLS: &'static [(&'static str, &'static str)];
    /// Settings that name another endpoint than the cloud's own: the sandbox says that they lead to it.
    const ENDPOINT_KEYS: &'static [&'static str] = &[];
    /// Variables of the cloud's own SDKs that name a CA bundle for its hosts.
    const BUNDLE_VARIABLES: &'static [&'static str] = &[];
    /// The settings, with `deny_unknown_fields` and a doc comment on every field; `Serialize` gives what was read.
    type Settings: DeserializeOwned + Serialize + JsonSchema;

    /// Checks settings in which placeholders may still stand unresolved (see [`crate::template::is_literal`]).
    ///
    /// # Errors
    /// Every problem at once, each with `setting` naming the key.
    fn new(name: &str, settings: Self::Settings) -> Result<Self, Vec<Error>>;

    /// What is common to all targets of this kind.
    fn cloud() -> &'static dyn Cloud;

    /// Is this (lower-case) host one of the cloud's own, which may be sent tokens? Never a pattern that a customer of
    /// the cloud can get a name under (`sts.s3.amazonaws.com` is a bucket).
    fn is_own_host(host: &str) -> bool;

    /// Where placeholders may stand; `key` is the path inside the section, array positions left out (`chain.role_arn`).
    fn placeholder_rule(key: &str) -> PlaceholderRule;

    /// The error codes that only this adapter uses.
    const CODES: &'static [&'static Code] = &[];
}
