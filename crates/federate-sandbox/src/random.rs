//! Unguessable values without a failure in the middle of an answer: one seed from the system, the rest derived from it.

use std::sync::atomic::{AtomicU64, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use federate_core::{Error, Secret};
use ring::rand::{SecureRandom as _, SystemRandom};
use ring::{digest, hmac};

use crate::codes;

const BASE32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// HMAC-SHA256 of a counter under a key from the system's randomness.
pub(crate) struct Random {
    key: hmac::Key,
    count: AtomicU64,
}

impl Random {
    /// Takes the seed.
    ///
    /// # Errors
    /// `sandbox-failed` if the system has no randomness.
    pub(crate) fn new() -> Result<Self, Error> {
        let mut seed = [0; 32];
        SystemRandom::new()
            .fill(&mut seed)
            .map_err(|_| Error::new(&codes::SANDBOX_FAILED, "the system gives no random numbers"))?;
        Ok(Self { key: hmac::Key::new(hmac::HMAC_SHA256, &seed), count: AtomicU64::new(0) })
    }

    fn block(&self) -> Vec<u8> {
        let count = self.count.fetch_add(1, Ordering::Relaxed);
        hmac::sign(&self.key, &count.to_be_bytes()).as_ref().to_vec()
    }

    /// A random UUID (RFC 9562, version 4).
    pub(crate) fn uuid(&self) -> String {
        uuid_of(&self.block())
    }

    /// Letters and digits as in the ids of access keys, at most 32.
    pub(crate) fn key_id(&self, length: usize) -> String {
        base32(&self.block(), length)
    }

    /// 40 characters, as long as an AWS secret access key.
    pub(crate) fn secret_key(&self) -> Secret {
        Secret::new(STANDARD_NO_PAD.encode(&self.block()[..30]))
    }

    /// 128 characters, for tokens that nobody reads.
    pub(crate) fn opaque_token(&self) -> Secret {
        let bytes: Vec<u8> = [self.block(), self.block(), self.block()].concat();
        Secret::new(STANDARD_NO_PAD.encode(bytes))
    }
}

/// The same id for the same name, as a role or an application keeps its own.
pub(crate) fn stable_key_id(name: &str, length: usize) -> String {
    base32(digest::digest(&digest::SHA256, name.as_bytes()).as_ref(), length)
}

/// The same UUID for the same name.
pub(crate) fn stable_uuid(name: &str) -> String {
    uuid_of(digest::digest(&digest::SHA256, name.as_bytes()).as_ref())
}

/// Bytes in lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn base32(bytes: &[u8], length: usize) -> String {
    bytes.iter().take(length).map(|byte| char::from(BASE32[usize::from(byte % 32)])).collect()
}

fn uuid_of(bytes: &[u8]) -> String {
    let mut bytes = bytes.to_vec();
    bytes.resize(16, 0);
    bytes[6] = (bytes[6] & 0x0f) | 0x40;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    let text = hex(&bytes);
    format!("{}-{}-{}-{}-{}", &text[..8], &text[8..12], &text[12..16], &text[16..20], &text[20..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_comes_twice() {
        let (one, other) = (Random::new().unwrap(), Random::new().unwrap());
        let all: std::collections::BTreeSet<String> = [one.uuid(), one.uuid(), other.uuid(), other.uuid()].into();
        assert_eq!(all.len(), 4);
        assert_ne!(one.secret_key().reveal(), one.secret_key().reveal());
    }

    #[test]
    fn values_have_the_shape_that_clients_expect() {
        let random = Random::new().unwrap();
        let uuid = random.uuid();
        assert_eq!((uuid.len(), &uuid[14..15]), (36, "4"), "{uuid}");
        assert!(matches!(&uuid[19..20], "8" | "9" | "a" | "b"), "{uuid}");
        assert_eq!(random.key_id(16).len(), 16);
        assert_eq!(random.secret_key().reveal().len(), 40);
        assert_eq!(random.opaque_token().reveal().len(), 128);
    }

    #[test]
    fn stable_ids_are_stable() {
        assert_eq!(stable_uuid("a"), stable_uuid("a"));
        assert_ne!(stable_uuid("a"), stable_uuid("b"));
        assert_eq!(stable_key_id("role", 17), stable_key_id("role", 17));
        assert_eq!(stable_key_id("role", 17).len(), 17);
    }
}
