//! A fresh, migrated database for every test, all of them on one private server below cargo's target directory.
//!
//! The server keeps running for the next test process (`bin/test` stops it). A process holds an advisory lock for each
//! database it uses, which ends with the process: a database without a lock is left over and is dropped.

mod data_dir;

use std::collections::BTreeSet;
use std::fs;
use std::marker::PhantomData;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

pub use data_dir::DataDir;

use data_encoding::HEXLOWER;
use diesel::connection::SimpleConnection as _;
use diesel::dsl::sql;
use diesel::sql_types::{BigInt, Bool, SingleValue, Text, Timestamptz};
use diesel::{PgConnection, QueryResult, RunQueryDsl as _, select};
use latchkey_db::{Db, PoolSettings};
use local_postgres::{LocalPostgresOptions, LocalServer};
use sha2::{Digest as _, Sha256};
use time::OffsetDateTime;

/// Longer than anything takes on a busy machine: a test that waits this long has failed.
const PATIENCE: Duration = Duration::from_secs(60);

/// Calls `look` repeatedly until it returns a value.
pub async fn eventually<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(begun.elapsed() < PATIENCE, "{what}: not within {PATIENCE:?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// The schema of a test binary. It owns the server's handle, because statics cannot be generic.
pub trait TestSchema: 'static {
    /// Directories of migrations; the name of the template database is a hash of their content.
    const DIRECTORIES: &'static [&'static str];

    /// Applies them to the empty database at `url`, including diesel's own table.
    fn apply(url: &str);

    /// `static SERVER: LazyLock<TestServer> = LazyLock::new(TestServer::start::<Self>)`, with `CARGO_TARGET_TMPDIR`.
    fn server() -> &'static TestServer;
}

/// Without durability, because the tests crash processes and never the machine. Without vacuuming, because no database
/// lives long enough, and its workers would delay dropping databases.
const SETTINGS: [(&str, &str); 5] = [
    ("fsync", "off"),
    ("synchronous_commit", "off"),
    ("full_page_writes", "off"),
    ("autovacuum", "off"),
    ("max_connections", "300"),
];

/// One test's database, dropped with this value.
pub struct TestDb<S: TestSchema> {
    name: String,
    schema: PhantomData<S>,
}

impl<S: TestSchema> Default for TestDb<S> {
    fn default() -> Self {
        Self::new()
    }
}

impl<S: TestSchema> TestDb<S> {
    /// Blocks for some 50 ms; the first call of a process also starts the server and migrates the template.
    pub fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let server = S::server();
        let name = format!("{}_{}", server.run, COUNT.fetch_add(1, Ordering::Relaxed));
        server.execute(&format!("CREATE DATABASE {name} TEMPLATE {}", server.template));
        Self { name, schema: PhantomData }
    }

    /// In libpq's syntax.
    pub fn url(&self) -> String {
        S::server().local.url(&self.name)
    }

    /// A new pool on it.
    pub fn db(&self) -> Db {
        Db::new(&self.url(), pool(Duration::from_secs(2)))
    }

    /// A connection outside of any pool, without the pool's time limits.
    pub fn connect(&self) -> PgConnection {
        connect(&self.url())
    }

    /// Runs statements, several if separated by semicolons, and returns when every instance on this database has
    /// applied their notifications.
    pub fn execute(&self, statements: &str) {
        let mut conn = self.connect();
        execute(&mut conn, statements);
        wait_for_listeners(&mut conn);
    }

    /// The single value that a query returns: `db.scalar::<i64>("SELECT count(*) FROM users")`.
    pub fn scalar<T: Scalar>(&self, query: &str) -> T {
        T::read(&mut self.connect(), query)
    }

    /// Ends every connection and refuses new ones, as if the database were unreachable.
    pub fn cut_off(&self) {
        S::server().execute(&format!("ALTER DATABASE {} ALLOW_CONNECTIONS false", self.name));
        self.end_connections();
    }

    /// Undoes [`TestDb::cut_off`].
    pub fn restore(&self) {
        S::server().execute(&format!("ALTER DATABASE {} ALLOW_CONNECTIONS true", self.name));
    }

    /// Sets whether new connections are read-only, as those to a former primary.
    pub fn only_reads(&self, on: bool) {
        S::server()
            .execute(&format!("ALTER DATABASE {} SET default_transaction_read_only = {on}", self.name));
    }

    /// Ends every connection, as a restart does, and returns when they are gone.
    pub fn end_connections(&self) {
        throw_out(&mut S::server().connect(), &self.name).unwrap();
    }
}

