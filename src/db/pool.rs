//! Connections that know when they died, so that a restarted database is met with fresh ones at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use diesel::Connection as _;
use diesel::connection::SimpleConnection as _;
use diesel::dsl::sql;
use diesel::pg::PgConnection;
use diesel::r2d2::{HandleError, ManageConnection, R2D2Connection as _};
use diesel::sql_types::Bool;
use diesel::{RunQueryDsl as _, select};

use super::{Fault, with_parameters};
use crate::config;

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
        let url = other.map_or_else(|| self.url.clone(), with_parameters);
        connect(&url, self.settings)
            .map_err(|error| Fault::Unavailable(format!("no database connection: {error}")))
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
            line.dead = !can_write(&mut line.conn);
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
    let config::Database { statement_timeout, lock_timeout, .. } = settings;
    conn.batch_execute(&format!(
        "SET statement_timeout = '{}s'; SET lock_timeout = '{}s'; \
         SET idle_in_transaction_session_timeout = '10s'; SET timezone = 'UTC'",
        statement_timeout.as_secs(),
        lock_timeout.as_secs(),
    ))
    .map_err(diesel::r2d2::Error::QueryError)?;
    Ok(conn)
}

fn can_write(conn: &mut PgConnection) -> bool {
    select(sql::<Bool>("current_setting('transaction_read_only') = 'off'")).get_result(conn).unwrap_or(false)
}

/// The pool retries by itself; each caller that is turned away says so with its own request.
#[derive(Debug)]
struct LogQuietly;

impl HandleError<diesel::r2d2::Error> for LogQuietly {
    fn handle_error(&self, error: diesel::r2d2::Error) {
        tracing::warn!(%error, "database connection failed");
    }
}
