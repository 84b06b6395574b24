//! Points in time in words.

use time::OffsetDateTime;
use time::macros::format_description;

/// As in "29 November 2026, 13:05 UTC".
pub fn moment(at: OffsetDateTime) -> String {
    let format = format_description!("[day padding:none] [month repr:long] [year], [hour]:[minute] UTC");
    at.format(format).unwrap_or_default()
}