impl<S: TestSchema> Drop for TestDb<S> {
    /// Must not panic, because it also runs while a failed test panics. The next process removes what remains.
    fn drop(&mut self) {
        if let Ok(mut conn) = latchkey_db::connect(&S::server().local.maintenance_url(), NAME) {
            let _ = throw_out(&mut conn, &self.name);
            let _ = conn.batch_execute(&format!("DROP DATABASE {} WITH (FORCE)", self.name));
        }
    }
}

/// A pool on a database that cannot be reached.
pub fn unreachable_db() -> Db {
    Db::new("postgresql://nobody@/nothing?host=/nonexistent", pool(Duration::from_secs(1)))
}

fn pool(checkout_wait: Duration) -> PoolSettings {
    PoolSettings {
        checkout_wait,
        statement_timeout: Duration::from_secs(20),
        lock_timeout: Duration::from_secs(10),
        ..PoolSettings::default()
    }
}

/// Sends the request that a revocation sends to all instances. An instance that was killed does not answer in time.
fn wait_for_listeners(conn: &mut PgConnection) {
    let me = uuid::Uuid::new_v4();
    let listens = one::<Bool, bool>(conn, "SELECT to_regclass('listeners') IS NOT NULL");
    if !listens || one::<BigInt, i64>(conn, "SELECT count(*) FROM listeners") == 0 {
        return;
    }
    execute(conn, "LISTEN latchkey");
    let mut missing: Vec<String> = one::<Text, String>(
        conn,
        &format!("SELECT coalesce(string_agg(id || left(pg_notify('latchkey', 'sync {me} 1')::text, 0), ' '), '') FROM listeners"),
    )
    .split(' ')
    .map(str::to_owned)
    .collect();
    let begun = Instant::now();
    while !missing.is_empty() && begun.elapsed() < Duration::from_millis(700) {
        for notification in conn.notifications_iter() {
            let words = notification.unwrap().payload;
            missing.retain(|id| words != format!("ack {me} 1 {id}"));
        }
        thread::sleep(Duration::from_micros(500));
    }
}

/// What [`TestDb::scalar`] can read.
pub trait Scalar: Sized {
    fn read(conn: &mut PgConnection, query: &str) -> Self;
}

macro_rules! scalars {
    ($($rust:ty => $sql:ty),*) => {$(
        impl Scalar for $rust {
            fn read(conn: &mut PgConnection, query: &str) -> Self {
                one::<$sql, $rust>(conn, query)
            }
        }
    )*};
}

scalars!(i64 => BigInt, bool => Bool, String => Text, OffsetDateTime => Timestamptz);

fn one<S, T>(conn: &mut PgConnection, query: &str) -> T
where
    S: SingleValue + 'static,
    T: diesel::deserialize::FromSqlRow<S, diesel::pg::Pg> + 'static,
    diesel::pg::Pg: diesel::sql_types::HasSqlType<S>,
{
    select(sql::<S>(&format!("({query})")))
        .get_result(conn)
        .unwrap_or_else(|error| panic!("{query}: {error}"))
}

/// The private server, as used by one test process.
pub struct TestServer {
    local: LocalServer,
    /// The prefix of the names of this process's databases.
    run: String,
    template: String,
    /// Holds the locks that show that this process is alive.
    _presence: Mutex<PgConnection>,
}

impl TestServer {
    /// Starts the server unless it runs, and creates the template of `S` unless it exists. `target_tmp` is
    /// `env!("CARGO_TARGET_TMPDIR")`.
    pub fn start<S: TestSchema>(target_tmp: &str) -> Self {
        let data_dir = Path::new(target_tmp).with_file_name("test-cluster");
        let local = LocalServer::start(&LocalPostgresOptions {
            settings: &SETTINGS,
            ..LocalPostgresOptions::new(&data_dir)
        })
        .unwrap_or_else(|error| panic!("{error}"));
        let mut conn = connect(&local.maintenance_url());
        let run = format!("test_{}", random_hex::<8>());
        let (template, versions) = template_of::<S>();
        for name in [&run, &template] {
            execute(&mut conn, &format!("SELECT pg_advisory_lock_shared({})", lock(name)));
        }
        remove_leftovers(&mut conn, &run, &template);
        make_template::<S>(&local, &mut conn, &template, versions);
        Self { local, run, template, _presence: Mutex::new(conn) }
    }

    fn connect(&self) -> PgConnection {
        connect(&self.local.maintenance_url())
    }

    fn execute(&self, statements: &str) {
        execute(&mut self.connect(), statements);
    }
}

