//! Known browsers, and wrong passwords by lane. Counting is done with the user's row locked, which is what makes it exact.

use diesel::dsl::exists;
use diesel::dsl::now;
use diesel::pg::PgConnection;
use diesel::prelude::*;

use crate::db::Fault;
use crate::db::schema::{known_browsers, password_lanes};
use crate::identity::UserId;
use crate::throttle::attempt_source::{UNKNOWN_BROWSER, FailureCounts};

/// How `lane` of `user` stands. Exact for whoever holds the user's row.
pub(crate) fn failure_counts(conn: &mut PgConnection, user: UserId, lane: &str) -> Result<FailureCounts, Fault> {
    let lanes = lanes(conn, user)?;
    let sum = |matches: &dyn Fn(&str) -> bool| -> i32 {
        lanes.iter().filter(|(name, _)| matches(name)).map(|(_, failures)| failures).sum()
    };
    let kept = known_browsers::table
        .filter(known_browsers::user_id.eq(user.0))
        .filter(known_browsers::expires_at.gt(now));
    Ok(FailureCounts {
        outside: sum(&|name| name == UNKNOWN_BROWSER),
        known: sum(&|name| name != UNKNOWN_BROWSER),
        own: sum(&|name| name == lane),
        keeps_share: diesel::select(exists(kept)).get_result(conn)?,
    })
}

pub(crate) fn lanes(conn: &mut PgConnection, user: UserId) -> Result<Vec<(String, i32)>, Fault> {
    use password_lanes::dsl;
    Ok(password_lanes::table.filter(dsl::user_id.eq(user.0)).select((dsl::lane, dsl::failures)).load(conn)?)
}

pub(crate) fn count_in_lane(conn: &mut PgConnection, user: UserId, lane: &str) -> Result<(), Fault> {
    use password_lanes::dsl;
    diesel::insert_into(password_lanes::table)
        .values((dsl::user_id.eq(user.0), dsl::lane.eq(lane), dsl::failures.eq(1)))
        .on_conflict((dsl::user_id, dsl::lane))
        .do_update()
        .set((dsl::failures.eq(dsl::failures + 1), dsl::last_at.eq(now)))
        .execute(conn)?;
    Ok(())
}

/// One fewer. Where the lane was cleared meanwhile there is none to take away: below nought, somebody would have more
/// wrong passwords than everybody.
pub(crate) fn uncount_in_lane(conn: &mut PgConnection, user: UserId, lane: &str) -> Result<(), Fault> {
    use password_lanes::dsl;
    let counted = password_lanes::table.filter(dsl::user_id.eq(user.0)).filter(dsl::lane.eq(lane));
    diesel::update(counted.filter(dsl::failures.gt(0)))
        .set(dsl::failures.eq(dsl::failures - 1))
        .execute(conn)?;
    Ok(())
}

/// The right password came from outside, or from a known lane: there nothing counts any more.
pub(crate) fn clear_lanes(
    conn: &mut PgConnection,
    user: UserId,
    outside: bool,
    known: bool,
) -> Result<(), Fault> {
    use password_lanes::dsl;
    let of_user = password_lanes::table.filter(dsl::user_id.eq(user.0));
    match (outside, known) {
        (true, true) => diesel::delete(of_user).execute(conn)?,
        (true, false) => diesel::delete(of_user.filter(dsl::lane.eq(UNKNOWN_BROWSER))).execute(conn)?,
        (false, true) => diesel::delete(of_user.filter(dsl::lane.ne(UNKNOWN_BROWSER))).execute(conn)?,
        (false, false) => 0,
    };
    Ok(())
}
