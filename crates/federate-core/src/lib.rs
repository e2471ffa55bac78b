//! The words that every part of federate shares: ID tokens, claims, audiences, credentials, secrets, errors, and the
//! traits that identity adapters and cloud adapters implement.
//!
//! This crate does no I/O. Network, environment, files and clock reach an adapter through [`Context`], so that a test
//! hands it its own.

pub mod adapter;
pub mod allow;
pub mod allow_entry;
pub mod child;
pub mod claims;
pub mod cloud;
pub mod codes;
pub mod context;
pub mod credentials;
pub mod duration;
pub mod endpoint;
pub mod error;
pub mod http;
pub mod identity;
pub mod issuer;
pub mod jwks;
pub mod kubernetes;
pub mod network;
pub mod policy;
pub mod refresh;
pub mod sdk_config;
pub mod secret;
pub mod served;
pub mod session;
mod shared;
pub mod suggest;
pub mod template;
#[cfg(feature = "testing")]
pub mod testing;
pub mod token;

pub use adapter::{IdentityAdapter, PlaceholderRule, TargetAdapter};
pub use allow::{ClaimPattern, Mismatch, Pattern, PatternPart};
pub use allow_entry::AllowEntry;
pub use child::{Argument, ChildEnv, ChildValue, FileContent, NamePattern, PrivateFile, SetupCommand};
pub use claims::{Claims, UnverifiedClaims, VerifiedClaims};
pub use cloud::{Cloud, CloudTarget, Handover, Place, Principal, PrincipalLabel, Probe};
pub use context::{Context, Env, Host, Reporter};
pub use credentials::{Credentials, Value};
pub use duration::HumanDuration;
pub use endpoint::{EndpointAddress, EndpointReply, EndpointRequest, ServedTarget};
pub use error::{Category, Code, Error, Recovery};
pub use http::{Body, Field, Http, Method, Outcome, Reach, Request, Response};
pub use identity::{Audiences, Detection, IdentityProvider, Masking, Renewal, SectionEdge, TokenRequestEndpoint};
pub use issuer::Issuer;
pub use kubernetes::{KubernetesAccess, KubernetesToken};
pub use network::NetworkSettings;
pub use policy::Policy;
pub use refresh::{Kept, Lease, Renew};
pub use sdk_config::{SdkConfig, SdkProfile};
pub use secret::Secret;
pub use served::{KeptTarget, RefreshingSession};
pub use session::{BoundIdentity, Exchanged, Session, TargetSource};
pub use token::IdToken;
