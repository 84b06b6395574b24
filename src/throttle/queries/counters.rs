//! Counting attempts. Each statement takes the bucket's row lock, so parallel attempts queue.

use diesel::pg::PgConnection;
use diesel::prelude::*;
use diesel::sql_query;
use diesel::sql_types::Bool;
use diesel::sql_types::Double;
use diesel::sql_types::Integer;
use diesel::sql_types::Text;

use crate::db::Fault;
use crate::db::schema::throttles::{self, dsl};
use crate::throttle::attempts::Backoff;

/// Counts one attempt, sets when the next may come and answers how many there were; `None` (and nothing counted) while
/// blocked. The count
/// begins anew a while after it began, however often the right password was given in between.
pub(crate) fn count_attempt(
    conn: &mut PgConnection,
    bucket: &str,
    free: i32,
    waits: &Backoff,
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
    .bind::<Text, _>(bucket)
    .bind::<Integer, _>(free)
    .bind::<Double, _>(f64::from(waits.first.as_secs()))
    .bind::<Double, _>(f64::from(waits.longest.as_secs()))
    .bind::<Double, _>(f64::from(waits.forget_after.as_secs()))
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
struct Seconds {
    #[diesel(sql_type = Double)]
    seconds: f64,
}

/// Seconds until the bucket takes an attempt again, rounded up.
pub(crate) fn blocked_for(conn: &mut PgConnection, bucket: &str) -> Result<i64, Fault> {
    let rest: Option<Seconds> = sql_query(
        "SELECT coalesce(extract(epoch FROM blocked_until - now()), 0)::float8 AS seconds FROM throttles WHERE bucket = $1",
    )
    .bind::<Text, _>(bucket)
    .get_result(conn)
    .optional()?;
    Ok(rest.map_or(0, |rest| rest.seconds.ceil() as i64))
}

/// One attempt fewer, and `at_once` no block: past the free attempts each one admitted blocks all others, so the block
/// that stands is the one this attempt set.
pub(crate) fn give_back(conn: &mut PgConnection, bucket: &str, at_once: bool) -> Result<(), Fault> {
    sql_query(
        "UPDATE throttles SET failures = greatest(failures - 1, 0), \
             blocked_until = CASE WHEN $2 THEN NULL ELSE blocked_until END WHERE bucket = $1",
    )
    .bind::<Text, _>(bucket)
    .bind::<Bool, _>(at_once)
    .execute(conn)?;
    Ok(())
}

pub(crate) fn clear_bucket(conn: &mut PgConnection, bucket: &str) -> Result<(), Fault> {
    diesel::delete(throttles::table.filter(dsl::bucket.eq(bucket))).execute(conn)?;
    Ok(())
}
