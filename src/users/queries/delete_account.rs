//! Deletion of accounts.

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
use crate::notices::LinkPurpose;
use latchkey_sessions::SessionTx;

/// Requests the deletion, and returns its time; `None` if it was requested before.
pub(crate) fn set_delete_after(
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

/// Locks one user whose deletion is due. Skips users whose row is locked, because they may be logging in.
pub(crate) fn lock_due_account(conn: &mut PgConnection) -> Result<Option<(UserId, Email)>, Fault> {
    let row: Option<(Uuid, String)> = users::table
        .filter(dsl::delete_after.le(moments::now().nullable()))
        // By deleting the account, an attacker must not remove the owner's link to restore the old address.
        .filter(not(exists(
            account_links::table
                .filter(account_links::user_id.eq(dsl::id))
                .filter(account_links::purpose.eq(LinkPurpose::UndoEmail.as_str()))
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

/// Deletes the user with all referencing rows, and the registrations and invitations for the address.
pub(crate) fn delete_user(tx: &mut SessionTx<'_>, id: UserId, email: &EmailKey) -> Result<(), Fault> {
    tx.invalidates();
    let conn = &mut **tx;
    crate::registration::queries::drop_registrations(conn, email)?;
    diesel::delete(invitations::table.filter(lower(invitations::email).eq_any(email.spellings())))
        .execute(conn)?;
    diesel::delete(users::table.filter(dsl::id.eq(id.0))).execute(conn)?;
    Ok(())
}

/// Blanks address, browser and detail of the user's events; the hash chain does not depend on them.
pub(crate) fn erase_from_audit_trail(
    conn: &mut PgConnection,
    id: UserId,
    email: &EmailKey,
) -> Result<i64, Fault> {
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
