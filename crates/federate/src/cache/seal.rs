//! Sealing: AES-256-GCM with a random nonce; where an entry lies and when it ends are part of what is authenticated.
//!
//! ```text
//! "FEDCACH1" | key id, 8 bytes | expiry, seconds since 1970, 8 bytes big-endian | nonce, 12 bytes | ciphertext and tag
//! ```

use std::time::{Duration, SystemTime};

use federate_core::Secret;
use federate_core::context::unix_seconds;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::rand::{SecureRandom as _, SystemRandom};
use ring::{digest, hmac};
use zeroize::Zeroizing;

use super::key_store::Master;

const MAGIC: &[u8; 8] = b"FEDCACH1";
const HEADER: usize = 24;

/// What decides the result of a call, as one number that says nothing about it.
pub(crate) struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// Of a text that holds everything.
    pub(crate) fn of(text: &Secret) -> Self {
        let digest = digest::digest(&digest::SHA256, text.reveal().as_bytes());
        Self(<[u8; 32]>::try_from(digest.as_ref()).unwrap_or_default())
    }
}

/// A new key for a new session.
///
/// # Errors
/// Where the system has no randomness.
pub(crate) fn new_master() -> Result<Master, String> {
    let mut bytes = Zeroizing::new([0_u8; 32]);
    SystemRandom::new().fill(&mut *bytes).map_err(|_| "the system has no randomness".to_owned())?;
    Ok(Secret::new(hex(&*bytes)))
}

/// Seals and opens entries, and names them so that a name says nothing to whoever has not the key.
pub(crate) struct Seal {
    key_id: [u8; 8],
    names: hmac::Key,
    sealing: hmac::Tag,
}

impl Seal {
    /// All keys from the one that the session keeps.
    pub(crate) fn new(master: &Master) -> Self {
        let root = hmac::Key::new(hmac::HMAC_SHA256, master.reveal().as_bytes());
        let derived = |purpose: &str| hmac::sign(&root, purpose.as_bytes());
        let mut key_id = [0_u8; 8];
        key_id.copy_from_slice(&derived("federate cache: key id").as_ref()[..8]);
        Self {
            key_id,
            names: hmac::Key::new(hmac::HMAC_SHA256, derived("federate cache: names").as_ref()),
            sealing: derived("federate cache: entries"),
        }
    }

    /// The name of the entry for a fingerprint, in this session.
    pub(crate) fn name(&self, fingerprint: &Fingerprint) -> String {
        hex(hmac::sign(&self.names, &fingerprint.0).as_ref())
    }

    /// Seals a text.
    ///
    /// # Errors
    /// Where the system has no randomness.
    pub(crate) fn seal(&self, name: &str, expires: SystemTime, text: &Secret) -> Result<Vec<u8>, String> {
        let mut nonce = [0_u8; NONCE_LEN];
        SystemRandom::new().fill(&mut nonce).map_err(|_| "the system has no randomness".to_owned())?;
        let mut sealed = Vec::with_capacity(HEADER + NONCE_LEN + text.reveal().len() + AES_256_GCM.tag_len());
        sealed.extend_from_slice(MAGIC);
        sealed.extend_from_slice(&self.key_id);
        sealed.extend_from_slice(&unix_seconds(expires).to_be_bytes());
        let bound_to = bound_to(&sealed, name);
        let mut body = text.reveal().as_bytes().to_vec();
        self.key()?
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(bound_to), &mut body)
            .map_err(|_| "the credentials cannot be encrypted".to_owned())?;
        sealed.extend_from_slice(&nonce);
        sealed.extend_from_slice(&body);
        Ok(sealed)
    }

    /// Opens what [`Seal::seal`] made: when it ends, and the text.
    ///
    /// # Errors
    /// Why it is not used: another session's, or not as it was written.
    pub(crate) fn open(&self, name: &str, sealed: &[u8]) -> Result<(SystemTime, Secret), String> {
        let damaged = || "it is damaged, or was tampered with".to_owned();
        let expires = expiry(sealed).ok_or_else(damaged)?;
        if sealed[8..16] != self.key_id {
            return Err("another session kept it".to_owned());
        }
        let nonce = sealed.get(HEADER..HEADER + NONCE_LEN).ok_or_else(damaged)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| damaged())?;
        let mut body = Zeroizing::new(sealed[HEADER + NONCE_LEN..].to_vec());
        let bound_to = bound_to(&sealed[..HEADER], name);
        let text = self.key()?.open_in_place(nonce, Aad::from(bound_to), &mut body).map_err(|_| damaged())?;
        let text = std::str::from_utf8(text).map_err(|_| damaged())?;
        Ok((expires, Secret::new(text)))
    }

    fn key(&self) -> Result<LessSafeKey, String> {
        let key =
            UnboundKey::new(&AES_256_GCM, self.sealing.as_ref()).map_err(|_| "the key is not a key".to_owned())?;
        Ok(LessSafeKey::new(key))
    }
}

fn bound_to(header: &[u8], name: &str) -> Vec<u8> {
    [header, name.as_bytes()].concat()
}

/// When an entry says that it ends; not authenticated, good enough for tidying up. `None` for what is no entry.
pub(crate) fn expiry(sealed: &[u8]) -> Option<SystemTime> {
    let header = sealed.get(..HEADER).filter(|header| header.starts_with(MAGIC))?;
    let seconds = i64::from_be_bytes(header[16..24].try_into().ok()?);
    SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(u64::try_from(seconds).ok()?))
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const END: u64 = 1_777_892_400;

    fn sealed() -> (Seal, Vec<u8>) {
        let seal = Seal::new(&new_master().unwrap());
        let bytes =
            seal.seal("name", SystemTime::UNIX_EPOCH + Duration::from_secs(END), &Secret::new("canary")).unwrap();
        (seal, bytes)
    }

    #[test]
    fn what_was_sealed_is_opened() {
        let (seal, bytes) = sealed();
        assert!(!bytes.windows(6).any(|part| part == b"canary"));
        let (expires, text) = seal.open("name", &bytes).unwrap();
        assert_eq!((unix_seconds(expires), text.reveal()), (1_777_892_400, "canary"));
        let again = seal.seal("name", expires, &text).unwrap();
        assert_ne!(again, bytes, "a nonce is used once");
    }

    #[test]
    fn every_changed_byte_is_noticed() {
        let (seal, bytes) = sealed();
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            assert!(seal.open("name", &changed).is_err(), "byte {at}");
            assert!(seal.open("name", &bytes[..at]).is_err(), "cut at {at}");
        }
        assert!(seal.open("other", &bytes).is_err(), "an entry under another's name");
    }

    #[test]
    fn another_session_opens_nothing_and_names_otherwise() {
        let (seal, bytes) = sealed();
        let other = Seal::new(&new_master().unwrap());
        assert_eq!(other.open("name", &bytes).unwrap_err(), "another session kept it");
        let fingerprint = Fingerprint::of(&Secret::new("x"));
        assert_ne!(other.name(&fingerprint), seal.name(&fingerprint));
    }
}
