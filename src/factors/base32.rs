//! Base32 (RFC 4648 §6), for codes that people copy from a screen or from paper.

use crate::unicode::codes;

const LETTERS: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// Without padding.
pub fn encode(bytes: &[u8]) -> String {
    let bit = |at: usize| bytes.get(at / 8).is_some_and(|byte| byte >> (7 - at % 8) & 1 == 1);
    (0..bytes.len() * 8)
        .step_by(5)
        .map(|from| (from..from + 5).fold(0_usize, |five, at| five << 1 | usize::from(bit(at))))
        .map(|five| char::from(LETTERS[five]))
        .collect()
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
