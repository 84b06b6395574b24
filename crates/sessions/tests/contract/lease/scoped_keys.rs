//! Scoped keys that several instances have cached: the same lease protects them, and revocation evicts them before it
//! is answered.

use std::cell::Cell;
use std::collections::HashMap;
use std::ptr;
use std::sync::{LazyLock, Mutex};
use std::time::Duration;

use data_encoding::HEXLOWER;
use diesel::PgConnection;
use diesel::connection::SimpleConnection as _;
use futures_util::future::{join, join_all};
use latchkey_db::notifications;
use latchkey_sessions::{
    Fault, Handle, Key, KeyHash, LiveSession, Owner, Policy, Principal, SessionTx, Store, Use, live,
};
use uuid::Uuid;

use super::instances::{Instance, ORIGIN, Watched, login, principal_and_gate, warm};
use crate::support::TestDb;
use test_db::eventually;

const WIKI: Uuid = Uuid::from_u128(1);

/// Returns when these instances have cached both the session and its scoped key.
async fn warm_both(instances: &[&Instance], own: &Key, scoped: &Key) {
    warm(instances, own).await;
    for instance in instances {
        assert!(instance.enters(scoped, WIKI).await);
        assert_eq!(instance.sessions.cached_keys(), 1);
    }
}

async fn who_enters(instances: &[&Instance], key: &Key) -> Vec<bool> {
    join_all(instances.iter().map(|instance| instance.enters(key, WIKI))).await
}

#[actix_web::test]
async fn a_hit_asks_the_database_nothing_and_shares_the_session() {
    let db = TestDb::new();
    let instance = Instance::start(&db.url(), "a", Policy::default());
    instance.trusted().await;
    let (ada, gate) = principal_and_gate();
    let (own, handle) = instance.open(ada).await;
    let (wiki, mail) = (instance.open_scoped(handle, WIKI).await, instance.open_scoped(handle, ada.0).await);
    warm(&[&instance], &own).await;
    let asked = gate.queries();
    assert!(instance.enters(&wiki, WIKI).await && instance.enters(&mail, ada.0).await);
    assert_eq!(gate.queries(), asked, "the session was in memory");
    let mut other = db.connect();
    other.batch_execute("BEGIN; LOCK TABLE sessions, session_keys IN ACCESS EXCLUSIVE MODE").unwrap();
    let (one, two) =
        (instance.enter(&wiki, WIKI).await.unwrap(), instance.enter(&mail, ada.0).await.unwrap());
    let session = instance.find(&own).await.unwrap();
    assert!(ptr::eq(&*session, &*one.live) && ptr::eq(&*session, &*two.live), "in memory once");
    assert!(!instance.enters(&wiki, ada.0).await, "that it opens another scope is known, too");
}

#[actix_web::test]
async fn keys_whose_session_is_not_in_memory_share_it_when_they_are_read() {
    let db = TestDb::new();
    let [a, _] = Instance::two(&db).await;
    let (ada, gate) = principal_and_gate();
    let (own, handle) = a.open(ada).await;
    let keys = [a.open_scoped(handle, WIKI).await, a.open_scoped(handle, WIKI).await];
    warm(&[&a], &own).await;
    a.change(&format!("UPDATE sessions SET state = '{{\"a\": \"b\"}}' WHERE principal = '{ada}'")).await;
    let asked = gate.queries();
    let found = join_all(keys.iter().map(|key| a.enter(key, WIKI))).await;
    let session = a.find(&own).await.unwrap();
    assert!(found.iter().all(|found| ptr::eq(&*found.as_ref().unwrap().live, &*session)));
    assert!(gate.queries() <= asked + 2);
    assert_eq!(a.sessions.cached_keys(), 2);
}

#[actix_web::test]
async fn lookups_of_keys_and_of_sessions_share_queries() {
    let db = TestDb::new();
    let store: Store<Watched> = Store::builder(db.db()).owner().build();
    let (ada, gate) = principal_and_gate();
    let opener = store.clone();
    let (own, wiki) = store
        .write(move |tx| {
            let (own, handle) = opener.open(tx, &login(ada))?;
            let wiki = opener.open_scoped_key(tx, handle, WIKI, ORIGIN, latchkey_db::time::Moment(0))?;
            Ok((own, wiki.expect("a live session")))
        })
        .await
        .unwrap();
    let scoped = join_all((0..500).map(|_| store.find_scoped(wiki.reveal(), WIKI, Use::Background)));
    let sessions = join_all((0..500).map(|_| store.find(&own)));
    let (scoped, sessions) = join(scoped, sessions).await;
    assert!(scoped.into_iter().all(|found| found.unwrap().is_some()));
    assert!(sessions.into_iter().all(|found| found.unwrap().is_some()));
    assert!(gate.queries() < 50, "{} queries", gate.queries());
}

