//! Whether a log-in needs a second factor, and the log-ins that wait for one.

use diesel::dsl::exists;
use diesel::pg::PgConnection;
use diesel::prelude::*;

use crate::db::Fault;
use crate::db::schema::{passkeys, pending_logins, totp, users};
use crate::identity::UserId;

/// Whether a log-in with the password needs a second factor: the user has an authenticator app, or a passkey and did not
/// choose that the password alone logs in.
pub(crate) fn has_second_factor(conn: &mut PgConnection, user: UserId) -> Result<bool, Fault> {
    let apps = totp::table.filter(totp::user_id.eq(user.0)).filter(totp::active_at.is_not_null());
    let required = users::password_alone_since.is_null().or(users::password_alone_until.is_not_null());
    let keys = passkeys::table.inner_join(users::table).filter(users::id.eq(user.0)).filter(required);
    Ok(diesel::select(exists(apps).or(exists(keys))).get_result(conn)?)
}

pub(crate) fn delete_pending_logins_of(conn: &mut PgConnection, user: UserId) -> Result<(), Fault> {
    diesel::delete(pending_logins::table.filter(pending_logins::user_id.eq(user.0))).execute(conn)?;
    Ok(())
}
