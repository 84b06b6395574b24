//! The characters of a password, folded for comparison, and whether they are guessable.

use unicode_normalization::UnicodeNormalization;
use zeroize::Zeroizing;

use super::{blocklist, patterns};

/// Shortest run of letters to look up. Almost every shorter one is a word in some language.
const SHORTEST_WORD: usize = 4;

/// Folded characters of a password, wiped from memory on drop.
pub(super) type Folded = Zeroizing<Vec<char>>;

/// `text` in NFKC and lower case, for comparison only.
pub(super) fn fold(text: &str) -> Folded {
    // NFKC makes at most six characters of a byte (U+FDFA). A buffer that grows would leave copies in freed memory.
    let mut folded = Zeroizing::new(Vec::with_capacity(text.len() * 6));
    folded.extend(text.nfkc().flat_map(char::to_lowercase));
    folded
}

/// Whether `rest`, the part that is not guessable, would do as a password by itself. A repeated sign ("!!!!!!") counts
/// once.
pub(super) fn suffices(rest: &[char], min: usize) -> bool {
    let held_down = rest.windows(2).filter(|pair| pair[0] == pair[1]).count();
    rest.len() - held_down >= min && !patterns::repeats(rest, min) && !patterns::walks(rest)
}

/// Whether these characters, or the unit that they repeat, are on the list.
pub(super) fn is_listed(folded: &[char]) -> bool {
    let known = |part: &[char]| {
        let mut text = Zeroizing::new(String::with_capacity(part.len() * 4));
        text.extend(part);
        part.len() >= SHORTEST_WORD && blocklist::lists(&text)
    };
    known(folded) || known(&folded[..patterns::unit(folded)])
}

pub(super) fn keep(folded: &[char], wanted: impl Fn(&char) -> bool) -> Folded {
    let mut kept = Zeroizing::new(Vec::with_capacity(folded.len()));
    kept.extend(folded.iter().filter(|c| wanted(c)));
    kept
}
