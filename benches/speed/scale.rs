//! Ten thousand, a million and five million sessions: lookups, size on disk and in memory, and maintenance.

use std::time::{Duration, Instant};

use actix_web::rt::System;
use futures_util::future::join_all;
use latchkey::identity::User;
use latchkey_sessions::{Policy, Store};

use super::cold::ColdLookups;
use super::environment::{Environment, execute};
use super::population::{self, number};
use super::report::Report;
use super::sessions::footprint::bytes_per_session;

const SIZES: [(u64, &str); 3] = [(10_000, "10 thousand"), (1_000_000, "1 million"), (5_000_000, "5 million")];

/// Sessions that are used between two flushes, and that a sweep deletes.
const USED: u64 = 100_000;

/// Flushes before the table is vacuumed.
const FLUSHES: usize = 10;

const MEGABYTE: f64 = 1024.0 * 1024.0;

pub fn measure(report: &mut Report) {
    let environment = Environment::with_large_memory();
    let mut there = 0;
    for (people, name) in SIZES {
        population::insert(&environment.url, there..people);
        there = people;
        size(report, &environment, name);
        lookups(report, &environment, people, name);
        let seen = USED.min(people);
        if seen < people {
            let weight = bytes_per_session(&environment.url, seen);
            report.note(&format!("{name}: one more session in memory"), "bytes", weight);
        }
        System::new().block_on(touches(report, &environment, seen, name));
        System::new().block_on(sweep(report, &environment, seen, name));
    }
}

fn size(report: &mut Report, environment: &Environment, name: &str) {
    for (what, query) in [
        ("table sessions", "pg_table_size('sessions')"),
        ("its indexes", "pg_indexes_size('sessions')"),
        ("table users", "pg_table_size('users')"),
        ("its indexes, users", "pg_indexes_size('users')"),
    ] {
        report.note(&format!("{name}: {what}"), "MiB", number(&environment.url, query) / MEGABYTE);
    }
}

fn lookups(report: &mut Report, environment: &Environment, people: u64, name: &str) {
    environment.pin_database("1");
    let cold = ColdLookups::new(environment, &environment.url, people);
    if people > USED {
        cold.warm_up();
    }
    for _ in 0..report.rounds() {
        cold.find().note(report, &format!("{name}: lookups, nothing in memory"));
    }
    environment.pin_database("0-1");
}

/// What "last seen" costs the database, and the vacuum after it. Autovacuum is off during the measurement.
async fn touches(report: &mut Report, environment: &Environment, seen: u64, name: &str) {
    let policy = Policy { cached: 0, touch_every: Duration::ZERO, ..Policy::default() };
    let sessions = Store::builder(environment.db(8)).owner::<User>().policy(policy).build();
    execute(&environment.url, "SELECT pg_stat_reset_single_table_counters('sessions'::regclass)");
    for _ in 0..FLUSHES {
        join_all((0..64).map(async |task| {
            for number in (task..seen).step_by(64) {
                assert!(sessions.find(&population::key(number)).await.unwrap().is_some());
            }
        }))
        .await;
        let (log, begun) = (wal(environment), Instant::now());
        assert_eq!(sessions.flush_touches().await.unwrap() as u64, seen);
        let name = format!("{name}: flush of {seen} touches");
        report.note(&name, "s", begun.elapsed().as_secs_f64());
        report.note(&name, "MiB of WAL", (wal(environment) - log) / MEGABYTE);
    }
    // Connections report their statistics when they close.
    drop(sessions);
    actix_web::rt::time::sleep(Duration::from_secs(2)).await;
    let statistic = |column: &str| {
        number(
            &environment.url,
            &format!("SELECT {column} FROM pg_stat_user_tables WHERE relname = 'sessions'"),
        )
    };
    let updates = statistic("n_tup_upd").max(1.0);
    report.note(&format!("{name}: touches that were HOT"), "%", 100.0 * statistic("n_tup_hot_upd") / updates);
    report.note(&format!("{name}: dead rows after {FLUSHES} flushes"), "rows", statistic("n_dead_tup"));
    let grown = number(&environment.url, "pg_table_size('sessions')");
    report.note(&format!("{name}: table after {FLUSHES} flushes"), "MiB", grown / MEGABYTE);
    let begun = Instant::now();
    execute(&environment.url, "VACUUM sessions");
    report.note(&format!("{name}: vacuum after them"), "s", begun.elapsed().as_secs_f64());
}

/// The dead sessions are the newest rows, so that each batch must skip all live ones.
async fn sweep(report: &mut Report, environment: &Environment, dead: u64, name: &str) {
    let sessions = Store::builder(environment.db(2)).owner::<User>().policy(Policy::default()).build();
    execute(
        &environment.url,
        &format!(
            "INSERT INTO sessions (key_hash, principal, factor, address, user_agent, created_at, expires_at) \
             SELECT sha256(gen_random_uuid()::text::bytea), gen_random_uuid(), 'password', '203.0.113.7', 'Mozilla/5.0', \
                    now() - interval '90 days', now() - interval '60 days' FROM generate_series(1, {dead})"
        ),
    );
    let (log, begun) = (wal(environment), Instant::now());
    assert_eq!(sessions.sweep().await.unwrap() as u64, dead);
    let name = format!("{name}: sweep of {dead} dead sessions");
    report.note(&name, "s", begun.elapsed().as_secs_f64());
    report.note(&name, "MiB of WAL", (wal(environment) - log) / MEGABYTE);
}

/// Bytes written to the WAL so far.
fn wal(environment: &Environment) -> f64 {
    number(&environment.url, "pg_current_wal_insert_lsn() - '0/0'::pg_lsn")
}
