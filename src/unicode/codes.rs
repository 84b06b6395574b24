//! Normalizes one-time codes as typed or pasted.

use icu_properties::CodePointSetData;
use icu_properties::props::{Dash, DefaultIgnorableCodePoint, GeneralCategory, WhiteSpace};
use unicode_normalization::UnicodeNormalization as _;

use super::category;

/// The letters and digits of a code. Decimal digits of any script become ASCII digits and full-width letters become
/// ASCII letters; spaces, dashes and invisible characters are dropped.
pub fn letters_and_digits(typed: &str) -> String {
    typed.nfkc().filter(|c| !separates(*c)).map(|c| digit(c).unwrap_or(c)).collect()
}

fn separates(c: char) -> bool {
    CodePointSetData::new::<WhiteSpace>().contains(c)
        || CodePointSetData::new::<Dash>().contains(c)
        || CodePointSetData::new::<DefaultIgnorableCodePoint>().contains(c)
        // The dash key of a Japanese keyboard types the long vowel mark; "_" separates groups in some pasted codes.
        || matches!(c, 'ー' | '_')
}

/// The ASCII digit of a decimal digit. Unicode encodes the ten digits of a script one after the other from zero, in
/// runs of tens (Unicode Standard §4.6), so the position in the run is the value.
fn digit(c: char) -> Option<char> {
    let is_digit =
        |point: u32| char::from_u32(point).is_some_and(|c| category(c) == GeneralCategory::DecimalNumber);
    if !is_digit(c.into()) {
        return None;
    }
    let before = (0..u32::from(c)).rev().take_while(|point| is_digit(*point)).count();
    char::from_digit(u32::try_from(before % 10).ok()?, 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_of_every_script_are_digits() {
        for typed in [
            "0123456789",
            "٠١٢٣٤٥٦٧٨٩",
            "০১২৩৪৫৬৭৮৯",
            "๐๑๒๓๔๕๖๗๘๙",
            "᠐᠑᠒᠓᠔᠕᠖᠗᠘᠙",
            "０１２３４５６７８９",
            "𝟘𝟙𝟚𝟛𝟜𝟝𝟞𝟟𝟠𝟡",
            "𞥐𞥑𞥒𞥓𞥔𞥕𞥖𞥗𞥘𞥙",
        ] {
            assert_eq!(letters_and_digits(typed), "0123456789", "{typed}");
        }
        for c in (0..=0x0010_FFFF).filter_map(char::from_u32).filter(|c| digit(*c) == Some('0')) {
            let ten = (1..10).filter_map(|more| char::from_u32(u32::from(c) + more));
            assert_eq!(ten.filter_map(digit).collect::<String>(), "123456789", "{c:?}");
        }
    }

    #[test]
    fn what_separates_digits_is_dropped_and_what_is_typed_between_them_is_kept() {
        for typed in [
            "12 34 56",
            "12\u{2009}3456",
            "12\u{3000}3456",
            "123‒456",
            "123−456",
            "123﹣456",
            "123ー456",
            "\u{feff}123456",
            "\u{2067}123456\u{2069}",
            "123\u{ad}456",
            "12\u{200d}3456",
        ] {
            assert_eq!(letters_and_digits(typed), "123456", "{typed:?}");
        }
        assert_eq!(letters_and_digits("ＡＢc-４"), "ABc4");
        assert_eq!(letters_and_digits("12.34,56"), "12.34,56");
    }
}
