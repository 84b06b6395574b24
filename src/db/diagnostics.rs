//! What a database reports about itself, for `latchkey doctor`. Leaves no lasting change.

use std::time::{Duration, Instant, SystemTime};

use ::time::OffsetDateTime;
use diesel::connection::SimpleConnection as _;
use diesel::dsl::sql;
use diesel::pg::PgConnection;
use diesel::sql_types::{BigInt, Bool, Integer, Nullable, Text, Timestamptz};
use diesel::{Connection as _, QueryableByName, RunQueryDsl as _, select, sql_query};

use latchkey_db::notifications;

use super::{Fault, migrations};

/// The server of a connection, and the role of the connection.
#[derive(QueryableByName)]
pub struct ServerStatus {
    /// For example 150004 for 15.4.
    #[diesel(sql_type = Integer)]
    pub number: i32,
    #[diesel(sql_type = Text)]
    pub version: String,
    #[diesel(sql_type = Bool)]
    pub standby: bool,
    #[diesel(sql_type = Bool)]
    pub read_only: bool,
    /// The number of connections for roles that are not superusers, or the limit of this role or database if it is
    /// lower.
    #[diesel(sql_type = Integer)]
    pub connections: i32,
    #[diesel(sql_type = BigInt)]
    pub connected: i64,
    #[diesel(sql_type = Text)]
    pub fsync: String,
    #[diesel(sql_type = Text)]
    pub full_page_writes: String,
    #[diesel(sql_type = Text)]
    pub synchronous_commit: String,
    /// `lc_messages`, the locale of the server's messages.
    #[diesel(sql_type = Text)]
    pub messages: String,
    #[diesel(sql_type = Text)]
    pub role: String,
    #[diesel(sql_type = Bool)]
    pub superuser: bool,
    #[diesel(sql_type = Bool)]
    pub may_create: bool,
}

pub fn server(conn: &mut PgConnection) -> Result<ServerStatus, Fault> {
    Ok(sql_query(
        "SELECT current_setting('server_version_num')::int AS number, current_setting('server_version') AS version, \
             pg_is_in_recovery() AS standby, current_setting('transaction_read_only')::boolean AS read_only, \
             least(current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int, \
                 nullif(rolconnlimit, -1), nullif(datconnlimit, -1)) AS connections, \
             (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend') AS connected, \
             current_setting('fsync') AS fsync, current_setting('full_page_writes') AS full_page_writes, \
             current_setting('synchronous_commit') AS synchronous_commit, current_setting('lc_messages') AS messages, \
             rolname::text AS role, rolsuper AS superuser, \
             coalesce(has_schema_privilege(current_schema(), 'CREATE'), false) AS may_create \
         FROM pg_roles, pg_database WHERE rolname = current_user AND datname = current_database()",
    )
    .get_result(conn)?)
}

/// Whether the server considers the connection encrypted. Behind a proxy or pooler, this is the connection of that.
#[derive(QueryableByName)]
pub struct TlsStatus {
    #[diesel(sql_type = Bool)]
    pub encrypted: bool,
    #[diesel(sql_type = Nullable<Text>)]
    pub protocol: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    pub cipher: Option<String>,
}

pub fn tls_status(conn: &mut PgConnection) -> Result<TlsStatus, Fault> {
    Ok(sql_query(
        "SELECT coalesce(s.ssl, false) AS encrypted, s.version AS protocol, s.cipher \
         FROM pg_stat_activity a LEFT JOIN pg_stat_ssl s USING (pid) WHERE pid = pg_backend_pid()",
    )
    .get_result(conn)?)
}

/// The same, on a new connection.
pub fn tls_status_of(url: &str) -> Result<TlsStatus, Fault> {
    tls_status(&mut migrations::connect(url)?)
}

/// The privileges of this role on a table.
#[derive(QueryableByName)]
pub struct Rights {
    #[diesel(sql_type = Text)]
    pub name: String,
    #[diesel(sql_type = Bool)]
    pub select: bool,
    #[diesel(sql_type = Bool)]
    pub insert: bool,
    #[diesel(sql_type = Bool)]
    pub update: bool,
    #[diesel(sql_type = Bool)]
    pub delete: bool,
}

pub fn rights(conn: &mut PgConnection) -> Result<Vec<Rights>, Fault> {
    Ok(sql_query(
        "SELECT relname::text AS name, has_table_privilege(oid, 'SELECT') AS select, \
             has_table_privilege(oid, 'INSERT') AS insert, has_table_privilege(oid, 'UPDATE') AS update, \
             has_table_privilege(oid, 'DELETE') AS delete \
         FROM pg_class WHERE relkind IN ('r', 'p') AND relnamespace = current_schema()::regnamespace ORDER BY relname",
    )
    .load(conn)?)
}

/// The median of `times` round trips.
pub fn round_trip(conn: &mut PgConnection, times: usize) -> Result<Duration, Fault> {
    let mut took = Vec::new();
    for _ in 0..times {
        let begun = Instant::now();
        conn.batch_execute("SELECT 1")?;
        took.push(begun.elapsed());
    }
    took.sort_unstable();
    Ok(took.get(times / 2).copied().unwrap_or_default())
}

/// How far the database's clock is ahead of this machine's, and the accuracy: half of the fastest of five round trips.
pub fn clock_ahead(conn: &mut PgConnection) -> Result<(::time::Duration, Duration), Fault> {
    let mut best: Option<(::time::Duration, Duration)> = None;
    for _ in 0..5 {
        let (ours, begun) = (SystemTime::now(), Instant::now());
        let theirs: OffsetDateTime = select(sql::<Timestamptz>("clock_timestamp()")).get_result(conn)?;
        let half = begun.elapsed() / 2;
        if best.is_none_or(|(_, known)| half < known) {
            best = Some((theirs - OffsetDateTime::from(ours + half), half));
        }
    }
    best.ok_or_else(|| Fault::Bug("no round trip".into()))
}

/// Whether `conn` keeps one server process. Behind a pooler in transaction mode, it gets another one while `other` uses
/// the first. No setting is used to find out, because it would remain for the next client of the server process.
pub fn keeps_its_server(conn: &mut PgConnection, other: &mut PgConnection) -> Result<bool, Fault> {
    let first = process(conn)?;
    for _ in 0..3 {
        // A pooler assigns processes in turn, or the most recently used one first, which by now is the one `other` had.
        if process(conn)? != first {
            return Ok(false);
        }
        let alone = other.transaction::<_, Fault, _>(|other| {
            // If both share a single process, waiting for it here would never end.
            let theirs = process(other)?;
            Ok(theirs != first && process(conn)? == first)
        })?;
        if !alone {
            return Ok(false);
        }
    }
    Ok(process(conn)? == first)
}

fn process(conn: &mut PgConnection) -> Result<i32, Fault> {
    Ok(select(sql::<Integer>("pg_backend_pid()")).get_result(conn)?)
}

/// How long a notification takes from `speaking` to `listening`; `None` if it does not arrive within `patience`.
pub fn notification_delay(
    listening: &mut PgConnection,
    speaking: &mut PgConnection,
    patience: Duration,
) -> Result<Option<Duration>, Fault> {
    listening.batch_execute("LISTEN latchkey_doctor")?;
    let word = crate::secret::encode(&crate::secret::random::<12>()?);
    let begun = Instant::now();
    sql_query("SELECT pg_notify('latchkey_doctor', $1)").bind::<Text, _>(&word).execute(speaking)?;
    let mut heard = None;
    notifications::wait(listening, patience, |payload| {
        heard = (payload == word).then(|| begun.elapsed());
        heard.is_some()
    })?;
    Ok(heard)
}
