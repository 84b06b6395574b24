//! Passkeys, and the choice whether the password alone logs in.

use diesel::dsl::now;
use diesel::pg::PgConnection;
use diesel::prelude::*;
use serde_json::Value;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::db::Fault;
use crate::db::schema::{passkeys, users};
use crate::factors::passkeys::model::{Passkey, PasskeyId, StoredPasskey};
use crate::identity::UserId;

type PasskeyRow = (Uuid, String, OffsetDateTime, Option<OffsetDateTime>, Option<OffsetDateTime>);

pub(crate) fn passkeys_of(conn: &mut PgConnection, user: UserId) -> Result<Vec<Passkey>, Fault> {
    use passkeys::dsl;
    let rows: Vec<PasskeyRow> = passkeys::table
        .filter(dsl::user_id.eq(user.0))
        .order((dsl::created_at, dsl::id))
        .select((dsl::id, dsl::name, dsl::created_at, dsl::last_used_at, dsl::suspect_since))
        .load(conn)?;
    let passkey = |(id, name, created_at, last_used_at, suspect_since)| Passkey {
        id: PasskeyId(id),
        name,
        created_at,
        last_used_at,
        suspect_since,
    };
    Ok(rows.into_iter().map(passkey).collect())
}

pub(crate) fn credential_ids(conn: &mut PgConnection, user: UserId) -> Result<Vec<Vec<u8>>, Fault> {
    use passkeys::dsl;
    let of = passkeys::table.filter(dsl::user_id.eq(user.0));
    Ok(of.order((dsl::created_at, dsl::id)).select(dsl::credential_id).load(conn)?)
}

pub(crate) fn has_passkey(conn: &mut PgConnection, user: UserId) -> Result<bool, Fault> {
    let of = passkeys::table.filter(passkeys::user_id.eq(user.0));
    Ok(diesel::select(diesel::dsl::exists(of)).get_result(conn)?)
}

/// The passkey with this credential id, unless its owner is disabled.
pub(crate) fn passkey_by_credential(
    conn: &mut PgConnection,
    credential_id: &[u8],
) -> Result<Option<StoredPasskey>, Fault> {
    use passkeys::dsl;
    let row: Option<(Uuid, Uuid, String, Value)> = passkeys::table
        .inner_join(users::table)
        .filter(dsl::credential_id.eq(credential_id))
        .filter(users::disabled_at.is_null())
        .select((dsl::id, dsl::user_id, dsl::name, dsl::credential))
        .first(conn)
        .optional()?;
    Ok(row.map(|(id, user, name, credential)| StoredPasskey {
        id: PasskeyId(id),
        user: UserId(user),
        name,
        credential,
    }))
}

/// Locks the passkey's row and reads the state of webauthn-rs; `None` if the passkey was removed.
pub(crate) fn lock_passkey(conn: &mut PgConnection, id: PasskeyId) -> Result<Option<Value>, Fault> {
    let row = passkeys::table.filter(passkeys::id.eq(id.0));
    Ok(row.for_update().select(passkeys::credential).first(conn).optional()?)
}

/// `false` if the credential is registered already.
pub(crate) fn insert_passkey(
    conn: &mut PgConnection,
    user: UserId,
    credential_id: &[u8],
    credential: &Value,
    name: &str,
) -> Result<bool, Fault> {
    use passkeys::dsl;
    let inserted = diesel::insert_into(passkeys::table)
        .values((
            dsl::user_id.eq(user.0),
            dsl::credential_id.eq(credential_id),
            dsl::credential.eq(credential),
            dsl::name.eq(name),
        ))
        .on_conflict(dsl::credential_id)
        .do_nothing()
        .execute(conn)?;
    Ok(inserted == 1)
}

pub(crate) fn update_passkey_credential(
    conn: &mut PgConnection,
    id: PasskeyId,
    credential: &Value,
) -> Result<(), Fault> {
    diesel::update(passkeys::table.filter(passkeys::id.eq(id.0)))
        .set((passkeys::credential.eq(credential), passkeys::last_used_at.eq(now)))
        .execute(conn)?;
    Ok(())
}

/// Whether this call marked it.
pub(crate) fn mark_passkey_suspect(conn: &mut PgConnection, id: PasskeyId) -> Result<bool, Fault> {
    let trusted = passkeys::table.filter(passkeys::id.eq(id.0)).filter(passkeys::suspect_since.is_null());
    Ok(diesel::update(trusted).set(passkeys::suspect_since.eq(now)).execute(conn)? == 1)
}

/// Returns the old name; `None` if the user has no such passkey.
pub(crate) fn rename_passkey(
    conn: &mut PgConnection,
    user: UserId,
    id: PasskeyId,
    name: &str,
) -> Result<Option<String>, Fault> {
    let own = passkeys::table.filter(passkeys::id.eq(id.0)).filter(passkeys::user_id.eq(user.0));
    let before: Option<String> = own.for_update().select(passkeys::name).first(conn).optional()?;
    if before.is_some() {
        diesel::update(passkeys::table.filter(passkeys::id.eq(id.0)))
            .set(passkeys::name.eq(name))
            .execute(conn)?;
    }
    Ok(before)
}

/// Returns the name; `None` if the user has no such passkey.
pub(crate) fn delete_passkey(
    conn: &mut PgConnection,
    user: UserId,
    id: PasskeyId,
) -> Result<Option<String>, Fault> {
    let own = passkeys::table.filter(passkeys::id.eq(id.0)).filter(passkeys::user_id.eq(user.0));
    Ok(diesel::delete(own).returning(passkeys::name).get_result(conn).optional()?)
}

/// Back to the default: a passkey is required after the password.
pub(crate) fn clear_password_alone_choice(conn: &mut PgConnection, user: UserId) -> Result<(), Fault> {
    let chosen = users::table.filter(users::id.eq(user.0)).filter(users::password_alone_since.is_not_null());
    diesel::update(chosen)
        .set((
            users::password_alone_since.eq(None::<OffsetDateTime>),
            users::password_alone_until.eq(None::<OffsetDateTime>),
        ))
        .execute(conn)?;
    Ok(())
}

/// The password alone logs in from now on; `false` if it did before.
pub(crate) fn allow_password_alone(conn: &mut PgConnection, user: UserId) -> Result<bool, Fault> {
    let required = users::password_alone_since.is_null().or(users::password_alone_until.is_not_null());
    let row = users::table.filter(users::id.eq(user.0)).filter(required);
    let values =
        (users::password_alone_since.eq(now), users::password_alone_until.eq(None::<OffsetDateTime>));
    Ok(diesel::update(row).set(values).execute(conn)? == 1)
}

/// The passkey is required after the password again; `false` if it was before.
pub(crate) fn end_password_alone(conn: &mut PgConnection, user: UserId) -> Result<bool, Fault> {
    let waived = users::table
        .filter(users::id.eq(user.0))
        .filter(users::password_alone_since.is_not_null())
        .filter(users::password_alone_until.is_null());
    Ok(diesel::update(waived).set(users::password_alone_until.eq(now)).execute(conn)? == 1)
}
