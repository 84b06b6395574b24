//! The only door to Postgres. Everybody to the right may call it.

mod blocking;
mod fault;
pub mod local;
pub mod migrations;
mod pool;
pub mod schema;
pub mod time;

use std::sync::{Arc, OnceLock};

use diesel::Connection;
use diesel::connection::{SimpleConnection as _, TransactionManager as _};
use diesel::pg::PgConnection;

pub use blocking::off_thread;
pub use fault::Fault;

use crate::config;
use pool::Lines;

type TransactionManager = <PgConnection as Connection>::TransactionManager;

/// A pool of connections. Cloning shares it.
#[derive(Clone)]
pub struct Db {
    settings: config::Database,
    lines: Arc<OnceLock<Lines>>,
}

impl Db {
    /// A door that is still shut: everything answers [`Fault::Unavailable`] until [`Db::open`], so that a
    /// server can listen while its database starts and migrates.
    pub fn shut(settings: config::Database) -> Self {
        Self { settings, lines: Arc::default() }
    }

    /// A pool on `url` (libpq syntax). Connects when first asked.
    pub fn new(url: &str, settings: config::Database) -> Self {
        let db = Self::shut(settings);
        db.open(url);
        db
    }

    /// Opens the door, once; a second call changes nothing.
    pub fn open(&self, url: &str) {
        self.lines.get_or_init(|| Lines::new(with_parameters(url), self.settings));
    }

    /// Runs `work` on a connection, away from the event loop. `work` only reads: when its connection turns
    /// out dead it is run once more on another.
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
            let lines = db.lines()?;
            let once = || {
                let mut line = lines.checkout()?;
                let answer = work(&mut line.conn);
                if answer.as_ref().is_err_and(Fault::is_lost_connection) {
                    lines.lost(line);
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
            let lines = db.lines()?;
            let mut line = lines.checkout()?;
            if let Err(error) = TransactionManager::begin_transaction(&mut line.conn) {
                let fault = Fault::from(error);
                if !fault.is_lost_connection() {
                    return Err(fault);
                }
                // Nothing was done yet, so another connection may try.
                lines.lost(line);
                line = lines.checkout()?;
                TransactionManager::begin_transaction(&mut line.conn)?;
            }
            let answer = match work(&mut line.conn) {
                Ok(value) => TransactionManager::commit_transaction(&mut line.conn)
                    .map(|()| value)
                    .map_err(Fault::from),
                Err(fault) => {
                    // The first fault is the one worth telling.
                    let _ = TransactionManager::rollback_transaction(&mut line.conn);
                    Err(fault)
                }
            };
            if answer.as_ref().is_err_and(Fault::is_lost_connection) {
                lines.lost(line);
            }
            answer
        })
        .await
    }

    /// Whether a query runs, through the pool: what `/readyz` asks.
    pub async fn is_ready(&self) -> Result<(), Fault> {
        self.read(|conn| Ok(conn.batch_execute("SELECT 1")?)).await
    }

    fn lines(&self) -> Result<&Lines, Fault> {
        self.lines.get().ok_or_else(|| Fault::Unavailable("the database is not ready yet".into()))
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
