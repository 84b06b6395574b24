//! Invitations.

use std::time::Duration;

use ::time::OffsetDateTime;
use diesel::dsl::now;
use diesel::pg::PgConnection;
use diesel::prelude::*;
use uuid::Uuid;

use crate::db::schema::{invitations, users};
use crate::db::time::Moment;
use crate::db::{Fault, time};
use crate::identity::queries::lower;
use crate::identity::{Email, EmailKey, UserId};
use crate::secret::Token;

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
    /// If the inviter is no longer an administrator, the invitation is void.
    pub inviter_administers: bool,
}

/// Neither accepted nor withdrawn nor expired.
macro_rules! waiting {
    () => {
        invitations::accepted_at
            .is_null()
            .and(invitations::withdrawn_at.is_null())
            .and(invitations::expires_at.gt(now))
    };
}

/// The same, and the inviter is still an active administrator.
macro_rules! open {
    () => {
        waiting!().and(invitations::invited_by.eq_any(crate::identity::queries::active_admins()))
    };
}

/// Invitations with the columns of [`InvitationRow`].
macro_rules! listed {
    () => {
        invitations::table.inner_join(users::table).select((
            invitations::id,
            invitations::email,
            users::name,
            invitations::created_at,
            invitations::expires_at,
            invitations::accepted_at,
            invitations::withdrawn_at,
            crate::identity::queries::is_active_admin(),
        ))
    };
}

pub(crate) fn insert_invitation(
    conn: &mut PgConnection,
    token: &Token,
    email: &Email,
    by: UserId,
    good_for: Duration,
) -> Result<Uuid, Fault> {
    use invitations::dsl;
    let id = diesel::insert_into(invitations::table)
        .values((
            dsl::token_hash.eq(token.hash().as_slice()),
            dsl::email.eq(email.as_str()),
            dsl::invited_by.eq(by.0),
            dsl::expires_at.eq(time::now() + time::interval(good_for)),
        ))
        .returning(dsl::id)
        .get_result(conn)?;
    Ok(id)
}

/// The open invitation of this token, if it is for this address.
pub(crate) fn open_invitation(
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

pub(crate) fn invitation_email(conn: &mut PgConnection, token_hash: &[u8]) -> Result<Option<String>, Fault> {
    Ok(invitations::table
        .filter(invitations::token_hash.eq(token_hash))
        .filter(open!())
        .select(invitations::email)
        .first(conn)
        .optional()?)
}

/// `false` if the invitation was not open any more.
pub(crate) fn accept_invitation(conn: &mut PgConnection, id: Uuid) -> Result<bool, Fault> {
    let accepted = diesel::update(invitations::table.filter(invitations::id.eq(id)).filter(open!()))
        .set(invitations::accepted_at.eq(now))
        .execute(conn)?;
    Ok(accepted == 1)
}

pub(crate) fn withdraw_invitation(conn: &mut PgConnection, id: Uuid) -> Result<Option<String>, Fault> {
    Ok(diesel::update(invitations::table.filter(invitations::id.eq(id)).filter(waiting!()))
        .set(invitations::withdrawn_at.eq(now))
        .returning(invitations::email)
        .get_result(conn)
        .optional()?)
}

/// Withdraws earlier invitations to the same address.
pub(crate) fn withdraw_invitations_of(conn: &mut PgConnection, email: &Email) -> Result<(), Fault> {
    diesel::update(
        invitations::table
            .filter(lower(invitations::email).eq_any(email.key().spellings()))
            .filter(waiting!()),
    )
    .set(invitations::withdrawn_at.eq(now))
    .execute(conn)?;
    Ok(())
}

pub(crate) fn invitations(
    conn: &mut PgConnection,
    limit: i64,
    offset: i64,
) -> Result<(Vec<InvitationRow>, i64), Fault> {
    let total = invitations::table.count().get_result(conn)?;
    let rows = listed!()
        .order((invitations::created_at.desc(), invitations::id))
        .limit(limit)
        .offset(offset)
        .load(conn)?;
    Ok((rows, total))
}

/// The newest first: `limit` of them after `after`.
pub(crate) fn invitations_after(
    conn: &mut PgConnection,
    after: Option<(Moment, Uuid)>,
    limit: i64,
) -> Result<Vec<InvitationRow>, Fault> {
    let mut rows =
        listed!().order((invitations::created_at.desc(), invitations::id)).limit(limit).into_boxed();
    if let Some((at, id)) = after {
        let created_at = invitations::created_at;
        rows = rows.filter(created_at.lt(at).or(created_at.eq(at).and(invitations::id.gt(id))));
    }
    Ok(rows.load(conn)?)
}

pub(crate) fn invitation(conn: &mut PgConnection, id: Uuid) -> Result<Option<InvitationRow>, Fault> {
    Ok(listed!().filter(invitations::id.eq(id)).first(conn).optional()?)
}