/// The template's name, which depends on the content of the migrations, and the number of versions.
fn template_of<S: TestSchema>() -> (String, i64) {
    let mut files: Vec<_> = S::DIRECTORIES
        .iter()
        .flat_map(|directory| fs::read_dir(directory).unwrap_or_else(|error| panic!("{directory}: {error}")))
        .map(|entry| entry.unwrap().path().join("up.sql"))
        .filter(|file| file.exists())
        .collect();
    files.sort();
    let mut hash = Sha256::new();
    let mut versions = BTreeSet::new();
    for file in &files {
        let name = file.parent().and_then(Path::file_name).unwrap().to_string_lossy().into_owned();
        hash.update(&name);
        hash.update(Sha256::digest(fs::read(file).unwrap()));
        versions.insert(name.split('_').next().unwrap().to_owned());
    }
    let name = format!("template_{}", HEXLOWER.encode(&hash.finalize()[..8]));
    (name, i64::try_from(versions.len()).unwrap())
}

/// Another process may be creating the same template, or may have died while it did.
fn make_template<S: TestSchema>(local: &LocalServer, conn: &mut PgConnection, name: &str, versions: i64) {
    let making = lock(&format!("make {name}"));
    execute(conn, &format!("SELECT pg_advisory_lock({making})"));
    if !bool::read(
        conn,
        &format!("SELECT EXISTS (SELECT FROM pg_database WHERE datname = '{name}' AND datistemplate)"),
    ) {
        execute(conn, &format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"));
        execute(conn, &format!("CREATE DATABASE {name} TEMPLATE template0"));
        let url = local.url(name);
        S::apply(&url);
        let mut built = connect(&url);
        if versions > 0 {
            let applied = i64::read(&mut built, "SELECT count(*) FROM __diesel_schema_migrations");
            // Cargo does not notice a new directory by itself.
            assert_eq!(applied, versions, "built with other migrations: touch the file that embeds them");
        }
        drop(built);
        // Marking it as a template declares it complete; without connections it can always be copied.
        execute(conn, &format!("ALTER DATABASE {name} ALLOW_CONNECTIONS false IS_TEMPLATE true"));
    }
    execute(conn, &format!("SELECT pg_advisory_unlock({making})"));
}

/// Drops databases of test processes that were killed, and templates that no process uses.
fn remove_leftovers(conn: &mut PgConnection, run: &str, template: &str) {
    let names = String::read(
        conn,
        "SELECT coalesce(string_agg(datname, ' '), '') FROM pg_database WHERE datname ~ '^(test|template)_[0-9a-f]{16}'",
    );
    for name in names.split_whitespace() {
        // `test_<run>_<count>` belongs to the run, a template to the processes that use it.
        let owner =
            name.rsplit_once('_').map_or(name, |(owner, _)| if owner.contains('_') { owner } else { name });
        if owner == run || owner == template {
            continue;
        }
        if bool::read(conn, &format!("SELECT pg_try_advisory_lock({})", lock(owner))) {
            // Another process may have dropped it first.
            let _ = conn.batch_execute(&format!("ALTER DATABASE {name} IS_TEMPLATE false"));
            let _ = conn.batch_execute(&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"));
            execute(conn, &format!("SELECT pg_advisory_unlock({})", lock(owner)));
        }
    }
}

/// The two keys of the advisory lock on a name; the first is used only here.
fn lock(name: &str) -> String {
    format!("7357, hashtext('{name}')")
}

/// Also before `DROP DATABASE`, which checks only every 100 ms whether the connections that it terminates have ended.
fn throw_out(conn: &mut PgConnection, database: &str) -> QueryResult<()> {
    // Only the current connections; a client that reconnects has another process.
    let others = format!(
        "(SELECT pg_terminate_backend(pid), pid FROM pg_stat_activity WHERE datname = '{database}') others"
    );
    let pids: String =
        one::<Text, _>(conn, &format!("SELECT coalesce(string_agg(pid::text, ','), '0') FROM {others}"));
    while select(sql::<Bool>(&format!("EXISTS (SELECT FROM pg_stat_activity WHERE pid IN ({pids}))")))
        .get_result(conn)?
    {
        thread::sleep(Duration::from_millis(1));
    }
    Ok(())
}

/// Patient: on a busy machine, the server takes seconds to start a process for a connection.
fn connect(url: &str) -> PgConnection {
    let separator = if url.contains('?') { '&' } else { '?' };
    latchkey_db::connect(&format!("{url}{separator}connect_timeout=30"), NAME)
        .unwrap_or_else(|error| panic!("{error}"))
}

fn execute(conn: &mut PgConnection, statements: &str) {
    conn.batch_execute(statements).unwrap_or_else(|error| panic!("{statements}: {error}"));
}

/// The name in `pg_stat_activity`.
const NAME: &str = "latchkey";

fn random_hex<const N: usize>() -> String {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).unwrap();
    HEXLOWER.encode(&bytes)
}
