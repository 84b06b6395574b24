//! The rules for a new password.

use super::password::{GIVEN_MAX_BYTES, Password, nfc};
use super::weak_password::WeakPassword;
use super::weakness;

/// The allowed lengths of a new password. There are no composition rules and no setting for them: NIST SP 800-63B-4
/// §3.1.1.2 forbids them (ASVS 5.0 6.2.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PasswordPolicy {
    /// Minimum in code points: 15, because a password may be the only factor (NIST SP 800-63B-4 §3.1.1.2: 15 alone, 8 with
    /// another factor; ASVS 5.0 6.2.1).
    pub min_code_points: usize,
    /// Maximum in code points: 128, twice the 64 that must be allowed (ASVS 5.0 6.2.9).
    pub max_code_points: usize,
    /// Maximum in bytes after NFC: 1 KiB, which bounds passwords with many combining marks. Never above
    /// [`GIVEN_MAX_BYTES`], because no longer password can be entered to log in.
    pub max_bytes: usize,
}

impl Default for PasswordPolicy {
    fn default() -> Self {
        Self { min_code_points: 15, max_code_points: 128, max_bytes: 1024 }
    }
}

impl PasswordPolicy {
    /// Accepts a new password under this policy; see [`Password::choose`].
    ///
    /// # Errors
    /// The first reason that applies: length, leaked, guessable, personal.
    pub fn choose(&self, raw: &str, personal: &[&str]) -> Result<Password, WeakPassword> {
        let max_bytes = self.max_bytes.min(GIVEN_MAX_BYTES);
        let text = nfc(raw, max_bytes).ok_or(WeakPassword::TooManyBytes { max: max_bytes })?;
        let have = text.chars().count();
        if have < self.min_code_points {
            return Err(WeakPassword::TooShort { have, min: self.min_code_points });
        }
        if have > self.max_code_points {
            return Err(WeakPassword::TooLong { max: self.max_code_points });
        }
        match weakness::weakness(&text, personal, self.min_code_points) {
            Some(weak) => Err(weak),
            None => Ok(Password::sealed(&text)),
        }
    }
}

impl Password {
    /// Accepts a new password under the default [`PasswordPolicy`].
    ///
    /// * `raw`: the form field, unchanged.
    /// * `personal`: the personal words of the user and the site: name, email address, host.
    ///
    /// # Errors
    /// The [`Weak`] reason, whose `Display` is shown beside the field.
    ///
    /// Source: NIST SP 800-63B-4 §3.1.1.2; ASVS 5.0 6.2.1, 6.2.4, 6.2.5, 6.2.9, 6.2.11, 6.2.12.
    pub fn choose(raw: &str, personal: &[&str]) -> Result<Self, WeakPassword> {
        PasswordPolicy::default().choose(raw, personal)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(raw: &str) -> Option<WeakPassword> {
        Password::choose(raw, &[]).err()
    }

    #[test]
    fn length_is_counted_in_code_points_after_nfc() {
        let fourteen_after_nfc = "cafe\u{301} olive tin";
        assert_eq!(refusal(fourteen_after_nfc), Some(WeakPassword::TooShort { have: 14, min: 15 }));
        assert_eq!(refusal("caf\u{e9} olive tins"), None);
        assert_eq!(refusal("💡🚪🔑🧭🪵🐎🧶🪁🫖🎺🛶🧊🪴🦔🧲"), None);
    }

    #[test]
    fn there_is_an_upper_end_in_characters_and_in_bytes() {
        let words = "gravel tuba otter lemon ";
        let long = words.repeat(6);
        let at_most: String =
            "oak tuba otter lemon gravel hinge ".chars().chain(long.chars()).take(128).collect();
        assert_eq!(refusal(&at_most), None);
        assert_eq!(refusal(&format!("{at_most}s")), Some(WeakPassword::TooLong { max: 128 }));
        assert_eq!(refusal(&"🚪".repeat(257)), Some(WeakPassword::TooManyBytes { max: 1024 }));
    }

    #[test]
    fn no_kind_of_character_is_required() {
        for fine in ["gravel otter lemon", "GRAVELOTTERTUBA", "8302947561930284", "Жираф пьёт чай молча"]
        {
            assert_eq!(refusal(fine), None, "{fine}");
        }
    }

    #[test]
    fn a_policy_never_accepts_what_could_not_be_given_again() {
        let loose = PasswordPolicy { min_code_points: 15, max_code_points: 10_000, max_bytes: 10_000 };
        let refused = loose.choose(&"a".repeat(GIVEN_MAX_BYTES + 1), &[]).err();
        assert_eq!(refused, Some(WeakPassword::TooManyBytes { max: GIVEN_MAX_BYTES }));
    }
}
