//! Where the key lives: in the kernel's keyring of the session, which no file and no other session can show.

use std::time::Duration;

use federate_core::Secret;

/// The key that all others come from, 32 bytes in hexadecimal.
pub(crate) type Master = Secret;

/// A place that keeps a key as long as the session lives, and no longer. Errors are sentences for people.
pub(crate) trait KeyStore {
    /// The key of this description.
    fn find(&self, description: &str) -> Result<Option<Master>, String>;
    /// Keeps a key for a time; replaces one of the same description.
    fn keep(&self, description: &str, master: &Master, life: Duration) -> Result<(), String>;
    /// Lets the time begin anew.
    fn prolong(&self, description: &str, life: Duration) -> Result<(), String>;
    /// Removes the key.
    fn forget(&self, description: &str) -> Result<(), String>;
}

/// The session keyring of the kernel (keyrings(7), session-keyring(7)). A process without one of its own is in the user's
/// session keyring, which all such processes of the user share.
pub(crate) struct SessionKeyring;

#[cfg(target_os = "linux")]
mod linux {
    use linux_keyutils::{Key, KeyError, KeyRing, KeyRingIdentifier};

    use super::{Duration, KeyStore, Master, Secret, SessionKeyring};

    fn keyring() -> Result<KeyRing, String> {
        // The number behind the name: adding a key by the name would first join a new keyring, which ends with this process.
        KeyRing::from_special_id(KeyRingIdentifier::Session, false).map_err(|error| explained(&error))
    }

    fn explained(error: &KeyError) -> String {
        let why = match error {
            KeyError::OperationNotSupported | KeyError::PermissionDenied | KeyError::Unknown(38 | 1) => {
                "this system or container does not allow the kernel keyring"
            }
            KeyError::AccessDenied => "the session's keyring belongs to another user",
            KeyError::QuotaExceeded => "the user's keyring quota is used up",
            KeyError::KeyRevoked | KeyError::KeyringDoesNotExist => "the session's keyring is gone",
            _ => "the kernel keyring cannot be used",
        };
        format!("{why} ({error})")
    }

    fn search(description: &str) -> Result<Option<Key>, String> {
        match keyring()?.search(description) {
            Ok(key) => Ok(Some(key)),
            Err(KeyError::KeyDoesNotExist | KeyError::KeyExpired | KeyError::KeyRevoked) => Ok(None),
            Err(error) => Err(explained(&error)),
        }
    }

    fn seconds(life: Duration) -> usize {
        usize::try_from(life.as_secs()).unwrap_or(usize::MAX)
    }

    impl KeyStore for SessionKeyring {
        fn find(&self, description: &str) -> Result<Option<Master>, String> {
            let Some(key) = search(description)? else { return Ok(None) };
            let mut bytes = zeroize::Zeroizing::new([0_u8; 64]);
            match key.read(&mut *bytes) {
                // Whatever else is found under our name is nobody's key and is replaced.
                Ok(64) => Ok(std::str::from_utf8(&*bytes).ok().map(Secret::new)),
                Ok(_) | Err(KeyError::KeyDoesNotExist | KeyError::KeyExpired | KeyError::KeyRevoked) => Ok(None),
                Err(error) => Err(explained(&error)),
            }
        }

        fn keep(&self, description: &str, master: &Master, life: Duration) -> Result<(), String> {
            let key = keyring()?.add_key(description, master.reveal()).map_err(|error| explained(&error))?;
            key.set_timeout(seconds(life)).map_err(|error| explained(&error))
        }

        fn prolong(&self, description: &str, life: Duration) -> Result<(), String> {
            match search(description)? {
                Some(key) => key.set_timeout(seconds(life)).map_err(|error| explained(&error)),
                None => Ok(()),
            }
        }

        fn forget(&self, description: &str) -> Result<(), String> {
            match search(description)? {
                Some(key) => key.invalidate().map_err(|error| explained(&error)),
                None => Ok(()),
            }
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod elsewhere {
    use super::{Duration, KeyStore, Master, SessionKeyring};

    const WHY: &str = "this system has no kernel keyring, and the key is kept nowhere else";

    impl KeyStore for SessionKeyring {
        fn find(&self, _description: &str) -> Result<Option<Master>, String> {
            Err(WHY.to_owned())
        }
        fn keep(&self, _description: &str, _master: &Master, _life: Duration) -> Result<(), String> {
            Err(WHY.to_owned())
        }
        fn prolong(&self, _description: &str, _life: Duration) -> Result<(), String> {
            Err(WHY.to_owned())
        }
        fn forget(&self, _description: &str) -> Result<(), String> {
            Err(WHY.to_owned())
        }
    }
}
