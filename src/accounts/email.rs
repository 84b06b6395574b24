//! An e-mail address: as it was typed, and the key it is compared by.

use std::fmt;

use lettre::Address;
use unicode_normalization::UnicodeNormalization as _;

/// Longest address there is (RFC 5321 §4.5.3.1.3, less the angle brackets).
const MAX_BYTES: usize = 254;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Email {
    text: String,
    key: String,
}

/// What was typed cannot receive mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoEmail;

impl fmt::Display for NoEmail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Enter an e-mail address, such as ada@example.org.")
    }
}

impl Email {
    /// Accepts one address that mail can be sent to; space around it is the keyboard's, not the person's.
    pub fn parse(raw: &str) -> Result<Self, NoEmail> {
        let text: String = raw.trim().nfc().collect();
        let (_, domain) = text.rsplit_once('@').ok_or(NoEmail)?;
        let plausible = text.len() <= MAX_BYTES
            && domain.contains('.')
            && !domain.starts_with('[')
            && !text.chars().any(|c| c.is_control() || c.is_whitespace() || "\"<>(),:;\\".contains(c));
        if !plausible || text.parse::<Address>().is_err() {
            return Err(NoEmail);
        }
        Ok(Self { key: text.to_lowercase(), text })
    }

    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Lower case: nobody means two people by `Ada@` and `ada@`.
    pub fn key(&self) -> &str {
        &self.key
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn spellings_of_one_address_share_a_key() {
        let a = Email::parse(" Ada@Example.ORG ").unwrap();
        assert_eq!(a.as_str(), "Ada@Example.ORG");
        assert_eq!(a.key(), Email::parse("ada@example.org").unwrap().key());
        assert_eq!(
            Email::parse("jose\u{301}@example.org").unwrap().key(),
            Email::parse("jos\u{e9}@example.org").unwrap().key()
        );
    }

    #[test]
    fn what_cannot_receive_mail_is_refused() {
        for bad in [
            "",
            "ada",
            "ada@",
            "@example.org",
            "a b@example.org",
            "ada@example",
            "ada@[127.0.0.1]",
            "a@b@c.org",
            "ada@example.org\r\nBcc: eve@example.org",
            "ada@example.org,eve@example.org",
            "Ada <ada@example.org>",
            "a\0@example.org",
        ] {
            assert_eq!(Email::parse(bad), Err(NoEmail), "{bad:?}");
        }
        assert!(Email::parse(&format!("{}@example.org", "a".repeat(300))).is_err());
    }

    proptest! {
        #[test]
        fn parsing_never_panics_and_accepts_what_it_produced(raw in "\\PC*") {
            if let Ok(email) = Email::parse(&raw) {
                prop_assert_eq!(Email::parse(email.as_str()), Ok(email));
            }
        }
    }
}
