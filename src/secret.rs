//! Keys derived from the configured secret: signing, encryption, and single-use tokens.

use std::sync::Arc;

use aes_gcm::aead::{Aead, KeyInit, Payload};
use aes_gcm::{Aes256Gcm, Nonce};
use data_encoding::{BASE64, BASE64URL_NOPAD};
use hmac::{Hmac, Mac};
use secrecy::{ExposeSecret as _, SecretBox, SecretSlice, SecretString};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// The operator's secret, at least 32 bytes, never printed. During a change of the secret, the previous one still verifies
/// and decrypts, but never signs or encrypts.
#[derive(Clone)]
pub struct Secret {
    current: HmacKey,
    previous: Option<HmacKey>,
    looks_typed: bool,
}

/// HMAC-SHA256 with its key already processed, which is half of the work. Shared, because every service has the secret.
type HmacKey = Arc<Hmac<Sha256>>;

/// Shortest secret accepted, in bytes: 256 bits (ASVS 5.0 11.2.3 asks for 128).
pub const SECRET_MIN_BYTES: usize = 32;

const NONCE_BYTES: usize = 12;

const SEAL_ID_BYTES: usize = 4;

#[derive(Debug, PartialEq, Eq)]
pub enum WeakSecret {
    TooShort,
    Repetitive,
}

impl Secret {
    /// Accepts `raw` if it is long enough and not obviously a placeholder.
    pub fn parse(raw: &str) -> Result<Self, WeakSecret> {
        let bytes = raw.trim().as_bytes();
        if bytes.len() < SECRET_MIN_BYTES {
            return Err(WeakSecret::TooShort);
        }
        let distinct: std::collections::HashSet<u8> = bytes.iter().copied().collect();
        if distinct.len() < 8 {
            return Err(WeakSecret::Repetitive);
        }
        Ok(Self { current: keyed(bytes), previous: None, looks_typed: looks_typed(raw) })
    }

    /// Also accepts what `previous` signed or encrypted.
    pub fn with_previous(mut self, previous: Option<Self>) -> Self {
        self.previous = previous.map(|previous| previous.current);
        self
    }

    /// Whether a person seems to have typed the secret or copied an example: long enough, but guessable.
    pub fn looks_typed(&self) -> bool {
        self.looks_typed
    }

    /// A new 256-bit secret as text, which local mode keeps in its data directory.
    pub fn generate() -> Result<SecretString, getrandom::Error> {
        random::<32>().map(|bytes| encode(&bytes).into())
    }

    /// HMAC-SHA256 over `parts` for one `purpose`.
    pub fn mac(&self, purpose: &str, parts: &[&[u8]]) -> [u8; 32] {
        mac(&self.current, purpose, parts)
    }

    /// Whether `given` is the Base64 of [`Secret::mac`] over `parts`, under the current or the previous secret.
    pub fn signed(&self, purpose: &str, parts: &[&[u8]], given: &str) -> bool {
        let fits = |key: &HmacKey| same(given.as_bytes(), encode(&mac(key, purpose, parts)).as_bytes());
        fits(&self.current) || self.previous.as_ref().is_some_and(fits)
    }

    /// The 64-byte key with which actix-session signs cookies.
    pub fn cookie_key(&self) -> SecretBox<[u8; 64]> {
        cookie_key(&self.current)
    }

    /// The same key under the previous secret, if there is one.
    pub fn previous_cookie_key(&self) -> Option<SecretBox<[u8; 64]>> {
        self.previous.as_ref().map(cookie_key)
    }

    /// Whether a previous secret is still accepted.
    pub fn has_previous(&self) -> bool {
        self.previous.is_some()
    }

    /// Encrypts `plain` with AES-256-GCM. It can be decrypted only with the same `purpose` and `context`.
    pub fn seal(&self, purpose: &str, context: &[u8], plain: &[u8]) -> Result<Vec<u8>, SealBroken> {
        let nonce = random::<NONCE_BYTES>().map_err(|_| SealBroken)?;
        let sealed = cipher(&self.current, purpose)
            .encrypt(&Nonce::from(nonce), Payload { msg: plain, aad: context })
            .map_err(|_| SealBroken)?;
        Ok([self.seal_id().as_slice(), &nonce, &sealed].concat())
    }

