//! Finds and locks users.

use diesel::pg::Pg;
use diesel::pg::PgConnection;
use diesel::prelude::*;
use diesel::sql_types::Nullable;
use diesel::sql_types::Text;
use uuid::Uuid;

use crate::db::Fault;
use crate::db::schema::users::{self, dsl};
use crate::identity::email::{Email, EmailKey};
use crate::identity::group_name::GroupName;
use crate::identity::user::{EnrolledFactors, Recipient, Role, User, UserId};
use crate::unicode::domains;
use latchkey_sessions::schema::sessions as session_rows;
use latchkey_sessions::{Handle, KeyHash, LiveSession, Owner as _, owned, query_keys};

diesel::define_sql_function! { fn lower(text: Text) -> Text; }

#[derive(Queryable, Selectable)]
#[diesel(table_name = users, check_for_backend(Pg))]
pub(crate) struct SessionUserColumns {
    id: Uuid,
    name: String,
    email: String,
    role: String,
}

/// The columns of a user, the names of the groups, whether there is an authenticator app, and whether a passkey.
pub(crate) type SessionUser = (SessionUserColumns, Vec<String>, bool, bool);

pub(crate) fn session_user((user, groups, totp, passkey): SessionUser) -> Result<User, Fault> {
    let SessionUserColumns { id, name, email, role } = user;
    // An unknown role must not grant anything, so the session is not served.
    let role = Role::parse(&role)
        .ok_or_else(|| Fault::bug(format_args!("user {id} has the unknown role {role:?}")))?;
    // The database refuses other names.
    let groups = groups.iter().filter_map(|name| GroupName::parse(name).ok()).collect();
    let factors = EnrolledFactors { totp, passkey };
    Ok(User::new(role, factors, &name, &email, groups))
}

/// The user columns of a query on `users`, as [`session_user`] reads them.
macro_rules! session_user_columns {
    () => {{
        use diesel::dsl::{array, exists};
        use diesel::prelude::*;
        use $crate::db::schema::{group_members, passkeys, totp, users};
        let groups = group_members::table
            .filter(group_members::user_id.eq(users::id))
            .select(group_members::group_name);
        let apps = totp::table.filter(totp::user_id.eq(users::id)).filter(totp::active_at.is_not_null());
        let keys = passkeys::table.filter(passkeys::user_id.eq(users::id));
        (
            $crate::identity::queries::SessionUserColumns::as_select(),
            array::<diesel::sql_types::Text, _>(groups),
            exists(apps),
            exists(keys),
        )
    }};
}
pub(crate) use session_user_columns;

/// The live sessions of `keys` with their users, in one query, without those of disabled users.
pub(crate) fn live_users(conn: &mut PgConnection, keys: &[KeyHash]) -> Result<Vec<LiveSession<User>>, Fault> {
    let rows = latchkey_sessions::live_sessions!(User::KIND, query_keys(keys))
        .inner_join(users::table.on(dsl::id.eq(session_rows::principal)))
        .filter(dsl::disabled_at.is_null())
        .select(latchkey_sessions::live_columns!(session_user_columns!()))
        .load(conn)?;
    owned::<SessionUser, User>(rows, session_user)
}

/// The user of a mailbox as sessions cache them; `None` if the user is disabled.
pub(crate) fn user_at(
    conn: &mut PgConnection,
    email_key: &EmailKey,
) -> Result<Option<(UserId, User)>, Fault> {
    let Some(id) = user_id(conn, email_key)? else { return Ok(None) };
    Ok(active_user(conn, id)?.map(|user| (id, user)))
}

/// A user as sessions cache them; `None` if the user is disabled.
pub(crate) fn active_user(conn: &mut PgConnection, id: UserId) -> Result<Option<User>, Fault> {
    let row: Option<SessionUser> = users::table
        .filter(dsl::id.eq(id.0))
        .filter(dsl::disabled_at.is_null())
        .select(session_user_columns!())
        .first(conn)
        .optional()?;
    row.map(session_user).transpose()
}

/// The email recipient for a user; `None` if the user is disabled.
pub(crate) fn recipient(conn: &mut PgConnection, id: UserId) -> Result<Option<Recipient>, Fault> {
    Ok(active().filter(dsl::id.eq(id.0)).first(conn).optional()?.map(to_recipient))
}

