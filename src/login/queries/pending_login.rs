//! PendingLogin log-ins: password accepted, second factor still to be proven.

use std::time::Duration;

use diesel::dsl::now;
use diesel::pg::PgConnection;
use diesel::prelude::*;
use diesel::sql_query;
use diesel::sql_types::BigInt;
use diesel::sql_types::Uuid as SqlUuid;
use uuid::Uuid;

use crate::db::schema::{pending_logins, users};
use crate::db::{Fault, time as clock};
use crate::identity::{Client, UserId};
use crate::login::pending_login::{PendingLogin, fingerprint};
use crate::passwords::PasswordHash;
use crate::secret::TokenHash;

/// Ends all but the `most` newest of somebody's waiting log-ins.
pub(crate) fn keep_newest_pending_logins(
    conn: &mut PgConnection,
    user: UserId,
    most: i64,
) -> Result<(), Fault> {
    sql_query(
        "DELETE FROM pending_logins WHERE key_hash IN \
         (SELECT key_hash FROM pending_logins WHERE user_id = $1 ORDER BY expires_at DESC OFFSET $2)",
    )
    .bind::<SqlUuid, _>(user.0)
    .bind::<BigInt, _>(most)
    .execute(conn)?;
    Ok(())
}

pub(crate) fn insert_pending_login(
    conn: &mut PgConnection,
    key_hash: &TokenHash,
    pending: &PendingLogin,
    client: &Client,
    good_for: Duration,
) -> Result<(), Fault> {
    use pending_logins::dsl;
    diesel::insert_into(pending_logins::table)
        .values((
            dsl::key_hash.eq(key_hash.as_slice()),
            dsl::user_id.eq(pending.user.0),
            dsl::proven.eq(pending.proven.as_slice()),
            dsl::remember.eq(pending.remember),
            dsl::address.eq(&client.address),
            dsl::user_agent.eq(&client.user_agent),
            dsl::expires_at.eq(clock::now() + clock::interval(good_for)),
        ))
        .execute(conn)?;
    Ok(())
}

pub(crate) fn pending_login(
    conn: &mut PgConnection,
    key_hash: &TokenHash,
) -> Result<Option<PendingLogin>, Fault> {
    use pending_logins::dsl;
    let row: Option<(Uuid, Vec<u8>, bool)> = pending_logins::table
        .filter(dsl::key_hash.eq(key_hash.as_slice()))
        .filter(dsl::expires_at.gt(now))
        .select((dsl::user_id, dsl::proven, dsl::remember))
        .first(conn)
        .optional()?;
    let Some((user, proven, remember)) = row else { return Ok(None) };
    let proven = proven.try_into().map_err(|_| Fault::Bug("a pending log-in has no hash".into()))?;
    Ok(Some(PendingLogin { user: UserId(user), proven, remember }))
}

/// Locks the user's row and says whether they are still active with the password that was proven.
pub(crate) fn lock_if_fingerprint_matches(
    conn: &mut PgConnection,
    user: UserId,
    proven: &[u8; 32],
) -> Result<bool, Fault> {
    let hash: Option<Option<String>> = users::table
        .filter(users::id.eq(user.0))
        .filter(users::disabled_at.is_null())
        .for_update()
        .select(users::password_hash)
        .first(conn)
        .optional()?;
    Ok(hash.flatten().is_some_and(|hash| fingerprint(&PasswordHash::stored(hash)) == *proven))
}

/// Whether this call ended it.
pub(crate) fn delete_pending_login(conn: &mut PgConnection, key_hash: &TokenHash) -> Result<bool, Fault> {
    let row = pending_logins::table.filter(pending_logins::key_hash.eq(key_hash.as_slice()));
    Ok(diesel::delete(row).execute(conn)? == 1)
}
