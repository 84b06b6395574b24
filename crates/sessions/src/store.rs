//! The store: finding, opening and rotating sessions.

use std::marker::PhantomData;
use std::sync::Arc;

use actix_session::Session;
use latchkey_db::counters::{Counter, Durations};
use latchkey_db::{Db, Fault};

use super::batch_loader::BatchLoader;
use super::cache::Cache;
use super::interner::Interner;
use super::lease::Lease;
use super::listener::ListenerHandle;
use super::lists::{MAX_LISTS, SessionList};
use super::record::CachedSession;
use super::touches::Touches;
use super::{
    Background, Handle, Key, KeyHash, LiveSession, NewSession, Owner, Policy, Principal, SessionTx, queries,
    request,
};

/// The sessions of one application: the session store of actix-session, and what it cannot do. Cloning shares the pool
/// and the cache.
pub struct Store<O: Owner = ()> {
    pub(crate) db: Db,
    pub(crate) policy: Policy,
    /// Whether an instance may have cached these sessions, so that a change must be waited for.
    pub(crate) cacheable: bool,
    pub(crate) shared: Arc<Shared<O>>,
}

/// What all workers of an instance share.
pub(crate) struct Shared<O> {
    pub(crate) cache: Cache<CachedSession<O>>,
    pub(crate) lists: Cache<SessionList>,
    pub(crate) interner: Interner,
    pub(crate) lease: Lease,
    pub(crate) loader: BatchLoader<O>,
    pub(crate) touches: Touches,
    pub(crate) listener: ListenerHandle,
    pub(crate) counts: Counts,
}

/// Metrics of a store since the start.
#[derive(Default)]
pub struct Counts {
    /// Lookups answered from memory.
    pub hits: Counter,
    /// Lookups of sessions that were not in memory.
    pub misses: Counter,
    /// Lookups while the instance had no lease.
    pub bypasses: Counter,
    /// How long changes waited until no instance served what was read before.
    pub invalidations: Durations,
    /// How many of these waited for leases to expire, because an instance did not answer.
    pub expiry_waits: Counter,
}

impl<O> Shared<O> {
    /// Evicts what was read of these principals.
    pub(crate) fn invalidate(&self, changed: &[Principal]) {
        self.cache.remove_all_of(changed);
        self.lists.remove_all_of(changed);
    }

    pub(crate) fn invalidate_everything(&self) {
        self.cache.clear();
        self.lists.clear();
    }
}

/// Puts a [`Store`] together; see [`Store::builder`].
pub struct Builder<O: Owner = ()> {
    db: Db,
    policy: Policy,
    cacheable: bool,
    owner: PhantomData<O>,
}

impl<O: Owner> Builder<O> {
    /// The clocks and limits; [`Policy::default`] otherwise.
    pub fn policy(self, policy: Policy) -> Self {
        Self { policy, ..self }
    }

    /// What is read about the principal with each session; nothing otherwise.
    pub fn owner<P: Owner>(self) -> Builder<P> {
        let Self { db, policy, cacheable, .. } = self;
        Builder { db, policy, cacheable, owner: PhantomData }
    }

    /// For sessions of a [kind](Owner::KIND) that no instance caches: a change is complete when it is committed, and
    /// [`Store::write`] waits for nothing more.
    pub fn uncached(self) -> Self {
        Self { cacheable: false, ..self }
    }

    /// The store alone, for commands that run once and for applications whose database is not ready yet. Until [`Store::start_background`] is called, every lookup asks the database and `last_seen_at`
    /// is not written.
    pub fn build(self) -> Store<O> {
        let Self { db, policy, cacheable, .. } = self;
        let shared = Shared {
            cache: Cache::new(policy.cached),
            lists: Cache::new(policy.cached.min(MAX_LISTS)),
            interner: Interner::default(),
            lease: Lease::none(),
            loader: BatchLoader::default(),
            touches: Touches::default(),
            listener: ListenerHandle::default(),
            counts: Counts::default(),
        };
        Store { db, policy, cacheable, shared: Arc::new(shared) }
    }

