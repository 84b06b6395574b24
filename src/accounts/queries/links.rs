//! Mailed links about an account, other than resets: unlock, not me, a new address, the old address back.

use std::time::Duration;

use ::time::OffsetDateTime;
use diesel::dsl::now;
use diesel::pg::PgConnection;
use diesel::prelude::*;
use uuid::Uuid;

use super::leaving::lower;
use crate::accounts::links::{About, Purpose};
use crate::accounts::{Email, UserId};
use crate::db::schema::{account_links, users};
use crate::db::{Fault, time};
use crate::secret::Token;

/// A live link, its owner active.
#[derive(Queryable)]
pub(in crate::accounts) struct LinkRow {
    pub user: Uuid,
    pub session: Option<Uuid>,
    pub browser: Option<Vec<u8>>,
    pub email: Option<String>,
    pub created_at: OffsetDateTime,
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
        .select((dsl::user_id, dsl::session, dsl::browser, dsl::email, dsl::created_at))
        .first(conn)
        .optional()?)
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

pub(in crate::accounts) fn delete_links(
    conn: &mut PgConnection,
    user: UserId,
    purposes: &[Purpose],
) -> Result<(), Fault> {
    use account_links::dsl;
    let purposes: Vec<&str> = purposes.iter().map(|purpose| purpose.as_str()).collect();
    let of_user = account_links::table.filter(dsl::user_id.eq(user.0));
    diesel::delete(of_user.filter(dsl::purpose.eq_any(purposes))).execute(conn)?;
    Ok(())
}

/// Those that were mailed to another address than this one.
pub(in crate::accounts) fn delete_links_elsewhere(
    conn: &mut PgConnection,
    user: UserId,
    purpose: Purpose,
    email: &Email,
) -> Result<(), Fault> {
    use account_links::dsl;
    let of_user = account_links::table.filter(dsl::user_id.eq(user.0));
    let spellings = email.key().spellings();
    let elsewhere = dsl::email.is_null().or(lower(dsl::email.assume_not_null()).ne_all(spellings));
    diesel::delete(of_user.filter(dsl::purpose.eq(purpose.as_str())).filter(elsewhere)).execute(conn)?;
    Ok(())
}
