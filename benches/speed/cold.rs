//! Session lookups in the database, without a cache, compared with pgbench that runs the same query on the same rows.
//! The database runs on one core, the client on the other.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use actix_web::rt::System;
use futures_util::future::join_all;
use latchkey::identity::User;
use latchkey_sessions::{Owner as _, Policy, Store};

use super::environment::{Environment, on_core, pin_self};
use super::population::{self, FIRST, KEY};
use super::report::{Report, percentile};

const SECONDS: u64 = 4;

/// Each backend takes a page fault for every page of shared memory that it has not touched, until it has touched most of
/// a large table.
const WARM_UP: Duration = Duration::from_secs(30);

/// Requests that wait for their session concurrently.
const CONCURRENCY: usize = 64;

/// One database, queried in both ways.
pub struct ColdLookups {
    pub url: String,
    people: u64,
    script: PathBuf,
    sessions: Store<User>,
}

pub struct LookupTimes {
    pub per_second: f64,
    pub p50_ms: f64,
    pub p99_ms: f64,
}

impl ColdLookups {
    pub fn new(environment: &Environment, url: &str, people: u64) -> Self {
        let db = environment.db_at(url, 8);
        let sessions =
            Store::builder(db).owner::<User>().policy(Policy { cached: 0, ..Policy::default() }).build();
        let sql = sql(environment, url);
        // Our lookups send the hash; pgbench lets the database compute it, which takes a microsecond. The statement is
        // prepared, as the product prepares its own.
        let key = format!("array_fill(sha256(('{}' || :n || '{}')::bytea), ARRAY[12])", KEY.0, KEY.1);
        let script = environment.dir().join(format!("lookup-{people}.sql"));
        let last = FIRST + people - 1;
        let sql = sql.replace("$1", &key).replace("$2", &format!("'{}'", User::KIND));
        fs::write(&script, format!("\\set n random({FIRST}, {last})\n{sql};\n")).unwrap();
        Self { url: url.to_owned(), people, script, sessions }
    }

    /// Transactions per second.
    pub fn pgbench(&self, seconds: u64) -> f64 {
        let mut command = on_core(Some("0"), pgbench());
        command.args(["-n", "-M", "prepared", "-c", "8", "-T", &seconds.to_string(), "-f"]).arg(&self.script);
        let output = command.arg(&self.url).output().expect("pgbench comes with PostgreSQL");
        let text = String::from_utf8_lossy(&output.stdout);
        let failed = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && !failed.contains("ERROR"), "{text}{failed}");
        let line = text.lines().find_map(|line| line.strip_prefix("tps = ")).expect("transactions a second");
        line.split_whitespace().next().and_then(|number| number.parse().ok()).expect("a number")
    }

    /// Brings the connections into the state of long-lived ones.
    pub fn warm_up(&self) {
        self.find_for(WARM_UP, CONCURRENCY);
    }

    /// Concurrent lookups, which share queries.
    pub fn find(&self) -> LookupTimes {
        self.find_for(Duration::from_secs(SECONDS), CONCURRENCY)
    }

    /// One lookup at a time: how long a request waits for its session on an idle server.
    pub fn find_alone(&self) -> LookupTimes {
        self.find_for(Duration::from_secs(SECONDS), 1)
    }

    fn find_for(&self, length: Duration, concurrency: usize) -> LookupTimes {
        pin_self("0");
        let begun = Instant::now();
        let taken = Mutex::new(Vec::new());
        System::new().block_on(async {
            join_all((0..concurrency).map(async |task| {
                let mut numbers = Numbers(task as u64 + 1);
                while begun.elapsed() < length {
                    let asked = Instant::now();
                    let key = population::key(numbers.next() % self.people);
                    assert!(self.sessions.find(&key).await.unwrap().is_some());
                    taken.lock().unwrap().push(asked.elapsed().as_secs_f64() * 1000.0);
                }
            }))
            .await
        });
        let elapsed = begun.elapsed().as_secs_f64();
        pin_self("0-1");
        let taken = taken.into_inner().unwrap();
        LookupTimes {
            per_second: taken.len() as f64 / elapsed,
            p50_ms: percentile(&taken, 0.5),
            p99_ms: percentile(&taken, 0.99),
        }
    }
}

impl LookupTimes {
    pub fn note(&self, report: &mut Report, name: &str) {
        report.note(name, "a second", self.per_second);
        report.note(name, "ms p50", self.p50_ms);
        report.note(name, "ms p99", self.p99_ms);
    }
}

/// The statement that Diesel sends, from the database's log.
fn sql(environment: &Environment, url: &str) -> String {
    let logged = environment.db_at(&format!("{url}&options=-c%20log_statement%3Dall"), 1);
    let sessions =
        Store::builder(logged).owner::<User>().policy(Policy { cached: 0, ..Policy::default() }).build();
    System::new().block_on(sessions.find(&population::key(0))).unwrap();
    let log = fs::read_to_string(environment.dir().join("postgres.log")).unwrap();
    let line = log.lines().rev().find(|line| line.contains("key_hash") && line.contains("= ANY($1)"));
    let (_, sql) = line.and_then(|line| line.split_once(": SELECT ")).expect("the query in the log");
    format!("SELECT {sql}")
}

fn pgbench() -> PathBuf {
    let output = Command::new("pg_config").arg("--bindir").output();
    let bin =
        output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default();
    let there = Path::new(&bin).join("pgbench");
    if there.exists() { there } else { "pgbench".into() }
}

/// xorshift64*: the same numbers in every run.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 16
    }
}
