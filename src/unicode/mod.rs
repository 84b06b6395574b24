//! Text that people type, checked by Unicode properties: names, one-time codes, domains, writing direction.

pub mod codes;
pub mod direction;
pub mod domains;
pub mod names;

use icu_properties::CodePointMapData;
use icu_properties::props::GeneralCategory;

fn category(c: char) -> GeneralCategory {
    CodePointMapData::<GeneralCategory>::new().get(c)
}
