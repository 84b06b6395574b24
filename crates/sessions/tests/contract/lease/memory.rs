//! Cached sessions are served without the database, and the cache never exceeds its limit.

use diesel::connection::SimpleConnection as _;
use latchkey_sessions::{Key, Policy};

use super::instances::{Instance, principal_and_gate, warm};
use crate::support::TestDb;

#[actix_web::test]
async fn a_hit_asks_the_database_nothing() {
    let db = TestDb::new();
    let instance = Instance::start(&db.url(), "a", Policy::default());
    instance.trusted().await;
    let (ada, gate) = principal_and_gate();
    let (key, handle) = instance.open(ada).await;
    warm(&[&instance], &key).await;
    let asked = gate.queries();
    let mut other = db.connect();
    other.batch_execute("BEGIN; LOCK TABLE sessions IN ACCESS EXCLUSIVE MODE").unwrap();
    for _ in 0..100 {
        let live = instance.find(&key).await.unwrap();
        assert_eq!((live.record.handle, live.record.principal), (handle, ada));
    }
    assert_eq!(gate.queries(), asked);
    other.batch_execute("COMMIT").unwrap();
}

#[actix_web::test]
async fn without_a_listener_every_lookup_is_a_query() {
    let db = TestDb::new();
    let mut instance = Instance::start(&db.url(), "a", Policy::default());
    instance.trusted().await;
    let (ada, gate) = principal_and_gate();
    let (key, _) = instance.open(ada).await;
    instance.leave();
    assert!(!instance.sessions.has_lease());
    assert_eq!(db.scalar::<i64>("SELECT count(*) FROM listeners"), 0);
    for looks in 1..=5 {
        assert!(instance.has(&key).await);
        assert_eq!(gate.queries(), looks);
    }
}

#[actix_web::test]
async fn memory_is_bounded_and_what_is_thrown_out_is_read_again() {
    let db = TestDb::new();
    let policy = Policy { cached: 10, ..Policy::default() };
    let [here, there] = Instance::two_with(&db, policy).await;
    let mut keys: Vec<Key> = Vec::new();
    for _ in 0..100 {
        keys.push(here.open(principal_and_gate().0).await.0);
    }
    for _ in 0..2 {
        for key in &keys {
            assert!(there.has(key).await);
            // Rounded up to whole shards.
            assert!(there.sessions.cached() <= 16, "{}", there.sessions.cached());
        }
    }
    assert!(there.sessions.cached() > 0);
}

#[actix_web::test]
async fn with_a_cache_of_size_zero_nothing_is_cached_and_revocation_works() {
    let db = TestDb::new();
    let [here, there] = Instance::two_with(&db, Policy { cached: 0, ..Policy::default() }).await;
    let (ada, gate) = principal_and_gate();
    for _ in 0..5 {
        let (key, handle) = here.open(ada).await;
        let asked = gate.queries();
        assert!(there.has(&key).await && there.has(&key).await);
        assert_eq!(gate.queries(), asked + 2);
        assert!(here.revoke(handle).await);
        assert!(!there.has(&key).await && !here.has(&key).await);
    }
    assert_eq!((here.sessions.cached(), there.sessions.cached()), (0, 0));
}
