//! Users: finding, locking, changing.

use ::time::OffsetDateTime;
use diesel::dsl::now;
use diesel::pg::{Pg, PgConnection};
use diesel::prelude::*;
use diesel::result::{DatabaseErrorKind, Error};
use diesel::sql_types::{Nullable, Text};
use uuid::Uuid;

use crate::accounts::authenticate::Known;
use crate::accounts::password::PasswordHash;
use crate::accounts::{Addressee, Email, EmailKey, Name, Role, User, UserId};
use crate::db::Fault;
use crate::db::schema::users::{self, dsl};
use latchkey_sessions::schema::sessions as session_rows;
use latchkey_sessions::{self as sessions, Change, Handle, KeyHash, Live};

#[derive(Queryable, Selectable)]
#[diesel(table_name = users, check_for_backend(Pg))]
struct Row {
    id: Uuid,
    name: String,
    role: String,
}

impl TryFrom<Row> for User {
    type Error = Fault;

    fn try_from(Row { id, name, role }: Row) -> Result<Self, Fault> {
        // An unknown role grants nothing: better no user than a guess.
        let role = Role::parse(&role)
            .ok_or_else(|| Fault::bug(format_args!("user {id} has the unknown role {role:?}")))?;
        Ok(Self { id: UserId(id), name: name.into(), role })
    }
}

/// The live sessions that `keys` open with their users, in one query. Those of disabled users are not among them.
pub(in crate::accounts) fn live_users(
    conn: &mut PgConnection,
    keys: &[KeyHash],
) -> Result<Vec<Live<User>>, Fault> {
    let rows = sessions::live_rows!(<User as sessions::Owner>::KIND, sessions::bytes(keys))
        .inner_join(users::table.on(dsl::id.eq(session_rows::principal)))
        .filter(dsl::disabled_at.is_null())
        .select(sessions::live_columns!(Row::as_select()))
        .load::<(_, _, _, _, Row)>(conn)?;
    rows.into_iter()
        .map(|(key, record, others, read_at, user)| {
            Ok(sessions::Row::try_from((key, record, others, read_at))?.owned_by(User::try_from(user)?))
        })
        .collect()
}

/// Whom to write to, while they may log in.
pub(in crate::accounts) fn addressee(
    conn: &mut PgConnection,
    id: UserId,
) -> Result<Option<Addressee>, Fault> {
    Ok(active().filter(dsl::id.eq(id.0)).first(conn).optional()?.map(addressed))
}

pub(in crate::accounts) fn addressee_at(
    conn: &mut PgConnection,
    email_key: &EmailKey,
) -> Result<Option<Addressee>, Fault> {
    let active = of_mailbox(email_key).filter(dsl::disabled_at.is_null());
    Ok(active.select((dsl::id, dsl::name, dsl::email)).first(conn).optional()?.map(addressed))
}

diesel::define_sql_function! { fn coalesce(first: Nullable<Text>, second: Text) -> Text; }

/// What a row's address is compared by, the same for every spelling: the index `users_mailbox` is on it.
#[diesel::dsl::auto_type]
pub(super) fn mailbox() -> _ {
    coalesce(dsl::email_idn_key, dsl::email_key)
}

/// The user of a mailbox, whichever spelling their row has. If two accounts have one mailbox
/// (docs/decisions/email-keys.md), the one whose spelling was typed comes first.
fn of_mailbox(key: &EmailKey) -> users::BoxedQuery<'_, Pg> {
    users::table
        .filter(mailbox().eq_any(key.spellings()))
        .order((dsl::email_key.eq(key.as_typed()).desc(), mailbox().eq(key.as_str()).desc()))
        .into_boxed()
}

/// Who has an address.
pub(in crate::accounts) enum Occupant {
    Active(Addressee),
    /// They cannot log in, so no letter would help them.
    Disabled,
    /// The address is kept for an account that had it before.
    Reserved {
        until: OffsetDateTime,
    },
}

