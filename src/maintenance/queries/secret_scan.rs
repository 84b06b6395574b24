//! Reads all tables, for the scan for secrets.

use diesel::connection::SimpleConnection as _;
use diesel::pg::PgConnection;
use diesel::prelude::*;
use diesel::sql_query;
use diesel::sql_types::Text;
use serde_json::Map;
use serde_json::Value;

use crate::db::Fault;

/// Runs `work` in a read-only snapshot.
pub(crate) fn in_one_snapshot<T>(
    conn: &mut PgConnection,
    work: impl FnOnce(&mut PgConnection) -> Result<T, Fault>,
) -> Result<T, Fault> {
    conn.build_transaction().repeatable_read().read_only().run(work)
}

#[derive(QueryableByName)]
struct ColumnName {
    #[diesel(sql_type = Text)]
    table: String,
    #[diesel(sql_type = Text)]
    column: String,
}

/// Every column of every table in the schema, by name.
pub(crate) fn all_columns(conn: &mut PgConnection) -> Result<Vec<(String, String)>, Fault> {
    let columns: Vec<ColumnName> = sql_query(
        "SELECT c.relname::text AS \"table\", a.attname::text AS \"column\"
         FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
         WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p', 'm', 'f')
         ORDER BY 1, 2",
    )
    .load(conn)?;
    Ok(columns.into_iter().map(|ColumnName { table, column }| (table, column)).collect())
}

#[derive(QueryableByName)]
struct CursorStatement {
    #[diesel(sql_type = Text)]
    table: String,
    #[diesel(sql_type = Text)]
    statement: String,
}

#[derive(QueryableByName)]
struct RowJson {
    #[diesel(sql_type = Text)]
    row: String,
}

/// Calls `look` with the name of the table and each row. Holds a few hundred rows in memory at a time.
pub(crate) fn each_row(
    conn: &mut PgConnection,
    mut look: impl FnMut(&str, &Map<String, Value>),
) -> Result<(), Fault> {
    // Postgres itself inserts and quotes the names.
    let cursors: Vec<CursorStatement> = sql_query(
        "SELECT c.relname::text AS \"table\", format(
             'DECLARE at_rest NO SCROLL CURSOR FOR SELECT to_jsonb(t)::text AS row FROM %s t', c.oid::regclass
         ) AS statement
         FROM pg_class c
         WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'm', 'f')
         ORDER BY 1",
    )
    .load(conn)?;
    for CursorStatement { table, statement } in cursors {
        conn.batch_execute(&statement)?;
        loop {
            let rows: Vec<RowJson> = sql_query("FETCH 500 FROM at_rest").load(conn)?;
            if rows.is_empty() {
                break;
            }
            for RowJson { row } in rows {
                look(&table, &serde_json::from_str(&row).map_err(Fault::bug)?);
            }
        }
        conn.batch_execute("CLOSE at_rest")?;
    }
    Ok(())
}