type End = fn(&Store<Watched>, &mut SessionTx<'_>, Ended) -> Result<(), Fault>;

/// The things that a test can end.
#[derive(Clone)]
struct Ended {
    raw: String,
    session: Handle,
    principal: Principal,
}

#[actix_web::test]
async fn a_key_ended_here_in_any_way_is_over_on_every_instance() {
    let db = TestDb::new();
    let [a, b, c] = Instance::three(&db).await;
    let all = [&a, &b, &c];
    let ends: [End; 7] = [
        |sessions, tx, it| sessions.end_scoped_key(tx, &it.raw, WIKI).map(drop),
        |sessions, tx, it| sessions.end_scoped_keys_of_session(tx, it.session, None).map(drop),
        |sessions, tx, it| sessions.end_scoped_keys_of_session(tx, it.session, Some(WIKI)).map(drop),
        |sessions, tx, it| sessions.end_scoped_keys_of_principal(tx, it.principal).map(drop),
        |sessions, tx, _| sessions.end_scoped_keys_of_scope(tx, WIKI).map(drop),
        |sessions, tx, it| sessions.revoke(tx, it.session, None).map(drop),
        |sessions, tx, it| sessions.revoke_all(tx, it.principal, None).map(drop),
    ];
    for (number, end) in ends.into_iter().enumerate() {
        for round in 0..3 {
            let (ada, _) = principal_and_gate();
            let (own, session) = a.open(ada).await;
            let wiki = a.open_scoped(session, WIKI).await;
            warm_both(&all, &own, &wiki).await;
            let ended = Ended { raw: wiki.reveal().to_owned(), session, principal: ada };
            let here = all[round];
            let store = here.sessions.clone();
            here.sessions.write(move |tx| end(&store, tx, ended)).await.unwrap();
            assert_eq!(who_enters(&all, &wiki).await, [false; 3], "way {number}");
            assert_eq!(here.has(&own).await, number < 5, "way {number}");
        }
    }
}

#[actix_web::test]
async fn the_key_that_a_fifth_one_pushes_out_is_over_on_every_instance() {
    let db = TestDb::new();
    let [a, b] = Instance::two(&db).await;
    let (own, session) = a.open(principal_and_gate().0).await;
    let first = a.open_scoped(session, WIKI).await;
    for _ in 0..3 {
        b.open_scoped(session, WIKI).await;
    }
    warm_both(&[&a, &b], &own, &first).await;
    b.open_scoped(session, WIKI).await;
    assert_eq!(who_enters(&[&a, &b], &first).await, [false; 2]);
}

/// A change by hand does not wait for acknowledgements, but every instance receives it.
#[actix_web::test]
async fn changes_of_keys_made_by_hand_reach_every_instance() {
    let db = TestDb::new();
    let [a, b] = Instance::two(&db).await;
    for statement in [
        "DELETE FROM session_keys",
        "UPDATE session_keys SET key_hash = sha256(key_hash)",
        "UPDATE session_keys SET scope = gen_random_uuid()",
        "TRUNCATE session_keys",
        "UPDATE sessions SET revoked_at = now()",
        "DELETE FROM sessions",
        "TRUNCATE sessions CASCADE",
    ] {
        let (own, session) = a.open(principal_and_gate().0).await;
        let wiki = a.open_scoped(session, WIKI).await;
        warm_both(&[&a, &b], &own, &wiki).await;
        db.connect().batch_execute(statement).unwrap();
        for instance in [&a, &b] {
            eventually(statement, async || (!instance.enters(&wiki, WIKI).await).then_some(())).await;
        }
        db.execute("TRUNCATE sessions CASCADE");
        for instance in [&a, &b] {
            eventually("an empty cache", async || (instance.sessions.cached_keys() == 0).then_some(())).await;
        }
    }
}

#[actix_web::test]
async fn a_changed_origin_or_proof_is_read_by_the_next_request_on_every_instance() {
    let db = TestDb::new();
    let [a, b] = Instance::two(&db).await;
    let (own, session) = a.open(principal_and_gate().0).await;
    let wiki = a.open_scoped(session, WIKI).await;
    warm_both(&[&a, &b], &own, &wiki).await;
    a.change("UPDATE session_keys SET origin = 'https://moved.example.org', proved_at = now()").await;
    for instance in [&a, &b] {
        let entered = instance.enter(&wiki, WIKI).await.unwrap();
        assert_eq!(&*entered.origin, "https://moved.example.org");
        assert!(entered.proved_within(Duration::from_secs(60)));
    }
}

/// Other program versions on the channel receive only messages that they know.
#[actix_web::test]
async fn a_deleted_key_is_announced_as_its_principal_and_an_opened_or_touched_one_not_at_all() {
    let db = TestDb::new();
    let [a, _] = Instance::two_with(&db, Policy { touch_every: Duration::ZERO, ..Policy::default() }).await;
    let (ada, _) = principal_and_gate();
    let (_, session) = a.open(ada).await;
    a.sessions.wait_until_invalidated().await;
    let mut listening = db.connect();
    listening.batch_execute("LISTEN latchkey").unwrap();
    let wiki = a.open_scoped(session, WIKI).await;
    a.sessions.find_scoped(wiki.reveal(), WIKI, Use::Counts).await.unwrap().unwrap();
    assert!(a.sessions.flush_touches().await.unwrap() > 0);
    db.execute("DELETE FROM session_keys");
    assert_eq!(principals_heard(&db, &mut listening), [ada.to_string(), "end of the test".into()]);
}

#[actix_web::test]
async fn the_end_of_a_scope_is_announced_for_those_who_had_a_key_of_it() {
    let db = TestDb::new();
    let [a, b] = Instance::two(&db).await;
    let (ada, _) = principal_and_gate();
    let (grace, gate) = principal_and_gate();
    let (adas, adas_session) = a.open(ada).await;
    let (graces, graces_session) = a.open(grace).await;
    let wiki = a.open_scoped(adas_session, WIKI).await;
    let mail = a.open_scoped(graces_session, grace.0).await;
    warm(&[&a, &b], &adas).await;
    warm(&[&a, &b], &graces).await;
    assert!(b.enters(&wiki, WIKI).await && b.enters(&mail, grace.0).await);
    let mut listening = db.connect();
    listening.batch_execute("LISTEN latchkey").unwrap();
    let (asked, store) = (gate.queries(), a.sessions.clone());
    let ended = a.sessions.write(move |tx| store.end_scoped_keys_of_scope(tx, WIKI)).await.unwrap();
    assert_eq!(ended, 1);
    assert!(!b.enters(&wiki, WIKI).await && b.enters(&mail, grace.0).await);
    assert_eq!(gate.queries(), asked, "what was cached of others is still there");
    assert_eq!(principals_heard(&db, &mut listening), [ada.to_string(), "end of the test".into()]);
}

/// A race: a lookup reads the key, the key is ended, the ending is answered, and only then does the lookup cache it.
#[actix_web::test]
async fn a_key_read_before_it_was_ended_is_not_cached_after_it() {
    let db = TestDb::new();
    let [a, b] = Instance::two(&db).await;
    for number in 0..6 {
        let (ada, gate) = principal_and_gate();
        let (_, session) = a.open(ada).await;
        let wiki = a.open_scoped(session, WIKI).await;
        gate.shut();
        let reader = async {
            // The lookup began before the key ended.
            assert!(b.enters(&wiki, WIKI).await);
        };
        let meanwhile = async {
            gate.holds(1).await;
            match number % 3 {
                0 => drop(a.revoke(session).await),
                1 => a.change(&format!("DELETE FROM session_keys WHERE session = '{session}'")).await,
                _ => a.change("TRUNCATE session_keys").await,
            }
            gate.open();
        };
        join(reader, meanwhile).await;
        assert_eq!(b.sessions.cached_keys(), 0);
        assert!(!b.enters(&wiki, WIKI).await);
    }
}

#[actix_web::test]
async fn under_load_no_look_that_begins_after_the_answer_finds_the_key() {
    let db = TestDb::new();
    let [a, b, c] = Instance::three(&db).await;
    let (ada, _) = principal_and_gate();
    for round in 0..12 {
        let (own, session) = a.open(ada).await;
        let wiki = a.open_scoped(session, WIKI).await;
        let (ending, over) = (Cell::new(false), Cell::new(false));
        let looking = [&a, &b, &c, &b].map(async |instance| {
            loop {
                let begun_after = over.get();
                let enters = instance.enters(&wiki, WIKI).await;
                assert!(!(begun_after && enters), "served after the answer, round {round}");
                assert!(ending.get() || enters, "lost before it ended, round {round}");
                if begun_after {
                    return;
                }
                actix_web::rt::task::yield_now().await;
            }
        });
        let here = [&a, &b, &c][round % 3];
        let ending_it = async {
            warm(&[&a, &b, &c], &own).await;
            ending.set(true);
            if round % 2 == 0 {
                assert!(here.revoke(session).await);
            } else {
                let (sessions, raw) = (here.sessions.clone(), wiki.reveal().to_owned());
                let ended = here.sessions.write(move |tx| sessions.end_scoped_key(tx, &raw, WIKI));
                assert!(ended.await.unwrap());
            }
            over.set(true);
        };
        join(join_all(looking), ending_it).await;
    }
}

#[actix_web::test]
async fn without_a_lease_every_lookup_of_a_key_asks_the_database() {
    let db = TestDb::new();
    let [a, b] = Instance::two(&db).await;
    let (own, session) = a.open(principal_and_gate().0).await;
    let wiki = a.open_scoped(session, WIKI).await;
    warm_both(&[&a, &b], &own, &wiki).await;
    // It cannot reconnect before this ends, because it cannot register.
    let mut other = db.connect();
    other.batch_execute("BEGIN; LOCK TABLE listeners IN SHARE MODE").unwrap();
    let cut = db.scalar::<bool>(&format!("SELECT pg_terminate_backend({})", b.backend(&db)));
    assert!(cut);
    b.distrusted().await;
    assert!(b.enters(&wiki, WIKI).await);
    // By hand, so that the change does not wait for acknowledgements.
    db.execute("DELETE FROM session_keys");
    assert!(!b.enters(&wiki, WIKI).await);
    other.batch_execute("COMMIT").unwrap();
    b.trusted().await;
    assert!(!b.enters(&wiki, WIKI).await && b.has(&own).await);
}

/// An owner whose sessions can be changed just before they are read.
struct Interrupted;

type Interruption = Box<dyn Fn() + Send>;

static INTERRUPTIONS: LazyLock<Mutex<HashMap<Principal, (KeyHash, Interruption)>>> =
    LazyLock::new(Mutex::default);

impl Owner for Interrupted {
    fn load(conn: &mut PgConnection, keys: &[KeyHash]) -> Result<Vec<LiveSession<Self>>, Fault> {
        let found = INTERRUPTIONS.lock().unwrap();
        for (_, interrupt) in found.values().filter(|(key, _)| keys.contains(key)) {
            interrupt();
        }
        drop(found);
        Ok(live::<Self>(conn, keys)?.into_iter().map(|row| row.owned_by(Self)).collect())
    }
}

#[actix_web::test]
async fn a_session_that_is_rotated_between_the_two_queries_is_still_found_by_its_key() {
    let db = TestDb::new();
    let store: Store<Interrupted> = Store::builder(db.db()).owner().build();
    let ada = Principal(Uuid::new_v4());
    let opener = store.clone();
    let (own, wiki) = store
        .write(move |tx| {
            let (own, handle) = opener.open(tx, &login(ada))?;
            let wiki = opener.open_scoped_key(tx, handle, WIKI, ORIGIN, latchkey_db::time::Moment(0))?;
            Ok((own, wiki.expect("a live session")))
        })
        .await
        .unwrap();
    let url = db.url();
    let change = move |statement: &str| {
        latchkey_db::connect(&url, "interruption").unwrap().batch_execute(statement).unwrap();
    };
    let rotate = change.clone();
    let rotate = move || rotate("UPDATE sessions SET key_hash = sha256(key_hash)");
    INTERRUPTIONS.lock().unwrap().insert(ada, (own.hash(), Box::new(rotate)));
    let found = store.find_scoped(wiki.reveal(), WIKI, Use::Background).await.unwrap();
    assert_eq!(found.expect("the session").live.record.principal, ada);

    let before = HEXLOWER.encode(own.hash().as_bytes());
    assert!(db.scalar::<bool>(&format!("SELECT key_hash <> '\\x{before}' FROM sessions")));
    db.execute(&format!("UPDATE sessions SET key_hash = '\\x{before}'"));
    let end = move || change("UPDATE sessions SET revoked_at = now()");
    INTERRUPTIONS.lock().unwrap().insert(ada, (own.hash(), Box::new(end)));
    assert!(store.find_scoped(wiki.reveal(), WIKI, Use::Background).await.unwrap().is_none());
}

/// The principals that were announced until now, and the word behind them.
fn principals_heard(db: &TestDb, listening: &mut PgConnection) -> Vec<String> {
    db.execute("SELECT pg_notify('latchkey', 'end of the test')");
    let mut heard = Vec::new();
    notifications::wait(listening, Duration::from_secs(10), |payload| {
        heard.push(payload.to_owned());
        payload == "end of the test"
    })
    .unwrap();
    // Words of the protocol have a number behind them.
    heard.retain(|payload| !payload.contains(' ') || payload.starts_with("end"));
    heard
}
