//! Known devices: browsers in which a user has logged in before.

use std::time::Duration;

use diesel::dsl::exists;
use diesel::dsl::now;
use diesel::pg::PgConnection;
use diesel::prelude::*;

use crate::db::schema::known_browsers;
use crate::db::{Fault, time};
use crate::identity::UserId;
use crate::secret::TokenHash;

/// Per user: more than people use, and a bound on the rows.
const MAX_KNOWN_DEVICES: i64 = 20;

/// Whether `user` has logged in with this browser before.
pub(crate) fn is_known_device(
    conn: &mut PgConnection,
    user: UserId,
    browser: &TokenHash,
) -> Result<bool, Fault> {
    use known_browsers::dsl;
    let known = known_browsers::table
        .filter(dsl::token_hash.eq(browser.as_slice()))
        .filter(dsl::user_id.eq(user.0))
        .filter(dsl::expires_at.gt(now));
    Ok(diesel::select(exists(known)).get_result(conn)?)
}

/// Whether any user has: then this server issued the token.
pub(crate) fn was_issued(conn: &mut PgConnection, browser: &TokenHash) -> Result<bool, Fault> {
    use known_browsers::dsl;
    let known =
        known_browsers::table.filter(dsl::token_hash.eq(browser.as_slice())).filter(dsl::expires_at.gt(now));
    Ok(diesel::select(exists(known)).get_result(conn)?)
}

/// Inserts or renews the device, and deletes the least recently used devices over the limit.
pub(crate) fn upsert_known_device(
    conn: &mut PgConnection,
    user: UserId,
    browser: &TokenHash,
    known_for: Duration,
) -> Result<(), Fault> {
    use known_browsers::dsl;
    let times = (dsl::last_login_at.eq(now), dsl::expires_at.eq(time::now() + time::interval(known_for)));
    diesel::insert_into(known_browsers::table)
        .values((dsl::token_hash.eq(browser.as_slice()), dsl::user_id.eq(user.0), times))
        .on_conflict((dsl::token_hash, dsl::user_id))
        .do_update()
        .set(times)
        .execute(conn)?;
    let too_many: Vec<Vec<u8>> = known_browsers::table
        .filter(dsl::user_id.eq(user.0))
        .order((dsl::last_login_at.desc(), dsl::token_hash))
        .offset(MAX_KNOWN_DEVICES)
        .select(dsl::token_hash)
        .load(conn)?;
    if !too_many.is_empty() {
        let gone = known_browsers::table.filter(dsl::user_id.eq(user.0));
        diesel::delete(gone.filter(dsl::token_hash.eq_any(too_many))).execute(conn)?;
    }
    Ok(())
}