pub(crate) fn recipient_at(
    conn: &mut PgConnection,
    email_key: &EmailKey,
) -> Result<Option<Recipient>, Fault> {
    let active = of_mailbox(email_key).filter(dsl::disabled_at.is_null());
    Ok(active.select((dsl::id, dsl::name, dsl::email)).first(conn).optional()?.map(to_recipient))
}

diesel::define_sql_function! { fn coalesce(first: Nullable<Text>, second: Text) -> Text; }

/// The key of a mailbox in a row, the same for every spelling. The index `users_mailbox` is on this expression.
#[diesel::dsl::auto_type]
pub(crate) fn mailbox() -> _ {
    coalesce(dsl::email_idn_key, dsl::email_key)
}

/// The user of a mailbox in any spelling. If two accounts have one mailbox (docs/decisions/email-keys.md), the one
/// whose spelling was typed comes first.
pub(crate) fn of_mailbox(key: &EmailKey) -> users::BoxedQuery<'_, Pg> {
    users::table
        .filter(mailbox().eq_any(key.spellings()))
        .order((dsl::email_key.eq(key.as_typed()).desc(), mailbox().eq(key.as_str()).desc()))
        .into_boxed()
}

#[diesel::dsl::auto_type]
fn active() -> _ {
    users::table.filter(dsl::disabled_at.is_null()).select((dsl::id, dsl::name, dsl::email))
}

pub(crate) fn to_recipient((id, name, email): (Uuid, String, String)) -> Recipient {
    Recipient { id: UserId(id), name, email }
}

pub(crate) fn user_id(conn: &mut PgConnection, email_key: &EmailKey) -> Result<Option<UserId>, Fault> {
    Ok(of_mailbox(email_key).select(dsl::id).first(conn).optional()?.map(UserId))
}

pub(crate) fn email_of(conn: &mut PgConnection, id: UserId) -> Result<Option<Email>, Fault> {
    let email: Option<String> =
        users::table.filter(dsl::id.eq(id.0)).select(dsl::email).first(conn).optional()?;
    Ok(email.as_deref().map(Email::stored))
}

/// The user of a session.
pub(crate) fn session_owner(conn: &mut PgConnection, session: Handle) -> Result<Option<UserId>, Fault> {
    let row = session_rows::table
        .filter(session_rows::handle.eq(session))
        .filter(session_rows::kind.eq(User::KIND));
    Ok(row.select(session_rows::principal).first(conn).optional()?.map(UserId))
}

/// Locks the row of a user; `false` if the user is disabled or does not exist.
pub(crate) fn lock_active(conn: &mut PgConnection, id: UserId) -> Result<bool, Fault> {
    let found: Option<Uuid> = users::table
        .filter(dsl::id.eq(id.0))
        .filter(dsl::disabled_at.is_null())
        .for_update()
        .select(dsl::id)
        .first(conn)
        .optional()?;
    Ok(found.is_some())
}

pub(crate) fn lock_user(conn: &mut PgConnection, id: UserId) -> Result<bool, Fault> {
    let found: Option<Uuid> =
        users::table.filter(dsl::id.eq(id.0)).for_update().select(dsl::id).first(conn).optional()?;
    Ok(found.is_some())
}

/// Whether a user is an administrator who is neither disabled nor about to be deleted.
#[diesel::dsl::auto_type]
pub(crate) fn is_active_admin() -> _ {
    let admin: &'static str = Role::Admin.as_str();
    dsl::role.eq(admin).and(dsl::disabled_at.is_null()).and(dsl::delete_after.is_null())
}

/// The ids of these administrators.
#[diesel::dsl::auto_type]
pub(crate) fn active_admins() -> _ {
    users::table.filter(is_active_admin()).select(dsl::id)
}

/// The pattern `%q%`, with the special characters of LIKE escaped.
pub(crate) fn containing(q: &str) -> String {
    format!("%{}%", literally(q))
}

/// Patterns for the typed text, and for it with the domain in Unicode and in ASCII if it contains an address.
pub(crate) fn containing_address(q: &str) -> [String; 3] {
    let (local, domain) = q.rfind('@').map_or(("", q), |at| q.split_at(at + 1));
    let ascii = domains::ascii(domain).unwrap_or_else(|| domain.to_owned());
    [q.to_owned(), format!("{local}{}", domains::unicode(domain)), format!("{local}{ascii}")]
        .map(|q| containing(&q))
}

/// A LIKE pattern that matches exactly `text`.
fn literally(text: &str) -> String {
    text.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_")
}
