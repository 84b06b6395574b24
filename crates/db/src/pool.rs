//! Connections that know when they died, so that a restarted database is met with fresh ones at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use diesel::connection::{CacheSize, SimpleConnection as _, TransactionManager as _};
use diesel::dsl::sql;
use diesel::pg::PgConnection;
use diesel::r2d2::{HandleError, ManageConnection, R2D2Connection as _};
use diesel::sql_types::Bool;
use diesel::{Connection as _, QueryResult, RunQueryDsl as _, select};

use super::{Fault, TransactionManager, with_parameters};
use crate::config::{self, Pooler};

type Pool = diesel::r2d2::Pool<Manager>;
type Pooled = diesel::r2d2::PooledConnection<Manager>;

/// The pool and how often a connection of it was lost.
pub(super) struct Lines {
    pool: Pool,
    losses: Arc<AtomicU64>,
    url: String,
    settings: config::Database,
}

/// A connection, and how many losses there had been when it last answered.
pub(super) struct Line {
    pub conn: PgConnection,
    losses: u64,
    dead: bool,
}

impl Lines {
    pub fn new(url: String, settings: config::Database) -> Self {
        let losses: Arc<AtomicU64> = Arc::default();
        let pool = Pool::builder()
            .max_size(settings.pool_size.max(1))
            .min_idle(Some(0))
            .connection_timeout(settings.checkout_wait.std())
            // Managed databases reap idle connections after about a minute.
            .idle_timeout(Some(Duration::from_secs(30)))
            // A check at every checkout costs a round trip; it is made only after a loss, below.
            .test_on_check_out(false)
            .error_handler(Box::new(LogQuietly))
            .build_unchecked(Manager { url: url.clone(), settings, losses: losses.clone() });
        Self { pool, losses, url, settings }
    }

    /// One more, outside the pool; to `other` where that is given.
    pub fn connect(&self, other: Option<&str>) -> Result<PgConnection, Fault> {
        // What leads past a pooler is one connection.
        let lasting = config::Database { pooler: Pooler::None, ..self.settings };
        let (url, settings) =
            other.map_or_else(|| (self.url.clone(), self.settings), |url| (with_parameters(url), lasting));
        connect(&url, settings)
            .map_err(|error| Fault::Unavailable(format!("no database connection: {error}")))
    }

    pub fn pooler(&self) -> Pooler {
        self.settings.pooler
    }

    pub fn begin(&self, conn: &mut PgConnection) -> QueryResult<()> {
        begin(conn, self.settings)
    }

    /// A connection that was alive after the last loss of any: when one dies, most likely all did. One to a server
    /// that has come to only read is as good as dead; a new one may lead to another server.
    pub fn checkout(&self) -> Result<Pooled, Fault> {
        loop {
            let mut line = self
                .pool
                .get()
                .map_err(|error| Fault::Unavailable(format!("no database connection: {error}")))?;
            let losses = self.losses.load(Ordering::Acquire);
            if line.losses == losses {
                return Ok(line);
            }
            // Each dead one leaves the pool here, so this ends.
            line.dead = !can_write(&mut line.conn).unwrap_or(false);
            if !line.dead {
                line.losses = losses;
                return Ok(line);
            }
        }
    }

    /// `line` died under its user: it leaves the pool, and the others are looked at before they are used.
    pub fn lost(&self, mut line: Pooled) {
        line.dead = true;
        self.losses.fetch_add(1, Ordering::AcqRel);
    }
}

/// Opens connections with the time limits every one of them gets.
pub(super) struct Manager {
    url: String,
    settings: config::Database,
    losses: Arc<AtomicU64>,
}

impl ManageConnection for Manager {
    type Connection = Line;
    type Error = diesel::r2d2::Error;

    fn connect(&self) -> Result<Line, Self::Error> {
        // Read before connecting: a loss meanwhile makes the new one look old, never the reverse.
        let losses = self.losses.load(Ordering::Acquire);
        Ok(Line { conn: connect(&self.url, self.settings)?, losses, dead: false })
    }

    fn is_valid(&self, line: &mut Line) -> Result<(), Self::Error> {
        line.conn.ping().map_err(Self::Error::QueryError)
    }

    fn has_broken(&self, line: &mut Line) -> bool {
        line.dead || std::thread::panicking() || line.conn.is_broken()
    }
}

fn connect(url: &str, settings: config::Database) -> Result<PgConnection, diesel::r2d2::Error> {
    let mut conn = PgConnection::establish(url).map_err(diesel::r2d2::Error::ConnectionError)?;
    match settings.pooler {
        Pooler::None => limit(&mut conn, settings, "SET").map_err(diesel::r2d2::Error::QueryError)?,
        Pooler::Transaction => conn.set_prepared_statement_cache_size(CacheSize::Disabled),
    }
    Ok(conn)
}

/// A transaction with our time limits, also where a pooler would give what is set now to somebody else.
fn begin(conn: &mut PgConnection, settings: config::Database) -> QueryResult<()> {
    TransactionManager::begin_transaction(conn)?;
    if settings.pooler == Pooler::Transaction {
        limit(conn, settings, "SET LOCAL").inspect_err(|_| {
            // The first error is the one worth telling.
            let _ = TransactionManager::rollback_transaction(conn);
        })?;
    }
    Ok(())
}

fn limit(conn: &mut PgConnection, settings: config::Database, set: &str) -> QueryResult<()> {
    let config::Database { statement_timeout, lock_timeout, .. } = settings;
    conn.batch_execute(&format!(
        "{set} statement_timeout = '{}s'; {set} lock_timeout = '{}s'; \
         {set} idle_in_transaction_session_timeout = '10s'; {set} timezone = 'UTC'",
        statement_timeout.as_secs(),
        lock_timeout.as_secs(),
    ))
}

/// Whether what `conn` leads to takes writes: neither a standby nor told to only read.
pub(super) fn can_write(conn: &mut PgConnection) -> QueryResult<bool> {
    select(sql::<Bool>("current_setting('transaction_read_only') = 'off'")).get_result(conn)
}

/// The pool retries by itself; each caller that is turned away says so with its own request.
#[derive(Debug)]
struct LogQuietly;

impl HandleError<diesel::r2d2::Error> for LogQuietly {
    fn handle_error(&self, error: diesel::r2d2::Error) {
        tracing::warn!(%error, "database connection failed");
    }
}
