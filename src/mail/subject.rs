//! Encodes subjects that look encoded already, because mail programs would decode them.

use std::error::Error;

use data_encoding::BASE64;
use lettre::message::header::{Header, HeaderName, HeaderValue};

/// Bytes of text in one encoded word. In Base64 and with the delimiters they make 72 characters; RFC 2047 §2 allows 75.
const WORD: usize = 45;

#[derive(Clone)]
pub(super) struct EncodedSubject(String);

/// The header of `subject` if a mail program would take a part of it for an encoded word.
pub(super) fn encoded(subject: &str) -> Option<EncodedSubject> {
    subject.contains("=?").then(|| EncodedSubject(subject.to_owned()))
}

impl Header for EncodedSubject {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("Subject")
    }

    fn parse(text: &str) -> Result<Self, Box<dyn Error + Send + Sync>> {
        Ok(Self(text.to_owned()))
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::dangerous_new_pre_encoded(Self::name(), self.0.clone(), words(&self.0))
    }
}

/// `text` as encoded words, one a line. No word splits a character.
fn words(text: &str) -> String {
    let mut parts = vec![String::new()];
    for letter in text.chars() {
        match parts.last_mut() {
            Some(part) if part.len() + letter.len_utf8() <= WORD => part.push(letter),
            _ => parts.push(letter.to_string()),
        }
    }
    let words = parts.iter().map(|part| format!("=?utf-8?B?{}?=", BASE64.encode(part.as_bytes())));
    words.collect::<Vec<_>>().join("\r\n ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_looks_encoded_is_encoded_once_more() {
        assert!(encoded("=?utf-8?q?x?= invites you to Latchkey").is_some());
        assert!(encoded("Confirm your e-mail address").is_none());
        assert_eq!(words("=?x?="), "=?utf-8?B?PT94Pz0=?=");
    }

    #[test]
    fn words_are_short_and_split_no_character() {
        let text = format!("=?{}\r\nBcc: eve@example.org", "\u{44f}\u{1f511}".repeat(40));
        let written = words(&text);
        let mut decoded = String::new();
        for word in written.split("\r\n ") {
            assert!(word.len() <= 75 && word.is_ascii(), "{word}");
            let inside = word.strip_prefix("=?utf-8?B?").unwrap().strip_suffix("?=").unwrap();
            decoded += &String::from_utf8(BASE64.decode(inside.as_bytes()).unwrap()).unwrap();
        }
        assert_eq!(decoded, text);
    }
}
