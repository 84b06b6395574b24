//! Personal words: the name and email address of the user, the host, the product. A password must not consist of them
//! (ASVS 5.0 6.1.2; docs/decisions/passwords.md lists which words count).

use zeroize::Zeroizing;

use super::folded::{Folded, fold, is_listed, keep, suffices};

/// Always a personal word, even if the operator gives the site another name.
const PRODUCT: &str = "latchkey";

/// Shortest part of a name or address that counts, in characters. Names of two letters exist; a single letter is in
/// every password.
const SHORTEST_WORD: usize = 2;

/// Letters besides personal words that are still padding: initials, a plural, "my".
const FILLER_LETTERS: usize = 2;

/// Whether `folded` consists of personal words, padding, one listed word, digits and signs. A password that only
/// contains a personal word passes.
///
/// * `min`: the length in characters at which the remaining digits and signs suffice as a password by themselves.
pub(super) fn covers(folded: &[char], personal: &[&str], min: usize) -> bool {
    let solid = keep(folded, |c| c.is_alphanumeric());
    let mut rest = solid.clone();
    for word in words(personal) {
        strike(&mut rest, &word);
    }
    if rest[..] == solid[..] {
        return false;
    }
    let letters = keep(&rest, |c| c.is_alphabetic());
    let mut others = Zeroizing::new(Vec::with_capacity(folded.len() + rest.len()));
    others
        .extend(folded.iter().filter(|c| !c.is_alphanumeric()).chain(rest.iter().filter(|c| c.is_numeric())));
    (letters.len() <= FILLER_LETTERS || is_listed(&letters)) && !suffices(&others, min)
}

/// All personal words, longest first: each text as a whole ("adalovelace"), its parts ("ada", "lovelace", "example",
/// "com"), and both without digits.
fn words(personal: &[&str]) -> Vec<Folded> {
    let mut words = Vec::new();
    for text in personal.iter().copied().chain([PRODUCT]) {
        let folded = fold(text);
        // The local part counts as one word: "ada.lovelace@example.com" gives "adalovelace".
        let parts =
            folded.split(|c| !c.is_alphanumeric()).chain(folded.split(|c| *c == '@')).chain([&folded[..]]);
        for part in parts {
            words.push(keep(part, |c| c.is_alphanumeric()));
            words.push(keep(part, |c| c.is_alphabetic()));
        }
    }
    words.retain(|word| word.len() >= SHORTEST_WORD);
    words.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
    words.dedup();
    words
}

/// Replaces each occurrence of `word` by one space, so that the parts around it do not join into another word.
fn strike(rest: &mut Folded, word: &[char]) {
    let mut at = 0;
    while at + word.len() <= rest.len() {
        if rest[at..].starts_with(word) {
            rest.splice(at..at + word.len(), [' ']);
        }
        at += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::super::WeakPassword;
    use super::super::weakness::weakness;

    const ADA: [&str; 3] = ["Ada Lovelace", "ada.lovelace1815@example.com", "login.acme.test"];

    fn judged(text: &str) -> Option<WeakPassword> {
        weakness(text, &ADA, 15)
    }

    #[test]
    fn a_password_made_of_name_address_host_or_product_is_refused() {
        for own in [
            "Ada Lovelace 1815",
            "ada.lovelace@example.com",
            "AdaLovelace!!2024",
            "latchkey-latchkey1",
            "LatchkeyAda2024!",
            "lovelace_ada_1815",
            "login.acme.test1",
            "ada1815lovelace1815",
            "adalovelacepassword",
            "my ada lovelace 99",
            "example.com 12345",
            "1815ecalevol-lovelace",
        ] {
            let expected = own != "1815ecalevol-lovelace";
            assert_eq!(judged(own) == Some(WeakPassword::AboutYou), expected, "{own}");
        }
    }

    #[test]
    fn a_passphrase_that_only_contains_the_name_is_accepted() {
        for fine in ["ada paints gravel blue", "lovelace tuba otter", "why does lovelace keep otters"] {
            assert_eq!(judged(fine), None, "{fine}");
        }
    }

    #[test]
    fn names_in_other_scripts_and_of_two_letters_count() {
        assert_eq!(weakness("李雷李雷 2024-05-06-07", &["李雷"], 15), Some(WeakPassword::AboutYou));
        assert_eq!(weakness("Bo Li 1990-05-12 !", &["Bo Li"], 15), Some(WeakPassword::AboutYou));
        assert_eq!(weakness("bold lions climb oaks", &["Bo Li"], 15), None);
    }

    #[test]
    fn empty_context_and_blank_names_cover_nothing() {
        assert_eq!(weakness("gravel otter lemon", &["", " ", "@", "1"], 15), None);
    }
}
