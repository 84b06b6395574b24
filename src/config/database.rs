//! Which database: `DATABASE_URL`, then `PG*`, then the variables a Choreo connection injects.

use std::collections::HashMap;
use std::time::Duration;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Deserialize, Serialize};

use super::{Span, sizes};

#[derive(Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Written {
    /// Same as `DATABASE_URL`, for those who keep everything in the file.
    url: Option<String>,
    /// Past a pooler in transaction mode, for the one connection that listens.
    pub(super) direct_url: Option<String>,
    /// The name of the connection made in the Choreo console, as it appears in `CHOREO_<NAME>_HOSTNAME`.
    choreo_connection: Option<String>,
    pooler: Pooler,
    pool_size: Option<u32>,
    checkout_wait: Option<Span>,
    statement_timeout: Option<Span>,
    lock_timeout: Option<Span>,
}

/// What stands between the pool and Postgres.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Pooler {
    /// Nothing, or what keeps a connection one connection, such as PgBouncer in session mode or HAProxy.
    #[default]
    None,
    /// PgBouncer in transaction mode or its like: between two transactions nothing is kept, so every statement has a
    /// transaction, and nothing is prepared for later.
    Transaction,
}

/// How the pool behaves.
#[derive(Clone, Copy, Serialize)]
pub struct Database {
    pub pooler: Pooler,
    /// Connections of one instance.
    pub pool_size: u32,
    /// After this a request is told to come back (503) rather than queue.
    pub checkout_wait: Span,
    /// No statement of ours takes longer on a healthy database. [`Database::answer_within`] follows from it.
    pub statement_timeout: Span,
    /// Waiting longer for a row means somebody holds it who should not.
    pub lock_timeout: Span,
}

/// From the moment the server ends a statement until its answer is here, in any network worth using.
const ANSWER_MARGIN: Duration = Duration::from_secs(1);

impl Database {
    /// How long an answer is waited for. Longer than the server lets a statement or a wait for a lock last: so the
    /// server gives up first and says what became of it, and our own wait only ends for a server that says nothing.
    pub fn answer_within(&self) -> Duration {
        self.statement_timeout.std().max(self.lock_timeout.std()) + ANSWER_MARGIN
    }

    /// The longest that a request waits for the database: for a connection, then for the answer.
    pub fn longest_wait(&self) -> Duration {
        self.checkout_wait.std() + self.answer_within()
    }
}

impl Written {
    pub(super) fn pool(&self) -> Database {
        Database {
            pooler: self.pooler,
            pool_size: self.pool_size.unwrap_or_else(sizes::connections),
            checkout_wait: self.checkout_wait.unwrap_or(Span::seconds(2)),
            statement_timeout: self.statement_timeout.unwrap_or(Span::seconds(3)),
            lock_timeout: self.lock_timeout.unwrap_or(Span::seconds(2)),
        }
    }

    /// The libpq connection string, or `None` where nobody named a database.
    pub(super) fn url(&self, env: &HashMap<String, String>) -> Option<String> {
        let named = |name: &str| env.get(name).filter(|value| !value.is_empty());
        if let Some(url) = named("DATABASE_URL").or(self.url.as_ref()) {
            return Some(url.clone());
        }
        if named("PGHOST").is_some() || named("PGSERVICE").is_some() || named("PGDATABASE").is_some() {
            // libpq reads PGHOST and its family by itself.
            return Some("postgresql://".into());
        }
        let name =
            self.choreo_connection.as_deref().unwrap_or("APP_DB").to_uppercase().replace(['-', ' '], "_");
        let part = |key: &str| {
            named(&format!("CHOREO_{name}_{key}"))
                .map(|value| utf8_percent_encode(value, NON_ALPHANUMERIC).to_string())
        };
        let host = part("HOSTNAME")?;
        // Managed databases speak TLS; libpq's own default would fall back to plain text.
        let tls = if named("PGSSLMODE").is_some() { "" } else { "?sslmode=require" };
        Some(format!(
            "postgresql://{}:{}@{host}:{}/{}{tls}",
            part("USERNAME").unwrap_or_default(),
            part("PASSWORD").unwrap_or_default(),
            part("PORT").unwrap_or_else(|| "5432".into()),
            part("DATABASENAME").unwrap_or_default(),
        ))
    }
}

/// A URL with its password replaced.
pub(super) fn redacted(url: &str) -> String {
    match url::Url::parse(url) {
        Ok(mut parsed) => {
            if parsed.password().is_some() {
                let _ = parsed.set_password(Some("***"));
            }
            parsed.set_query(None);
            parsed.to_string()
        }
        // A keyword string such as `host=… password=…` is not worth taking apart for show.
        Err(_) => "(set)".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(pairs: &[(&str, &str)]) -> Option<String> {
        Written::default().url(&pairs.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect())
    }

    #[test]
    fn the_first_variable_found_wins() {
        assert_eq!(url(&[]), None);
        assert_eq!(url(&[("DATABASE_URL", "postgres://a"), ("PGHOST", "b")]).unwrap(), "postgres://a");
        assert_eq!(url(&[("PGHOST", "b"), ("CHOREO_APP_DB_HOSTNAME", "c")]).unwrap(), "postgresql://");
    }

    #[test]
    fn a_choreo_connection_is_put_together_and_escaped() {
        let choreo = url(&[
            ("CHOREO_APP_DB_HOSTNAME", "db.example.org"),
            ("CHOREO_APP_DB_PORT", "25060"),
            ("CHOREO_APP_DB_USERNAME", "app"),
            ("CHOREO_APP_DB_PASSWORD", "p@ss/word"),
            ("CHOREO_APP_DB_DATABASENAME", "latchkey"),
        ]);
        assert_eq!(
            choreo.unwrap(),
            "postgresql://app:p%40ss%2Fword@db%2Eexample%2Eorg:25060/latchkey?sslmode=require"
        );
    }

    #[test]
    fn the_server_gives_up_a_statement_before_we_give_up_the_server() {
        let pool = Written::default().pool();
        // What docs/security.md and docs/faults.md promise.
        assert_eq!(pool.longest_wait(), Duration::from_secs(6));
        for (statement, lock) in [(3, 2), (1, 1), (5, 2), (2, 30), (60, 1)] {
            let pool = Database {
                statement_timeout: Span::seconds(statement),
                lock_timeout: Span::seconds(lock),
                ..pool
            };
            assert!(pool.answer_within() > pool.statement_timeout.std(), "{statement} {lock}");
            assert!(pool.answer_within() > pool.lock_timeout.std(), "{statement} {lock}");
        }
    }

    #[test]
    fn passwords_are_not_shown() {
        assert!(!redacted("postgres://u:p@h/d?password=x").contains("p@"));
        assert_eq!(redacted("host=h password=p"), "(set)");
    }
}
