//! The only access to Postgres: the pool of `latchkey_db`, this program's schema and migrations, the private server of
//! local mode, and the diagnostics of `latchkey doctor`.

pub mod diagnostics;
mod joins;
pub mod migrations;
pub mod schema;

pub use latchkey_db::{Cause, Db, Failed, Fault, Refusable, after_commit, off_thread, refuse, time};
pub use local_postgres as local;

use diesel::pg::PgConnection;

/// A single connection without a pool, under the program's name. Blocks.
///
/// # Errors
/// [`Fault::Unavailable`] if the database cannot be reached.
pub fn connect(url: &str) -> Result<PgConnection, Fault> {
    latchkey_db::connect(url, NAME)
}

/// The name in `pg_stat_activity`.
const NAME: &str = "latchkey";
