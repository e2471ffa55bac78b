//! From `allow` lists, as the identity adapters read them, to the trust that the clouds are given, as the clouds' own
//! evaluators judge it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod aws;
mod azure;
mod jobs;
