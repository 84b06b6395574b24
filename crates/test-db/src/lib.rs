//! A fresh, migrated database for every test, all of them on one private server below cargo's target directory.
//!
//! The server is left running for the next test process (`bin/test` stops it). Whatever a process uses there it
//! holds an advisory lock for, which ends with the process: what nobody holds a lock for is left over, and goes.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{LazyLock, Mutex};
use std::thread;
use std::time::Duration;

use diesel::connection::SimpleConnection as _;
use diesel::dsl::sql;
use diesel::sql_types::{BigInt, Bool, SingleValue, Text, Timestamptz};
use diesel::{PgConnection, QueryResult, RunQueryDsl as _, select};
use latchkey::config::{self, Span};
use latchkey::db::local::{LocalServer, Options};
use latchkey::db::{Db, migrations};
use latchkey::secret;
use time::OffsetDateTime;

/// These tests crash processes and never the machine. Nothing lives long enough here to need vacuuming, and
/// its workers would be in the way of dropping databases.
const SETTINGS: [(&str, &str); 5] = [
    ("fsync", "off"),
    ("synchronous_commit", "off"),
    ("full_page_writes", "off"),
    ("autovacuum", "off"),
    ("max_connections", "300"),
];

/// One test's database, dropped with this value.
pub struct TestDb {
    name: String,
}

impl TestDb {
    /// Blocks for some 50 ms; the first of a process also starts the server and migrates the template.
    pub fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("{}_{}", SERVER.run, COUNT.fetch_add(1, Ordering::Relaxed));
        SERVER.execute(&format!("CREATE DATABASE {name} TEMPLATE {}", SERVER.template));
        Self { name }
    }

    /// In libpq's syntax.
    pub fn url(&self) -> String {
        SERVER.local.url(&self.name)
    }

    /// A pool of its own.
    pub fn db(&self) -> Db {
        Db::new(&self.url(), pool(Span::seconds(2)))
    }

    /// A connection outside of any pool, without the pool's time limits.
    pub fn connect(&self) -> PgConnection {
        connect(&self.url())
    }

    /// Runs statements, several if they are separated by semicolons, and returns when every instance on this
    /// database has heard what they changed.
    pub fn execute(&self, statements: &str) {
        let mut conn = self.connect();
        execute(&mut conn, statements);
        wait_for_listeners(&mut conn);
    }

    /// The single value a query answers with: `db.scalar::<i64>("SELECT count(*) FROM users")`.
    pub fn scalar<T: Scalar>(&self, query: &str) -> T {
        T::read(&mut self.connect(), query)
    }

    /// Ends every connection and lets no new one in, as when the database has gone away.
    pub fn cut_off(&self) {
        SERVER.execute(&format!("ALTER DATABASE {} ALLOW_CONNECTIONS false", self.name));
        self.end_connections();
    }

    /// Undoes [`TestDb::cut_off`].
    pub fn restore(&self) {
        SERVER.execute(&format!("ALTER DATABASE {} ALLOW_CONNECTIONS true", self.name));
    }

    /// Whether new connections may only read, as those to a server that leads no longer.
    pub fn only_reads(&self, on: bool) {
        SERVER.execute(&format!("ALTER DATABASE {} SET default_transaction_read_only = {on}", self.name));
    }

    /// Ends every connection, as a restart does, and returns when they are gone.
    pub fn end_connections(&self) {
        throw_out(&mut SERVER.connect(), &self.name).unwrap();
    }
}

impl Drop for TestDb {
    /// Nothing in here may panic, because the test may have. What stays behind, the next process removes.
    fn drop(&mut self) {
        if let Ok(mut conn) = migrations::connect(&SERVER.local.maintenance_url()) {
            let _ = throw_out(&mut conn, &self.name);
            let _ = conn.batch_execute(&format!("DROP DATABASE {} WITH (FORCE)", self.name));
        }
    }
}

/// A pool on a database that cannot be reached.
pub fn unreachable_db() -> Db {
    Db::new("postgresql://nobody@/nothing?host=/nonexistent", pool(Span::seconds(1)))
}

fn pool(checkout_wait: Span) -> config::Database {
    config::Database {
        pooler: config::Pooler::None,
        pool_size: 8,
        checkout_wait,
        statement_timeout: Span::seconds(20),
        lock_timeout: Span::seconds(10),
    }
}

/// What the keepers of two instances ask each other. An instance that was killed is waited for in vain.
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
    let begun = std::time::Instant::now();
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

static SERVER: LazyLock<Server> = LazyLock::new(Server::start);

struct Server {
    local: LocalServer,
    /// What the names of this process's databases begin with.
    run: String,
    template: String,
    /// Holds the locks that say we are alive.
    _presence: Mutex<PgConnection>,
}

