//! Decodes salts and hashes.

use std::sync::LazyLock;

use data_encoding::{Encoding, Specification};

use super::model::LegacyHashError;

/// passlib writes `.` for `+`.
static STANDARD: LazyLock<Encoding> =
    LazyLock::new(|| lenient("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", (".", "+")));

static BCRYPT: LazyLock<Encoding> =
    LazyLock::new(|| lenient("./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789", ("", "")));

/// Standard Base64, with or without padding.
pub(super) fn base64(text: &str) -> Result<Vec<u8>, LegacyHashError> {
    decode(&STANDARD, text)
}

pub(super) fn bcrypt(text: &str) -> Result<Vec<u8>, LegacyHashError> {
    decode(&BCRYPT, text)
}

/// The last character of a salt has unused bits, which PHP fills at random.
fn lenient(symbols: &str, (from, to): (&str, &str)) -> Encoding {
    let mut specification = Specification::new();
    specification.symbols.push_str(symbols);
    specification.translate.from.push_str(from);
    specification.translate.to.push_str(to);
    specification.check_trailing_bits = false;
    specification.encoding().unwrap_or_else(|_| unreachable!("64 different symbols are an encoding"))
}

/// Padding is optional, but must not be longer than the text needs.
fn decode(encoding: &Encoding, text: &str) -> Result<Vec<u8>, LegacyHashError> {
    let bare = text.trim_end_matches('=');
    let missing = (4 - bare.len() % 4) % 4;
    if text.len() - bare.len() > missing {
        return Err(LegacyHashError::Broken);
    }
    encoding.decode(bare.as_bytes()).map_err(|_| LegacyHashError::Broken)
}

#[cfg(test)]
mod tests {
    use super::{base64, bcrypt};

    #[test]
    fn known_salts_and_hashes_are_decoded_as_other_software_encoded_them() {
        let salt: [u8; 5] = [0xfb, 0xef, 0xff, 0x00, 0x10];
        for text in ["++//ABA=", "++//ABA", "..//ABA", "++//ABB=", "++//ABD"] {
            assert_eq!(base64(text).unwrap(), salt, "{text}");
        }
        for text in ["8877.5.", "8877.50"] {
            assert!(bcrypt(text).is_ok(), "{text}");
        }
        assert_eq!(bcrypt("......").unwrap(), [0; 4]);
        assert_eq!(bcrypt("/.CA9").ok(), None);
        assert_eq!(bcrypt("/.CA").unwrap(), [0x04, 0x01, 0x02]);
        assert!(base64("").unwrap().is_empty());
        assert_eq!(base64("YQ").unwrap(), *b"a");
        assert_eq!(base64("YQ=").unwrap(), *b"a");
        assert_eq!(base64("YQ==").unwrap(), *b"a");
    }

    #[test]
    fn text_that_is_not_base64_is_refused() {
        for text in [
            "=", "Y", "Y=", "Y===", "YQ===", "YWE==", "YWFh=", "YWFh====", "Y=Q=", "YQ==YQ==", "Y-_a",
            "Y a=", "é",
        ] {
            assert!(base64(text).is_err(), "{text}");
        }
    }
}
