//! Latchkey's access tokens in `Authorization`. An app never receives one, valid or not.

use crate::tokens::TokenText;

/// Shorter texts are harmless even if they are the beginning of a token, because more than 100 of its 256 bits are missing.
const SHORTEST: usize = 24;

const PREFIX: &[u8] = b"lk_";

/// The token in a value of `Authorization`: that of `Bearer` (RFC 6750), or the password of `Basic` (RFC 7617), whose
/// user name does not matter.
pub fn access_token(value: &[u8]) -> Option<String> {
    let (scheme, credentials) = parts(value);
    let token = if scheme.eq_ignore_ascii_case(b"bearer") {
        credentials.to_vec()
    } else if scheme.eq_ignore_ascii_case(b"basic") {
        let decoded = decoded(credentials);
        let colon = decoded.iter().position(|byte| *byte == b':')?;
        decoded[colon + 1..].to_vec()
    } else {
        return None;
    };
    String::from_utf8(token).ok().filter(|token| looks_like_ours(token.as_bytes()))
}

/// Whether a value of `Authorization` contains an access token or the beginning of one, also where a user may have put it
/// by mistake: as the user name, with another scheme, without a scheme, in quotes, or with further characters.
pub fn holds_token(value: &[u8]) -> bool {
    if contains_token(value) || value.split(|byte| b" \t,;=\"".contains(byte)).any(looks_like_ours) {
        return true;
    }
    let (scheme, credentials) = parts(value);
    let is_basic = scheme.eq_ignore_ascii_case(b"basic");
    // Without the scheme, or with one that is glued to the credentials, each word may be Base64.
    let words = value.split(|byte| !byte.is_ascii_alphanumeric() && !b"+/-_".contains(byte));
    let words = words.chain(is_basic.then_some(credentials)).filter(|word| word.len() >= TokenText::CHARS);
    let mut decoded = words.map(decoded);
    decoded.any(|text| contains_token(&text) || text.split(|byte| *byte == b':').any(looks_like_ours))
}

/// Whether a whole token is anywhere in the text, which may be UTF-16. Its checksum tells it from other text: a signature
/// of an app's own token may contain the prefix by chance.
fn contains_token(text: &[u8]) -> bool {
    let narrow: Vec<u8> = text.iter().copied().filter(|byte| *byte != 0).collect();
    let is_token = |at: usize| {
        let token = narrow.get(at..at + TokenText::CHARS).and_then(|token| std::str::from_utf8(token).ok());
        token.is_some_and(|token| TokenText::hash_of(token).is_some())
    };
    (0..narrow.len()).any(|at| narrow[at..].starts_with(PREFIX) && is_token(at))
}

/// The scheme and the credentials.
fn parts(value: &[u8]) -> (&[u8], &[u8]) {
    let value = value.trim_ascii();
    let end = value.iter().position(u8::is_ascii_whitespace).unwrap_or(value.len());
    (&value[..end], value[end..].trim_ascii())
}

fn looks_like_ours(text: &[u8]) -> bool {
    let is_of_token = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    text.len() >= SHORTEST && text.starts_with(PREFIX) && text.iter().all(is_of_token)
}

