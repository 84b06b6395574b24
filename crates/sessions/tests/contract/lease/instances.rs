//! Instances that cache the sessions of one database, and an owner whose queries are counted and can be delayed.

use std::collections::HashMap;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Condvar, LazyLock, Mutex};
use std::task::Poll;
use std::time::{Duration, Instant};

use diesel::PgConnection;
use futures_util::future::join_all;
use latchkey_db::time::Moment;
use latchkey_db::{Db, Fault, PoolSettings};
use latchkey_sessions::{
    Handle, InvalidationListener, Key, KeyHash, LiveSession, NewSession, Owner, Policy, Principal,
    ScopedSession, SessionTx, Store, Use, live,
};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use uuid::Uuid;

use crate::support::TestDb;
use test_db::eventually;

/// No revocation takes longer, even if an instance is silent.
pub const BOUND: Duration = Duration::from_millis(1200);

/// Where the scoped keys of these tests are opened.
pub const ORIGIN: &str = "https://wiki.example.org";

/// How long the cache is trusted after the last ping.
pub const LEASE: Duration = Duration::from_millis(500);

/// An owner without data. A query that loads one of their sessions passes the gate and is counted.
pub struct Watched;

impl Owner for Watched {
    fn load(conn: &mut PgConnection, keys: &[KeyHash]) -> Result<Vec<LiveSession<Self>>, Fault> {
        let rows = live::<Self>(conn, keys)?;
        let mut principals: Vec<Principal> = rows.iter().map(|row| row.record.principal).collect();
        principals.dedup();
        principals.into_iter().for_each(pass_gate);
        Ok(rows.into_iter().map(|row| row.owned_by(Self)).collect())
    }
}

static GATES: LazyLock<Mutex<HashMap<Uuid, Arc<Gate>>>> = LazyLock::new(Mutex::default);

/// While this is shut, a query that has read the sessions of a principal waits before it answers.
#[derive(Default)]
pub struct Gate {
    state: Mutex<State>,
    opened: Condvar,
}

#[derive(Default)]
struct State {
    shut: bool,
    waiting: usize,
    arrived: usize,
}

impl Gate {
    fn pass(&self) {
        let mut state = self.state.lock().unwrap();
        state.arrived += 1;
        state.waiting += 1;
        while state.shut {
            state = self.opened.wait(state).unwrap();
        }
        state.waiting -= 1;
    }

    /// From now on, queries that have read wait before they answer.
    pub fn shut(&self) {
        self.state.lock().unwrap().shut = true;
    }

    pub fn open(&self) {
        self.state.lock().unwrap().shut = false;
        self.opened.notify_all();
    }

    /// How many queries have found a session so far.
    pub fn queries(&self) -> usize {
        self.state.lock().unwrap().arrived
    }

    /// Returns when this many queries have read and wait.
    pub async fn holds(&self, queries: usize) {
        eventually("queries held up", async || (self.state.lock().unwrap().waiting == queries).then_some(()))
            .await;
    }
}

/// A query that has read something of `principal` waits here while their gate is shut.
pub fn pass_gate(principal: Principal) {
    let gate = GATES.lock().unwrap().get(&principal.0).cloned();
    if let Some(gate) = gate {
        gate.pass();
    }
}

/// A principal that only this test uses, and the gate of their sessions.
pub fn principal_and_gate() -> (Principal, Arc<Gate>) {
    let (id, gate) = (Uuid::new_v4(), Arc::<Gate>::default());
    GATES.lock().unwrap().insert(id, Arc::clone(&gate));
    (Principal(id), gate)
}

/// One of several instances.
pub struct Instance {
    pub sessions: Store<Watched>,
    pub name: String,
    listener: Option<InvalidationListener>,
}

impl Instance {
    /// Three instances that serve from memory.
    pub async fn three(db: &TestDb) -> [Self; 3] {
        Self::three_with(db, Policy::default()).await
    }

    pub async fn three_with(db: &TestDb, policy: Policy) -> [Self; 3] {
        let [a, b, c] = ["a", "b", "c"].map(|name| Self::start(&db.url(), name, policy));
        join_all([&a, &b, &c].map(Self::trusted)).await;
        [a, b, c]
    }

    pub async fn two(db: &TestDb) -> [Self; 2] {
        Self::two_with(db, Policy::default()).await
    }

    pub async fn two_with(db: &TestDb, policy: Policy) -> [Self; 2] {
        let [a, b] = ["a", "b"].map(|name| Self::start(&db.url(), name, policy));
        join_all([&a, &b].map(Self::trusted)).await;
        [a, b]
    }

    /// Its connections carry its name; the listener's connection has another name.
    pub fn start(url: &str, name: &str, policy: Policy) -> Self {
        let settings = PoolSettings {
            statement_timeout: Duration::from_secs(20),
            lock_timeout: Duration::from_secs(10),
            ..PoolSettings::default()
        };
        let called = |name: String| format!("{url}&application_name={name}");
        let db = Db::new(&called(format!("pool_{name}")), settings)
            .with_direct(Some(called(format!("listener_{name}")).into()));
        let sessions = Store::builder(db).owner().policy(policy).build();
        let listener = Some(sessions.listen());
        Self { sessions, name: name.to_owned(), listener }
    }