/// Who has the address. Sends the same queries for every answer.
pub(in crate::accounts) fn occupant(
    conn: &mut PgConnection,
    email_key: &EmailKey,
) -> Result<Option<Occupant>, Fault> {
    let row: Option<(Uuid, String, String, bool)> = of_mailbox(email_key)
        .select((dsl::id, dsl::name, dsl::email, dsl::disabled_at.is_not_null()))
        .first(conn)
        .optional()?;
    let reserved = super::reserved_until(conn, email_key, None)?;
    Ok(match (row, reserved) {
        (Some((.., true)), _) => Some(Occupant::Disabled),
        (Some((id, name, email, false)), _) => Some(Occupant::Active(addressed((id, name, email)))),
        (None, reserved) => reserved.map(|until| Occupant::Reserved { until }),
    })
}

#[diesel::dsl::auto_type]
fn active() -> _ {
    users::table.filter(dsl::disabled_at.is_null()).select((dsl::id, dsl::name, dsl::email))
}

fn addressed((id, name, email): (Uuid, String, String)) -> Addressee {
    Addressee { id: UserId(id), name, email }
}

pub(in crate::accounts) fn user_id(
    conn: &mut PgConnection,
    email_key: &EmailKey,
) -> Result<Option<UserId>, Fault> {
    Ok(of_mailbox(email_key).select(dsl::id).first(conn).optional()?.map(UserId))
}

pub(in crate::accounts) fn email_of(conn: &mut PgConnection, id: UserId) -> Result<Option<Email>, Fault> {
    let email: Option<String> =
        users::table.filter(dsl::id.eq(id.0)).select(dsl::email).first(conn).optional()?;
    Ok(email.as_deref().map(Email::stored))
}

/// Whether the address is theirs now; `false` when somebody else has it.
pub(in crate::accounts) fn set_email(
    conn: &mut PgConnection,
    id: UserId,
    email: &Email,
) -> Result<bool, Fault> {
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
        match super::reserved_until(conn, email_key, user)? {
            None => Ok(value),
            Some(_) => Err(Error::RollbackTransaction),
        }
    });
    match done {
        Err(Error::RollbackTransaction) => Ok(None),
        done => done.map(Some),
    }
}

/// Whose live session it is.
pub(in crate::accounts) fn session_owner(
    conn: &mut PgConnection,
    session: Handle,
) -> Result<Option<UserId>, Fault> {
    let row = session_rows::table
        .filter(session_rows::handle.eq(session))
        .filter(session_rows::kind.eq(<User as sessions::Owner>::KIND));
    Ok(row.select(session_rows::principal).first(conn).optional()?.map(UserId))
}

pub(in crate::accounts) fn has_logged_in(conn: &mut PgConnection, id: UserId) -> Result<bool, Fault> {
    let last: Option<Option<OffsetDateTime>> =
        users::table.filter(dsl::id.eq(id.0)).select(dsl::last_login_at).first(conn).optional()?;
    Ok(last.flatten().is_some())
}

/// Whom to check a password against; nobody where the account is disabled.
pub(in crate::accounts) fn known(
    conn: &mut PgConnection,
    email_key: &EmailKey,
) -> Result<Option<Known>, Fault> {
    let row: Option<(Uuid, Option<String>)> = of_mailbox(email_key)
        .filter(dsl::disabled_at.is_null())
        .select((dsl::id, dsl::password_hash))
        .first(conn)
        .optional()?;
    Ok(row.map(|(id, hash)| Known { id: UserId(id), hash: hash.map(PasswordHash::stored) }))
}

pub(in crate::accounts) fn password_hash(
    conn: &mut PgConnection,
    id: UserId,
) -> Result<Option<PasswordHash>, Fault> {
    let hash: Option<Option<String>> =
        users::table.filter(dsl::id.eq(id.0)).select(dsl::password_hash).first(conn).optional()?;
    Ok(hash.flatten().map(PasswordHash::stored))
}

/// Locks the user's row and says whether they are still active with the password that was checked.
pub(in crate::accounts) fn lock_with_hash(
    conn: &mut PgConnection,
    id: UserId,
    checked: Option<&PasswordHash>,
) -> Result<bool, Fault> {
    let hash = lock_hash(conn, id)?;
    Ok(hash.is_some_and(|hash| Some(hash.as_str()) == checked.map(PasswordHash::as_str)))
}

