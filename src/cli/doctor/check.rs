//! Shared parts of the doctor's checks.

use std::time::Duration;

use diesel::pg::PgConnection;
use secrecy::ExposeSecret as _;

use super::finding::{Finding, note, problem};
use crate::config::Settings;
use crate::db::{Db, Fault};

/// A notification arrives within milliseconds, or never.
pub const NOTIFY_WITHIN: Duration = Duration::from_secs(2);

/// The resources that a check can use.
pub struct CheckContext<'c> {
    pub conn: &'c mut PgConnection,
    pub db: &'c Db,
    pub settings: &'c Settings,
}

pub fn skipped(check: &'static str) -> Finding {
    note(check, "not checked: the database does not answer", "")
}

pub fn failed_check(check: &'static str, fault: &Fault, settings: &Settings) -> Finding {
    let why = redacted(fault, settings);
    if why.contains("does not exist") {
        return note(check, "not checked: its tables are missing", "see database.migrations");
    }
    problem(check, why, "see the log of the database")
}

/// Without the connection strings. libpq repeats parts of them, never the password, but perhaps a secret in another
/// parameter.
pub fn redacted(fault: &Fault, settings: &Settings) -> String {
    let mut text = fault.to_string();
    for url in settings.database.iter().chain(&settings.database_direct) {
        text = text.replace(url.expose_secret(), "…");
    }
    text
}
