//! Migrates a database to this program's schema. Several instances may start at once.

use std::collections::BTreeMap;

use diesel::connection::BoxableConnection;
use diesel::migration::{
    self, Migration, MigrationMetadata, MigrationName, MigrationSource, MigrationVersion,
};
use diesel::pg::{Pg, PgConnection};
use diesel::sql_types::{Integer, Text};
use diesel::{OptionalExtension as _, QueryableByName, RunQueryDsl as _, sql_query};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness as _, embed_migrations};
use latchkey_db::is_writable;

use super::Fault;
pub use super::connect;

/// The migrations of the program's own tables. The sessions crate has its own.
const OURS: EmbeddedMigrations = embed_migrations!("migrations");

/// The key of the advisory lock, which no other program uses: "latchkey" in hexadecimal, more or less.
const LOCK: i64 = 0x1A7C_4B3E;

/// The migrations of the sessions and of the program as one sequence. Until version 18 they were in one directory, so a
/// version may have a part in both. The parts run in one transaction, the sessions' part first.
pub struct ComposedMigrations;

impl MigrationSource<Pg> for ComposedMigrations {
    fn migrations(&self) -> migration::Result<Vec<Box<dyn Migration<Pg>>>> {
        let mut versions: BTreeMap<MigrationVersion<'static>, Version> = BTreeMap::new();
        let sessions = MigrationSource::<Pg>::migrations(&latchkey_sessions::MIGRATIONS)?;
        for part in sessions.into_iter().chain(OURS.migrations()?) {
            let version = part.name().version().as_owned();
            let sessions = versions.remove(&version).map(|sessions| sessions.last);
            versions.insert(version, Version { sessions, last: part });
        }
        Ok(versions.into_values().map(|version| Box::new(version) as Box<dyn Migration<Pg>>).collect())
    }
}

/// One version: the sessions' part, if there is one, then the program's.
struct Version {
    sessions: Option<Box<dyn Migration<Pg>>>,
    last: Box<dyn Migration<Pg>>,
}

impl Migration<Pg> for Version {
    fn run(&self, conn: &mut dyn BoxableConnection<Pg>) -> migration::Result<()> {
        if let Some(sessions) = &self.sessions {
            sessions.run(conn)?;
        }
        self.last.run(conn)
    }

    fn revert(&self, conn: &mut dyn BoxableConnection<Pg>) -> migration::Result<()> {
        self.last.revert(conn)?;
        self.sessions.as_ref().map_or(Ok(()), |sessions| sessions.revert(conn))
    }

    fn metadata(&self) -> &dyn MigrationMetadata {
        self.last.metadata()
    }

    fn name(&self) -> &dyn MigrationName {
        self.last.name()
    }
}

/// Applies the pending migrations and returns their names. Blocks; call it off the event loop.
///
/// # Errors
/// [`Fault::Unavailable`] if the database cannot be reached, [`Fault::Bug`] if a migration fails.
pub fn run(url: &str) -> Result<Vec<String>, Fault> {
    run_then(url, |_| Ok(())).map(|(applied, ())| applied)
}

/// The same, and then runs `work` on the same connection, under the same lock: one instance at a time.
///
/// # Errors
/// As [`run`], and those of `work`.
pub fn run_then<T>(
    url: &str,
    work: impl FnOnce(&mut PgConnection) -> Result<T, Fault>,
) -> Result<(Vec<String>, T), Fault> {
    let mut conn = connect(url)?;
    // A session-level advisory lock, because each migration runs in its own transaction.
    sql_query(format!("SELECT pg_advisory_lock({LOCK})")).execute(&mut conn)?;
    let applied = writable(&mut conn).and_then(state).and_then(|state| {
        // Diesel would create its own table if it were missing, but a serving role has no right to do so.
        if state.pending.is_empty() {
            return Ok(Vec::new());
        }
        conn.run_pending_migrations(ComposedMigrations)
            .map(|versions| versions.iter().map(ToString::to_string).collect())
            .map_err(|error| failed(&error.to_string()))
    });
    let applied = applied.and_then(|applied| Ok((applied, work(&mut conn)?)));
    sql_query(format!("SELECT pg_advisory_unlock({LOCK})")).execute(&mut conn)?;
    applied
}

/// During a failover the server may be read-only; then requests cannot be served either.
fn writable(conn: &mut PgConnection) -> Result<&mut PgConnection, Fault> {
    if is_writable(conn)? { Ok(conn) } else { Err(Fault::Unavailable("the database is read-only".into())) }
}

/// How the schemas of this program and of a database differ.
pub struct State {
    /// Not applied yet.
    pub pending: Vec<String>,
    /// Applied by a newer version of the program.
    pub unknown: Vec<String>,
}

/// Compares the schemas without applying anything.
pub fn state(conn: &mut PgConnection) -> Result<State, Fault> {
    let known = ComposedMigrations.migrations().map_err(Fault::bug)?;
    let known: Vec<String> = known.iter().map(|migration| migration.name().version().to_string()).collect();
    let applied: Vec<Applied> = sql_query(
        "SELECT table_name::text AS version FROM information_schema.tables \
         WHERE table_schema = current_schema() AND table_name = '__diesel_schema_migrations'",
    )
    .load(conn)?;
    let applied: Vec<Applied> = match applied.is_empty() {
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
struct Applied {
    #[diesel(sql_type = Text)]
    version: String,
}

/// A lock or a failover is temporary: try again. A serving role is told who may change the schema.
fn failed(why: &str) -> Fault {
    if why.contains("permission denied") || why.contains("must be owner") {
        return Fault::bug(format_args!(
            "the schema is not this version's, and this role may not change it: run `latchkey migrate` as the owner of \
             the tables, then docs/least-privilege.sql, then start again ({why})"
        ));
    }
    let text = format!("migration failed: {why}");
    let passing = ["deadlock detected", "lock timeout", "read-only transaction"];
    if passing.iter().any(|words| why.contains(words)) {
        Fault::Unavailable(text.into())
    } else {
        Fault::Bug(text.into())
    }
}

/// Creates the database `name` (a constant, not input) if it is missing.
pub fn create_database(maintenance_url: &str, name: &'static str) -> Result<(), Fault> {
    let mut conn = connect(maintenance_url)?;
    let exists = |conn: &mut PgConnection| -> Result<bool, Fault> {
        let found: Option<ExistingDatabase> =
            sql_query("SELECT 1 AS found FROM pg_database WHERE datname = $1")
                .bind::<Text, _>(name)
                .get_result(conn)
                .optional()?;
        Ok(found.is_some())
    };
    if exists(&mut conn)? {
        return Ok(());
    }
    match sql_query(format!("CREATE DATABASE {name}")).execute(&mut conn) {
        // Another instance created it first.
        Err(_) if exists(&mut conn)? => Ok(()),
        answer => Ok(answer.map(drop)?),
    }
}

#[derive(QueryableByName)]
struct ExistingDatabase {
    #[diesel(sql_type = Integer, column_name = found)]
    _found: i32,
}
