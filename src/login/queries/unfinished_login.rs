//! Log-ins with the correct password whose second step is not completed.

use std::time::Duration;

use ::time::OffsetDateTime;
use diesel::dsl::now;
use diesel::pg::PgConnection;
use diesel::prelude::*;
use uuid::Uuid;

use crate::db::schema::unfinished_logins::{self, dsl};
use crate::db::{Fault, time};
use crate::identity::{Client, UserId};
use crate::secret::TokenHash;

/// A log-in whose second step is overdue.
pub(crate) struct UnfinishedLogin {
    pub user: UserId,
    pub client: Client,
    /// When the password was entered.
    pub at: OffsetDateTime,
}

/// Inserts a row unless the user has `most` already. The caller has locked the user's row, so the count is exact.
pub(crate) fn insert_unfinished_login(
    conn: &mut PgConnection,
    pending: &TokenHash,
    user: UserId,
    client: &Client,
    within: Duration,
    most: i64,
) -> Result<(), Fault> {
    let of_user: i64 = unfinished_logins::table.filter(dsl::user_id.eq(user.0)).count().get_result(conn)?;
    if of_user >= most {
        return Ok(());
    }
    diesel::insert_into(unfinished_logins::table)
        .values((
            dsl::key_hash.eq(pending.as_slice()),
            dsl::user_id.eq(user.0),
            dsl::address.eq(&client.address),
            dsl::user_agent.eq(&client.user_agent),
            dsl::due_at.eq(time::now() + time::interval(within)),
        ))
        .execute(conn)?;
    Ok(())
}

pub(crate) fn delete_unfinished_login(conn: &mut PgConnection, pending: &TokenHash) -> Result<(), Fault> {
    let row = unfinished_logins::table.filter(dsl::key_hash.eq(pending.as_slice()));
    diesel::delete(row).execute(conn)?;
    Ok(())
}

/// Deletes the row that has been overdue for longest, and returns it. Skips rows that another instance has locked.
pub(crate) fn take_overdue_login(conn: &mut PgConnection) -> Result<Option<UnfinishedLogin>, Fault> {
    let key: Option<Vec<u8>> = unfinished_logins::table
        .filter(dsl::due_at.le(now))
        .order(dsl::due_at)
        .for_update()
        .skip_locked()
        .select(dsl::key_hash)
        .first(conn)
        .optional()?;
    let Some(key) = key else { return Ok(None) };
    let row: Option<(Uuid, String, String, OffsetDateTime)> =
        diesel::delete(unfinished_logins::table.filter(dsl::key_hash.eq(key)))
            .returning((dsl::user_id, dsl::address, dsl::user_agent, dsl::created_at))
            .get_result(conn)
            .optional()?;
    Ok(row.map(|(user, address, user_agent, at)| UnfinishedLogin {
        user: UserId(user),
        client: Client::stored(address, user_agent),
        at,
    }))
}
