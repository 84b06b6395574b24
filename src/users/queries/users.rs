//! Creating and changing users.

use ::time::OffsetDateTime;
use diesel::dsl::now;
use diesel::pg::PgConnection;
use diesel::prelude::*;
use diesel::result::DatabaseErrorKind;
use diesel::result::Error;
use uuid::Uuid;

use crate::db::Fault;
use crate::db::schema::users::{self, dsl};
use crate::identity::queries::{active_admins, of_mailbox, to_recipient};
use crate::identity::{Email, EmailKey, Name, Recipient, Role, UserId};
use latchkey_sessions::SessionTx;

/// The account that has an address.
pub(crate) enum AddressHolder {
    Active(Recipient),
    /// The user cannot log in, so an email would not help.
    Disabled,
    /// Reserved for an account that had it before.
    Reserved {
        until: OffsetDateTime,
    },
}

/// Runs the same queries for every result.
pub(crate) fn address_holder(
    conn: &mut PgConnection,
    email_key: &EmailKey,
) -> Result<Option<AddressHolder>, Fault> {
    let row: Option<(Uuid, String, String, bool)> = of_mailbox(email_key)
        .select((dsl::id, dsl::name, dsl::email, dsl::disabled_at.is_not_null()))
        .first(conn)
        .optional()?;
    let reserved = crate::users::queries::addresses::reserved_until(conn, email_key, None)?;
    Ok(match (row, reserved) {
        (Some((.., true)), _) => Some(AddressHolder::Disabled),
        (Some((id, name, email, false)), _) => Some(AddressHolder::Active(to_recipient((id, name, email)))),
        (None, reserved) => reserved.map(|until| AddressHolder::Reserved { until }),
    })
}

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

/// Runs `work`, which sets the address of an account, in a savepoint. `None`, with the savepoint rolled back, if the
/// address is reserved for another account than `user`. That is checked after `work`, which waits until transactions that
/// release the address have committed.
fn unless_reserved<T>(
    conn: &mut PgConnection,
    email_key: &EmailKey,
    user: Option<UserId>,
    work: impl FnOnce(&mut PgConnection) -> QueryResult<T>,
) -> QueryResult<Option<T>> {
    let done = conn.transaction(|conn| {
        let value = work(conn)?;
        match crate::users::queries::addresses::reserved_until(conn, email_key, user)? {
            None => Ok(value),
            Some(_) => Err(Error::RollbackTransaction),
        }
    });
    match done {
        Err(Error::RollbackTransaction) => Ok(None),
        done => done.map(Some),
    }
}

/// Locks every active administrator, always in the same order.
pub(crate) fn lock_admins(conn: &mut PgConnection) -> Result<Vec<UserId>, Fault> {
    let ids: Vec<Uuid> = active_admins().order(dsl::id).for_update().load(conn)?;
    Ok(ids.into_iter().map(UserId).collect())
}

/// `None` if the address is taken, or reserved for another account.
pub(crate) fn insert_user(
    conn: &mut PgConnection,
    email: &Email,
    name: &str,
    role: Role,
    password_hash: Option<&str>,
) -> Result<Option<UserId>, Fault> {
    let id: Option<Option<Uuid>> = unless_reserved(conn, email.key(), None, |conn| {
        diesel::insert_into(users::table)
            .values((
                dsl::email.eq(email.as_str()),
                dsl::email_key.eq(email.key().as_typed()),
                dsl::email_idn_key.eq(email.key().idn()),
                dsl::name.eq(name),
                dsl::role.eq(role.as_str()),
                dsl::password_hash.eq(password_hash),
            ))
            .on_conflict_do_nothing()
            .returning(dsl::id)
            .get_result(conn)
            .optional()
    })?;
    Ok(id.flatten().map(UserId))
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

pub(crate) fn has_admin(conn: &mut PgConnection) -> Result<bool, Fault> {
    Ok(diesel::select(diesel::dsl::exists(users::table.filter(dsl::role.eq(Role::Admin.as_str()))))
        .get_result(conn)?)
}
