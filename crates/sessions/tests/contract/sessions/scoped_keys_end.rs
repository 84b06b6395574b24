//! How scoped keys end: one by one, and with their session, however the session ends.

use std::thread;

use actix_session::storage::SessionStore as _;
use actix_web::rt::System;
use diesel::connection::SimpleConnection as _;
use latchkey_sessions::{Fault, Handle, Key, Policy, SessionTx, Store, Use};
use test_db::eventually;
use uuid::Uuid;

use super::room::{ADA, GRACE, Room, TTL, belonging_to, login, map};
use super::scoped_keys::{MAIL, ORIGIN, WIKI};

#[actix_web::test]
async fn one_key_ends_and_only_for_its_own_scope() {
    let room = Room::new();
    let (_, handle) = room.open(&login(ADA));
    let (one, two) = (room.wiki_key(handle), room.wiki_key(handle));
    let end = |raw: &str, scope| {
        let (sessions, raw) = (room.store(), raw.to_owned());
        room.change(move |tx| sessions.end_scoped_key(tx, &raw, scope))
    };
    assert!(!end(one.reveal(), MAIL) && room.enters(&one, WIKI).await);
    assert!(end(one.reveal(), WIKI) && !room.enters(&one, WIKI).await);
    assert!(!end(one.reveal(), WIKI) && !end("no key", WIKI));
    assert!(room.enters(&two, WIKI).await);
}

/// Two sessions of Ada and one of Grace, each with a key for the wiki and one for the mail.
fn crowd(room: &Room) -> [Handle; 3] {
    [ADA, ADA, GRACE].map(|who| {
        let (_, handle) = room.open(&login(who));
        room.wiki_key(handle);
        room.open_scoped(handle, MAIL, ORIGIN);
        handle
    })
}

fn keys_of(room: &Room, session: Handle) -> i64 {
    room.db.scalar(&format!("SELECT count(*) FROM session_keys WHERE session = '{session}'"))
}

