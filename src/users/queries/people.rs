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
use crate::identity::queries::{active_admins, addressed, of_mailbox};
use crate::identity::{Addressee, Email, EmailKey, Name, Role, UserId};
use latchkey_sessions::SessionTx;

/// Who has an address.
pub(crate) enum Occupant {
    Active(Addressee),
    /// They cannot log in, so no letter would help them.
    Disabled,
    /// The address is kept for an account that had it before.
    Reserved {
        until: OffsetDateTime,
    },
}

/// Who has the address. Sends the same queries for every answer.
pub(crate) fn occupant(conn: &mut PgConnection, email_key: &EmailKey) -> Result<Option<Occupant>, Fault> {
    let row: Option<(Uuid, String, String, bool)> = of_mailbox(email_key)
        .select((dsl::id, dsl::name, dsl::email, dsl::disabled_at.is_not_null()))
        .first(conn)
        .optional()?;
    let reserved = crate::users::queries::addresses::reserved_until(conn, email_key, None)?;
    Ok(match (row, reserved) {
        (Some((.., true)), _) => Some(Occupant::Disabled),
        (Some((id, name, email, false)), _) => Some(Occupant::Active(addressed((id, name, email)))),
        (None, reserved) => reserved.map(|until| Occupant::Reserved { until }),
    })
}

/// Whether the address is theirs now; `false` when somebody else has it.
pub(crate) fn set_email(conn: &mut PgConnection, id: UserId, email: &Email) -> Result<bool, Fault> {
    let row = users::table.filter(dsl::id.eq(id.0));
    // In a savepoint: who registers it at this very moment wins, and the rest of our transaction stands.
    let set = unless_reserved(conn, email.key(), Some(id), |conn| {
        let key = email.key();
        diesel::update(row)
            .set((dsl::email.eq(email.as_str()), dsl::email_key.eq(key.as_typed())))
            .execute(conn)?;
        // By itself: a statement that sets `email_key` clears this column, for versions that do not know it.
        diesel::update(row).set(dsl::email_idn_key.eq(key.idn())).execute(conn)
    });
    match set {
        Ok(changed) => Ok(changed == Some(1)),
        Err(Error::DatabaseError(DatabaseErrorKind::UniqueViolation, _)) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Runs `work`, which gives an account this address, in a savepoint. `None`, and nothing was done, if the address is kept
/// for another account than `user`. Asked after `work`: only then have others who had the address committed.
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

/// Locks every active administrator, in one order for all.
pub(crate) fn lock_admins(conn: &mut PgConnection) -> Result<Vec<UserId>, Fault> {
    let ids: Vec<Uuid> = active_admins().order(dsl::id).for_update().load(conn)?;
    Ok(ids.into_iter().map(UserId).collect())
}

/// `None` when the address is taken, or kept for an account that can take it back.
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

pub(crate) fn set_name(change: &mut SessionTx<'_>, id: UserId, name: &Name) -> Result<(), Fault> {
    change.invalidates();
    let row = users::table.filter(dsl::id.eq(id.0));
    diesel::update(row).set(dsl::name.eq(name.as_str())).execute(&mut **change)?;
    Ok(())
}

/// Whether anything changed.
pub(crate) fn set_role(change: &mut SessionTx<'_>, id: UserId, role: Role) -> Result<bool, Fault> {
    change.invalidates();
    let row = users::table.filter(dsl::id.eq(id.0)).filter(dsl::role.ne(role.as_str()));
    Ok(diesel::update(row).set(dsl::role.eq(role.as_str())).execute(&mut **change)? > 0)
}

/// Whether anything changed.
pub(crate) fn set_disabled(change: &mut SessionTx<'_>, id: UserId, disabled: bool) -> Result<bool, Fault> {
    change.invalidates();
    let row = users::table.filter(dsl::id.eq(id.0));
    let changed = if disabled {
        diesel::update(row.filter(dsl::disabled_at.is_null()))
            .set(dsl::disabled_at.eq(now))
            .execute(&mut **change)?
    } else {
        diesel::update(row.filter(dsl::disabled_at.is_not_null()))
            .set(dsl::disabled_at.eq(None::<OffsetDateTime>))
            .execute(&mut **change)?
    };
    Ok(changed > 0)
}

pub(crate) fn has_admin(conn: &mut PgConnection) -> Result<bool, Fault> {
    Ok(diesel::select(diesel::dsl::exists(users::table.filter(dsl::role.eq(Role::Admin.as_str()))))
        .get_result(conn)?)
}
