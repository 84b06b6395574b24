//! A pool of Diesel connections to Postgres for async servers.
//!
//! Diesel blocks, so each statement runs on a blocking thread. [`Db`] bounds how many run at once and how long a caller
//! waits, retries a read whose connection broke, runs each write in one transaction, and sorts failures by what the
//! caller can do about them ([`Fault`]).
//!
//! ```no_run
//! use diesel::{RunQueryDsl as _, sql_query};
//! use latchkey_db::{Db, Fault, PoolSettings};
//!
//! # async fn example() -> Result<(), Fault> {
//! let db = Db::new("postgresql://localhost/shop", PoolSettings::default());
//! db.write(|conn| Ok(sql_query("DELETE FROM carts").execute(conn)?)).await?;
//! # Ok(())
//! # }
//! ```
//!
//! [`time::Moment`] is a moment of the database's clock, [`after_commit`] delays actions until a transaction is
//! committed, and [`counters`] counts without locks.

#![deny(missing_docs)]

pub mod after_commit;
mod blocking;
pub mod conninfo;
pub mod counters;
mod failed;
mod fault;
pub mod notifications;
mod pool;
#[cfg(feature = "actix-web")]
mod response;
mod settings;
pub mod time;

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use diesel::Connection;
use diesel::connection::{SimpleConnection as _, TransactionManager as _};
use diesel::pg::PgConnection;
use secrecy::SecretString;
use tokio::sync::Semaphore;
use tokio::time::timeout;

pub use blocking::off_thread;
pub use failed::{Failed, Refusable, join, refuse};
pub use fault::{Cause, Fault};
pub use pool::is_writable;
pub use settings::{PoolSettings, Pooler};

use counters::{Counter, Durations};
use pool::{Pool, TransactionManager};

/// A pool of connections. Cloning shares it.
#[derive(Clone)]
pub struct Db {
    settings: PoolSettings,
    pool: Arc<OnceLock<Pool>>,
    /// The URL of dedicated connections, if it differs from the pool's.
    direct: Option<SecretString>,
    /// One permit per connection. Unlike waiting for r2d2, waiting for a permit blocks no thread.
    permits: Arc<Semaphore>,
    counts: Arc<PoolCounters>,
}

/// Metrics of a pool since the start.
#[derive(Default)]
pub struct PoolCounters {
    /// How long callers waited for a connection, including those that got one at once.
    pub waited: Durations,
    /// Callers that got no connection in time.
    pub refused: Counter,
}

impl Db {
    /// A pool without a database: every call returns [`Fault::Unavailable`] until [`Db::open`], so that a server can
    /// listen while its database starts and migrates.
    pub fn shut(settings: impl Into<PoolSettings>) -> Self {
        let settings = settings.into();
        let permits = Arc::new(Semaphore::new(settings.size.max(1) as usize));
        Self { settings, pool: Arc::default(), direct: None, permits, counts: Arc::default() }
    }

    /// Dedicated connections use `url` instead, which bypasses a pooler that gives each transaction another connection.
    pub fn with_direct(self, url: Option<SecretString>) -> Self {
        Self { direct: url, ..self }
    }

    /// A pool on `url` (libpq syntax). It connects on first use.
    pub fn new(url: &str, settings: impl Into<PoolSettings>) -> Self {
        let db = Self::shut(settings);
        db.open(url);
        db
    }

    /// Sets the database, once; a second call changes nothing.
    pub fn open(&self, url: &str) {
        self.pool.get_or_init(|| Pool::new(url, self.settings));
    }

    /// Runs `work` on a connection, off the event loop. `work` must only read: if its connection breaks, it runs once
    /// more on another.
    ///
    /// # Errors
    /// [`Fault::Unavailable`] if no connection is free within [`PoolSettings::checkout_wait`] or the database does not
    /// answer in time; otherwise what `work` returned.
    pub async fn read<T, F>(&self, work: F) -> Result<T, Fault>
    where
        T: Send + 'static,
        F: Fn(&mut PgConnection) -> Result<T, Fault> + Send + 'static,
    {
        let db = self.clone();
        self.with_permit(move || {
            let pool = db.pool()?;
            let once = || {
                let mut pooled = pool.checkout()?;
                let answer = match pool.pooler() {
                    Pooler::None => work(&mut pooled.conn),
                    Pooler::Transaction => pool.begin(&mut pooled.conn).map_err(Fault::from).and_then(|()| {
                        let answer = work(&mut pooled.conn);
                        finish(&mut pooled.conn, answer)
                    }),
                };
                if answer.as_ref().is_err_and(Fault::is_lost_connection) {
                    pool.lost(pooled);
                }
                answer
            };
            match once() {
                Err(fault) if fault.is_lost_connection() => once(),
                answer => answer,
            }
        })
        .await
    }

