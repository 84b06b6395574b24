//! What clean-ups delete, for one user, or for all users in batches.

mod tokens;

use ::time::OffsetDateTime;
use diesel::dsl::now;
use diesel::pg::PgConnection;
use diesel::prelude::*;
use diesel::sql_query;
use diesel::sql_types::BigInt;
use diesel::sql_types::Binary;
use diesel::sql_types::Nullable;
use diesel::sql_types::Timestamptz;
use diesel::sql_types::Uuid as SqlUuid;

use crate::db::Fault;
use crate::db::schema::{account_links, invitations, known_browsers, passkeys, recovery_codes, users};
use crate::db::time::Moment;
use crate::identity::queries::lower;
use crate::identity::{Email, UserId};
use crate::notices::LinkPurpose;
use crate::secret::TokenHash;
use latchkey_sessions::Handle;

pub(super) use tokens::{DeletedTokens, delete_tokens, delete_tokens_of_all, delete_tokens_of_app};

/// Deletes the codes that could still be exchanged for app keys of the user's sessions.
pub(crate) fn delete_app_entries(conn: &mut PgConnection, user: UserId) -> Result<(), Fault> {
    sql_query("DELETE FROM app_entries e USING sessions s WHERE s.handle = e.session AND s.principal = $1")
        .bind::<SqlUuid, _>(user.0)
        .execute(conn)?;
    Ok(())
}

/// Deletes the known devices of a user, except `here`.
pub(crate) fn forget_known_devices(
    conn: &mut PgConnection,
    user: UserId,
    here: Option<&TokenHash>,
) -> Result<(), Fault> {
    use known_browsers::dsl;
    let of_user = known_browsers::table.filter(dsl::user_id.eq(user.0));
    match here {
        Some(here) => diesel::delete(of_user.filter(dsl::token_hash.ne(here.as_slice()))).execute(conn)?,
        None => diesel::delete(of_user).execute(conn)?,
    };
    Ok(())
}

/// Deletes the known device in which `session` was opened, unless it is `here`. Sessions of older versions do not record
/// it: then every known device is deleted, except `here`.
pub(crate) fn forget_device_of_session(
    conn: &mut PgConnection,
    user: UserId,
    session: Handle,
    here: Option<&TokenHash>,
) -> Result<(), Fault> {
    sql_query(
        "DELETE FROM known_browsers k USING sessions s WHERE s.handle = $1 AND k.user_id = $2 \
         AND k.token_hash IS DISTINCT FROM $3 AND (s.device IS NULL OR k.token_hash = s.device)",
    )
    .bind::<SqlUuid, _>(session.0)
    .bind::<SqlUuid, _>(user.0)
    .bind::<Nullable<Binary>, _>(here.map(|hash| hash.to_vec()))
    .execute(conn)?;
    Ok(())
}

/// Which pending changes of the email address, by the session that requested them.
#[derive(Clone, Copy)]
pub(crate) enum RequestedBy {
    Session(Handle),
    /// Every session except this one, or no recorded session.
    Others(Handle),
}

/// Deletes the links of these changes; returns how many.
pub(crate) fn cancel_email_changes(
    conn: &mut PgConnection,
    user: UserId,
    asked_by: RequestedBy,
) -> Result<usize, Fault> {
    use account_links::dsl;
    let asked = account_links::table
        .filter(dsl::user_id.eq(user.0))
        .filter(dsl::purpose.eq(LinkPurpose::ConfirmEmail.as_str()));
    Ok(match asked_by {
        RequestedBy::Session(session) => {
            diesel::delete(asked.filter(dsl::session.eq(session.0))).execute(conn)?
        }
        RequestedBy::Others(here) => {
            diesel::delete(asked.filter(dsl::session.is_distinct_from(here.0))).execute(conn)?
        }
    })
}

/// Deletes the undo links that were mailed since `since` to another address than `email`.
pub(crate) fn delete_links_elsewhere(
    conn: &mut PgConnection,
    user: UserId,
    email: &Email,
    since: OffsetDateTime,
) -> Result<(), Fault> {
    use account_links::dsl;
    let takes_back =
        [LinkPurpose::NotMe, LinkPurpose::UndoEmail, LinkPurpose::UndoFactor].map(LinkPurpose::as_str);
    let elsewhere = account_links::table
        .filter(dsl::user_id.eq(user.0))
        .filter(dsl::purpose.eq_any(takes_back))
        .filter(dsl::created_at.ge(since))
        .filter(dsl::email.is_null().or(lower(dsl::email.assume_not_null()).ne_all(email.key().spellings())));
    diesel::delete(elsewhere).execute(conn)?;
    Ok(())
}

/// Deletes the app if it was put into use or set up since then; returns how many were in use.
pub(crate) fn delete_totp_since(
    conn: &mut PgConnection,
    user: UserId,
    since: OffsetDateTime,
) -> Result<usize, Fault> {
    #[derive(QueryableByName)]
    struct Gone {
        #[diesel(sql_type = Nullable<Timestamptz>)]
        active_at: Option<OffsetDateTime>,
    }
    let gone: Vec<Gone> = sql_query(
        "DELETE FROM totp WHERE user_id = $1 AND coalesce(active_at, created_at) >= $2 RETURNING active_at",
    )
    .bind::<SqlUuid, _>(user.0)
    .bind::<Timestamptz, _>(since)
    .load(conn)?;
    Ok(gone.iter().filter(|row| row.active_at.is_some()).count())
}

