//! Changing users.

use ::time::OffsetDateTime;
use diesel::dsl::now;
use diesel::pg::PgConnection;
use diesel::prelude::*;
use diesel::result::DatabaseErrorKind;
use diesel::result::Error;
use uuid::Uuid;

use crate::db::schema::users::{self, dsl};
use crate::db::{Fault, time};
use crate::identity::queries::{active_admins, is_active_admin, to_recipient};
use crate::identity::{Email, Name, Recipient, Role, UserId};
use crate::registration::queries::unless_reserved;
use latchkey_sessions::SessionTx;

/// `false` if another account has the address.
pub(crate) fn set_email(conn: &mut PgConnection, id: UserId, email: &Email) -> Result<bool, Fault> {
    let row = users::table.filter(dsl::id.eq(id.0));
    // In a savepoint: if another transaction inserts the address first, the rest of this transaction can commit.
    let set = unless_reserved(conn, email.key(), Some(id), |conn| {
        let key = email.key();
        diesel::update(row)
            .set((dsl::email.eq(email.as_str()), dsl::email_key.eq(key.as_typed())))
            .execute(conn)?;
        // In its own statement: a statement that sets `email_key` clears this column, for versions that do not know it.
        diesel::update(row).set(dsl::email_idn_key.eq(key.idn())).execute(conn)
    });
    match set {
        Ok(changed) => Ok(changed == Some(1)),
        Err(Error::DatabaseError(DatabaseErrorKind::UniqueViolation, _)) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Locks every active administrator, always in the same order.
pub(crate) fn lock_admins(conn: &mut PgConnection) -> Result<Vec<UserId>, Fault> {
    let ids: Vec<Uuid> = active_admins().order(dsl::id).for_update().load(conn)?;
    Ok(ids.into_iter().map(UserId).collect())
}

/// Every administrator who is neither disabled nor about to be deleted.
pub(crate) fn active_administrators(conn: &mut PgConnection) -> Result<Vec<Recipient>, Fault> {
    let rows: Vec<(Uuid, String, String)> = users::table
        .filter(is_active_admin())
        .order(dsl::id)
        .select((dsl::id, dsl::name, dsl::email))
        .load(conn)?;
    Ok(rows.into_iter().map(to_recipient).collect())
}

pub(crate) fn set_name(tx: &mut SessionTx<'_>, id: UserId, name: &Name) -> Result<(), Fault> {
    tx.invalidates();
    let row = users::table.filter(dsl::id.eq(id.0));
    diesel::update(row).set(dsl::name.eq(name.as_str())).execute(&mut **tx)?;
    Ok(())
}

/// Returns the role before; `None` if it is the same, or if there is no such user.
pub(crate) fn set_role(tx: &mut SessionTx<'_>, id: UserId, role: Role) -> Result<Option<String>, Fault> {
    tx.invalidates();
    let row = users::table.filter(dsl::id.eq(id.0));
    let other = row.filter(dsl::role.ne(role.as_str())).for_update().select(dsl::role);
    let before: Option<String> = other.first(&mut **tx).optional()?;
    if before.is_some() {
        diesel::update(row).set(dsl::role.eq(role.as_str())).execute(&mut **tx)?;
    }
    Ok(before)
}

/// `false` if nothing changed.
pub(crate) fn set_disabled(tx: &mut SessionTx<'_>, id: UserId, disabled: bool) -> Result<bool, Fault> {
    tx.invalidates();
    let row = users::table.filter(dsl::id.eq(id.0));
    let changed = if disabled {
        diesel::update(row.filter(dsl::disabled_at.is_null()))
            .set(dsl::disabled_at.eq(now))
            .execute(&mut **tx)?
    } else {
        diesel::update(row.filter(dsl::disabled_at.is_not_null()))
            .set(dsl::disabled_at.eq(None::<OffsetDateTime>))
            .execute(&mut **tx)?
    };
    Ok(changed > 0)
}

/// The start of this transaction, which `created_at` of its rows will contain.
pub(crate) fn transaction_time(conn: &mut PgConnection) -> Result<OffsetDateTime, Fault> {
    Ok(diesel::select(time::now()).get_result(conn)?)
}
