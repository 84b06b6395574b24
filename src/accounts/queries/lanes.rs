//! Known browsers, and wrong passwords by lane. Counting is done with the user's row locked, which is what makes it exact.

use std::time::Duration;

use diesel::dsl::{exists, now};
use diesel::pg::PgConnection;
use diesel::prelude::*;

use crate::accounts::UserId;
use crate::accounts::lanes::{OUTSIDE, Standing};
use crate::db::schema::{known_browsers, password_lanes};
use crate::db::{Fault, time};
use crate::secret::TokenHash;

/// Browsers one person is known in: more than anybody uses, and a bound.
const MOST: i64 = 20;

/// Whether `user` has logged in with this browser before.
pub(in crate::accounts) fn knows_browser(
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

/// Whether anybody has: then it is a proof we gave out, not one somebody made up.
pub(in crate::accounts) fn gave_out(conn: &mut PgConnection, browser: &TokenHash) -> Result<bool, Fault> {
    use known_browsers::dsl;
    let known =
        known_browsers::table.filter(dsl::token_hash.eq(browser.as_slice())).filter(dsl::expires_at.gt(now));
    Ok(diesel::select(exists(known)).get_result(conn)?)
}

/// `user` was let in here. The browsers longest unused make room.
pub(in crate::accounts) fn note_browser(
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
        .offset(MOST)
        .select(dsl::token_hash)
        .load(conn)?;
    if !too_many.is_empty() {
        let gone = known_browsers::table.filter(dsl::user_id.eq(user.0));
        diesel::delete(gone.filter(dsl::token_hash.eq_any(too_many))).execute(conn)?;
    }
    Ok(())
}

/// How `lane` of `user` stands. Exact for whoever holds the user's row.
pub(in crate::accounts) fn standing(
    conn: &mut PgConnection,
    user: UserId,
    lane: &str,
) -> Result<Standing, Fault> {
    let lanes = lanes(conn, user)?;
    let sum = |matches: &dyn Fn(&str) -> bool| -> i32 {
        lanes.iter().filter(|(name, _)| matches(name)).map(|(_, failures)| failures).sum()
    };
    let kept = known_browsers::table
        .filter(known_browsers::user_id.eq(user.0))
        .filter(known_browsers::expires_at.gt(now));
    Ok(Standing {
        outside: sum(&|name| name == OUTSIDE),
        known: sum(&|name| name != OUTSIDE),
        own: sum(&|name| name == lane),
        keeps_share: diesel::select(exists(kept)).get_result(conn)?,
    })
}

pub(in crate::accounts) fn lanes(conn: &mut PgConnection, user: UserId) -> Result<Vec<(String, i32)>, Fault> {
    use password_lanes::dsl;
    Ok(password_lanes::table.filter(dsl::user_id.eq(user.0)).select((dsl::lane, dsl::failures)).load(conn)?)
}

pub(in crate::accounts) fn count_in_lane(
    conn: &mut PgConnection,
    user: UserId,
    lane: &str,
) -> Result<(), Fault> {
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
pub(in crate::accounts) fn uncount_in_lane(
    conn: &mut PgConnection,
    user: UserId,
    lane: &str,
) -> Result<(), Fault> {
    use password_lanes::dsl;
    let counted = password_lanes::table.filter(dsl::user_id.eq(user.0)).filter(dsl::lane.eq(lane));
    diesel::update(counted.filter(dsl::failures.gt(0)))
        .set(dsl::failures.eq(dsl::failures - 1))
        .execute(conn)?;
    Ok(())
}

/// The right password came from outside, or from a known lane: there nothing counts any more.
pub(in crate::accounts) fn clear_lanes(
    conn: &mut PgConnection,
    user: UserId,
    outside: bool,
    known: bool,
) -> Result<(), Fault> {
    use password_lanes::dsl;
    let of_user = password_lanes::table.filter(dsl::user_id.eq(user.0));
    match (outside, known) {
        (true, true) => diesel::delete(of_user).execute(conn)?,
        (true, false) => diesel::delete(of_user.filter(dsl::lane.eq(OUTSIDE))).execute(conn)?,
        (false, true) => diesel::delete(of_user.filter(dsl::lane.ne(OUTSIDE))).execute(conn)?,
        (false, false) => 0,
    };
    Ok(())
}
