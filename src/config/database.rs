//! The database: `DATABASE_URL`, then `PG*`, then the variables that a Choreo connection injects.

use latchkey_db::PoolSettings;
use latchkey_db::conninfo::is_url;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};

use super::choice::choice;
use super::documented::documented;
use super::sources::Source;
use super::variables::Variables;
use super::{Misconfigured, Span, hidden, sizes};

documented! {
    #[derive(Default, Deserialize, Serialize)]
    #[serde(default, deny_unknown_fields)]
    pub(super) struct RawDatabase {
        /// The database, such as `postgresql://user:password@host:5432/database?sslmode=verify-full`. The first of the
        /// variables in this row that is set wins.
        /// Default: none: local mode starts its own Postgres.
        #[serde(serialize_with = "hidden::secret")]
        url: Option<SecretString>,
        /// A database URL that bypasses a pooler in transaction mode. Migrations, commands and the connection that
        /// listens for invalidations use it, because they need a connection of their own.
        #[serde(serialize_with = "hidden::secret")]
        pub(super) direct_url: Option<SecretString>,
        /// The name of the connection made in the Choreo console, as in `CHOREO_<NAME>_HOSTNAME`.
        choreo_connection: Option<String>,
        /// `transaction` if PgBouncer in transaction mode is between Latchkey and Postgres: every statement then runs in
        /// a transaction and nothing is prepared. `none` for a direct connection, HAProxy, or PgBouncer in session mode.
        pooler: Pooler,
        /// Connections of one instance, besides the one that listens. Four per core keep Postgres busy; more only wait
        /// there. At most 10, because small hosted databases allow 25 and a rollout runs two instances.
        /// Default: four per core, from 5 to 10
        pool_size: Option<u32>,
        /// How long a request waits for a connection before it is answered with 503.
        checkout_wait: Option<Span>,
        /// Postgres cancels a statement that runs longer. No statement of Latchkey does on a healthy database.
        statement_timeout: Option<Span>,
        /// Postgres gives up waiting for a row lock after this time.
        lock_timeout: Option<Span>,
    }
}

choice! {
    /// The pooler between Latchkey and Postgres.
    #[derive(Default)]
    Pooler {
        /// None, or one that keeps a connection to one server, such as PgBouncer in session mode or HAProxy.
        #[default]
        None = "none",
        /// PgBouncer in transaction mode, or the like. It keeps no state between transactions, so every statement runs in a
        /// transaction and no statement is prepared.
        Transaction = "transaction",
    }
}

/// The URL of the database, and the setting that names it.
pub(super) struct NamedDatabase {
    pub url: SecretString,
    pub source: Source,
}

/// The limits of the connection pool.
#[derive(Clone, Copy, Serialize)]
pub struct Database {
    pub pooler: Pooler,
    /// Connections of one instance.
    pub pool_size: u32,
    /// How long a request waits for a connection before it is answered with 503.
    pub checkout_wait: Span,
    /// No statement of ours takes longer on a healthy database. [`PoolSettings::answer_within`] follows from it.
    pub statement_timeout: Span,
    /// If a row lock takes longer than this, another transaction holds it that should not.
    pub lock_timeout: Span,
}

impl From<Database> for PoolSettings {
    fn from(settings: Database) -> Self {
        Self {
            pooler: match settings.pooler {
                Pooler::None => latchkey_db::Pooler::None,
                Pooler::Transaction => latchkey_db::Pooler::Transaction,
            },
            size: settings.pool_size,
            checkout_wait: settings.checkout_wait.std(),
            statement_timeout: settings.statement_timeout.std(),
            lock_timeout: settings.lock_timeout.std(),
            application_name: "latchkey",
        }
    }
}

impl RawDatabase {
    pub(super) fn pool(&self) -> Database {
        Database {
            pooler: self.pooler,
            pool_size: self.pool_size.unwrap_or_else(sizes::connections),
            checkout_wait: self.checkout_wait.unwrap_or(Span::seconds(2)),
            statement_timeout: self.statement_timeout.unwrap_or(Span::seconds(3)),
            lock_timeout: self.lock_timeout.unwrap_or(Span::seconds(2)),
        }
    }

    /// The database that the first of these settings names; `None` if no setting names one.
    pub(super) fn named(&self, variables: &Variables) -> Result<Option<NamedDatabase>, Misconfigured> {
        if let Some(url) = variables.get("DATABASE_URL") {
            return checked(url, "DATABASE_URL", Source::Variable("DATABASE_URL".into()));
        }
        if let Some(url) = &self.url {
            return checked(url.expose_secret(), "LATCHKEY__DATABASE__URL", Source::Setting);
        }
        for name in ["PGHOST", "PGSERVICE", "PGDATABASE"] {
            if variables.get(name).is_some() {
                // libpq reads PGHOST and its family by itself.
                let source = Source::Variable(name.into());
                return Ok(Some(NamedDatabase { url: "postgresql://".into(), source }));
            }
        }
        Ok(self.choreo(variables))
    }

