//! The secret in the cookie, and its hash in the table.

use actix_session::storage::SessionKey;
use data_encoding::BASE64URL_NOPAD;
use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};

use super::Principal;

/// The secret that the browser sends: 256 bits from the operating system (ASVS 5.0 7.2.3), as text. It is in the cookie
/// only, so it implements neither `Debug` nor `Display`, and its memory is zeroed when it is dropped.
///
/// ```
/// use latchkey_sessions::Key;
///
/// let key = Key::generate().unwrap();
/// assert!(Key::parse(key.reveal()).is_some());
/// assert!(Key::parse("guessed").is_none());
/// ```
pub struct Key(SecretString);

/// SHA-256 of a [`Key`], as the table stores it. A key with full entropy needs neither a slow nor a salted hash.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyHash([u8; 32]);

const BYTES: usize = 32;

impl Key {
    /// A new key.
    ///
    /// # Errors
    /// Those of the operating system's random generator.
    pub fn generate() -> Result<Self, getrandom::Error> {
        let mut bytes = [0; BYTES];
        getrandom::fill(&mut bytes)?;
        Ok(Self(BASE64URL_NOPAD.encode(&bytes).into()))
    }

    /// The key in a cookie, or `None` if `raw` cannot be a key (empty, too long, of another program).
    pub fn parse(raw: &str) -> Option<Self> {
        is_well_formed(raw).then(|| Self(raw.into()))
    }

    /// The hash by which the session is looked up.
    pub fn hash(&self) -> KeyHash {
        KeyHash(sha256(self.reveal().as_bytes()))
    }

    /// The text for a cookie that the application sets without actix-session.
    pub fn reveal(&self) -> &str {
        self.0.expose_secret()
    }

    /// The form in which actix-session puts it into the cookie.
    pub(super) fn into_session_key(self) -> Result<SessionKey, actix_session::storage::SaveError> {
        SessionKey::try_from(self.reveal().to_owned())
            .map_err(|error| actix_session::storage::SaveError::Other(error.into()))
    }
}

impl KeyHash {
    /// The hash with these bytes, as a table stores it.
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The cache key of an entry that belongs to a principal and not to a session. No session key has this hash, except
    /// by chance, and it admits no request.
    pub(super) fn of_principal(principal: Principal) -> Self {
        Self(sha256(principal.0.as_bytes()))
    }

    /// The hash of another secret of the application, which has full entropy as well.
    pub fn of_secret(secret: &str) -> Self {
        Self(sha256(secret.as_bytes()))
    }

    /// The hash of the key in a cookie, or `None` if `raw` cannot be a key.
    pub(super) fn of(raw: &str) -> Option<Self> {
        is_well_formed(raw).then(|| Self(sha256(raw.as_bytes())))
    }

    /// The 32 bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// Whether `raw` is what [`Key::generate`] writes: unpadded URL-safe Base64 of 32 bytes.
fn is_well_formed(raw: &str) -> bool {
    let mut bytes = [0; BYTES];
    // `decode_mut` takes a buffer of exactly the decoded length.
    BASE64URL_NOPAD.decode_len(raw.len()) == Ok(BYTES)
        && BASE64URL_NOPAD.decode_mut(raw.as_bytes(), &mut bytes).is_ok()
}

fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_text_of_32_bytes_is_a_key() {
        let key = Key::generate().unwrap();
        assert_eq!(Key::parse(key.reveal()).unwrap().hash().as_bytes(), key.hash().as_bytes());
        for foreign in ["", "a", &"a".repeat(42), &"a".repeat(44), &"a".repeat(4000), "not/url+safe", "é"] {
            assert!(Key::parse(foreign).is_none(), "{foreign}");
        }
    }
}
