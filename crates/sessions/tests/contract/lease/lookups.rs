//! Reading many sessions at once: few queries, each lookup gets its own answer, and every lookup is answered.

use std::pin::pin;
use std::sync::mpsc::channel;
use std::thread;

use actix_web::rt::System;
use data_encoding::HEXLOWER;
use futures_util::future::{join, join_all};
use latchkey_sessions::{Key, Policy, Store};
use tokio::sync::oneshot;

use super::instances::{Gate, Instance, Watched, begin, login, principal_and_gate};
use crate::support::TestDb;
use test_db::eventually;

/// Without a listener, so that every lookup asks the database.
fn sessions(db: &TestDb) -> Store<Watched> {
    Store::builder(db.db()).owner().policy(Policy::default()).build()
}

async fn open(sessions: &Store<Watched>, who: latchkey_sessions::Principal) -> Key {
    let opener = sessions.clone();
    sessions.write(move |change| opener.open(change, &login(who))).await.unwrap().0
}

#[actix_web::test]
async fn lookups_that_come_while_queries_run_go_out_together() {
    let db = TestDb::new();
    let sessions = sessions(&db);
    let (ada, gate) = principal_and_gate();
    let mut keys = Vec::new();
    for _ in 0..50 {
        keys.push(open(&sessions, ada).await);
    }
    gate.shut();
    let mut first = pin!(sessions.find(&keys[0]));
    begin(first.as_mut()).await;
    gate.holds(1).await;
    let lookups = join_all((0..200).map(|number| sessions.find(&keys[number % 50])));
    let meanwhile = async {
        gate.holds(2).await;
        gate.open();
    };
    let (found, ()) = join(lookups, meanwhile).await;
    assert!(first.await.unwrap().is_some());
    for (number, live) in found.into_iter().enumerate() {
        let live = live.unwrap().expect("a live session");
        assert_eq!(
            live.record.handle,
            sessions.find(&keys[number % 50]).await.unwrap().unwrap().record.handle
        );
    }
    let asked = gate.queries() - 200;
    assert!(asked <= 5, "{asked} queries for 200 lookups");
}

#[actix_web::test]
async fn more_than_fit_into_one_query_are_all_answered() {
    let db = TestDb::new();
    let sessions = sessions(&db);
    let (ada, gate) = principal_and_gate();
    let key = open(&sessions, ada).await;
    let found = join_all((0..2000).map(|_| sessions.find(&key))).await;
    assert!(found.into_iter().all(|live| live.unwrap().is_some()));
    assert!(gate.queries() < 100, "{} queries", gate.queries());
}

#[actix_web::test]
async fn dead_and_unknown_keys_among_live_ones_open_nothing() {
    let db = TestDb::new();
    let [a, _] = Instance::two(&db).await;
    let (ada, gate) = principal_and_gate();
    let mut keys = Vec::new();
    for number in 0..30 {
        match number % 3 {
            0 => keys.push((a.open(ada).await.0, true)),
            1 => {
                let (key, handle) = a.open(ada).await;
                a.revoke(handle).await;
                keys.push((key, false));
            }
            _ => keys.push((Key::generate().unwrap(), false)),
        }
    }
    let asked = gate.queries();
    for _ in 0..2 {
        let found = join_all(keys.iter().map(|(key, _)| a.has(key))).await;
        assert_eq!(found, keys.iter().map(|(_, lives)| *lives).collect::<Vec<_>>());
    }
    assert!(gate.queries() - asked < 10);
}

#[actix_web::test]
async fn a_fault_reaches_every_lookup_and_the_next_ones_succeed() {
    let db = TestDb::new();
    let sessions = sessions(&db);
    let key = open(&sessions, principal_and_gate().0).await;
    db.execute("ALTER TABLE sessions RENAME TO moved");
    let found = join_all((0..50).map(|_| sessions.find(&key))).await;
    assert!(found.into_iter().all(|live| live.is_err()));
    db.execute("ALTER TABLE moved RENAME TO sessions");
    let found = join_all((0..50).map(|_| sessions.find(&key))).await;
    assert!(found.into_iter().all(|live| live.unwrap().is_some()));
}