    /// The store and its background work. Call it inside an actix runtime.
    ///
    /// # Panics
    /// Outside an actix runtime.
    pub fn spawn(self) -> (Store<O>, Background) {
        let store = self.build();
        let background = store.start_background();
        (store, background)
    }
}

impl<O: Owner> Clone for Store<O> {
    fn clone(&self) -> Self {
        let Self { policy, cacheable, .. } = *self;
        Self { db: self.db.clone(), policy, cacheable, shared: Arc::clone(&self.shared) }
    }
}

impl Store {
    /// Begins to put a store on `db` together.
    ///
    /// ```no_run
    /// # async fn example() {
    /// use latchkey_sessions::{Db, Policy, PoolSettings, Store};
    ///
    /// let db = Db::new("postgresql://localhost/shop", PoolSettings::default());
    /// let (store, background) = Store::builder(db).policy(Policy::default()).spawn();
    /// # }
    /// ```
    pub fn builder(db: Db) -> Builder {
        Builder { db, policy: Policy::default(), cacheable: true, owner: PhantomData }
    }
}

impl<O: Owner> Store<O> {
    /// The pool that it was built on.
    pub fn db(&self) -> &Db {
        &self.db
    }

    /// The policy in force.
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Metrics since the start.
    pub fn counts(&self) -> &Counts {
        &self.shared.counts
    }

    /// How many sessions are in memory.
    pub fn cached(&self) -> usize {
        self.shared.cache.len()
    }

    /// Whether sessions are served from memory. Not before the listener has received a message from itself, nor after
    /// its connection broke.
    pub fn has_lease(&self) -> bool {
        self.shared.lease.now().is_some()
    }

    /// The live session of `key` with its owner: from memory while the lease holds, otherwise from the database. Notes
    /// its use, at most once every [`Policy::touch_every`].
    ///
    /// ```no_run
    /// # async fn example(store: latchkey_sessions::Store, text: &str) -> Result<(), latchkey_sessions::Fault> {
    /// use latchkey_sessions::Key;
    ///
    /// let Some(key) = Key::parse(text) else { return Ok(()) };
    /// match store.find(&key).await? {
    ///     Some(live) => println!("{} logged in at {:?}", live.record.principal, live.record.created_at),
    ///     None => println!("not logged in"),
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// A [`Fault`] of the database. The caller then knows nothing and must admit no one.
    pub async fn find(&self, key: &Key) -> Result<Option<LiveSession<O>>, Fault> {
        self.find_by_hash(key.hash()).await
    }

    /// The same with the key as a cookie carries it. Needs no middleware and remembers nothing for the request; see
    /// [`request::scope_with`](crate::request::scope_with).
    ///
    /// # Errors
    /// As [`Store::find`].
    pub async fn find_by_cookie(&self, raw: &str) -> Result<Option<LiveSession<O>>, Fault> {
        match KeyHash::of(raw) {
            Some(key) => self.find_by_hash(key).await,
            None => Ok(None),
        }
    }

    pub(crate) async fn find_by_hash(&self, key: KeyHash) -> Result<Option<LiveSession<O>>, Fault> {
        let live = match self.find_cached(&key) {
            Some(live) => {
                self.shared.counts.hits.count();
                live
            }
            None => {
                let counts = &self.shared.counts;
                if self.has_lease() {
                    counts.misses.count()
                } else {
                    counts.bypasses.count()
                }
                match self.load_from_database(key).await? {
                    Some(live) => live,
                    None => return Ok(None),
                }
            }
        };
        if live.is_touch_due(live.now, self.policy.touch_every(live.record.remember)) {
            self.shared.touches.note(live.record.handle, live.now);
            // About to end as unused: that cannot wait for the next flush.
            if live.record.expires_at.since(live.now) < 2 * self.policy.flush_every() {
                self.flush_soon();
            }
        }
        Ok(Some(live))
    }

    /// First the lease, then the cache: what is announced in between has been removed from the cache.
    fn find_cached(&self, key: &KeyHash) -> Option<LiveSession<O>> {
        let now = self.shared.lease.now()?;
        let cached = self.shared.cache.get(key)?;
        cached.is_current(now).then_some(LiveSession { cached, now })
    }

