//! Writing direction (UAX #9). A right-to-left name reorders the digits and signs beside it unless it is isolated: with
//! `<bdi>` in HTML, with two control characters in plain text.

use std::borrow::Cow;

use icu_properties::CodePointMapData;
use icu_properties::props::BidiClass;

/// First strong isolate (FSI) and pop directional isolate (PDI).
const OPEN: char = '\u{2068}';
const CLOSE: char = '\u{2069}';

/// `text` between isolates if it contains right-to-left characters, otherwise unchanged, because old mail programs show
/// isolates as boxes.
pub fn isolated(text: &str) -> Cow<'_, str> {
    let classes = CodePointMapData::<BidiClass>::new();
    let from_right = |c: char| {
        [BidiClass::RightToLeft, BidiClass::ArabicLetter, BidiClass::ArabicNumber].contains(&classes.get(c))
    };
    if text.chars().any(from_right) {
        Cow::Owned(format!("{OPEN}{text}{CLOSE}"))
    } else {
        Cow::Borrowed(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_text_from_right_to_left_is_isolated() {
        for plain in ["", "Ada Lovelace", "Zoë (2)", "日本", "2", "Ольга"] {
            assert_eq!(isolated(plain), plain);
        }
        for (name, shown) in [
            ("לוי (2)", "\u{2068}לוי (2)\u{2069}"),
            ("Ada عدا", "\u{2068}Ada عدا\u{2069}"),
            ("ދިވެހި", "\u{2068}ދިވެހި\u{2069}"),
        ] {
            assert_eq!(isolated(name), shown);
        }
    }
}
