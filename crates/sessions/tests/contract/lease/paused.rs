//! The server process of a listener's connection is stopped: nothing is sent or received, and no connection breaks. An
//! instance sees the same if the network or the machine stalls.

use std::time::Instant;

use super::instances::{BOUND, Instance, LEASE, Stopped, principal_and_gate, warm};
use crate::support::TestDb;
use test_db::eventually;

fn listeners(db: &TestDb) -> String {
    db.scalar("SELECT coalesce(string_agg(id::text, ' ' ORDER BY id), '') FROM listeners")
}

#[actix_web::test]
async fn a_listener_that_hears_nothing_stops_trusting_memory_within_the_lease() {
    let db = TestDb::new();
    let [a, _b] = Instance::two(&db).await;
    let (ada, gate) = principal_and_gate();
    let (key, _) = a.open(ada).await;
    warm(&[&a], &key).await;
    let stopped = Stopped::now(a.backend(&db));
    let begun = Instant::now();
    eventually("distrust", async || {
        let elapsed = begun.elapsed();
        let trusts = a.sessions.has_lease();
        // A ping may have been answered just now, and this thread may be slow; neither takes a tenth of a second.
        assert!(!trusts || elapsed < LEASE + LEASE / 5, "still trusted after {elapsed:?}");
        (!trusts).then_some(())
    })
    .await;
    let asked = gate.queries();
    assert!(a.has(&key).await && a.has(&key).await);
    assert_eq!(gate.queries(), asked + 2, "from the database");
    drop(stopped);
    a.trusted().await;
}

#[actix_web::test]
async fn revocations_wait_at_most_one_lease_for_a_paused_instance_and_it_serves_nothing_stale_afterwards() {
    let db = TestDb::new();
    let [a, b, c] = Instance::three(&db).await;
    let (ada, _) = principal_and_gate();
    let before = listeners(&db);
    let (key, handle) = a.open(ada).await;
    let (later, later_handle) = a.open(ada).await;
    warm(&[&a, &b, &c], &key).await;
    warm(&[&a, &b, &c], &later).await;

    let stopped = Stopped::now(b.backend(&db));
    assert!(a.revoke_timed(handle).await < BOUND);
    for instance in [&a, &b, &c] {
        assert!(!instance.has(&key).await, "instance {}", instance.name);
    }
    // It is marked as gone, so no revocation waits for it.
    eventually("its row gone", async || {
        (db.scalar::<i64>("SELECT count(*) FROM listeners") == 2).then_some(())
    })
    .await;
    let mut quickest = a.revoke_timed(later_handle).await;
    assert!(!b.has(&later).await);
    for _ in 0..4 {
        let (key, handle) = c.open(ada).await;
        quickest = quickest.min(c.revoke_timed(handle).await);
        assert!(!b.has(&key).await);
    }
    assert!(quickest < LEASE / 2, "{quickest:?}");

    // It continues under another id, and its cache is cleared.
    drop(stopped);
    eventually("trust", async || {
        assert!(!b.has(&key).await && !b.has(&later).await);
        b.sessions.has_lease().then_some(())
    })
    .await;
    assert!(!b.has(&key).await && !b.has(&later).await);
    let after = listeners(&db);
    assert_eq!(after.split(' ').count(), 3);
    assert_eq!(after.split(' ').filter(|id| before.contains(id)).count(), 2, "{before} / {after}");
}

#[actix_web::test]
async fn an_instance_that_revokes_while_its_own_listener_is_stopped_answers_within_the_bound() {
    let db = TestDb::new();
    let [a, b] = Instance::two(&db).await;
    let (ada, _) = principal_and_gate();
    let (key, handle) = a.open(ada).await;
    warm(&[&a, &b], &key).await;
    let stopped = Stopped::now(a.backend(&db));
    assert!(a.revoke_timed(handle).await < BOUND);
    assert!(!a.has(&key).await && !b.has(&key).await);
    drop(stopped);
    a.trusted().await;
    assert!(!a.has(&key).await);
}

#[actix_web::test]
async fn short_pauses_of_all_of_them_in_turn_let_nothing_through() {
    let db = TestDb::new();
    let [a, b, c] = Instance::three(&db).await;
    let (ada, _) = principal_and_gate();
    for round in 0..6 {
        let (key, handle) = a.open(ada).await;
        warm(&[&a, &b, &c], &key).await;
        let all = [&a, &b, &c];
        let stopped = Stopped::now(all[round % 3].backend(&db));
        let revoked = async { all[(round + round / 3) % 3].revoke_timed(handle).await };
        let ended = async {
            // Continues while the request for acknowledgement is pending.
            let row = format!("SELECT revoked_at IS NOT NULL FROM sessions WHERE handle = '{handle}'");
            eventually("a commit", async || db.scalar::<bool>(&row).then_some(())).await;
            drop(stopped);
        };
        let (took, ()) = futures_util::future::join(revoked, ended).await;
        assert!(took < BOUND, "{took:?}");
        for instance in all {
            assert!(!instance.has(&key).await, "round {round}, instance {}", instance.name);
        }
    }
}
