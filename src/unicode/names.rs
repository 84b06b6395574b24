//! Whether a name can be read as it is stored: no control characters and no invisible characters, except where a script
//! or an emoji needs them.

use icu_properties::props::{
    CanonicalCombiningClass, DefaultIgnorableCodePoint, EmojiModifier, ExtendedPictographic, GeneralCategory,
    JoiningType, PrependedConcatenationMark, Script, VariationSelector,
};
use icu_properties::{CodePointMapData, CodePointSetData};

use super::category;

const ZWNJ: char = '\u{200c}';
const ZWJ: char = '\u{200d}';
/// Mongolian vowel separator: shapes the two letters beside it.
const MVS: char = '\u{180e}';
const BLACK_FLAG: char = '\u{1f3f4}';
const CANCEL_TAG: char = '\u{e007f}';
/// A symbol by its category, but blank.
const BRAILLE_BLANK: char = '\u{2800}';

/// Letters and digits that spell the flag of a region: `gbeng` (UTS #51 ED-14a; CLDR `unicode_subdivision_id`).
const FLAG_TAGS: std::ops::RangeInclusive<usize> = 3..=7;

/// Whether every character of `text` is visible or shapes its neighbours, and at least one is visible by itself.
pub fn is_readable(text: &str) -> bool {
    let chars: Vec<char> = text.chars().collect();
    let mut at = 0;
    while let Some(c) = chars.get(at) {
        let (before, after) = (&chars[..at], &chars[at + 1..]);
        if *c == BLACK_FLAG {
            let Some(tags) = flag_tags(after) else { return false };
            at += tags;
        } else if hides(*c) && !is_needed(*c, before, after) {
            return false;
        }
        at += 1;
    }
    chars.into_iter().any(is_visible)
}

/// Whether a character is invisible by itself, or hides or reorders its neighbours.
fn hides(c: char) -> bool {
    let formats = || {
        category(c) == GeneralCategory::Format
            && !CodePointSetData::new::<PrependedConcatenationMark>().contains(c)
    };
    c == BRAILLE_BLANK
        || is_ignorable(c)
        || formats()
        || [GeneralCategory::Control, GeneralCategory::LineSeparator, GeneralCategory::ParagraphSeparator]
            .contains(&category(c))
}

/// Whether an invisible character shapes its neighbours here.
fn is_needed(c: char, before: &[char], after: &[char]) -> bool {
    match c {
        ZWNJ => follows_virama(before) || is_between_joining_letters(before, after),
        ZWJ => {
            follows_virama(before)
                || is_between_joining_letters(before, after)
                || is_between_emoji(before, after)
        }
        MVS => before.last().zip(after.first()).is_some_and(|(before, after)| {
            script(*before) == Script::Mongolian && script(*after) == Script::Mongolian
        }),
        c if CodePointSetData::new::<VariationSelector>().contains(c) => {
            before.last().is_some_and(|base| !hides(*base) && !base.is_whitespace())
        }
        _ => false,
    }
}

/// RFC 5892 A.1 and A.2, first rule: Canonical_Combining_Class(Before(cp)) is Virama.
fn follows_virama(before: &[char]) -> bool {
    before.last().is_some_and(|c| is_virama(*c))
}

fn is_virama(c: char) -> bool {
    CodePointMapData::<CanonicalCombiningClass>::new().get(c) == CanonicalCombiningClass::Virama
}

/// Between two letters or marks of one script that joins. This is wider than RFC 5892 A.1, second rule, by letters that
/// do not join to the left, after which people also type a ZWNJ, and by scripts with a virama, in which a joiner may
/// also precede it.
fn is_between_joining_letters(before: &[char], after: &[char]) -> bool {
    let (Some(left), Some(right)) = (before.last(), after.first()) else { return false };
    let scripts: Vec<Script> =
        [before.iter().rev().copied().find_map(own_script), after.iter().copied().find_map(own_script)]
            .into_iter()
            .flatten()
            .collect();
    is_letter_or_mark(*left)
        && is_letter_or_mark(*right)
        && matches!(scripts.as_slice(), [one, other] if one == other && joins(*one, &[before, after].concat()))
}

