//! A new key for a session that stays the same: for whoever has just proven themselves again.

use std::sync::Barrier;
use std::thread;
use std::time::Duration;

use diesel::Connection as _;
use diesel::connection::{SimpleConnection as _, TransactionManager as _};
use diesel::pg::PgConnection;
use latchkey::db::Fault;
use latchkey::sessions::{Change, Key, Live, Login, Policy};

use super::room::{ADA, Room, belonging_to, login};

type Transaction = <PgConnection as diesel::Connection>::TransactionManager;

/// Enough for two threads to meet in every order.
const ROUNDS: usize = 50;

#[actix_web::test]
async fn rotation_changes_the_key_and_keeps_the_session() {
    let room = Room::new();
    let key = room.log_in(ADA).await;
    room.update(&key, belonging_to(ADA, &[("a", "1")])).await;
    room.age("1 hour");
    let live = room.find(&key).await.unwrap();
    let kept = room.table_without(&["key_hash", "last_seen_at", "expires_at"]);
    let new = room.rotate(&live, false).unwrap();
    assert_eq!(room.table_without(&["key_hash", "last_seen_at", "expires_at"]), kept);
    assert!(room.find(&key).await.is_none());
    let renewed = room.sessions.find(&new).await.unwrap().unwrap();
    assert_eq!(renewed.record.handle, live.record.handle);
    assert_eq!(renewed.record.created_at, live.record.created_at);
    assert_eq!(renewed.record.confirmed_at, live.record.confirmed_at);
    assert_eq!(renewed.record.state, live.record.state);
}

#[actix_web::test]
async fn rotation_says_when_the_owner_proved_themselves_again_if_they_did() {
    let room = Room::new();
    let key = room.log_in(ADA).await;
    room.age("1 hour");
    let live = room.find(&key).await.unwrap();
    room.rotate(&live, true).unwrap();
    assert!(room.row_has(
        "confirmed_at > now() - interval '10 seconds' AND created_at < now() - interval '59 minutes'"
    ));
}

#[actix_web::test]
async fn rotation_restarts_the_idle_clock_and_never_the_absolute_one() {
    let hour = Duration::from_secs(3600);
    let policy = Policy {
        idle: hour,
        absolute: 10 * hour,
        remembered_idle: 20 * hour,
        remembered_absolute: 100 * hour,
        ..Policy::default()
    };
    for (remember, idle, absolute) in [(false, 1, 10), (true, 20, 100)] {
        let room = Room::with(policy);
        let (key, _) = room.open(&Login { remember, ..login(ADA) });
        room.age("50 minutes");
        let live = room.sessions.find(&key).await.unwrap().unwrap();
        let key = room.rotate(&live, true).unwrap();
        assert!(room.row_has(&format!("expires_at = last_seen_at + interval '{idle} hours'")));
        room.db.execute(&format!(
            "UPDATE sessions SET created_at = now() - interval '{absolute} hours' + interval '1 minute'"
        ));
        let live = room.sessions.find(&key).await.unwrap().unwrap();
        room.rotate(&live, true).unwrap();
        assert!(room.row_has(&format!("expires_at = created_at + interval '{absolute} hours'")));
    }
}

#[actix_web::test]
async fn a_dead_session_is_not_rotated() {
    for death in [
        "UPDATE sessions SET revoked_at = now()",
        "UPDATE sessions SET expires_at = now() - interval '1 ms'",
        "DELETE FROM sessions",
    ] {
        for confirmed in [false, true] {
            let room = Room::new();
            let key = room.log_in(ADA).await;
            let live = room.find(&key).await.unwrap();
            room.db.execute(death);
            let before = room.table();
            assert!(room.rotate(&live, confirmed).is_none(), "{death}");
            assert_eq!(room.table(), before);
        }
    }
}

#[actix_web::test]
async fn a_key_is_rotated_once() {
    let room = Room::new();
    let key = room.log_in(ADA).await;
    let live = room.find(&key).await.unwrap();
    let first = room.rotate(&live, false).unwrap();
    let before = room.table();
    assert!(room.rotate(&live, true).is_none());
    assert_eq!(room.table(), before);
    assert!(room.sessions.find(&first).await.unwrap().is_some());
}

