//! Wrong passwords of a user by source. Counts are exact because callers hold the lock on the user's row.

use diesel::dsl::exists;
use diesel::dsl::now;
use diesel::pg::PgConnection;
use diesel::prelude::*;

use crate::db::Fault;
use crate::db::schema::{known_browsers, password_lanes};
use crate::identity::UserId;
use crate::throttle::attempt_source::{FailureCounts, UNKNOWN_BROWSER};

/// The failures at `user`, with those of `source` apart. Exact if the caller holds the lock on the user's row.
pub(crate) fn failure_counts(
    conn: &mut PgConnection,
    user: UserId,
    source: &str,
) -> Result<FailureCounts, Fault> {
    let by_source = failures_by_source(conn, user)?;
    let sum = |matches: &dyn Fn(&str) -> bool| -> i32 {
        by_source.iter().filter(|(name, _)| matches(name)).map(|(_, failures)| failures).sum()
    };
    let known = known_browsers::table
        .filter(known_browsers::user_id.eq(user.0))
        .filter(known_browsers::expires_at.gt(now));
    Ok(FailureCounts {
        unknown: sum(&|name| name == UNKNOWN_BROWSER),
        known: sum(&|name| name != UNKNOWN_BROWSER),
        own: sum(&|name| name == source),
        reserves_share: diesel::select(exists(known)).get_result(conn)?,
    })
}

/// The failures of each source, by its stored name.
pub(crate) fn failures_by_source(conn: &mut PgConnection, user: UserId) -> Result<Vec<(String, i32)>, Fault> {
    use password_lanes::dsl;
    Ok(password_lanes::table.filter(dsl::user_id.eq(user.0)).select((dsl::lane, dsl::failures)).load(conn)?)
}

pub(crate) fn count_failure(conn: &mut PgConnection, user: UserId, source: &str) -> Result<(), Fault> {
    use password_lanes::dsl;
    diesel::insert_into(password_lanes::table)
        .values((dsl::user_id.eq(user.0), dsl::lane.eq(source), dsl::failures.eq(1)))
        .on_conflict((dsl::user_id, dsl::lane))
        .do_update()
        .set((dsl::failures.eq(dsl::failures + 1), dsl::last_at.eq(now)))
        .execute(conn)?;
    Ok(())
}

/// Takes one failure back. If the failures were deleted meanwhile, the count stays at zero: a negative count would grant
/// extra attempts.
pub(crate) fn refund_failure(conn: &mut PgConnection, user: UserId, source: &str) -> Result<(), Fault> {
    use password_lanes::dsl;
    let counted = password_lanes::table.filter(dsl::user_id.eq(user.0)).filter(dsl::lane.eq(source));
    diesel::update(counted.filter(dsl::failures.gt(0)))
        .set(dsl::failures.eq(dsl::failures - 1))
        .execute(conn)?;
    Ok(())
}

/// Deletes the failures of unknown browsers, of known browsers and sessions, or both.
pub(crate) fn delete_failures(
    conn: &mut PgConnection,
    user: UserId,
    unknown: bool,
    known: bool,
) -> Result<(), Fault> {
    use password_lanes::dsl;
    let of_user = password_lanes::table.filter(dsl::user_id.eq(user.0));
    match (unknown, known) {
        (true, true) => diesel::delete(of_user).execute(conn)?,
        (true, false) => diesel::delete(of_user.filter(dsl::lane.eq(UNKNOWN_BROWSER))).execute(conn)?,
        (false, true) => diesel::delete(of_user.filter(dsl::lane.ne(UNKNOWN_BROWSER))).execute(conn)?,
        (false, false) => 0,
    };
    Ok(())
}
