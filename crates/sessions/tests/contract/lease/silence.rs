//! A listener that receives nothing for a while: its connection is cut, or the table of listeners cannot be read.

use diesel::connection::SimpleConnection as _;

use super::instances::{BOUND, Instance, principal_and_gate, warm};
use crate::support::TestDb;
use test_db::eventually;

fn cut(db: &TestDb, instance: &Instance) {
    let ended = db.scalar::<bool>(&format!("SELECT pg_terminate_backend({})", instance.backend(db)));
    assert!(ended);
}

#[actix_web::test]
async fn while_a_listener_has_no_connection_every_lookup_asks_the_database_and_then_the_cache_starts_empty() {
    let db = TestDb::new();
    let [a, b] = Instance::two(&db).await;
    let (ada, gate) = principal_and_gate();
    let (key, handle) = a.open(ada).await;
    let (stays, _) = a.open(ada).await;
    warm(&[&a, &b], &key).await;
    warm(&[&a, &b], &stays).await;
    // It cannot reconnect before this ends, because it cannot register.
    let mut other = db.connect();
    other.batch_execute("BEGIN; LOCK TABLE listeners IN SHARE MODE").unwrap();
    cut(&db, &b);
    b.distrusted().await;
    for _ in 0..5 {
        let asked = gate.queries();
        assert!(b.has(&key).await);
        assert_eq!(gate.queries(), asked + 1);
    }
    // By hand, so that the change waits for nothing.
    db.connect()
        .batch_execute(&format!("UPDATE sessions SET revoked_at = now() WHERE handle = '{handle}'"))
        .unwrap();
    assert!(!b.has(&key).await);
    other.batch_execute("COMMIT").unwrap();
    b.trusted().await;
    assert!(!b.has(&key).await && !a.has(&key).await);
    warm(&[&a, &b], &stays).await;
    let asked = gate.queries();
    assert!(b.has(&stays).await);
    assert_eq!(gate.queries(), asked);
}

#[actix_web::test]
async fn revocations_hold_however_often_listeners_are_cut_off() {
    let db = TestDb::new();
    let [a, b, c] = Instance::three(&db).await;
    let (ada, _) = principal_and_gate();
    for round in 0..6 {
        let (key, handle) = a.open(ada).await;
        warm(&[&a, &b, &c], &key).await;
        // The listener of the revoking instance, or of an instance that must learn of it.
        cut(&db, [&a, &b][round % 2]);
        assert!(a.revoke_timed(handle).await < BOUND);
        for instance in [&a, &b, &c] {
            assert!(!instance.has(&key).await, "round {round}, instance {}", instance.name);
        }
        for instance in [&a, &b, &c] {
            instance.trusted().await;
            assert!(!instance.has(&key).await);
        }
    }
}

#[actix_web::test]
async fn when_the_listeners_cannot_be_read_a_revocation_takes_one_lease_and_holds() {
    let db = TestDb::new();
    let [a, b] = Instance::two(&db).await;
    let (ada, _) = principal_and_gate();
    let (key, handle) = a.open(ada).await;
    warm(&[&a, &b], &key).await;
    let mut other = db.connect();
    other.batch_execute("BEGIN; LOCK TABLE listeners IN ACCESS EXCLUSIVE MODE").unwrap();
    assert!(a.revoke_timed(handle).await < BOUND);
    assert!(!a.has(&key).await && !b.has(&key).await);
    other.batch_execute("COMMIT").unwrap();
    a.trusted().await;
    b.trusted().await;
    assert!(!a.has(&key).await && !b.has(&key).await);
}

#[actix_web::test]
async fn a_revocation_does_not_wait_for_an_instance_that_has_left() {
    let db = TestDb::new();
    let [a, mut b] = Instance::two(&db).await;
    let (ada, _) = principal_and_gate();
    b.leave();
    assert_eq!(db.scalar::<i64>("SELECT count(*) FROM listeners"), 1);
    let mut quickest = BOUND;
    for _ in 0..5 {
        let (key, handle) = a.open(ada).await;
        assert!(b.has(&key).await);
        quickest = quickest.min(a.revoke_timed(handle).await);
        assert!(!b.has(&key).await);
    }
    assert!(quickest < super::instances::LEASE, "{quickest:?}");
}

#[actix_web::test]
async fn a_crashed_instance_is_waited_for_once() {
    let db = TestDb::new();
    let a = Instance::start(&db.url(), "a", latchkey_sessions::Policy::default());
    a.trusted().await;
    // As a killed process leaves it.
    db.connect().batch_execute("INSERT INTO listeners (id) VALUES (gen_random_uuid())").unwrap();
    let (ada, _) = principal_and_gate();
    let (_, handle) = a.open(ada).await;
    let first = a.revoke_timed(handle).await;
    assert!(first >= super::instances::LEASE && first < BOUND, "{first:?}");
    eventually("its row gone", async || {
        (db.scalar::<i64>("SELECT count(*) FROM listeners") == 1).then_some(())
    })
    .await;
    let mut quickest = BOUND;
    for _ in 0..5 {
        let (_, handle) = a.open(ada).await;
        quickest = quickest.min(a.revoke_timed(handle).await);
    }
    assert!(quickest < super::instances::LEASE, "{quickest:?}");
}

#[actix_web::test]
async fn an_instance_without_a_cache_waits_for_those_with_one() {
    let db = TestDb::new();
    let [a, b] = Instance::two(&db).await;
    let (ada, _) = principal_and_gate();
    // As a command does: it opens a pool, changes something and ends.
    let command = latchkey_sessions::Store::builder(db.db())
        .owner::<super::instances::Watched>()
        .policy(latchkey_sessions::Policy::default())
        .build();
    for _ in 0..3 {
        let (key, handle) = a.open(ada).await;
        warm(&[&a, &b], &key).await;
        let revoking = command.clone();
        command.write(move |change| revoking.revoke(change, handle, None)).await.unwrap();
        assert!(!a.has(&key).await && !b.has(&key).await);
    }
}
