//! The secret in the cookie, and its hash in the table.

use actix_session::storage::SessionKey;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroize as _;

use super::Principal;

/// The secret that the browser sends: 256 bits from the operating system (ASVS 5.0 7.2.3), as text. It is in the cookie
/// only, so it implements neither `Debug` nor `Display`, and is overwritten when it is dropped.
///
/// ```
/// use latchkey_sessions::Key;
///
/// let key = Key::generate().unwrap();
/// assert!(Key::parse(key.reveal()).is_some());
/// assert!(Key::parse("guessed").is_none());
/// ```
pub struct Key(String);

/// SHA-256 of a [`Key`], as the table stores it. A key with full entropy needs neither a slow nor a salted hash.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
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
        Ok(Self(URL_SAFE_NO_PAD.encode(bytes)))
    }

    /// The key in a cookie, or `None` if `raw` cannot be a key (empty, too long, of another program).
    pub fn parse(raw: &str) -> Option<Self> {
        is_well_formed(raw).then(|| Self(raw.to_owned()))
    }

    /// The hash by which the session is looked up.
    pub fn hash(&self) -> KeyHash {
        KeyHash(sha256(self.0.as_bytes()))
    }

    /// The text for a cookie that the application sets without actix-session.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// The form in which actix-session puts it into the cookie.
    pub(super) fn into_session_key(mut self) -> Result<SessionKey, actix_session::storage::SaveError> {
        let text = std::mem::take(&mut self.0);
        SessionKey::try_from(text).map_err(|error| actix_session::storage::SaveError::Other(error.into()))
    }
}

impl Drop for Key {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl KeyHash {
    pub(super) fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The cache key of an entry that belongs to a principal and not to a session. No session key has this hash, except
    /// by chance, and it admits no request.
    pub(super) fn of_principal(principal: Principal) -> Self {
        Self(sha256(principal.0.as_bytes()))
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
    URL_SAFE_NO_PAD.decode(raw).is_ok_and(|bytes| bytes.len() == BYTES)
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
        assert_eq!(Key::parse(&key.0).unwrap().hash().as_bytes(), key.hash().as_bytes());
        for foreign in ["", "a", &"a".repeat(42), &"a".repeat(44), &"a".repeat(4000), "not/url+safe", "é"] {
            assert!(Key::parse(foreign).is_none(), "{foreign}");
        }
    }
}