/// Locks the user's row and gives the hash that is in it; none where they are disabled or have no password.
pub(in crate::accounts) fn lock_hash(
    conn: &mut PgConnection,
    id: UserId,
) -> Result<Option<PasswordHash>, Fault> {
    let hash: Option<Option<String>> = users::table
        .filter(dsl::id.eq(id.0))
        .filter(dsl::disabled_at.is_null())
        .for_update()
        .select(dsl::password_hash)
        .first(conn)
        .optional()?;
    Ok(hash.flatten().map(PasswordHash::stored))
}

/// Locks the user's row and says whether they may log in.
pub(in crate::accounts) fn lock_active(conn: &mut PgConnection, id: UserId) -> Result<bool, Fault> {
    let found: Option<Uuid> = users::table
        .filter(dsl::id.eq(id.0))
        .filter(dsl::disabled_at.is_null())
        .for_update()
        .select(dsl::id)
        .first(conn)
        .optional()?;
    Ok(found.is_some())
}

pub(in crate::accounts) fn lock_user(conn: &mut PgConnection, id: UserId) -> Result<bool, Fault> {
    let found: Option<Uuid> =
        users::table.filter(dsl::id.eq(id.0)).for_update().select(dsl::id).first(conn).optional()?;
    Ok(found.is_some())
}

/// Whether a user administers: neither disabled nor about to be deleted.
#[diesel::dsl::auto_type]
pub(in crate::accounts) fn is_active_admin() -> _ {
    let admin: &'static str = Role::Admin.as_str();
    dsl::role.eq(admin).and(dsl::disabled_at.is_null()).and(dsl::delete_after.is_null())
}

/// The ids of those who administer.
#[diesel::dsl::auto_type]
pub(in crate::accounts) fn active_admins() -> _ {
    users::table.filter(is_active_admin()).select(dsl::id)
}

/// Locks every active administrator, in one order for all.
pub(in crate::accounts) fn lock_admins(conn: &mut PgConnection) -> Result<Vec<UserId>, Fault> {
    let ids: Vec<Uuid> = active_admins().order(dsl::id).for_update().load(conn)?;
    Ok(ids.into_iter().map(UserId).collect())
}

/// `None` when the address is taken, or kept for an account that can take it back.
pub(in crate::accounts) fn insert_user(
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

pub(in crate::accounts) fn note_login(conn: &mut PgConnection, id: UserId) -> Result<(), Fault> {
    let row = users::table.filter(dsl::id.eq(id.0));
    diesel::update(row).set(dsl::last_login_at.eq(now)).execute(conn)?;
    Ok(())
}

/// `changed`: the person chose it; otherwise it is the same password hashed anew.
pub(in crate::accounts) fn set_password(
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

/// From now on no password is theirs, until they choose a new one.
pub(in crate::accounts) fn drop_password(conn: &mut PgConnection, id: UserId) -> Result<(), Fault> {
    let row = users::table.filter(dsl::id.eq(id.0));
    diesel::update(row).set(dsl::password_hash.eq(None::<String>)).execute(conn)?;
    Ok(())
}

pub(in crate::accounts) fn set_name(change: &mut Change<'_>, id: UserId, name: &Name) -> Result<(), Fault> {
    change.recall();
    let row = users::table.filter(dsl::id.eq(id.0));
    diesel::update(row).set(dsl::name.eq(name.as_str())).execute(&mut **change)?;
    Ok(())
}

/// Whether anything changed.
pub(in crate::accounts) fn set_role(change: &mut Change<'_>, id: UserId, role: Role) -> Result<bool, Fault> {
    change.recall();
    let row = users::table.filter(dsl::id.eq(id.0)).filter(dsl::role.ne(role.as_str()));
    Ok(diesel::update(row).set(dsl::role.eq(role.as_str())).execute(&mut **change)? > 0)
}

/// Whether anything changed.
pub(in crate::accounts) fn set_disabled(
    change: &mut Change<'_>,
    id: UserId,
    disabled: bool,
) -> Result<bool, Fault> {
    change.recall();
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

pub(in crate::accounts) fn has_admin(conn: &mut PgConnection) -> Result<bool, Fault> {
    Ok(diesel::select(diesel::dsl::exists(users::table.filter(dsl::role.eq(Role::Admin.as_str()))))
        .get_result(conn)?)
}
