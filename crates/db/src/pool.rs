//! The r2d2 pool behind [`Db`](super::Db). After one connection is lost, the others are checked before they are used,
//! so that a restart of the database costs one failed statement instead of one per connection.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use diesel::connection::{CacheSize, SimpleConnection as _, TransactionManager as _};
use diesel::dsl::sql;
use diesel::pg::PgConnection;
use diesel::r2d2::{self, HandleError, ManageConnection, R2D2Connection as _};
use diesel::sql_types::Bool;
use diesel::{Connection as _, QueryResult, RunQueryDsl as _, select};
use secrecy::{ExposeSecret as _, SecretString};

use super::conninfo::with_defaults;
use super::{Cause, Fault, PoolSettings, Pooler};

pub(super) type TransactionManager = <PgConnection as diesel::Connection>::TransactionManager;

type Checkout = r2d2::PooledConnection<Manager>;

/// The connections, and how many were lost so far.
pub(super) struct Pool {
    connections: r2d2::Pool<Manager>,
    losses: Arc<AtomicU64>,
    url: SecretString,
    settings: PoolSettings,
}

/// A connection, and the number of losses when it last answered.
pub(super) struct PooledConn {
    pub(super) conn: PgConnection,
    losses: u64,
    dead: bool,
}

impl Pool {
    pub(super) fn new(url: &str, settings: PoolSettings) -> Self {
        let url = SecretString::from(with_defaults(url, settings.application_name));
        let losses: Arc<AtomicU64> = Arc::default();
        let connections = r2d2::Pool::builder()
            .max_size(settings.size.max(1))
            .min_idle(Some(0))
            .connection_timeout(settings.checkout_wait)
            // Managed databases close idle connections after about a minute.
            .idle_timeout(Some(Duration::from_secs(30)))
            // A check at every checkout would cost a round trip; `checkout` checks only after a loss.
            .test_on_check_out(false)
            .error_handler(Box::new(LogQuietly))
            .build_unchecked(Manager { url: url.clone(), settings, losses: losses.clone() });
        Self { connections, losses, url, settings }
    }

    /// A connection outside the pool; to `direct` if it is set.
    pub(super) fn connect(&self, direct: Option<&SecretString>) -> Result<PgConnection, Fault> {
        let connected = match direct {
            None => connect(self.url.expose_secret(), self.settings),
            Some(url) => {
                // `direct` bypasses the pooler.
                let settings = PoolSettings { pooler: Pooler::None, ..self.settings };
                connect(&with_defaults(url.expose_secret(), settings.application_name), settings)
            }
        };
        connected.map_err(no_connection)
    }

    pub(super) fn pooler(&self) -> Pooler {
        self.settings.pooler
    }

    /// Begins a transaction with the time limits; also behind a pooler, where a session-wide setting would leak to
    /// other clients.
    pub(super) fn begin(&self, conn: &mut PgConnection) -> QueryResult<()> {
        TransactionManager::begin_transaction(conn)?;
        if self.settings.pooler == Pooler::Transaction {
            limit(conn, self.settings, "SET LOCAL").inspect_err(|_| {
                // Report the first error.
                let _ = TransactionManager::rollback_transaction(conn);
            })?;
        }
        Ok(())
    }

    /// Returns a connection that answered after the latest loss of any: if one breaks, probably all did. A connection
    /// to a server that has become read-only counts as dead, because a new one may lead to the new primary.
    pub(super) fn checkout(&self) -> Result<Checkout, Fault> {
        loop {
            let mut pooled = self.connections.get().map_err(no_connection)?;
            let losses = self.losses.load(Ordering::Acquire);
            if pooled.losses == losses {
                return Ok(pooled);
            }
            // The loop ends, because each dead connection leaves the pool here.
            pooled.dead = !is_writable(&mut pooled.conn).unwrap_or(false);
            if !pooled.dead {
                pooled.losses = losses;
                return Ok(pooled);
            }
        }
    }

    /// `pooled` broke while it was used: removes it from the pool, and has the others checked before they are used.
    pub(super) fn lost(&self, mut pooled: Checkout) {
        pooled.dead = true;
        self.losses.fetch_add(1, Ordering::AcqRel);
    }
}

fn no_connection(error: impl std::error::Error + Send + Sync + 'static) -> Fault {
    Fault::Unavailable(Cause::new(format!("no database connection: {error}"), error))
}

/// Opens connections and sets their time limits.
pub(super) struct Manager {
    url: SecretString,
    settings: PoolSettings,
    losses: Arc<AtomicU64>,
}

impl ManageConnection for Manager {
    type Connection = PooledConn;
    type Error = r2d2::Error;

    fn connect(&self) -> Result<PooledConn, Self::Error> {
        // Read before connecting: if a connection is lost meanwhile, the new one is checked needlessly, but never
        // trusted wrongly.
        let losses = self.losses.load(Ordering::Acquire);
        Ok(PooledConn { conn: connect(self.url.expose_secret(), self.settings)?, losses, dead: false })
    }

    fn is_valid(&self, pooled: &mut PooledConn) -> Result<(), Self::Error> {
        pooled.conn.ping().map_err(Self::Error::QueryError)
    }

    fn has_broken(&self, pooled: &mut PooledConn) -> bool {
        pooled.dead || std::thread::panicking() || pooled.conn.is_broken()
    }
}

fn connect(url: &str, settings: PoolSettings) -> Result<PgConnection, r2d2::Error> {
    let mut conn = PgConnection::establish(url).map_err(r2d2::Error::ConnectionError)?;
    match settings.pooler {
        Pooler::None => limit(&mut conn, settings, "SET").map_err(r2d2::Error::QueryError)?,
        Pooler::Transaction => conn.set_prepared_statement_cache_size(CacheSize::Disabled),
    }
    Ok(conn)
}

fn limit(conn: &mut PgConnection, settings: PoolSettings, set: &str) -> QueryResult<()> {
    let PoolSettings { statement_timeout, lock_timeout, .. } = settings;
    conn.batch_execute(&format!(
        "{set} statement_timeout = '{}ms'; {set} lock_timeout = '{}ms'; \
         {set} idle_in_transaction_session_timeout = '10s'; {set} timezone = 'UTC'",
        statement_timeout.as_millis(),
        lock_timeout.as_millis(),
    ))
}

/// Whether the server of `conn` accepts writes: it is neither a standby nor set to read-only.
///
/// # Errors
/// Those of the query.
pub fn is_writable(conn: &mut PgConnection) -> QueryResult<bool> {
    select(sql::<Bool>("current_setting('transaction_read_only') = 'off'")).get_result(conn)
}

/// Not logged: the pool retries by itself, and each caller that gets no connection reports that itself.
#[derive(Debug)]
struct LogQuietly;

impl HandleError<r2d2::Error> for LogQuietly {
    fn handle_error(&self, error: r2d2::Error) {
        tracing::warn!(%error, "database connection failed");
    }
}
