//! Scoped keys: what one opens, how long it works, and when its use is noted.

use std::thread;
use std::time::Duration;

use actix_session::storage::SessionStore as _;
use actix_web::rt::System;
use data_encoding::HEXLOWER;
use latchkey_db::time::Moment;
use latchkey_sessions::{
    Fault, Handle, Key, KeyHash, LiveSession, Owner, Policy, ScopedSession, SessionTx, Store, Use, live,
};
use uuid::Uuid;

use super::room::{ADA, GRACE, Room, key, login};
use crate::support::text_of_key;

pub const WIKI: Uuid = Uuid::from_u128(1);
pub const MAIL: Uuid = Uuid::from_u128(2);
pub const ORIGIN: &str = "https://wiki.example.org";

impl<O: Owner> Room<O> {
    /// Opens a key with a proof of identity from long ago.
    pub fn open_scoped(&self, session: Handle, scope: Uuid, origin: &'static str) -> Option<Key> {
        let sessions = self.sessions.clone();
        self.change(move |tx| sessions.open_scoped_key(tx, session, scope, origin, Moment(7)))
    }

    /// A key for the wiki.
    pub fn wiki_key(&self, session: Handle) -> Key {
        self.open_scoped(session, WIKI, ORIGIN).expect("a live session")
    }

    pub async fn enter(&self, key: &Key, scope: Uuid) -> Option<ScopedSession<O>> {
        let found = self.sessions.find_scoped(key.reveal(), scope, Use::Counts).await.unwrap();
        self.sessions.flush_touches().await.unwrap();
        found
    }

    pub async fn enters(&self, key: &Key, scope: Uuid) -> bool {
        self.enter(key, scope).await.is_some()
    }

    pub fn keys(&self) -> i64 {
        self.db.scalar("SELECT count(*) FROM session_keys")
    }
}

/// As `hash` writes it.
const HASH: &str = "SELECT encode(key_hash, 'hex') FROM session_keys";

fn hash(key: &Key) -> String {
    HEXLOWER.encode(key.hash().as_bytes())
}

fn eager() -> Policy {
    Policy { touch_every: Duration::ZERO, ..Policy::default() }
}

#[actix_web::test]
async fn a_scoped_key_opens_its_scope_and_nothing_else() {
    let room = Room::new();
    let (own, handle) = room.open(&login(ADA));
    let wiki = room.wiki_key(handle);
    let entered = room.enter(&wiki, WIKI).await.expect("the wiki");
    let record = &entered.live.record;
    assert_eq!((record.handle, record.principal), (handle, ADA));
    assert_eq!((&*entered.origin, entered.proved_at), (ORIGIN, Moment(7)));
    assert!(!entered.proved_within(Duration::from_secs(600)));
    assert!(!room.enters(&wiki, MAIL).await, "it opens another scope");
    assert!(room.sessions.find(&wiki).await.unwrap().is_none(), "it is a session's own key");
    assert!(room.store().load(&key(wiki.reveal())).await.unwrap().is_none(), "actix-session accepts it");
    assert!(!room.enters(&own, WIKI).await, "the session's own key opens a scope");
    assert!(!room.enters(&Key::parse(&text_of_key(7)).unwrap(), WIKI).await);
    for raw in ["", "guessed", &"a".repeat(44)] {
        assert!(room.sessions.find_scoped(raw, WIKI, Use::Counts).await.unwrap().is_none(), "{raw}");
    }
}

#[actix_web::test]
async fn the_table_holds_only_the_hash() {
    let room = Room::new();
    let wiki = room.wiki_key(room.open(&login(ADA)).1);
    let row: String = room.db.scalar("SELECT to_jsonb(k)::text FROM session_keys k");
    assert!(!row.contains(wiki.reveal()), "{row}");
    assert_eq!(room.db.scalar::<String>(HASH), hash(&wiki));
}

#[actix_web::test]
async fn a_scoped_key_has_no_clock_of_its_own() {
    let room = Room::with(eager());
    let (_, handle) = room.open(&login(ADA));
    let wiki = room.wiki_key(handle);
    // Older than any clock; the session is in use.
    room.db.execute(
        "UPDATE session_keys SET created_at = created_at - interval '1 year', last_seen_at = created_at",
    );
    assert!(room.enters(&wiki, WIKI).await);
    room.age("23 hours");
    assert!(room.enters(&wiki, WIKI).await, "this use restarts the idle clock of the session");
    room.age("23 hours");
    assert!(room.enters(&wiki, WIKI).await);
    room.age("25 hours");
    assert!(!room.enters(&wiki, WIKI).await, "the session was not used for a day");
}

