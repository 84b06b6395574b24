//! The text of a token: what a program sends, and how secret scanners recognize it.

use data_encoding::BASE64URL_NOPAD;
use secrecy::{ExposeSecret as _, SecretString};

use crate::secret::random;
use latchkey_sessions::KeyHash;

/// `lk_`, 256 bits from the operating system, and a checksum of both. The bits and the checksum are in URL-safe Base64.
/// The checksum is not a secret: it rejects mistyped and foreign texts before any lookup.
pub struct TokenText(SecretString);

const PREFIX: &str = "lk_";

/// 32 bytes in Base64.
const SECRET_CHARS: usize = 43;

/// 4 bytes in Base64.
const CHECKSUM_CHARS: usize = 6;

impl TokenText {
    /// The length of every token.
    pub const CHARS: usize = PREFIX.len() + SECRET_CHARS + CHECKSUM_CHARS;

    pub(super) fn generate() -> Result<Self, getrandom::Error> {
        let mut text = String::with_capacity(Self::CHARS);
        text.push_str(PREFIX);
        text.push_str(&BASE64URL_NOPAD.encode(&random::<32>()?));
        let checksum = checksum_of(&text);
        text.extend(checksum.map(char::from));
        Ok(Self(text.into()))
    }

    /// The hash by which the token is looked up; `None` if `raw` is not the text of a token.
    pub fn hash_of(raw: &str) -> Option<KeyHash> {
        if raw.len() != Self::CHARS {
            return None;
        }
        let (body, checksum) = raw.split_at_checked(PREFIX.len() + SECRET_CHARS)?;
        let secret = body.strip_prefix(PREFIX)?;
        BASE64URL_NOPAD.decode_mut(secret.as_bytes(), &mut [0; 32]).ok()?;
        (checksum.as_bytes() == checksum_of(body)).then(|| KeyHash::of_secret(raw))
    }

    pub fn hash(&self) -> KeyHash {
        KeyHash::of_secret(self.reveal())
    }

    pub fn reveal(&self) -> &str {
        self.0.expose_secret()
    }
}

fn checksum_of(body: &str) -> [u8; CHECKSUM_CHARS] {
    let mut text = [0; CHECKSUM_CHARS];
    BASE64URL_NOPAD.encode_mut(&crc32(body.as_bytes()).to_be_bytes(), &mut text);
    text
}

/// CRC-32 as in Ethernet and ZIP files.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, byte| (crc >> 8) ^ CRC_TABLE[usize::from(crc as u8 ^ byte)])
}

/// The CRC of each byte.
const CRC_TABLE: [u32; 256] = {
    const REVERSED_POLYNOMIAL: u32 = 0xEDB8_8320;
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let mut crc = byte as u32;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 1 == 1 { (crc >> 1) ^ REVERSED_POLYNOMIAL } else { crc >> 1 };
            bit += 1;
        }
        table[byte] = crc;
        byte += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_the_standard_crc_32() {
        // The check value of CRC-32/ISO-HDLC.
        assert_eq!(crc32(b"123456789"), 0xCBF4_3926);
    }

    #[test]
    fn only_the_text_of_a_token_is_recognized() {
        let token = TokenText::generate().unwrap();
        let text = token.reveal();
        assert_eq!(text.len(), TokenText::CHARS);
        assert!(TokenText::hash_of(text) == Some(token.hash()));
        for at in 0..text.len() {
            let other = if &text[at..=at] == "A" { "B" } else { "A" };
            let mistyped = format!("{}{other}{}", &text[..at], &text[at + 1..]);
            assert!(TokenText::hash_of(&mistyped).is_none(), "{mistyped}");
        }
        let long = format!("{text}A");
        for foreign in ["", "lk_", &text[1..], &text[..text.len() - 1], &long, &"é".repeat(26)] {
            assert!(TokenText::hash_of(foreign).is_none(), "{foreign}");
        }
    }

    #[test]
    fn two_tokens_differ() {
        assert_ne!(TokenText::generate().unwrap().reveal(), TokenText::generate().unwrap().reveal());
    }
}
