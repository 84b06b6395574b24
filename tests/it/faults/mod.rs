//! Every fault in docs/faults.md, injected into real processes under load. `bin/faults` runs all of them or the given
//! ones, and prints each outcome; every test run includes the quickest.

mod clock;
mod codes;
mod database;
mod door;
mod ends;
mod failover;
mod flood;
mod halves;
mod harness;
mod mail;
mod outcome;
mod pipelining;
mod process;
mod proxy;
mod shop;
mod side_jobs;
mod slow;
mod storage;
mod upstream;

use std::pin::Pin;

use diesel::dsl::sql;
use diesel::sql_types::{Array, Text};
use diesel::{PgConnection, RunQueryDsl as _, select};

use outcome::{Outcome, Table};

use crate::support::parts::{Part, chosen};

type Run = Pin<Box<dyn Future<Output = Vec<Outcome>>>>;

/// A fault by its name.
type Fault = Part<Run>;

/// In the order of the table in docs/faults.md.
const FAULTS: [Fault; 17] = [
    ("restart", || Box::pin(database::restarts())),
    ("failover", || Box::pin(failover::fails_over())),
    ("hung", || Box::pin(database::hangs())),
    ("exhausted", || Box::pin(database::is_exhausted())),
    ("killed", || Box::pin(process::is_killed())),
    ("sigterm", || Box::pin(process::is_told_to_end())),
    ("disk", || Box::pin(storage::is_full())),
    ("clock", || Box::pin(clock::jumps())),
    ("listener", || Box::pin(database::loses_its_listener())),
    ("herd", || Box::pin(flood::herd())),
    ("slow", || Box::pin(slow::clients())),
    ("pipelining", || Box::pin(pipelining::clients())),
    ("mail", || Box::pin(mail::is_down())),
    ("keys", || Box::pin(process::changes_its_key())),
    ("door", || Box::pin(door::loses_its_database())),
    ("upstream", || Box::pin(upstream::fails())),
    ("files", || Box::pin(upstream::uses_up_the_files())),
];

/// `bin/faults` passes their names, or `all`.
#[actix_web::test]
async fn no_fault_loses_a_commit_or_admits_an_attacker() {
    let wanted = std::env::var("LATCHKEY_FAULTS").ok();
    let outcomes = match wanted.as_deref() {
        None => vec![database::restart(nix::sys::signal::Signal::SIGQUIT).await],
        Some(names) => {
            let mut outcomes = Vec::new();
            for (name, run) in chosen(&FAULTS, names) {
                eprintln!("{name} …");
                outcomes.extend(run().await);
            }
            outcomes
        }
    };
    let table = Table(outcomes);
    println!("\n{table}");
    assert!(table.is_good(), "a fault was not survived");
}

/// One text column.
pub fn rows(conn: &mut PgConnection, query: &str) -> Vec<String> {
    select(sql::<Array<Text>>(&format!("ARRAY({query})")))
        .get_result(conn)
        .unwrap_or_else(|error| panic!("{query}: {error}"))
}