#[actix_web::test]
async fn the_keys_of_a_session_a_principal_or_a_scope_end_and_no_others() {
    type End = fn(&Store, &mut SessionTx<'_>, Handle) -> Result<usize, Fault>;
    let ends: [(End, usize, [i64; 3]); 4] = [
        (|sessions, tx, one| sessions.end_scoped_keys_of_session(tx, one, None), 2, [0, 2, 2]),
        (|sessions, tx, one| sessions.end_scoped_keys_of_session(tx, one, Some(WIKI)), 1, [1, 2, 2]),
        (|sessions, tx, _| sessions.end_scoped_keys_of_principal(tx, ADA), 4, [0, 0, 2]),
        (|sessions, tx, _| sessions.end_scoped_keys_of_scope(tx, WIKI), 3, [1, 1, 1]),
    ];
    for (end, ended, left) in ends {
        let room = Room::new();
        let sessions = crowd(&room);
        let store = room.store();
        assert_eq!(room.change(move |tx| end(&store, tx, sessions[0])), ended);
        assert_eq!(sessions.map(|session| keys_of(&room, session)), left);
        assert_eq!(room.live_rows(), 3, "the sessions stay");
    }
}

/// Ends `session`, which is Ada's only one, in every way there is.
async fn end_in_every_way(room: &Room, way: usize, session: Handle, own: &Key) -> bool {
    let sessions = room.store();
    let by_hand = |statement: &str| room.db.execute(&format!("{statement} WHERE handle = '{session}'"));
    match way {
        0 => drop(room.revoke(session, None)),
        1 => drop(room.revoke_all(ADA, None)),
        2 => drop(room.change(move |tx| sessions.delete_all(tx, ADA))),
        3 => drop(sessions.revoke_everyone(|_, _| Ok(())).await.unwrap()),
        4 => drop(sessions.end(ADA, session).await.unwrap()),
        // One session too many.
        5 => drop(room.open(&login(ADA))),
        6 => sessions.delete(&own.reveal().to_owned().try_into().unwrap()).await.unwrap(),
        7 => {
            // `Session::clear`: the state has no principal any more.
            let state = map(&[]);
            let own = own.reveal().to_owned().try_into().unwrap();
            drop(sessions.update(own, state, &TTL).await.unwrap());
        }
        8 => by_hand("UPDATE sessions SET revoked_at = now()"),
        9 => by_hand("DELETE FROM sessions"),
        10 => room.db.execute("TRUNCATE sessions CASCADE"),
        _ => return false,
    }
    true
}

#[actix_web::test]
async fn keys_end_with_their_session_however_that_ends() {
    for way in 0.. {
        let room = Room::with(Policy { per_principal: 1, ..Policy::default() });
        let (own, session) = room.open(&login(ADA));
        let wiki = room.wiki_key(session);
        let graces = room.wiki_key(room.open(&login(GRACE)).1);
        if !end_in_every_way(&room, way, session, &own).await {
            assert_eq!(way, 11);
            return;
        }
        assert_eq!(keys_of(&room, session), 0, "way {way}");
        assert!(!room.enters(&wiki, WIKI).await, "way {way}");
        let everybody = [3, 10].contains(&way);
        assert_eq!(room.enters(&graces, WIKI).await, !everybody, "way {way}");
    }
}

/// As in an upgrade: the tables were migrated, and the role of the running program has no rights on the new one yet. A
/// table of its own with that name is not taken for it.
#[actix_web::test]
async fn a_role_without_rights_on_the_keys_can_still_end_sessions() {
    let room = Room::new();
    room.wiki_key(room.open(&login(ADA)).1);
    let role = format!("old_{}", Uuid::new_v4().simple());
    room.db.execute(&format!(
        "CREATE ROLE {role}; GRANT SELECT, UPDATE, DELETE ON sessions TO {role}; \
         SET ROLE {role}; CREATE TEMP TABLE session_keys (session uuid); \
         UPDATE sessions SET revoked_at = now(); RESET ROLE"
    ));
    assert_eq!((room.live_rows(), room.keys()), (0, 0));
    room.wiki_key(room.open(&login(ADA)).1);
    room.db.execute(&format!("SET ROLE {role}; DELETE FROM sessions; RESET ROLE"));
    room.db.execute(&format!("DROP OWNED BY {role}; DROP ROLE {role}"));
    assert_eq!((room.rows(), room.keys()), (0, 0));
}

#[actix_web::test]
async fn a_log_in_in_place_of_the_session_ends_the_keys_of_the_old_one() {
    let room = Room::new();
    let old = room.log_in(ADA).await;
    room.wiki_key(room.handle(&old).await);
    // `Session::renew()`.
    room.store().delete(&old).await.unwrap();
    room.store().save(belonging_to(ADA, &[]), &TTL).await.unwrap();
    assert_eq!(room.keys(), 0);
}

#[actix_web::test]
async fn the_sweep_deletes_the_keys_of_sessions_that_expired_and_keeps_the_tombstones() {
    let room = Room::new();
    let [one, two, _] = crowd(&room);
    room.db.execute(&format!(
        "UPDATE sessions SET expires_at = now() - interval '2 hours' WHERE handle = '{one}'"
    ));
    room.db.execute(&format!(
        "UPDATE sessions SET expires_at = now() - interval '2 minutes' WHERE handle = '{two}'"
    ));
    assert_eq!(room.sessions.sweep().await.unwrap(), 0, "no tombstone is old enough");
    assert_eq!(keys_of(&room, one), 0);
    assert_eq!(room.keys(), 4, "the second may have been about to be extended; the third lives");
    assert_eq!(room.rows(), 3);
}

#[actix_web::test]
async fn a_flush_skips_keys_that_another_transaction_ends() {
    let room = Room::new();
    let (_, handle) = room.open(&login(ADA));
    let (one, two) = (room.wiki_key(handle), room.wiki_key(handle));
    room.db.execute("UPDATE session_keys SET last_seen_at = last_seen_at - interval '2 minutes'");
    for key in [&one, &two] {
        let found = room.sessions.find_scoped(key.reveal(), WIKI, Use::Counts).await.unwrap();
        assert!(found.is_some());
    }
    let mut ending = room.db.connect();
    ending
        .batch_execute("BEGIN; DELETE FROM session_keys WHERE ctid = (SELECT min(ctid) FROM session_keys)")
        .unwrap();
    assert_eq!(room.sessions.flush_touches().await.unwrap(), 1, "only the row that is free");
    ending.batch_execute("COMMIT").unwrap();
    assert_eq!(room.keys(), 1);
}

type EndsSeveral = fn(&Store, &mut SessionTx<'_>) -> Result<usize, Fault>;

/// A third transaction holds one key, so that both stop in the middle, after they took locks in their own order.
#[actix_web::test]
async fn two_operations_that_end_many_keys_never_wait_for_each_other() {
    let ends: [EndsSeveral; 4] = [
        |sessions, tx| sessions.end_scoped_keys_of_scope(tx, WIKI),
        |sessions, tx| sessions.end_scoped_keys_of_principal(tx, ADA),
        |sessions, tx| sessions.revoke_all(tx, ADA, None),
        |sessions, tx| sessions.delete_all(tx, ADA),
    ];
    let pairs = (0..ends.len()).flat_map(|one| (one..ends.len()).map(move |other| [one, other]));
    for pair in pairs {
        let room = Room::new();
        let sessions = [(); 3].map(|()| room.open(&login(ADA)).1);
        // The keys lie in the opposite order of their sessions.
        for session in sessions.iter().rev() {
            room.wiki_key(*session);
        }
        let mut holding = room.db.connect();
        holding
            .batch_execute(&format!(
                "BEGIN; SELECT FROM session_keys WHERE session = '{}' FOR UPDATE",
                sessions[1]
            ))
            .unwrap();
        let running = pair.map(|number| {
            let (store, end) = (room.store(), ends[number]);
            thread::spawn(move || {
                let inner = store.clone();
                System::new().block_on(store.write(move |tx| end(&inner, tx)))
            })
        });
        eventually("both wait", async || {
            let waiting = "SELECT count(*) FROM pg_stat_activity \
                           WHERE datname = current_database() AND wait_event_type = 'Lock'";
            (room.db.scalar::<i64>(waiting) == 2).then_some(())
        })
        .await;
        holding.batch_execute("COMMIT").unwrap();
        for ended in running {
            ended.join().unwrap().unwrap_or_else(|fault| panic!("{pair:?}: {fault}"));
        }
        assert_eq!(room.keys(), 0, "{pair:?}");
    }
}
