//! The headers that tell an app who its user is.

use std::fmt::Write as _;

use super::error::ProxyError;
use super::outgoing_head::OutgoingHead;
use crate::apps::{IdentityHeaders, RemoteUser};

/// The user whose request is passed on.
#[derive(Clone, Copy, Debug)]
pub struct Identity<'a> {
    pub id: &'a str,
    pub email: &'a str,
    pub name: &'a str,
    pub groups: &'a [&'a str],
}

impl Identity<'_> {
    /// The values of the four headers, in the order of [`IdentityHeaders::all`].
    pub fn values(&self, user: RemoteUser) -> [String; 4] {
        let user = match user {
            RemoteUser::Id => self.id,
            RemoteUser::Email => self.email,
        };
        let mut groups = String::new();
        for group in self.groups {
            if !groups.is_empty() {
                groups.push(',');
            }
            encode(group, &mut groups);
        }
        [encoded(user), encoded(self.email), encoded(self.name), groups]
    }

    /// Appends the four headers. Headers with these names that the client sent have already been removed.
    pub fn write_to(
        &self,
        head: &mut OutgoingHead,
        names: &IdentityHeaders,
        user: RemoteUser,
    ) -> Result<(), ProxyError> {
        for (name, value) in names.all().into_iter().zip(self.values(user)) {
            head.append(name.as_str(), value.as_bytes())?;
        }
        Ok(())
    }
}

/// `text` in ASCII: bytes outside 0x21–0x7E, `%` and `,` are percent-encoded UTF-8. A space stays, except at the ends,
/// where receivers remove it.
pub fn encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    encode(text, &mut encoded);
    encoded
}

fn encode(text: &str, into: &mut String) {
    if text.bytes().all(|byte| matches!(byte, 0x21..=0x7E) && !matches!(byte, b'%' | b',')) {
        return into.push_str(text);
    }
    let last = text.len().saturating_sub(1);
    for (at, byte) in text.bytes().enumerate() {
        let is_kept = match byte {
            b'%' | b',' => false,
            b' ' => at != 0 && at != last,
            0x21..=0x7E => true,
            _ => false,
        };
        if is_kept {
            into.push(char::from(byte));
        } else {
            // Writing to a string does not fail.
            let _ = write!(into, "%{byte:02X}");
        }
    }
}

#[cfg(test)]
mod tests {
    use percent_encoding::percent_decode_str;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_are_ascii_and_lists_keep_their_commas() {
        assert_eq!(encoded("Céline Дима\r\nX: y"), "C%C3%A9line %D0%94%D0%B8%D0%BC%D0%B0%0D%0AX: y");
        assert_eq!(encoded(" 100%, "), "%20100%25%2C%20");
        let ada = Identity { id: "7", email: "ada@example.org", name: "Ada", groups: &["staff", "a,b"] };
        for (user, value) in [(RemoteUser::Email, "ada@example.org"), (RemoteUser::Id, "7")] {
            let mut head = OutgoingHead::new("GET", "/");
            ada.write_to(&mut head, &IdentityHeaders::default(), user).expect("valid headers");
            let headers: Vec<(String, String)> = head.headers().collect();
            let expected = [
                ("remote-user", value),
                ("remote-email", "ada@example.org"),
                ("remote-name", "Ada"),
                ("remote-groups", "staff,a%2Cb"),
            ];
            assert_eq!(headers, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
        }
    }

    proptest! {
        #[test]
        fn every_text_is_one_header_that_can_be_decoded(text in any::<String>()) {
            let encoded = encoded(&text);
            prop_assert!(encoded.bytes().all(|byte| (0x20..=0x7E).contains(&byte) && byte != b','));
            prop_assert_eq!(encoded.trim(), &encoded);
            prop_assert!(OutgoingHead::new("GET", "/").append("remote-name", encoded.as_bytes()).is_ok());
            prop_assert_eq!(percent_decode_str(&encoded).decode_utf8().expect("UTF-8"), text);
        }
    }
}
