//! An email address: as typed, and the key by which addresses are compared.

use std::hash::{Hash, Hasher};

use unicode_normalization::UnicodeNormalization as _;

use crate::mail;
use crate::unicode::domains;
use crate::unicode::names::is_ignorable;

/// The longest possible address (RFC 5321 §4.5.3.1.3, without the angle brackets).
const MAX_BYTES: usize = 254;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Email {
    text: String,
    key: EmailKey,
}

/// The key of an address, equal for every spelling of one mailbox. It can only be made from an address.
#[derive(Clone, Debug)]
pub struct EmailKey {
    /// In lower case, with the domain in ASCII.
    canonical: String,
    /// The typed address in lower case.
    typed: String,
    /// In lower case, with the domain in Unicode.
    unicode: String,
}

/// The text is not an email address that can receive mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidEmail;

impl Email {
    /// Parses one address that mail can be sent to. White space and invisible characters around it are ignored.
    pub fn parse(raw: &str) -> Result<Self, InvalidEmail> {
        let text = tidied(raw);
        let (local, domain) = text.rsplit_once('@').ok_or(InvalidEmail)?;
        let ascii = domains::ascii(domain).ok_or(InvalidEmail)?;
        let plausible = text.len() <= MAX_BYTES
            && local.len() + 1 + ascii.len() <= MAX_BYTES
            && ascii.contains('.')
            && !text.chars().any(|c| c.is_control() || c.is_whitespace() || "\"<>(),:;\\".contains(c));
        if !plausible || mail::address(&text).is_err() {
            return Err(InvalidEmail);
        }
        Ok(Self { key: EmailKey::new(&text, local, domain, ascii), text })
    }

    /// Wraps a stored address without checking it: the rules may have changed since.
    pub(crate) fn stored(text: &str) -> Self {
        Self { text: text.to_owned(), key: EmailKey::of_attempt(text) }
    }

    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// In lower case and with one form of the domain: `Ada@` and `ada@` are the same mailbox, and browsers send punycode for
    /// a domain typed in Unicode.
    pub fn key(&self) -> &EmailKey {
        &self.key
    }
}

/// Removes white space and invisible characters around the address and a `mailto:` before it, and replaces a full-width
/// `@`: keyboards and copying add these.
fn tidied(raw: &str) -> String {
    let text: String = raw.nfc().map(|c| if c == '\u{ff20}' { '@' } else { c }).collect();
    let around = |c: char| c.is_whitespace() || is_ignorable(c);
    let text = text.trim_matches(around);
    let scheme = text.get(..SCHEME.len()).filter(|start| start.eq_ignore_ascii_case(SCHEME));
    text[scheme.map_or(0, str::len)..].trim_matches(around).to_owned()
}

const SCHEME: &str = "mailto:";

impl EmailKey {
    fn new(text: &str, local: &str, domain: &str, ascii: String) -> Self {
        let local = local.to_lowercase();
        Self {
            canonical: format!("{local}@{ascii}"),
            typed: text.to_lowercase(),
            unicode: format!("{local}@{}", domains::unicode(domain)),
        }
    }

    /// The key of a text typed to log in. A text that is not an address has a key as well, which counts its attempts.
    pub(crate) fn of_attempt(raw: &str) -> Self {
        let text = tidied(raw);
        let parts = text.rsplit_once('@');
        match parts.and_then(|(local, domain)| Some((local, domain, domains::ascii(domain)?))) {
            Some((local, domain, ascii)) => Self::new(&text, local, domain, ascii),
            None => {
                let typed = text.to_lowercase();
                Self { canonical: typed.clone(), unicode: typed.clone(), typed }
            }
        }
    }

    /// The same text for every spelling.
    pub fn as_str(&self) -> &str {
        &self.canonical
    }

    /// For the column `email_key`, which earlier versions compare: the address in lower case.
    pub(crate) fn as_typed(&self) -> &str {
        &self.typed
    }

    /// For the column `email_idn_key`: the canonical key, if it differs from `email_key`.
    pub(crate) fn idn(&self) -> Option<&str> {
        (self.canonical != self.typed).then_some(&self.canonical)
    }

    /// Every text that rows may hold for this mailbox: the canonical key, and the keys that earlier versions wrote.
    pub(crate) fn spellings(&self) -> Vec<&str> {
        let mut spellings = vec![self.canonical.as_str(), &self.typed, &self.unicode];
        spellings.sort_unstable();
        spellings.dedup();
        spellings
    }
}

impl PartialEq for EmailKey {
    fn eq(&self, other: &Self) -> bool {
        self.canonical == other.canonical
    }
}

impl Eq for EmailKey {}