/// The script of a letter; `None` for marks that several scripts share.
fn own_script(c: char) -> Option<Script> {
    let script = script(c);
    (![Script::Common, Script::Inherited].contains(&script)).then_some(script)
}

/// Whether letters of `script` join: these letters have a joining type (Arabic and similar scripts), or the script has
/// a virama.
fn joins(script: Script, letters: &[char]) -> bool {
    let types = CodePointMapData::<JoiningType>::new();
    let has_type = |c: &char| {
        own_script(*c) == Some(script)
            && [JoiningType::DualJoining, JoiningType::LeftJoining, JoiningType::RightJoining]
                .contains(&types.get(*c))
    };
    letters.iter().any(has_type) || has_virama(script)
}

/// Scripts with a character of Canonical_Combining_Class Virama, derived from the data.
fn has_virama(of: Script) -> bool {
    CodePointMapData::<CanonicalCombiningClass>::new()
        .iter_ranges_for_value(CanonicalCombiningClass::Virama)
        .flatten()
        .filter_map(char::from_u32)
        .any(|virama| script(virama) == of)
}

/// An emoji ZWJ sequence (UAX #29 GB11): a pictograph before, perhaps with a variation selector or a skin tone, and a
/// pictograph after.
fn is_between_emoji(before: &[char], after: &[char]) -> bool {
    let modifies = |c: &char| {
        CodePointSetData::new::<VariationSelector>().contains(*c)
            || CodePointSetData::new::<EmojiModifier>().contains(*c)
    };
    let pictographs = CodePointSetData::new::<ExtendedPictographic>();
    before.iter().rev().find(|c| !modifies(c)).is_some_and(|base| pictographs.contains(*base))
        && after.first().is_some_and(|next| pictographs.contains(*next))
}

/// How many tag characters follow a black flag: none, or a region and the tag that ends it; `None` if they spell no
/// flag.
fn flag_tags(after: &[char]) -> Option<usize> {
    let tags = after.iter().take_while(|c| ('\u{e0000}'..=CANCEL_TAG).contains(*c)).count();
    let Some((last, region)) = after[..tags].split_last() else { return Some(0) };
    let spells = |c: &char| matches!(c, '\u{e0030}'..='\u{e0039}' | '\u{e0061}'..='\u{e007a}');
    (*last == CANCEL_TAG && FLAG_TAGS.contains(&region.len()) && region.iter().all(spells)).then_some(tags)
}

fn is_visible(c: char) -> bool {
    let shows_by_itself =
        ![GeneralCategory::NonspacingMark, GeneralCategory::EnclosingMark].contains(&category(c));
    shows_by_itself && !hides(c) && !c.is_whitespace()
}

/// Whether a character is invisible by itself (Unicode's Default_Ignorable_Code_Point).
pub fn is_ignorable(c: char) -> bool {
    CodePointSetData::new::<DefaultIgnorableCodePoint>().contains(c)
}

fn is_letter_or_mark(c: char) -> bool {
    c.is_alphabetic()
        || [GeneralCategory::NonspacingMark, GeneralCategory::SpacingMark].contains(&category(c))
}

