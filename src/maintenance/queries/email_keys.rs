//! Keys of addresses whose domain is not ASCII.

use diesel::dsl::sql;
use diesel::pg::PgConnection;
use diesel::prelude::*;
use diesel::result::DatabaseErrorKind;
use diesel::result::Error;
use diesel::sql_types::Bool;
use uuid::Uuid;

use crate::db::Fault;
use crate::db::schema::users::{self, dsl};

/// A user whose address is not ASCII.
#[derive(Queryable)]
pub(crate) struct IdnRow {
    pub id: Uuid,
    pub email: String,
    pub email_key: String,
    pub email_idn_key: Option<String>,
}

/// Users whose address is not ASCII, in the order of their ids.
pub(crate) fn idn_rows(conn: &mut PgConnection, after: Uuid, limit: i64) -> Result<Vec<IdnRow>, Fault> {
    // The expression of the index users_idn.
    let not_ascii = sql::<Bool>("octet_length(email_key) <> length(email_key)");
    Ok(users::table
        .filter(not_ascii)
        .filter(dsl::id.gt(after))
        .order(dsl::id)
        .limit(limit)
        .select((dsl::id, dsl::email, dsl::email_key, dsl::email_idn_key))
        .load(conn)?)
}

/// `false` if another account has this mailbox, or the address changed meanwhile.
pub(crate) fn set_idn_key(conn: &mut PgConnection, row: &IdnRow, idn_key: &str) -> Result<bool, Fault> {
    let unchanged = users::table.filter(dsl::id.eq(row.id)).filter(dsl::email_key.eq(&row.email_key));
    // In a savepoint, so that a violation does not roll back the batch.
    let set =
        conn.transaction(|conn| diesel::update(unchanged).set(dsl::email_idn_key.eq(idn_key)).execute(conn));
    match set {
        Ok(changed) => Ok(changed == 1),
        Err(Error::DatabaseError(DatabaseErrorKind::UniqueViolation, _)) => Ok(false),
        Err(error) => Err(error.into()),
    }
}
