//! Who listens, and what is said on the channel.

use diesel::connection::SimpleConnection as _;
use diesel::dsl::exists;
use diesel::pg::PgConnection;
use diesel::prelude::*;
use diesel::select;
use diesel::sql_types::{Array, Text};
use uuid::Uuid;

use crate::schema::listeners::{self, dsl};
use latchkey_db::time::Moment;

/// Where changes are announced; the triggers of the tables name it too.
const CHANNEL: &str = "latchkey";

diesel::define_sql_function!(fn clock_timestamp() -> Timestamptz);
diesel::define_sql_function!(fn current_setting(name: Text) -> Text);
// It answers nothing, which reads as an empty text.
diesel::define_sql_function!(fn pg_notify(channel: Text, payload: Text) -> Text);

/// From here on this connection hears what is announced.
pub fn hear(conn: &mut PgConnection) -> QueryResult<()> {
    conn.batch_execute(&format!("LISTEN {CHANNEL}"))
}

/// From here on whoever takes something back waits for `id`, and no longer for `former`.
pub fn register(conn: &mut PgConnection, id: Uuid, former: Option<Uuid>) -> QueryResult<()> {
    conn.transaction(|conn| {
        delete_listeners(conn, former.as_slice())?;
        diesel::insert_into(listeners::table).values(dsl::id.eq(id)).execute(conn).map(drop)
    })
}

/// The database's time, if `id` is still counted on. Nobody is counted on where nothing can be written: revocations
/// are announced elsewhere by then, on the server that took over.
pub fn ping(conn: &mut PgConnection, id: Uuid) -> QueryResult<Option<Moment>> {
    listeners::table
        .filter(dsl::id.eq(id))
        .filter(dsl::gone.eq(false))
        .filter(current_setting("transaction_read_only").eq("off"))
        .select(clock_timestamp())
        .first(conn)
        .optional()
}

pub fn is_anybody_listening(conn: &mut PgConnection) -> QueryResult<bool> {
    select(exists(listeners::table.select(dsl::id))).get_result(conn)
}

/// Says `word` and answers who was listening before that. One statement: said once a row, it is heard once.
pub fn sync(conn: &mut PgConnection, word: &str) -> QueryResult<Vec<Uuid>> {
    let rows: Vec<(Uuid, String)> =
        listeners::table.select((dsl::id, pg_notify(CHANNEL, word))).load(conn)?;
    Ok(rows.into_iter().map(|(id, _)| id).collect())
}

/// Those that were waited for in vain.
pub fn gone(conn: &mut PgConnection) -> QueryResult<Vec<Uuid>> {
    listeners::table.filter(dsl::gone.eq(true)).select(dsl::id).load(conn)
}

pub fn say(conn: &mut PgConnection, words: &[String]) -> QueryResult<()> {
    diesel::sql_query("SELECT pg_notify($1, word) FROM unnest($2) word")
        .bind::<Text, _>(CHANNEL)
        .bind::<Array<Text>, _>(words)
        .execute(conn)
        .map(drop)
}

/// These were waited for in vain.
pub fn mark_gone(conn: &mut PgConnection, ids: &[Uuid]) -> QueryResult<()> {
    diesel::update(listeners::table.filter(dsl::id.eq_any(ids)))
        .set(dsl::gone.eq(true))
        .execute(conn)
        .map(drop)
}

pub fn delete_listeners(conn: &mut PgConnection, ids: &[Uuid]) -> QueryResult<()> {
    diesel::delete(listeners::table.filter(dsl::id.eq_any(ids))).execute(conn).map(drop)
}
