//! The only door to Postgres. Everybody to the right may call it.

mod blocking;
mod fault;
pub mod local;
pub mod migrations;
pub mod schema;
pub mod time;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use diesel::Connection;
use diesel::connection::{SimpleConnection as _, TransactionManager as _};
use diesel::pg::PgConnection;
use diesel::r2d2::{ConnectionManager, CustomizeConnection, HandleError, Pool, PooledConnection};

pub use blocking::off_thread;
pub use fault::Fault;

use crate::config;

type Manager = ConnectionManager<PgConnection>;
type Pooled = PooledConnection<Manager>;
type TransactionManager = <PgConnection as Connection>::TransactionManager;

/// A pool of connections. Cloning shares it.
#[derive(Clone)]
pub struct Db {
    settings: config::Database,
    pool: Arc<OnceLock<Pool<Manager>>>,
}

impl Db {
    /// A door that is still shut: everything answers [`Fault::Unavailable`] until [`Db::open`], so that a
    /// server can listen while its database starts and migrates.
    pub fn shut(settings: config::Database) -> Self {
        Self { settings, pool: Arc::default() }
    }

    /// A pool on `url` (libpq syntax). Connects when first asked.
    pub fn new(url: &str, settings: config::Database) -> Self {
        let db = Self::shut(settings);
        db.open(url);
        db
    }

    /// Opens the door, once; a second call changes nothing.
    pub fn open(&self, url: &str) {
        let settings = self.settings;
        self.pool.get_or_init(|| {
            Pool::builder()
                .max_size(settings.pool_size.max(1))
                .min_idle(Some(0))
                .connection_timeout(settings.checkout_wait.std())
                // Managed databases reap idle connections after about a minute.
                .idle_timeout(Some(Duration::from_secs(30)))
                // A check costs every checkout a round trip; `read` and `write` retry a dead connection instead.
                .test_on_check_out(false)
                .connection_customizer(Box::new(Bounds(settings)))
                .error_handler(Box::new(LogQuietly))
                .build_unchecked(ConnectionManager::new(with_parameters(url)))
        });
    }

    /// Runs `work` on a connection, away from the event loop. `work` only reads: it may run twice.
    ///
    /// # Errors
    /// [`Fault::Unavailable`] when no connection is to be had within the checkout wait or the database
    /// does not answer in time, otherwise what `work` returned.
    pub async fn read<T, F>(&self, work: F) -> Result<T, Fault>
    where
        T: Send + 'static,
        F: Fn(&mut PgConnection) -> Result<T, Fault> + Send + 'static,
    {
        let db = self.clone();
        off_thread(move || {
            let mut conn = db.checkout()?;
            match work(&mut conn) {
                Err(fault) if fault.is_lost_connection() => {
                    drop(conn);
                    work(&mut *db.checkout()?)
                }
                answer => answer,
            }
        })
        .await
    }

    /// Runs `work` in one transaction: committed when it answers `Ok`, else undone. Never runs twice.
    ///
    /// # Errors
    /// As [`Db::read`]. After a lost connection during commit the outcome is unknown to the caller.
    pub async fn write<T, F>(&self, work: F) -> Result<T, Fault>
    where
        T: Send + 'static,
        F: FnOnce(&mut PgConnection) -> Result<T, Fault> + Send + 'static,
    {
        let db = self.clone();
        off_thread(move || {
            let mut conn = db.begin()?;
            match work(&mut conn) {
                Ok(value) => {
                    TransactionManager::commit_transaction(&mut *conn)?;
                    Ok(value)
                }
                Err(fault) => {
                    // The first fault is the one worth telling; a broken connection leaves the pool anyway.
                    let _ = TransactionManager::rollback_transaction(&mut *conn);
                    Err(fault)
                }
            }
        })
        .await
    }

    /// Whether a query runs, through the pool: what `/readyz` asks.
    pub async fn is_ready(&self) -> Result<(), Fault> {
        self.read(|conn| Ok(conn.batch_execute("SELECT 1")?)).await
    }

    fn begin(&self) -> Result<Pooled, Fault> {
        let mut conn = self.checkout()?;
        match TransactionManager::begin_transaction(&mut *conn) {
            Ok(()) => Ok(conn),
            // Nothing was done yet, so trying once more on another connection is safe.
            Err(error) if Fault::from_diesel(&error).is_lost_connection() => {
                drop(conn);
                let mut conn = self.checkout()?;
                TransactionManager::begin_transaction(&mut *conn)?;
                Ok(conn)
            }
            Err(error) => Err(error.into()),
        }
    }

    fn checkout(&self) -> Result<Pooled, Fault> {
        let pool =
            self.pool.get().ok_or_else(|| Fault::Unavailable("the database is not ready yet".into()))?;
        pool.get().map_err(|error| Fault::Unavailable(format!("no database connection: {error}")))
    }
}

/// Names ourselves and bounds the connection attempt, unless the operator already said so.
fn with_parameters(url: &str) -> String {
    let is_url = url.starts_with("postgres://") || url.starts_with("postgresql://");
    let mut out = url.to_owned();
    for (name, value) in [("connect_timeout", "2"), ("application_name", "latchkey")] {
        if url.contains(name) {
            continue;
        }
        if is_url {
            out.push(if out.contains('?') { '&' } else { '?' });
        } else {
            out.push(' ');
        }
        out.push_str(&format!("{name}={value}"));
    }
    out
}

/// Time limits every connection gets, and UTC so that timestamps read the same everywhere.
#[derive(Debug)]
struct Bounds(config::Database);

impl std::fmt::Debug for config::Database {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Database").field("pool_size", &self.pool_size).finish_non_exhaustive()
    }
}

impl CustomizeConnection<PgConnection, diesel::r2d2::Error> for Bounds {
    fn on_acquire(&self, conn: &mut PgConnection) -> Result<(), diesel::r2d2::Error> {
        let config::Database { statement_timeout, lock_timeout, .. } = self.0;
        conn.batch_execute(&format!(
            "SET statement_timeout = '{}s'; SET lock_timeout = '{}s'; \
             SET idle_in_transaction_session_timeout = '10s'; SET timezone = 'UTC'",
            statement_timeout.as_secs(),
            lock_timeout.as_secs(),
        ))
        .map_err(diesel::r2d2::Error::QueryError)
    }
}

/// The pool retries by itself; each caller that is turned away says so with its own request.
#[derive(Debug)]
struct LogQuietly;

impl HandleError<diesel::r2d2::Error> for LogQuietly {
    fn handle_error(&self, error: diesel::r2d2::Error) {
        tracing::warn!(%error, "database connection failed");
    }
}
