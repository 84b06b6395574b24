//! Counters of attempts. Each statement locks the row of its counter, so parallel attempts queue.

use diesel::pg::PgConnection;
use diesel::prelude::*;
use diesel::sql_query;
use diesel::sql_types::Bool;
use diesel::sql_types::Double;
use diesel::sql_types::Integer;
use diesel::sql_types::Text;

use crate::db::Fault;
use crate::db::schema::throttles::{self, dsl};
use crate::throttle::backoff::Backoff;

/// Counts one attempt, sets when the next is admitted and returns how many there have been; counts nothing and returns
/// `None` while the counter blocks.
///
/// * `free`: attempts without a wait.
/// * `backoff`: the waits after those, and the age at which the count starts again at zero.
pub(crate) fn count_attempt(
    conn: &mut PgConnection,
    counter: &str,
    free: i32,
    backoff: &Backoff,
) -> Result<Option<i32>, Fault> {
    let counted: Option<Failures> = sql_query(
        "INSERT INTO throttles AS t (bucket, failures, counting_since, blocked_until) \
         VALUES ($1, 1, now(), CASE WHEN $2 < 1 THEN now() + make_interval(secs => $3) END) \
         ON CONFLICT (bucket) DO UPDATE SET (failures, counting_since, blocked_until) = ( \
             SELECT n.failures, n.since, CASE WHEN n.failures > $2 \
                 THEN now() + make_interval(secs => least($3 * 2.0 ^ least(n.failures - $2 - 1, 30), $4)) END \
             FROM (SELECT CASE WHEN stale THEN 1 ELSE t.failures + 1 END AS failures, \
                          CASE WHEN stale THEN now() ELSE t.counting_since END AS since \
                   FROM (SELECT t.counting_since < now() - make_interval(secs => $5) AS stale) s) n) \
         WHERE t.blocked_until IS NULL OR t.blocked_until <= now() \
         RETURNING failures",
    )
    .bind::<Text, _>(counter)
    .bind::<Integer, _>(free)
    .bind::<Double, _>(f64::from(backoff.first.as_secs()))
    .bind::<Double, _>(f64::from(backoff.longest.as_secs()))
    .bind::<Double, _>(f64::from(backoff.forget_after.as_secs()))
    .get_result(conn)
    .optional()?;
    Ok(counted.map(|counted| counted.failures))
}

#[derive(QueryableByName)]
struct Failures {
    #[diesel(sql_type = Integer)]
    failures: i32,
}

#[derive(QueryableByName)]
struct RemainingSeconds {
    #[diesel(sql_type = Double)]
    seconds: f64,
}

/// Seconds until the counter admits an attempt, rounded up.
pub(crate) fn blocked_for(conn: &mut PgConnection, counter: &str) -> Result<i64, Fault> {
    let rest: Option<RemainingSeconds> = sql_query(
        "SELECT coalesce(extract(epoch FROM blocked_until - now()), 0)::float8 AS seconds FROM throttles WHERE bucket = $1",
    )
    .bind::<Text, _>(counter)
    .get_result(conn)
    .optional()?;
    Ok(rest.map_or(0, |rest| rest.seconds.ceil() as i64))
}

/// Takes one attempt back and, if `unblock`, lifts the block: past the free attempts, each admitted one blocks all
/// others, so the block in force is the one that this attempt set.
pub(crate) fn refund(conn: &mut PgConnection, counter: &str, unblock: bool) -> Result<(), Fault> {
    sql_query(
        "UPDATE throttles SET failures = greatest(failures - 1, 0), \
             blocked_until = CASE WHEN $2 THEN NULL ELSE blocked_until END WHERE bucket = $1",
    )
    .bind::<Text, _>(counter)
    .bind::<Bool, _>(unblock)
    .execute(conn)?;
    Ok(())
}

pub(crate) fn delete_counter(conn: &mut PgConnection, counter: &str) -> Result<(), Fault> {
    diesel::delete(throttles::table.filter(dsl::bucket.eq(counter))).execute(conn)?;
    Ok(())
}
