//! Single-use links: registrations, resets, setup, invitations. Consuming one is always one statement.

use std::time::Duration;

use ::time::OffsetDateTime;
use diesel::dsl::{exists, now};
use diesel::pg::PgConnection;
use diesel::prelude::*;
use diesel::sql_query;
use uuid::Uuid;

use crate::accounts::register::Parsed;
use crate::accounts::{Addressee, Email, UserId};
use crate::db::schema::{invitations, registrations, setup_tokens, user_tokens, users};
use crate::db::{Fault, time};
use crate::secret::Token;

const RESET: &str = "reset_password";

/// A registration whose address has just been proven.
#[derive(Queryable, Selectable)]
#[diesel(table_name = registrations, check_for_backend(diesel::pg::Pg))]
pub(in crate::accounts) struct Registration {
    pub email: String,
    pub email_key: String,
    pub name: String,
    pub password_hash: String,
    pub invitation: Option<Uuid>,
}

pub(in crate::accounts) fn insert_registration(
    conn: &mut PgConnection,
    token: &Token,
    person: &Parsed,
    invitation: Option<Uuid>,
    good_for: Duration,
) -> Result<(), Fault> {
    use registrations::dsl;
    diesel::delete(registrations::table.filter(dsl::expires_at.le(now))).execute(conn)?;
    diesel::insert_into(registrations::table)
        .values((
            dsl::token_hash.eq(token.hash().as_slice()),
            dsl::email.eq(person.email.as_str()),
            dsl::email_key.eq(person.email.key()),
            dsl::name.eq(person.name.as_str()),
            dsl::password_hash.eq(person.hash.as_str()),
            dsl::invitation.eq(invitation),
            dsl::expires_at.eq(time::now() + time::interval(good_for)),
        ))
        .execute(conn)?;
    Ok(())
}

/// Whether a registration waits for this token.
pub(in crate::accounts) fn has_registration(
    conn: &mut PgConnection,
    token_hash: &[u8],
) -> Result<bool, Fault> {
    use registrations::dsl;
    let live = registrations::table.filter(dsl::token_hash.eq(token_hash)).filter(dsl::expires_at.gt(now));
    Ok(diesel::select(exists(live)).get_result(conn)?)
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

pub(in crate::accounts) fn drop_registrations(conn: &mut PgConnection, email_key: &str) -> Result<(), Fault> {
    diesel::delete(registrations::table.filter(registrations::email_key.eq(email_key))).execute(conn)?;
    Ok(())
}

/// A new reset link; the one before it is dead.
pub(in crate::accounts) fn replace_reset(
    conn: &mut PgConnection,
    user: UserId,
    token: &Token,
    good_for: Duration,
) -> Result<(), Fault> {
    use user_tokens::dsl;
    let values = (
        dsl::token_hash.eq(token.hash().to_vec()),
        dsl::created_at.eq(now),
        dsl::expires_at.eq(time::now() + time::interval(good_for)),
    );
    diesel::insert_into(user_tokens::table)
        .values((dsl::user_id.eq(user.0), dsl::purpose.eq(RESET), values.clone()))
        .on_conflict((dsl::user_id, dsl::purpose))
        .do_update()
        .set(values)
        .execute(conn)?;
    Ok(())
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
}

macro_rules! open {
    () => {
        invitations::accepted_at
            .is_null()
            .and(invitations::withdrawn_at.is_null())
            .and(invitations::expires_at.gt(now))
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
    email_key: &str,
) -> Result<Option<Uuid>, Fault> {
    let row: Option<(Uuid, String)> = invitations::table
        .filter(invitations::token_hash.eq(token_hash))
        .filter(open!())
        .select((invitations::id, invitations::email))
        .first(conn)
        .optional()?;
    Ok(row
        .filter(|(_, email)| Email::parse(email).is_ok_and(|email| email.key() == email_key))
        .map(|(id, _)| id))
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
    Ok(diesel::update(invitations::table.filter(invitations::id.eq(id)).filter(open!()))
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
        invitations::table.filter(invitations::email.ilike(super::literally(email.as_str()))).filter(open!()),
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
        ))
        .load(conn)?;
    Ok((rows, total))
}
