//! What a session in memory costs, in a process that does nothing else: this program calls itself for it.

use std::process::Command;
use std::time::Duration;
use std::{env, fs};

use actix_web::rt::System;
use actix_web::rt::time::sleep;
use futures_util::future::join_all;
use latchkey::config::{self, Span};
use latchkey::db::Db;
use latchkey::identity::User;
use latchkey::sessions::{Policy, Sessions};

use crate::crowd;

/// The word this program is called with.
pub const WORD: &str = "footprint";

/// Sessions that are read first, so that what is there once is there.
const BEFORE: u64 = 5_000;

const AT_ONCE: u64 = 64;

/// Bytes a session, when `count` of those at `url` are in memory.
pub fn bytes_per_session(url: &str, count: u64) -> f64 {
    let program = env::current_exe().unwrap();
    let output = Command::new(program).args([WORD, url, &count.to_string()]).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    text.trim().parse().unwrap_or_else(|_| panic!("{text}{}", String::from_utf8_lossy(&output.stderr)))
}

/// The called one: prints that number.
pub fn measure_self(url: &str, count: u64) {
    let wait = Span::seconds(10);
    let limits = config::Database {
        pooler: config::Pooler::None,
        pool_size: 4,
        checkout_wait: wait,
        statement_timeout: wait,
        lock_timeout: wait,
    };
    // Room for more than come, since shards do not fill alike; and nothing is to be written down.
    let policy = Policy {
        cached: 2 * (BEFORE + count) as usize,
        touch_every: Duration::from_secs(7200),
        ..Policy::default()
    };
    System::new().block_on(async {
        let sessions = Sessions::<User>::new(Db::new(url, limits), policy);
        let keeper = sessions.keep();
        while !sessions.is_trusted() {
            sleep(Duration::from_millis(5)).await;
        }
        fill(&sessions, 0, BEFORE).await;
        let before = resident();
        fill(&sessions, BEFORE, BEFORE + count).await;
        let more = sessions.cached() as u64 - BEFORE;
        assert_eq!(more, count, "not all are in memory");
        println!("{}", (resident() - before) / more as f64);
        keeper.stop();
    });
}

async fn fill(sessions: &Sessions<User>, first: u64, last: u64) {
    join_all((0..AT_ONCE).map(async |task| {
        for number in (first + task..last).step_by(AT_ONCE as usize) {
            assert!(sessions.find(&crowd::key(number)).await.unwrap().is_some());
        }
    }))
    .await;
}

/// Bytes of this process that are in memory.
fn resident() -> f64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("VmRSS");
    line.split_whitespace().next().and_then(|kilobytes| kilobytes.parse::<f64>().ok()).expect("a number")
        * 1024.0
}
