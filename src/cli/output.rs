//! Texts and formats that all commands share.

use std::error::Error;

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// Why a command failed, in one line.
pub type Failure = Box<dyn Error>;

/// The end of the line about an empty list.
pub fn matching(search: &str) -> String {
    if search.is_empty() { String::new() } else { format!(" matches {search:?}") }
}

/// A time as all commands print it, in seconds.
pub fn rfc3339(at: impl Into<OffsetDateTime>) -> String {
    let at = at.into();
    at.replace_nanosecond(0).unwrap_or(at).format(&Rfc3339).unwrap_or_default()
}
