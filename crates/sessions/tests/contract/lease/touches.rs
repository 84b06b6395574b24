//! `last_seen_at` is written for many sessions at once, by the instance that noted the uses, never in a request.

use std::time::Duration;

use futures_util::future::{join, join_all};
use latchkey_sessions::{Key, Policy};
use time::OffsetDateTime;

use super::instances::{Instance, principal_and_gate};
use crate::support::TestDb;

fn eager() -> Policy {
    Policy { touch_every: Duration::ZERO, ..Policy::default() }
}

/// The transactions that wrote the current rows.
fn writers(db: &TestDb) -> String {
    db.scalar("SELECT coalesce(string_agg(DISTINCT xmin::text, ' '), '') FROM sessions")
}

async fn opened(instance: &Instance, number: usize) -> Vec<Key> {
    let mut keys = Vec::new();
    for _ in 0..number {
        keys.push(instance.open(principal_and_gate().0).await.0);
    }
    keys
}

#[actix_web::test]
async fn requests_write_nothing_and_one_flush_writes_for_all() {
    let db = TestDb::new();
    let [a, b] = Instance::two_with(&db, eager()).await;
    let keys = opened(&a, 20).await;
    let before = writers(&db);
    for _ in 0..3 {
        for key in &keys {
            assert!(a.has(key).await && b.has(key).await);
        }
    }
    assert_eq!(writers(&db), before);
    let seen = b.find(&keys[7]).await.unwrap().now();
    assert_eq!(b.sessions.flush_touches().await.unwrap(), 20);
    assert_eq!(writers(&db).split(' ').count(), 1, "one transaction for all of them");
    assert_eq!(db.scalar::<OffsetDateTime>("SELECT max(last_seen_at) FROM sessions"), seen);
    assert_eq!(b.sessions.flush_touches().await.unwrap(), 0, "nothing is written twice");
    // The other instance recorded an earlier use, which does not turn the clock back.
    db.execute("UPDATE sessions SET last_seen_at = last_seen_at + interval '1 minute'");
    assert_eq!(a.sessions.flush_touches().await.unwrap(), 0);
}

#[actix_web::test]
async fn a_touch_is_no_news() {
    let db = TestDb::new();
    let [a, b] = Instance::two_with(&db, eager()).await;
    let (ada, gate) = principal_and_gate();
    let (key, _) = a.open(ada).await;
    assert!(b.has(&key).await && b.has(&key).await && a.has(&key).await && a.has(&key).await);
    let asked = gate.queries();
    assert_eq!(a.sessions.flush_touches().await.unwrap(), 1);
    // An announcement of it would have arrived by now.
    b.sessions.wait_until_invalidated().await;
    assert!(a.has(&key).await && b.has(&key).await);
    assert_eq!(gate.queries(), asked);
}

#[actix_web::test]
async fn instances_that_flush_the_same_rows_at_once_do_not_lock_each_other_out() {
    let db = TestDb::new();
    let [a, b] = Instance::two_with(&db, eager()).await;
    let keys = opened(&a, 150).await;
    let mut written = 0;
    for round in 0..20 {
        // In different orders.
        let (forth, back) = (keys.iter(), keys.iter().rev().cycle().skip(round * 7).take(keys.len()));
        join_all(forth.map(|key| a.has(key))).await;
        join_all(back.map(|key| b.has(key))).await;
        let (one, two) = join(a.sessions.flush_touches(), b.sessions.flush_touches()).await;
        written += one.unwrap() + two.unwrap();
    }
    // The second instance skips the rows of the first or writes them again; their clocks differ slightly.
    assert!(written >= 10 * keys.len(), "{written}");
}

#[actix_web::test]
async fn uses_that_cannot_be_written_are_kept_for_the_next_flush() {
    let db = TestDb::new();
    let instance = Instance::start(&db.url(), "a", eager());
    instance.trusted().await;
    for key in opened(&instance, 3).await {
        assert!(instance.has(&key).await);
    }
    db.cut_off();
    assert!(instance.sessions.flush_touches().await.is_err());
    assert!(instance.sessions.flush_touches().await.is_err());
    db.restore();
    assert_eq!(instance.sessions.flush_touches().await.unwrap(), 3);
    assert_eq!(instance.sessions.flush_touches().await.unwrap(), 0);
}
