//! When a revocation is answered, no instance serves the session any more.

use actix_session::storage::SessionStore as _;
use actix_web::cookie::time::Duration as Ttl;
use futures_util::future::join_all;
use latchkey_sessions::{Key, Policy};

use super::instances::{Instance, login, principal_and_gate, warm};
use crate::sessions::room::{IDENTITY, map};
use crate::support::TestDb;
use test_db::eventually;

/// Each case is repeated, because a race may appear only sometimes.
const ROUNDS: usize = 10;

async fn who_has(instances: &[&Instance], key: &Key) -> Vec<bool> {
    join_all(instances.iter().map(|instance| instance.has(key))).await
}

#[actix_web::test]
async fn a_session_ended_here_is_over_on_every_instance() {
    let db = TestDb::new();
    let [a, b, c] = Instance::three(&db).await;
    let all = [&a, &b, &c];
    let (ada, _) = principal_and_gate();
    for round in 0..ROUNDS {
        let (key, handle) = a.open(ada).await;
        warm(&all, &key).await;
        assert!(all[round % 3].revoke(handle).await);
        assert_eq!(who_has(&all, &key).await, [false; 3]);
    }
}

#[actix_web::test]
async fn ending_the_other_sessions_of_a_user_spares_the_current_one_and_other_users() {
    let db = TestDb::new();
    let [a, b, c] = Instance::three(&db).await;
    let all = [&a, &b, &c];
    let ((ada, _), (grace, _)) = (principal_and_gate(), principal_and_gate());
    let (graces, _) = a.open(grace).await;
    for _ in 0..ROUNDS {
        let (spared, handle) = a.open(ada).await;
        let (phone, _) = b.open(ada).await;
        let (laptop, _) = c.open(ada).await;
        for key in [&spared, &phone, &laptop, &graces] {
            warm(&all, key).await;
        }
        b.revoke_all(ada, Some(handle)).await;
        for (key, lives) in [(&spared, true), (&phone, false), (&laptop, false), (&graces, true)] {
            assert_eq!(who_has(&all, key).await, [lives; 3]);
        }
        assert_eq!(c.find(&spared).await.unwrap().others.count, 0);
        assert_eq!(c.revoke_all(ada, None).await, 1);
        assert_eq!(who_has(&all, &spared).await, [false; 3]);
    }
}

#[actix_web::test]
async fn logging_out_through_the_store_is_heard_everywhere() {
    let db = TestDb::new();
    let [a, b] = Instance::two(&db).await;
    let (ada, _) = principal_and_gate();
    for _ in 0..ROUNDS {
        let state = map(&[(IDENTITY, &format!("\"{ada}\""))]);
        let cookie = a.sessions.clone().save(state, &Ttl::days(1)).await.unwrap();
        let key = Key::parse(cookie.as_ref()).unwrap();
        warm(&[&a, &b], &key).await;
        a.sessions.clone().delete(&cookie).await.unwrap();
        assert_eq!(who_has(&[&a, &b], &key).await, [false; 2]);
    }
}

#[actix_web::test]
async fn after_a_rotation_the_old_key_opens_nothing_anywhere_and_the_new_one_does() {
    let db = TestDb::new();
    let [a, b, c] = Instance::three(&db).await;
    let all = [&a, &b, &c];
    let (mut key, handle) = a.open(principal_and_gate().0).await;
    for round in 0..ROUNDS {
        warm(&all, &key).await;
        let here = all[round % 3];
        let live = here.find(&key).await.unwrap();
        let new = here.rotate(&live).await.unwrap();
        assert_eq!(who_has(&all, &key).await, [false; 3]);
        assert_eq!(who_has(&all, &new).await, [true; 3]);
        assert_eq!(here.find(&new).await.unwrap().record.handle, handle);
        key = new;
    }
}

#[actix_web::test]
async fn a_changed_state_is_read_by_the_next_request_on_every_instance() {
    let db = TestDb::new();
    let [a, b] = Instance::two(&db).await;
    let (ada, _) = principal_and_gate();
    let identity = format!("\"{ada}\"");
    let mut cookie = a.sessions.clone().save(map(&[(IDENTITY, &identity)]), &Ttl::days(1)).await.unwrap();
    for round in 0..ROUNDS {
        let word = round.to_string();
        let state = map(&[(IDENTITY, &identity), ("word", &word)]);
        warm(&[&a, &b], &Key::parse(cookie.as_ref()).unwrap()).await;
        cookie = a.sessions.clone().update(cookie, state.clone(), &Ttl::days(1)).await.unwrap();
        for instance in [&a, &b] {
            assert_eq!(instance.sessions.clone().load(&cookie).await.unwrap(), Some(state.clone()));
        }
    }
}

