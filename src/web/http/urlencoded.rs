//! `application/x-www-form-urlencoded`. A body is parsed strictly and completely: text that is not clean UTF-8 is
//! refused, not repaired. Of a query, only the parameters that a page asks for are decoded: other sites and programs
//! add parameters to links.

use actix_web::HttpRequest;
use percent_encoding::percent_decode;
use thiserror::Error;

/// Why an encoded text was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Malformed {
    #[error("not percent-encoded UTF-8")]
    Encoding,
    /// A character that no text field accepts, such as NUL.
    #[error("a control character")]
    Control,
    #[error("a field twice")]
    Duplicate,
    #[error("too many fields")]
    TooMany,
    #[error("the body ended early")]
    Interrupted,
}

/// No form has as many fields. The search for duplicates is quadratic.
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

/// The value of the first parameter of this name in a query, not decoded. The rest of the query is ignored.
pub fn first<'q>(query: &'q str, name: &str) -> Option<&'q str> {
    let mut values = query.split('&').filter_map(|part| match part.split_once('=') {
        Some((key, value)) => (key == name).then_some(value),
        None => (part == name).then_some(""),
    });
    values.next()
}

/// The first parameter of this name in the query of a request; empty if it is missing or not clean text.
pub fn query(request: &HttpRequest, name: &str) -> String {
    let given = first(request.query_string(), name).unwrap_or_default();
    decode(given.as_bytes()).unwrap_or_default()
}

/// One value, decoded exactly once.
pub fn decode(encoded: &[u8]) -> Result<String, Malformed> {
    let spaced: Vec<u8> = encoded.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte }).collect();
    let text = percent_decode(&spaced).decode_utf8().map_err(|_| Malformed::Encoding)?;
    if has_control(&text) {
        return Err(Malformed::Control);
    }
    Ok(text.into_owned())
}

/// Whether a text contains a control character that no text field accepts.
pub fn has_control(text: &str) -> bool {
    text.chars().any(|c| c.is_control() && !matches!(c, '\t' | '\r' | '\n'))
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

    #[test]
    fn of_a_query_only_the_parameter_asked_for_is_looked_at() {
        let query = "utm=%ff&utm=2&%00&page=3&page=4&flag&a=1;b=2&next=/a?b=c";
        assert_eq!(first(query, "page"), Some("3"));
        assert_eq!(first(query, "flag"), Some(""));
        assert_eq!(first(query, "next"), Some("/a?b=c"));
        assert_eq!(first(query, "b"), None);
        assert_eq!(first("", "page"), None);
    }

    fn encoded(pairs: &[(String, String)]) -> String {
        url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
    }

    proptest! {
        #[test]
        fn parsing_never_panics_and_what_it_accepts_is_clean(
            bytes in prop_oneof![
                proptest::collection::vec(any::<u8>(), 0..200),
                "[a-c&=+%0-9A-F]{0,200}".prop_map(String::into_bytes),
            ]
        ) {
            let Ok(found) = pairs(&bytes) else { return Ok(()) };
            prop_assert!(found.len() <= MAX_PAIRS);
            for (at, (name, value)) in found.iter().enumerate() {
                prop_assert!(found[..at].iter().all(|(known, _)| known != name));
                prop_assert!(!name.contains('\0') && !value.contains('\0'));
            }
            // Encoded again, it is parsed to the same pairs, so it has one meaning.
            prop_assert_eq!(pairs(encoded(&found).as_bytes()), Ok(found));
        }

        /// Text that looks encoded stays as it is, because decoding happens once (ASVS 5.0 1.1.1).
        #[test]
        fn text_survives_the_way_there_and_back(
            values in proptest::collection::vec(prop_oneof!["[^\\p{Cc}]*", "(%[0-9a-f]{2}|[&=+%;]){0,8}"], 0..MAX_PAIRS)
        ) {
            let sent: Vec<(String, String)> =
                values.into_iter().enumerate().map(|(at, value)| (format!("field{at}"), value)).collect();
            prop_assert_eq!(pairs(encoded(&sent).as_bytes()).unwrap(), sent);
        }
    }
}
