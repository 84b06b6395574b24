//! Reset links and their decoys.

use std::time::Duration;

use diesel::dsl::now;
use diesel::pg::PgConnection;
use diesel::prelude::*;
use uuid::Uuid;

use crate::db::schema::{decoy_tokens, user_tokens, users};
use crate::db::{Fault, time};
use crate::identity::{Recipient, UserId};
use crate::secret::Token;

const RESET: &str = "reset_password";

/// The same statement for a link and for a decoy.
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

/// Stores a reset link in place of the one before.
pub(crate) fn replace_reset(
    conn: &mut PgConnection,
    user: UserId,
    token: &Token,
    good_for: Duration,
) -> Result<(), Fault> {
    replace_token!(conn, user_tokens, user_id = user.0, token, good_for)
}

/// The work of [`replace_reset`] for an account that does not exist.
pub(crate) fn replace_decoy(
    conn: &mut PgConnection,
    account: Uuid,
    token: &Token,
    good_for: Duration,
) -> Result<(), Fault> {
    replace_token!(conn, decoy_tokens, account = account, token, good_for)
}

pub(crate) fn reset_owner(conn: &mut PgConnection, token_hash: &[u8]) -> Result<Option<Recipient>, Fault> {
    use user_tokens::dsl;
    let owner: Option<Uuid> = user_tokens::table
        .inner_join(users::table)
        .filter(dsl::token_hash.eq(token_hash))
        .filter(dsl::purpose.eq(RESET))
        .filter(dsl::expires_at.gt(now))
        .select(users::id)
        .first(conn)
        .optional()?;
    owner.map_or(Ok(None), |id| crate::identity::queries::recipient(conn, UserId(id)))
}

/// Whether this call consumed the link.
pub(crate) fn consume_reset(conn: &mut PgConnection, token_hash: &[u8], user: UserId) -> Result<bool, Fault> {
    use user_tokens::dsl;
    // The user's row is always locked first, which prevents deadlocks.
    if !crate::identity::queries::lock_user(conn, user)? {
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

pub(crate) fn delete_user_tokens(conn: &mut PgConnection, user: UserId) -> Result<(), Fault> {
    diesel::delete(user_tokens::table.filter(user_tokens::user_id.eq(user.0))).execute(conn)?;
    Ok(())
}
