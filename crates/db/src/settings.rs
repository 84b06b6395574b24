//! The size and the time limits of a pool.

use std::time::Duration;

/// The proxy or pooler between the pool and Postgres.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pooler {
    /// None, or one that keeps a connection to one server, such as HAProxy or PgBouncer in session mode.
    #[default]
    None,
    /// PgBouncer in transaction mode or the like. It keeps no state between transactions, so every statement runs in a
    /// transaction and no statement is prepared.
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
    /// The pooler that connections pass through.
    pub pooler: Pooler,
    /// The maximum number of connections; at least 1.
    pub size: u32,
    /// A caller that gets no connection within this time gets [`Fault::Unavailable`](crate::Fault::Unavailable).
    pub checkout_wait: Duration,
    /// Postgres cancels a statement that takes longer.
    pub statement_timeout: Duration,
    /// Postgres cancels a statement that waits longer for a lock.
    pub lock_timeout: Duration,
    /// The name in `pg_stat_activity`, unless the URL sets another.
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
    /// How long the pool waits for an answer. Postgres gives up first and reports why; this limit ends the wait for a
    /// server that does not answer at all.
    pub fn answer_within(&self) -> Duration {
        self.statement_timeout.max(self.lock_timeout) + ANSWER_MARGIN
    }

    /// The longest time a caller waits: for a connection, then for the answer.
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