#[actix_web::test]
async fn a_background_lookup_notes_nothing_and_keeps_no_session_alive() {
    let room = Room::with(eager());
    let wiki = room.wiki_key(room.open(&login(ADA)).1);
    room.age("23 hours");
    let rows = || (room.table(), room.db.scalar::<String>("SELECT to_jsonb(k)::text FROM session_keys k"));
    let before = rows();
    for _ in 0..3 {
        let found = room.sessions.find_scoped(wiki.reveal(), WIKI, Use::Background).await.unwrap();
        assert!(found.is_some());
    }
    assert_eq!(room.sessions.flush_touches().await.unwrap(), 0);
    assert_eq!(rows(), before);
    room.age("2 hours");
    assert!(room.sessions.find_scoped(wiki.reveal(), WIKI, Use::Background).await.unwrap().is_none());
}

#[actix_web::test]
async fn a_use_is_written_with_the_next_flush_to_the_session_and_the_key() {
    let room = Room::new();
    let (_, handle) = room.open(&login(ADA));
    let (wiki, mail) = (room.wiki_key(handle), room.open_scoped(handle, MAIL, ORIGIN).unwrap());
    room.sessions.find_scoped(wiki.reveal(), WIKI, Use::Counts).await.unwrap().unwrap();
    assert_eq!(room.sessions.flush_touches().await.unwrap(), 0, "both were used less than a minute ago");
    room.age("2 minutes");
    room.db.execute("UPDATE session_keys SET last_seen_at = last_seen_at - interval '2 minutes'");
    room.sessions.find_scoped(mail.reveal(), MAIL, Use::Counts).await.unwrap().unwrap();
    // A key that is presented for another scope does not count as used.
    room.sessions.find_scoped(wiki.reveal(), MAIL, Use::Counts).await.unwrap();
    assert_eq!(room.sessions.flush_touches().await.unwrap(), 2);
    let recent = "last_seen_at > now() - interval '1 minute'";
    assert!(room.row_has(recent));
    assert_eq!(room.db.scalar::<String>(&format!("{HASH} WHERE {recent}")), hash(&mail));
}

#[actix_web::test]
async fn rotation_and_confirmation_keep_the_key_and_its_own_proof() {
    let room = Room::new();
    let (own, handle) = room.open(&login(ADA));
    let wiki = room.wiki_key(handle);
    let live = room.sessions.find(&own).await.unwrap().unwrap();
    assert!(room.rotate(&live, true).is_some());
    let entered = room.enter(&wiki, WIKI).await.expect("the key");
    assert!(entered.live.confirmed_within(Duration::from_secs(60)));
    assert_eq!(entered.proved_at, Moment(7), "the app's key is only as fresh as its handoff");
}

#[actix_web::test]
async fn a_fifth_key_of_one_session_scope_and_origin_ends_the_oldest() {
    let room = Room::new();
    let (_, handle) = room.open(&login(ADA));
    let others = [
        (room.open_scoped(handle, MAIL, ORIGIN).unwrap(), MAIL),
        (room.open_scoped(handle, WIKI, "https://other.example.org").unwrap(), WIKI),
        (room.wiki_key(room.open(&login(ADA)).1), WIKI),
    ];
    let mut keys: Vec<Key> = Vec::new();
    for _ in 0..7 {
        keys.push(room.wiki_key(handle));
    }
    for (number, key) in keys.iter().enumerate() {
        assert_eq!(room.enters(key, WIKI).await, number >= 3, "key {number}");
    }
    for (key, scope) in &others {
        assert!(room.enters(key, *scope).await);
    }
}

#[actix_web::test]
async fn keys_opened_at_once_are_four_at_most() {
    let room = Room::new();
    let (_, handle) = room.open(&login(ADA));
    thread::scope(|threads| {
        for _ in 0..8 {
            threads.spawn(|| room.wiki_key(handle));
        }
    });
    assert_eq!(room.keys(), 4);
}

