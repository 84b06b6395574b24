//! Whether a password is guessable although it is long enough. Listed words, repetitions and keyboard walks add nothing,
//! so the rest has to be long enough by itself.

use zeroize::Zeroizing;

use super::folded::{Folded, fold, is_listed, keep, suffices};
use super::weak_password::WeakPassword;
use super::{patterns, personal};

/// Signs that stand for letters. A `1` or `!` may stand for i or l; both are tried.
const STAND_INS: [(char, char); 8] =
    [('@', 'a'), ('4', 'a'), ('3', 'e'), ('0', 'o'), ('$', 's'), ('5', 's'), ('7', 't'), ('+', 't')];

/// The reason to refuse a password, or `None`.
///
/// * `text`: the password in NFC.
/// * `personal`: the name and email address of the user, and the host.
/// * `min`: the length in characters that the part of the password which is not guessable has to have.
pub(super) fn weakness(text: &str, personal: &[&str], min: usize) -> Option<WeakPassword> {
    let folded = fold(text);
    if is_listed(&folded) || is_listed(&keep(&folded, |c| c.is_alphanumeric())) {
        return Some(WeakPassword::Listed);
    }
    if patterns::repeats(&folded, min) {
        return Some(WeakPassword::Repeats);
    }
    if patterns::walks(&folded) {
        return Some(WeakPassword::Pattern);
    }
    if personal::covers(&folded, personal, min) {
        return Some(WeakPassword::AboutYou);
    }
    is_padded_word(&folded, min).then_some(WeakPassword::PaddedWord)
}

fn is_padded_word(folded: &[char], min: usize) -> bool {
    let letters = keep(folded, |c| c.is_alphabetic());
    if is_listed(&letters) && !suffices(&keep(folded, |c| !c.is_alphabetic()), min) {
        return true;
    }
    let first = folded.iter().position(|c| c.is_alphabetic()).unwrap_or(0);
    let end = folded.iter().rposition(|c| c.is_alphabetic()).map_or(0, |last| last + 1);
    // The word begins at the first letter, or at a sign before it that may stand for a letter: "$ecret".
    [first, first.saturating_sub(1)].into_iter().any(|start| {
        let core = &folded[start..end];
        let mut around = Zeroizing::new(Vec::with_capacity(folded.len()));
        around.extend(folded[..start].iter().chain(&folded[end..]));
        !suffices(&around, min)
            && (is_listed(core) || is_listed(&read_as(core, 'i')) || is_listed(&read_as(core, 'l')))
    })
}

fn read_as(core: &[char], one: char) -> Folded {
    let letter = |&sign: &char| match sign {
        '1' | '!' => one,
        _ => STAND_INS.iter().find(|(stand_in, _)| *stand_in == sign).map_or(sign, |(_, letter)| *letter),
    };
    Zeroizing::new(core.iter().map(letter).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn judged(text: &str) -> Option<WeakPassword> {
        weakness(text, &[], 15)
    }

    #[test]
    fn leaked_passwords_are_refused_in_any_case_and_with_any_separators() {
        for leaked in
            ["mailcreated5240", "MailCreated5240", "Correct Horse Battery Staple", "i-love-you-forever"]
        {
            assert_eq!(judged(leaked), Some(WeakPassword::Listed), "{leaked}");
        }
    }

    #[test]
    fn repetitions_and_walks_are_refused() {
        assert_eq!(judged("abcabcabcabcabc"), Some(WeakPassword::Repeats));
        assert_eq!(judged("otter7otter7otter7"), Some(WeakPassword::Repeats));
        assert_eq!(judged("qwertyuiop[]asdf"), Some(WeakPassword::Pattern));
        for listed in ["passwordpassword", "aaaaaaaaaaaaaaaa", "123456789012345"] {
            assert!(judged(listed).is_some(), "{listed}");
        }
    }

    #[test]
    fn a_listed_word_in_padding_is_refused() {
        for padded in [
            "password2024!!!!",
            "!!!dragon!!!1987-05-12",
            "P@ssw0rd-8302947",
            "p-a-s-s-w-o-r-d-2024",
            "Password1Password2",
            "$ecret.8302947561",
            "monkey8302947561",
            "ILoveYou<3<3<3 2019",
            "ｐａｓｓｗｏｒｄ_8302947",
        ] {
            assert_eq!(judged(padded), Some(WeakPassword::PaddedWord), "{padded}");
        }
    }

    #[test]
    fn padding_that_would_do_by_itself_is_accepted() {
        assert_eq!(judged("dragon 8302947561930284"), None);
        assert_eq!(judged("dragonfly 123321456654789"), Some(WeakPassword::PaddedWord));
    }

    #[test]
    fn passphrases_and_generated_passwords_are_accepted() {
        for fine in [
            "gravel otter lemon",
            "dragon monkey sunshine",
            "xK9#mQ2$vL7@nR4",
            "Die Katze tritt die Treppe krumm",
            "東京で静かに雨が降る夜に傘を忘れた",
            "my-dog-ate-2-red-kites",
        ] {
            assert_eq!(judged(fine), None, "{fine}");
        }
    }

    proptest! {
        #[test]
        fn case_never_changes_the_verdict(text in "[a-z0-9 ]{15,40}") {
            prop_assert_eq!(judged(&text), judged(&text.to_uppercase()));
        }

        #[test]
        fn random_letters_and_digits_are_not_refused(text in "[a-z0-9]{24}") {
            prop_assert_eq!(judged(&text), None);
        }
    }
}
