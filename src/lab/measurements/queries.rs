//! What Postgres counts while a measurement runs.

use diesel::prelude::*;
use diesel::sql_types::BigInt;

#[derive(QueryableByName)]
struct CountedRows {
    #[diesel(sql_type = BigInt)]
    inserted: i64,
    #[diesel(sql_type = BigInt)]
    updated: i64,
    #[diesel(sql_type = BigInt)]
    deleted: i64,
}

/// Rows that this connection has inserted, updated and deleted so far, as Postgres counts them. Only the difference
/// between two calls in one transaction is meaningful.
pub fn rows_written(conn: &mut PgConnection) -> QueryResult<[i64; 3]> {
    let counted: CountedRows = diesel::sql_query(
        "SELECT coalesce(sum(n_tup_ins), 0)::bigint AS inserted, coalesce(sum(n_tup_upd), 0)::bigint AS updated, \
         coalesce(sum(n_tup_del), 0)::bigint AS deleted FROM pg_stat_xact_user_tables",
    )
    .get_result(conn)?;
    Ok([counted.inserted, counted.updated, counted.deleted])
}
