//! The only door to Postgres. Everybody to the right may call it.

pub mod after_commit;
mod blocking;
pub mod checkup;
mod fault;
pub mod local;
pub mod migrations;
mod pool;
pub mod schema;
pub mod time;

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use diesel::Connection;
use diesel::connection::{SimpleConnection as _, TransactionManager as _};
use diesel::pg::PgConnection;

use tokio::sync::Semaphore;
use tokio::time::timeout;

pub use blocking::off_thread;
pub use fault::Fault;

use crate::config::{self, Pooler};
use crate::counters::{Counter, Durations};
use pool::Lines;

type TransactionManager = <PgConnection as Connection>::TransactionManager;

/// A pool of connections. Cloning shares it.
#[derive(Clone)]
pub struct Db {
    settings: config::Database,
    lines: Arc<OnceLock<Lines>>,
    /// Where connections are made that stay connections, if not where the others are.
    direct: Option<String>,
    /// One for each connection: who finds none free waits here, where waiting costs no thread.
    turns: Arc<Semaphore>,
    counts: Arc<Counts>,
}

/// What happened here, for whoever watches.
#[derive(Default)]
pub struct Counts {
    /// Waits for a connection, the short ones too.
    pub waited: Durations,
    /// Waits that were given up.
    pub refused: Counter,
}

impl Db {
    /// A door that is still shut: everything answers [`Fault::Unavailable`] until [`Db::open`], so that a
    /// server can listen while its database starts and migrates.
    pub fn shut(settings: config::Database) -> Self {
        let turns = Arc::new(Semaphore::new(settings.pool_size.max(1) as usize));
        Self { settings, lines: Arc::default(), direct: None, turns, counts: Arc::default() }
    }

    /// Connections outside the pool go to `url` instead: where the pool's own leads through a pooler that
    /// gives every transaction another connection.
    pub fn with_direct(self, url: Option<String>) -> Self {
        Self { direct: url, ..self }
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
        self.in_turn(move || {
            let lines = db.lines()?;
            let once = || {
                let mut line = lines.checkout()?;
                let answer = match lines.pooler() {
                    Pooler::None => work(&mut line.conn),
                    Pooler::Transaction => lines.begin(&mut line.conn).map_err(Fault::from).and_then(|()| {
                        let answer = work(&mut line.conn);
                        finish(&mut line.conn, answer)
                    }),
                };
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
    /// As [`Db::read`]. After a lost connection or a time-out the outcome is unknown to the caller.
    pub async fn write<T, F>(&self, work: F) -> Result<T, Fault>
    where
        T: Send + 'static,
        F: FnOnce(&mut PgConnection) -> Result<T, Fault> + Send + 'static,
    {
        let db = self.clone();
        self.in_turn(move || {
            let lines = db.lines()?;
            let mut line = lines.checkout()?;
            if let Err(error) = lines.begin(&mut line.conn) {
                let fault = Fault::from(error);
                if !fault.is_lost_connection() {
                    return Err(fault);
                }
                // Nothing was done yet, so another connection may try.
                lines.lost(line);
                line = lines.checkout()?;
                lines.begin(&mut line.conn)?;
            }
            let (answer, waiting) = after_commit::collect(|| work(&mut line.conn));
            let answer = finish(&mut line.conn, answer);
            if answer.is_ok() {
                waiting.run();
            }
            if answer.as_ref().is_err_and(Fault::is_lost_connection) {
                lines.lost(line);
            }
            answer
        })
        .await
    }

    /// No answer takes longer, regardless of the state of the database.
    pub fn longest_wait(&self) -> Duration {
        self.settings.longest_wait()
    }

    /// What happened since the start.
    pub fn counts(&self) -> &Counts {
        &self.counts
    }

    /// Connections in use, and how many there may be.
    pub fn load(&self) -> (usize, usize) {
        let size = self.settings.pool_size.max(1) as usize;
        (size.saturating_sub(self.turns.available_permits()), size)
    }

    /// A connection outside the pool that stays the same one, with its time limits. Blocks.
    pub fn connect_apart(&self) -> Result<PgConnection, Fault> {
        self.lines()?.connect(self.direct.as_deref())
    }

    /// A connection outside the pool, made as the pool makes its own. Blocks.
    pub fn connect(&self) -> Result<PgConnection, Fault> {
        self.lines()?.connect(None)
    }

    /// Whether a query runs, through the pool: what `/readyz` asks.
    pub async fn is_ready(&self) -> Result<(), Fault> {
        self.read(|conn| Ok(conn.batch_execute("SELECT 1")?)).await
    }

    /// Runs `job` on a thread once a connection can be free for it, and waits for it only so long. A job that
    /// hangs keeps its turn, so that however slow the database is, threads and memory stay bounded.
    async fn in_turn<T, F>(&self, job: F) -> Result<T, Fault>
    where
        T: Send + 'static,
        F: FnOnce() -> Result<T, Fault> + Send + 'static,
    {
        let too_late = |_| Fault::Unavailable("the database does not answer in time".into());
        let begun = Instant::now();
        let turn = timeout(self.settings.checkout_wait.std(), Arc::clone(&self.turns).acquire_owned())
            .await
            .map_err(|_| {
                self.counts.refused.count();
                Fault::Unavailable("every database connection is busy".into())
            })?
            .map_err(Fault::bug)?;
        self.counts.waited.record(begun.elapsed());
        let answer = off_thread(move || {
            let answer = job();
            drop(turn);
            answer
        });
        timeout(self.settings.answer_within(), answer).await.map_err(too_late)?
    }

    fn lines(&self) -> Result<&Lines, Fault> {
        self.lines.get().ok_or_else(|| Fault::Unavailable("the database is not ready yet".into()))
    }
}

/// Commits what was done, or undoes it.
fn finish<T>(conn: &mut PgConnection, answer: Result<T, Fault>) -> Result<T, Fault> {
    match answer {
        Ok(value) => Ok(TransactionManager::commit_transaction(conn).map(|()| value)?),
        Err(fault) => {
            // The first fault is the one worth telling.
            let _ = TransactionManager::rollback_transaction(conn);
            Err(fault)
        }
    }
}

/// Names ourselves and bounds the connection attempt, unless the operator already said so.
fn with_parameters(url: &str) -> String {
    let is_url = url.starts_with("postgres://") || url.starts_with("postgresql://");
    let mut out = url.to_owned();
    // A host that vanished is noticed by the kernel within seconds.
    let parameters = [
        ("connect_timeout", "2"),
        ("keepalives_idle", "5"),
        ("keepalives_interval", "2"),
        ("keepalives_count", "2"),
        ("tcp_user_timeout", "6000"),
        // A standby is behind: a session that was taken back may still be there.
        ("target_session_attrs", "primary"),
        ("application_name", "latchkey"),
    ];
    for (name, value) in parameters {
        if url.contains(name) {
            continue;
        }
        if is_url {
            match out.find('?') {
                None => out.push('?'),
                Some(at) if at + 1 == out.len() => {}
                Some(_) => out.push('&'),
            }
        } else {
            out.push(' ');
        }
        out.push_str(&format!("{name}={value}"));
    }
    out
}
