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
use crate::login::authenticate::PasswordRecord;
use crate::passwords::PasswordHash;

/// Some password hash that is kept, always the same one for the same `at` while it is: the first from there on.
pub(crate) fn decoy_hash(conn: &mut PgConnection, at: Uuid) -> Result<Option<PasswordHash>, Fault> {
    let hashes = || {
        users::table
            .filter(dsl::password_hash.is_not_null())
            .order(dsl::id)
            .select(dsl::password_hash.assume_not_null())
            .into_boxed()
    };
    let found: Option<String> = hashes().filter(dsl::id.ge(at)).first(conn).optional()?;
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

/// Whom to check a password against; nobody where the account is disabled.
pub(crate) fn password_record(
    conn: &mut PgConnection,
    email_key: &EmailKey,
) -> Result<Option<PasswordRecord>, Fault> {
    let row: Option<(Uuid, Option<String>)> = of_mailbox(email_key)
        .filter(dsl::disabled_at.is_null())
        .select((dsl::id, dsl::password_hash))
        .first(conn)
        .optional()?;
    Ok(row.map(|(id, hash)| PasswordRecord { id: UserId(id), hash: hash.map(PasswordHash::stored) }))
}

pub(crate) fn password_hash(conn: &mut PgConnection, id: UserId) -> Result<Option<PasswordHash>, Fault> {
    let hash: Option<Option<String>> =
        users::table.filter(dsl::id.eq(id.0)).select(dsl::password_hash).first(conn).optional()?;
    Ok(hash.flatten().map(PasswordHash::stored))
}

/// Locks the user's row and says whether they are still active with the password that was checked.
pub(crate) fn lock_if_password_unchanged(
    conn: &mut PgConnection,
    id: UserId,
    checked: Option<&PasswordHash>,
) -> Result<bool, Fault> {
    let hash = lock_password_hash(conn, id)?;
    Ok(hash.is_some_and(|hash| Some(hash.as_str()) == checked.map(PasswordHash::as_str)))
}

/// Locks the user's row and gives the hash that is in it; none where they are disabled or have no password.
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

/// `changed`: the person chose it; otherwise it is the same password hashed anew.
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
