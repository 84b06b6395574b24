//! Pending log-ins: the password was verified, the second factor is next.

use std::time::Duration;

use diesel::dsl::now;
use diesel::pg::PgConnection;
use diesel::prelude::*;
use diesel::sql_query;
use diesel::sql_types::BigInt;
use diesel::sql_types::Uuid as SqlUuid;
use uuid::Uuid;

use crate::db::schema::pending_logins;
use crate::db::{Fault, time as clock};
use crate::identity::{Client, UserId};
use crate::secret::TokenHash;

/// A log-in that waits for its second factor.
pub(crate) struct PendingLogin {
    pub user: UserId,
    /// SHA-256 of the password hash that was verified.
    pub password_fingerprint: [u8; 32],
    pub remember: bool,
}

/// Deletes all but the `most` newest pending log-ins of a user.
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
            dsl::proven.eq(pending.password_fingerprint.as_slice()),
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
    let Some((user, fingerprint, remember)) = row else { return Ok(None) };
    let password_fingerprint = fingerprint
        .try_into()
        .map_err(|_| Fault::bug("a pending log-in without the fingerprint of a hash"))?;
    Ok(Some(PendingLogin { user: UserId(user), password_fingerprint, remember }))
}

/// Whether this call deleted it.
pub(crate) fn delete_pending_login(conn: &mut PgConnection, key_hash: &TokenHash) -> Result<bool, Fault> {
    let row = pending_logins::table.filter(pending_logins::key_hash.eq(key_hash.as_slice()));
    Ok(diesel::delete(row).execute(conn)? == 1)
}