#[actix_web::test]
async fn a_rotation_whose_transaction_fails_leaves_the_old_key() {
    let room = Room::new();
    let key = room.log_in(ADA).await;
    let live = room.find(&key).await.unwrap();
    let undone: Result<(), Fault> = room.db.connect().transaction(|conn| {
        assert!(room.sessions.rotate(&mut Change::within(conn), &live, true)?.is_some());
        Err(Fault::bug("the password could not be written"))
    });
    assert!(undone.is_err());
    assert!(room.is_live(&key).await);
}

#[actix_web::test]
async fn of_two_parallel_rotations_one_wins() {
    let room = Room::new();
    let (mut one, mut two) = (room.db.connect(), room.db.connect());
    for round in 0..ROUNDS {
        let key = room.log_in(ADA).await;
        let live = room.find(&key).await.unwrap();
        let (first, second) = at_once(
            || rotated(&room, &mut one, &live, round % 2 == 0),
            || rotated(&room, &mut two, &live, round % 3 == 0),
        );
        let winner = match (first, second) {
            (Some(key), None) | (None, Some(key)) => key,
            (first, second) => {
                panic!("{} winners", usize::from(first.is_some()) + usize::from(second.is_some()))
            }
        };
        assert!(room.find(&key).await.is_none());
        assert_eq!(room.sessions.find(&winner).await.unwrap().unwrap().record.handle, live.record.handle);
        assert_eq!(room.live_rows(), 1);
        room.db.execute("DELETE FROM sessions");
    }
}

#[actix_web::test]
async fn the_second_rotation_waits_for_the_first_and_loses_to_it() {
    let room = Room::new();
    let key = room.log_in(ADA).await;
    let live = room.find(&key).await.unwrap();
    let mut first = room.db.connect();
    Transaction::begin_transaction(&mut first).unwrap();
    let new = room.sessions.rotate(&mut Change::within(&mut first), &live, false).unwrap().unwrap();
    let second = meanwhile(
        &room,
        |conn| room.sessions.rotate(&mut Change::within(conn), &live, false),
        || {
            Transaction::commit_transaction(&mut first).unwrap();
        },
    );
    assert!(second.is_none());
    assert!(room.sessions.find(&new).await.unwrap().is_some());
}

#[actix_web::test]
async fn the_second_rotation_wins_when_the_first_is_undone() {
    let room = Room::new();
    let key = room.log_in(ADA).await;
    let live = room.find(&key).await.unwrap();
    let mut first = room.db.connect();
    Transaction::begin_transaction(&mut first).unwrap();
    let undone = room.sessions.rotate(&mut Change::within(&mut first), &live, false).unwrap().unwrap();
    let second = meanwhile(
        &room,
        |conn| room.sessions.rotate(&mut Change::within(conn), &live, false),
        || {
            Transaction::rollback_transaction(&mut first).unwrap();
        },
    );
    assert!(room.sessions.find(&undone).await.unwrap().is_none());
    assert!(room.sessions.find(&second.unwrap()).await.unwrap().is_some());
    assert_eq!(room.live_rows(), 1);
}

#[actix_web::test]
async fn revoking_wins_against_a_parallel_rotation() {
    let room = Room::new();
    let (mut one, mut two) = (room.db.connect(), room.db.connect());
    for round in 0..ROUNDS {
        let key = room.log_in(ADA).await;
        let live = room.find(&key).await.unwrap();
        let handle = live.record.handle;
        let (rotated, _) = at_once(
            || rotated(&room, &mut one, &live, true),
            || {
                two.transaction(|conn| match round % 3 {
                    0 => room
                        .sessions
                        .revoke(&mut Change::within(conn), handle, None)
                        .map(|ended| assert_eq!(ended, Some(ADA))),
                    1 => room
                        .sessions
                        .revoke(&mut Change::within(conn), handle, Some(ADA))
                        .map(|ended| assert_eq!(ended, Some(ADA))),
                    _ => room
                        .sessions
                        .revoke_all(&mut Change::within(conn), ADA, None)
                        .map(|ended| assert_eq!(ended, 1)),
                })
                .unwrap();
                // The answer to the revocation leaves now.
                assert_eq!(room.live_rows(), 0);
            },
        );
        assert_eq!(room.live_rows(), 0);
        assert!(room.find(&key).await.is_none());
        if let Some(new) = rotated {
            assert!(room.sessions.find(&new).await.unwrap().is_none());
        }
        room.db.execute("DELETE FROM sessions");
    }
}