    /// Decrypts what [`Secret::seal`] encrypted.
    ///
    /// # Errors
    /// [`SealBroken`] for everything else.
    pub fn open(&self, purpose: &str, context: &[u8], sealed: &[u8]) -> Result<SecretSlice<u8>, SealBroken> {
        let (id, rest) = sealed.split_first_chunk::<SEAL_ID_BYTES>().ok_or(SealBroken)?;
        let (nonce, body) = rest.split_first_chunk::<NONCE_BYTES>().ok_or(SealBroken)?;
        let mut keys = std::iter::once(&self.current).chain(&self.previous);
        let key = keys.find(|key| seal_id(key) == *id).ok_or(SealBroken)?;
        let payload = Payload { msg: body, aad: context };
        cipher(key, purpose)
            .decrypt(&Nonce::from(*nonce), payload)
            .map(SecretSlice::from)
            .map_err(|_| SealBroken)
    }

    /// `true` if the current secret encrypted `sealed`, `false` if the previous one did, `None` if neither did.
    pub fn is_current_seal(&self, sealed: &[u8]) -> Option<bool> {
        let id = sealed.first_chunk::<SEAL_ID_BYTES>()?;
        if seal_id(&self.current) == *id {
            return Some(true);
        }
        self.previous.as_ref().is_some_and(|previous| seal_id(previous) == *id).then_some(false)
    }

    /// The first bytes of everything that this secret encrypts. They reveal nothing about the secret.
    pub fn seal_id(&self) -> [u8; SEAL_ID_BYTES] {
        seal_id(&self.current)
    }
}

/// Signs cookies and verifies signed ones like the `cookie` crate does for actix-session: the Base64 of the value's
/// HMAC-SHA256, then the value. Create it once, because it processes the keys.
pub struct CookieSigner {
    current: HmacKey,
    previous: Option<HmacKey>,
}

/// The value of a cookie with a valid signature.
pub struct SignedValue<'c> {
    pub value: &'c str,
    /// Whether the current secret signed it, not the previous one.
    pub is_current: bool,
}

impl CookieSigner {
    pub fn new(secret: &Secret) -> Self {
        // The crate signs with the first half of the key it is given.
        let half = |key: SecretBox<[u8; 64]>| keyed(&key.expose_secret()[..32]);
        Self { current: half(secret.cookie_key()), previous: secret.previous_cookie_key().map(half) }
    }

    pub fn open<'c>(&self, signed: &'c str) -> Option<SignedValue<'c>> {
        let (given, value) = signed.split_at_checked(DIGEST_CHARS)?;
        let fits = |key: &HmacKey| {
            let mut due = [0; DIGEST_CHARS];
            BASE64.encode_mut(&digest(key, value), &mut due);
            same(given.as_bytes(), &due)
        };
        let is_current = fits(&self.current);
        (is_current || self.previous.as_ref().is_some_and(fits)).then_some(SignedValue { value, is_current })
    }

    pub fn sign(&self, value: &str) -> String {
        BASE64.encode(&digest(&self.current, value)) + value
    }
}

/// The length of 32 bytes in padded Base64.
const DIGEST_CHARS: usize = 44;

fn digest(key: &HmacKey, value: &str) -> [u8; 32] {
    let mut mac = Hmac::clone(key);
    mac.update(value.as_bytes());
    mac.finalize().into_bytes().into()
}

fn keyed(key: &[u8]) -> HmacKey {
    // HMAC takes keys of any length, so this cannot fail.
    let key = <Hmac<Sha256> as hmac::KeyInit>::new_from_slice(key);
    Arc::new(key.unwrap_or_else(|_| unreachable!("HMAC accepts every key length")))
}

/// Whether `raw` contains a word of an example or characters in a row. About one in ten thousand random secrets does.
fn looks_typed(raw: &str) -> bool {
    const WORDS: [&str; 9] =
        ["secret", "password", "change", "example", "sample", "latchkey", "tests", "dummy", "qwert"];
    let lower = raw.to_lowercase();
    let in_a_row = |pair: &[u8]| pair[1] == pair[0].wrapping_add(1) || pair[1] == pair[0];
    let mut run = 0;
    let runs = lower.as_bytes().windows(2).any(|pair| {
        run = if in_a_row(pair) { run + 1 } else { 0 };
        run >= 5
    });
    runs || WORDS.iter().any(|word| lower.contains(word))
}

