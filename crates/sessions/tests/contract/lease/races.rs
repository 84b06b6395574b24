//! Races between a query's read and its answer, and between a write and its commit.

use std::cell::Cell;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use actix_session::storage::SessionStore as _;
use actix_web::cookie::time::Duration as Ttl;
use actix_web::rt::spawn;
use diesel::connection::SimpleConnection as _;
use futures_util::future::join_all;
use latchkey_sessions::{Key, Policy};

use super::instances::{Instance, begin, principal_and_gate, warm};
use crate::sessions::room::{IDENTITY, map};
use crate::support::TestDb;
use test_db::eventually;

/// The fill race: a session is read, revoked, the revocation is answered, and only then is the session cached.
#[actix_web::test]
async fn a_row_read_before_a_revocation_is_not_cached_after_it() {
    let db = TestDb::new();
    let [a, b] = Instance::two(&db).await;
    for _ in 0..5 {
        let (ada, gate) = principal_and_gate();
        let (key, handle) = a.open(ada).await;
        gate.shut();
        let reader = async {
            // The lookup began before the revocation.
            assert!(b.has(&key).await);
        };
        let meanwhile = async {
            gate.holds(1).await;
            assert!(a.revoke(handle).await);
            gate.open();
        };
        futures_util::future::join(reader, meanwhile).await;
        assert!(!b.has(&key).await);
    }
    assert_eq!(b.sessions.cached(), 0);
}

#[actix_web::test]
async fn a_row_read_before_a_rotation_or_a_change_is_not_cached_after_it() {
    let db = TestDb::new();
    let [a, b] = Instance::two(&db).await;
    let (ada, gate) = principal_and_gate();
    let (old, _) = a.open(ada).await;
    let live = a.find(&old).await.unwrap();
    gate.shut();
    let meanwhile = async {
        gate.holds(1).await;
        let new = a.rotate(&live).await.unwrap();
        gate.open();
        new
    };
    let (_, new) = futures_util::future::join(b.has(&old), meanwhile).await;
    assert!(!b.has(&old).await && b.has(&new).await);

    let (grace, gate) = principal_and_gate();
    let identity = format!("\"{grace}\"");
    let cookie = a.sessions.clone().save(map(&[(IDENTITY, &identity)]), &Ttl::days(1)).await.unwrap();
    let key = Key::parse(cookie.as_ref()).unwrap();
    let state = map(&[(IDENTITY, &identity), ("word", "new")]);
    gate.shut();
    let meanwhile = async {
        gate.holds(1).await;
        let cookie = a.sessions.clone().update(cookie, state.clone(), &Ttl::days(1)).await.unwrap();
        gate.open();
        cookie
    };
    let (_, cookie) = futures_util::future::join(b.has(&key), meanwhile).await;
    assert_eq!(b.sessions.clone().load(&cookie).await.unwrap(), Some(state));
}

#[actix_web::test]
async fn a_lookup_never_joins_a_query_that_has_begun() {
    let db = TestDb::new();
    let [a, b] = Instance::two(&db).await;
    let (ada, gate) = principal_and_gate();
    let (key, handle) = a.open(ada).await;
    let key = Arc::new(key);
    gate.shut();
    // As many as can run at once; each has read.
    let early = [b.sessions.clone(), b.sessions.clone()].map(|sessions| {
        let key = Arc::clone(&key);
        async move { sessions.find(&key).await.unwrap().is_some() }
    });
    let [first, second] = early;
    let first = spawn(first);
    gate.holds(1).await;
    let second = spawn(second);
    gate.holds(2).await;
    assert!(a.revoke(handle).await);
    // This lookup is queued behind them: polled, and not answered.
    let mut late = pin!(b.has(&key));
    begin(late.as_mut()).await;
    gate.open();
    let late = late.await;
    let early = (first.await.unwrap(), second.await.unwrap());
    assert_eq!((early, late), ((true, true), false));
    assert!(!b.has(&key).await);
}

#[actix_web::test]
async fn under_load_no_look_that_begins_after_the_answer_finds_it() {
    let db = TestDb::new();
    let [a, b, c] = Instance::three(&db).await;
    let (ada, _) = principal_and_gate();
    for round in 0..15 {
        let (key, handle) = a.open(ada).await;
        let (ending, over) = (Cell::new(false), Cell::new(false));
        let looking = [&a, &b, &c, &b].map(async |instance| {
            loop {
                let begun_after = over.get();
                let has = instance.has(&key).await;
                assert!(!(begun_after && has), "served after the answer, round {round}");
                assert!(ending.get() || has, "lost before it ended, round {round}");
                if begun_after {
                    return;
                }
                actix_web::rt::task::yield_now().await;
            }
        });
        let revoking = async {
            warm(&[&a, &b, &c], &key).await;
            ending.set(true);
            assert!([&a, &b, &c][round % 3].revoke(handle).await);
            over.set(true);
        };
        futures_util::future::join(join_all(looking), revoking).await;
    }
}

