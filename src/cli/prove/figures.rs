//! How the reports show their figures, as text and as JSON.

use std::fmt::{self, Display, Formatter};

use serde_json::{Value, json};

use crate::lab::prove::Percentiles;

/// Programs read these keys: they do not change.
pub fn times(times: Option<Percentiles>) -> Option<Value> {
    times.map(|Percentiles { p50, p99, max }| json!({ "p50": p50, "p99": p99, "max": max }))
}

/// The heading above the [`line`]s of a table.
pub fn heading(f: &mut Formatter<'_>, what: &str) -> fmt::Result {
    writeln!(f, "{what:<50}{:>9}{:>9}{:>9}", "p50", "p99", "max")
}

/// Empty if there are no times.
pub fn line(f: &mut Formatter<'_>, what: &str, times: Option<Percentiles>) -> fmt::Result {
    match times {
        Some(Percentiles { p50, p99, max }) => writeln!(f, "{what:<50}{p50:>9.2}{p99:>9.2}{max:>9.2}"),
        None => Ok(()),
    }
}

pub fn count(f: &mut Formatter<'_>, what: &str, number: impl Display) -> fmt::Result {
    writeln!(f, "{what:<50}{number:>9}")
}