    /// The connection that Choreo injects. Its parts are trimmed already and are escaped here.
    fn choreo(&self, variables: &Variables) -> Option<NamedDatabase> {
        let connection = self.choreo_connection();
        let name = connection.to_uppercase().replace(['-', ' '], "_");
        let part = |key: &str| {
            let value = variables.get(&format!("CHOREO_{name}_{key}"));
            value.map(|value| utf8_percent_encode(value, NON_ALPHANUMERIC).to_string())
        };
        let host = part("HOSTNAME")?;
        // Managed databases support TLS, and libpq's default would fall back to plain text.
        let tls = if variables.get("PGSSLMODE").is_some() { "" } else { "?sslmode=require" };
        let url = format!(
            "postgresql://{}:{}@{host}:{}/{}{tls}",
            part("USERNAME").unwrap_or_default(),
            part("PASSWORD").unwrap_or_default(),
            part("PORT").unwrap_or_else(|| "5432".into()),
            part("DATABASENAME").unwrap_or_default(),
        );
        Some(NamedDatabase { url: url.into(), source: Source::Choreo(connection.to_owned()) })
    }

    pub(super) fn choreo_connection(&self) -> &str {
        self.choreo_connection.as_deref().unwrap_or("APP_DB")
    }
}

/// Refuses a URL of another database system. The error does not repeat the value, which may contain a password.
fn checked(url: &str, setting: &str, source: Source) -> Result<Option<NamedDatabase>, Misconfigured> {
    if !is_url(url) && url.contains("://") {
        return Err(Misconfigured::new(format!(
            "{setting} is not a PostgreSQL URL: write it as postgresql://user:password@host:5432/database"
        )));
    }
    Ok(Some(NamedDatabase { url: url.into(), source }))
}

/// `url` with its password replaced.
pub(super) fn redacted(url: &str) -> String {
    match url::Url::parse(url) {
        Ok(mut parsed) => {
            if parsed.password().is_some() {
                let _ = parsed.set_password(Some("***"));
            }
            // Both may contain the rest of a password whose `?` or `#` was not encoded.
            parsed.set_query(None);
            parsed.set_fragment(None);
            parsed.to_string()
        }
        // A keyword string such as `host=… password=…` is not parsed.
        Err(_) => "(set)".into(),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn url(pairs: &[(&str, &str)]) -> Option<String> {
        let variables = Variables::new(pairs.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect());
        RawDatabase::default().named(&variables).unwrap().map(|named| named.url.expose_secret().to_owned())
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
    fn white_space_around_the_parts_of_a_choreo_connection_is_not_escaped() {
        let tidy = [
            ("HOSTNAME", "db"),
            ("PORT", "5433"),
            ("USERNAME", "app"),
            ("PASSWORD", "x"),
            ("DATABASENAME", "l"),
        ];
        let with = |around: &str| {
            let named =
                tidy.map(|(part, value)| (format!("CHOREO_APP_DB_{part}"), format!("{value}{around}")));
            url(&named.each_ref().map(|(name, value)| (name.as_str(), value.as_str())))
        };
        for around in ["\n", "\r\n", " ", "\t"] {
            assert_eq!(with(around), with(""), "{around:?}");
        }
    }

    #[test]
    fn the_url_of_another_database_is_refused_and_not_repeated() {
        for wrong in ["mysql://u:hunter2@db/x?a=b", "https://db", "'postgres://u:hunter2@db/x'"] {
            let refusal = checked(wrong, "DATABASE_URL", Source::Setting).err().unwrap().to_string();
            assert!(refusal.contains("DATABASE_URL") && !refusal.contains("hunter2"), "{refusal}");
        }
        for right in ["postgres://u@db/x", "postgresql://", "host=db password=x"] {
            assert!(checked(right, "DATABASE_URL", Source::Setting).is_ok(), "{right}");
        }
    }

    #[test]
    fn a_request_waits_for_the_database_as_long_as_the_documents_say() {
        let pool = PoolSettings::from(RawDatabase::default().pool());
        // What docs/security.md and docs/faults.md promise.
        assert_eq!(pool.longest_wait(), Duration::from_secs(6));
    }

    #[test]
    fn passwords_are_not_shown() {
        assert!(!redacted("postgres://u:p@h/d?password=x").contains("p@"));
        assert_eq!(redacted("host=h password=p"), "(set)");
    }
}