#[actix_web::test]
async fn a_commit_that_hangs_is_answered_late_and_heard_all_the_same() {
    let db = TestDb::new();
    let [a, b] = Instance::two(&db).await;
    let (ada, gate) = principal_and_gate();
    let (key, handle) = a.open(ada).await;
    warm(&[&a, &b], &key).await;
    // A transaction that revokes waits for this lock when it commits.
    db.execute(
        "CREATE FUNCTION hang() RETURNS trigger LANGUAGE plpgsql AS \
         'BEGIN PERFORM pg_advisory_xact_lock_shared(42); RETURN NULL; END'; \
         CREATE CONSTRAINT TRIGGER hang AFTER UPDATE ON sessions DEFERRABLE INITIALLY DEFERRED \
         FOR EACH ROW EXECUTE FUNCTION hang()",
    );
    let mut other = db.connect();
    other.batch_execute("SELECT pg_advisory_lock(42)").unwrap();
    let answered = Cell::new(false);
    let ending = async {
        assert!(a.revoke(handle).await);
        answered.set(true);
    };
    let meanwhile = async {
        let waits =
            "SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND objid = 42)";
        eventually("a commit under way", async || db.scalar::<bool>(waits).then_some(())).await;
        let asked = gate.queries();
        assert!(a.has(&key).await && b.has(&key).await, "nothing is over yet");
        assert_eq!(gate.queries(), asked);
        assert!(!answered.get());
        other.batch_execute("SELECT pg_advisory_unlock(42)").unwrap();
    };
    futures_util::future::join(ending, meanwhile).await;
    assert!(!a.has(&key).await && !b.has(&key).await);
}

#[actix_web::test]
async fn a_flush_that_meets_a_revocation_neither_waits_for_it_nor_undoes_it() {
    let db = TestDb::new();
    let policy = Policy { touch_every: Duration::ZERO, ..Policy::default() };
    let [a, b] = Instance::two_with(&db, policy).await;
    let (ada, _) = principal_and_gate();
    let (key, handle) = a.open(ada).await;
    let (other_key, _) = a.open(ada).await;
    assert!(b.has(&key).await && b.has(&other_key).await);
    let mut ending = db.connect();
    ending
        .batch_execute(&format!("BEGIN; UPDATE sessions SET revoked_at = now() WHERE handle = '{handle}'"))
        .unwrap();
    assert_eq!(b.sessions.flush_touches().await.unwrap(), 1, "only the row that is free");
    ending.batch_execute("COMMIT").unwrap();
    eventually("its end", async || (!b.has(&key).await).then_some(())).await;
    assert!(b.has(&other_key).await);
    b.sessions.flush_touches().await.unwrap();
    assert_eq!(db.scalar::<i64>("SELECT count(*) FROM sessions WHERE revoked_at IS NULL"), 1);
}

#[actix_web::test]
async fn a_revocation_that_meets_a_flush_waits_for_it_and_wins() {
    let db = TestDb::new();
    let policy = Policy { touch_every: Duration::ZERO, ..Policy::default() };
    let [a, b] = Instance::two_with(&db, policy).await;
    let (key, handle) = a.open(principal_and_gate().0).await;
    warm(&[&a, &b], &key).await;
    db.execute(
        "CREATE FUNCTION hang() RETURNS trigger LANGUAGE plpgsql AS \
         'BEGIN PERFORM pg_advisory_xact_lock_shared(42); RETURN NEW; END'; \
         CREATE TRIGGER hang BEFORE UPDATE OF last_seen_at ON sessions FOR EACH ROW EXECUTE FUNCTION hang()",
    );
    let mut other = db.connect();
    other.batch_execute("SELECT pg_advisory_lock(42)").unwrap();
    let waiting = |who: &str| {
        db.scalar::<bool>(&format!(
            "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() \
             AND application_name = '{who}' AND wait_event_type = 'Lock')"
        ))
    };
    let flusher = b.sessions.clone();
    let flush = spawn(async move { flusher.flush_touches().await });
    eventually("a flush under way", async || waiting("pool_b").then_some(())).await;
    let meanwhile = async {
        eventually("a revocation that waits", async || waiting("pool_a").then_some(())).await;
        other.batch_execute("SELECT pg_advisory_unlock(42)").unwrap();
    };
    let (ended, ()) = futures_util::future::join(a.revoke(handle), meanwhile).await;
    assert!(ended);
    assert_eq!(flush.await.unwrap().unwrap(), 1);
    assert!(!a.has(&key).await && !b.has(&key).await);
    assert!(db.scalar::<bool>("SELECT revoked_at IS NOT NULL FROM sessions"));
}
