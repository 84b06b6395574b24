//! Second factors: log-ins that wait for one, authenticator apps, recovery codes. Whoever changes any of them has
//! locked the user's row.

use diesel::dsl::exists;
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
use crate::db::schema::{passkeys, pending_logins, recovery_codes, totp, users};
use crate::identity::UserId;
use crate::secret::TokenHash;

/// Whether the password alone is not enough: there is an app, or a passkey whose owner did not choose otherwise.
pub(crate) fn has_second_factor(conn: &mut PgConnection, user: UserId) -> Result<bool, Fault> {
    let apps = totp::table.filter(totp::user_id.eq(user.0)).filter(totp::active_at.is_not_null());
    let required = users::password_alone_since.is_null().or(users::password_alone_until.is_not_null());
    let keys = passkeys::table.inner_join(users::table).filter(users::id.eq(user.0)).filter(required);
    Ok(diesel::select(exists(apps).or(exists(keys))).get_result(conn)?)
}

/// What is known of somebody's authenticator app.
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

/// A seed that waits for its first code; `false` when one is in use already.
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

/// From now on codes of later steps than `step` count.
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
    /// The database's clock, not that of when we began to wait for the row.
    #[diesel(sql_type = BigInt)]
    pub seconds: i64,
}

/// Counts a guess before anybody looks at it, and answers what to check it by; nothing (and nothing counted) where
/// `most` were counted or there is no app. Holds the row until the transaction ends: parallel guesses queue.
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

/// The guess was right: whether its step was still free, which from then on it is not.
pub(crate) fn consume_totp_step(conn: &mut PgConnection, user: UserId, step: i64) -> Result<bool, Fault> {
    let free = totp::table.filter(totp::user_id.eq(user.0)).filter(totp::last_step.lt(step));
    Ok(diesel::update(free).set((totp::last_step.eq(step), totp::failures.eq(0))).execute(conn)? == 1)
}

/// A code that was right once is no guess.
pub(crate) fn refund_totp_attempt(conn: &mut PgConnection, user: UserId) -> Result<(), Fault> {
    diesel::update(totp::table.filter(totp::user_id.eq(user.0)))
        .set(totp::failures.eq(totp::failures - 1))
        .execute(conn)?;
    Ok(())
}

/// Seconds since 1970 by the database's clock.
pub(crate) fn unix_seconds(conn: &mut PgConnection) -> Result<i64, Fault> {
    #[derive(QueryableByName)]
    struct Seconds {
        #[diesel(sql_type = BigInt)]
        seconds: i64,
    }
    let read: Seconds = sql_query("SELECT floor(extract(epoch FROM clock_timestamp()))::bigint AS seconds")
        .get_result(conn)?;
    Ok(read.seconds)
}

/// Whether there was one in use.
pub(crate) fn delete_totp(conn: &mut PgConnection, user: UserId) -> Result<bool, Fault> {
    let gone: Vec<Option<OffsetDateTime>> = diesel::delete(totp::table.filter(totp::user_id.eq(user.0)))
        .returning(totp::active_at)
        .get_results(conn)?;
    Ok(gone.into_iter().flatten().next().is_some())
}

/// Seeds that another secret than the one with this id sealed, of users after this one.
pub(crate) fn seeds_not_sealed_with(
    conn: &mut PgConnection,
    seal_id: &[u8],
    after: Uuid,
    limit: i64,
) -> Result<Vec<(UserId, Vec<u8>)>, Fault> {
    #[derive(QueryableByName)]
    struct Seed {
        #[diesel(sql_type = SqlUuid)]
        user_id: Uuid,
        #[diesel(sql_type = Binary)]
        sealed_seed: Vec<u8>,
    }
    let seeds: Vec<Seed> = sql_query(
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

/// These instead of whatever there was.
pub(crate) fn replace_recovery_codes(
    conn: &mut PgConnection,
    user: UserId,
    hashes: &[TokenHash],
) -> Result<(), Fault> {
    use recovery_codes::dsl;
    delete_recovery_codes(conn, user)?;
    let rows: Vec<_> =
        hashes.iter().map(|hash| (dsl::code_hash.eq(hash.as_slice()), dsl::user_id.eq(user.0))).collect();
    diesel::insert_into(recovery_codes::table).values(rows).execute(conn)?;
    Ok(())
}

/// Whether this call used it up.
pub(crate) fn use_recovery_code(
    conn: &mut PgConnection,
    user: UserId,
    hash: &TokenHash,
) -> Result<bool, Fault> {
    let code = recovery_codes::table
        .filter(recovery_codes::code_hash.eq(hash.as_slice()))
        .filter(recovery_codes::user_id.eq(user.0));
    Ok(diesel::delete(code).execute(conn)? == 1)
}

pub(crate) fn recovery_codes_left(conn: &mut PgConnection, user: UserId) -> Result<usize, Fault> {
    let count: i64 =
        recovery_codes::table.filter(recovery_codes::user_id.eq(user.0)).count().get_result(conn)?;
    Ok(usize::try_from(count).unwrap_or(0))
}

/// When they were made; nothing where none are left.
pub(crate) fn recovery_codes_made_at(
    conn: &mut PgConnection,
    user: UserId,
) -> Result<Option<OffsetDateTime>, Fault> {
    use recovery_codes::dsl;
    let of = recovery_codes::table.filter(dsl::user_id.eq(user.0));
    Ok(of.select(diesel::dsl::max(dsl::created_at)).get_result(conn)?)
}

/// How many of `hashes` are unused codes of theirs.
pub(crate) fn count_recovery_codes(
    conn: &mut PgConnection,
    user: UserId,
    hashes: &[TokenHash],
) -> Result<usize, Fault> {
    let hashes: Vec<&[u8]> = hashes.iter().map(<[u8; 32]>::as_slice).collect();
    let count: i64 = recovery_codes::table
        .filter(recovery_codes::user_id.eq(user.0))
        .filter(recovery_codes::code_hash.eq_any(hashes))
        .count()
        .get_result(conn)?;
    Ok(usize::try_from(count).unwrap_or(0))
}

/// Sealed seeds, some of them if they are many.
pub(crate) fn sealed_seeds(conn: &mut PgConnection, most: i64) -> Result<Vec<Vec<u8>>, Fault> {
    Ok(totp::table.limit(most).select(totp::sealed_seed).load(conn)?)
}

pub(crate) fn delete_recovery_codes(conn: &mut PgConnection, user: UserId) -> Result<(), Fault> {
    diesel::delete(recovery_codes::table.filter(recovery_codes::user_id.eq(user.0))).execute(conn)?;
    Ok(())
}

pub(crate) fn delete_pending_logins_of(conn: &mut PgConnection, user: UserId) -> Result<(), Fault> {
    diesel::delete(pending_logins::table.filter(pending_logins::user_id.eq(user.0))).execute(conn)?;
    Ok(())
}
