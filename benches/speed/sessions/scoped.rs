//! A lookup in memory by a scoped key, compared with one by the session's own key.

use std::hint::black_box;
use std::time::{Duration, Instant};

use actix_web::rt::System;
use actix_web::rt::time::sleep;
use latchkey::identity::User;
use latchkey_sessions::{Policy, Store, Use};

use crate::environment::Environment;
use crate::population::{self, SCOPE};
use crate::report::Report;

/// Sessions that are looked up in turn.
const SESSIONS: u64 = 1000;

const TURNS: u64 = 300;

pub fn measure(report: &mut Report, environment: &Environment) {
    population::insert_scoped_keys(&environment.url, 0..SESSIONS);
    let own: Vec<_> = (0..SESSIONS).map(|number| population::key(number).reveal().to_owned()).collect();
    let scoped: Vec<_> =
        (0..SESSIONS).map(|number| population::scoped_key(number).reveal().to_owned()).collect();
    System::new().block_on(async {
        // More room than needed, because shards fill unevenly.
        let policy = Policy { cached: 4 * SESSIONS as usize, ..Policy::default() };
        let store = Store::builder(environment.db(4)).owner::<User>().policy(policy).build();
        let listener = store.listen();
        while !store.has_lease() {
            sleep(Duration::from_millis(5)).await;
        }
        let by_own = async |key: &str| store.find_by_cookie(key).await.unwrap().is_some();
        let by_scoped = async |key: &str| store.find_scoped(key, SCOPE, Use::Counts).await.unwrap().is_some();
        per_call(&own, 1, by_own).await;
        per_call(&scoped, 1, by_scoped).await;
        let mut ratios = Vec::new();
        for _ in 0..report.rounds() {
            let (own, scoped) =
                (per_call(&own, TURNS, by_own).await, per_call(&scoped, TURNS, by_scoped).await);
            report.note("a lookup in memory by the session's own key", "µs", own);
            report.note("a lookup in memory by a scoped key", "µs", scoped);
            ratios.push(scoped / own);
        }
        report.value_of_rounds("scoped_lookup_vs_own", &ratios);
        listener.stop();
    });
}

/// Microseconds for a lookup.
async fn per_call(keys: &[String], turns: u64, find: impl AsyncFn(&str) -> bool) -> f64 {
    let begun = Instant::now();
    for _ in 0..turns {
        for key in keys {
            assert!(black_box(find(key).await), "a key was not found");
        }
    }
    begun.elapsed().as_secs_f64() * 1e6 / (turns * keys.len() as u64) as f64
}
