//! People who leave, and what is kept of a person.

use std::time::Duration;

use diesel::dsl::exists;
use diesel::dsl::not;
use diesel::dsl::sql;
use diesel::pg::PgConnection;
use diesel::prelude::*;
use diesel::sql_types::BigInt;
use diesel::sql_types::Text;
use diesel::sql_types::Uuid as SqlUuid;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::db::schema::users::{self, dsl};
use crate::db::schema::{account_links, invitations};
use crate::db::{Fault, time as moments};
use crate::identity::queries::lower;
use crate::identity::{Email, EmailKey, UserId};
use crate::notices::Purpose;
use latchkey_sessions::SessionTx;

/// When they are deleted; `None` when they were leaving already.
pub(crate) fn set_leaving(
    conn: &mut PgConnection,
    id: UserId,
    grace: Duration,
) -> Result<Option<OffsetDateTime>, Fault> {
    let row = users::table.filter(dsl::id.eq(id.0)).filter(dsl::delete_after.is_null());
    Ok(diesel::update(row)
        .set(dsl::delete_after.eq((moments::now() + moments::interval(grace)).nullable()))
        .returning(dsl::delete_after)
        .get_result::<Option<OffsetDateTime>>(conn)
        .optional()?
        .flatten())
}

/// Somebody whose time is over, with their address. One who is logging in just now is left alone.
pub(crate) fn lock_one_gone(conn: &mut PgConnection) -> Result<Option<(UserId, Email)>, Fault> {
    let row: Option<(Uuid, String)> = users::table
        .filter(dsl::delete_after.le(moments::now().nullable()))
        // A thief must not end the way back to the address from before by deleting the account.
        .filter(not(exists(
            account_links::table
                .filter(account_links::user_id.eq(dsl::id))
                .filter(account_links::purpose.eq(Purpose::UndoEmail.as_str()))
                .filter(account_links::expires_at.gt(moments::now())),
        )))
        .order(dsl::delete_after)
        .for_update()
        .skip_locked()
        .select((dsl::id, dsl::email))
        .first(conn)
        .optional()?;
    Ok(row.map(|(id, email)| (UserId(id), Email::stored(&email))))
}

/// The person, with all that refers to them, and what was sent to their address without knowing them.
pub(crate) fn delete_person(change: &mut SessionTx<'_>, id: UserId, email: &EmailKey) -> Result<(), Fault> {
    change.invalidates();
    let conn = &mut **change;
    crate::users::queries::registrations::drop_registrations(conn, email)?;
    diesel::delete(invitations::table.filter(lower(invitations::email).eq_any(email.spellings())))
        .execute(conn)?;
    diesel::delete(users::table.filter(dsl::id.eq(id.0))).execute(conn)?;
    Ok(())
}

/// Takes address, browser and detail out of their events; the chain of the trail holds without them.
pub(crate) fn erase_from_trail(conn: &mut PgConnection, id: UserId, email: &EmailKey) -> Result<i64, Fault> {
    let mut erased = 0;
    for spelling in email.spellings() {
        let call = sql::<BigInt>("audit_erase(")
            .bind::<SqlUuid, _>(id.0)
            .sql(", ")
            .bind::<Text, _>(spelling)
            .sql(")");
        erased += diesel::select(call).get_result::<i64>(conn)?;
    }
    Ok(erased)
}
