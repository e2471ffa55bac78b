//! The one key of a sandbox: it signs the CI system's ID tokens and Entra's access tokens.

use std::io;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use federate_core::jwks::Jwks;
use federate_core::{Error, IdToken, Secret, VerifiedClaims};
use ring::digest;
use ring::rand::{SecureRandom as _, SystemRandom};
use ring::signature::{KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair};
use rsa::PrivateKey;
use rsa::pkcs8::EncodePrivateKey as _;
use rsa::rand_core::{TryCryptoRng, TryRng};
use serde_json::{Map, Value as Json, json};

use crate::codes;

/// The smallest size that clouds accept, and the quickest to generate.
const BITS: usize = 2048;

/// An RSA key that signs RS256, with its published half.
pub(crate) struct SigningKey {
    pair: RsaKeyPair,
    id: String,
    published: Json,
    set: Jwks,
}

/// Why a signature does not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SignatureProblem {
    /// No key of this id is published.
    UnknownKey,
    /// The key is there, and did not sign this.
    Mismatch,
}

impl SigningKey {
    /// Makes a key; a fraction of a second with optimised big-number arithmetic.
    ///
    /// # Errors
    /// `sandbox-failed`.
    pub(crate) fn generate() -> Result<Self, Error> {
        let failed = |why: String| {
            Error::new(&codes::SANDBOX_FAILED, "the sandbox's signing key cannot be made").with_cause(why)
        };
        let private = PrivateKey::new(&mut SystemRng, BITS).map_err(|error| failed(error.to_string()))?;
        let document = private.to_pkcs8_der().map_err(|error| failed(error.to_string()))?;
        let pair = RsaKeyPair::from_pkcs8(document.as_bytes()).map_err(|error| failed(error.to_string()))?;
        let encoded = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let public = ring::rsa::PublicKeyComponents::<Vec<u8>>::from(pair.public_key());
        let (n, e) = (encoded(&public.n), encoded(&public.e));
        // The thumbprint of RFC 7638: its members in this order, without white space.
        let thumbprint = digest::digest(&digest::SHA256, format!(r#"{{"e":"{e}","kty":"RSA","n":"{n}"}}"#).as_bytes());
        let id = encoded(thumbprint.as_ref());
        let published =
            json!({"keys": [{"kty": "RSA", "kid": id, "use": "sig", "alg": "RS256", "n": n, "e": e, "x5t": id}]});
        let set = Jwks::parse(published.to_string().as_bytes())?;
        Ok(Self { pair, id, published, set })
    }

    /// The key set (RFC 7517).
    pub(crate) fn published(&self) -> &Json {
        &self.published
    }

    /// Signs a payload: a JWS in compact form (RFC 7515), with `kid`.
    ///
    /// # Errors
    /// `sandbox-failed` if the system's randomness fails.
    pub(crate) fn sign(&self, claims: &Map<String, Json>) -> Result<Secret, Error> {
        let header = json!({"typ": "JWT", "alg": "RS256", "kid": self.id, "x5t": self.id});
        let message = format!(
            "{}.{}",
            URL_SAFE_NO_PAD.encode(header.to_string()),
            URL_SAFE_NO_PAD.encode(Json::Object(claims.clone()).to_string())
        );
        let mut signature = vec![0; self.pair.public().modulus_len()];
        self.pair
            .sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message.as_bytes(), &mut signature)
            .map_err(|_| Error::new(&codes::SANDBOX_FAILED, "the sandbox cannot sign a token"))?;
        Ok(Secret::new(format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))))
    }

    /// Checks a token's signature, as anyone would who has only the published half.
    pub(crate) fn verify(&self, token: &IdToken) -> Result<VerifiedClaims, SignatureProblem> {
        if token.key_id() != Some(self.id.as_str()) {
            return Err(SignatureProblem::UnknownKey);
        }
        self.set.verify(token).map_err(|_| SignatureProblem::Mismatch)
    }
}

/// The system's randomness, for the key generation of the `rsa` crate.
struct SystemRng;

impl TryRng for SystemRng {
    type Error = io::Error;

    fn try_next_u32(&mut self) -> io::Result<u32> {
        let mut bytes = [0; 4];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u32::from_le_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> io::Result<u64> {
        let mut bytes = [0; 8];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u64::from_le_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, destination: &mut [u8]) -> io::Result<()> {
        SystemRandom::new().fill(destination).map_err(|_| io::Error::other("the system gives no random numbers"))
    }
}

impl TryCryptoRng for SystemRng {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::key;

    fn signed(claims: Json) -> IdToken {
        let claims = claims.as_object().unwrap().clone();
        IdToken::parse(key().sign(&claims).unwrap(), "the test").unwrap()
    }

    #[test]
    fn what_it_signs_verifies_with_the_published_half() {
        let token = signed(json!({"iss": "https://gitlab.com", "runner_id": 31}));
        assert_eq!(token.algorithm(), "RS256");
        assert_eq!(key().verify(&token).unwrap().get("runner_id"), Some(&json!(31)));
        assert!(key().published()["keys"][0].get("d").is_none(), "the private half is not published");
    }

    #[test]
    fn strangers_and_changes_are_told_apart() {
        let stranger = IdToken::parse(Secret::new(federate_core::testing::jwt(&json!({}))), "the test").unwrap();
        assert_eq!(key().verify(&stranger), Err(SignatureProblem::UnknownKey));
        let token = signed(json!({"sub": "a"}));
        let parts: Vec<&str> = token.raw().reveal().split('.').collect();
        let changed = format!("{}.{}.{}", parts[0], URL_SAFE_NO_PAD.encode(r#"{"sub":"b"}"#), parts[2]);
        let changed = IdToken::parse(Secret::new(changed), "the test").unwrap();
        assert_eq!(key().verify(&changed), Err(SignatureProblem::Mismatch));
    }
}
