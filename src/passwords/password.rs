//! A password as a secret value that can only be hashed and verified.

use std::sync::Arc;

use secrecy::{ExposeSecret as _, SecretString};
use unicode_normalization::UnicodeNormalization;
use zeroize::Zeroizing;

/// The longest password, in bytes after NFC, that is checked at a log-in: far above every policy, so that a stricter
/// policy locks no user out, and short enough to be cheap.
pub const GIVEN_MAX_BYTES: usize = 4096;

/// A password in NFC, wiped from memory when its last handle is dropped.
///
/// There is no `Debug`, `Display`, `Serialize` or `Clone`, so it can only be hashed and verified. Apart from NFC it is
/// kept exactly as sent, never trimmed, cut or case-folded: NIST SP 800-63B-4 §3.1.1.2, ASVS 5.0 6.2.8.
pub struct Password(Arc<PasswordText>);

struct PasswordText {
    nfc: SecretString,
    /// As it was sent, if that is not NFC: other software hashed it in this form.
    typed: Option<SecretString>,
}

impl Password {
    /// Accepts a password that a user enters to log in or to confirm: any text up to [`GIVEN_MAX_BYTES`], regardless of
    /// the current policy.
    ///
    /// `None` is too long to match any account. Pass it to [`Hasher::verify`] anyway, which rejects it after the usual
    /// time.
    ///
    /// [`Hasher::verify`]: crate::passwords::hasher::Hasher::verify
    pub fn given(raw: &str) -> Option<Self> {
        let nfc = nfc(raw, GIVEN_MAX_BYTES)?;
        let typed = (*nfc != *raw).then(|| raw.into());
        Some(Self(Arc::new(PasswordText { nfc: nfc.as_str().into(), typed })))
    }

    /// A second handle on the same memory, for hashing again after an outdated result.
    pub fn share(&self) -> Self {
        Self(Arc::clone(&self.0))
    }

    pub(crate) fn expose(&self) -> &[u8] {
        self.0.nfc.expose_secret().as_bytes()
    }

    /// For a hash that other software made.
    pub(crate) fn expose_typed(&self) -> &[u8] {
        self.0.typed.as_ref().unwrap_or(&self.0.nfc).expose_secret().as_bytes()
    }

    pub(super) fn sealed(nfc: &str) -> Self {
        Self(Arc::new(PasswordText { nfc: nfc.into(), typed: None }))
    }
}

/// `raw` in NFC, or `None` if that takes more than `max_bytes`. The buffer never grows, because growing would leave
/// copies of the password in freed memory.
pub(super) fn nfc(raw: &str, max_bytes: usize) -> Option<Zeroizing<String>> {
    let mut text = Zeroizing::new(String::with_capacity(max_bytes.min(raw.len().saturating_mul(3))));
    for part in raw.nfc() {
        if text.len() + part.len_utf8() > max_bytes {
            return None;
        }
        text.push(part);
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn composed_and_decomposed_accents_are_the_same_password() {
        let composed = Password::given("caf\u{e9} au lait au lit").unwrap();
        let decomposed = Password::given("cafe\u{301} au lait au lit").unwrap();
        assert!(composed.expose() == decomposed.expose());
    }

    #[test]
    fn what_was_typed_is_kept_for_the_hashes_of_others() {
        let decomposed = "cafe\u{301} au lait au lit";
        assert!(Password::given(decomposed).unwrap().expose_typed() == decomposed.as_bytes());
        assert!(Password::given("caf\u{e9}").unwrap().expose_typed() == "caf\u{e9}".as_bytes());
    }

    #[test]
    fn spaces_at_the_ends_are_part_of_the_password() {
        let given = Password::given("  two spaces before and after  ").unwrap();
        assert_eq!(given.expose(), b"  two spaces before and after  ");
    }

    #[test]
    fn compatibility_forms_stay_different_because_the_rule_is_nfc_not_nfkc() {
        let ligature = Password::given("\u{fb01}ne words make passwords").unwrap();
        let letters = Password::given("fine words make passwords").unwrap();
        assert!(ligature.expose() != letters.expose());
    }

    #[test]
    fn a_password_that_is_too_long_matches_no_account() {
        assert!(Password::given(&"a".repeat(GIVEN_MAX_BYTES)).is_some());
        assert!(Password::given(&"a".repeat(GIVEN_MAX_BYTES + 1)).is_none());
    }

    proptest! {
        #[test]
        fn no_text_makes_choosing_or_giving_panic(raw in any::<String>(), personal in any::<[String; 3]>()) {
            let personal: Vec<&str> = personal.iter().map(String::as_str).collect();
            let _ = Password::choose(&raw, &personal);
            let _ = Password::given(&raw);
        }

        #[test]
        fn what_was_chosen_is_what_is_given(raw in "\\PC{15,60}") {
            let decomposed: String = raw.nfd().collect();
            if let Ok(chosen) = Password::choose(&raw, &[]) {
                let given = Password::given(&decomposed).unwrap();
                prop_assert!(chosen.expose() == given.expose());
            }
        }
    }
}
