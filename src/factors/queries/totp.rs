//! Authenticator apps. Callers that change one have locked the user's row.

use diesel::dsl::now;
use diesel::pg::PgConnection;
use diesel::prelude::*;
use diesel::sql_query;
use diesel::sql_types::BigInt;
use diesel::sql_types::Binary;
use diesel::sql_types::Integer;
use diesel::sql_types::Uuid as SqlUuid;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::db::Fault;
use crate::db::schema::totp;
use crate::identity::UserId;

/// The authenticator app of a user.
#[derive(Queryable)]
pub(crate) struct TotpRow {
    pub sealed_seed: Vec<u8>,
    pub active_at: Option<OffsetDateTime>,
    pub failures: i32,
    pub created_at: OffsetDateTime,
}

pub(crate) fn totp(conn: &mut PgConnection, user: UserId) -> Result<Option<TotpRow>, Fault> {
    use totp::dsl;
    let row = totp::table.filter(dsl::user_id.eq(user.0));
    Ok(row
        .select((dsl::sealed_seed, dsl::active_at, dsl::failures, dsl::created_at))
        .first(conn)
        .optional()?)
}

/// Stores a seed that is not in use yet; `false` if the user has an app in use.
pub(crate) fn insert_totp_enrolment(
    conn: &mut PgConnection,
    user: UserId,
    sealed_seed: &[u8],
) -> Result<bool, Fault> {
    let rows = sql_query(
        "INSERT INTO totp (user_id, sealed_seed) VALUES ($1, $2) ON CONFLICT (user_id) DO UPDATE \
         SET sealed_seed = excluded.sealed_seed, created_at = now() WHERE totp.active_at IS NULL",
    )
    .bind::<SqlUuid, _>(user.0)
    .bind::<Binary, _>(sealed_seed)
    .execute(conn)?;
    Ok(rows == 1)
}

/// Puts the app into use. Codes of steps after `step` are accepted from now on.
pub(crate) fn activate_totp(conn: &mut PgConnection, user: UserId, step: i64) -> Result<(), Fault> {
    diesel::update(totp::table.filter(totp::user_id.eq(user.0)))
        .set((totp::active_at.eq(now), totp::last_step.eq(step), totp::failures.eq(0)))
        .execute(conn)?;
    Ok(())
}

#[derive(QueryableByName)]
pub(crate) struct CountedTotpAttempt {
    #[diesel(sql_type = Binary)]
    pub sealed_seed: Vec<u8>,
    #[diesel(sql_type = Integer)]
    pub failures: i32,
    /// By the database's clock when the row was locked, not when the statement began to wait for it.
    #[diesel(sql_type = BigInt)]
    pub seconds: i64,
}

/// Counts an attempt before the code is checked, and gives what to check it with. `None`, and nothing is counted, if
/// `most` attempts were counted or the user has no app. Holds the row until the transaction ends, so that parallel
/// attempts wait for each other.
pub(crate) fn count_totp_attempt(
    conn: &mut PgConnection,
    user: UserId,
    most: i32,
) -> Result<Option<CountedTotpAttempt>, Fault> {
    Ok(sql_query(
        "UPDATE totp SET failures = failures + 1 \
         WHERE user_id = $1 AND active_at IS NOT NULL AND failures < $2 \
         RETURNING sealed_seed, failures, floor(extract(epoch FROM clock_timestamp()))::bigint AS seconds",
    )
    .bind::<SqlUuid, _>(user.0)
    .bind::<Integer, _>(most)
    .get_result(conn)
    .optional()?)
}

/// Consumes the step of a correct code; `false` if it was consumed before.
pub(crate) fn consume_totp_step(conn: &mut PgConnection, user: UserId, step: i64) -> Result<bool, Fault> {
    let free = totp::table.filter(totp::user_id.eq(user.0)).filter(totp::last_step.lt(step));
    Ok(diesel::update(free).set((totp::last_step.eq(step), totp::failures.eq(0))).execute(conn)? == 1)
}

/// Refunds an attempt with a code that was accepted before: it is not a guess.
pub(crate) fn refund_totp_attempt(conn: &mut PgConnection, user: UserId) -> Result<(), Fault> {
    diesel::update(totp::table.filter(totp::user_id.eq(user.0)))
        .set(totp::failures.eq(totp::failures - 1))
        .execute(conn)?;
    Ok(())
}

/// Seconds since 1970 by the database's clock.
pub(crate) fn unix_seconds(conn: &mut PgConnection) -> Result<i64, Fault> {
    #[derive(QueryableByName)]
    struct UnixSeconds {
        #[diesel(sql_type = BigInt)]
        seconds: i64,
    }
    let read: UnixSeconds =
        sql_query("SELECT floor(extract(epoch FROM clock_timestamp()))::bigint AS seconds")
            .get_result(conn)?;
    Ok(read.seconds)
}

/// Whether an app in use was deleted.
pub(crate) fn delete_totp(conn: &mut PgConnection, user: UserId) -> Result<bool, Fault> {
    let gone: Vec<Option<OffsetDateTime>> = diesel::delete(totp::table.filter(totp::user_id.eq(user.0)))
        .returning(totp::active_at)
        .get_results(conn)?;
    Ok(gone.into_iter().flatten().next().is_some())
}

/// Seeds sealed with another secret than the one with this id, of users after `after`.
pub(crate) fn seeds_not_sealed_with(
    conn: &mut PgConnection,
    seal_id: &[u8],
    after: Uuid,
    limit: i64,
) -> Result<Vec<(UserId, Vec<u8>)>, Fault> {
    #[derive(QueryableByName)]
    struct SealedSeed {
        #[diesel(sql_type = SqlUuid)]
        user_id: Uuid,
        #[diesel(sql_type = Binary)]
        sealed_seed: Vec<u8>,
    }
    let seeds: Vec<SealedSeed> = sql_query(
        "SELECT user_id, sealed_seed FROM totp WHERE substring(sealed_seed FROM 1 FOR $1) <> $2 \
         AND user_id > $3 ORDER BY user_id LIMIT $4",
    )
    .bind::<Integer, _>(i32::try_from(seal_id.len()).unwrap_or(0))
    .bind::<Binary, _>(seal_id)
    .bind::<SqlUuid, _>(after)
    .bind::<BigInt, _>(limit)
    .load(conn)?;
    Ok(seeds.into_iter().map(|seed| (UserId(seed.user_id), seed.sealed_seed)).collect())
}

pub(crate) fn replace_sealed_seed(
    conn: &mut PgConnection,
    user: UserId,
    old: &[u8],
    new: &[u8],
) -> Result<(), Fault> {
    let same = totp::table.filter(totp::user_id.eq(user.0)).filter(totp::sealed_seed.eq(old));
    diesel::update(same).set(totp::sealed_seed.eq(new)).execute(conn)?;
    Ok(())
}

/// At most `most` sealed seeds.
pub(crate) fn sealed_seeds(conn: &mut PgConnection, most: i64) -> Result<Vec<Vec<u8>>, Fault> {
    Ok(totp::table.limit(most).select(totp::sealed_seed).load(conn)?)
}