/// Decodes Base64 in any form that an app may accept: padded or not, in either alphabet, with other characters in
/// between.
fn decoded(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len() / 4 * 3 + 2);
    let (mut bits, mut count) = (0_u32, 0);
    for byte in text {
        let six = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            _ => continue,
        };
        bits = (bits << 6) | u32::from(six);
        count += 6;
        if count >= 8 {
            count -= 8;
            // The lowest eight bits that are complete.
            out.push((bits >> count) as u8);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use data_encoding::{BASE64, BASE64_NOPAD, BASE64URL};
    use proptest::prelude::*;

    use super::*;

    const TOKEN: &str = "lk_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

    fn basic(pair: &str) -> String {
        format!("Basic {}", BASE64.encode(pair.as_bytes()))
    }

    #[test]
    fn a_token_is_read_as_bearer_or_as_a_password() {
        for value in [
            format!("Bearer {TOKEN}"),
            format!("bearer  {TOKEN} "),
            basic(&format!("ada@example.org:{TOKEN}")),
            basic(&format!(":{TOKEN}")),
            format!("BASIC {}", BASE64_NOPAD.encode(format!("ada:{TOKEN}").as_bytes())),
            format!("Basic {}", BASE64URL.encode(format!("ädä:{TOKEN}").as_bytes())),
        ] {
            assert_eq!(access_token(value.as_bytes()).as_deref(), Some(TOKEN), "{value}");
            assert!(holds_token(value.as_bytes()), "{value}");
        }
    }

    #[test]
    fn a_token_in_the_wrong_place_opens_nothing_and_is_removed() {
        for value in [
            TOKEN.to_owned(),
            format!("Token {TOKEN}"),
            format!("Digest username=\"{TOKEN}\", realm=\"x\""),
            basic(&format!("{TOKEN}:")),
            basic(&format!("{TOKEN}:x")),
            basic(TOKEN),
            basic(&format!("ada:x:{TOKEN}")),
        ] {
            assert_eq!(access_token(value.as_bytes()), None, "{value}");
            assert!(holds_token(value.as_bytes()), "{value}");
        }
    }

    #[test]
    fn a_whole_token_is_removed_wherever_it_is() {
        let token = "lk_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA5NW1dQ";
        let wide: Vec<u8> = format!("ada:{token}").bytes().flat_map(|byte| [byte, 0]).collect();
        for value in [
            format!("Bearer {token}."),
            format!("Bearer '{token}'"),
            format!("Bearer:{token}"),
            format!("Bearer x{token}x"),
            format!("Bearer {token}{token}"),
            basic(&format!("ada:{token} ")),
            basic(&format!("ada:{token}\n")),
            basic(&format!("{{\"token\":\"{token}\"}}")),
            format!("Basic:{}", BASE64.encode(format!("ada:{token}").as_bytes())),
            BASE64_NOPAD.encode(format!("ada:{token}").as_bytes()),
            format!("Basic {}", BASE64.encode(&wide)),
        ] {
            assert!(holds_token(value.as_bytes()), "{value}");
        }
        // Another last character is no checksum of it.
        assert!(!holds_token(format!("Bearer eyJ.{}R", &token[..token.len() - 1]).as_bytes()));
    }

    #[test]
    fn an_incomplete_token_is_removed_too() {
        let part = &TOKEN[..TOKEN.len() - 8];
        assert!(holds_token(format!("Bearer {part}").as_bytes()));
        assert_eq!(access_token(format!("Bearer {part}").as_bytes()).as_deref(), Some(part));
    }

    #[test]
    fn other_credentials_are_left_to_the_app() {
        for value in [
            "Bearer eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.lk_AAAAAAAAAAAAAAAAAAAAAAAAA",
            "Bearer lk_short",
            "Bearer LK_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
            "Basic YWRhOnNlY3JldA==",
            "Basic bGtfOmxrX2xldG1laW4=",
            "Basic",
            "Negotiate YII=",
            "",
            " ",
        ] {
            assert!(!holds_token(value.as_bytes()) && access_token(value.as_bytes()).is_none(), "{value}");
        }
    }

    proptest! {
        #[test]
        fn base64_is_decoded_like_a_strict_decoder_does(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
            for encoding in [BASE64, BASE64_NOPAD, BASE64URL] {
                prop_assert_eq!(decoded(encoding.encode(&bytes).as_bytes()), bytes.clone());
            }
        }

        #[test]
        fn a_token_that_is_read_is_also_removed(value in "(Bearer|basic|Token)? ?(lk_)?[A-Za-z0-9+/=_:-]{0,60}") {
            prop_assert!(access_token(value.as_bytes()).is_none() || holds_token(value.as_bytes()));
        }
    }
}
