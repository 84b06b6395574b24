//! Recognizes a credential among stored values, in every encoding.

use std::collections::HashSet;

use data_encoding::{BASE64, HEXLOWER, HEXLOWER_PERMISSIVE};
use serde_json::Value;

use crate::secret;

/// The stored hashes of all credentials. Each is looked up by the SHA-256 of what a client sends, so a value is a usable
/// credential exactly if its SHA-256 is one of these. The first half of a hash is enough to compare.
#[derive(Default)]
pub(super) struct CredentialHashes(HashSet<[u8; 16]>);

impl CredentialHashes {
    pub fn add(&mut self, value: &Value) {
        let stored = value.as_str().and_then(bytes);
        if let Some(half) = stored.as_deref().and_then(|stored| stored.first_chunk::<16>()) {
            self.0.insert(*half);
        }
    }

    pub fn matches_value(&self, value: &Value) -> bool {
        match value {
            Value::String(text) => match bytes(text) {
                Some(bytes) => self.matches_bytes(&bytes),
                None => self.matches_text(text),
            },
            Value::Array(items) => items.iter().any(|item| self.matches_value(item)),
            Value::Object(fields) => {
                fields.iter().any(|(name, value)| self.matches_text(name) || self.matches_value(value))
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => false,
        }
    }

    /// As bytes, as text, and in the common encodings of bytes as text.
    fn matches_bytes(&self, bytes: &[u8]) -> bool {
        self.contains(bytes)
            || self.contains(secret::encode(bytes).as_bytes())
            || self.contains(BASE64.encode(bytes).as_bytes())
            || self.contains(HEXLOWER.encode(bytes).as_bytes())
            || self.matches_text(&String::from_utf8_lossy(bytes))
    }

    /// The text, and every part of it with the form of a key, a token or a recovery code.
    fn matches_text(&self, text: &str) -> bool {
        let is_letter = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        self.contains(text.as_bytes())
            || text.split(|c| !is_letter(c)).any(|run| {
                let code: String = run
                    .chars()
                    .filter(|c| c.is_ascii_alphanumeric())
                    .map(|c| c.to_ascii_uppercase())
                    .collect();
                self.contains(run.as_bytes())
                    || run.as_bytes().windows(KEY_LETTERS).any(|key| self.contains(key))
                    || run.as_bytes().windows(ACCESS_TOKEN_LETTERS).any(|token| self.contains(token))
                    || code.as_bytes().windows(CODE_LETTERS).any(|code| self.contains(code))
            })
    }

    fn contains(&self, shown: &[u8]) -> bool {
        secret::sha256(shown).first_chunk::<16>().is_some_and(|half| self.0.contains(half))
    }
}

/// A session key, or the token of a link: 32 bytes in Base64.
const KEY_LETTERS: usize = 43;
/// An access token: such bytes between a prefix and a checksum.
const ACCESS_TOKEN_LETTERS: usize = 52;
/// A recovery code: 16 bytes in Base32.
const CODE_LETTERS: usize = 26;

/// Parses a `bytea` as Postgres writes it into JSON.
pub(super) fn bytes(text: &str) -> Option<Vec<u8>> {
    HEXLOWER_PERMISSIVE.decode(text.strip_prefix("\\x")?.as_bytes()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn hex(bytes: &[u8]) -> String {
        format!("\\x{}", HEXLOWER.encode(bytes))
    }

    #[test]
    fn a_credential_is_found_in_every_encoding() {
        let key = secret::encode(&[7; 32]);
        let code = "ABCDEFGHIJKLMNOPQRSTUVWXY2";
        let token = format!("lk_{}AAAAAA", secret::encode(&[9; 32]));
        let mut credentials = CredentialHashes::default();
        for shown in [key.as_str(), code, token.as_str()] {
            credentials.add(&json!(hex(&secret::sha256(shown.as_bytes()))));
        }
        let signed = format!("{}={key}", "+".repeat(43));
        for hiding in [
            json!(key),
            json!(format!("see https://x.example/reset-password?token={key}&more")),
            json!(format!("browser-{key}-x")),
            json!(signed),
            json!({ "deep": [{ "in": [key] }] }),
            json!({ key.as_str(): 1 }),
            json!(hex(&[7; 32])),
            json!(hex(key.as_bytes())),
            json!("abcd-efgh-ijkl-mnop-qrst-uvwx-y2"),
            json!(token),
            json!(format!("Bearer {token}")),
            json!(format!("token-{token}-x")),
        ] {
            assert!(credentials.matches_value(&hiding), "{hiding}");
        }
        let other = secret::encode(&[8; 32]);
        for harmless in [json!(other), json!(hex(&secret::sha256(key.as_bytes()))), json!(null), json!(7)] {
            assert!(!credentials.matches_value(&harmless), "{harmless}");
        }
    }
}
