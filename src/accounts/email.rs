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

    /// Near enough to an address to be taken now and then.
    const NEARLY: &str = "[ \t]{0,1}[a-zA-Zäß.+<>,;:\"()\\\\\r\n\0 -]{1,8}@{0,2}[a-zA-Zäß.-]{1,8}[.@,]?[a-z\r\n>]{0,4}[ ]{0,1}";

    proptest! {
        #[test]
        fn parsing_never_panics_and_accepts_what_it_produced(raw in prop_oneof!["\\PC*", NEARLY]) {
            if let Ok(email) = Email::parse(&raw) {
                prop_assert_eq!(Email::parse(email.as_str()), Ok(email));
            }
        }

        /// A header field is made of it, so nothing in it may end the line or begin another address (RFC 5322 §3.4).
        #[test]
        fn what_is_accepted_is_one_recipient_on_one_line(raw in NEARLY) {
            if let Ok(email) = Email::parse(&raw) {
                let text = email.as_str();
                prop_assert!(text.len() <= MAX_BYTES);
                prop_assert!(text.chars().all(|c| !c.is_control() && !c.is_whitespace()));
                prop_assert_eq!(text.matches('@').count(), 1);
                let recipients: lettre::message::Mailboxes = text.parse().unwrap();
                prop_assert_eq!(recipients.iter().count(), 1);
            }
        }

        #[test]
        fn case_and_space_around_it_never_make_two_people(
            local in "[a-zA-Z0-9]{1,8}", domain in "[a-zA-Z]{1,8}[.][a-zA-Z]{2,4}", space in "[ \t\r\n]{0,3}",
        ) {
            let email = Email::parse(&format!("{local}@{domain}")).unwrap();
            let shouted = Email::parse(&format!("{space}{}{space}", email.as_str().to_uppercase())).unwrap();
            prop_assert_eq!(shouted.key(), email.key());
        }
    }
}