#[actix_web::test]
async fn one_session_too_many_ends_the_oldest_everywhere() {
    let db = TestDb::new();
    let [a, b] = Instance::two_with(&db, Policy { per_principal: 2, ..Policy::default() }).await;
    let (ada, _) = principal_and_gate();
    let mut keys = vec![a.open(ada).await.0, b.open(ada).await.0];
    for _ in 0..ROUNDS {
        for key in &keys {
            warm(&[&a, &b], key).await;
        }
        keys.push(a.open(ada).await.0);
        assert_eq!(who_has(&[&a, &b], &keys.remove(0)).await, [false; 2]);
        for key in &keys {
            assert_eq!(who_has(&[&a, &b], key).await, [true; 2]);
        }
    }
}

#[actix_web::test]
async fn ending_all_sessions_takes_effect_on_every_instance() {
    let db = TestDb::new();
    let [a, b, c] = Instance::three(&db).await;
    for statement in
        ["TRUNCATE sessions CASCADE", "DELETE FROM sessions", "UPDATE sessions SET revoked_at = now()"]
    {
        let (one, _) = a.open(principal_and_gate().0).await;
        let (two, _) = a.open(principal_and_gate().0).await;
        warm(&[&a, &b, &c], &one).await;
        warm(&[&a, &b, &c], &two).await;
        b.change(statement).await;
        for key in [&one, &two] {
            assert_eq!(who_has(&[&a, &b, &c], key).await, [false; 3], "{statement}");
        }
    }
}

/// A change by hand does not wait for acknowledgements, but every instance receives it.
#[actix_web::test]
async fn changes_made_by_hand_reach_every_instance() {
    let db = TestDb::new();
    let [a, b] = Instance::two(&db).await;
    for statement in [
        "UPDATE sessions SET revoked_at = now()",
        "UPDATE sessions SET expires_at = now() - interval '1 second'",
        "UPDATE sessions SET key_hash = sha256(key_hash)",
        "DELETE FROM sessions",
        "TRUNCATE sessions CASCADE",
    ] {
        let (ada, gate) = principal_and_gate();
        let (key, _) = a.open(ada).await;
        warm(&[&a, &b], &key).await;
        let asked = gate.queries();
        diesel::connection::SimpleConnection::batch_execute(&mut db.connect(), statement).unwrap();
        for instance in [&a, &b] {
            eventually(statement, async || (!instance.has(&key).await).then_some(())).await;
        }
        assert!(gate.queries() <= asked, "{statement}: found again");
    }
}

#[actix_web::test]
async fn a_log_in_updates_the_session_count_on_every_instance() {
    let db = TestDb::new();
    let [a, b] = Instance::two(&db).await;
    let (ada, _) = principal_and_gate();
    let (key, _) = a.open(ada).await;
    for others in 0..5 {
        warm(&[&a, &b], &key).await;
        assert_eq!(a.find(&key).await.unwrap().others.count, others, "where it happened, at once");
        eventually("the others", async || (b.find(&key).await?.others.count == others).then_some(())).await;
        a.open(ada).await;
    }
}

#[actix_web::test]
async fn a_transaction_that_is_undone_takes_nothing_back() {
    let db = TestDb::new();
    let [a, b] = Instance::two(&db).await;
    let (ada, gate) = principal_and_gate();
    let (key, _) = a.open(ada).await;
    warm(&[&a, &b], &key).await;
    let asked = gate.queries();
    let sessions = a.sessions.clone();
    let undone = a.sessions.write::<(), _>(move |change| {
        sessions.revoke_all(change, ada, None)?;
        sessions.open(change, &login(ada))?;
        Err(latchkey_db::Fault::Bug("undone".into()))
    });
    assert!(undone.await.is_err());
    assert_eq!(who_has(&[&a, &b], &key).await, [true; 2]);
    assert_eq!(gate.queries(), asked);
}
