//! Mailed links, except for reset links.

use std::time::Duration;

use ::time::OffsetDateTime;
use diesel::dsl::{exists, now};
use diesel::pg::PgConnection;
use diesel::prelude::*;
use uuid::Uuid;

use crate::db::schema::{account_links, users};
use crate::db::{Fault, time};
use crate::identity::UserId;
use crate::notices::link::{LinkDetails, LinkPurpose};
use crate::secret::Token;
use latchkey_sessions::schema::sessions;

/// A live link of an active user.
#[derive(Queryable)]
pub(crate) struct LinkRow {
    pub user: Uuid,
    pub session: Option<Uuid>,
    pub email: Option<String>,
    /// When the email with the link was written.
    pub created_at: OffsetDateTime,
    since: Option<OffsetDateTime>,
}

impl LinkRow {
    /// When the event began that the link refers to.
    pub fn began(&self) -> OffsetDateTime {
        self.since.unwrap_or(self.created_at)
    }
}

/// A requested change of the email address, which its link confirms.
#[derive(Clone, Queryable)]
pub struct PendingEmail {
    /// The new address.
    pub email: String,
    pub asked_at: OffsetDateTime,
    pub expires_at: OffsetDateTime,
}

/// Whether the session that requested the change was not revoked. It may have expired: a link requested in the evening
/// works in the morning.
macro_rules! requester_was_not_revoked {
    () => {
        exists(
            sessions::table
                .filter(sessions::handle.nullable().eq(account_links::session))
                .filter(sessions::revoked_at.is_null()),
        )
    };
}

pub(crate) fn insert_link(
    conn: &mut PgConnection,
    user: UserId,
    purpose: LinkPurpose,
    details: &LinkDetails<'_>,
    token: &Token,
    good_for: Duration,
) -> Result<(), Fault> {
    use account_links::dsl;
    diesel::insert_into(account_links::table)
        .values((
            dsl::token_hash.eq(token.hash().to_vec()),
            dsl::user_id.eq(user.0),
            dsl::purpose.eq(purpose.as_str()),
            dsl::session.eq(details.session.map(|handle| handle.0)),
            dsl::browser.eq(details.browser.map(|hash| hash.to_vec())),
            dsl::email.eq(details.email),
            dsl::email_key.eq(details.email_key),
            dsl::since.eq(details.since),
            dsl::expires_at.eq(time::now() + time::interval(good_for)),
        ))
        .execute(conn)?;
    Ok(())
}

pub(crate) fn live_link(
    conn: &mut PgConnection,
    purpose: LinkPurpose,
    token_hash: &[u8],
) -> Result<Option<LinkRow>, Fault> {
    use account_links::dsl;
    Ok(account_links::table
        .inner_join(users::table)
        .filter(dsl::token_hash.eq(token_hash))
        .filter(dsl::purpose.eq(purpose.as_str()))
        .filter(dsl::expires_at.gt(now))
        .filter(users::disabled_at.is_null())
        .filter(dsl::purpose.ne(LinkPurpose::ConfirmEmail.as_str()).or(requester_was_not_revoked!()))
        .select((dsl::user_id, dsl::session, dsl::email, dsl::created_at, dsl::since))
        .first(conn)
        .optional()?)
}

/// Whether this call consumed the link. Of concurrent calls, one deletes the row.
pub(crate) fn consume_link(
    conn: &mut PgConnection,
    purpose: LinkPurpose,
    token_hash: &[u8],
) -> Result<bool, Fault> {
    use account_links::dsl;
    let taken = diesel::delete(
        account_links::table
            .filter(dsl::token_hash.eq(token_hash))
            .filter(dsl::purpose.eq(purpose.as_str()))
            .filter(dsl::expires_at.gt(now)),
    )
    .execute(conn)?;
    Ok(taken == 1)
}

/// Returns how many links were deleted, expired ones included.
pub(crate) fn delete_links(
    conn: &mut PgConnection,
    user: UserId,
    purposes: &[LinkPurpose],
) -> Result<usize, Fault> {
    use account_links::dsl;
    let purposes: Vec<&str> = purposes.iter().map(|purpose| purpose.as_str()).collect();
    let of_user = account_links::table.filter(dsl::user_id.eq(user.0));
    Ok(diesel::delete(of_user.filter(dsl::purpose.eq_any(purposes))).execute(conn)?)
}

pub(crate) fn pending_email(conn: &mut PgConnection, user: UserId) -> Result<Option<PendingEmail>, Fault> {
    use account_links::dsl;
    Ok(account_links::table
        .filter(dsl::user_id.eq(user.0))
        .filter(dsl::purpose.eq(LinkPurpose::ConfirmEmail.as_str()))
        .filter(dsl::expires_at.gt(now))
        .filter(requester_was_not_revoked!())
        .select((dsl::email.assume_not_null(), dsl::since.assume_not_null(), dsl::expires_at))
        .order(dsl::created_at.desc())
        .first(conn)
        .optional()?)
}
