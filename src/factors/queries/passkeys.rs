//! Passkeys, and the questions that wait for one.

use std::time::Duration;

use diesel::dsl::now;
use diesel::pg::PgConnection;
use diesel::prelude::*;
use serde_json::Value;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::db::Fault;
use crate::db::schema::{ceremonies, passkeys, users};
use crate::db::time::interval;
use crate::factors::passkeys::{Ceremony, CeremonyPurpose, Passkey, PasskeyId, StoredPasskey};
use crate::identity::UserId;

/// Keeps the question; of those this browser was asked before, the newest `at_once` stay.
pub(crate) fn insert_ceremony(
    conn: &mut PgConnection,
    ceremony: &Ceremony,
    answer_within: Duration,
    at_once: i64,
) -> Result<(), Fault> {
    use ceremonies::dsl;
    diesel::insert_into(ceremonies::table)
        .values((
            dsl::challenge_hash.eq(ceremony.challenge_hash.as_slice()),
            dsl::browser.eq(ceremony.browser.as_slice()),
            dsl::purpose.eq(ceremony.purpose.as_str()),
            dsl::state.eq(&ceremony.state),
            dsl::expires_at.eq(crate::db::time::now() + interval(answer_within)),
        ))
        .execute(conn)?;
    let older: Vec<Vec<u8>> = ceremonies::table
        .filter(dsl::browser.eq(ceremony.browser.as_slice()))
        .order((dsl::expires_at.desc(), dsl::challenge_hash))
        .offset(at_once)
        .select(dsl::challenge_hash)
        .load(conn)?;
    if !older.is_empty() {
        diesel::delete(ceremonies::table.filter(dsl::challenge_hash.eq_any(older))).execute(conn)?;
    }
    Ok(())
}

/// The state of a question that is still open, which from then on it is not. Somebody else's stays open.
pub(crate) fn take_ceremony(
    conn: &mut PgConnection,
    challenge_hash: &[u8; 32],
    browser: &[u8; 32],
    purpose: CeremonyPurpose,
) -> Result<Option<Value>, Fault> {
    use ceremonies::dsl;
    let asked = ceremonies::table
        .filter(dsl::challenge_hash.eq(challenge_hash.as_slice()))
        .filter(dsl::browser.eq(browser.as_slice()))
        .filter(dsl::purpose.eq(purpose.as_str()))
        .filter(dsl::expires_at.gt(now));
    Ok(diesel::delete(asked).returning(dsl::state).get_result(conn).optional()?)
}

type Row = (Uuid, String, OffsetDateTime, Option<OffsetDateTime>, Option<OffsetDateTime>);

pub(crate) fn passkeys_of(conn: &mut PgConnection, user: UserId) -> Result<Vec<Passkey>, Fault> {
    use passkeys::dsl;
    let rows: Vec<Row> = passkeys::table
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

/// Whether the person has a passkey.
pub(crate) fn has_passkey(conn: &mut PgConnection, user: UserId) -> Result<bool, Fault> {
    let of = passkeys::table.filter(passkeys::user_id.eq(user.0));
    Ok(diesel::select(diesel::dsl::exists(of)).get_result(conn)?)
}

/// The passkey with this id, while its owner may log in.
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

/// Locks the passkey's row and answers what webauthn-rs keeps of it, if it is still there.
pub(crate) fn lock_passkey(conn: &mut PgConnection, id: PasskeyId) -> Result<Option<Value>, Fault> {
    let row = passkeys::table.filter(passkeys::id.eq(id.0));
    Ok(row.for_update().select(passkeys::credential).first(conn).optional()?)
}

/// `false` when somebody has it already.
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

/// Whether it was not suspected before.
pub(crate) fn mark_passkey_suspect(conn: &mut PgConnection, id: PasskeyId) -> Result<bool, Fault> {
    let trusted = passkeys::table.filter(passkeys::id.eq(id.0)).filter(passkeys::suspect_since.is_null());
    Ok(diesel::update(trusted).set(passkeys::suspect_since.eq(now)).execute(conn)? == 1)
}

/// The name it had, if it is theirs.
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

/// The name it had, if it was theirs.
pub(crate) fn delete_passkey(
    conn: &mut PgConnection,
    user: UserId,
    id: PasskeyId,
) -> Result<Option<String>, Fault> {
    let own = passkeys::table.filter(passkeys::id.eq(id.0)).filter(passkeys::user_id.eq(user.0));
    Ok(diesel::delete(own).returning(passkeys::name).get_result(conn).optional()?)
}

/// Who has a passkey is asked for it after the password, from now on.
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

/// The password alone logs in, although there is a passkey. Whether it did not before.
pub(crate) fn allow_password_alone(conn: &mut PgConnection, user: UserId) -> Result<bool, Fault> {
    let required = users::password_alone_since.is_null().or(users::password_alone_until.is_not_null());
    let row = users::table.filter(users::id.eq(user.0)).filter(required);
    let values =
        (users::password_alone_since.eq(now), users::password_alone_until.eq(None::<OffsetDateTime>));
    Ok(diesel::update(row).set(values).execute(conn)? == 1)
}

/// The passkey is asked for after the password again. Whether it was not before.
pub(crate) fn end_password_alone(conn: &mut PgConnection, user: UserId) -> Result<bool, Fault> {
    let waived = users::table
        .filter(users::id.eq(user.0))
        .filter(users::password_alone_since.is_not_null())
        .filter(users::password_alone_until.is_null());
    Ok(diesel::update(waived).set(users::password_alone_until.eq(now)).execute(conn)? == 1)
}
