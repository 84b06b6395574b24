//! Cached sessions expire by the database's clock at the moment the row says; use extends that moment only as far as
//! the row's own clocks allow.

use std::time::Duration;

use latchkey_sessions::{Policy, Principal};
use time::OffsetDateTime;

use super::instances::{Instance, principal_and_gate, warm};
use crate::support::TestDb;
use test_db::eventually;

fn now(db: &TestDb) -> OffsetDateTime {
    db.scalar("SELECT clock_timestamp()")
}

async fn instance(db: &TestDb, policy: Policy) -> Instance {
    let instance = Instance::start(&db.url(), "a", policy);
    instance.trusted().await;
    instance
}

fn end(db: &TestDb, who: Principal) -> OffsetDateTime {
    db.scalar(&format!("SELECT max(expires_at) FROM sessions WHERE principal = '{who}'"))
}

#[actix_web::test]
async fn a_session_in_memory_ends_when_its_row_does_without_an_announcement() {
    let db = TestDb::new();
    // Use does not move the absolute limit.
    let instance = instance(&db, Policy { absolute: Duration::from_millis(1500), ..Policy::default() }).await;
    let (ada, gate) = principal_and_gate();
    let (key, _) = instance.open(ada).await;
    warm(&[&instance], &key).await;
    let (asked, end) = (gate.queries(), end(&db, ada));
    eventually("its end", async || match instance.find(&key).await {
        Some(live) => {
            assert!(live.now() < end, "served after its end");
            assert_eq!(gate.queries(), asked, "from memory until then");
            None
        }
        None => Some(()),
    })
    .await;
    assert!(now(&db) >= end, "and not before it");
    assert_eq!(db.scalar::<i64>("SELECT count(*) FROM sessions WHERE revoked_at IS NULL"), 1);
}

#[actix_web::test]
async fn rows_made_older_are_older_in_memory_too() {
    let db = TestDb::new();
    let instance = instance(&db, Policy::default()).await;
    let (ada, _) = principal_and_gate();
    let (key, _) = instance.open(ada).await;
    warm(&[&instance], &key).await;
    db.execute("UPDATE sessions SET expires_at = clock_timestamp() + interval '700 milliseconds'");
    let end = end(&db, ada);
    eventually("its end", async || match instance.find(&key).await {
        Some(live) => {
            assert!(live.now() < end);
            None
        }
        None => Some(()),
    })
    .await;
    assert!(now(&db) >= end);
}

#[actix_web::test]
async fn being_used_keeps_a_session_alive_though_its_row_was_about_to_end() {
    let db = TestDb::new();
    let policy = Policy { idle: Duration::from_secs(1), touch_every: Duration::ZERO, ..Policy::default() };
    let instance = instance(&db, policy).await;
    let (ada, _) = principal_and_gate();
    let (key, _) = instance.open(ada).await;
    warm(&[&instance], &key).await;
    let end = end(&db, ada);
    // Only the session that is about to expire is flushed here.
    let last = eventually("a look after the row's end", async || {
        let live = instance.find(&key).await.expect("a session in use");
        (live.now() > end).then(|| live.now())
    })
    .await;
    eventually("an idle time", async || (now(&db) > last + Duration::from_secs(1)).then_some(())).await;
    assert!(!instance.has(&key).await, "an unused entry stays in memory");
}

#[actix_web::test]
async fn being_used_never_moves_the_absolute_limit() {
    let db = TestDb::new();
    let policy = Policy {
        idle: Duration::from_secs(3600),
        absolute: Duration::from_millis(1500),
        touch_every: Duration::ZERO,
        ..Policy::default()
    };
    let instance = instance(&db, policy).await;
    let (ada, gate) = principal_and_gate();
    let (key, _) = instance.open(ada).await;
    warm(&[&instance], &key).await;
    let (asked, end) = (gate.queries(), end(&db, ada));
    eventually("its end", async || match instance.find(&key).await {
        Some(live) => {
            assert!(live.now() < end);
            assert_eq!(gate.queries(), asked);
            None
        }
        None => Some(()),
    })
    .await;
    assert!(now(&db) >= end);
}

#[actix_web::test]
async fn a_flush_extends_the_row_as_the_cache_did() {
    let db = TestDb::new();
    let policy = Policy { idle: Duration::from_secs(60), touch_every: Duration::ZERO, ..Policy::default() };
    let instance = instance(&db, policy).await;
    let (key, _) = instance.open(principal_and_gate().0).await;
    warm(&[&instance], &key).await;
    let seen = instance.find(&key).await.unwrap().now();
    assert_eq!(instance.sessions.flush_touches().await.unwrap(), 1);
    assert_eq!(db.scalar::<OffsetDateTime>("SELECT last_seen_at FROM sessions"), seen);
    assert!(db.scalar::<bool>("SELECT expires_at = last_seen_at + interval '60 seconds' FROM sessions"));
}

#[actix_web::test]
async fn another_session_that_ends_by_itself_is_not_counted_any_more() {
    let db = TestDb::new();
    let instance = instance(&db, Policy::default()).await;
    let (ada, _) = principal_and_gate();
    let (key, _) = instance.open(ada).await;
    let (_, other) = instance.open(ada).await;
    warm(&[&instance], &key).await;
    db.execute(&format!(
        "UPDATE sessions SET expires_at = clock_timestamp() + interval '700 milliseconds' WHERE handle = '{other}'"
    ));
    let end =
        db.scalar::<OffsetDateTime>(&format!("SELECT expires_at FROM sessions WHERE handle = '{other}'"));
    eventually("its end", async || {
        let live = instance.find(&key).await.unwrap();
        if live.now() < end && live.others.count == 1 {
            return None;
        }
        assert!(live.now() >= end && live.others.count == 0, "{} others", live.others.count);
        Some(())
    })
    .await;
}