fn script(c: char) -> Script {
    CodePointMapData::<Script>::new().get(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn joiners_are_taken_where_a_script_needs_them() {
        for name in [
            "می\u{200c}خواهم",    // Persian: between two letters that join
            "محمد\u{200c}رضا",    // after a letter that does not join to the left
            "گُل\u{200c}بَهار",     // marks in between
            "क\u{94d}\u{200c}ष",  // Devanagari, ZWNJ after a virama
            "ক\u{9cd}\u{200d}",   // Bengali, at the end of a name
            "র\u{200d}\u{9cd}যাব", // Bengali, before the virama
            "ಅರ\u{200d}\u{ccd}ಕ", // Kannada, the same
            "ශ\u{dca}\u{200d}ය",  // Sinhala
            "ᠮᠣᠩ\u{180e}ᠠ",       // Mongolian
            "ߒ\u{200d}ߞߏ",        // N'Ko
        ] {
            assert!(is_readable(name), "{name:?}");
        }
    }

    #[test]
    fn joiners_are_refused_elsewhere() {
        for name in [
            "\u{200c}",
            "\u{200d}\u{200d}",
            "Ada\u{200c}",
            "\u{200d}Ada",
            "A\u{200d}da",
            "Ад\u{200c}а",
            "א\u{200c}ב",
            "漢\u{200d}字",
            "علی\u{200c}",
            "\u{200c}علی",
            "علی \u{200c}رضا",
            "ع\u{200c}\u{200c}لی",
            "علی\u{200c}Ada",
            "1\u{200d}2",
            "👩\u{200d}",
            "👩\u{200d}a",
            "\u{200d}👩",
            "Ada\u{180e}",
            "क\u{200b}ष",
        ] {
            assert!(!is_readable(name), "{name:?}");
        }
    }

    #[test]
    fn emoji_sequences_are_taken_whole() {
        for name in [
            "👩\u{200d}🚀",
            "👨🏿\u{200d}🦰",
            "👁\u{fe0f}\u{200d}🗨\u{fe0f}",
            "🏳\u{fe0f}\u{200d}⚧\u{fe0f}",
            "🏴\u{200d}☠\u{fe0f}",
            "🧑🏽\u{200d}🤝\u{200d}🧑🏻",
            "👩\u{200d}❤\u{fe0f}\u{200d}💋\u{200d}👨",
            "🇯🇵",
            "7\u{fe0f}\u{20e3}",
            "☎\u{fe0e}",
            "🏴\u{e0067}\u{e0062}\u{e0073}\u{e0063}\u{e0074}\u{e007f}",
            "🏴",
            "Ada 🏴 Lovelace",
        ] {
            assert!(is_readable(name), "{name:?}");
        }
        for name in [
            "a\u{e0067}\u{e0062}\u{e0073}\u{e0063}\u{e0074}\u{e007f}",
            "🏴\u{e0067}",
            "🏴\u{e007f}",
            "🏴\u{e0001}\u{e007f}",
            "🏴\u{e0048}\u{e0069}\u{e0021}\u{e007f}",
            "👩\u{e0067}\u{e0062}\u{e0077}\u{e007f}",
            "\u{e0041}da",
        ] {
            assert!(!is_readable(name), "{name:?}");
        }
    }

    #[test]
    fn every_character_that_shows_nothing_is_refused_by_itself_and_inside_latin() {
        let ignorable = (0..=0x0010_FFFF).filter_map(char::from_u32).filter(|c| is_ignorable(*c));
        for c in ignorable {
            assert!(!is_readable(&c.to_string()), "{c:?}");
            assert!(!is_readable(&format!(" {c} ")), "{c:?}");
            if !CodePointSetData::new::<VariationSelector>().contains(c) {
                assert!(!is_readable(&format!("A{c}da")), "{c:?}");
            }
        }
        for c in ['\u{2028}', '\u{2800}', '\u{fff9}', '\u{13430}', '\u{7f}', '\u{301}', '\u{20e3}'] {
            assert!(!is_readable(&c.to_string()), "{c:?}");
        }
    }

    #[test]
    fn variation_selectors_need_something_visible_before_them() {
        for name in ["葛\u{e0100}城", "龍\u{fe00}", "ᠪ\u{180b}", "Ada ☺\u{fe0f}"] {
            assert!(is_readable(name), "{name:?}");
        }
        for name in
            ["Ada \u{fe0f}", "\u{fe0f}Ada", "☺\u{fe0f}\u{fe0f}", "☺\u{fe0f}\u{e0100}", "葛\u{200b}\u{e0100}"]
        {
            assert!(!is_readable(name), "{name:?}");
        }
    }

    #[test]
    fn names_of_the_world_are_readable() {
        for name in [
            "Zoe\u{308}",
            "Nguyễn Thị Hồng",
            "Đặng",
            "Ñandú",
            "O’Brien-Smith",
            "Þór",
            "李小龍",
            "さくら",
            "김철수",
            "สมชาย",
            "မြင့်",
            "ლელა",
            "Հայկ",
            "דוד",
            "محمد",
            "ሰላም",
            "ཚེ་རིང་",
            "អ៊ុំ",
            "X Æ A-12",
            "٪ 5",
            "\u{600}١٢",
        ] {
            assert!(is_readable(name), "{name:?}");
        }
    }
}
