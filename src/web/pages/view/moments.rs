//! Times and limits in words.

use std::time::Duration;

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use time::macros::format_description;

use crate::web::copy::moments::moment;

use latchkey_sessions::{Policy, SessionRecord};

/// A moment: exact for machines, relative for people.
#[derive(Clone)]
pub struct When {
    pub iso: String,
    pub exact: String,
    pub relative: String,
}

impl When {
    pub fn new(at: impl Into<OffsetDateTime>, now: OffsetDateTime) -> Self {
        let at = at.into();
        Self {
            iso: at.replace_nanosecond(0).unwrap_or(at).format(&Rfc3339).unwrap_or_default(),
            exact: moment(at),
            relative: relative(at - now),
        }
    }
}

pub(super) fn relative(distance: time::Duration) -> String {
    let seconds = distance.whole_seconds().unsigned_abs();
    let (number, unit) = match seconds {
        0..45 => return if distance.is_positive() { "in a moment" } else { "just now" }.to_owned(),
        45..5400 => ((seconds + 30) / 60, "minute"),
        5400..129_600 => ((seconds + 1800) / 3600, "hour"),
        129_600..5_184_000 => ((seconds + 43_200) / 86_400, "day"),
        _ => (seconds / 2_592_000, "month"),
    };
    let number = number.max(1);
    let plural = if number == 1 { "" } else { "s" };
    if distance.is_positive() {
        format!("in {number} {unit}{plural}")
    } else {
        format!("{number} {unit}{plural} ago")
    }
}

/// When a session ends: at the latest, and earlier if it is not used.
pub struct Ends {
    pub at: OffsetDateTime,
    pub iso: String,
    /// As in "6 December at 14:05 UTC".
    pub on: String,
    pub relative: String,
    /// The idle limit, if it can end the session earlier.
    pub unused_for: Option<String>,
}

impl Ends {
    pub(super) fn of(record: &SessionRecord, now: OffsetDateTime, policy: &Policy) -> Self {
        let (idle, absolute) = (policy.idle(record.remember), policy.absolute(record.remember));
        // A row from before the limits were lowered keeps its own expiry until it is used.
        let at = record.created_at.plus(absolute).max(record.expires_at);
        Self::new(at.into(), now, (idle < absolute).then_some(idle))
    }

    pub fn new(at: OffsetDateTime, now: OffsetDateTime, idle: Option<Duration>) -> Self {
        let When { iso, relative, .. } = When::new(at, now);
        let on = if at.year() == now.year() {
            at.format(format_description!("[day padding:none] [month repr:long] at [hour]:[minute] UTC"))
        } else {
            at.format(format_description!(
                "[day padding:none] [month repr:long] [year] at [hour]:[minute] UTC"
            ))
        };
        let unused_for = idle.map(crate::config::duration_in_words);
        Self { at, iso, on: on.unwrap_or_default(), relative, unused_for }
    }
}