    pub async fn trusted(&self) {
        eventually("trust", async || self.sessions.has_lease().then_some(())).await;
    }

    pub async fn distrusted(&self) {
        eventually("distrust", async || (!self.sessions.has_lease()).then_some(())).await;
    }

    pub async fn find(&self, key: &Key) -> Option<LiveSession<Watched>> {
        self.sessions.find(key).await.unwrap()
    }

    pub async fn has(&self, key: &Key) -> bool {
        self.find(key).await.is_some()
    }

    pub async fn open(&self, who: Principal) -> (Key, Handle) {
        let sessions = self.sessions.clone();
        self.sessions.write(move |change| sessions.open(change, &login(who))).await.unwrap()
    }

    pub async fn revoke(&self, handle: Handle) -> bool {
        let sessions = self.sessions.clone();
        self.sessions.write(move |change| sessions.revoke(change, handle, None)).await.unwrap().is_some()
    }

    /// The same, and how long it took.
    pub async fn revoke_timed(&self, handle: Handle) -> Duration {
        let begun = Instant::now();
        assert!(self.revoke(handle).await);
        begun.elapsed()
    }

    pub async fn revoke_all(&self, who: Principal, except: Option<Handle>) -> usize {
        let sessions = self.sessions.clone();
        self.sessions.write(move |change| sessions.revoke_all(change, who, except)).await.unwrap()
    }

    pub async fn rotate(&self, live: &LiveSession<Watched>) -> Option<Key> {
        let (sessions, live) = (self.sessions.clone(), live.clone());
        self.sessions.write(move |change| sessions.rotate(change, &live, true)).await.unwrap()
    }

    /// Opens a key of `session` for `scope` on [`ORIGIN`].
    pub async fn open_scoped(&self, session: Handle, scope: Uuid) -> Key {
        let sessions = self.sessions.clone();
        let open =
            move |tx: &mut SessionTx<'_>| sessions.open_scoped_key(tx, session, scope, ORIGIN, Moment(0));
        self.sessions.write(open).await.unwrap().expect("a live session")
    }

    pub async fn enter(&self, key: &Key, scope: Uuid) -> Option<ScopedSession<Watched>> {
        self.sessions.find_scoped(key.reveal(), scope, Use::Background).await.unwrap()
    }

    pub async fn enters(&self, key: &Key, scope: Uuid) -> bool {
        self.enter(key, scope).await.is_some()
    }

    /// Runs statements, and waits until every instance has applied their notifications.
    pub async fn change(&self, statements: &str) {
        let statements = statements.to_owned();
        let work = move |change: &mut SessionTx<'_>| {
            change.invalidates();
            diesel::connection::SimpleConnection::batch_execute(&mut **change, &statements)?;
            Ok(())
        };
        self.sessions.write(work).await.unwrap();
    }

    /// Stops the listener cleanly.
    pub fn leave(&mut self) {
        self.listener.take().unwrap().stop();
    }

    /// The server process of the listener's connection.
    pub fn backend(&self, db: &TestDb) -> Pid {
        let pid: i64 = db.scalar(&format!(
            "SELECT pid::bigint FROM pg_stat_activity \
             WHERE datname = current_database() AND application_name = 'listener_{}'",
            self.name
        ));
        Pid::from_raw(i32::try_from(pid).unwrap())
    }
}

/// Returns when all these instances have cached `key`, so that finding it sends no query.
pub async fn warm(instances: &[&Instance], key: &Key) {
    for instance in instances {
        // A log-in is announced after it was answered. After the first request is answered, the announcement has been
        // sent; after the second, it has been applied.
        instance.sessions.wait_until_invalidated().await;
        instance.sessions.wait_until_invalidated().await;
    }
    for instance in instances {
        eventually("a session in memory", async || {
            let who = instance.find(key).await.expect("a live session").record.principal;
            let gate = Arc::clone(&GATES.lock().unwrap()[&who.0]);
            let asked = gate.queries();
            instance.has(key).await.then_some(())?;
            (gate.queries() == asked).then_some(())
        })
        .await;
    }
}

/// Polls the future once: it has begun and is still pending.
pub async fn begin<F: Future>(mut future: Pin<&mut F>) {
    poll_fn(|context| {
        assert!(future.as_mut().poll(context).is_pending());
        Poll::Ready(())
    })
    .await;
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

/// A stopped process of the server, which continues when this value is dropped.
pub struct Stopped(Pid);

impl Stopped {
    pub fn now(pid: Pid) -> Self {
        kill(pid, Signal::SIGSTOP).unwrap();
        Self(pid)
    }
}

impl Drop for Stopped {
    fn drop(&mut self) {
        let _ = kill(self.0, Signal::SIGCONT);
    }
}