#[actix_web::test]
async fn a_session_that_has_ended_gets_no_key() {
    let room = Room::new();
    let (_, revoked) = room.open(&login(ADA));
    room.revoke(revoked, None);
    assert!(room.open_scoped(revoked, WIKI, ORIGIN).is_none());
    let (_, expired) = room.open(&login(ADA));
    room.age("25 hours");
    assert!(room.open_scoped(expired, WIKI, ORIGIN).is_none());
    assert!(room.open_scoped(Handle(Uuid::from_u128(9)), WIKI, ORIGIN).is_none());
    assert_eq!(room.keys(), 0);
}

#[actix_web::test]
async fn two_kinds_of_owners_do_not_find_each_others_keys() {
    struct Tenant;
    impl Owner for Tenant {
        const KIND: &'static str = "tenant";
        fn load(conn: &mut diesel::PgConnection, keys: &[KeyHash]) -> Result<Vec<LiveSession<Self>>, Fault> {
            Ok(live::<Self>(conn, keys)?.into_iter().map(|row| row.owned_by(Self)).collect())
        }
    }
    let users = Room::new();
    let tenants: Store<Tenant> = Store::builder(users.db.db()).owner().build();
    let (_, handle) = users.open(&login(ADA));
    let wiki = users.wiki_key(handle);
    assert!(tenants.find_scoped(wiki.reveal(), WIKI, Use::Counts).await.unwrap().is_none());
    let opened = tenants.clone();
    let opened = tenants.write(move |tx| opened.open_scoped_key(tx, handle, WIKI, ORIGIN, Moment(0)));
    assert!(opened.await.unwrap().is_none());
    assert!(users.transaction(|conn| tenants.scoped_keys(conn, ADA)).is_empty());
}

/// An owner who may not be logged in: the session is live, and is not served.
struct Barred;

impl Owner for Barred {
    fn load(_: &mut diesel::PgConnection, _: &[KeyHash]) -> Result<Vec<LiveSession<Self>>, Fault> {
        Ok(Vec::new())
    }
}

#[actix_web::test]
async fn the_key_of_an_owner_who_may_not_be_logged_in_opens_nothing() {
    let room: Room<Barred> = Room::with_owners(Policy::default());
    let wiki = room.wiki_key(room.open(&login(ADA)).1);
    assert!(!room.enters(&wiki, WIKI).await);
}

#[actix_web::test]
async fn keys_are_listed_with_the_live_sessions_they_belong_to() {
    let room = Room::with(eager());
    let (phone, laptop) = (room.open(&login(ADA)).1, room.open(&login(ADA)).1);
    let ended = room.open(&login(ADA)).1;
    let (wiki, _) = (room.wiki_key(phone), room.open_scoped(laptop, MAIL, ORIGIN));
    room.wiki_key(ended);
    room.wiki_key(room.open(&login(GRACE)).1);
    room.db.execute(&format!("UPDATE sessions SET expires_at = now() WHERE handle = '{ended}'"));
    assert!(room.enters(&wiki, WIKI).await);
    let listed = room.transaction(|conn| room.sessions.scoped_keys(conn, ADA));
    let listed: Vec<_> =
        listed.iter().map(|record| (record.session, record.scope, record.origin.as_str())).collect();
    assert_eq!(listed, [(phone, WIKI, ORIGIN), (laptop, MAIL, ORIGIN)], "last used first");
}

#[actix_web::test]
async fn a_key_that_is_opened_while_its_session_is_revoked_does_not_outlive_it() {
    let room = Room::new();
    for _ in 0..20 {
        let (_, handle) = room.open(&login(ADA));
        thread::scope(|threads| {
            threads.spawn(|| room.open_scoped(handle, WIKI, ORIGIN));
            threads.spawn(|| room.revoke(handle, None));
        });
        assert_eq!(room.keys(), 0);
    }
}

#[actix_web::test]
async fn a_key_that_is_opened_in_a_transaction_that_is_undone_was_never_there() {
    let room = Room::new();
    let (_, handle) = room.open(&login(ADA));
    let sessions = room.store();
    let undone = move |tx: &mut SessionTx<'_>| {
        sessions.open_scoped_key(tx, handle, WIKI, ORIGIN, Moment(0))?;
        Err::<(), _>(Fault::Bug("undone".into()))
    };
    let store = room.store();
    let undone = thread::spawn(move || System::new().block_on(store.write(undone))).join().unwrap();
    assert!(undone.is_err());
    assert_eq!(room.keys(), 0);
}
