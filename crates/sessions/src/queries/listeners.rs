//! The table of listeners, and the NOTIFY channel.

use diesel::connection::SimpleConnection as _;
use diesel::dsl::exists;
use diesel::pg::PgConnection;
use diesel::prelude::*;
use diesel::select;
use diesel::sql_types::{Array, Text};
use uuid::Uuid;

use crate::schema::listeners::{self, dsl};
use latchkey_db::time::Moment;

/// The channel on which changes are announced. The triggers name it too.
const CHANNEL: &str = "latchkey";

diesel::define_sql_function!(fn clock_timestamp() -> Timestamptz);
diesel::define_sql_function!(fn current_setting(name: Text) -> Text);
// It returns void, which is read as an empty text.
diesel::define_sql_function!(fn pg_notify(channel: Text, payload: Text) -> Text);

/// From now on this connection receives announcements.
pub fn listen(conn: &mut PgConnection) -> QueryResult<()> {
    conn.batch_execute(&format!("LISTEN {CHANNEL}"))
}

/// From now on, revocations wait for `id` and not for `former`.
pub fn register(conn: &mut PgConnection, id: Uuid, former: Option<Uuid>) -> QueryResult<()> {
    conn.transaction(|conn| {
        delete_listeners(conn, former.as_slice())?;
        diesel::insert_into(listeners::table).values(dsl::id.eq(id)).execute(conn).map(drop)
    })
}

/// The database's time, if revocations still wait for `id`. On a read-only server they do not: they are announced on
/// the new primary.
pub fn ping(conn: &mut PgConnection, id: Uuid) -> QueryResult<Option<Moment>> {
    listeners::table
        .filter(dsl::id.eq(id))
        .filter(dsl::gone.eq(false))
        .filter(current_setting("transaction_read_only").eq("off"))
        .select(clock_timestamp())
        .first(conn)
        .optional()
}

/// Whether any instance may hold a lease.
pub fn has_listeners(conn: &mut PgConnection) -> QueryResult<bool> {
    select(exists(listeners::table.select(dsl::id))).get_result(conn)
}

/// Sends `message` and returns who was registered before. One statement, which sends it once per row; Postgres delivers
/// equal messages of one transaction once.
pub fn notify_all(conn: &mut PgConnection, message: &str) -> QueryResult<Vec<Uuid>> {
    let rows: Vec<(Uuid, String)> =
        listeners::table.select((dsl::id, pg_notify(CHANNEL, message))).load(conn)?;
    Ok(rows.into_iter().map(|(id, _)| id).collect())
}

/// The instances marked as gone.
pub fn gone(conn: &mut PgConnection) -> QueryResult<Vec<Uuid>> {
    listeners::table.filter(dsl::gone.eq(true)).select(dsl::id).load(conn)
}

/// Sends `messages`.
pub fn notify(conn: &mut PgConnection, messages: &[String]) -> QueryResult<()> {
    diesel::sql_query("SELECT pg_notify($1, message) FROM unnest($2) message")
        .bind::<Text, _>(CHANNEL)
        .bind::<Array<Text>, _>(messages)
        .execute(conn)
        .map(drop)
}

/// Marks instances that did not answer in time as gone.
pub fn mark_gone(conn: &mut PgConnection, ids: &[Uuid]) -> QueryResult<()> {
    diesel::update(listeners::table.filter(dsl::id.eq_any(ids)))
        .set(dsl::gone.eq(true))
        .execute(conn)
        .map(drop)
}

/// Revocations no longer wait for them.
pub fn delete_listeners(conn: &mut PgConnection, ids: &[Uuid]) -> QueryResult<()> {
    diesel::delete(listeners::table.filter(dsl::id.eq_any(ids))).execute(conn).map(drop)
}
