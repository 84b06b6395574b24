//! The fixture of the store tests: a fresh database, a store on it, and the principals Ada and Grace.

use std::collections::HashMap;
use std::thread;

use actix_session::storage::{SessionKey, SessionStore as _};
use actix_web::cookie::time::Duration as Ttl;
use actix_web::rt::System;
use diesel::{Connection as _, PgConnection};
use latchkey_db::Fault;
use latchkey_sessions::{
    Handle, Key, LiveSession, NewSession, Owner, Policy, Principal, Scope, SessionRecord, SessionTx, Store,
};
use uuid::Uuid;

use crate::support::{TestDb, text_of_key};

pub const ADA: Principal = Principal(Uuid::from_u128(0xADA));
pub const GRACE: Principal = Principal(Uuid::from_u128(0x6EACE));

/// The key under which actix-identity stores the principal.
pub const IDENTITY: &str = "actix_identity.user_id";

/// The lifetime that actix-session was configured with; only the policy's clocks count.
pub const TTL: Ttl = Ttl::days(1);

/// The condition of a live row.
pub const LIVE: &str = "revoked_at IS NULL AND expires_at > now()";

pub type Map = HashMap<String, String>;

pub struct Room<O: Owner = ()> {
    pub db: TestDb,
    pub sessions: Store<O>,
}

impl Room {
    pub fn new() -> Self {
        Self::with(Policy::default())
    }

    pub fn with(policy: Policy) -> Self {
        Self::with_owners(policy)
    }
}

impl<O: Owner> Room<O> {
    /// For an application that reads data about its principals.
    pub fn with_owners(policy: Policy) -> Self {
        let db = TestDb::new();
        let sessions = Store::builder(db.db()).owner().policy(policy).build();
        Self { db, sessions }
    }

    pub fn store(&self) -> Store<O> {
        self.sessions.clone()
    }

    /// A session saved as actix-session does it.
    pub async fn log_in(&self, who: Principal) -> SessionKey {
        self.store().save(belonging_to(who, &[]), &TTL).await.unwrap()
    }

    /// A session opened as the application does it.
    pub fn open(&self, login: &NewSession) -> (Key, Handle) {
        let (sessions, login) = (self.sessions.clone(), login.clone());
        self.change(move |change| sessions.open(change, &login))
    }

    /// Finds the session, and writes the touch at once.
    pub async fn load(&self, key: &SessionKey) -> Option<Map> {
        let state = self.store().load(key).await.unwrap();
        self.sessions.flush_touches().await.unwrap();
        state
    }

    pub async fn is_live(&self, key: &SessionKey) -> bool {
        self.load(key).await.is_some()
    }

    pub async fn update(&self, key: &SessionKey, state: Map) -> SessionKey {
        self.store().update(copy(key), state, &TTL).await.unwrap()
    }

    pub async fn find(&self, key: &SessionKey) -> Option<LiveSession<O>> {
        let live = self.sessions.find(&parsed(key)).await.unwrap();
        self.sessions.flush_touches().await.unwrap();
        live
    }

    pub async fn handle(&self, key: &SessionKey) -> Handle {
        self.find(key).await.unwrap().record.handle
    }

    pub fn rotate(&self, live: &LiveSession<O>, confirmed: bool) -> Option<Key> {
        let (sessions, live) = (self.sessions.clone(), live.clone());
        self.change(move |change| sessions.rotate(change, &live, confirmed))
    }

    pub fn revoke(&self, handle: Handle, owner: Option<Principal>) -> Option<Principal> {
        let sessions = self.sessions.clone();
        self.change(move |change| sessions.revoke(change, handle, owner))
    }

    pub fn revoke_all(&self, who: Principal, except: Option<Handle>) -> usize {
        let sessions = self.sessions.clone();
        self.change(move |change| sessions.revoke_all(change, who, except))
    }

    pub fn list(&self, scope: Scope<'_>, limit: i64, offset: i64) -> Vec<SessionRecord> {
        self.transaction(|conn| self.sessions.list(conn, scope, limit, offset))
    }

    pub fn count(&self, scope: Scope<'_>) -> i64 {
        self.transaction(|conn| self.sessions.count(conn, scope))
    }

    /// Runs `work` in [`Store::write`], on its own thread, so that the caller need not be async.
    pub fn change<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut SessionTx<'_>) -> Result<T, Fault> + Send + 'static,
    ) -> T {
        let sessions = self.sessions.clone();
        let wait = move || System::new().block_on(sessions.write(work)).unwrap();
        thread::spawn(wait).join().unwrap()
    }

    pub fn transaction<T>(&self, work: impl FnOnce(&mut PgConnection) -> Result<T, Fault>) -> T {
        self.db.connect().transaction(work).unwrap()
    }

    /// Makes every session as old as if `interval` had passed.
    pub fn age(&self, interval: &str) {
        let back = |column: &str| format!("{column} = {column} - interval '{interval}'");
        let columns =
            ["created_at", "confirmed_at", "last_seen_at", "expires_at", "revoked_at"].map(back).join(", ");
        self.db.execute(&format!("UPDATE sessions SET {columns}"));
    }

    pub fn rows(&self) -> i64 {
        self.rows_where("true")
    }

    pub fn live_rows(&self) -> i64 {
        self.rows_where(LIVE)
    }

    pub fn rows_where(&self, condition: &str) -> i64 {
        self.db.scalar(&format!("SELECT count(*) FROM sessions WHERE {condition}"))
    }

    /// Whether `condition` is true for the only session.
    pub fn row_has(&self, condition: &str) -> bool {
        self.db.scalar(&format!("SELECT ({condition}) FROM sessions"))
    }

    /// The whole table as text: equal before and after a call that writes nothing.
    pub fn table(&self) -> String {
        self.table_without(&[])
    }

    pub fn table_without(&self, columns: &[&str]) -> String {
        let columns = columns.join(",");
        self.db.scalar(&format!(
            "SELECT coalesce(jsonb_agg(to_jsonb(s) - '{{{columns}}}'::text[] ORDER BY handle), '[]')::text FROM sessions s"
        ))
    }
}

pub fn login(principal: Principal) -> NewSession {
    NewSession {
        principal,
        remember: false,
        factor: "password".into(),
        address: "192.0.2.7".into(),
        user_agent: "Mozilla/5.0".into(),
        device: None,
    }
}

pub fn map(entries: &[(&str, &str)]) -> Map {
    entries.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

/// The map that actix-session passes for a logged-in principal.
pub fn belonging_to(who: Principal, entries: &[(&str, &str)]) -> Map {
    let mut state = map(entries);
    state.insert(IDENTITY.into(), format!("\"{who}\""));
    state
}

pub fn key(text: &str) -> SessionKey {
    text.to_owned().try_into().unwrap()
}

pub fn copy(original: &SessionKey) -> SessionKey {
    key(original.as_ref())
}

pub fn parsed(key: &SessionKey) -> Key {
    Key::parse(key.as_ref()).unwrap()
}

/// A well-formed key without a session.
pub fn unknown_key() -> SessionKey {
    key(&text_of_key(7))
}
