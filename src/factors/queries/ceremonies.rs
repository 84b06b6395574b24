//! Challenges to browsers that wait for a response.

use std::time::Duration;

use diesel::dsl::now;
use diesel::pg::PgConnection;
use diesel::prelude::*;
use serde_json::Value;

use crate::db::Fault;
use crate::db::schema::ceremonies;
use crate::db::time::interval;

/// What a response is used for.
#[derive(Clone, Copy)]
pub(crate) enum CeremonyPurpose {
    /// To log in, as the second factor, or to confirm a session.
    Prove,
    Register,
}

impl CeremonyPurpose {
    fn as_str(self) -> &'static str {
        match self {
            Self::Prove => "prove",
            Self::Register => "register",
        }
    }
}

/// A challenge about to be stored.
pub(crate) struct NewCeremony {
    pub challenge_hash: [u8; 32],
    pub browser: [u8; 32],
    pub purpose: CeremonyPurpose,
    pub state: Value,
}

/// Inserts a challenge, and deletes all but the `at_once` newest of this browser.
pub(crate) fn insert_ceremony(
    conn: &mut PgConnection,
    ceremony: &NewCeremony,
    timeout: Duration,
    at_once: i64,
) -> Result<(), Fault> {
    use ceremonies::dsl;
    diesel::insert_into(ceremonies::table)
        .values((
            dsl::challenge_hash.eq(ceremony.challenge_hash.as_slice()),
            dsl::browser.eq(ceremony.browser.as_slice()),
            dsl::purpose.eq(ceremony.purpose.as_str()),
            dsl::state.eq(&ceremony.state),
            dsl::expires_at.eq(crate::db::time::now() + interval(timeout)),
        ))
        .execute(conn)?;
    let older: Vec<Vec<u8>> = ceremonies::table
        .filter(dsl::browser.eq(ceremony.browser.as_slice()))
        .order((dsl::expires_at.desc(), dsl::challenge_hash))
        .offset(at_once)
        .select(dsl::challenge_hash)
        .load(conn)?;
    if !older.is_empty() {
        diesel::delete(ceremonies::table.filter(dsl::challenge_hash.eq_any(older))).execute(conn)?;
    }
    Ok(())
}

/// Deletes the open challenge of this browser and gives its state.
pub(crate) fn take_ceremony(
    conn: &mut PgConnection,
    challenge_hash: &[u8; 32],
    browser: &[u8; 32],
    purpose: CeremonyPurpose,
) -> Result<Option<Value>, Fault> {
    use ceremonies::dsl;
    let open = ceremonies::table
        .filter(dsl::challenge_hash.eq(challenge_hash.as_slice()))
        .filter(dsl::browser.eq(browser.as_slice()))
        .filter(dsl::purpose.eq(purpose.as_str()))
        .filter(dsl::expires_at.gt(now));
    Ok(diesel::delete(open).returning(dsl::state).get_result(conn).optional()?)
}