/// Runs in a thread with its own runtime, as actix's workers do: looks `key` up, and ends when told to, answered or
/// not.
fn worker(sessions: &Store<Watched>, key: &str) -> (oneshot::Sender<()>, thread::JoinHandle<()>) {
    let (sessions, key) = (sessions.clone(), Key::parse(key).unwrap());
    let (stop, stopped) = oneshot::channel();
    let thread = thread::spawn(move || {
        System::new().block_on(async move {
            futures_util::future::select(pin!(sessions.find(&key)), stopped).await;
        });
    });
    (stop, thread)
}

/// A key and its text.
async fn known(sessions: &Store<Watched>) -> (String, std::sync::Arc<Gate>) {
    let (ada, gate) = principal_and_gate();
    let text = Key::generate().unwrap().reveal().to_owned();
    let (opener, wanted) = (sessions.clone(), text.clone());
    sessions
        .write(move |change| {
            let (_, handle) = opener.open(change, &login(ada))?;
            let hash = Key::parse(&wanted).unwrap().hash();
            let hash = HEXLOWER.encode(hash.as_bytes());
            diesel::connection::SimpleConnection::batch_execute(
                &mut **change,
                &format!("UPDATE sessions SET key_hash = '\\x{hash}' WHERE handle = '{handle}'"),
            )?;
            Ok(())
        })
        .await
        .unwrap();
    (text, gate)
}

#[actix_web::test]
async fn when_workers_stop_whose_queries_run_those_who_wait_for_them_are_answered() {
    let db = TestDb::new();
    let sessions = sessions(&db);
    let (key, gate) = known(&sessions).await;
    gate.shut();
    let first = worker(&sessions, &key);
    gate.holds(1).await;
    let workers = [first, worker(&sessions, &key)];
    gate.holds(2).await;
    let parsed = Key::parse(&key).unwrap();
    let waiting = join_all((0..10).map(|_| sessions.find(&parsed)));
    let meanwhile = async {
        // Polled once, so that all of them are queued.
        actix_web::rt::task::yield_now().await;
        let stopping = workers.map(|(stop, thread)| {
            stop.send(()).unwrap();
            thread
        });
        // A runtime ends only after its query.
        eventually("new queries", async || {
            gate.open();
            stopping.iter().all(thread::JoinHandle::is_finished).then_some(())
        })
        .await;
        for thread in stopping {
            thread.join().unwrap();
        }
    };
    let (found, ()) = join(waiting, meanwhile).await;
    assert!(found.into_iter().all(|live| live.unwrap().is_some()));
}

/// The request was read, but its query has not begun.
#[actix_web::test]
async fn workers_that_stop_before_their_query_begins_keep_no_place_in_the_line() {
    let db = TestDb::new();
    let sessions = sessions(&db);
    let (key, _) = known(&sessions).await;
    for _ in 0..3 {
        let (ours, text) = (sessions.clone(), key.clone());
        thread::spawn(move || {
            System::new().block_on(async move {
                let key = Key::parse(&text).unwrap();
                begin(pin!(ours.find(&key))).await;
            });
        })
        .join()
        .unwrap();
    }
    let (tell, told) = channel();
    let (ours, text) = (sessions.clone(), key.clone());
    // On its own thread, because this test must not wait forever.
    thread::spawn(move || {
        let key = Key::parse(&text).unwrap();
        let found = System::new().block_on(ours.find(&key)).unwrap().is_some();
        let _ = tell.send(found);
    });
    let answer = told.recv_timeout(std::time::Duration::from_secs(20));
    assert_eq!(answer, Ok(true), "no worker runs the queries any more");
}