/// Each part is preceded by its length, so that no two lists of parts have the same MAC.
fn mac(key: &HmacKey, purpose: &str, parts: &[&[u8]]) -> [u8; 32] {
    let mut mac = Hmac::clone(key);
    for part in std::iter::once(&purpose.as_bytes()).chain(parts) {
        mac.update(&(part.len() as u64).to_be_bytes());
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

fn cookie_key(key: &HmacKey) -> SecretBox<[u8; 64]> {
    let mut out = Box::new([0; 64]);
    out[..32].copy_from_slice(&mac(key, "cookie", &[b"1"]));
    out[32..].copy_from_slice(&mac(key, "cookie", &[b"2"]));
    SecretBox::new(out)
}

fn cipher(key: &HmacKey, purpose: &str) -> Aes256Gcm {
    Aes256Gcm::new(&mac(key, "seal", &[purpose.as_bytes()]).into())
}

fn seal_id(key: &HmacKey) -> [u8; SEAL_ID_BYTES] {
    let [a, b, c, d, ..] = mac(key, "seal-id", &[]);
    [a, b, c, d]
}

/// The bytes were encrypted under another secret, for another purpose or context, or were altered.
#[derive(Debug)]
pub struct SealBroken;

impl std::fmt::Display for SealBroken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("cannot decrypt a value with the configured secret")
    }
}

impl std::error::Error for SealBroken {}

/// A single-use secret of 256 bits for a mailed link, stored only as a hash (ASVS 5.0 6.5.3, 11.5.1).
pub struct Token(SecretString);

/// SHA-256 of a [`Token`]: what the tables hold.
pub type TokenHash = [u8; 32];

impl Token {
    pub fn generate() -> Result<Self, getrandom::Error> {
        random::<32>().map(|bytes| Self(encode(&bytes).into()))
    }

    /// The hash of `raw` to look it up; `None` if it does not have the form of a token.
    pub fn hash_of(raw: &str) -> Option<TokenHash> {
        decode::<32>(raw).map(|_| sha256(raw.as_bytes()))
    }

    pub fn hash(&self) -> TokenHash {
        sha256(self.reveal().as_bytes())
    }

    /// The text for the link. Write it only into an email or to the operator's terminal.
    pub fn reveal(&self) -> &str {
        self.0.expose_secret()
    }
}

/// Bytes from the operating system's generator.
pub fn random<const N: usize>() -> Result<[u8; N], getrandom::Error> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes)?;
    Ok(bytes)
}

pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

/// URL-safe base64 without padding.
pub fn encode(bytes: &[u8]) -> String {
    BASE64URL_NOPAD.encode(bytes)
}

/// The inverse of [`encode`] for exactly `N` bytes.
pub fn decode<const N: usize>(text: &str) -> Option<[u8; N]> {
    BASE64URL_NOPAD.decode(text.as_bytes()).ok()?.try_into().ok()
}

