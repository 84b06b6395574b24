//! How hard a password is to guess: an estimate that pages show, never a rule. A rule about strength would be a
//! composition rule in disguise.

use zeroize::Zeroizing;
use zxcvbn::zxcvbn;

use super::PasswordPolicy;

/// Code points that are estimated. More could only raise the score, and 100 of the worst kind (signs that stand for
/// letters) take the estimator a second; 32 take 60 ms.
const ESTIMATED: usize = 32;

/// How hard a password is to guess.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Strength {
    /// From 0 (guessed at once) to 4 (out of reach).
    pub score: u8,
}

/// Estimates `raw` for the user with these `personal` words. A password that the default policy refuses scores 0, so
/// that the page never praises what the form refuses.
///
/// It takes a millisecond, 60 ms at worst: call it once per form, off the request threads.
pub fn strength(raw: &str, personal: &[&str]) -> Strength {
    if PasswordPolicy::default().choose(raw, personal).is_err() {
        return Strength { score: 0 };
    }
    let mut start = Zeroizing::new(String::with_capacity(ESTIMATED * 4));
    start.extend(raw.chars().take(ESTIMATED));
    Strength { score: u8::from(zxcvbn(&start, personal).score()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const BEST: u8 = 4;

    #[test]
    fn what_the_form_refuses_scores_nothing() {
        assert_eq!(strength("password2024!!!!", &[]).score, 0);
        assert_eq!(strength("short", &[]).score, 0);
    }

    #[test]
    fn random_words_are_strong_and_two_common_words_with_a_year_are_not() {
        assert_eq!(strength("gravel otter tuba lemon hinge", &["Ada Lovelace"]).score, BEST);
        let fair = strength("monkeydragon1987", &[]).score;
        assert!((1..BEST).contains(&fair), "{fair}");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn any_text_gets_a_score_from_0_to_4(raw in "\\PC{0,140}", personal in any::<String>()) {
            prop_assert!(strength(&raw, &[&personal]).score <= BEST);
        }
    }
}
