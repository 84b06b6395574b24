//! Single-use links: registrations, resets, setup, invitations. Consuming one is always one statement.

use std::time::Duration;

use ::time::OffsetDateTime;
use diesel::dsl::{exists, now};
use diesel::pg::PgConnection;
use diesel::prelude::*;
use diesel::result::Error;
use diesel::sql_query;
use uuid::Uuid;

use super::leaving::lower;
use crate::accounts::register::Parsed;
use crate::accounts::{Addressee, Email, EmailKey, UserId};
use crate::db::schema::{decoy_tokens, invitations, registrations, setup_tokens, user_tokens, users};
use crate::db::{Fault, time};
use crate::secret::{Token, TokenHash};

const RESET: &str = "reset_password";

/// A registration whose address has just been proven.
#[derive(Queryable, Selectable)]
#[diesel(table_name = registrations, check_for_backend(diesel::pg::Pg))]
pub(in crate::accounts) struct Registration {
    pub email: String,
    pub name: String,
    pub password_hash: String,
    pub invitation: Option<Uuid>,
}

/// Writes the registration and, unless `keep`, takes it back at once: for an address that is taken, so that both cases
/// take the same time. `browser`: what the browser that registered was given.
pub(in crate::accounts) fn insert_registration(
    conn: &mut PgConnection,
    (token, browser): (&Token, &Token),
    person: &Parsed,
    invitation: Option<Uuid>,
    good_for: Duration,
    keep: bool,
) -> Result<(), Fault> {
    use registrations::dsl;
    diesel::delete(registrations::table.filter(dsl::expires_at.le(now))).execute(conn)?;
    let inserted = conn.transaction(|conn| {
        diesel::insert_into(registrations::table)
            .values((
                dsl::token_hash.eq(token.hash().as_slice()),
                dsl::email.eq(person.email.as_str()),
                dsl::email_key.eq(person.email.key().as_str()),
                dsl::name.eq(person.name.as_str()),
                dsl::password_hash.eq(person.hash.as_str()),
                dsl::invitation.eq(invitation),
                dsl::expires_at.eq(time::now() + time::interval(good_for)),
                dsl::browser.eq(browser.hash().as_slice()),
            ))
            .execute(conn)?;
        if keep { Ok(()) } else { Err(Error::RollbackTransaction) }
    });
    match inserted {
        Ok(()) | Err(Error::RollbackTransaction) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// What the page behind the link has to know of a registration.
#[derive(Queryable)]
pub(in crate::accounts) struct WaitingRegistration {
    pub password_hash: String,
    /// Hash of what the browser that registered was given.
    pub browser: Option<Vec<u8>>,
}

/// The registration whose link this is, if the link still works; nothing is consumed.
pub(in crate::accounts) fn waiting_registration(
    conn: &mut PgConnection,
    token_hash: &TokenHash,
) -> Result<Option<WaitingRegistration>, Fault> {
    use registrations::dsl;
    Ok(registrations::table
        .filter(dsl::token_hash.eq(token_hash.as_slice()))
        .filter(dsl::expires_at.gt(now))
        .select((dsl::password_hash, dsl::browser))
        .first(conn)
        .optional()?)
}

/// Whether this call deleted it.
pub(in crate::accounts) fn drop_registration(
    conn: &mut PgConnection,
    token_hash: &TokenHash,
) -> Result<bool, Fault> {
    use registrations::dsl;
    let row = registrations::table
        .filter(dsl::token_hash.eq(token_hash.as_slice()))
        .filter(dsl::expires_at.gt(now));
    Ok(diesel::delete(row).execute(conn)? == 1)
}

pub(in crate::accounts) fn take_registration(
    conn: &mut PgConnection,
    token_hash: &[u8],
) -> Result<Option<Registration>, Fault> {
    use registrations::dsl;
    let key: Option<String> = registrations::table
        .filter(dsl::token_hash.eq(token_hash))
        .select(dsl::email_key)
        .first(conn)
        .optional()?;
    let Some(key) = key else { return Ok(None) };
    // All registrations of one address, in one order: their owners would else wait for each other.
    let _locked: Vec<Vec<u8>> = registrations::table
        .filter(dsl::email_key.eq(key))
        .order(dsl::token_hash)
        .for_update()
        .select(dsl::token_hash)
        .load(conn)?;
    Ok(diesel::delete(
        registrations::table.filter(dsl::token_hash.eq(token_hash)).filter(dsl::expires_at.gt(now)),
    )
    .returning(Registration::as_returning())
    .get_result(conn)
    .optional()?)
}

pub(in crate::accounts) fn drop_registrations(
    conn: &mut PgConnection,
    email_key: &EmailKey,
) -> Result<(), Fault> {
    diesel::delete(registrations::table.filter(registrations::email_key.eq_any(email_key.spellings())))
        .execute(conn)?;
    Ok(())
}

/// The same statement for a link and for its decoy.
macro_rules! replace_token {
    ($conn:ident, $table:ident, $owner:ident = $id:expr, $token:ident, $good_for:ident) => {{
        use $table::dsl;
        let values = (
            dsl::token_hash.eq($token.hash().to_vec()),
            dsl::created_at.eq(now),
            dsl::expires_at.eq(time::now() + time::interval($good_for)),
        );
        diesel::insert_into($table::table)
            .values((dsl::$owner.eq($id), dsl::purpose.eq(RESET), values.clone()))
            .on_conflict((dsl::$owner, dsl::purpose))
            .do_update()
            .set(values)
            .execute($conn)?;
        Ok(())
    }};
}

/// A new reset link; the one before it is dead.
pub(in crate::accounts) fn replace_reset(
    conn: &mut PgConnection,
    user: UserId,
    token: &Token,
    good_for: Duration,
) -> Result<(), Fault> {
    replace_token!(conn, user_tokens, user_id = user.0, token, good_for)
}

/// The work of [`replace_reset`] for an account that does not exist.
pub(in crate::accounts) fn replace_decoy(
    conn: &mut PgConnection,
    account: Uuid,
    token: &Token,
    good_for: Duration,
) -> Result<(), Fault> {
    replace_token!(conn, decoy_tokens, account = account, token, good_for)
}

pub(in crate::accounts) fn reset_owner(
    conn: &mut PgConnection,
    token_hash: &[u8],
) -> Result<Option<Addressee>, Fault> {
    use user_tokens::dsl;
    let owner: Option<Uuid> = user_tokens::table
        .inner_join(users::table)
        .filter(dsl::token_hash.eq(token_hash))
        .filter(dsl::purpose.eq(RESET))
        .filter(dsl::expires_at.gt(now))
        .select(users::id)
        .first(conn)
        .optional()?;
    owner.map_or(Ok(None), |id| super::addressee(conn, UserId(id)))
}

/// Whether this call consumed the link.
pub(in crate::accounts) fn take_reset(
    conn: &mut PgConnection,
    token_hash: &[u8],
    user: UserId,
) -> Result<bool, Fault> {
    use user_tokens::dsl;
    // The user first, as everybody else does, so that nobody waits in a circle.
    if !super::lock_user(conn, user)? {
        return Ok(false);
    }
    let taken = diesel::delete(
        user_tokens::table
            .filter(dsl::token_hash.eq(token_hash))
            .filter(dsl::user_id.eq(user.0))
            .filter(dsl::purpose.eq(RESET))
            .filter(dsl::expires_at.gt(now)),
    )
    .execute(conn)?;
    Ok(taken == 1)
}

pub(in crate::accounts) fn delete_user_tokens(conn: &mut PgConnection, user: UserId) -> Result<(), Fault> {
    diesel::delete(user_tokens::table.filter(user_tokens::user_id.eq(user.0))).execute(conn)?;
    Ok(())
}

pub(in crate::accounts) fn insert_setup_token(conn: &mut PgConnection, token: &Token) -> Result<(), Fault> {
    diesel::insert_into(setup_tokens::table)
        .values(setup_tokens::token_hash.eq(token.hash().as_slice()))
        .execute(conn)?;
    Ok(())
}

pub(in crate::accounts) fn setup_token_is_live(
    conn: &mut PgConnection,
    token_hash: &[u8],
) -> Result<bool, Fault> {
    let known = exists(setup_tokens::table.filter(setup_tokens::token_hash.eq(token_hash)));
    Ok(diesel::select(known).get_result(conn)? && !super::has_admin(conn)?)
}

/// Consumes every setup link if `token_hash` is one of them and nobody administers yet.
pub(in crate::accounts) fn take_setup(conn: &mut PgConnection, token_hash: &[u8]) -> Result<bool, Fault> {
    // One at a time: a second link may have been made after the first one's statement began.
    sql_query("SELECT pg_advisory_xact_lock(hashtext('latchkey.setup'))").execute(conn)?;
    if !setup_token_is_live(conn, token_hash)? {
        return Ok(false);
    }
    diesel::delete(setup_tokens::table).execute(conn)?;
    Ok(true)
}

/// An invitation as the list shows it.
#[derive(Clone, Queryable)]
pub struct InvitationRow {
    pub id: Uuid,
    pub email: String,
    pub invited_by: String,
    pub created_at: OffsetDateTime,
    pub expires_at: OffsetDateTime,
    pub accepted_at: Option<OffsetDateTime>,
    pub withdrawn_at: Option<OffsetDateTime>,
    /// If the inviter is no longer an administrator, the invitation opens nothing.
    pub inviter_administers: bool,
}

/// Neither accepted nor withdrawn, and in time.
macro_rules! waiting {
    () => {
        invitations::accepted_at
            .is_null()
            .and(invitations::withdrawn_at.is_null())
            .and(invitations::expires_at.gt(now))
    };
}

/// The same, and the inviter is still an active administrator: an invitation ends with the role it was given in.
macro_rules! open {
    () => {
        waiting!().and(invitations::invited_by.eq_any(super::active_admins()))
    };
}

pub(in crate::accounts) fn insert_invitation(
    conn: &mut PgConnection,
    token: &Token,
    email: &Email,
    by: UserId,
    good_for: Duration,
) -> Result<(), Fault> {
    use invitations::dsl;
    diesel::insert_into(invitations::table)
        .values((
            dsl::token_hash.eq(token.hash().as_slice()),
            dsl::email.eq(email.as_str()),
            dsl::invited_by.eq(by.0),
            dsl::expires_at.eq(time::now() + time::interval(good_for)),
        ))
        .execute(conn)?;
    Ok(())
}

/// The waiting invitation of this token, if it is for this address.
pub(in crate::accounts) fn open_invitation(
    conn: &mut PgConnection,
    token_hash: &[u8],
    email_key: &EmailKey,
) -> Result<Option<Uuid>, Fault> {
    let row: Option<(Uuid, String)> = invitations::table
        .filter(invitations::token_hash.eq(token_hash))
        .filter(open!())
        .select((invitations::id, invitations::email))
        .first(conn)
        .optional()?;
    Ok(row.filter(|(_, email)| Email::stored(email).key() == email_key).map(|(id, _)| id))
}

pub(in crate::accounts) fn invitation_email(
    conn: &mut PgConnection,
    token_hash: &[u8],
) -> Result<Option<String>, Fault> {
    Ok(invitations::table
        .filter(invitations::token_hash.eq(token_hash))
        .filter(open!())
        .select(invitations::email)
        .first(conn)
        .optional()?)
}

/// Whether the invitation was still waiting.
pub(in crate::accounts) fn accept_invitation(conn: &mut PgConnection, id: Uuid) -> Result<bool, Fault> {
    let accepted = diesel::update(invitations::table.filter(invitations::id.eq(id)).filter(open!()))
        .set(invitations::accepted_at.eq(now))
        .execute(conn)?;
    Ok(accepted == 1)
}

pub(in crate::accounts) fn withdraw_invitation(
    conn: &mut PgConnection,
    id: Uuid,
) -> Result<Option<String>, Fault> {
    Ok(diesel::update(invitations::table.filter(invitations::id.eq(id)).filter(waiting!()))
        .set(invitations::withdrawn_at.eq(now))
        .returning(invitations::email)
        .get_result(conn)
        .optional()?)
}

/// A second invitation to the same address replaces the first.
pub(in crate::accounts) fn withdraw_invitations_of(
    conn: &mut PgConnection,
    email: &Email,
) -> Result<(), Fault> {
    diesel::update(
        invitations::table
            .filter(lower(invitations::email).eq_any(email.key().spellings()))
            .filter(waiting!()),
    )
    .set(invitations::withdrawn_at.eq(now))
    .execute(conn)?;
    Ok(())
}

pub(in crate::accounts) fn invitations(
    conn: &mut PgConnection,
    limit: i64,
    offset: i64,
) -> Result<(Vec<InvitationRow>, i64), Fault> {
    let total = invitations::table.count().get_result(conn)?;
    let rows = invitations::table
        .inner_join(users::table)
        .order((invitations::created_at.desc(), invitations::id))
        .limit(limit)
        .offset(offset)
        .select((
            invitations::id,
            invitations::email,
            users::name,
            invitations::created_at,
            invitations::expires_at,
            invitations::accepted_at,
            invitations::withdrawn_at,
            super::is_active_admin(),
        ))
        .load(conn)?;
    Ok((rows, total))
}
