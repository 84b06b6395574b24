//! Links that create the first administrator.

use diesel::dsl::exists;
use diesel::pg::PgConnection;
use diesel::prelude::*;
use diesel::sql_query;

use crate::db::Fault;
use crate::db::schema::setup_tokens;
use crate::secret::Token;

pub(crate) fn insert_setup_token(conn: &mut PgConnection, token: &Token) -> Result<(), Fault> {
    diesel::insert_into(setup_tokens::table)
        .values(setup_tokens::token_hash.eq(token.hash().as_slice()))
        .execute(conn)?;
    Ok(())
}

pub(crate) fn setup_token_is_live(conn: &mut PgConnection, token_hash: &[u8]) -> Result<bool, Fault> {
    let known = exists(setup_tokens::table.filter(setup_tokens::token_hash.eq(token_hash)));
    Ok(diesel::select(known).get_result(conn)? && !crate::registration::queries::has_admin(conn)?)
}

/// Consumes all setup links, if `token_hash` is one of them and there is no administrator.
pub(crate) fn consume_setup_tokens(conn: &mut PgConnection, token_hash: &[u8]) -> Result<bool, Fault> {
    // One at a time: two links could otherwise be consumed in parallel.
    sql_query("SELECT pg_advisory_xact_lock(hashtext('latchkey.setup'))").execute(conn)?;
    if !setup_token_is_live(conn, token_hash)? {
        return Ok(false);
    }
    diesel::delete(setup_tokens::table).execute(conn)?;
    Ok(true)
}