impl Hash for EmailKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.canonical.hash(state);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn whitespace_copied_with_an_address_is_removed() {
        for raw in [
            "\u{feff}ada@example.org\u{200b}",
            "\u{200f} ada@example.org\u{a0}\u{2060}",
            "MAILTO:ada@example.org",
            "mailto: \u{200e}ada@example.org",
            "ada\u{ff20}example.org",
            "\u{3000}ada@example.org\u{3000}",
        ] {
            assert_eq!(Email::parse(raw).unwrap().as_str(), "ada@example.org", "{raw:?}");
            assert_eq!(EmailKey::of_attempt(raw).as_str(), "ada@example.org", "{raw:?}");
        }
        for raw in
            ["a\u{200b}da@example.org", "mailto:", "http:ada@example.org", "mailto:mailto:ada@example.org"]
        {
            assert!(Email::parse(raw).is_err(), "{raw:?}");
        }
    }

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
    fn spellings_of_one_domain_share_a_key() {
        for (typed, other) in [
            ("ada@bücher.example", "Ada@xn--bcher-kva.example"),
            ("ada@bücher.example", "ADA@BÜCHER.EXAMPLE"),
            ("ada@bu\u{308}cher.example", "ada@bücher。example"),
            ("ada@почта.рф", "ada@xn--80a1acny.xn--p1ai"),
        ] {
            let (typed, other) = (Email::parse(typed).unwrap(), Email::parse(other).unwrap());
            assert_eq!(typed.key(), other.key());
            assert_eq!(typed.key().as_str(), other.key().as_str());
            assert!(typed.key().as_str().split_once('@').unwrap().1.is_ascii());
        }
        let (one, other) =
            (Email::parse("ada@straße.example").unwrap(), Email::parse("ada@strasse.example").unwrap());
        assert_ne!(one.key(), other.key());
        // Each keeps the spelling it was typed in.
        assert_eq!(one.as_str(), "ada@straße.example");
    }

    #[test]
    fn an_address_in_ascii_has_one_spelling() {
        let key = Email::parse("Ada@Example.org").unwrap().key().clone();
        assert_eq!((key.idn(), key.spellings()), (None, vec!["ada@example.org"]));
        let key = Email::parse("ada@bücher.example").unwrap().key().clone();
        assert_eq!(key.idn(), Some("ada@xn--bcher-kva.example"));
        assert_eq!(key.spellings(), ["ada@bücher.example", "ada@xn--bcher-kva.example"]);
    }

    #[test]
    fn what_is_no_address_has_a_key_of_its_own() {
        assert_eq!(EmailKey::of_attempt(" ADA "), EmailKey::of_attempt("ada"));
        assert_ne!(EmailKey::of_attempt("ada@-"), EmailKey::of_attempt("ada"));
        assert_eq!(EmailKey::of_attempt("Ada@BÜCHER.example").as_str(), "ada@xn--bcher-kva.example");
    }

    #[test]
    fn dots_stand_where_providers_issued_them() {
        for odd in ["a..b@docomo.example", "ab.@ezweb.example", ".ab@docomo.example", "a...b..@ezweb.example"]
        {
            assert_eq!(Email::parse(odd).unwrap().as_str(), odd);
        }
        for bad in [".@docomo.example", "..@docomo.example", "a..b(c)@docomo.example", "a@docomo..example"] {
            assert_eq!(Email::parse(bad), Err(InvalidEmail), "{bad}");
        }
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
            assert_eq!(Email::parse(bad), Err(InvalidEmail), "{bad:?}");
        }
        assert!(Email::parse(&format!("{}@example.org", "a".repeat(300))).is_err());
    }

    /// Almost an address, so that some are accepted.
    const NEARLY: &str = "[ \t]{0,1}[a-zA-Zäß.+<>,;:\"()\\\\\r\n\0 -]{1,8}@{0,2}[a-zA-Zäß.-]{1,8}[.@,]?[a-z\r\n>]{0,4}[ ]{0,1}";

    proptest! {
        #[test]
        fn parsing_never_panics_and_accepts_what_it_produced(raw in prop_oneof!["\\PC*", NEARLY]) {
            if let Ok(email) = Email::parse(&raw) {
                prop_assert_eq!(Email::parse(email.as_str()), Ok(email));
            }
        }

        /// A header field is made of it, so it must not contain the end of a line or another address (RFC 5322 §3.4).
        #[test]
        fn what_is_accepted_is_one_recipient_on_one_line(raw in NEARLY) {
            if let Ok(email) = Email::parse(&raw) {
                let text = email.as_str();
                prop_assert!(text.len() <= MAX_BYTES);
                prop_assert!(text.chars().all(|c| !c.is_control() && !c.is_whitespace()));
                prop_assert_eq!(text.matches('@').count(), 1);
                let recipient = mail::address(text).unwrap();
                let recipients: lettre::message::Mailboxes = recipient.to_string().parse().unwrap();
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
