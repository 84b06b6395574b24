//! Base32 (RFC 4648 §6), for codes that people copy from a screen or from paper.

use data_encoding::BASE32_NOPAD;

use crate::unicode::codes;

/// Without padding.
pub fn encode(bytes: &[u8]) -> String {
    BASE32_NOPAD.encode(bytes)
}

/// Removes spaces and dashes, converts to upper case, and replaces digits that Base32 does not use by the letters they
/// look like.
pub fn normalize(typed: &str) -> String {
    codes::letters_and_digits(typed)
        .chars()
        .map(|c| match c.to_ascii_uppercase() {
            '0' => 'O',
            '1' => 'I',
            '8' => 'B',
            other => other,
        })
        .collect()
}

/// In groups, for reading aloud and copying.
pub fn group(text: &str, size: usize, between: &str) -> String {
    let letters: Vec<char> = text.chars().collect();
    letters.chunks(size).map(String::from_iter).collect::<Vec<_>>().join(between)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encoding_matches_the_rfc() {
        for (bytes, text) in
            [("", ""), ("f", "MY"), ("fo", "MZXQ"), ("foo", "MZXW6"), ("foobar", "MZXW6YTBOI")]
        {
            assert_eq!(encode(bytes.as_bytes()), text);
        }
    }

    #[test]
    fn typed_codes_are_normalized() {
        assert_eq!(normalize(" mzxw-6ytb 0I18\t"), "MZXW6YTBOIIB");
        assert_eq!(normalize("ＭＺｘｗ‑６ytb\u{202f}۰I۱۸\u{200e}"), "MZXW6YTBOIIB");
        assert_eq!(group("MZXW6YTBOI", 4, "-"), "MZXW-6YTB-OI");
    }
}
