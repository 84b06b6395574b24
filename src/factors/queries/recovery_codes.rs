//! Recovery codes. Callers that change them have locked the user's row.

use diesel::pg::PgConnection;
use diesel::prelude::*;
use time::OffsetDateTime;

use crate::db::Fault;
use crate::db::schema::recovery_codes;
use crate::identity::UserId;
use crate::secret::TokenHash;

/// Deletes the old codes and inserts new ones.
pub(crate) fn replace_recovery_codes(
    conn: &mut PgConnection,
    user: UserId,
    hashes: &[TokenHash],
) -> Result<(), Fault> {
    use recovery_codes::dsl;
    delete_recovery_codes(conn, user)?;
    let rows: Vec<_> =
        hashes.iter().map(|hash| (dsl::code_hash.eq(hash.as_slice()), dsl::user_id.eq(user.0))).collect();
    diesel::insert_into(recovery_codes::table).values(rows).execute(conn)?;
    Ok(())
}

/// Consumes a code; `false` if the user has no such code.
pub(crate) fn use_recovery_code(
    conn: &mut PgConnection,
    user: UserId,
    hash: &TokenHash,
) -> Result<bool, Fault> {
    let code = recovery_codes::table
        .filter(recovery_codes::code_hash.eq(hash.as_slice()))
        .filter(recovery_codes::user_id.eq(user.0));
    Ok(diesel::delete(code).execute(conn)? == 1)
}

pub(crate) fn recovery_codes_left(conn: &mut PgConnection, user: UserId) -> Result<usize, Fault> {
    let count: i64 =
        recovery_codes::table.filter(recovery_codes::user_id.eq(user.0)).count().get_result(conn)?;
    Ok(usize::try_from(count).unwrap_or(0))
}

/// When the codes were created; `None` if none is left.
pub(crate) fn recovery_codes_made_at(
    conn: &mut PgConnection,
    user: UserId,
) -> Result<Option<OffsetDateTime>, Fault> {
    use recovery_codes::dsl;
    let of = recovery_codes::table.filter(dsl::user_id.eq(user.0));
    Ok(of.select(diesel::dsl::max(dsl::created_at)).get_result(conn)?)
}

/// How many of `hashes` are unused codes of the user.
pub(crate) fn count_recovery_codes(
    conn: &mut PgConnection,
    user: UserId,
    hashes: &[TokenHash],
) -> Result<usize, Fault> {
    let hashes: Vec<&[u8]> = hashes.iter().map(<[u8; 32]>::as_slice).collect();
    let count: i64 = recovery_codes::table
        .filter(recovery_codes::user_id.eq(user.0))
        .filter(recovery_codes::code_hash.eq_any(hashes))
        .count()
        .get_result(conn)?;
    Ok(usize::try_from(count).unwrap_or(0))
}

pub(crate) fn delete_recovery_codes(conn: &mut PgConnection, user: UserId) -> Result<(), Fault> {
    diesel::delete(recovery_codes::table.filter(recovery_codes::user_id.eq(user.0))).execute(conn)?;
    Ok(())
}