/// Compares in constant time (ASVS 5.0 11.2.4).
pub fn same(a: &[u8], b: &[u8]) -> bool {
    a.ct_eq(b).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn secret() -> Secret {
        Secret::parse("0123456789abcdefghijklmnopqrstuvwxyz").unwrap()
    }

    #[test]
    fn short_and_repetitive_secrets_are_refused() {
        assert_eq!(Secret::parse("short").err(), Some(WeakSecret::TooShort));
        assert_eq!(Secret::parse(&"ab".repeat(40)).err(), Some(WeakSecret::Repetitive));
    }

    #[test]
    fn what_was_typed_is_told_from_what_was_drawn() {
        for typed in [
            "only-for-tests-0123456789-abcdefghijkl",
            "please-Change-me-before-you-go-live!",
            "a1b2c3d4e5f6g7h8 abcdefgh i9j0k1l2",
        ] {
            assert!(Secret::parse(typed).unwrap().looks_typed(), "{typed}");
        }
        for _ in 0..100 {
            // Whether a random secret contains a word is a matter of chance; two in a row hardly ever do.
            let drawn = || Secret::parse(Secret::generate().unwrap().expose_secret()).unwrap().looks_typed();
            assert!(!drawn() || !drawn());
        }
    }

    #[test]
    fn a_sealed_value_opens_only_in_its_own_place() {
        let sealed = secret().seal("mail", b"7", b"hello").unwrap();
        assert_eq!(secret().open("mail", b"7", &sealed).unwrap().expose_secret(), b"hello");
        assert!(secret().open("mail", b"8", &sealed).is_err());
        assert!(secret().open("totp", b"7", &sealed).is_err());
        assert!(secret().open("mail", b"7", &sealed[..8]).is_err());
    }

    #[test]
    fn while_the_secret_changes_the_previous_one_still_opens_and_signs_nothing_new() {
        let old = secret();
        let new =
            Secret::parse("zyxwvutsrqponmlkjihgfedcba9876543210").unwrap().with_previous(Some(secret()));
        let sealed = old.seal("mail", b"7", b"hello").unwrap();
        assert_eq!(new.open("mail", b"7", &sealed).unwrap().expose_secret(), b"hello");
        assert!(sealed.starts_with(&old.seal_id()) && !sealed.starts_with(&new.seal_id()));
        assert!(new.seal("mail", b"7", b"hello").unwrap().starts_with(&new.seal_id()));
        assert!(new.signed("form", &[b"1"], &encode(&old.mac("form", &[b"1"]))));
        assert!(!old.signed("form", &[b"1"], &encode(&new.mac("form", &[b"1"]))));
        assert_eq!(new.previous_cookie_key().unwrap().expose_secret(), old.cookie_key().expose_secret());
    }

    #[test]
    fn macs_tell_lists_apart_that_concatenate_alike() {
        assert_ne!(secret().mac("x", &[b"ab", b"c"]), secret().mac("x", &[b"a", b"bc"]));
    }

    #[test]
    fn a_token_survives_the_mail_and_nothing_else_parses() {
        let token = Token::generate().unwrap();
        assert_eq!(Token::hash_of(token.reveal()), Some(token.hash()));
        assert!(Token::hash_of("").is_none());
        assert!(Token::hash_of(&"a".repeat(5000)).is_none());
    }

    proptest! {
        #[test]
        fn a_signed_cookie_opens_and_not_one_byte_of_it_may_differ(
            value in "[A-Za-z0-9_-]{0,60}", at in any::<proptest::sample::Index>(), other in any::<char>(),
        ) {
            let signer = CookieSigner::new(&secret());
            let signed = signer.sign(&value);
            prop_assert_eq!(signer.open(&signed).map(|opened| opened.value), Some(value.as_str()));
            let mut letters: Vec<char> = signed.chars().collect();
            let at = at.index(letters.len());
            prop_assume!(letters[at] != other);
            letters[at] = other;
            prop_assert!(signer.open(&letters.iter().collect::<String>()).is_none());
            letters.remove(at);
            prop_assert!(signer.open(&letters.iter().collect::<String>()).is_none());
        }

        #[test]
        fn unsigned_text_opens_nothing(text in prop_oneof!["\\PC*", "[A-Za-z0-9+/]{43}=[A-Za-z0-9_-]{0,50}"]) {
            prop_assert!(CookieSigner::new(&secret()).open(&text).is_none());
            prop_assert!(!secret().signed("form", &[b"1"], &text));
        }

        #[test]
        fn a_sealed_value_with_one_bit_changed_stays_shut(
            plain in proptest::collection::vec(any::<u8>(), 0..40), at in any::<proptest::sample::Index>(), bit in 0u8..8,
        ) {
            let mut sealed = secret().seal("mail", b"7", &plain).unwrap();
            let opened = secret().open("mail", b"7", &sealed).unwrap();
            prop_assert_eq!(opened.expose_secret(), plain.as_slice());
            let at = at.index(sealed.len());
            sealed[at] ^= 1 << bit;
            prop_assert!(secret().open("mail", b"7", &sealed).is_err());
        }

        /// One token has one spelling, so that it cannot be used twice.
        #[test]
        fn what_reads_as_a_token_is_one(text in prop_oneof!["\\PC{0,60}", "[A-Za-z0-9_-]{43}"]) {
            if Token::hash_of(&text).is_some() {
                prop_assert_eq!(encode(&decode::<32>(&text).unwrap()), text);
            }
        }
    }
}
