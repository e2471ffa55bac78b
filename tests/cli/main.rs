//! The whole command line, as a person or a CI system uses it: on loopback alone, in an environment of its own.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod aws_config;
mod bad_answers;
mod bad_input;
#[cfg(target_os = "linux")]
mod cache;
mod docs;
mod doctor;
mod each;
mod each_serve;
mod exec;
mod formats;
mod hosts;
mod identity;
#[cfg(target_os = "linux")]
mod kube;
mod layers;
mod matrix;
mod profiles;
mod reference;
mod sandbox;
mod serve;
mod serve_ends;
mod serve_load;
mod served;
mod support;
mod trust;
mod trust_gcp;
mod trust_generate;
mod trust_graph;
mod trust_input;
mod trust_mistakes;
mod trust_profile;
