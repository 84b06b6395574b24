//! How a pool behaves: its size and its time limits.

use std::time::Duration;

/// What stands between the pool and Postgres.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pooler {
    /// Nothing, or a proxy that keeps a connection one connection, such as HAProxy or PgBouncer in session mode.
    #[default]
    None,
    /// PgBouncer in transaction mode or its like. Nothing survives a transaction there, so every statement runs in a
    /// transaction and no statement is prepared for later.
    Transaction,
}

/// Size and time limits of a [`Db`](crate::Db).
///
/// ```
/// use std::time::Duration;
/// use latchkey_db::PoolSettings;
///
/// let settings = PoolSettings { size: 4, application_name: "shop", ..PoolSettings::default() };
/// assert_eq!(settings.longest_wait(), Duration::from_secs(6));
/// ```
#[derive(Clone, Copy, Debug)]
pub struct PoolSettings {
    /// What the connections lead through.
    pub pooler: Pooler,
    /// Connections at most; at least 1 is used.
    pub size: u32,
    /// A caller that gets no connection within this time gets [`Fault::Unavailable`](crate::Fault::Unavailable).
    pub checkout_wait: Duration,
    /// Postgres cancels a statement that takes longer.
    pub statement_timeout: Duration,
    /// Postgres cancels a statement that waits longer for a lock.
    pub lock_timeout: Duration,
    /// What `pg_stat_activity` shows, unless the URL names another.
    pub application_name: &'static str,
}

/// From the moment Postgres cancels a statement until its answer arrives, on a working network.
const ANSWER_MARGIN: Duration = Duration::from_secs(1);

impl Default for PoolSettings {
    fn default() -> Self {
        Self {
            pooler: Pooler::None,
            size: 8,
            checkout_wait: Duration::from_secs(2),
            statement_timeout: Duration::from_secs(3),
            lock_timeout: Duration::from_secs(2),
            application_name: "latchkey-db",
        }
    }
}

impl PoolSettings {
    /// How long the pool waits for an answer. Postgres gives up first and says why; this limit only ends the wait for a
    /// server that says nothing.
    pub fn answer_within(&self) -> Duration {
        self.statement_timeout.max(self.lock_timeout) + ANSWER_MARGIN
    }

    /// The longest that a caller waits: for a connection, then for the answer.
    pub fn longest_wait(&self) -> Duration {
        self.checkout_wait + self.answer_within()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_server_gives_up_a_statement_before_the_pool_gives_up_the_server() {
        for (statement, lock) in [(3, 2), (1, 1), (5, 2), (2, 30), (60, 1)] {
            let settings = PoolSettings {
                statement_timeout: Duration::from_secs(statement),
                lock_timeout: Duration::from_secs(lock),
                ..PoolSettings::default()
            };
            assert!(settings.answer_within() > settings.statement_timeout, "{statement} {lock}");
            assert!(settings.answer_within() > settings.lock_timeout, "{statement} {lock}");
        }
    }
}