    /// Opens a session in the caller's transaction, so that it is committed or rolled back with the log-in. Give the key to
    /// the browser with [`request::log_in`] or [`request::issue_key`].
    ///
    /// ```no_run
    /// # use actix_session::Session;
    /// # async fn example(store: latchkey_sessions::Store, session: Session, user: uuid::Uuid) -> actix_web::Result<()> {
    /// use actix_web::error::ErrorServiceUnavailable;
    /// use latchkey_sessions::{NewSession, Principal, request};
    ///
    /// let opener = store.clone();
    /// let opened = store.write(move |tx| {
    ///     // … write the audit event on `tx` …
    ///     opener.open(tx, &NewSession::new(Principal(user), "password"))
    /// });
    /// let (key, _handle) = opened.await.map_err(ErrorServiceUnavailable)?;
    /// request::log_in(&session, Principal(user), key, None)?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Those of the statement.
    pub fn open(&self, tx: &mut SessionTx<'_>, login: &NewSession) -> Result<(Key, Handle), Fault> {
        self.open_counting(tx, login).map(|(key, handle, _)| (key, handle))
    }

    /// Opens a session in a transaction of its own and gives the browser its key, for applications that write nothing else
    /// at a log-in. Returns its handle.
    ///
    /// # Errors
    /// A [`Fault`] of the database.
    pub async fn log_in(&self, session: &Session, login: NewSession) -> Result<Handle, Fault> {
        let lifetime = login.remember.then(|| self.policy.absolute(true));
        let (store, principal) = (self.clone(), login.principal);
        let (key, handle) = self.write(move |tx| store.open(tx, &login)).await?;
        request::log_in(session, principal, key, lifetime).map_err(Fault::bug)?;
        Ok(handle)
    }

    /// The same as [`Store::open`], and how many of the oldest sessions ended because of [`Policy::per_principal`].
    ///
    /// # Errors
    /// Those of the statements.
    pub fn open_counting(
        &self,
        tx: &mut SessionTx<'_>,
        login: &NewSession,
    ) -> Result<(Key, Handle, usize), Fault> {
        let key = Key::generate()?;
        let life = self.policy.idle(login.remember).min(self.policy.absolute(login.remember));
        let handle = queries::insert(tx, O::KIND, &key.hash(), login, life)?;
        tx.opened(login.principal);
        let ended = queries::revoke_oldest(tx, login.principal, self.policy.per_principal)?;
        if ended > 0 {
            tx.invalidates();
        }
        Ok((key, handle, ended))
    }

    /// Gives `live` a new key in the caller's transaction; the handle and the absolute limit stay. With `confirmed`, the
    /// owner has just proved again who they are.
    ///
    /// One conditional statement: of two parallel rotations one succeeds, and a revocation always does. With `None` it
    /// failed: the session has ended or has another key, and nothing was written.
    ///
    /// ```no_run
    /// # use actix_session::Session;
    /// # async fn example(store: latchkey_sessions::Store, session: Session) -> Result<(), latchkey_sessions::Fault> {
    /// use latchkey_sessions::request;
    ///
    /// let Some(live) = request::loaded::<()>() else { return Ok(()) };
    /// let rotator = store.clone();
    /// if let Some(key) = store.write(move |tx| rotator.rotate(tx, &live, true)).await? {
    ///     request::rotated(&session, key);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Those of the statement.
    pub fn rotate(
        &self,
        tx: &mut SessionTx<'_>,
        live: &LiveSession<O>,
        confirmed: bool,
    ) -> Result<Option<Key>, Fault> {
        let key = Key::generate()?;
        let remember = live.record.remember;
        let (idle, absolute) = (self.policy.idle(remember), self.policy.absolute(remember));
        let rotated =
            queries::rotate(tx, live.record.handle, &live.key_hash, &key.hash(), confirmed, idle, absolute)?;
        if rotated {
            tx.invalidates();
        }
        Ok(rotated.then_some(key))
    }
}
