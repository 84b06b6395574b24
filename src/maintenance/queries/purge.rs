//! Deletion of expired rows, and the record of the last run. Locked rows are left for the next run.

use std::time::Duration;

use ::time::OffsetDateTime;
use diesel::dsl::now;
use diesel::dsl::sql;
use diesel::pg::PgConnection;
use diesel::prelude::*;
use diesel::sql_query;
use diesel::sql_types::BigInt;
use diesel::sql_types::Bool;
use diesel::sql_types::Interval;

use crate::db::schema::upkeep::{self, dsl};
use crate::db::{Fault, time};

/// The last purge by any instance.
#[derive(Clone, Copy, Debug)]
pub struct LastPurge {
    pub ended_at: OffsetDateTime,
    /// By the database's clock.
    pub ago: Duration,
    pub rows: i64,
}

/// Deletes at most `$1` rows of a table, and none that another transaction has locked.
macro_rules! delete {
    ($table:literal, $condition:literal) => {
        concat!(
            "DELETE FROM ",
            $table,
            " WHERE ctid = ANY (ARRAY(SELECT ctid FROM ",
            $table,
            " WHERE ",
            $condition,
            " LIMIT $1 FOR UPDATE SKIP LOCKED))"
        )
    };
}

/// Rows that no statement reads any more.
pub(crate) const EXPIRED: [&str; 10] = [
    delete!("registrations", "expires_at < now()"),
    delete!("user_tokens", "expires_at < now()"),
    delete!("decoy_tokens", "expires_at < now()"),
    delete!("account_links", "expires_at < now()"),
    delete!("known_browsers", "expires_at < now()"),
    delete!("pending_logins", "expires_at < now()"),
    // Long after the set-up has expired.
    delete!("totp", "active_at IS NULL AND created_at < now() - interval '1 day'"),
    delete!("ceremonies", "expires_at < now()"),
    delete!("app_entries", "expires_at < now()"),
    delete!("tokens", "expires_at < now()"),
];

/// Deletes one batch.
pub(crate) fn delete_expired(
    conn: &mut PgConnection,
    statement: &'static str,
    batch: i64,
) -> Result<usize, Fault> {
    Ok(sql_query(statement).bind::<BigInt, _>(batch).execute(conn)?)
}

/// Counters that the next attempt would reset.
pub(crate) fn delete_counters(
    conn: &mut PgConnection,
    forget_after: Duration,
    batch: i64,
) -> Result<usize, Fault> {
    Ok(sql_query(
        "DELETE FROM throttles WHERE ctid = ANY (ARRAY( \
             SELECT ctid FROM throttles WHERE counting_since < now() - $1 AND coalesce(blocked_until < now(), true) \
             LIMIT $2 FOR UPDATE SKIP LOCKED))",
    )
    .bind::<Interval, _>(time::to_interval(forget_after))
    .bind::<BigInt, _>(batch)
    .execute(conn)?)
}

/// Deletes the oldest audit events, and writes a checkpoint of the hash chain.
pub(crate) fn forget_audit_events(
    conn: &mut PgConnection,
    keep: Duration,
    batch: i64,
) -> Result<usize, Fault> {
    let forgotten: i64 = diesel::select(
        sql::<BigInt>("audit_forget(")
            .bind::<Interval, _>(time::to_interval(keep))
            .sql(", ")
            .bind::<BigInt, _>(batch)
            .sql(")"),
    )
    .get_result(conn)?;
    Ok(usize::try_from(forgotten).unwrap_or(0))
}

/// `false` if another instance holds the lock, which ends with the transaction.
pub(crate) fn try_purge_lock(conn: &mut PgConnection) -> Result<bool, Fault> {
    let lock = sql::<Bool>("pg_try_advisory_xact_lock(hashtext('latchkey.tidy'))");
    Ok(diesel::select(lock).get_result(conn)?)
}

pub(crate) fn record_purge(conn: &mut PgConnection, name: &str, rows: i64) -> Result<(), Fault> {
    let values = (dsl::ended_at.eq(now), dsl::rows.eq(rows));
    diesel::insert_into(upkeep::table)
        .values((dsl::name.eq(name), values))
        .on_conflict(dsl::name)
        .do_update()
        .set(values)
        .execute(conn)?;
    Ok(())
}

pub(crate) fn last_purge(conn: &mut PgConnection, name: &str) -> Result<Option<LastPurge>, Fault> {
    let row: Option<(OffsetDateTime, i64, OffsetDateTime)> = upkeep::table
        .filter(dsl::name.eq(name))
        .select((dsl::ended_at, dsl::rows, time::now()))
        .first(conn)
        .optional()?;
    Ok(row.map(|(ended_at, rows, at)| LastPurge {
        ended_at,
        ago: (at - ended_at).try_into().unwrap_or_default(),
        rows,
    }))
}
