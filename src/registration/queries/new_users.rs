//! Creating users.

use ::time::OffsetDateTime;
use diesel::pg::PgConnection;
use diesel::prelude::*;
use diesel::result::Error;
use uuid::Uuid;

use crate::db::Fault;
use crate::db::schema::users::{self, dsl};
use crate::identity::queries::{of_mailbox, to_recipient};
use crate::identity::{Email, EmailKey, Recipient, Role, UserId};
use crate::registration::queries::addresses::reserved_until;

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
    let reserved = reserved_until(conn, email_key, None)?;
    Ok(match (row, reserved) {
        (Some((.., true)), _) => Some(AddressHolder::Disabled),
        (Some((id, name, email, false)), _) => Some(AddressHolder::Active(to_recipient((id, name, email)))),
        (None, reserved) => reserved.map(|until| AddressHolder::Reserved { until }),
    })
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

/// Runs `work`, which sets the address of an account, in a savepoint. `None`, with the savepoint rolled back, if the
/// address is reserved for another account than `user`. That is checked after `work`, which waits until transactions that
/// release the address have committed.
pub(crate) fn unless_reserved<T>(
    conn: &mut PgConnection,
    email_key: &EmailKey,
    user: Option<UserId>,
    work: impl FnOnce(&mut PgConnection) -> QueryResult<T>,
) -> QueryResult<Option<T>> {
    let done = conn.transaction(|conn| {
        let value = work(conn)?;
        match reserved_until(conn, email_key, user)? {
            None => Ok(value),
            Some(_) => Err(Error::RollbackTransaction),
        }
    });
    match done {
        Err(Error::RollbackTransaction) => Ok(None),
        done => done.map(Some),
    }
}

pub(crate) fn has_admin(conn: &mut PgConnection) -> Result<bool, Fault> {
    Ok(diesel::select(diesel::dsl::exists(users::table.filter(dsl::role.eq(Role::Admin.as_str()))))
        .get_result(conn)?)
}
