//! How much memory a cached session takes, measured in a process of its own: this program starts itself for it.

use std::process::Command;
use std::time::Duration;
use std::{env, fs};

use actix_web::rt::System;
use actix_web::rt::time::sleep;
use futures_util::future::join_all;
use latchkey::config::{self, Span};
use latchkey::db::Db;
use latchkey::identity::User;
use latchkey_sessions::{Policy, Store};

use crate::population;

/// The argument with which this program starts itself.
pub const ARGUMENT: &str = "footprint";

/// Sessions that are read first, so that one-time allocations are not counted.
const READ_BEFORE: u64 = 5_000;

const CONCURRENCY: u64 = 64;

/// Bytes for each session, with `count` of the sessions at `url` cached.
pub fn bytes_per_session(url: &str, count: u64) -> f64 {
    let program = env::current_exe().unwrap();
    let output = Command::new(program).args([ARGUMENT, url, &count.to_string()]).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    text.trim().parse().unwrap_or_else(|_| panic!("{text}{}", String::from_utf8_lossy(&output.stderr)))
}

/// In the process of its own: prints that number.
pub fn measure_self(url: &str, count: u64) {
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
    System::new().block_on(async {
        let sessions = Store::builder(Db::new(url, limits)).owner::<User>().policy(policy).build();
        let listener = sessions.listen();
        while !sessions.has_lease() {
            sleep(Duration::from_millis(5)).await;
        }
        fill(&sessions, 0, READ_BEFORE).await;
        let before = resident();
        fill(&sessions, READ_BEFORE, READ_BEFORE + count).await;
        let more = sessions.cached() as u64 - READ_BEFORE;
        assert_eq!(more, count, "not all are in memory");
        println!("{}", (resident() - before) / more as f64);
        listener.stop();
    });
}

async fn fill(sessions: &Store<User>, first: u64, last: u64) {
    join_all((0..CONCURRENCY).map(async |task| {
        for number in (first + task..last).step_by(CONCURRENCY as usize) {
            assert!(sessions.find(&population::key(number)).await.unwrap().is_some());
        }
    }))
    .await;
}

/// The resident memory of this process in bytes.
fn resident() -> f64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("VmRSS");
    line.split_whitespace().next().and_then(|kilobytes| kilobytes.parse::<f64>().ok()).expect("a number")
        * 1024.0
}
