//! Mailed links about an account, other than resets: unlock, not me, a new address, the old address back.

use std::time::Duration;

use ::time::OffsetDateTime;
use diesel::dsl::{exists, now};
use diesel::pg::PgConnection;
use diesel::prelude::*;
use uuid::Uuid;

use crate::db::schema::{account_links, users};
use crate::db::{Fault, time};
use crate::identity::UserId;
use crate::notices::links::{About, Purpose};
use crate::secret::Token;
use latchkey_sessions::schema::sessions;

/// A live link, its owner active.
#[derive(Queryable)]
pub(crate) struct LinkRow {
    pub user: Uuid,
    pub session: Option<Uuid>,
    pub email: Option<String>,
    /// When the letter with it was written.
    pub created_at: OffsetDateTime,
    since: Option<OffsetDateTime>,
}

impl LinkRow {
    /// When the thing began that the link is about.
    pub fn began(&self) -> OffsetDateTime {
        self.since.unwrap_or(self.created_at)
    }
}

/// A change of address that waits for its link to be used.
#[derive(Clone, Queryable)]
pub struct PendingEmail {
    /// The new one.
    pub email: String,
    pub asked_at: OffsetDateTime,
    pub expires_at: OffsetDateTime,
}

/// Only while the session that asked has not been ended. Time alone does not end it: a link that was asked for in
/// the evening works in the morning.
macro_rules! asker_was_not_ended {
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
    purpose: Purpose,
    about: &About<'_>,
    token: &Token,
    good_for: Duration,
) -> Result<(), Fault> {
    use account_links::dsl;
    diesel::insert_into(account_links::table)
        .values((
            dsl::token_hash.eq(token.hash().to_vec()),
            dsl::user_id.eq(user.0),
            dsl::purpose.eq(purpose.as_str()),
            dsl::session.eq(about.session.map(|handle| handle.0)),
            dsl::browser.eq(about.browser.map(|hash| hash.to_vec())),
            dsl::email.eq(about.email),
            dsl::email_key.eq(about.email_key),
            dsl::since.eq(about.since),
            dsl::expires_at.eq(time::now() + time::interval(good_for)),
        ))
        .execute(conn)?;
    Ok(())
}

pub(crate) fn live_link(
    conn: &mut PgConnection,
    purpose: Purpose,
    token_hash: &[u8],
) -> Result<Option<LinkRow>, Fault> {
    use account_links::dsl;
    Ok(account_links::table
        .inner_join(users::table)
        .filter(dsl::token_hash.eq(token_hash))
        .filter(dsl::purpose.eq(purpose.as_str()))
        .filter(dsl::expires_at.gt(now))
        .filter(users::disabled_at.is_null())
        .filter(dsl::purpose.ne(Purpose::ConfirmEmail.as_str()).or(asker_was_not_ended!()))
        .select((dsl::user_id, dsl::session, dsl::email, dsl::created_at, dsl::since))
        .first(conn)
        .optional()?)
}

/// Whether this call consumed the link: its row is gone once, for one of however many ask.
pub(crate) fn take_link(conn: &mut PgConnection, purpose: Purpose, token_hash: &[u8]) -> Result<bool, Fault> {
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

/// Answers how many there were, those that had expired among them.
pub(crate) fn delete_links(
    conn: &mut PgConnection,
    user: UserId,
    purposes: &[Purpose],
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
        .filter(dsl::purpose.eq(Purpose::ConfirmEmail.as_str()))
        .filter(dsl::expires_at.gt(now))
        .filter(asker_was_not_ended!())
        .select((dsl::email.assume_not_null(), dsl::since.assume_not_null(), dsl::expires_at))
        .order(dsl::created_at.desc())
        .first(conn)
        .optional()?)
}
