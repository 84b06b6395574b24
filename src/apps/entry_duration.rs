//! Durations as they are written in files.

use std::time::Duration;

use crate::config::Span;

/// In whole seconds, such as `10m`.
pub(super) fn written(duration: Duration) -> String {
    Span::seconds(u32::try_from(duration.as_secs()).unwrap_or(u32::MAX)).to_string()
}