    /// Runs `work` in one transaction: committed if `work` returns `Ok`, otherwise rolled back. `work` never runs twice.
    ///
    /// # Errors
    /// As [`Db::read`]. After a lost connection or a timeout the caller does not know whether it was committed.
    pub async fn write<T, F>(&self, work: F) -> Result<T, Fault>
    where
        T: Send + 'static,
        F: FnOnce(&mut PgConnection) -> Result<T, Fault> + Send + 'static,
    {
        let db = self.clone();
        self.with_permit(move || {
            let pool = db.pool()?;
            let mut pooled = pool.checkout()?;
            if let Err(error) = pool.begin(&mut pooled.conn) {
                let fault = Fault::from(error);
                if !fault.is_lost_connection() {
                    return Err(fault);
                }
                // Nothing was executed yet, so another connection may be tried.
                pool.lost(pooled);
                pooled = pool.checkout()?;
                pool.begin(&mut pooled.conn)?;
            }
            let (answer, waiting) = after_commit::collect(|| work(&mut pooled.conn));
            let answer = finish(&mut pooled.conn, answer);
            if answer.is_ok() {
                waiting.run();
            }
            if answer.as_ref().is_err_and(Fault::is_lost_connection) {
                pool.lost(pooled);
            }
            answer
        })
        .await
    }

    /// As [`Db::write`], for `work` that can refuse. A refusal is committed like a success, a fault rolls back.
    ///
    /// # Errors
    /// What `work` refused, or a fault as in [`Db::write`].
    pub async fn write_or_refuse<T, R, F>(&self, work: F) -> Result<T, Failed<R>>
    where
        T: Send + 'static,
        R: Send + 'static,
        F: FnOnce(&mut PgConnection) -> Result<T, Failed<R>> + Send + 'static,
    {
        join(self.write(move |conn| work(conn).split()).await)
    }

    /// The longest time that a call can take, regardless of the state of the database.
    pub fn longest_wait(&self) -> Duration {
        self.settings.longest_wait()
    }

    /// Metrics since the start.
    pub fn counts(&self) -> &PoolCounters {
        &self.counts
    }

    /// Connections in use, and how many there may be.
    pub fn load(&self) -> (usize, usize) {
        let size = self.settings.size.max(1) as usize;
        (size.saturating_sub(self.permits.available_permits()), size)
    }

    /// A connection outside the pool that keeps one server connection, with the pool's time limits. Blocks.
    ///
    /// # Errors
    /// [`Fault::Unavailable`] if there is none.
    pub fn connect_dedicated(&self) -> Result<PgConnection, Fault> {
        self.pool()?.connect(self.direct.as_ref())
    }

    /// A connection outside the pool, with the pool's settings. Blocks.
    ///
    /// # Errors
    /// [`Fault::Unavailable`] if there is none.
    pub fn connect(&self) -> Result<PgConnection, Fault> {
        self.pool()?.connect(None)
    }

    /// Runs a query through the pool: for readiness probes.
    ///
    /// # Errors
    /// As [`Db::read`].
    pub async fn is_ready(&self) -> Result<(), Fault> {
        self.read(|conn| Ok(conn.batch_execute("SELECT 1")?)).await
    }

    /// Runs `job` on a blocking thread once a connection may be free for it, and waits for a bounded time. A job that
    /// hangs keeps its permit, so threads and memory stay bounded however slow the database is.
    async fn with_permit<T, F>(&self, job: F) -> Result<T, Fault>
    where
        T: Send + 'static,
        F: FnOnce() -> Result<T, Fault> + Send + 'static,
    {
        let too_late = |_| Fault::Unavailable("the database does not answer in time".into());
        let begun = Instant::now();
        let permit = timeout(self.settings.checkout_wait, Arc::clone(&self.permits).acquire_owned())
            .await
            .map_err(|_| {
                self.counts.refused.count();
                Fault::Unavailable("every database connection is busy".into())
            })?
            .map_err(Fault::bug)?;
        self.counts.waited.record(begun.elapsed());
        let answer = off_thread(move || {
            let answer = job();
            drop(permit);
            answer
        });
        timeout(self.settings.answer_within(), answer).await.map_err(too_late)?
    }

    fn pool(&self) -> Result<&Pool, Fault> {
        self.pool.get().ok_or_else(|| Fault::Unavailable("the database is not ready yet".into()))
    }
}

/// A single connection without a pool and without time limits for statements. Blocks.
///
/// # Errors
/// [`Fault::Unavailable`] if the database cannot be reached.
pub fn connect(url: &str, application_name: &str) -> Result<PgConnection, Fault> {
    PgConnection::establish(&conninfo::with_defaults(url, application_name))
        .map_err(|error| Fault::Unavailable(Cause::new(format!("cannot reach the database: {error}"), error)))
}

/// Commits, or rolls back.
fn finish<T>(conn: &mut PgConnection, answer: Result<T, Fault>) -> Result<T, Fault> {
    match answer {
        Ok(value) => Ok(TransactionManager::commit_transaction(conn).map(|()| value)?),
        Err(fault) => {
            // Report the first fault.
            let _ = TransactionManager::rollback_transaction(conn);
            Err(fault)
        }
    }
}
