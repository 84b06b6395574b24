//! Brings a database to this binary's schema. Safe for several instances starting at once.

use diesel::migration::{Migration, MigrationSource as _};
use diesel::pg::{Pg, PgConnection};
use diesel::sql_types::{Integer, Text};
use diesel::{OptionalExtension as _, QueryableByName, RunQueryDsl as _, sql_query};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness as _, embed_migrations};

use latchkey_db::is_writable;

pub use super::connect;
use super::{Cause, Fault};

const MIGRATIONS: EmbeddedMigrations = embed_migrations!("migrations");

/// Any number, as long as nobody else uses it: "latchkey" in hexadecimal speech.
const LOCK: i64 = 0x1A7C_4B3E;

/// Applies what is missing and returns the names of what was applied. Blocks; call it off the event loop.
///
/// # Errors
/// [`Fault::Unavailable`] when the database cannot be reached, [`Fault::Bug`] when a migration fails.
pub fn run(url: &str) -> Result<Vec<String>, Fault> {
    let mut conn = connect(url)?;
    // A session lock, not a transaction lock: each migration has a transaction of its own.
    sql_query(format!("SELECT pg_advisory_lock({LOCK})")).execute(&mut conn)?;
    let applied = writable(&mut conn).and_then(state).and_then(|state| {
        // Diesel would make its table if it were not there, which a role that only serves may not even ask for.
        if state.pending.is_empty() {
            return Ok(Vec::new());
        }
        conn.run_pending_migrations(MIGRATIONS)
            .map(|versions| versions.iter().map(ToString::to_string).collect())
            .map_err(|error| failed(&error.to_string()))
    });
    sql_query(format!("SELECT pg_advisory_unlock({LOCK})")).execute(&mut conn)?;
    applied
}

/// Amid a failover the server at hand may only read: then nobody can be served in earnest yet.
fn writable(conn: &mut PgConnection) -> Result<&mut PgConnection, Fault> {
    if is_writable(conn)? { Ok(conn) } else { Err(Fault::Unavailable("the database only reads".into())) }
}

/// What this binary and a database know of each other's schema.
pub struct State {
    /// To be applied.
    pub pending: Vec<String>,
    /// Applied by a newer version than this.
    pub unknown: Vec<String>,
}

/// Looks, and applies nothing.
pub fn state(conn: &mut PgConnection) -> Result<State, Fault> {
    let known: Vec<Box<dyn Migration<Pg>>> = MIGRATIONS.migrations().map_err(Fault::bug)?;
    let known: Vec<String> = known.iter().map(|migration| migration.name().version().to_string()).collect();
    let applied: Vec<Version> = sql_query(
        "SELECT table_name::text AS version FROM information_schema.tables \
         WHERE table_schema = current_schema() AND table_name = '__diesel_schema_migrations'",
    )
    .load(conn)?;
    let applied: Vec<Version> = match applied.is_empty() {
        true => Vec::new(),
        false => {
            sql_query("SELECT version::text FROM __diesel_schema_migrations ORDER BY version").load(conn)?
        }
    };
    let has = |version: &String| applied.iter().any(|applied| applied.version == *version);
    let pending = known.iter().filter(|version| !has(version)).cloned().collect();
    let unknown = applied.iter().map(|applied| applied.version.clone());
    Ok(State { pending, unknown: unknown.filter(|version| !known.contains(version)).collect() })
}

#[derive(QueryableByName)]
struct Version {
    #[diesel(sql_type = Text)]
    version: String,
}

/// Somebody was in the way who will not always be, or the server has come to only read: try again. A role that only
/// serves says who may.
fn failed(why: &str) -> Fault {
    if why.contains("permission denied") || why.contains("must be owner") {
        return Fault::Bug(Cause::from(format!(
            "the schema is not this version's, and this role may not change it: run `latchkey migrate` as the owner of \
             the tables, then docs/least-privilege.sql, then start again ({why})"
        )));
    }
    let text = format!("migration failed: {why}");
    let passing = ["deadlock detected", "lock timeout", "read-only transaction"];
    if passing.iter().any(|words| why.contains(words)) {
        Fault::Unavailable(text.into())
    } else {
        Fault::Bug(text.into())
    }
}

/// Makes the database `name` (a word of ours, not input) where it is missing.
pub fn create_database(maintenance_url: &str, name: &'static str) -> Result<(), Fault> {
    let mut conn = connect(maintenance_url)?;
    let exists = |conn: &mut PgConnection| -> Result<bool, Fault> {
        let found: Option<Found> = sql_query("SELECT 1 AS found FROM pg_database WHERE datname = $1")
            .bind::<Text, _>(name)
            .get_result(conn)
            .optional()?;
        Ok(found.is_some())
    };
    if exists(&mut conn)? {
        return Ok(());
    }
    match sql_query(format!("CREATE DATABASE {name}")).execute(&mut conn) {
        // Another instance was faster.
        Err(_) if exists(&mut conn)? => Ok(()),
        answer => Ok(answer.map(drop)?),
    }
}

#[derive(QueryableByName)]
struct Found {
    #[diesel(sql_type = Integer, column_name = found)]
    _found: i32,
}
