//! Patterns that add length but no strength: repeated units, keyboard walks, sequences. Pure functions over lower-case
//! characters.

/// Keyboard rows, unshifted; a shifted sign counts as the key it sits on.
const ROWS: [&str; 4] = ["1234567890-=", "qwertyuiop[]", "asdfghjkl;'", "zxcvbnm,./"];
const SHIFTED: &str = "!@#$%^&*()_+";

/// Walks are also searched in every n-th character, up to this n: `q1w2e3r4` interleaves two walks, `1qaz2wsx3edc` four.
const STRANDS: usize = 4;

/// A password is a walk if it jumps at most once in this many characters. Passphrases jump at three characters of four,
/// dates and phone numbers at two of three.
const STEPS_PER_START: usize = 3;

/// Length of the shortest unit whose repetition gives `text`; the last repetition may be cut short.
pub(super) fn unit(text: &[char]) -> usize {
    (1..text.len()).find(|&n| text.iter().zip(&text[n..]).all(|(a, b)| a == b)).unwrap_or(text.len())
}

/// Whether `text` repeats a unit of fewer than `min` characters at least twice.
pub(super) fn repeats(text: &[char], min: usize) -> bool {
    let unit = unit(text);
    unit < min && unit * 2 <= text.len()
}

/// Whether most characters of `text` follow their predecessor on the keyboard, in the alphabet or in the numbers, or
/// repeat it.
pub(super) fn walks(text: &[char]) -> bool {
    (1..=STRANDS).any(|n| {
        let breaks = text.iter().zip(text.iter().skip(n)).filter(|&(&a, &b)| !is_step(a, b)).count();
        (n.min(text.len()) + breaks) * STEPS_PER_START <= text.len()
    })
}

fn is_step(a: char, b: char) -> bool {
    let in_order = a.is_alphanumeric() && b.is_alphanumeric() && (a as u32).abs_diff(b as u32) <= 1;
    a == b || in_order || are_neighbours(a, b)
}

fn are_neighbours(a: char, b: char) -> bool {
    match (key(a), key(b)) {
        (Some((row, column)), Some((other_row, other_column))) => {
            row.abs_diff(other_row) <= 1 && column.abs_diff(other_column) <= 1
        }
        _ => false,
    }
}

fn key(sign: char) -> Option<(usize, usize)> {
    let rows = ROWS.iter().enumerate().map(|(row, keys)| (row, *keys));
    rows.chain([(0, SHIFTED)]).find_map(|(row, keys)| Some((row, keys.find(sign)?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chars(text: &str) -> Vec<char> {
        text.chars().collect()
    }

    #[test]
    fn the_unit_of_a_repetition_is_found_even_if_the_last_one_is_cut() {
        assert_eq!(unit(&chars("abcabcabca")), 3);
        assert_eq!(unit(&chars("aaaa")), 1);
        assert_eq!(unit(&chars("abcd")), 4);
        assert_eq!(unit(&[]), 0);
    }

    #[test]
    fn a_repeated_unit_counts_only_if_it_is_too_short_by_itself() {
        assert!(repeats(&chars("battery battery "), 15));
        assert!(!repeats(&chars("gravel otter lemon gravel otter lemon "), 15));
        assert!(!repeats(&chars("gravel otter lemon"), 15));
    }

    #[test]
    fn walks_and_sequences_are_seen_straight_back_and_woven() {
        for walk in [
            "qwertyuiopasdfg",
            "123456789012345",
            "abcdefghijklmno",
            "zyxwvutsrqponml",
            "1qaz2wsx3edc4rfv",
            "q1w2e3r4t5y6u7i8",
            "1qa2ws3ed4rf5tg",
            "zaq12wsxcde34rfv",
            "a1b2c3d4e5f6g7h8",
            "111222333444555",
            "!@#$%^&*()_+!@#",
            "абвгдежзийклмно",
            "qwerty123456789",
            "2004200520062007",
            "azertyuiopqsdfg",
        ] {
            assert!(walks(&chars(walk)), "{walk}");
        }
    }

    #[test]
    fn words_numbers_and_noise_are_no_walks() {
        for fine in
            ["gravel otter lemon", "we were poor as west trees", "8302947561930284", "Жираф пьёт чай", ""]
        {
            assert_eq!(walks(&chars(fine)), fine.is_empty(), "{fine}");
        }
    }
}
