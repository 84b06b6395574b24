//! Time-based one-time passwords (RFC 6238 over RFC 4226) with SHA-1, six digits and steps of 30 seconds, which every
//! authenticator app supports.

use hmac::{Hmac, KeyInit as _, Mac as _};
use secrecy::{ExposeSecret as _, SecretBox};
use sha1::Sha1;

use crate::secret;
use crate::unicode::codes;

/// Seconds per time step.
pub const STEP: i64 = 30;

/// The shared secret: 160 bits, as RFC 4226 §4 recommends. No Debug, no Display.
pub struct Seed(SecretBox<[u8; 20]>);

impl Seed {
    pub fn generate() -> Result<Self, getrandom::Error> {
        SecretBox::try_init_with(secret::random).map(Self)
    }

    pub fn new(bytes: &[u8]) -> Option<Self> {
        SecretBox::try_init_with(|| bytes.try_into()).ok().map(Self)
    }

    pub fn as_bytes(&self) -> &[u8] {
        self.0.expose_secret()
    }

    /// The time step of a typed code: the current step, the previous one for slow typing, or the next one for clocks that
    /// are ahead (RFC 6238 §5.2). The caller accepts only steps after the last accepted one.
    pub fn step_of(&self, typed: &str, unix_seconds: i64) -> Option<i64> {
        let current = unix_seconds.div_euclid(STEP);
        [current, current - 1, current + 1]
            .into_iter()
            .find(|step| secret::same(self.code(*step).as_bytes(), typed.as_bytes()))
    }

    fn code(&self, step: i64) -> String {
        format!("{:06}", self.number(step) % 1_000_000)
    }

    /// RFC 4226 §5.3, before the reduction to six digits.
    fn number(&self, step: i64) -> u32 {
        let mut mac = Hmac::<Sha1>::new_from_slice(self.as_bytes())
            .unwrap_or_else(|_| unreachable!("HMAC accepts every key length"));
        mac.update(&step.to_be_bytes());
        let digest: [u8; 20] = mac.finalize().into_bytes().into();
        let at = usize::from(digest[19] & 15);
        u32::from_be_bytes([digest[at], digest[at + 1], digest[at + 2], digest[at + 3]]) & 0x7fff_ffff
    }
}

/// The six digits of a typed code: of "123 456", or of "١٢٣٤٥٦". `None` for other text.
pub fn digits(typed: &str) -> Option<String> {
    let digits = codes::letters_and_digits(typed);
    (digits.len() == 6 && digits.bytes().all(|byte| byte.is_ascii_digit())).then_some(digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seed() -> Seed {
        Seed::new(b"12345678901234567890").unwrap()
    }

    #[test]
    fn codes_match_the_rfc() {
        // RFC 6238 appendix B, SHA-1, eight digits.
        for (at, code) in [
            (59, 94_287_082),
            (1_111_111_109, 7_081_804),
            (1_111_111_111, 14_050_471),
            (1_234_567_890, 89_005_924),
            (2_000_000_000, 69_279_037),
            (20_000_000_000, 65_353_130),
        ] {
            assert_eq!(seed().number(at / STEP) % 100_000_000, code);
        }
    }

    #[test]
    fn the_current_step_and_its_two_neighbours_count_and_no_other() {
        let (seed, now) = (seed(), 1_111_111_111);
        let step = now / STEP;
        for (offset, accepted) in [(-2, false), (-1, true), (0, true), (1, true), (2, false)] {
            let code = seed.code(step + offset);
            assert_eq!(seed.step_of(&code, now), accepted.then_some(step + offset), "{offset}");
        }
        assert_eq!(seed.step_of("", now), None);
    }

    #[test]
    fn only_six_digits_are_a_code() {
        assert_eq!(digits(" 123 456 ").as_deref(), Some("123456"));
        for typed in ["១២៣៤៥៦", "１２３ー４５６", "\u{200f}١٢٣\u{2007}٤٥٦", "123‐456"]
        {
            assert_eq!(digits(typed).as_deref(), Some("123456"), "{typed}");
        }
        for other in ["12345", "1234567", "12345a", "一二三四五六", "½23456", ""] {
            assert_eq!(digits(other), None, "{other}");
        }
    }
}
