//! Mailed links about an account, other than resets: unlock, not me, a new address, the old address back.

use std::time::Duration;

use ::time::OffsetDateTime;
use diesel::dsl::{exists, now};
use diesel::pg::PgConnection;
use diesel::prelude::*;
use diesel::sql_query;
use diesel::sql_types::{Array, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use uuid::Uuid;

use crate::accounts::links::{About, Purpose};
use crate::accounts::{EmailKey, UserId};
use crate::db::schema::{account_links, users};
use crate::db::{Fault, time};
use crate::secret::Token;
use latchkey_sessions::schema::sessions;

/// A live link, its owner active.
#[derive(Queryable)]
pub(in crate::accounts) struct LinkRow {
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

pub(in crate::accounts) fn insert_link(
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

pub(in crate::accounts) fn live_link(
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

pub(in crate::accounts) fn pending_email(
    conn: &mut PgConnection,
    user: UserId,
) -> Result<Option<PendingEmail>, Fault> {
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

/// When this transaction began: what `created_at` of its rows says.
pub(in crate::accounts) fn transaction_time(conn: &mut PgConnection) -> Result<OffsetDateTime, Fault> {
    Ok(diesel::select(time::now()).get_result(conn)?)
}

/// Until when the address of this key is kept for another account than `user`, which can still take it back.
pub(in crate::accounts) fn reserved_until(
    conn: &mut PgConnection,
    email_key: &EmailKey,
    user: Option<UserId>,
) -> QueryResult<Option<OffsetDateTime>> {
    #[derive(QueryableByName)]
    struct Reserved {
        #[diesel(sql_type = Timestamptz)]
        until: OffsetDateTime,
    }
    let found: Option<Reserved> = sql_query(
        "SELECT expires_at AS until FROM account_links WHERE purpose = 'undo-email' \
         AND coalesce(email_key, lower(email)) = ANY ($1) AND expires_at > now() AND user_id IS DISTINCT FROM $2 \
         ORDER BY expires_at DESC LIMIT 1",
    )
    .bind::<Array<Text>, _>(email_key.spellings())
    .bind::<Nullable<SqlUuid>, _>(user.map(|user| user.0))
    .get_result(conn)
    .optional()?;
    Ok(found.map(|reserved| reserved.until))
}

/// Those of these spellings of addresses that are kept for an account.
pub(super) fn reserved_among(conn: &mut PgConnection, spellings: &[&str]) -> QueryResult<Vec<String>> {
    #[derive(QueryableByName)]
    struct Reserved {
        #[diesel(sql_type = Text)]
        key: String,
    }
    let found: Vec<Reserved> = sql_query(
        "SELECT coalesce(email_key, lower(email)) AS key FROM account_links WHERE purpose = 'undo-email' \
         AND coalesce(email_key, lower(email)) = ANY ($1) AND expires_at > now()",
    )
    .bind::<Array<Text>, _>(spellings)
    .load(conn)?;
    Ok(found.into_iter().map(|reserved| reserved.key).collect())
}

/// Whether the address belongs to an account, or is kept for one.
pub(in crate::accounts) fn is_taken(conn: &mut PgConnection, email_key: &EmailKey) -> Result<bool, Fault> {
    Ok(super::user_id(conn, email_key)?.is_some() || reserved_until(conn, email_key, None)?.is_some())
}

/// Whether this call consumed the link: its row is gone once, for one of however many ask.
pub(in crate::accounts) fn take_link(
    conn: &mut PgConnection,
    purpose: Purpose,
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

/// Answers how many there were, those that had expired among them.
pub(in crate::accounts) fn delete_links(
    conn: &mut PgConnection,
    user: UserId,
    purposes: &[Purpose],
) -> Result<usize, Fault> {
    use account_links::dsl;
    let purposes: Vec<&str> = purposes.iter().map(|purpose| purpose.as_str()).collect();
    let of_user = account_links::table.filter(dsl::user_id.eq(user.0));
    Ok(diesel::delete(of_user.filter(dsl::purpose.eq_any(purposes))).execute(conn)?)
}
