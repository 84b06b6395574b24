//! A new key for the same session, after its owner proved their identity.

use std::sync::Barrier;
use std::sync::mpsc::{Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use actix_web::rt::System;
use diesel::connection::SimpleConnection as _;
use latchkey_db::Fault;
use latchkey_sessions::{Key, LiveSession, NewSession, Policy, SessionTx};

use super::room::{ADA, Room, belonging_to, login};

/// Enough rounds for two threads to meet in every order.
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
        let (key, _) = room.open(&NewSession { remember, ..login(ADA) });
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
    let sessions = room.sessions.clone();
    let undone: Result<(), Fault> = room
        .sessions
        .write(move |change| {
            assert!(sessions.rotate(change, &live, true)?.is_some());
            Err(Fault::bug("the password could not be written"))
        })
        .await;
    assert!(undone.is_err());
    assert!(room.is_live(&key).await);
}

#[actix_web::test]
async fn of_two_parallel_rotations_one_wins() {
    let room = Room::new();
    for round in 0..ROUNDS {
        let key = room.log_in(ADA).await;
        let live = room.find(&key).await.unwrap();
        let (first, second) =
            at_once(|| room.rotate(&live, round % 2 == 0), || room.rotate(&live, round % 3 == 0));
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
    let (new, first) = OpenTransaction::begin(&room, rotation(&room, &live, false));
    let new = new.unwrap();
    let second = meanwhile(&room, rotation(&room, &live, false), || first.commit());
    assert!(second.is_none());
    assert!(room.sessions.find(&new).await.unwrap().is_some());
}

#[actix_web::test]
async fn the_second_rotation_wins_when_the_first_is_undone() {
    let room = Room::new();
    let key = room.log_in(ADA).await;
    let live = room.find(&key).await.unwrap();
    let (undone, first) = OpenTransaction::begin(&room, rotation(&room, &live, false));
    let undone = undone.unwrap();
    let second = meanwhile(&room, rotation(&room, &live, false), || first.roll_back());
    assert!(room.sessions.find(&undone).await.unwrap().is_none());
    assert!(room.sessions.find(&second.unwrap()).await.unwrap().is_some());
    assert_eq!(room.live_rows(), 1);
}

#[actix_web::test]
async fn revoking_wins_against_a_parallel_rotation() {
    let room = Room::new();
    for round in 0..ROUNDS {
        let key = room.log_in(ADA).await;
        let live = room.find(&key).await.unwrap();
        let handle = live.record.handle;
        let (rotated, ()) = at_once(
            || room.rotate(&live, true),
            || {
                match round % 3 {
                    0 => assert_eq!(room.revoke(handle, None), Some(ADA)),
                    1 => assert_eq!(room.revoke(handle, Some(ADA)), Some(ADA)),
                    _ => assert_eq!(room.revoke_all(ADA, None), 1),
                }
                // The revocation is answered now.
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
        let (new, rotating) = OpenTransaction::begin(&room, rotation(&room, &live, true));
        let new = new.unwrap();
        let (sessions, handle) = (room.sessions.clone(), live.record.handle);
        let end = move |change: &mut SessionTx<'_>| match all {
            true => sessions.revoke_all(change, ADA, None),
            false => sessions.revoke(change, handle, Some(ADA)).map(|owner| owner.iter().count()),
        };
        let ended = meanwhile(&room, end, || rotating.commit());
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
    let sessions = room.sessions.clone();
    let (ended, revoking) =
        OpenTransaction::begin(&room, move |change| sessions.revoke_all(change, ADA, None));
    assert_eq!(ended, 1);
    let rotated = meanwhile(&room, rotation(&room, &live, true), || revoking.commit());
    assert!(rotated.is_none());
    assert_eq!(room.live_rows(), 0);
}

fn rotation(
    room: &Room,
    live: &LiveSession<()>,
    confirmed: bool,
) -> impl FnOnce(&mut SessionTx<'_>) -> Result<Option<Key>, Fault> + Send + 'static {
    let (sessions, live) = (room.sessions.clone(), live.clone());
    move |change| sessions.rotate(change, &live, confirmed)
}

/// A transaction that has done its work and waits to be told whether to commit.
struct OpenTransaction {
    commits: Sender<bool>,
    thread: JoinHandle<Result<(), Fault>>,
}

impl OpenTransaction {
    fn begin<T: Send + 'static>(
        room: &Room,
        work: impl FnOnce(&mut SessionTx<'_>) -> Result<T, Fault> + Send + 'static,
    ) -> (T, Self) {
        let (tell, told) = channel();
        let (commits, ends) = channel();
        let sessions = room.sessions.clone();
        let write = move || {
            System::new().block_on(sessions.write(move |change| {
                tell.send(work(change)?).unwrap();
                if ends.recv().unwrap() { Ok(()) } else { Err(Fault::bug("undone")) }
            }))
        };
        let thread = thread::spawn(write);
        (told.recv().unwrap(), Self { commits, thread })
    }

    fn commit(self) {
        self.commits.send(true).unwrap();
        self.thread.join().unwrap().unwrap();
    }

    fn roll_back(self) {
        self.commits.send(false).unwrap();
        assert!(self.thread.join().unwrap().is_err());
    }
}

/// Runs both on threads that start as simultaneously as possible.
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

/// Runs `waiting` in its own transaction, and `then` once `waiting` waits for another transaction's lock.
fn meanwhile<T: Send + 'static>(
    room: &Room,
    waiting: impl FnOnce(&mut SessionTx<'_>) -> Result<T, Fault> + Send + 'static,
    then: impl FnOnce(),
) -> T {
    thread::scope(|scope| {
        let waiter = scope.spawn(move || {
            room.change(move |change| {
                change.batch_execute("SET LOCAL application_name = 'waiting'")?;
                waiting(change)
            })
        });
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
