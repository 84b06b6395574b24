//! How much memory a cached session takes, and a cached scoped key, measured in a process of its own: this program starts itself for it.

use std::env;
use std::ops::Range;
use std::process::{Command, id};
use std::time::Duration;

use actix_web::rt::System;
use actix_web::rt::time::sleep;
use futures_util::future::join_all;
use latchkey::config::{self, Span};
use latchkey::db::Db;
use latchkey::identity::User;
use latchkey_sessions::{InvalidationListener, Policy, Store, Use};

use crate::environment::resident;
use crate::population;

/// The arguments with which this program starts itself.
const ARGUMENT: &str = "footprint";
const KEYS_ARGUMENT: &str = "footprint-keys";

/// Sessions that are read first, so that one-time allocations are not counted.
const READ_BEFORE: u64 = 5_000;

const CONCURRENCY: u64 = 64;

/// Bytes for each session, with `count` of the sessions at `url` cached.
pub fn bytes_per_session(url: &str, count: u64) -> f64 {
    measured_by_itself(ARGUMENT, url, count)
}

/// Bytes for each scoped key, with `count` of those at `url` cached, whose sessions are cached already.
pub fn bytes_per_scoped_key(url: &str, count: u64) -> f64 {
    population::insert_scoped_keys(url, 0..READ_BEFORE + count);
    measured_by_itself(KEYS_ARGUMENT, url, count)
}

fn measured_by_itself(argument: &str, url: &str, count: u64) -> f64 {
    let program = env::current_exe().unwrap();
    let output = Command::new(program).args([argument, url, &count.to_string()]).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    text.trim().parse().unwrap_or_else(|_| panic!("{text}{}", String::from_utf8_lossy(&output.stderr)))
}

/// What this program does if it was started with `argument`.
pub fn in_own_process(argument: &str) -> Option<fn(&str, u64)> {
    match argument {
        ARGUMENT => Some(measure_self),
        KEYS_ARGUMENT => Some(measure_keys_self),
        _ => None,
    }
}

/// In the process of its own: prints that number.
fn measure_self(url: &str, count: u64) {
    System::new().block_on(async {
        let (sessions, listener) = store(url, count).await;
        fill(0..READ_BEFORE, async |number| find(&sessions, number).await).await;
        let before = resident(id());
        fill(READ_BEFORE..READ_BEFORE + count, async |number| find(&sessions, number).await).await;
        let more = sessions.cached() as u64 - READ_BEFORE;
        assert_eq!(more, count, "not all are in memory");
        println!("{}", (resident(id()) - before) / more as f64);
        listener.stop();
    });
}

/// The same for scoped keys.
fn measure_keys_self(url: &str, count: u64) {
    System::new().block_on(async {
        let (sessions, listener) = store(url, count).await;
        fill(0..READ_BEFORE + count, async |number| find(&sessions, number).await).await;
        fill(0..READ_BEFORE, async |number| find_scoped(&sessions, number).await).await;
        let before = resident(id());
        fill(READ_BEFORE..READ_BEFORE + count, async |number| find_scoped(&sessions, number).await).await;
        let cached = (sessions.cached() as u64, sessions.cached_keys() as u64);
        assert_eq!(cached, (READ_BEFORE + count, READ_BEFORE + count), "not all are in memory");
        println!("{}", (resident(id()) - before) / count as f64);
        listener.stop();
    });
}

async fn store(url: &str, count: u64) -> (Store<User>, InvalidationListener) {
    let wait = Span::seconds(10);
    let limits = config::Database {
        pooler: config::Pooler::None,
        pool_size: 4,
        checkout_wait: wait,
        statement_timeout: wait,
        lock_timeout: wait,
    };
    // More room than needed, because shards fill unevenly; and no writes.
    let policy = Policy {
        cached: 2 * (READ_BEFORE + count) as usize,
        touch_every: Duration::from_secs(7200),
        ..Policy::default()
    };
    let sessions = Store::builder(Db::new(url, limits)).owner::<User>().policy(policy).build();
    let listener = sessions.listen();
    while !sessions.has_lease() {
        sleep(Duration::from_millis(5)).await;
    }
    (sessions, listener)
}

/// Finds what has these numbers, several at a time.
async fn fill(numbers: Range<u64>, find: impl AsyncFn(u64) -> bool) {
    join_all((0..CONCURRENCY).map(async |task| {
        for number in (numbers.start + task..numbers.end).step_by(CONCURRENCY as usize) {
            assert!(find(number).await, "{number}");
        }
    }))
    .await;
}

async fn find(sessions: &Store<User>, number: u64) -> bool {
    sessions.find(&population::key(number)).await.unwrap().is_some()
}

async fn find_scoped(sessions: &Store<User>, number: u64) -> bool {
    let key = population::scoped_key(number);
    sessions.find_scoped(key.reveal(), population::SCOPE, Use::Counts).await.unwrap().is_some()
}