impl Server {
    fn start() -> Self {
        let data_dir = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("test-cluster");
        let local = LocalServer::start(&Options { settings: &SETTINGS, ..Options::new(&data_dir) })
            .unwrap_or_else(|error| panic!("{error}"));
        let mut conn = connect(&local.maintenance_url());
        let run = format!("test_{}", hexadecimal(&secret::random::<8>().unwrap()));
        let (template, versions) = schema();
        for name in [&run, &template] {
            execute(&mut conn, &format!("SELECT pg_advisory_lock_shared({})", lock(name)));
        }
        remove_leftovers(&mut conn, &run, &template);
        make_template(&local, &mut conn, &template, versions);
        Self { local, run, template, _presence: Mutex::new(conn) }
    }

    fn connect(&self) -> PgConnection {
        connect(&self.local.maintenance_url())
    }

    fn execute(&self, statements: &str) {
        execute(&mut self.connect(), statements);
    }
}

/// The template's name, different for every content of the migrations, and how many they are.
fn schema() -> (String, i64) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations");
    let mut files: Vec<_> = fs::read_dir(&root)
        .unwrap()
        .map(|entry| entry.unwrap().path().join("up.sql"))
        .filter(|file| file.exists())
        .collect();
    files.sort();
    let mut content = Vec::new();
    for file in &files {
        content.extend_from_slice(file.strip_prefix(&root).unwrap().as_os_str().as_encoded_bytes());
        content.extend(secret::sha256(&fs::read(file).unwrap()));
    }
    let name = format!("template_{}", hexadecimal(&secret::sha256(&content)[..8]));
    (name, i64::try_from(files.len()).unwrap())
}

/// Another process may be about to make the same template, or may have died while it did.
fn make_template(local: &LocalServer, conn: &mut PgConnection, name: &str, versions: i64) {
    let making = lock(&format!("make {name}"));
    execute(conn, &format!("SELECT pg_advisory_lock({making})"));
    if !bool::read(
        conn,
        &format!("SELECT EXISTS (SELECT FROM pg_database WHERE datname = '{name}' AND datistemplate)"),
    ) {
        execute(conn, &format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"));
        execute(conn, &format!("CREATE DATABASE {name} TEMPLATE template0"));
        let url = local.url(name);
        migrations::run(&url).unwrap();
        let applied = i64::read(&mut connect(&url), "SELECT count(*) FROM __diesel_schema_migrations");
        // Cargo does not notice a new directory by itself.
        assert_eq!(
            applied, versions,
            "this program was built with other migrations: touch src/db/migrations.rs"
        );
        // Being a template says that it is complete; without connections it can always be copied.
        execute(conn, &format!("ALTER DATABASE {name} ALLOW_CONNECTIONS false IS_TEMPLATE true"));
    }
    execute(conn, &format!("SELECT pg_advisory_unlock({making})"));
}

/// Databases of test processes that were killed, and templates of schemas nobody tests any more.
fn remove_leftovers(conn: &mut PgConnection, run: &str, template: &str) {
    let names = String::read(
        conn,
        "SELECT coalesce(string_agg(datname, ' '), '') FROM pg_database WHERE datname ~ '^(test|template)_[0-9a-f]{16}'",
    );
    for name in names.split_whitespace() {
        // `test_<run>_<count>` belongs to the run, a template to whoever uses it.
        let owner =
            name.rsplit_once('_').map_or(name, |(owner, _)| if owner.contains('_') { owner } else { name });
        if owner == run || owner == template {
            continue;
        }
        if bool::read(conn, &format!("SELECT pg_try_advisory_lock({})", lock(owner))) {
            // Somebody else may have been quicker.
            let _ = conn.batch_execute(&format!("ALTER DATABASE {name} IS_TEMPLATE false"));
            let _ = conn.batch_execute(&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"));
            execute(conn, &format!("SELECT pg_advisory_unlock({})", lock(owner)));
        }
    }
}

/// The two keys of the advisory lock on a name; the first sets them apart from everybody else's.
fn lock(name: &str) -> String {
    format!("7357, hashtext('{name}')")
}

/// Before `DROP DATABASE`, too, which looks only every 100 ms whether those it throws out have left.
fn throw_out(conn: &mut PgConnection, database: &str) -> QueryResult<()> {
    // Those there are now: who comes back meanwhile is somebody else.
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

fn connect(url: &str) -> PgConnection {
    migrations::connect(url).unwrap_or_else(|error| panic!("{error}"))
}

fn execute(conn: &mut PgConnection, statements: &str) {
    conn.batch_execute(statements).unwrap_or_else(|error| panic!("{statements}: {error}"));
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