pub(crate) fn delete_passkeys_since(
    conn: &mut PgConnection,
    user: UserId,
    since: OffsetDateTime,
) -> Result<usize, Fault> {
    let made = passkeys::table.filter(passkeys::user_id.eq(user.0)).filter(passkeys::created_at.ge(since));
    Ok(diesel::delete(made).execute(conn)?)
}

pub(crate) fn delete_recovery_codes_since(
    conn: &mut PgConnection,
    user: UserId,
    since: OffsetDateTime,
) -> Result<usize, Fault> {
    let made = recovery_codes::table
        .filter(recovery_codes::user_id.eq(user.0))
        .filter(recovery_codes::created_at.ge(since));
    Ok(diesel::delete(made).execute(conn)?)
}

/// Withdraws the open invitations by `user`, all or those since `since`; returns their recipients.
pub(crate) fn withdraw_invitations_by(
    conn: &mut PgConnection,
    user: UserId,
    since: Option<OffsetDateTime>,
) -> Result<Vec<String>, Fault> {
    use invitations::dsl;
    let open = invitations::table
        .filter(dsl::invited_by.eq(user.0))
        .filter(dsl::accepted_at.is_null())
        .filter(dsl::withdrawn_at.is_null())
        .filter(dsl::expires_at.gt(now))
        .filter(dsl::created_at.ge(since.unwrap_or(OffsetDateTime::UNIX_EPOCH)));
    Ok(diesel::update(open).set(dsl::withdrawn_at.eq(now)).returning(dsl::email).get_results(conn)?)
}

pub(crate) fn database_time(conn: &mut PgConnection) -> Result<Moment, Fault> {
    Ok(diesel::select(crate::db::time::now()).get_result(conn)?)
}

/// Deletes one batch of the known devices of all users.
pub(crate) fn forget_known_devices_of_all(
    conn: &mut PgConnection,
    until: Moment,
    batch: i64,
) -> Result<usize, Fault> {
    batch_until(
        conn,
        "DELETE FROM known_browsers WHERE ctid = ANY (ARRAY( \
         SELECT ctid FROM known_browsers WHERE last_login_at <= $1 ORDER BY user_id, token_hash LIMIT $2 FOR UPDATE))",
        until,
        batch,
    )
}

pub(crate) fn delete_pending_logins_of_all(
    conn: &mut PgConnection,
    until: Moment,
    batch: i64,
) -> Result<usize, Fault> {
    batch_until(
        conn,
        "DELETE FROM pending_logins WHERE ctid = ANY (ARRAY( \
         SELECT ctid FROM pending_logins WHERE created_at <= $1 ORDER BY key_hash LIMIT $2 FOR UPDATE))",
        until,
        batch,
    )
}

pub(crate) fn cancel_email_changes_of_all(
    conn: &mut PgConnection,
    until: Moment,
    batch: i64,
) -> Result<usize, Fault> {
    batch_until(
        conn,
        "DELETE FROM account_links WHERE ctid = ANY (ARRAY( \
         SELECT ctid FROM account_links WHERE purpose = 'confirm-email' AND created_at <= $1 \
         ORDER BY token_hash LIMIT $2 FOR UPDATE))",
        until,
        batch,
    )
}

fn batch_until(
    conn: &mut PgConnection,
    statement: &'static str,
    until: Moment,
    batch: i64,
) -> Result<usize, Fault> {
    Ok(sql_query(statement).bind::<Timestamptz, _>(until).bind::<BigInt, _>(batch).execute(conn)?)
}

/// `false` if no deletion was requested.
pub(crate) fn clear_delete_after(conn: &mut PgConnection, id: UserId) -> Result<bool, Fault> {
    let row = users::table.filter(users::id.eq(id.0)).filter(users::delete_after.is_not_null());
    Ok(diesel::update(row).set(users::delete_after.eq(None::<OffsetDateTime>)).execute(conn)? > 0)
}

/// Restores the choice of the time `then`. If it changed more than once since, the passkey is required. Returns the number
/// of changes that were reverted.
pub(crate) fn revert_password_alone_choice(
    conn: &mut PgConnection,
    user: UserId,
    then: OffsetDateTime,
) -> Result<usize, Fault> {
    let none = None::<OffsetDateTime>;
    let row = || users::table.filter(users::id.eq(user.0));
    let chosen = diesel::update(row().filter(users::password_alone_since.ge(then)))
        .set((users::password_alone_since.eq(none), users::password_alone_until.eq(none)))
        .execute(conn)?;
    let undone = diesel::update(row().filter(users::password_alone_until.ge(then)))
        .set(users::password_alone_until.eq(none))
        .execute(conn)?;
    Ok(chosen + undone)
}

/// The user cannot log in with a password until a new one is set.
pub(crate) fn clear_password(conn: &mut PgConnection, id: UserId) -> Result<(), Fault> {
    let row = users::table.filter(users::id.eq(id.0));
    diesel::update(row).set(users::password_hash.eq(None::<String>)).execute(conn)?;
    Ok(())
}