#[actix_web::test]
async fn a_revocation_waits_for_a_rotation_under_way_and_ends_what_it_made() {
    for all in [false, true] {
        let room = Room::new();
        let key = room.log_in(ADA).await;
        let live = room.find(&key).await.unwrap();
        let mut rotating = room.db.connect();
        Transaction::begin_transaction(&mut rotating).unwrap();
        let new = room.sessions.rotate(&mut Change::within(&mut rotating), &live, true).unwrap().unwrap();
        let handle = live.record.handle;
        let ended = meanwhile(
            &room,
            |conn| match all {
                true => room.sessions.revoke_all(&mut Change::within(conn), ADA, None),
                false => room
                    .sessions
                    .revoke(&mut Change::within(conn), handle, Some(ADA))
                    .map(|owner| owner.iter().count()),
            },
            || Transaction::commit_transaction(&mut rotating).unwrap(),
        );
        assert_eq!(ended, 1);
        assert!(room.sessions.find(&new).await.unwrap().is_none());
        assert_eq!(room.live_rows(), 0);
    }
}

#[actix_web::test]
async fn a_rotation_waits_for_a_revocation_under_way_and_loses_to_it() {
    let room = Room::new();
    let key = room.log_in(ADA).await;
    let live = room.find(&key).await.unwrap();
    let mut revoking = room.db.connect();
    Transaction::begin_transaction(&mut revoking).unwrap();
    assert_eq!(room.sessions.revoke_all(&mut Change::within(&mut revoking), ADA, None).unwrap(), 1);
    let rotated = meanwhile(
        &room,
        |conn| room.sessions.rotate(&mut Change::within(conn), &live, true),
        || {
            Transaction::commit_transaction(&mut revoking).unwrap();
        },
    );
    assert!(rotated.is_none());
    assert_eq!(room.live_rows(), 0);
}

fn rotated(room: &Room, conn: &mut PgConnection, live: &Live<()>, confirmed: bool) -> Option<Key> {
    conn.transaction(|conn| room.sessions.rotate(&mut Change::within(conn), live, confirmed)).unwrap()
}

/// Runs both on threads that start as nearly together as can be had.
fn at_once<A: Send, B: Send>(one: impl FnOnce() -> A + Send, two: impl FnOnce() -> B + Send) -> (A, B) {
    let line = Barrier::new(2);
    thread::scope(|scope| {
        let first = scope.spawn(|| {
            line.wait();
            one()
        });
        let second = scope.spawn(|| {
            line.wait();
            two()
        });
        (first.join().unwrap(), second.join().unwrap())
    })
}

/// Runs `waiting` in a transaction of its own, and `then` once that hangs on somebody's lock.
fn meanwhile<T: Send>(
    room: &Room,
    waiting: impl FnOnce(&mut PgConnection) -> Result<T, Fault> + Send,
    then: impl FnOnce(),
) -> T {
    let mut conn = room.db.connect();
    conn.batch_execute("SET application_name = 'waiting'").unwrap();
    thread::scope(|scope| {
        let waiter = scope.spawn(move || conn.transaction(waiting).unwrap());
        while !room.db.scalar::<bool>(
            "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() \
             AND application_name = 'waiting' AND wait_event_type = 'Lock')",
        ) {
            assert!(!waiter.is_finished(), "it did not wait");
            thread::yield_now();
        }
        then();
        waiter.join().unwrap()
    })
}
