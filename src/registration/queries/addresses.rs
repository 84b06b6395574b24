//! Addresses that are taken, or reserved for an account.

use ::time::OffsetDateTime;
use diesel::pg::PgConnection;
use diesel::prelude::*;
use diesel::sql_query;
use diesel::sql_types::Array;
use diesel::sql_types::Nullable;
use diesel::sql_types::Text;
use diesel::sql_types::Timestamptz;
use diesel::sql_types::Uuid as SqlUuid;

use crate::db::Fault;
use crate::identity::{EmailKey, UserId};

/// Until when the address is reserved for another account than `user`, which can still restore it.
pub(crate) fn reserved_until(
    conn: &mut PgConnection,
    email_key: &EmailKey,
    user: Option<UserId>,
) -> QueryResult<Option<OffsetDateTime>> {
    #[derive(QueryableByName)]
    struct ReservationEnd {
        #[diesel(sql_type = Timestamptz)]
        until: OffsetDateTime,
    }
    let found: Option<ReservationEnd> = sql_query(
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

/// Those of these spellings that are reserved for an account.
pub(crate) fn reserved_among(conn: &mut PgConnection, spellings: &[&str]) -> QueryResult<Vec<String>> {
    #[derive(QueryableByName)]
    struct ReservedAddress {
        #[diesel(sql_type = Text)]
        key: String,
    }
    let found: Vec<ReservedAddress> = sql_query(
        "SELECT coalesce(email_key, lower(email)) AS key FROM account_links WHERE purpose = 'undo-email' \
         AND coalesce(email_key, lower(email)) = ANY ($1) AND expires_at > now()",
    )
    .bind::<Array<Text>, _>(spellings)
    .load(conn)?;
    Ok(found.into_iter().map(|reserved| reserved.key).collect())
}

/// Whether the address belongs to an account, or is reserved for one.
pub(crate) fn is_taken(conn: &mut PgConnection, email_key: &EmailKey) -> Result<bool, Fault> {
    Ok(crate::identity::queries::user_id(conn, email_key)?.is_some()
        || reserved_until(conn, email_key, None)?.is_some())
}
