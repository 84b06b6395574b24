//! `application/x-www-form-urlencoded`, strictly: what is not clean UTF-8 is refused, not repaired.

use percent_encoding::percent_decode;

/// Why an encoded text was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Malformed {
    Encoding,
    /// A character no text field can mean, such as NUL.
    Control,
    Duplicate,
    TooMany,
}

/// No form or address of ours has as many fields; looking for duplicates takes time with their square.
const MAX_PAIRS: usize = 32;

/// The pairs in order, decoded exactly once (ASVS 5.0 1.1.1).
pub fn pairs(encoded: &[u8]) -> Result<Vec<(String, String)>, Malformed> {
    let mut pairs: Vec<(String, String)> = Vec::new();
    for part in encoded.split(|byte| *byte == b'&').filter(|part| !part.is_empty()) {
        let (name, value) = match part.iter().position(|byte| *byte == b'=') {
            Some(at) => (&part[..at], &part[at + 1..]),
            None => (part, &b""[..]),
        };
        let (name, value) = (decode(name)?, decode(value)?);
        if pairs.len() == MAX_PAIRS {
            return Err(Malformed::TooMany);
        }
        if pairs.iter().any(|(known, _)| *known == name) {
            return Err(Malformed::Duplicate);
        }
        pairs.push((name, value));
    }
    Ok(pairs)
}

fn decode(encoded: &[u8]) -> Result<String, Malformed> {
    let spaced: Vec<u8> = encoded.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte }).collect();
    let text = percent_decode(&spaced).decode_utf8().map_err(|_| Malformed::Encoding)?;
    if text.chars().any(|c| c.is_control() && !matches!(c, '\t' | '\r' | '\n')) {
        return Err(Malformed::Control);
    }
    Ok(text.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn pairs_are_decoded_once() {
        let parsed = pairs(b"name=Ada+Lovelace&q=%2541&empty=&flag").unwrap();
        let expected = [("name", "Ada Lovelace"), ("q", "%41"), ("empty", ""), ("flag", "")];
        assert_eq!(parsed, expected.map(|(a, b)| (a.to_owned(), b.to_owned())));
    }

    #[test]
    fn what_is_not_clean_is_refused() {
        assert_eq!(pairs(b"a=%ff"), Err(Malformed::Encoding));
        assert_eq!(pairs(b"a=\xc3\x28"), Err(Malformed::Encoding));
        assert_eq!(pairs(b"a=%00"), Err(Malformed::Control));
        assert_eq!(pairs(b"a=1&a=2"), Err(Malformed::Duplicate));
        assert_eq!(pairs(b"a=1&%61=2"), Err(Malformed::Duplicate));
        let many: Vec<String> = (0..=MAX_PAIRS).map(|n| format!("f{n}")).collect();
        assert_eq!(pairs(many.join("&").as_bytes()), Err(Malformed::TooMany));
    }

    proptest! {
        #[test]
        fn parsing_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = pairs(&bytes);
        }

        #[test]
        fn text_survives_the_way_there_and_back(name in "[a-z]{1,8}", value in "[^\\p{Cc}]*") {
            let encoded: String = url::form_urlencoded::Serializer::new(String::new()).append_pair(&name, &value).finish();
            prop_assert_eq!(pairs(encoded.as_bytes()).unwrap(), vec![(name, value)]);
        }
    }
}
