//! The strength meter beside the field: an estimate and never a rule, because a rule about strength would be a
//! composition rule in disguise. For pages that set a password.

use zeroize::Zeroizing;
use zxcvbn::feedback::{Suggestion, Warning};
use zxcvbn::zxcvbn;

use super::PasswordPolicy;

/// Code points that are estimated. More could only raise the score, and 100 of the worst kind (signs that stand for
/// letters) take the estimator a second; 32 take 60 ms.
const ESTIMATED: usize = 32;

const BEST: u8 = 4;
const ANOTHER_WORD: &str = "Add another word or two, uncommon ones if you can.";

/// How hard a password is to guess.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Strength {
    /// From 0 (guessed at once) to 4 (out of reach).
    pub score: u8,
    /// The score in one or two words.
    pub label: &'static str,
    /// What would make it stronger, if anything would.
    pub advice: Option<String>,
}

/// Estimates `raw` for the user with these `personal` words. A password that the default policy refuses scores 0, with
/// the reason as advice, so that the meter never praises what the form refuses.
///
/// It takes a millisecond, 60 ms at worst: call it once per form, off the request threads.
pub fn strength(raw: &str, personal: &[&str]) -> Strength {
    if let Err(weak) = PasswordPolicy::default().choose(raw, personal) {
        return graded(0, Some(weak.to_string()));
    }
    let mut start = Zeroizing::new(String::with_capacity(ESTIMATED * 4));
    start.extend(raw.chars().take(ESTIMATED));
    let estimate = zxcvbn(&start, personal);
    let score = u8::from(estimate.score());
    let advice = match estimate.feedback() {
        Some(said) => said.warning().map(warned).or_else(|| said.suggestions().iter().find_map(suggested)),
        None => None,
    };
    let advice = advice.or((score < BEST).then_some(ANOTHER_WORD));
    graded(score, advice.map(str::to_owned))
}

fn graded(score: u8, advice: Option<String>) -> Strength {
    let label = match score {
        0 => "Too easy to guess",
        1 => "Weak",
        2 => "Fair",
        3 => "Good",
        _ => "Strong",
    };
    Strength { score, label, advice }
}

fn warned(warning: Warning) -> &'static str {
    use Warning::*;
    match warning {
        StraightRowsOfKeysAreEasyToGuess | ShortKeyboardPatternsAreEasyToGuess => {
            "Keys in a row are tried first. Replace them with words."
        }
        RepeatsLikeAaaAreEasyToGuess | RepeatsLikeAbcAbcAreOnlySlightlyHarderToGuess => {
            "Repeating adds little. Add a different word instead."
        }
        SequencesLikeAbcAreEasyToGuess => "Sequences are tried first. Replace them with words.",
        RecentYearsAreEasyToGuess | DatesAreOftenEasyToGuess => {
            "Years and dates are tried first. Leave them out."
        }
        ThisIsATop10Password
        | ThisIsATop100Password
        | ThisIsACommonPassword
        | ThisIsSimilarToACommonlyUsedPassword => "This is close to a common password. Add unrelated words.",
        AWordByItselfIsEasyToGuess => "One word is soon guessed. Add two or three unrelated ones.",
        NamesAndSurnamesByThemselvesAreEasyToGuess | CommonNamesAndSurnamesAreEasyToGuess => {
            "Names are tried first. Add words that are no names."
        }
    }
}

fn suggested(suggestion: &Suggestion) -> Option<&'static str> {
    use Suggestion::*;
    match suggestion {
        UseAFewWordsAvoidCommonPhrases | AddAnotherWordOrTwo => Some(ANOTHER_WORD),
        CapitalizationDoesntHelpVeryMuch | AllUppercaseIsAlmostAsEasyToGuessAsAllLowercase => {
            Some("Capital letters help little. Add another word instead.")
        }
        ReversedWordsArentMuchHarderToGuess => {
            Some("Words spelled backwards are tried too. Add another word.")
        }
        PredictableSubstitutionsDontHelpVeryMuch => {
            Some("Signs in place of letters help little. Add another word.")
        }
        UseALongerKeyboardPatternWithMoreTurns | AvoidSequences => {
            Some("Keys in a row are tried first. Replace them with words.")
        }
        AvoidRepeatedWordsAndCharacters => Some("Repeating adds little. Add a different word instead."),
        AvoidRecentYears
        | AvoidYearsThatAreAssociatedWithYou
        | AvoidDatesAndYearsThatAreAssociatedWithYou => {
            Some("Years and dates are tried first. Leave them out.")
        }
        NoNeedForSymbolsDigitsOrUppercaseLetters => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::WeakPassword;
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_the_form_refuses_scores_nothing_and_says_why() {
        let weak = strength("password2024!!!!", &[]);
        assert_eq!((weak.score, weak.advice), (0, Some(WeakPassword::PaddedWord.to_string())));
        assert_eq!(strength("short", &[]).score, 0);
    }

    #[test]
    fn random_words_are_strong_and_need_no_advice() {
        let strong = strength("gravel otter tuba lemon hinge", &["Ada Lovelace"]);
        assert_eq!((strong.score, strong.label, strong.advice), (BEST, "Strong", None));
    }

    #[test]
    fn two_common_words_with_a_year_score_less_and_get_advice() {
        let fair = strength("monkeydragon1987", &[]);
        assert!(fair.score < BEST && fair.advice.is_some(), "{fair:?}");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn any_text_gets_a_score_from_0_to_4(raw in "\\PC{0,140}", personal in any::<String>()) {
            prop_assert!(strength(&raw, &[&personal]).score <= BEST);
        }
    }
}
