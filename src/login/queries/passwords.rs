//! Password hashes and the last log-in of a user.

use ::time::OffsetDateTime;
use diesel::dsl::now;
use diesel::pg::PgConnection;
use diesel::prelude::*;
use uuid::Uuid;

use crate::db::Fault;
use crate::db::schema::users::{self, dsl};
use crate::identity::queries::of_mailbox;
use crate::identity::{EmailKey, UserId};
use crate::passwords::PasswordHash;

/// What a password is verified against.
#[derive(Clone)]
pub(crate) struct PasswordRecord {
    pub user: UserId,
    pub hash: Option<PasswordHash>,
}

/// The hash of the first user with a password from `position` on: the same one for one position, as long as that user
/// exists.
pub(crate) fn decoy_hash(conn: &mut PgConnection, position: Uuid) -> Result<Option<PasswordHash>, Fault> {
    let hashes = || {
        users::table
            .filter(dsl::password_hash.is_not_null())
            .order(dsl::id)
            .select(dsl::password_hash.assume_not_null())
            .into_boxed()
    };
    let found: Option<String> = hashes().filter(dsl::id.ge(position)).first(conn).optional()?;
    let found = match found {
        Some(hash) => Some(hash),
        None => hashes().first(conn).optional()?,
    };
    Ok(found.map(PasswordHash::stored))
}

pub(crate) fn has_logged_in(conn: &mut PgConnection, id: UserId) -> Result<bool, Fault> {
    let last: Option<Option<OffsetDateTime>> =
        users::table.filter(dsl::id.eq(id.0)).select(dsl::last_login_at).first(conn).optional()?;
    Ok(last.flatten().is_some())
}

/// The active user with this address.
pub(crate) fn password_record(
    conn: &mut PgConnection,
    email_key: &EmailKey,
) -> Result<Option<PasswordRecord>, Fault> {
    let row: Option<(Uuid, Option<String>)> = of_mailbox(email_key)
        .filter(dsl::disabled_at.is_null())
        .select((dsl::id, dsl::password_hash))
        .first(conn)
        .optional()?;
    Ok(row.map(|(id, hash)| PasswordRecord { user: UserId(id), hash: hash.map(PasswordHash::stored) }))
}

pub(crate) fn password_hash(conn: &mut PgConnection, id: UserId) -> Result<Option<PasswordHash>, Fault> {
    let hash: Option<Option<String>> =
        users::table.filter(dsl::id.eq(id.0)).select(dsl::password_hash).first(conn).optional()?;
    Ok(hash.flatten().map(PasswordHash::stored))
}

/// Locks the user's row. `false` if the user is disabled, or the password changed since `checked` was read.
pub(crate) fn lock_if_password_unchanged(
    conn: &mut PgConnection,
    id: UserId,
    checked: Option<&PasswordHash>,
) -> Result<bool, Fault> {
    let hash = lock_password_hash(conn, id)?;
    Ok(hash.is_some_and(|hash| Some(hash.as_str()) == checked.map(PasswordHash::as_str)))
}

/// Locks the user's row and reads its hash; `None` if the user is disabled or has no password.
pub(crate) fn lock_password_hash(conn: &mut PgConnection, id: UserId) -> Result<Option<PasswordHash>, Fault> {
    let hash: Option<Option<String>> = users::table
        .filter(dsl::id.eq(id.0))
        .filter(dsl::disabled_at.is_null())
        .for_update()
        .select(dsl::password_hash)
        .first(conn)
        .optional()?;
    Ok(hash.flatten().map(PasswordHash::stored))
}

pub(crate) fn record_login(conn: &mut PgConnection, id: UserId) -> Result<(), Fault> {
    let row = users::table.filter(dsl::id.eq(id.0));
    diesel::update(row).set(dsl::last_login_at.eq(now)).execute(conn)?;
    Ok(())
}

/// `changed`: a new password; otherwise a new hash of the same password.
pub(crate) fn set_password(
    conn: &mut PgConnection,
    id: UserId,
    hash: &PasswordHash,
    changed: bool,
) -> Result<(), Fault> {
    let row = users::table.filter(dsl::id.eq(id.0));
    if changed {
        diesel::update(row)
            .set((dsl::password_hash.eq(hash.as_str()), dsl::password_changed_at.eq(now)))
            .execute(conn)?;
    } else {
        diesel::update(row).set(dsl::password_hash.eq(hash.as_str())).execute(conn)?;
    }
    Ok(())
}
